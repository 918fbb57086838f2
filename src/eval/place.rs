//! Where the files of a task's splits are on this machine: where the task says, or in the cache of the hub, which is
//! never filled here.

use std::borrow::Cow;

use super::card::Config;
use super::dataset::Rows;
use super::definition::{Files, Hub, Source};
use super::problem::Problem;
use super::repository::{Layout, Repository, lacking};
use crate::hub::{CARD, Cache};

/// The files of splits, and what is known of them.
pub(super) struct Place<'a> {
    /// The files.
    pub(super) files: Cow<'a, Files>,
    hub: Option<(&'a Hub, Layout)>,
}

impl<'a> Place<'a> {
    /// Finds the files. A data set that is not in the cache is a mistake, whose message has the command that fetches it.
    pub(super) fn of(source: &'a Source, cache: Option<&Cache>) -> Result<Self, Vec<Problem>> {
        match source {
            Source::Files(files) => Ok(Self { files: Cow::Borrowed(files), hub: None }),
            Source::Hub(hub) => cached(hub, cache),
        }
    }

    /// What to do about a split that is not there.
    pub(super) fn remedy(&self, split: &str) -> String {
        match &self.hub {
            Some((hub, layout)) if layout.config.rows.contains_key(split) => format!("; {}", fetch(hub)),
            Some(_) | None => String::new(),
        }
    }

    /// Notices a part of a split of the hub that was not fetched.
    pub(super) fn check(&self, split: &str, rows: &Rows) -> Result<(), Vec<Problem>> {
        let Some((hub, layout)) = &self.hub else { return Ok(()) };
        let files = layout.splits.iter().find(|(name, _)| name == split);
        if let Some(lacks) = files.and_then(|(_, files)| lacking(files)) {
            return Err(vec![hub.at.problem(format!(
                "`{lacks}` of `{}` is not in the cache; {}",
                hub.name,
                fetch(hub)
            ))]);
        }
        let (found, expected) = (rows.all.len() as u64, layout.config.rows.get(split));
        match expected.filter(|expected| **expected != found) {
            Some(expected) => Err(vec![hub.at.problem(format!(
                "the split `{split}` of `{}` has {found} rows, and its card says {expected}; {}",
                hub.name,
                fetch(hub)
            ))]),
            None => Ok(()),
        }
    }
}

fn fetch(hub: &Hub) -> String {
    format!("`{}` fetches what is missing", hub.name.pull_command(hub.config.as_deref()))
}

fn cached<'a>(hub: &'a Hub, cache: Option<&Cache>) -> Result<Place<'a>, Vec<Problem>> {
    let there = cache.map(|cache| (cache, cache.dataset(&hub.name)));
    let Some((_, Ok(found))) = there else {
        let place = cache.map(|cache| format!(" `{}`", cache.dir().display())).unwrap_or_default();
        let what = format!(
            "`{}` is neither a folder here nor a data set in the cache{place}: `{}` fetches it; lmscope uses the network \
             only when asked to",
            hub.name,
            hub.name.pull_command(hub.config.as_deref())
        );
        return Err(vec![hub.at.problem(what)]);
    };
    let (card_file, card) = (found.snapshot.join(CARD), found.card());
    let card_file = card_file.display().to_string();
    let repository = Repository { name: &hub.name, card_file: &card_file, card: card.as_deref(), files: &found.files };
    let layout = if hub.files.is_some() || hub.dir.is_some() {
        repository.by_hand(hub.files.clone(), hub.dir.as_deref().unwrap_or_default())
    } else {
        repository.layout(hub.config.as_deref())
    };
    let layout = layout.map_err(|problems| told(hub, problems))?;
    let split = |(split, files): &(String, Vec<String>)| {
        (split.clone(), files.iter().map(|file| found.snapshot.join(file)).collect())
    };
    let Config { field, .. } = &layout.config;
    let files = Files {
        splits: layout.splits.iter().map(split).collect(),
        format: None,
        field: hub.field.clone().or_else(|| field.clone()),
    };
    Ok(Place { files: Cow::Owned(files), hub: Some((hub, layout)) })
}

/// Mistakes of the repository, and where the task file names it: more of it may be on the hub than in the cache.
fn told(hub: &Hub, mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.push(hub.at.problem(format!(
        "the data set `{}` is in the cache, and cannot be used; {}",
        hub.name,
        fetch(hub)
    )));
    problems
}
