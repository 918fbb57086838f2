//! A grid of values with named rows and columns.

use serde::Serialize;

use super::{Scale, ShapeError, expect_len};

/// One side of a heatmap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HeatmapAxis {
    /// What the axis counts: `layer`, `query`.
    pub name: String,
    /// One label a row or column.
    pub labels: Vec<String>,
}

/// A grid of values, row by row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heatmap {
    rows: HeatmapAxis,
    columns: HeatmapAxis,
    values: Vec<f32>,
    /// A text a cell, such as the top token.
    cells: Option<Vec<String>>,
    scale: Scale,
    unit: String,
}

impl Heatmap {
    /// A grid of `rows x columns` values.
    ///
    /// # Errors
    /// [`ShapeError`] if the number of values is not the product of the axes.
    pub fn new(
        rows: HeatmapAxis,
        columns: HeatmapAxis,
        values: Vec<f32>,
        scale: Scale,
        unit: &str,
    ) -> Result<Self, ShapeError> {
        expect_len("heatmap values", values.len(), rows.labels.len() * columns.labels.len())?;
        Ok(Self { rows, columns, values, cells: None, scale, unit: unit.into() })
    }

    /// The same grid with a text in every cell.
    pub fn with_cells(mut self, cells: Vec<String>) -> Result<Self, ShapeError> {
        expect_len("heatmap cells", cells.len(), self.values.len())?;
        self.cells = Some(cells);
        Ok(self)
    }

    /// The rows.
    pub const fn rows(&self) -> &HeatmapAxis {
        &self.rows
    }

    /// The columns.
    pub const fn columns(&self) -> &HeatmapAxis {
        &self.columns
    }

    /// The meaning of the values.
    pub const fn scale(&self) -> Scale {
        self.scale
    }

    /// The unit of the values.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// All values, row by row.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The value of a cell, or `None` outside.
    pub fn value(&self, row: usize, column: usize) -> Option<f32> {
        self.index(row, column).and_then(|at| self.values.get(at)).copied()
    }

    /// The text of a cell, if cells have texts.
    pub fn cell(&self, row: usize, column: usize) -> Option<&str> {
        let at = self.index(row, column)?;
        self.cells.as_ref()?.get(at).map(String::as_str)
    }

    fn index(&self, row: usize, column: usize) -> Option<usize> {
        let n = self.columns.labels.len();
        (column < n && row < self.rows.labels.len()).then_some(row * n + column)
    }
}
