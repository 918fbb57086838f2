//! What every kind of suite comes down to: items with their requests, a grader of the answers, metrics over the items.
//!
//! A suite folder, a task file of lm-evaluation-harness and the suites in the binary are all prepared into a [`Task`];
//! whatever runs, records, resumes, gates or exports knows nothing else of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::divergence::Divergence;
use super::group::Membership;
use super::request::{Loglikelihood, Request, Response};

/// A task that was checked and rendered for one tokenizer.
pub struct Task {
    /// Its name; unique within a run.
    pub name: String,
    /// Its version, as the file has it.
    pub version: String,
    /// SHA-256 of all that its items depend on: files, few-shot examples, templates, options.
    pub hash: String,
    /// What the requests are, in lm-evaluation-harness's word: `multiple_choice`, `loglikelihood`,
    /// `loglikelihood_rolling`, `generate_until`, or the name of a scorer of our own.
    pub output_type: String,
    /// Few-shot examples before each item.
    pub n_shot: usize,
    /// The items, in the order of the file.
    pub items: Vec<TaskItem>,
    /// How many items the quick tier has, spread evenly over the file; none if it has all.
    pub quick: Option<usize>,
    /// What is to be told of its files beside mistakes, such as facts that are there twice.
    pub notes: Vec<String>,
    /// Reads the answers.
    pub grader: Box<dyn Grader>,
    /// What is counted over the items.
    pub metrics: Vec<MetricSpec>,
    /// The groups in which it is counted with other tasks.
    pub groups: Vec<Membership>,
}

/// One question, ready to be asked.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskItem {
    /// A name that is unique in the task.
    pub id: String,
    /// Its place in the file, from 0: lm-evaluation-harness's `doc_id`.
    pub index: usize,
    /// The fields it was made from.
    pub doc: Map<String, Value>,
    /// The right answer, as the task writes it.
    pub target: String,
    /// Items of one cluster are not independent of each other.
    pub cluster: Option<String>,
    /// Named groups that are also counted alone, such as `seen` = `ab`.
    pub strata: BTreeMap<String, String>,
    /// What the model is asked, in order; what its answers lead to may be asked after it.
    pub requests: Vec<Request>,
}

impl TaskItem {
    /// The record of this item of the task `task`, of which all this was asked.
    pub fn answered(
        &self,
        task: &str,
        (requests, responses): (Vec<Request>, Vec<Response>),
        graded: Graded,
    ) -> TaskItemRecord {
        TaskItemRecord {
            task: task.into(),
            id: self.id.clone(),
            index: self.index,
            doc: self.doc.clone(),
            target: self.target.clone(),
            cluster: self.cluster.clone(),
            strata: self.strata.clone(),
            followed: requests.len().saturating_sub(self.requests.len()),
            requests,
            responses,
            graded,
        }
    }
}

impl TaskItemRecord {
    /// The item that was answered.
    pub fn asked(&self) -> TaskItem {
        TaskItem {
            id: self.id.clone(),
            index: self.index,
            doc: self.doc.clone(),
            target: self.target.clone(),
            cluster: self.cluster.clone(),
            strata: self.strata.clone(),
            requests: self.requests.clone(),
        }
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Reads the answers to the requests of one item.
pub trait Grader: Send + Sync {
    /// What is asked next, once all that was asked of the item is answered; nothing more unless a grader says so. `asked`
    /// begins with the item's requests, and `responses` are those to `asked`.
    fn follow_up(&self, item: &TaskItem, asked: &[Request], responses: &[Response]) -> Vec<Request> {
        let _ = (item, asked, responses);
        Vec::new()
    }

    /// The observations; `responses` are those to the item's requests and to what followed them, in order. None if they
    /// do not match.
    fn grade(&self, item: &TaskItem, responses: &[Response]) -> Option<Graded>;

    /// What only two models together show; nothing unless a grader says so.
    fn paired(&self) -> Option<&dyn Paired> {
        None
    }
}

/// What only two models together show of a task.
pub trait Paired: Send + Sync {
    /// What is counted over the items.
    fn metrics(&self) -> Vec<MetricSpec>;

    /// A text along which the distributions of both models are compared, as this model is asked; none unless there is one.
    fn text(&self, item: &TaskItem) -> Option<Loglikelihood> {
        let _ = item;
        None
    }

    /// The observations of an item. None if what was graded is not of this task.
    fn observe(&self, pair: &Pair<'_>) -> Option<Vec<Observation>>;
}

/// What two models made of an item.
#[derive(Debug, Clone, Copy)]
pub struct Pair<'a> {
    /// What the answers of model A are worth.
    pub a: &'a Graded,
    /// What those of model B are worth.
    pub b: &'a Graded,
    /// How far apart their distributions are along the text, where that is known.
    pub divergence: Option<&'a Divergence>,
}

/// What the answers to one item are worth.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Graded {
    /// The answers after each filter: one text a request (for choices, the log-likelihoods stay where they are).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub filtered: BTreeMap<String, Vec<String>>,
    /// One value for each metric and filter.
    pub observations: Vec<Observation>,
}

/// One metric of one item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// The metric's name.
    pub metric: String,
    /// The filter's name; `none` where there is no filter.
    pub filter: String,
    /// What was observed.
    pub value: Observed,
}

