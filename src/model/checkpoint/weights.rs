//! From a checkpoint's tensors to the decoder's parameters; every problem is reported, not only the first.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use candle_core::{DType, Storage, Tensor};
use rayon::prelude::*;

use super::held::is_multiplied;
use super::rows::{self, Order, uninterleave};
use super::{Checkpoint, Computing, Held, Part, held, scales};
use crate::model::arch::{Qkv, Source, View};
use crate::model::decoder::{Linear, Parameters, Stored, Table};
use crate::model::kernel::{Input, Isa, Matrix, Room};
use crate::model::load::LoadError;
use crate::model::loading::Meter;
use crate::model::{DecoderConfig, Dtype, Loading, ParamId, Result};

/// What happens to quantised weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arithmetic {
    /// Weights dequantised, activations in f32.
    #[default]
    Exact,
    /// The same numbers, bit for bit; each matrix is dequantised when it is used, and stays quantised otherwise.
    OnDemand,
    /// Weights stay quantised; candle's product rounds the activations too.
    Fast,
}

/// A tensor that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TensorProblem {
    /// The checkpoint lacks it.
    Missing {
        /// The checkpoint's name for it.
        tensor: String,
    },
    /// It has another shape than the configuration implies.
    Shape {
        /// The checkpoint's name for it.
        tensor: String,
        /// Its shape.
        found: Vec<usize>,
        /// What the configuration implies.
        expected: Vec<usize>,
    },
    /// It is stored as numbers that are no weights.
    Type {
        /// The checkpoint's name for it.
        tensor: String,
        /// Its type.
        found: String,
        /// The types that can be read.
        expected: &'static [&'static str],
    },
    /// No parameter uses it.
    Unused {
        /// The checkpoint's name for it.
        tensor: String,
    },
}

impl fmt::Display for TensorProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { tensor } => write!(f, "tensor `{tensor}` is missing"),
            Self::Unused { tensor } => write!(f, "tensor `{tensor}` belongs to no parameter of this architecture"),
            Self::Type { tensor, found, expected } => {
                write!(f, "tensor `{tensor}` is stored as {found}, expected {}", expected.join(", "))
            }
            Self::Shape { tensor, found, expected } => {
                write!(f, "tensor `{tensor}` is {found:?}, the configuration implies {expected:?}")
            }
        }
    }
}

/// Where a checkpoint keeps a decoder's parameters.
#[derive(Clone, Copy)]
pub struct NameMap<'a> {
    /// The tensor and view of a parameter; `None` if the container has no name for it.
    pub source: &'a (dyn Fn(ParamId) -> Option<Source> + Sync),
    /// Tensors that may be left over.
    pub ignores: &'a dyn Fn(&str) -> bool,
}

/// The parameters of a decoder, read and ready to be taken.
pub struct Weights {
    dense: HashMap<ParamId, Tensor>,
    stored: HashMap<ParamId, Stored>,
    packed: HashMap<ParamId, Arc<Matrix>>,
    arithmetic: Arithmetic,
    dtype: Dtype,
}

impl Weights {
    /// Reads every parameter of `cfg`, in parallel.
    ///
    /// # Errors
    /// [`LoadError::Tensors`] with all missing, unused and misshapen tensors together; [`LoadError::NotFinite`] for a
    /// NaN or an infinity in a tensor, or in the scales of one that is kept quantised; [`LoadError::Cancelled`] before the next tensor.
    pub fn read(
        cfg: &DecoderConfig,
        checkpoint: &dyn Checkpoint,
        names: NameMap<'_>,
        arithmetic: Arithmetic,
        loading: &Loading<'_>,
    ) -> Result<Self, LoadError> {
        let dtype = loading.options.dtype;
        let how = Computing { arithmetic, dtype };
        let plan = plan(cfg, checkpoint, names)?;
        let size = |(id, source): &(ParamId, Source)| n_bytes(cfg, checkpoint, *id, source);
        let room = Room::of(packed_bytes(cfg, checkpoint, &plan, how));
        let meter = Meter::new(loading, plan.iter().map(size).sum());
        let read = |planned: &(ParamId, Source)| {
            loading.check()?;
            let mut read = read_one((cfg, checkpoint), planned, how, &room)?;
            read.convert(dtype, &planned.1)?;
            meter.add(size(planned));
            Ok((planned.0, read))
        };
        let parts = plan.par_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let (dense, stored, packed) = (HashMap::new(), HashMap::new(), HashMap::new());
        let mut weights = Self { dense, stored, packed, arithmetic, dtype };
        for (id, read) in parts {
            match read {
                Read::Dense(tensor) => drop(weights.dense.insert(id, tensor)),
                Read::Stored(tensor) => drop(weights.stored.insert(id, tensor)),
                Read::Packed(matrix) => drop(weights.packed.insert(id, Arc::new(matrix))),
            }
        }
        Ok(weights)
    }
}

