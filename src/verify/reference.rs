//! What another implementation computed for a prompt, and how far this one is from it.
//!
//! The file is safetensors: `input_ids` `[pos]` (I64), `logits` `[pos, d_vocab]`, and optionally `attn.{l}`
//! `[head, query, key]` and `hidden.{l}` `[pos, d_model]`. `hidden.{l}` is what transformers calls `hidden_states[l]`:
//! the stream that enters block `l`, and after the last block the stream after the final norm.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

use super::error::{Error, Problem};
use super::invariant::{Measured, Scale};
use super::subject::Subject;
use super::worst::{Place, Worst};
use crate::hook::{HookPoint, Site};
use crate::model::{DecoderConfig, Result, Tap, ids_tensor};

/// How far logits and patterns may be off, absolutely, unless another tolerance is given; streams, relative to the
/// largest value at the position: many models keep one dimension in the thousands.
pub const DEFAULT_TOLERANCE: f64 = 1e-3;

/// The numbers of another implementation.
#[derive(Debug)]
pub struct Reference {
    ids: Vec<u32>,
    /// `[pos, d_vocab]`.
    logits: Tensor,
    /// `[head, query, key]` by block.
    patterns: BTreeMap<usize, Tensor>,
    /// `[pos, d_model]` by the block it enters; the last one has passed the final norm.
    hidden: BTreeMap<usize, Tensor>,
    tolerance: f64,
}

/// What is compared with a reference.
pub(super) struct Parity {
    pub name: &'static str,
    pub about: &'static str,
    pub scale: Scale,
    pub measured: Measured,
}

impl Reference {
    /// Reads a file and checks it against the model's configuration.
    ///
    /// # Errors
    /// [`Error::Tensors`] with everything that is missing, unknown or misshapen together.
    pub fn read(file: &Path, cfg: &DecoderConfig, tolerance: f64) -> Result<Self, Error> {
        let bytes = std::fs::read(file).map_err(|source| Error::Read { file: file.into(), source })?;
        let tensors = SafeTensors::deserialize(&bytes).map_err(|source| Error::Format {
            file: file.into(),
            n_bytes: bytes.len(),
            source,
        })?;
        let mut reader = Reader { cfg, tensors: &tensors, problems: Vec::new() };
        let found = reader.reference(tolerance)?;
        let problems = reader.problems;
        match found {
            Some(reference) if problems.is_empty() => Ok(reference),
            _ => Err(Error::Tensors { file: file.into(), problems }),
        }
    }

    /// The prompt.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// How far numbers may be off.
    pub(super) const fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// Runs the prompt once and compares in passing.
    pub(super) fn compare(&self, subject: &Subject<'_>) -> Result<Vec<Parity>> {
        let mut watcher = Watcher { reference: self, patterns: Worst::default(), hidden: Worst::default() };
        let normed = subject.hidden(&ids_tensor(&self.ids)?, &mut subject.lm.new_cache(), &mut watcher)?;
        if let Some(last) = self.hidden.get(&subject.lm.config().n_layers) {
            let name = format!("hidden.{}, after the final norm", subject.lm.config().n_layers);
            watcher.hidden.compare(&normed.squeeze(0)?, last, Scale::PositionMax, Place::stream(&name))?;
        }
        let mut logits = Worst::default();
        let ours = subject.lm.logits(&normed)?.squeeze(0)?;
        logits.compare(&ours, &self.logits, Scale::Absolute, Place::LOGITS)?;
        let (patterns, hidden) = (watcher.patterns, watcher.hidden);
        Ok(vec![
            Parity {
                name: "reference-hidden",
                about: "the residual stream before every block, and after the final norm, is the reference's",
                scale: Scale::PositionMax,
                measured: given(hidden, self.hidden.is_empty(), "hidden.{l}"),
            },
            Parity {
                name: "reference-attn",
                about: "the attention patterns are the reference's",
                scale: Scale::Absolute,
                measured: given(patterns, self.patterns.is_empty(), "attn.{l}"),
            },
            Parity {
                name: "reference-logits",
                about: "the logits are the reference's, at every position",
                scale: Scale::Absolute,
                measured: logits.measured(),
            },
        ])
    }
}

fn given(worst: Worst, is_absent: bool, name: &str) -> Measured {
    if is_absent { Measured::NotApplicable(format!("the reference file has no {name}")) } else { worst.measured() }
}

struct Watcher<'a> {
    reference: &'a Reference,
    patterns: Worst,
    hidden: Worst,
}

impl Tap for Watcher<'_> {
    fn wants(&self, at: HookPoint) -> bool {
        let has = |map: &BTreeMap<usize, Tensor>| at.layer().is_some_and(|layer| map.contains_key(&layer));
        match at.site() {
            Site::Pattern => has(&self.reference.patterns),
            Site::ResidPre => has(&self.reference.hidden),
            _ => false,
        }
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let Some(layer) = at.layer() else { return Ok(x) };
        let ours = x.squeeze(0)?;
        if at.site() == Site::Pattern
            && let Some(theirs) = self.reference.patterns.get(&layer)
        {
            let place = Place { name: &format!("attn.{layer}"), axes: &["head", "query", "key"] };
            self.patterns.compare(&ours, theirs, Scale::Absolute, place)?;
        } else if let Some(theirs) = self.reference.hidden.get(&layer) {
            let name = format!("hidden.{layer}");
            self.hidden.compare(&ours, theirs, Scale::PositionMax, Place::stream(&name))?;
        }
        Ok(x)
    }
}

