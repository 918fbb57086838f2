//! Rows and columns of text and numbers.

use serde::{Serialize, Serializer};

use super::{ShapeError, expect_len};

/// A column's heading.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name, also the key in JSON and CSV.
    pub name: String,
    /// Its unit, or nothing.
    pub unit: String,
}

impl Column {
    /// A column with a unit; an empty unit means none.
    pub fn new(name: &str, unit: &str) -> Self {
        Self { name: name.into(), unit: unit.into() }
    }

    /// Its name with its unit, if it has one.
    pub fn with_unit(&self) -> String {
        if self.unit.is_empty() { self.name.clone() } else { format!("{} ({})", self.name, self.unit) }
    }
}

/// One entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Nothing: not applicable.
    Empty,
    /// A text.
    Text(String),
    /// A count, an id, a rank.
    Integer(i64),
    /// A number, and how many decimals people are shown; files get all of it.
    Number {
        /// The number.
        value: f64,
        /// Decimals shown.
        decimals: usize,
    },
    /// A number of any size, shown as `3.1e-7`; files get all of it.
    Scientific(f64),
}

impl Cell {
    /// A number shown with `decimals` decimals.
    pub const fn number(value: f64, decimals: usize) -> Self {
        Self::Number { value, decimals }
    }

    /// What people are shown.
    pub fn display(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Integer(value) => value.to_string(),
            Self::Number { value, decimals } => format!("{value:.decimals$}"),
            Self::Scientific(value) if *value == 0.0 => "0".into(),
            Self::Scientific(value) => format!("{value:.1e}"),
        }
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Empty => serializer.serialize_none(),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Integer(value) => serializer.serialize_i64(*value),
            Self::Number { value, .. } | Self::Scientific(value) => serializer.serialize_f64(*value),
        }
    }
}

/// Rows of cells under headings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table.
    ///
    /// # Errors
    /// [`ShapeError`] if a row has more or fewer cells than there are columns.
    pub fn new(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Result<Self, ShapeError> {
        for row in &rows {
            expect_len("table cells in a row", row.len(), columns.len())?;
        }
        Ok(Self { columns, rows })
    }

    /// The headings.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// The rows.
    pub fn rows(&self) -> &[Vec<Cell>] {
        &self.rows
    }
}