/// A value that an [`Aggregation`] can take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed {
    /// Right or wrong.
    Flag(bool),
    /// A number, such as a log-likelihood in nats.
    Number(f64),
    /// A text that was scored as a whole.
    Text {
        /// Its log-likelihood, in nats.
        loglik: f64,
        /// What it is counted in: its words, or its bytes.
        units: usize,
    },
    /// A part and the whole that it is of, each of which is added up over the items.
    Ratio {
        /// The part.
        part: f64,
        /// The whole.
        whole: f64,
    },
    /// The right class and the one that was predicted.
    Classes {
        /// The right one.
        gold: usize,
        /// The predicted one.
        predicted: usize,
    },
    /// An answer, ranked by how much speaks for it.
    Judged {
        /// Larger where the answer is more likely right.
        signal: f64,
        /// Whether it is right.
        is_right: bool,
    },
    /// Two answers: how much likelier the first is, and how much longer.
    Contrast {
        /// The difference of their log-likelihoods, in nats.
        margin: f64,
        /// The difference of their lengths, in bytes.
        length: i64,
    },
}

/// A metric that is counted over the items.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSpec {
    /// Its name.
    pub metric: String,
    /// The filter's name; `none` where there is no filter.
    pub filter: String,
    /// How the items' values become one.
    pub aggregation: Aggregation,
    /// Which direction is better.
    pub better: Better,
    /// What guessing gives, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chance: Option<f64>,
    /// The same of each stratum, as `kind=cloze`, where it is not the same everywhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chances: BTreeMap<String, f64>,
    /// What the suite's `[gate]` asks of it.
    #[serde(default, skip_serializing_if = "Bounds::is_empty")]
    pub bounds: Bounds,
}

/// What a gate asks of a metric.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// How much worse than the baseline it may be, in its own unit; for perplexities and bits, as a share of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub margin: Option<f64>,
    /// The least value that passes, whatever the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest value that passes, whatever the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

impl MetricSpec {
    /// A metric without filter, chance and bounds.
    pub fn new(metric: impl Into<String>, aggregation: Aggregation, better: Better) -> Self {
        Self {
            metric: metric.into(),
            filter: NO_FILTER.into(),
            aggregation,
            better,
            chance: None,
            chances: BTreeMap::new(),
            bounds: Bounds::default(),
        }
    }
}

impl Observation {
    /// What was observed of a metric without filter.
    pub fn new(metric: impl Into<String>, value: Observed) -> Self {
        Self { metric: metric.into(), filter: NO_FILTER.into(), value }
    }
}

/// What stands for a filter where there is none.
const NO_FILTER: &str = "none";

impl Bounds {
    /// Whether nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How the items' values become one, by lm-evaluation-harness's names where it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The mean.
    Mean,
    /// The median.
    Median,
    /// e to the mean negative log-likelihood.
    Perplexity,
    /// e to the negative log-likelihood of all texts for each unit of them.
    WeightedPerplexity,
    /// Bits for each unit of all texts.
    BitsPerByte,
    /// F1 of the second of two classes.
    F1,
    /// All parts by all wholes.
    Ratio,
    /// The p of `McNemar`'s exact test of two classes that each item has.
    McNemar,
    /// The p of flipping the signs of numbers, cluster by cluster.
    SignFlip,
    /// The probability that a right answer has a larger signal than a wrong one.
    Auroc,
    /// The expected calibration error of signals that are probabilities.
    Ece,
    /// The area under the curve of risk and coverage.
    Aurc,
    /// The mean margin of pairs of one length: what a line through margins and lengths has at no difference.
    LengthControlled,
    /// The share of pairs whose margin is above what that line gives for their lengths alone.
    LengthControlledShare,
}

/// Which direction is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
    /// Neither is: it only describes.
    Neither,
}

/// One item of a record: what was asked, what was answered, what it is worth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskItemRecord {
    /// The task's name.
    pub task: String,
    /// The item's name.
    pub id: String,
    /// Its place in the file, from 0.
    pub index: usize,
    /// The fields it was made from.
    pub doc: Map<String, Value>,
    /// The right answer.
    pub target: String,
    /// Items of one cluster are not independent of each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Named groups that are also counted alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub strata: BTreeMap<String, String>,
    /// What the model was asked, in order.
    pub requests: Vec<Request>,
    /// How many of the last of these followed from its answers.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub followed: usize,
    /// What it answered, in the same order.
    pub responses: Vec<Response>,
    /// What that is worth.
    #[serde(flatten)]
    pub graded: Graded,
}
