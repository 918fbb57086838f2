//! Control names: what a gold name is compared with.
//!
//! They come from the same side of the same relation, are of the same gender where it is known, are as near as
//! possible in token count, and are never another true answer. Neither the order of the items nor chance decides:
//! ties are broken by a hash of the seed, the item and the name.

use std::collections::HashSet;

use super::item::{Item, Side};
use super::suite::{Relation, Suite};
use crate::eval::hash::hex;

/// The true answers to the question for one end of `item`, its own first.
pub(super) fn answers<'a>(item: &'a Item, asked: Side, all: &[&'a Item]) -> Vec<&'a str> {
    let same = |other: &&&'a Item| {
        other.relation == item.relation
            && other.name(asked.other()) == item.name(asked.other())
            && other.gender(asked) == item.gender(asked)
    };
    let mut names = vec![item.name(asked)];
    let right = |other: &&'a Item| other_names(other, asked);
    let mut others: Vec<&str> = all.iter().filter(same).flat_map(right).collect();
    others.sort_unstable();
    others.dedup();
    names.extend(others.into_iter().filter(|name| *name != item.name(asked)));
    names
}

/// All that a fact says of one end.
fn other_names(item: &Item, asked: Side) -> impl Iterator<Item = &str> {
    std::iter::once(item.name(asked)).chain(item.also(asked).iter().map(String::as_str))
}

/// Every item whose name on the asked side can be a control, each name once.
pub(super) fn candidates<'a>(relation: &Relation, item: &'a Item, asked: Side, all: &[&'a Item]) -> Vec<&'a Item> {
    let cue = item.name(asked.other());
    // Whatever is true of the cue in any relation is left out, and so is the cue itself.
    let of_cue = all.iter().filter(|other| other.name(asked.other()) == cue);
    let mut taken: HashSet<&str> = of_cue.flat_map(|other| other_names(other, asked)).collect();
    taken.insert(cue);
    let lends = |other: &&&Item| other.relation == item.relation || relation.controls_from.contains(&other.relation);
    let mut found: Vec<&Item> = all.iter().filter(lends).copied().collect();
    found.sort_by(|x, y| (x.relation != item.relation, &x.id).cmp(&(y.relation != item.relation, &y.id)));
    found.retain(|other| taken.insert(other.name(asked)));
    found
}

/// The control names of one question, best match first. `count` gives the tokens of a name.
pub(super) fn choose(suite: &Suite, item: &Item, asked: Side, seed: u64, count: &dyn Fn(&str) -> usize) -> Vec<String> {
    let all: Vec<&Item> = suite.items.iter().collect();
    let Some(relation) = suite.relation(item) else { return Vec::new() };
    let wanted = count(item.name(asked));
    let mut found = candidates(relation, item, asked, &all);
    found.sort_by_cached_key(|other| {
        let name = other.name(asked);
        let tie = hex(&[&seed.to_string(), &item.id, name]);
        (other.relation != item.relation, other.gender(asked) != item.gender(asked), count(name).abs_diff(wanted), tie)
    });
    found.into_iter().take(suite.spec.controls).map(|other| other.name(asked).to_owned()).collect()
}
