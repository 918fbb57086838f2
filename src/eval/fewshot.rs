//! Which examples stand before an item: those that lm-evaluation-harness 0.4.13 picks, or fixed ones.

use serde_json::{Map, Value};

use super::definition::Sampler;
use super::mersenne::Mersenne;

/// Picks the examples of one item after another; each picking goes on with the same random numbers.
pub(super) struct Picker<'a> {
    pool: &'a [Map<String, Value>],
    sampler: &'a Sampler,
    random: Mersenne,
}

impl<'a> Picker<'a> {
    pub(super) fn new(pool: &'a [Map<String, Value>], sampler: &'a Sampler, seed: u64) -> Self {
        Self { pool, sampler, random: Mersenne::new(seed) }
    }

    /// `n` examples, none of which is `not`; none if there are not as many.
    pub(super) fn pick(&mut self, n: usize, not: Option<&Map<String, Value>>) -> Option<Vec<&'a Map<String, Value>>> {
        if n == 0 {
            return Some(Vec::new());
        }
        let pool = self.pool;
        let other = |doc: &&Map<String, Value>| not != Some(*doc);
        let found: Vec<_> = match self.sampler {
            Sampler::First => pool.iter().filter(other).take(n).collect(),
            Sampler::Fixed(places) => {
                let named: Option<Vec<_>> = places.iter().map(|at| pool.get(*at)).collect();
                named?.into_iter().filter(other).take(n).collect()
            }
            Sampler::Random => return self.draw(n, not),
        };
        (found.len() == n).then_some(found)
    }

    /// One more is drawn, so that the item itself can be left out. Where that leaves too few, because it is there more
    /// than once, they are drawn again from the others.
    fn draw(&mut self, n: usize, not: Option<&Map<String, Value>>) -> Option<Vec<&'a Map<String, Value>>> {
        let pool = self.pool;
        let drawn = self.random.sample(pool.len(), n + usize::from(not.is_some()))?;
        let found: Vec<_> = drawn.into_iter().map(|at| &pool[at]).filter(|doc| not != Some(*doc)).take(n).collect();
        if found.len() == n {
            return Some(found);
        }
        let others: Vec<_> = pool.iter().filter(|doc| not != Some(*doc)).collect();
        Some(self.random.sample(others.len(), n)?.into_iter().map(|at| others[at]).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pool(n: usize) -> Vec<Map<String, Value>> {
        (0..n).map(|k| json!({"k": k}).as_object().unwrap().clone()).collect()
    }

    fn places(found: Option<Vec<&Map<String, Value>>>) -> Option<Vec<u64>> {
        found.map(|docs| docs.iter().map(|doc| doc["k"].as_u64().unwrap()).collect())
    }

    #[test]
    fn an_item_is_never_its_own_example() {
        let pool = pool(6);
        for sampler in [Sampler::Random, Sampler::First, Sampler::Fixed(vec![1, 3, 5, 0])] {
            let mut picker = Picker::new(&pool, &sampler, 1234);
            for doc in &pool {
                let found = places(picker.pick(3, Some(doc))).unwrap();
                assert!(found.len() == 3 && !found.contains(&doc["k"].as_u64().unwrap()), "{sampler:?} {found:?}");
            }
        }
        assert_eq!(places(Picker::new(&pool, &Sampler::Fixed(vec![4, 1]), 0).pick(2, None)), Some(vec![4, 1]));
        assert_eq!(Picker::new(&pool, &Sampler::Fixed(vec![9]), 0).pick(1, None), None);
        assert_eq!(Picker::new(&pool, &Sampler::Random, 0).pick(6, Some(&pool[0])), None);
        assert_eq!(Picker::new(&pool, &Sampler::First, 0).pick(0, None), Some(Vec::new()));
    }

    #[test]
    fn an_item_that_is_there_twice_is_drawn_around() {
        let mut twice = pool(4);
        twice.extend([twice[0].clone(), twice[0].clone()]);
        let mut picker = Picker::new(&twice, &Sampler::Random, 7);
        for _ in 0..20 {
            let found = places(picker.pick(3, Some(&twice[0]))).unwrap();
            assert!(found.len() == 3 && !found.contains(&0));
        }
    }
}
