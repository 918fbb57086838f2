//! The one door: a suite by its name or its path becomes [`Task`]s that are ready to be asked.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::build;
use super::builtin::{BUILTIN, Builtin};
use super::definition::{self, Definition, Dialect};
use super::harness;
use super::node::Node;
use super::problem::{self, Problem};
use super::scorer::{self, Scorer, Sheet};
use super::suite_toml;
use super::task::Task;
use crate::hub::Cache;
use crate::text::{self, ChatTemplate, Tokenizer};

/// What may be chosen about a task apart from its file.
#[derive(Debug, Clone, Copy)]
pub struct PrepareOptions<'a> {
    /// Breaks ties between control names.
    pub seed: u64,
    /// Draws few-shot examples, as Python's `random` does.
    pub fewshot_seed: u64,
    /// Examples before each item, whatever the file says.
    pub num_fewshot: Option<usize>,
    /// Put contexts into a chat.
    pub chat: Option<Chat<'a>>,
    /// What comes before everything else.
    pub system: Option<&'a str>,
    /// Where data sets of the hub are looked up; nothing is fetched.
    pub hub: Option<&'a Cache>,
}

/// lm-evaluation-harness's seed of few-shot examples.
pub const FEWSHOT_SEED: u64 = 1234;

impl Default for PrepareOptions<'_> {
    fn default() -> Self {
        Self { seed: 0, fewshot_seed: FEWSHOT_SEED, num_fewshot: None, chat: None, system: None, hub: None }
    }
}

/// How a context becomes a chat.
#[derive(Debug, Clone, Copy)]
pub struct Chat<'a> {
    /// The model's template.
    pub template: &'a ChatTemplate,
    /// Who says the examples.
    pub turns: Turns,
}

/// How examples stand in a chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turns {
    /// Each question and each answer is a message: what lm-evaluation-harness does unless told otherwise.
    Each,
    /// All examples and the question are one message.
    One,
}

/// A suite that cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No suite has this name and nothing is at this path.
    #[error("find the suite `{name}`: neither built in nor a folder or file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The suites that are built in, as a list to read.
        known: String,
    },
    /// Its texts could not be cut into tokens.
    #[error("cut the suite's texts into tokens")]
    Text(#[from] text::Error),
    /// Two suites have a task of one name.
    #[error("run `{first}` with `{second}`: both have a task `{task}`, and results go by the name of a task")]
    Twice {
        /// The task.
        task: String,
        /// The suite that came first.
        first: String,
        /// The other one.
        second: String,
    },
    /// The files hold mistakes.
    #[error("use the suite `{name}`:\n  {}", problem::list(problems))]
    Problems {
        /// The suite, as it was given.
        name: String,
        /// All mistakes.
        problems: Vec<Problem>,
    },
}

impl Error {
    fn of(name: &str, problems: Vec<Problem>) -> Self {
        Self::Problems { name: name.into(), problems: problem::distinct(problems) }
    }

    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { known, .. } => Some(format!("built in: {known}; or give the path of a suite")),
            Self::Text(error) => error.hint(),
            Self::Twice { first, second, .. } if first == second => Some("name each suite once".into()),
            Self::Twice { .. } => Some("run one after the other, or give one of the two tasks another name".into()),
            Self::Problems { .. } => Some("docs/suites.md says what a suite and a task file may hold".into()),
        }
    }
}

