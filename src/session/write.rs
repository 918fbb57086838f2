//! A session as TOML.

use serde::Serialize;

use super::{FORMAT, Saved, SavedNode, SavedPanel, SavedPlace, SessionError};
use crate::model::checkpoint::Arithmetic;

#[derive(Serialize)]
struct File<'a> {
    format: i64,
    lmscope: &'static str,
    view: &'a str,
    node: usize,
    position: usize,
    head: String,
    bos: &'static str,
    chain: String,
    seed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    focus: Option<usize>,
    model: Model<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Token<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versus: Option<Token<'a>>,
    #[serde(rename = "intervention", skip_serializing_if = "Vec::is_empty")]
    interventions: Vec<Intervention<'a>>,
    #[serde(rename = "panel", skip_serializing_if = "Vec::is_empty")]
    panels: Vec<Panel<'a>>,
    #[serde(rename = "tree")]
    nodes: Vec<Node<'a>>,
}

#[derive(Serialize)]
struct Model<'a> {
    source: &'a str,
    fingerprint: &'a str,
    fast: bool,
    dtype: &'static str,
}

#[derive(Serialize)]
struct Token<'a> {
    id: u32,
    text: &'a str,
}

#[derive(Serialize)]
struct Intervention<'a> {
    #[serde(rename = "do")]
    spec: &'a str,
    on: bool,
}

#[derive(Serialize)]
struct Panel<'a> {
    view: &'a str,
    head: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    below: Option<usize>,
}

impl<'a> From<&'a SavedPanel> for Panel<'a> {
    fn from(panel: &'a SavedPanel) -> Self {
        let (beside, below) = match panel.place {
            SavedPlace::First => (None, None),
            SavedPlace::Beside(other) => (Some(other), None),
            SavedPlace::Below(other) => (None, Some(other)),
        };
        Self { view: &panel.view, head: panel.head.to_string(), beside, below }
    }
}

#[derive(Serialize)]
struct Node<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<usize>,
    ids: &'a [u32],
    text: &'a [String],
    /// NaN where nothing is known.
    logprobs: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pruned: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    added: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bos: Option<&'a str>,
}

impl<'a> From<&'a SavedNode> for Node<'a> {
    fn from(node: &'a SavedNode) -> Self {
        let is_root = node.parent.is_none();
        Self {
            parent: node.parent,
            ids: &node.ids,
            text: &node.text,
            logprobs: node.logprobs.iter().map(|logprob| logprob.unwrap_or(f64::NAN)).collect(),
            label: node.label.as_deref(),
            pruned: node.is_pruned,
            added: is_root.then_some(node.n_added),
            bos: is_root.then_some(node.bos.as_str()),
        }
    }
}

pub(super) fn text(saved: &Saved) -> Result<String, SessionError> {
    let file = File {
        format: FORMAT,
        lmscope: env!("CARGO_PKG_VERSION"),
        view: &saved.view,
        node: saved.at,
        position: saved.position,
        token: saved.token.as_ref().map(|token| Token { id: token.id, text: &token.text }),
        versus: saved.versus.as_ref().map(|token| Token { id: token.id, text: &token.text }),
        head: saved.head.to_string(),
        bos: saved.bos.name(),
        chain: saved.sampling.chain_text(),
        seed: saved.sampling.seed,
        focus: (!saved.panels.is_empty()).then_some(saved.focus),
        model: Model {
            source: &saved.model.source,
            fingerprint: &saved.model.fingerprint,
            fast: saved.model.arithmetic == Arithmetic::Fast,
            dtype: saved.model.dtype.name(),
        },
        interventions: saved
            .interventions
            .iter()
            .map(|entry| Intervention { spec: &entry.spec, on: entry.is_on })
            .collect(),
        panels: saved.panels.iter().map(Panel::from).collect(),
        nodes: saved.nodes.iter().map(Node::from).collect(),
    };
    toml::to_string(&file).map_err(|source| SessionError::Toml { source: Box::new(source) })
}