impl Parameters for Weights {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn dense(&mut self, id: ParamId) -> Result<Tensor> {
        let found = self.dense.get(&id).cloned();
        Ok(found.ok_or_else(|| candle_core::Error::CannotFindTensor { path: id.to_string() }.bt())?)
    }

    fn linear(&mut self, id: ParamId, bias: Option<ParamId>) -> Result<Linear> {
        let bias = bias.map(|bias| self.dense(bias)).transpose()?;
        if let Some(matrix) = self.packed.get(&id) {
            let input = match self.arithmetic {
                Arithmetic::Exact | Arithmetic::OnDemand => Input::Exact,
                Arithmetic::Fast => Input::Rounded,
            };
            return Ok(Linear::packed(Arc::clone(matrix), input, bias));
        }
        match (self.stored.get(&id), self.arithmetic) {
            (Some(weight), Arithmetic::Fast) => Linear::quantised(weight, bias),
            (Some(weight), Arithmetic::Exact | Arithmetic::OnDemand) => Ok(Linear::on_demand(weight.clone(), bias)),
            (None, _) => Ok(Linear::dense(self.dense(id)?, bias)),
        }
    }

    fn table(&mut self, id: ParamId) -> Result<Table> {
        match (self.packed.get(&id), self.stored.get(&id)) {
            (Some(table), _) => Ok(Table::Packed(Arc::clone(table))),
            (None, Some(table)) => Ok(Table::Stored(table.clone())),
            (None, None) => Ok(Table::Dense(self.dense(id)?)),
        }
    }
}

/// Where each parameter comes from, or everything that is wrong.
pub(crate) fn plan(
    cfg: &DecoderConfig,
    checkpoint: &dyn Checkpoint,
    names: NameMap<'_>,
) -> Result<Vec<(ParamId, Source)>, LoadError> {
    let mut problems = Vec::new();
    let mut plan = Vec::new();
    let mut used = BTreeSet::new();
    for id in cfg.params() {
        let Some(source) = (names.source)(id) else {
            problems.push(TensorProblem::Missing { tensor: id.to_string() });
            continue;
        };
        let expected = stored_shape(cfg, &id.param.shape(cfg), source.view);
        for tensor in tensors(&source, &id.param.shape(cfg)) {
            let problem = match checkpoint.shape(&tensor) {
                None => Some(TensorProblem::Missing { tensor: tensor.clone() }),
                Some(found) if found != expected => {
                    Some(TensorProblem::Shape { tensor: tensor.clone(), found, expected: expected.clone() })
                }
                Some(_) => unreadable(checkpoint, &tensor),
            };
            if used.insert(tensor) {
                problems.extend(problem);
            }
        }
        plan.push((id, source));
    }
    let left_over = checkpoint.names().into_iter().filter(|name| !used.contains(name) && !(names.ignores)(name));
    problems.extend(left_over.map(|tensor| TensorProblem::Unused { tensor }));
    if problems.is_empty() { Ok(plan) } else { Err(LoadError::Tensors { problems }) }
}

/// A tensor whose numbers are no weights.
fn unreadable(checkpoint: &dyn Checkpoint, tensor: &str) -> Option<TensorProblem> {
    let expected = checkpoint.readable();
    let found = checkpoint.dtype(tensor).filter(|found| !expected.contains(&found.as_str()))?;
    Some(TensorProblem::Type { tensor: tensor.to_owned(), found, expected })
}

/// Whether a parameter can be cut out of the checkpoint there.
pub(crate) fn fits(cfg: &DecoderConfig, checkpoint: &dyn Checkpoint, id: ParamId, source: &Source) -> bool {
    let shape = id.param.shape(cfg);
    let stored = Some(stored_shape(cfg, &shape, source.view));
    tensors(source, &shape).iter().all(|tensor| checkpoint.shape(tensor) == stored)
}

