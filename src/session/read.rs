//! From TOML to a session: every mistake is told, with its line.

use std::str::FromStr;

use toml::de::DeValue;

use super::{
    FORMAT, MOST_PANELS, ModelRef, Problem, Saved, SavedIntervention, SavedNode, SavedPanel, SavedPlace, SavedToken,
};
use crate::model::Dtype;
use crate::model::checkpoint::Arithmetic;
use crate::model::sample::Sampling;
use crate::reading::{self, At, Reader, boolean, count, float, id, integer, list_of, string};
use crate::text::BosPolicy;

pub(super) fn parse(text: &str) -> Result<Saved, Vec<Problem>> {
    reading::parse(text, "the session", session)
}

const TOP: [&str; 16] = [
    "format",
    "lmscope",
    "view",
    "node",
    "position",
    "token",
    "versus",
    "head",
    "bos",
    "chain",
    "seed",
    "model",
    "intervention",
    "tree",
    "panel",
    "focus",
];

fn session<'a>(reader: &mut Reader<'a>, top: At<'a>) -> Option<Saved> {
    let format = reader.needed(top, "format", "a whole number", integer)?;
    if format != FORMAT {
        let what = format!("format is {format}, this lmscope reads format {FORMAT}");
        let line = reader.line_of(top, "format");
        reader.problem(line, what);
        return None;
    }
    reader.known(top, &TOP);
    let nodes = nodes(reader, top);
    let at = reader.needed(top, "node", "a node's number", count);
    let position = reader.needed(top, "position", "a position", count);
    let model = model(reader, top);
    let interventions = interventions(reader, top);
    let view = reader.needed(top, "view", "a view's name", string);
    let head = reader.needed(top, "head", "a head such as L0H3", |value| string(value)?.parse().ok());
    let bos = reader.needed(top, "bos", "model, always or never", |value| BosPolicy::from_str(&string(value)?).ok());
    let seed = reader.needed(top, "seed", "a whole number that is not negative", |value| {
        integer(value).and_then(|seed| u64::try_from(seed).ok())
    });
    let (token, versus) = (token(reader, top, "token"), token(reader, top, "versus"));
    let sampling = chain(reader, top);
    let panels = panels(reader, top);
    let focus = reader.optional(top, "focus", "a panel's number", count).unwrap_or(0);
    let saved = Saved {
        model: model?,
        bos: bos?,
        view: view?,
        at: at?,
        position: position?,
        token,
        versus,
        head: head?,
        sampling: Sampling { seed: seed?, ..sampling? },
        interventions,
        nodes,
        panels,
        focus,
    };
    check(reader, top, &saved);
    Some(saved)
}

/// Places that are not there.
fn check<'a>(reader: &mut Reader<'a>, top: At<'a>, saved: &Saved) {
    let n_panels = saved.panels.len();
    if reader.is_sound() && saved.focus >= n_panels.max(1) {
        let what = format!("focus is {}, the last panel is {}", saved.focus, n_panels.saturating_sub(1));
        let line = reader.line_of(top, "focus");
        reader.problem(line, what);
    }
    let n = saved.nodes.len();
    if n == 0 {
        reader.problem(top.line, "there is no [[tree]] with tokens".into());
        return;
    }
    if saved.at >= n {
        let what = format!("node is {}, the last one is {}", saved.at, n - 1);
        let line = reader.line_of(top, "node");
        reader.problem(line, what);
    } else if reader.is_sound() && saved.position >= saved.ids(saved.at).len() {
        let what =
            format!("position is {}, the last one is {}", saved.position, saved.ids(saved.at).len().saturating_sub(1));
        let line = reader.line_of(top, "position");
        reader.problem(line, what);
    }
}

fn token<'a>(reader: &mut Reader<'a>, top: At<'a>, key: &'a str) -> Option<SavedToken> {
    let value = Reader::value(top, key)?;
    let DeValue::Table(table) = value.get_ref() else {
        reader.tell(&value.span(), format!("{key} is no table, expected id and text"));
        return None;
    };
    let at = At { table, line: reader.line(&value.span()), name: key };
    reader.known(at, &["id", "text"]);
    let id = reader.needed(at, "id", "a token's id", id);
    let text = reader.needed(at, "text", "a text", string);
    Some(SavedToken { id: id?, text: text? })
}

fn chain<'a>(reader: &mut Reader<'a>, top: At<'a>) -> Option<Sampling> {
    let text = reader.needed(top, "chain", "settings such as temperature=1", string)?;
    match Sampling::default().with_chain(&text) {
        Ok(sampling) => Some(sampling),
        Err(error) => {
            let line = reader.line_of(top, "chain");
            reader.problem(line, format!("chain: {error}"));
            None
        }
    }
}

