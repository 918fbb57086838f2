//! The values of a run, item by item: all that a comparison needs, small enough to be committed as a baseline.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Serialize};

use super::Error;
use crate::eval::hash::hex;
use crate::eval::record::{Record, Run, TaskInfo};
use crate::eval::task::{MetricSpec, Observation, TaskItemRecord};

/// The version of the format.
pub const FORMAT_VERSION: u32 = 1;

/// Where scores come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The version of lmscope.
    pub lmscope_version: String,
    /// The model's name.
    pub model: String,
    /// Its fingerprint.
    pub fingerprint: String,
    /// Number types and arithmetic.
    pub precision: String,
    /// SHA-256 of the tokenizer.
    pub tokenizer: String,
    /// What was changed in the model.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub interventions: Vec<String>,
}

impl Origin {
    fn of(run: &Run) -> Self {
        let model = &run.model;
        Self {
            lmscope_version: run.origin.lmscope_version.clone(),
            model: model.name.clone(),
            fingerprint: model.fingerprint.clone().unwrap_or_default(),
            precision: model.precision.clone().unwrap_or_default(),
            tokenizer: run.tokenizer.as_ref().map(|tokenizer| tokenizer.sha256.clone()).unwrap_or_default(),
            interventions: model.interventions.clone(),
        }
    }
}

/// The values of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Where they come from.
    pub origin: Origin,
    /// The tasks, in the order of the run.
    pub tasks: Vec<TaskScores>,
}

/// The values of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskScores {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The hash of all that its items depend on.
    pub hash: String,
    /// What is counted.
    pub metrics: Vec<MetricSpec>,
    /// The items.
    pub items: Vec<ItemScores>,
}

/// The values of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemScores {
    /// Its name.
    pub id: String,
    /// Hash of what was asked and of the right answer: items of one name can be compared if this is the same.
    pub hash: String,
    /// Hash of the fields that it was made from and of the right answer: the same however it is put into words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Items of one cluster are not independent of each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Named groups that can be compared alone, such as `seen` = `ab`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub strata: BTreeMap<String, String>,
    /// What was observed.
    pub observations: Vec<Observation>,
}

impl ItemScores {
    /// The values of a recorded item.
    ///
    /// # Errors
    /// If a request or a field cannot be written as JSON.
    pub fn of(item: &TaskItemRecord) -> Result<Self, serde_json::Error> {
        // what followed from answers differs where they do
        let asked = &item.requests[..item.requests.len().saturating_sub(item.followed)];
        let requests = serde_json::to_string(asked)?;
        let fields = serde_json::to_string(&item.doc)?;
        let short = |of: &str| hex(&[of, &item.target]).chars().take(16).collect();
        Ok(Self {
            id: item.id.clone(),
            hash: short(&requests),
            doc: short(&fields),
            cluster: item.cluster.clone(),
            strata: item.strata.clone(),
            observations: item.graded.observations.clone(),
        })
    }
}

impl Scores {
    /// The values that a record holds.
    ///
    /// # Errors
    /// If a request cannot be written as JSON.
    pub fn of(record: &Record) -> Result<Self, serde_json::Error> {
        let task = |task: &TaskInfo| -> Result<TaskScores, serde_json::Error> {
            Ok(TaskScores {
                name: task.name.clone(),
                version: task.version.clone(),
                hash: task.hash.clone().unwrap_or_default(),
                metrics: task.metrics.clone(),
                items: record.items_of(&task.name).map(ItemScores::of).collect::<Result<_, _>>()?,
            })
        };
        let tasks = record.run.tasks.iter().map(task).collect::<Result<_, _>>()?;
        Ok(Self { format_version: FORMAT_VERSION, origin: Origin::of(&record.run), tasks })
    }

    /// Reads a baseline.
    ///
    /// # Errors
    /// If the text is something else, of another version, or names something twice.
    pub fn parse(text: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Version {
            format_version: u32,
        }
        let json = |source| Error::Json { source };
        let Version { format_version: found } = serde_json::from_str(text).map_err(json)?;
        if found != FORMAT_VERSION {
            return Err(Error::Version { found, expected: FORMAT_VERSION });
        }
        let scores: Self = serde_json::from_str(text).map_err(json)?;
        scores.check_names()?;
        Ok(scores)
    }

    /// As the file that is committed: one item a line, so that a diff shows what changed.
    ///
    /// # Errors
    /// If a value has no JSON, such as a number that is none.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut out = format!(
            "{{\"format_version\":{},\n\"origin\":{},\n\"tasks\":[",
            self.format_version,
            serde_json::to_string(&self.origin)?
        );
        for (at, task) in self.tasks.iter().enumerate() {
            let head = TaskScores { items: Vec::new(), ..task.clone() };
            let head = serde_json::to_string(&head)?;
            out += if at == 0 { "\n" } else { ",\n" };
            out += head.strip_suffix("]}").unwrap_or(&head);
            for (at, item) in task.items.iter().enumerate() {
                out += if at == 0 { "\n" } else { ",\n" };
                out += &serde_json::to_string(item)?;
            }
            out += "]}";
        }
        Ok(out + "]}\n")
    }

    fn check_names(&self) -> Result<(), Error> {
        let mut tasks = HashSet::new();
        for task in &self.tasks {
            if !tasks.insert(&task.name) {
                return Err(Error::Twice { name: task.name.clone() });
            }
            let mut items = HashSet::new();
            if let Some(item) = task.items.iter().find(|item| !items.insert(&item.id)) {
                return Err(Error::Twice { name: format!("{}/{}", task.name, item.id) });
            }
        }
        Ok(())
    }
}