/// The tensors a parameter is made of: one, or one for each head.
pub(crate) fn tensors(source: &Source, shape: &[usize]) -> Vec<String> {
    match source.view {
        View::Heads => (0..shape[0]).map(|head| source.tensor.replace("{}", &head.to_string())).collect(),
        _ => vec![source.tensor.clone()],
    }
}

/// The shape a checkpoint stores, given ours and how ours is cut out.
fn stored_shape(cfg: &DecoderConfig, ours: &[usize], view: View) -> Vec<usize> {
    let mut shape = ours.to_vec();
    match view {
        View::Whole | View::Uninterleaved | View::PlusOne => {}
        View::Transposed => shape.reverse(),
        View::Rows { of, .. } => shape[0] = of,
        View::TransposedRows { of, .. } => {
            shape[0] = of;
            shape.reverse();
        }
        View::Grouped(_) => shape[0] = (cfg.n_heads + 2 * cfg.n_kv_heads) * cfg.d_head,
        View::Heads | View::Row => {
            shape.remove(0);
        }
        View::Expert { .. } => shape.insert(0, cfg.experts.map_or(0, |experts| experts.n)),
        View::ExpertHalf { .. } => {
            shape[0] *= 2;
            shape.insert(0, cfg.experts.map_or(0, |experts| experts.n));
        }
    }
    shape
}

/// The bytes of the file that a parameter is read from; of a tensor that several share, its part.
pub(crate) fn n_bytes(cfg: &DecoderConfig, checkpoint: &dyn Checkpoint, id: ParamId, source: &Source) -> u64 {
    let shape = id.param.shape(cfg);
    let count = |shape: &[usize]| shape.iter().map(|&n| n as u64).product::<u64>();
    let share = |tensor: &String| {
        let stored = count(&checkpoint.shape(tensor).unwrap_or_default()).max(1);
        let ours = count(&shape).min(stored);
        u64::try_from(u128::from(checkpoint.n_bytes(tensor).unwrap_or(0)) * u128::from(ours) / u128::from(stored))
            .unwrap_or(u64::MAX)
    };
    tensors(source, &shape).iter().map(share).sum()
}

/// A parameter that was read.
enum Read {
    Dense(Tensor),
    Stored(Stored),
    Packed(Matrix),
}

impl Read {
    /// Numbers in the type that is computed with, if they all are numbers in it.
    fn convert(&mut self, dtype: Dtype, source: &Source) -> Result<(), LoadError> {
        let damaged = match self {
            Self::Dense(tensor) => {
                *tensor = tensor.to_dtype(dtype.candle()).map_err(LoadError::Data)?;
                not_finite(tensor)
            }
            Self::Stored(stored) => scales::not_finite(stored.tensor()),
            Self::Packed(matrix) => Ok(matrix.not_finite()),
        };
        match damaged.map_err(LoadError::Data)? {
            Some(found) => Err(LoadError::NotFinite { tensor: source.tensor.clone(), found }),
            None => Ok(()),
        }
    }
}

/// The first NaN or infinity of a tensor.
fn not_finite(tensor: &Tensor) -> candle_core::Result<Option<f32>> {
    /// Numbers that are looked at together: a loop without a branch inside takes several at once.
    const CHUNK: usize = 4096;
    let tensor = tensor.to_dtype(DType::F32)?.contiguous()?;
    let (storage, layout) = tensor.storage_and_layout();
    let (Storage::Cpu(storage), Some((start, end))) = (&*storage, layout.contiguous_offsets()) else { return Ok(None) };
    let values = &storage.as_slice::<f32>()?[start..end];
    let is_finite = |chunk: &&[f32]| chunk.iter().fold(true, |all, value| all & value.is_finite());
    let damaged = values.chunks(CHUNK).find(|chunk| !is_finite(chunk));
    Ok(damaged.and_then(|chunk| chunk.iter().copied().find(|value| !value.is_finite())))
}

/// Bytes that the matrices which kernels read take at most.
fn packed_bytes(cfg: &DecoderConfig, checkpoint: &dyn Checkpoint, plan: &[(ParamId, Source)], how: Computing) -> u64 {
    if how.isa().is_none() {
        return 0;
    }
    let bytes = |(id, source): &(ParamId, Source)| {
        let shape = id.param.shape(cfg);
        match held(cfg, checkpoint, *id, source, how) {
            Held::Dense => Matrix::n_bytes_floats([shape[0], shape[1]]),
            Held::Packed(blocks) => Matrix::n_bytes_stored(blocks, [shape[0], shape[1]]).unwrap_or(0),
            Held::Stored => 0,
        }
    };
    plan.iter().filter(|(id, _)| is_multiplied(cfg, *id)).map(bytes).sum()
}

