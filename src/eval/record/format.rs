//! What `run.json` says.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::eval::group::Membership;
use crate::eval::prepare::Turns;
use crate::eval::results::MetricResult;
use crate::eval::task::{MetricSpec, Task};

/// The version of the format.
pub const FORMAT_VERSION: u32 = 2;

/// A run: what was run on what, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Whether it came to its end.
    pub status: Status,
    /// The model.
    pub model: Model,
    /// Its tokenizer; none if another tool did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerInfo>,
    /// The tasks, in order.
    pub tasks: Vec<TaskInfo>,
    /// How it was run.
    pub settings: Settings,
    /// Where the record comes from.
    pub origin: Origin,
    /// What came of it; none while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// Whether a run came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It goes on, or was stopped.
    Running,
    /// It is complete.
    Complete,
}

/// Which model was measured. What an imported record's source does not say is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Its name, which does not tell it from others.
    pub name: String,
    /// SHA-256 over configuration and tensor headers, shortened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// SHA-256 of configuration and weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Number types and arithmetic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<String>,
    /// What was changed in it, as typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<String>,
}

/// Which tokenizer cut the texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenizerInfo {
    /// SHA-256 of what defines it.
    pub sha256: String,
    /// Whether it begins texts with BOS.
    pub adds_bos: bool,
}

/// A task of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// SHA-256 of all that its items depend on; absent where another tool did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// What the requests are, in lm-evaluation-harness's word.
    pub output_type: String,
    /// Few-shot examples before each item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_shot: Option<usize>,
    /// Items of the whole task, those that a limit or a shard leaves out included.
    pub n_items: usize,
    /// What is counted.
    pub metrics: Vec<MetricSpec>,
    /// The groups in which it is counted with other tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Membership>,
}

impl TaskInfo {
    /// What a record keeps of a task.
    pub fn of(task: &Task) -> Self {
        Self {
            name: task.name.clone(),
            version: task.version.clone(),
            hash: Some(task.hash.clone()),
            output_type: task.output_type.clone(),
            n_shot: Some(task.n_shot),
            n_items: task.items.len(),
            metrics: task.metrics.clone(),
            groups: task.groups.clone(),
        }
    }
}

/// How a run is made. Runs that agree in model, tokenizer, tasks and settings give the same scores.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The seed of whatever is drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Which of its tiers each task is asked in; all of it unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Items of each task that are drawn, if not all are asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// Continuations of one context that are run together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// How many of the likeliest tokens are kept beside the first of a continuation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// The part of the items that is asked, if not all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// How examples stand in a chat, if items are asked through the model's chat template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chat: Option<Turns>,
    /// What the system says first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
}

/// How much of a suite is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// As many items as the suite calls `quick`, evenly spread over its file.
    Quick,
    /// All of it.
    Full,
}

/// A part of the items: every `count`th, from the `index`th on, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: usize,
    count: usize,
}

impl Shard {
    /// Part `index` of `count`, from 1; none if there is no such part.
    pub fn new(index: usize, count: usize) -> Option<Self> {
        (1..=count).contains(&index).then_some(Self { index, count })
    }

    /// Which part, from 1.
    pub const fn index(self) -> usize {
        self.index
    }

    /// Of how many.
    pub const fn count(self) -> usize {
        self.count
    }

    /// Whether the item at this place belongs to it.
    pub const fn has(self, place: usize) -> bool {
        place % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(k, n)| Some((k.parse().ok()?, n.parse().ok()?)));
        let shard = parts.and_then(|(index, count)| Self::new(index, count));
        shard.ok_or_else(|| format!("`{text}` is no shard; the second of four is 2/4"))
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The version of lmscope.
    pub lmscope_version: String,
    /// The command line.
    pub command: Vec<String>,
    /// When the run began, in UTC; none if another tool did not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// What it was read from, if another tool made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
}

/// Another tool's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The tool: `lm-eval`, `inspect`.
    pub tool: String,
    /// Its version, if the log says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The file.
    pub file: String,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Items that were scored.
    pub n_items: usize,
    /// Of these, the items that an earlier, stopped run had scored.
    #[serde(default)]
    pub n_resumed: usize,
    /// How long this took; a run that was resumed does not know how long it took before. None where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// How many requests have each lint.
    pub lints: BTreeMap<String, usize>,
    /// The results: each metric and filter of each task, over all items and over each stratum.
    pub results: Vec<MetricResult>,
}

/// The first thing that two runs differ in and that can change a score: its name, then its value in each.
pub fn difference(found: &Run, expected: &Run) -> Option<(String, String, String)> {
    let subject = |run: &Run| {
        let model = Model { name: String::new(), ..run.model.clone() };
        serde_json::json!({
            "format_version": run.format_version,
            "lmscope_version": run.origin.lmscope_version,
            "model": model,
            "tokenizer": run.tokenizer,
            "tasks": run.tasks,
            "settings": run.settings,
        })
    };
    differing("", &subject(found), &subject(expected))
}

fn differing(name: &str, found: &Value, expected: &Value) -> Option<(String, String, String)> {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let keys = found.keys().chain(expected.keys().filter(|key| !found.contains_key(*key)));
            let of = |map: &serde_json::Map<String, Value>, key: &str| map.get(key).cloned().unwrap_or(Value::Null);
            keys.into_iter().find_map(|key| differing(&below(key), &of(found, key), &of(expected, key)))
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let pairs = found.iter().zip(expected).enumerate();
            pairs.into_iter().find_map(|(at, (found, expected))| differing(&below(&at.to_string()), found, expected))
        }
        _ if found == expected => None,
        _ => Some((name.to_owned(), plain(found), plain(expected))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::String(text) => text.clone(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}
