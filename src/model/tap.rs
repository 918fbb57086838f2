//! The one way to look into a forward pass, or to change it.

use candle_core::Tensor;

use super::Result;
use crate::hook::HookPoint;

/// An observer of, or an intervention on, a running forward pass.
///
/// The decoder asks [`wants`](Tap::wants) before it computes anything that only a tap would need, so an unwanted
/// site costs nothing. Tensors carry a leading batch axis: a hook of shape `[pos, d_model]` is visited as
/// `[batch, pos, d_model]`.
pub trait Tap {
    /// Whether [`visit`](Tap::visit) must be called here.
    fn wants(&self, at: HookPoint) -> bool;

    /// Receives the tensor at `at` and returns the one the forward pass continues with.
    ///
    /// An observer returns `x` itself, which leaves every later bit as it would have been.
    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor>;
}

/// No tap: the forward pass runs at full speed.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTap;

impl Tap for NoTap {
    fn wants(&self, _: HookPoint) -> bool {
        false
    }

    fn visit(&mut self, _: HookPoint, x: Tensor) -> Result<Tensor> {
        Ok(x)
    }
}

/// Runs the first tap, then the second on what the first returned.
impl<A: Tap, B: Tap> Tap for (A, B) {
    fn wants(&self, at: HookPoint) -> bool {
        self.0.wants(at) || self.1.wants(at)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        let x = if self.0.wants(at) { self.0.visit(at, x)? } else { x };
        if self.1.wants(at) { self.1.visit(at, x) } else { Ok(x) }
    }
}

impl<T: Tap + ?Sized> Tap for &mut T {
    fn wants(&self, at: HookPoint) -> bool {
        (**self).wants(at)
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        (**self).visit(at, x)
    }
}

/// A tap, or none.
impl<T: Tap> Tap for Option<T> {
    fn wants(&self, at: HookPoint) -> bool {
        self.as_ref().is_some_and(|tap| tap.wants(at))
    }

    fn visit(&mut self, at: HookPoint, x: Tensor) -> Result<Tensor> {
        match self {
            Some(tap) => tap.visit(at, x),
            None => Ok(x),
        }
    }
}

/// Visits `at` if anyone wants it. What a tap puts in place is computed with in the type of what it replaces.
pub(crate) fn tapped(tap: &mut dyn Tap, at: HookPoint, x: Tensor) -> Result<Tensor> {
    let dtype = x.dtype();
    if tap.wants(at) { Ok(tap.visit(at, x)?.to_dtype(dtype)?) } else { Ok(x) }
}