/// Takes a file apart, collecting what is wrong with it.
struct Reader<'a> {
    cfg: &'a DecoderConfig,
    tensors: &'a SafeTensors<'a>,
    problems: Vec<Problem>,
}

/// What a tensor's name says.
#[derive(Debug, PartialEq, Eq)]
enum Name {
    Ids,
    Logits,
    Pattern(usize),
    Hidden(usize),
}

impl Name {
    fn parse(name: &str, n_layers: usize) -> Option<Self> {
        let layer = |text: &str, last: usize| text.parse().ok().filter(|&layer: &usize| layer <= last);
        match name.split_once('.') {
            None if name == "input_ids" => Some(Self::Ids),
            None if name == "logits" => Some(Self::Logits),
            Some(("attn", text)) => layer(text, n_layers.checked_sub(1)?).map(Self::Pattern),
            Some(("hidden", text)) => layer(text, n_layers).map(Self::Hidden),
            _ => None,
        }
    }
}

impl Reader<'_> {
    fn reference(&mut self, tolerance: f64) -> Result<Option<Reference>> {
        let Some(ids) = self.ids() else { return Ok(None) };
        let (n_pos, cfg) = (ids.len(), self.cfg);
        let (mut logits, mut patterns, mut hidden) = (None, BTreeMap::new(), BTreeMap::new());
        for name in self.tensors.names() {
            match Name::parse(name, cfg.n_layers) {
                Some(Name::Ids) => {}
                Some(Name::Logits) => logits = self.numbers(name, &[n_pos, cfg.d_vocab])?,
                Some(Name::Pattern(layer)) => {
                    let tensor = self.numbers(name, &[cfg.n_heads, n_pos, n_pos])?;
                    patterns.extend(tensor.map(|tensor| (layer, tensor)));
                }
                Some(Name::Hidden(layer)) => {
                    let tensor = self.numbers(name, &[n_pos, cfg.d_model])?;
                    hidden.extend(tensor.map(|tensor| (layer, tensor)));
                }
                None => self.problems.push(Problem::Unknown { tensor: name.to_owned() }),
            }
        }
        if self.tensors.tensor("logits").is_err() {
            self.problems.push(Problem::Missing { tensor: "logits" });
        }
        Ok(logits.map(|logits| Reference { ids, logits, patterns, hidden, tolerance }))
    }

    /// `input_ids` as the model takes them.
    fn ids(&mut self) -> Option<Vec<u32>> {
        let Ok(view) = self.tensors.tensor("input_ids") else {
            self.problems.push(Problem::Missing { tensor: "input_ids" });
            return None;
        };
        let tensor = || "input_ids".to_owned();
        if view.dtype() != Dtype::I64 {
            let found = format!("{:?}", view.dtype());
            self.problems.push(Problem::Type { tensor: tensor(), found, expected: "I64" });
            return None;
        }
        let &[n_pos] = view.shape() else {
            let expected = vec![view.shape().iter().product()];
            self.problems.push(Problem::Shape { tensor: tensor(), found: view.shape().to_vec(), expected });
            return None;
        };
        if n_pos == 0 || n_pos > self.cfg.n_ctx {
            let expected = vec![self.cfg.n_ctx.min(n_pos.max(1))];
            self.problems.push(Problem::Shape { tensor: tensor(), found: vec![n_pos], expected });
            return None;
        }
        let numbers =
            view.data().chunks_exact(8).map(|chunk| chunk.iter().rev().fold(0, |n, &b| (n << 8) | i64::from(b)));
        let mut ids = Vec::new();
        for (position, id) in numbers.enumerate() {
            match u32::try_from(id).ok().filter(|&id| (id as usize) < self.cfg.d_vocab) {
                Some(known) => ids.push(known),
                None => self.problems.push(Problem::Id { id, position, d_vocab: self.cfg.d_vocab }),
            }
        }
        (ids.len() == n_pos).then_some(ids)
    }

    /// A tensor of this shape, in f32.
    fn numbers(&mut self, name: &str, expected: &[usize]) -> Result<Option<Tensor>> {
        let Ok(view) = self.tensors.tensor(name) else { return Ok(None) };
        let found = view.shape().to_vec();
        if found != expected {
            self.problems.push(Problem::Shape { tensor: name.into(), found, expected: expected.to_vec() });
            return Ok(None);
        }
        match float_type(&view) {
            Some(dtype) => {
                let tensor = Tensor::from_raw_buffer(view.data(), dtype, &found, &Device::Cpu)?;
                Ok(Some(tensor.to_dtype(DType::F32)?))
            }
            None => {
                let found = format!("{:?}", view.dtype());
                self.problems.push(Problem::Type { tensor: name.into(), found, expected: "F32, F16, BF16 or F64" });
                Ok(None)
            }
        }
    }
}

fn float_type(view: &TensorView<'_>) -> Option<DType> {
    match view.dtype() {
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        Dtype::F64 => Some(DType::F64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_closed_and_layers_exist() {
        let cases = [
            ("input_ids", Some(Name::Ids)),
            ("logits", Some(Name::Logits)),
            ("attn.1", Some(Name::Pattern(1))),
            ("attn.2", None),
            ("hidden.0", Some(Name::Hidden(0))),
            ("hidden.2", Some(Name::Hidden(2))),
            ("hidden.3", None),
            ("hidden.x", None),
            ("attention.0", None),
            ("logits.0", None),
        ];
        for (name, expected) in cases {
            assert_eq!(Name::parse(name, 2), expected, "{name}");
        }
    }
}
