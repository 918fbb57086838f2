//! Where the program keeps its own files, and the clock: the environment is read here.

use std::path::PathBuf;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::engine::HashStore;
use crate::eval::record::Run;

/// What can be made again: `LMSCOPE_CACHE`, else `lmscope` in the user's cache.
pub(super) fn cache() -> PathBuf {
    variable("LMSCOPE_CACHE").unwrap_or_else(|| base("XDG_CACHE_HOME", &[".cache"]).join("lmscope"))
}

/// What cannot: `LMSCOPE_DATA`, else `lmscope` in the user's data.
fn data() -> PathBuf {
    variable("LMSCOPE_DATA").unwrap_or_else(|| base("XDG_DATA_HOME", &[".local", "share"]).join("lmscope"))
}

/// The configuration of the terminal UI, where the platform keeps those of its programs.
pub(super) fn config() -> PathBuf {
    let name = if cfg!(windows) { "APPDATA" } else { "XDG_CONFIG_HOME" };
    base(name, &[".config"]).join("lmscope").join("config.toml")
}

/// The history of runs.
pub(super) fn history() -> PathBuf {
    data().join("history.sqlite")
}

/// A folder for the record of this run that is not there yet.
pub(super) fn new_record(run: &Run) -> PathBuf {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect()
    };
    let tasks: Vec<String> = run.tasks.iter().map(|task| plain(&task.name)).take(3).collect();
    let started = run.origin.started.as_deref().map_or_else(String::new, plain);
    let name = format!("{started}-{}-{}", tasks.join("+"), plain(&run.model.name));
    let runs = data().join("runs");
    let candidates = std::iter::once(name.clone()).chain((2..).map(|n| format!("{name}-{n}")));
    candidates.map(|name| runs.join(name)).find(|folder| !folder.exists()).unwrap_or_else(|| runs.join(&name))
}

/// Hashes of models' files.
pub(super) fn hashes() -> HashStore {
    HashStore::new(cache().join("hashes.json"), clock())
}

#[expect(clippy::disallowed_methods, reason = "the command line is where the clock is read")]
fn clock() -> SystemTime {
    SystemTime::now()
}

/// The time in UTC, to the second.
pub(super) fn now() -> Option<String> {
    let now = OffsetDateTime::from(clock());
    now.replace_nanosecond(0).ok()?.format(&Rfc3339).ok()
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn base(name: &str, below_home: &[&str]) -> PathBuf {
    let home = || variable("HOME").or_else(|| variable("USERPROFILE")).unwrap_or_default();
    variable(name).unwrap_or_else(|| below_home.iter().fold(home(), |path, part| path.join(part)))
}
