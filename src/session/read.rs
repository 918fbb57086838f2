//! From TOML to a session: every mistake is told, with its line.

use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{FORMAT, ModelRef, Problem, Saved, SavedIntervention, SavedNode, SavedToken};
use crate::model::Dtype;
use crate::model::checkpoint::Arithmetic;
use crate::model::sample::Sampling;
use crate::text::BosPolicy;

type Value<'a> = Spanned<DeValue<'a>>;

/// What is read, and what was wrong so far.
struct Reader<'a> {
    text: &'a str,
    problems: Vec<Problem>,
}

/// A table and where it is.
#[derive(Clone, Copy)]
struct At<'a> {
    table: &'a DeTable<'a>,
    line: usize,
    name: &'a str,
}

pub(super) fn parse(text: &str) -> Result<Saved, Vec<Problem>> {
    let mut reader = Reader { text, problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        reader.tell(&span, error.message().to_owned());
    }
    if !reader.problems.is_empty() {
        return Err(reader.problems);
    }
    let top = At { table: document.get_ref(), line: 1, name: "the session" };
    match reader.session(top) {
        Some(saved) if reader.problems.is_empty() => Ok(saved),
        _ => {
            reader.problems.sort_by_key(|problem| problem.line);
            Err(reader.problems)
        }
    }
}

const TOP: [&str; 14] = [
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
];