fn read_one(
    (cfg, checkpoint): (&DecoderConfig, &dyn Checkpoint),
    (id, source): &(ParamId, Source),
    how: Computing,
    room: &Room,
) -> Result<Read, LoadError> {
    let id = *id;
    let shape = id.param.shape(cfg);
    let isa = how.isa().filter(|_| is_multiplied(cfg, id));
    let held = held(cfg, checkpoint, id, source, how);
    if let (Some(isa), Some(order)) = (isa.filter(|_| held != Held::Stored), rows::order(cfg, source.view, shape[0])) {
        let raw = checkpoint.raw(part(&source.tensor, source.view)).map_err(LoadError::Data)?;
        let release = |part: &[u8]| checkpoint.release(part);
        let pack =
            |(bytes, dtype)| Some((bytes, order.pack(bytes, dtype, [shape[0], shape[1]], (isa, room), release)?));
        if let Some((bytes, matrix)) = raw.and_then(pack) {
            checkpoint.release(bytes);
            return Ok(Read::Packed(matrix));
        }
    }
    match (held, rows::order(cfg, source.view, shape[0])) {
        (Held::Stored, Some(order)) => {
            let tensor = checkpoint.stored(part(&source.tensor, source.view)).map_err(LoadError::Data)?;
            let tensor = match order {
                Order::AsStored => tensor,
                Order::Rows(rows) => rows::pick(&tensor, &rows).map_err(LoadError::Data)?,
            };
            Ok(Read::Stored(Stored::new(Arc::new(tensor))))
        }
        (Held::Dense | Held::Packed(_), _) | (Held::Stored, None) => {
            let read = |name: &String| checkpoint.dense(part(name, source.view));
            let parts = tensors(source, &shape).iter().map(read).collect::<Result<Vec<_>, _>>();
            let parts = parts.map_err(LoadError::Data)?;
            let tensor = cut(cfg, &parts, source.view, &shape).map_err(LoadError::Data)?;
            match isa {
                Some(isa) => packed(&tensor, isa, room).map_err(LoadError::Data),
                None => Ok(Read::Dense(tensor)),
            }
        }
    }
}

/// A matrix of numbers, packed.
fn packed(matrix: &Tensor, isa: Isa, room: &Room) -> candle_core::Result<Read> {
    let (n_out, n_in) = matrix.dims2()?;
    let numbers = matrix.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
    Ok(Read::Packed(Matrix::floats(&numbers, [n_out, n_in], isa, room)))
}

/// What is read of a tensor that is cut this way: of a stack of experts, one.
fn part(tensor: &str, view: View) -> Part<'_> {
    match view {
        View::Expert { expert } | View::ExpertHalf { expert, .. } => Part { tensor, index: Some(usize::from(expert)) },
        _ => Part::whole(tensor),
    }
}

/// Cuts our parameter, of this shape, out of the stored tensor, or stacks it from several.
fn cut(cfg: &DecoderConfig, parts: &[Tensor], view: View, shape: &[usize]) -> candle_core::Result<Tensor> {
    let tensor = &parts[0];
    match view {
        View::Whole | View::Expert { .. } => Ok(tensor.clone()),
        View::PlusOne => tensor + 1.0,
        View::Heads => Tensor::stack(parts, 0),
        View::Row => tensor.unsqueeze(0),
        View::Transposed => tensor.t()?.contiguous(),
        View::Rows { first, .. } => tensor.narrow(0, first, shape[0])?.contiguous(),
        View::TransposedRows { first, .. } => tensor.t()?.narrow(0, first, shape[0])?.contiguous(),
        View::ExpertHalf { half, .. } => tensor.narrow(0, half * shape[0], shape[0])?.contiguous(),
        View::Grouped(part) => {
            let group = cfg.n_heads / cfg.n_kv_heads;
            let by_group = tensor.reshape((cfg.n_kv_heads, group + 2, cfg.d_head, ()))?;
            let (first, n) = match part {
                Qkv::Q => (0, group),
                Qkv::K => (group, 1),
                Qkv::V => (group + 1, 1),
            };
            by_group.narrow(1, first, n)?.contiguous()?.reshape(shape)
        }
        View::Uninterleaved => uninterleave(tensor, cfg.d_head),
    }
}
