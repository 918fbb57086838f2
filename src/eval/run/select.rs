//! Which items are asked.

use crate::eval::record::Settings;
use crate::eval::suite::hex;
use crate::eval::task::{Task, TaskItem};

/// The items of a task that these settings ask, in the order of its file.
pub fn selected<'t>(task: &'t Task, settings: &Settings) -> Vec<&'t TaskItem> {
    drawn(&task.items, settings)
}

/// The items that these settings ask, in the order of their file.
///
/// A limit draws items with the seed and their names, so that neither the order of the file nor the number of shards
/// changes which. A shard takes every so-manyth of what is drawn.
pub fn drawn<'t>(items: &'t [TaskItem], settings: &Settings) -> Vec<&'t TaskItem> {
    let mut items: Vec<&TaskItem> = items.iter().collect();
    if let Some(limit) = settings.limit.filter(|limit| *limit < items.len()) {
        let seed = settings.seed.unwrap_or(0).to_string();
        items.sort_by_cached_key(|item| hex(&[&seed, &item.id]));
        items.truncate(limit);
    }
    items.sort_by(|a, b| (a.index, &a.id).cmp(&(b.index, &b.id)));
    let is_in = |place: &usize| settings.shard.is_none_or(|shard| shard.has(*place));
    items.into_iter().enumerate().filter(|(place, _)| is_in(place)).map(|(_, item)| item).collect()
}