impl<'a> Reader<'a> {
    fn session(&mut self, top: At<'a>) -> Option<Saved> {
        let format = self.needed(top, "format", "a whole number", integer)?;
        if format != FORMAT {
            let what = format!("format is {format}, this lmscope reads format {FORMAT}");
            self.problems.push(Problem { line: self.line_of(top, "format"), what });
            return None;
        }
        self.known(top, &TOP);
        let nodes = self.nodes(top);
        let at = self.needed(top, "node", "a node's number", count);
        let position = self.needed(top, "position", "a position", count);
        let model = self.model(top);
        let interventions = self.interventions(top);
        let view = self.needed(top, "view", "a view's name", string);
        let head = self.needed(top, "head", "a head such as L0H3", |value| string(value)?.parse().ok());
        let bos = self.needed(top, "bos", "model, always or never", |value| BosPolicy::from_str(&string(value)?).ok());
        let seed = self.needed(top, "seed", "a whole number that is not negative", |value| {
            integer(value).and_then(|seed| u64::try_from(seed).ok())
        });
        let (token, versus) = (self.token(top, "token"), self.token(top, "versus"));
        let sampling = self.chain(top);
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
        };
        self.check(top, &saved);
        Some(saved)
    }

    /// Places that are not there.
    fn check(&mut self, top: At<'a>, saved: &Saved) {
        let n = saved.nodes.len();
        if n == 0 {
            self.problems.push(Problem { line: top.line, what: "there is no [[tree]] with tokens".into() });
            return;
        }
        if saved.at >= n {
            let what = format!("node is {}, the last one is {}", saved.at, n - 1);
            self.problems.push(Problem { line: self.line_of(top, "node"), what });
        } else if self.problems.is_empty() && saved.position >= saved.ids(saved.at).len() {
            let what = format!(
                "position is {}, the last one is {}",
                saved.position,
                saved.ids(saved.at).len().saturating_sub(1)
            );
            self.problems.push(Problem { line: self.line_of(top, "position"), what });
        }
    }

    fn token(&mut self, top: At<'a>, key: &'a str) -> Option<SavedToken> {
        let value = Self::value(top, key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.tell(&value.span(), format!("{key} is no table, expected id and text"));
            return None;
        };
        let at = At { table, line: self.line(&value.span()), name: key };
        self.known(at, &["id", "text"]);
        let id = self.needed(at, "id", "a token's id", id);
        let text = self.needed(at, "text", "a text", string);
        Some(SavedToken { id: id?, text: text? })
    }

    fn chain(&mut self, top: At<'a>) -> Option<Sampling> {
        let text = self.needed(top, "chain", "settings such as temperature=1", string)?;
        match Sampling::default().with_chain(&text) {
            Ok(sampling) => Some(sampling),
            Err(error) => {
                let line = self.line_of(top, "chain");
                self.problems.push(Problem { line, what: format!("chain: {error}") });
                None
            }
        }
    }

    fn model(&mut self, top: At<'a>) -> Option<ModelRef> {
        let value = Self::value(top, "model");
        let Some((DeValue::Table(table), line)) = value.map(|value| (value.get_ref(), self.line(&value.span()))) else {
            self.problems.push(Problem { line: top.line, what: "there is no [model]".into() });
            return None;
        };
        let model = At { table, line, name: "[model]" };
        self.known(model, &["source", "fingerprint", "fast", "dtype"]);
        let source = self.needed(model, "source", "a model's name", string);
        let fingerprint = self.needed(model, "fingerprint", "a text", string);
        let fast = self.needed(model, "fast", "true or false", boolean);
        let dtype = self.needed(model, "dtype", "f32, f64, bf16 or f16", |value| {
            let name = string(value)?;
            [Dtype::F32, Dtype::F64, Dtype::Bf16, Dtype::F16].into_iter().find(|dtype| dtype.name() == name)
        });
        let arithmetic = if fast? { Arithmetic::Fast } else { Arithmetic::Exact };
        Some(ModelRef { source: source?, fingerprint: fingerprint?, arithmetic, dtype: dtype? })
    }

    fn interventions(&mut self, top: At<'a>) -> Vec<SavedIntervention> {
        let mut out = Vec::new();
        for at in self.tables(top, "intervention") {
            self.known(at, &["do", "on"]);
            let spec = self.needed(at, "do", "an intervention", string);
            let is_on = self.needed(at, "on", "true or false", boolean);
            if let (Some(spec), Some(is_on)) = (spec, is_on) {
                out.push(SavedIntervention { spec, is_on });
            }
        }
        out
    }

    fn nodes(&mut self, top: At<'a>) -> Vec<SavedNode> {
        let tables = self.tables(top, "tree");
        tables.into_iter().enumerate().filter_map(|(number, at)| self.node(number, at)).collect()
    }

    fn node(&mut self, number: usize, at: At<'a>) -> Option<SavedNode> {
        self.known(at, &["parent", "ids", "text", "logprobs", "label", "pruned", "added", "bos"]);
        let ids = self.needed(at, "ids", "a list of token ids", |value| list(value, id));
        let text = self.needed(at, "text", "a list of texts", |value| list(value, string));
        let logprobs = self.needed(at, "logprobs", "a list of numbers", |value| list(value, float));
        let parent = self.optional(at, "parent", "a node's number", count);
        let label = self.optional(at, "label", "a text", string);
        let is_pruned = self.optional(at, "pruned", "true or false", boolean);
        let n_added = self.optional(at, "added", "a number of tokens", count);
        let bos = self.optional(at, "bos", "a text", string);
        let (ids, text, logprobs) = (ids?, text?, logprobs?);
        let mut wrong = |key: &str, what: String| {
            let line = self.line_of(at, key);
            self.problems.push(Problem { line, what });
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

    /// The tables of `[[key]]`.
    fn tables(&mut self, top: At<'a>, key: &'a str) -> Vec<At<'a>> {
        let Some(value) = Self::value(top, key) else { return Vec::new() };
        let DeValue::Array(array) = value.get_ref() else {
            self.tell(&value.span(), format!("{key} is no list of tables"));
            return Vec::new();
        };
        let mut out = Vec::new();
        for value in array {
            let line = self.line(&value.span());
            match value.get_ref() {
                DeValue::Table(table) => out.push(At { table, line, name: key }),
                _ => self.problems.push(Problem { line, what: format!("{key} is no table") }),
            }
        }
        out
    }

    fn known(&mut self, at: At<'a>, keys: &[&str]) {
        for (key, _) in at.table {
            let name: &str = key.get_ref();
            if !keys.contains(&name) {
                let what = format!("`{name}` is unknown in {}, expected {}", at.name, keys.join(", "));
                self.tell(&key.span(), what);
            }
        }
    }

    fn needed<T>(
        &mut self,
        at: At<'a>,
        key: &str,
        expected: &str,
        read: impl Fn(&DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        if Self::value(at, key).is_none() {
            self.problems.push(Problem { line: at.line, what: format!("{} has no `{key}`", at.name) });
            return None;
        }
        self.optional(at, key, expected, read)
    }

    fn optional<T>(
        &mut self,
        at: At<'a>,
        key: &str,
        expected: &str,
        read: impl Fn(&DeValue<'a>) -> Option<T>,
    ) -> Option<T> {
        let value = Self::value(at, key)?;
        let found = read(value.get_ref());
        if found.is_none() {
            let shown: String = self.text.get(value.span()).unwrap_or_default().chars().take(40).collect();
            self.tell(&value.span(), format!("{key} is {shown}, expected {expected}"));
        }
        found
    }

    fn value(at: At<'a>, key: &str) -> Option<&'a Value<'a>> {
        at.table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
    }

    fn line_of(&self, at: At<'a>, key: &str) -> usize {
        Self::value(at, key).map_or(at.line, |value| self.line(&value.span()))
    }

    fn line(&self, span: &Range<usize>) -> usize {
        1 + self.text.bytes().take(span.start).filter(|&byte| byte == b'\n').count()
    }

    fn tell(&mut self, span: &Range<usize>, what: String) {
        let line = self.line(span);
        self.problems.push(Problem { line, what });
    }
}

fn string(value: &DeValue<'_>) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn boolean(value: &DeValue<'_>) -> Option<bool> {
    value.as_bool()
}

fn integer(value: &DeValue<'_>) -> Option<i64> {
    let number = value.as_integer()?;
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn count(value: &DeValue<'_>) -> Option<usize> {
    integer(value).and_then(|number| usize::try_from(number).ok())
}

fn id(value: &DeValue<'_>) -> Option<u32> {
    integer(value).and_then(|number| u32::try_from(number).ok())
}

#[expect(clippy::cast_precision_loss, reason = "a logarithm written without its point")]
fn float(value: &DeValue<'_>) -> Option<f64> {
    match value.as_float() {
        Some(number) => number.as_str().parse().ok(),
        None => integer(value).map(|number| number as f64),
    }
}

fn list<T>(value: &DeValue<'_>, read: impl Fn(&DeValue<'_>) -> Option<T>) -> Option<Vec<T>> {
    value.as_array()?.iter().map(|value| read(value.get_ref())).collect()
}
