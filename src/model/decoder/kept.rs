//! The parameters that a decoder was built from, so that another can be built that shares them.

use std::collections::HashMap;

use candle_core::Tensor;

use super::{Linear, Parameters, Table};
use crate::model::{Dtype, ParamId, Result};

/// Parameters that have been handed out; cloning copies no number.
#[derive(Clone, Default)]
pub(super) struct Kept {
    dense: HashMap<ParamId, Tensor>,
    table: HashMap<ParamId, Table>,
    linear: HashMap<ParamId, Linear>,
}

impl Kept {
    /// Whether every product is computed by kernels that give a row the same bits in any company.
    pub(super) fn is_packed(&self) -> bool {
        self.linear.values().all(Linear::is_packed)
    }

    /// Whether gradients flow through every matrix.
    pub(super) fn is_differentiable(&self) -> bool {
        self.linear.values().all(Linear::is_differentiable)
    }
}

impl Parameters for Kept {
    fn dense(&mut self, id: ParamId) -> Result<Tensor> {
        Ok(self.dense.get(&id).cloned().ok_or_else(|| missing(id))?)
    }

    fn table(&mut self, id: ParamId) -> Result<Table> {
        Ok(self.table.get(&id).cloned().ok_or_else(|| missing(id))?)
    }

    /// With the bias that it was handed out with.
    fn linear(&mut self, id: ParamId, _: Option<ParamId>) -> Result<Linear> {
        Ok(self.linear.get(&id).cloned().ok_or_else(|| missing(id))?)
    }
}

fn missing(id: ParamId) -> candle_core::Error {
    candle_core::Error::CannotFindTensor { path: id.to_string() }.bt()
}

/// Hands out parameters and remembers them.
pub(super) struct Keeper<'a> {
    from: &'a mut dyn Parameters,
    kept: Kept,
}

impl<'a> Keeper<'a> {
    pub(super) fn new(from: &'a mut dyn Parameters) -> Self {
        Self { from, kept: Kept::default() }
    }

    /// What was handed out so far.
    pub(super) fn take(&mut self) -> Kept {
        std::mem::take(&mut self.kept)
    }
}

impl Parameters for Keeper<'_> {
    fn dtype(&self) -> Dtype {
        self.from.dtype()
    }

    fn table(&mut self, id: ParamId) -> Result<Table> {
        let table = self.from.table(id)?;
        self.kept.table.insert(id, table.clone());
        Ok(table)
    }

    fn dense(&mut self, id: ParamId) -> Result<Tensor> {
        let tensor = self.from.dense(id)?;
        self.kept.dense.insert(id, tensor.clone());
        Ok(tensor)
    }

    fn linear(&mut self, id: ParamId, bias: Option<ParamId>) -> Result<Linear> {
        let linear = self.from.linear(id, bias)?;
        self.kept.linear.insert(id, linear.clone());
        Ok(linear)
    }
}