fn model<'a>(reader: &mut Reader<'a>, top: At<'a>) -> Option<ModelRef> {
    let value = Reader::value(top, "model");
    let Some((DeValue::Table(table), line)) = value.map(|value| (value.get_ref(), reader.line(&value.span()))) else {
        reader.problem(top.line, "there is no [model]".into());
        return None;
    };
    let model = At { table, line, name: "[model]" };
    reader.known(model, &["source", "fingerprint", "fast", "dtype"]);
    let source = reader.needed(model, "source", "a model's name", string);
    let fingerprint = reader.needed(model, "fingerprint", "a text", string);
    let fast = reader.needed(model, "fast", "true or false", boolean);
    let dtype = reader.needed(model, "dtype", "f32, f64, bf16 or f16", |value| {
        let name = string(value)?;
        [Dtype::F32, Dtype::F64, Dtype::Bf16, Dtype::F16].into_iter().find(|dtype| dtype.name() == name)
    });
    let arithmetic = if fast? { Arithmetic::Fast } else { Arithmetic::Exact };
    Some(ModelRef { source: source?, fingerprint: fingerprint?, arithmetic, dtype: dtype? })
}

fn interventions<'a>(reader: &mut Reader<'a>, top: At<'a>) -> Vec<SavedIntervention> {
    let mut out = Vec::new();
    for at in reader.tables(top, "intervention") {
        reader.known(at, &["do", "on"]);
        let spec = reader.needed(at, "do", "an intervention", string);
        let is_on = reader.needed(at, "on", "true or false", boolean);
        if let (Some(spec), Some(is_on)) = (spec, is_on) {
            out.push(SavedIntervention { spec, is_on });
        }
    }
    out
}

fn panels<'a>(reader: &mut Reader<'a>, top: At<'a>) -> Vec<SavedPanel> {
    let tables = reader.tables(top, "panel");
    if let Some(more) = tables.get(MOST_PANELS) {
        reader.problem(more.line, format!("there are {} panels, {MOST_PANELS} at most", tables.len()));
    }
    tables.into_iter().enumerate().filter_map(|(number, at)| panel(reader, number, at)).collect()
}

fn panel<'a>(reader: &mut Reader<'a>, number: usize, at: At<'a>) -> Option<SavedPanel> {
    reader.known(at, &["view", "head", "beside", "below"]);
    let view = reader.needed(at, "view", "a view's name", string);
    let head = reader.needed(at, "head", "a head such as L0H3", |value| string(value)?.parse().ok());
    let beside = reader.optional(at, "beside", "a panel's number", count);
    let below = reader.optional(at, "below", "a panel's number", count);
    let place = match (beside, below) {
        (None, None) if number == 0 => Some(SavedPlace::First),
        (Some(other), None) if other < number => Some(SavedPlace::Beside(other)),
        (None, Some(other)) if other < number => Some(SavedPlace::Below(other)),
        _ => None,
    };
    if place.is_none() && reader.is_sound() {
        let expected = if number == 0 { "neither beside nor below" } else { "beside or below a panel before it" };
        reader.problem(at.line, format!("panel {number} has no place, expected {expected}"));
    }
    Some(SavedPanel { view: view?, head: head?, place: place? })
}

fn nodes<'a>(reader: &mut Reader<'a>, top: At<'a>) -> Vec<SavedNode> {
    let tables = reader.tables(top, "tree");
    tables.into_iter().enumerate().filter_map(|(number, at)| node(reader, number, at)).collect()
}

fn node<'a>(reader: &mut Reader<'a>, number: usize, at: At<'a>) -> Option<SavedNode> {
    reader.known(at, &["parent", "ids", "text", "logprobs", "label", "pruned", "added", "bos"]);
    let ids = reader.needed(at, "ids", "a list of token ids", |value| list_of(value, id));
    let text = reader.needed(at, "text", "a list of texts", |value| list_of(value, string));
    let logprobs = reader.needed(at, "logprobs", "a list of numbers", |value| list_of(value, float));
    let parent = reader.optional(at, "parent", "a node's number", count);
    let label = reader.optional(at, "label", "a text", string);
    let is_pruned = reader.optional(at, "pruned", "true or false", boolean);
    let n_added = reader.optional(at, "added", "a number of tokens", count);
    let bos = reader.optional(at, "bos", "a text", string);
    let (ids, text, logprobs) = (ids?, text?, logprobs?);
    let mut wrong = |key: &str, what: String| {
        let line = reader.line_of(at, key);
        reader.problem(line, what);
    };
    if ids.is_empty() {
        wrong("ids", "a node has at least one token".into());
    }
    for (key, n) in [("text", text.len()), ("logprobs", logprobs.len())] {
        if n != ids.len() {
            wrong(key, format!("{key} has {n} entries, ids has {}", ids.len()));
        }
    }
    if let Some(parent) = parent.filter(|&parent| parent >= number) {
        wrong("parent", format!("node {number} follows node {parent}, which does not come before it"));
    }
    let logprobs = logprobs.into_iter().map(|logprob| Some(logprob).filter(|logprob| !logprob.is_nan())).collect();
    Some(SavedNode {
        parent,
        ids,
        text,
        logprobs,
        label,
        is_pruned: is_pruned.unwrap_or(false),
        n_added: n_added.unwrap_or(0),
        bos: bos.unwrap_or_default(),
    })
}
