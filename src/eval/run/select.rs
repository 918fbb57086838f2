//! Which items are asked.

use crate::eval::hash::hex;
use crate::eval::record::{Settings, Tier};
use crate::eval::task::{Task, TaskItem};

/// The items of a task that these settings ask, in the order of its file.
pub fn selected<'t>(task: &'t Task, settings: &Settings) -> Vec<&'t TaskItem> {
    let all: Vec<&TaskItem> = task.items.iter().collect();
    let of_tier = match (settings.tier, task.quick) {
        (Some(Tier::Quick), Some(n)) if n < all.len() => spread(&all, n),
        _ => all,
    };
    chosen(of_tier, settings)
}

/// So many items, evenly spread over the file: each stratum has its share where the file goes by strata.
fn spread<'t>(items: &[&'t TaskItem], n: usize) -> Vec<&'t TaskItem> {
    (0..n).map(|at| items[at * items.len() / n]).collect()
}

/// The items that these settings ask, in the order of their file.
///
/// A limit draws items with the seed and their names, so that neither the order of the file nor the number of shards
/// changes which. A shard takes every so-manyth of what is drawn.
pub fn drawn<'t>(items: &'t [TaskItem], settings: &Settings) -> Vec<&'t TaskItem> {
    chosen(items.iter().collect(), settings)
}

fn chosen<'t>(mut items: Vec<&'t TaskItem>, settings: &Settings) -> Vec<&'t TaskItem> {
    if let Some(limit) = settings.limit.filter(|limit| *limit < items.len()) {
        let seed = settings.seed.unwrap_or(0).to_string();
        items.sort_by_cached_key(|item| hex(&[&seed, &item.id]));
        items.truncate(limit);
    }
    items.sort_by(|a, b| (a.index, &a.id).cmp(&(b.index, &b.id)));
    let is_in = |place: &usize| settings.shard.is_none_or(|shard| shard.has(*place));
    items.into_iter().enumerate().filter(|(place, _)| is_in(place)).map(|(_, item)| item).collect()
}