/// What is known of a suite before a tokenizer is.
pub(super) enum Opened {
    /// Tasks of our own format or of lm-evaluation-harness's.
    Files(Vec<Definition>),
    /// A suite that is asked in a way of its own: what its `suite.toml` says, and where that is.
    Own(&'static Scorer, Node, PathBuf),
}

/// The tasks of the suite that is built in under this name, or that is at this path.
pub fn prepare(source: &str, tokenizer: &Tokenizer, options: &PrepareOptions<'_>) -> Result<Vec<Task>, Error> {
    match open(source)? {
        Opened::Files(definitions) => build(source, definitions, options),
        Opened::Own(scorer, root, file) => {
            let sheet = Sheet::read(&root, &file, scorer.keys);
            let task = sheet.and_then(|sheet| (scorer.task)(&sheet, Some(tokenizer), options));
            Ok(vec![task.map_err(|problems| Error::of(source, problems))?])
        }
    }
}

/// The tasks of several suites, each of another name.
pub fn prepare_all(
    sources: &[String],
    tokenizer: &Tokenizer,
    options: &PrepareOptions<'_>,
) -> Result<Vec<Task>, Error> {
    let mut all: Vec<(&String, Task)> = Vec::new();
    for source in sources {
        for task in prepare(source, tokenizer, options)? {
            if let Some((first, _)) = all.iter().find(|(_, known)| known.name == task.name) {
                return Err(Error::Twice { task: task.name, first: (*first).clone(), second: source.clone() });
            }
            all.push((source, task));
        }
    }
    Ok(all.into_iter().map(|(_, task)| task).collect())
}

/// What a suite is, without its items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outline {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What is asked.
    pub output_type: String,
    /// What it is for, in a sentence.
    pub about: String,
    /// How many items it has.
    pub items: usize,
    /// How many of them are its quick tier; none if all are.
    pub quick: Option<usize>,
    /// What is to be told of its files beside mistakes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Reads a suite and renders every item of it; what is wrong is told all at once. Needs no model.
pub fn outline(source: &str, options: &PrepareOptions<'_>) -> Result<Vec<Outline>, Error> {
    let definitions = match open(source)? {
        Opened::Files(definitions) => definitions,
        Opened::Own(scorer, root, file) => {
            let of_sheet = |sheet: &Sheet<'_>| (scorer.task)(sheet, None, options).map(|task| of_own(sheet, &task));
            let outline = Sheet::read(&root, &file, scorer.keys).and_then(|sheet| of_sheet(&sheet));
            return Ok(vec![outline.map_err(|problems| Error::of(source, problems))?]);
        }
    };
    let abouts: Vec<String> = definitions.iter().map(|definition| definition.about.clone()).collect();
    let tasks = build(source, definitions, options)?;
    let of_task = |(task, about): (Task, String)| Outline {
        name: task.name,
        version: task.version,
        output_type: task.output_type,
        about,
        items: task.items.len(),
        quick: task.quick,
        notes: task.notes,
    };
    Ok(tasks.into_iter().zip(abouts).map(of_task).collect())
}

fn of_own(sheet: &Sheet<'_>, task: &Task) -> Outline {
    Outline {
        name: task.name.clone(),
        version: task.version.clone(),
        output_type: task.output_type.clone(),
        about: sheet.about.clone(),
        items: task.items.len(),
        quick: task.quick,
        notes: task.notes.clone(),
    }
}

fn build(name: &str, definitions: Vec<Definition>, options: &PrepareOptions<'_>) -> Result<Vec<Task>, Error> {
    let (mut tasks, mut problems) = (Vec::new(), Vec::new());
    for definition in definitions {
        match build::task(definition, options) {
            Ok(task) => tasks.push(task),
            Err(found) => problems.extend(found),
        }
    }
    if problems.is_empty() { Ok(tasks) } else { Err(Error::of(name, problems)) }
}

fn open(source: &str) -> Result<Opened, Error> {
    let path = Path::new(source);
    let own = if path.is_dir() { path.join("suite.toml") } else { path.to_owned() };
    let ends_in = |endings: &[&str]| own.extension().is_some_and(|ending| endings.iter().any(|one| ending == *one));
    let all = |problems| Error::of(source, problems);
    if let Some(builtin) = Builtin::named(source) {
        return own_format(source, &builtin.path("suite.toml"), builtin.suite_toml);
    }
    if !path.exists() {
        let known = BUILTIN.iter().map(|builtin| builtin.name).collect::<Vec<_>>().join(", ");
        return Err(Error::Unknown { name: source.into(), known });
    }
    if path.is_file() && ends_in(&["yaml", "yml"]) {
        return harness::file(path).map(Opened::Files).map_err(all);
    }
    if path.is_dir() && !own.exists() {
        return harness::folder(path).map(Opened::Files).map_err(all);
    }
    if !ends_in(&["toml"]) {
        let what = "the file ends neither in .toml nor in .yaml: it is no suite and no task file";
        return Err(all(vec![Problem::new(source, None, what)]));
    }
    let text = harness::text(&own).map_err(|problem| all(vec![problem]))?;
    own_format(source, &own, &text)
}

/// The suite of a `suite.toml`.
fn own_format(source: &str, file: &Path, text: &str) -> Result<Opened, Error> {
    let all = |problems| Error::of(source, problems);
    let root = suite_toml::read(&file.display().to_string(), text).map_err(all)?;
    if let Some(node) = root.get("scorer") {
        let name = node.text().unwrap_or_default();
        let scorer = scorer::by_name(name).map_err(|what| all(vec![node.problem(what)]))?;
        return Ok(Opened::Own(scorer, root, file.to_owned()));
    }
    definition::read(&root, file, Dialect::Own).map(|found| Opened::Files(vec![found])).map_err(all)
}
