//! Which facts are not independent: those that share a name, and those that share a name with one of them, and so on.

use std::collections::HashMap;

use super::item::Item;

/// The cluster of each fact: what the file says, else a name that all facts of the cluster lead to.
pub(super) fn of(items: &[Item]) -> Vec<String> {
    let mut groups = Groups { parents: (0..items.len()).collect() };
    let mut known: HashMap<&str, usize> = HashMap::new();
    for (at, item) in items.iter().enumerate() {
        for name in [&item.a, &item.b] {
            let first = *known.entry(name).or_insert(at);
            groups.join(first, at);
        }
    }
    let name = |at: usize| items[groups.first(at)].a.clone();
    items.iter().enumerate().map(|(at, item)| item.cluster.clone().unwrap_or_else(|| name(at))).collect()
}

/// Sets of places that are joined two at a time; each is known by its first place.
struct Groups {
    parents: Vec<usize>,
}

impl Groups {
    fn first(&self, mut at: usize) -> usize {
        while self.parents[at] != at {
            at = self.parents[at];
        }
        at
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        self.parents[one.max(other)] = one.min(other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(row: usize, a: &str, b: &str, cluster: Option<&str>) -> Item {
        Item {
            row,
            id: row.to_string(),
            relation: "r".into(),
            a: a.into(),
            b: b.into(),
            a_also: Vec::new(),
            b_also: Vec::new(),
            a_gender: None,
            cluster: cluster.map(str::to_owned),
        }
    }

    #[test]
    fn facts_that_share_a_name_at_either_end_are_one_cluster() {
        let items = [
            item(0, "Anna", "Bea", None),
            item(1, "Carl", "Dora", None),
            // the mother of both, so that all three are one
            item(2, "Emil", "Fay", None),
            item(3, "Bea", "Fay", None),
            item(4, "Gus", "Hedy", Some("own")),
        ];
        assert_eq!(of(&items), ["Anna", "Carl", "Anna", "Anna", "own"]);
        assert_eq!(of(&[]), [""; 0]);
    }
}
