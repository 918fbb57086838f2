//! One change of one hook's tensor: which part of it, and what becomes of that part.

use std::ops::Range;

use candle_core::Tensor;

use crate::hook::HookPoint;
use crate::model::Result;

/// Numbers from `start`, up to and without `end`; without an end, all that follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first.
    pub start: usize,
    /// One after the last.
    pub end: Option<usize>,
}

impl Span {
    /// Whether a number belongs to it.
    pub fn contains(self, number: usize) -> bool {
        number >= self.start && self.end.is_none_or(|end| number < end)
    }

    /// Those before `end`.
    #[must_use]
    pub fn before(self, end: usize) -> Self {
        Self { end: Some(self.end.map_or(end, |old| old.min(end))), ..self }
    }

    /// What of it lies on an axis of `len` whose first entry is number `first`.
    fn on_axis(self, first: usize, len: usize) -> Range<usize> {
        let start = self.start.saturating_sub(first).min(len);
        let end = self.end.map_or(len, |end| end.saturating_sub(first).min(len));
        start..end.max(start)
    }
}

/// Which entries of one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Along {
    /// Every one.
    All,
    /// Heads, neurons or keys: numbered as the axis is.
    Items(Span),
    /// Positions in the whole sequence; the axis starts at the first that is not cached.
    Positions(Span),
}

impl Along {
    fn on_axis(self, start: usize, len: usize) -> Range<usize> {
        match self {
            Self::All => 0..len,
            Self::Items(span) => span.on_axis(0, len),
            Self::Positions(span) => span.on_axis(start, len),
        }
    }
}

/// What becomes of the part.
#[derive(Debug, Clone)]
pub enum Op {
    /// Every number becomes this one.
    Fill(f32),
    /// Every number is multiplied by this one.
    Scale(f64),
    /// This is added; its shape is that of the last axes.
    Add(Tensor),
    /// It becomes this, which has the hook's shape without the batch axis and one position.
    Constant(Tensor),
    /// It becomes the same part of this, which has the hook's shape without the batch axis, from position 0 on.
    Same(Tensor),
}

/// A change of a hook.
#[derive(Debug, Clone)]
pub struct Edit {
    /// The hook.
    pub at: HookPoint,
    /// Which entries, by axis after the batch axis; the hook's positions come first where it has positions.
    pub along: Vec<Along>,
    /// What becomes of them.
    pub op: Op,
}

impl Edit {
    /// `x` `[batch, ..]`, whose first position is number `start` of the sequence, changed; `x` itself where nothing of
    /// it is meant.
    pub fn apply(&self, x: Tensor, start: usize) -> Result<Tensor> {
        let lengths = x.dims()[1..].iter();
        let part: Vec<_> = self.along.iter().zip(lengths).map(|(along, &len)| along.on_axis(start, len)).collect();
        if part.iter().any(Range::is_empty) {
            return Ok(x);
        }
        change(&x, 1, &part, &|old| self.op.on(&old, &part, start))
    }
}

impl Op {
    /// What becomes of `old`, the entries `part` of a tensor whose first position is number `start`.
    fn on(&self, old: &Tensor, part: &[Range<usize>], start: usize) -> Result<Tensor> {
        Ok(match self {
            Self::Fill(value) => Tensor::full(*value, old.shape(), old.device())?.to_dtype(old.dtype())?,
            Self::Scale(factor) => (old * *factor)?,
            Self::Add(vector) => old.broadcast_add(&vector.to_dtype(old.dtype())?)?,
            Self::Constant(source) => like(&narrowed(source.unsqueeze(0)?, 2, &part[1..], 0)?, old)?,
            Self::Same(source) => {
                let source = narrowed(source.unsqueeze(0)?, 1, &part[..1], start)?;
                like(&narrowed(source, 2, &part[1..], 0)?, old)?
            }
        })
    }
}

/// What was recorded, in the number type and for the batch of `old`.
fn like(source: &Tensor, old: &Tensor) -> Result<Tensor> {
    Ok(source.to_dtype(old.dtype())?.broadcast_as(old.shape())?)
}

/// The entries `part`, moved by `first`, of the axes from `axis` on.
fn narrowed(x: Tensor, axis: usize, part: &[Range<usize>], first: usize) -> Result<Tensor> {
    let mut axes = part.iter().enumerate();
    axes.try_fold(x, |x, (i, range)| Ok(x.narrow(axis + i, first + range.start, range.len())?))
}

/// `x` with what `to` makes of the entries `part` of its axes from `axis` on; no other bit changes.
pub fn change(x: &Tensor, axis: usize, part: &[Range<usize>], to: &dyn Fn(Tensor) -> Result<Tensor>) -> Result<Tensor> {
    let Some((range, rest)) = part.split_first() else { return to(x.clone()) };
    let len = x.dim(axis)?;
    if *range == (0..len) {
        return change(x, axis + 1, rest, to);
    }
    let changed = change(&x.narrow(axis, range.start, range.len())?, axis + 1, rest, to)?;
    let mut parts = Vec::with_capacity(3);
    if range.start > 0 {
        parts.push(x.narrow(axis, 0, range.start)?);
    }
    parts.push(changed);
    if range.end < len {
        parts.push(x.narrow(axis, range.end, len - range.end)?);
    }
    Ok(Tensor::cat(&parts, axis)?.contiguous()?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::hook::Site;

    fn edit(along: Vec<Along>, op: Op) -> Edit {
        Edit { at: HookPoint::block(0, Site::Z), along, op }
    }

    /// `[1, 3, 2, 2]`: the numbers from 0.
    fn z() -> Tensor {
        Tensor::arange(0f32, 12.0, &Device::Cpu).unwrap().reshape((1, 3, 2, 2)).unwrap()
    }

    fn values(x: &Tensor) -> Vec<f32> {
        x.flatten_all().unwrap().to_vec1().unwrap()
    }

    #[test]
    fn only_the_part_that_is_meant_changes() {
        let positions = Along::Positions(Span { start: 6, end: Some(8) });
        let second = Along::Items(Span { start: 1, end: Some(2) });
        let out = edit(vec![positions, second], Op::Fill(-1.0)).apply(z(), 5).unwrap();
        assert_eq!(values(&out), [0., 1., 2., 3., 4., 5., -1., -1., 8., 9., -1., -1.]);
        let out = edit(vec![positions, Along::All], Op::Scale(2.0)).apply(z(), 7).unwrap();
        assert_eq!(values(&out), [0., 2., 4., 6., 4., 5., 6., 7., 8., 9., 10., 11.]);
    }

    #[test]
    fn what_lies_outside_is_the_same_tensor() {
        let before = z();
        let positions = Along::Positions(Span { start: 2, end: Some(4) });
        let after = edit(vec![positions], Op::Fill(0.0)).apply(before.clone(), 4).unwrap();
        assert_eq!(before.id(), after.id());
    }

    #[test]
    fn another_run_is_taken_position_by_position() {
        let source = (z().squeeze(0).unwrap() + 100.0).unwrap();
        let last = Along::Positions(Span { start: 2, end: None });
        let x = z().narrow(1, 1, 2).unwrap();
        let out = edit(vec![last, Along::All], Op::Same(source.clone())).apply(x.clone(), 1).unwrap();
        assert_eq!(values(&out), [4., 5., 6., 7., 108., 109., 110., 111.]);
        let mean = source.mean_keepdim(0).unwrap();
        let out = edit(vec![last, Along::All], Op::Constant(mean)).apply(x, 1).unwrap();
        assert_eq!(values(&out), [4., 5., 6., 7., 104., 105., 106., 107.]);
    }
}
