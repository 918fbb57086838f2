//! Figures as CSV: tables as they are, grids in long form.

use std::io::{self, Write};

use super::{ExportError, Exporter};
use crate::figure::{Bars, Cell, Content, Figure, Heatmap, Table};

/// CSV with a heading; figures are separated by an empty line.
pub struct Csv;

impl Exporter for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        for (index, figure) in figures.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            let mut writer = csv::Writer::from_writer(&mut *out);
            for record in records(&figure.content) {
                writer.write_record(record).map_err(io::Error::from)?;
            }
            writer.flush()?;
        }
        Ok(())
    }
}

fn records(content: &Content) -> Vec<Vec<String>> {
    match content {
        Content::Table(table) => table_records(table),
        Content::Heatmap(heatmap) => heatmap_records(heatmap),
        Content::Bars(bars) => bar_records(bars),
    }
}

/// Numbers in full, unlike what people are shown.
fn exact(cell: &Cell) -> String {
    match cell {
        Cell::Number { value, .. } => value.to_string(),
        Cell::Scientific(value) => format!("{value:e}"),
        other => other.display(),
    }
}

fn table_records(table: &Table) -> Vec<Vec<String>> {
    let heading = table.columns().iter().map(|column| column.name.clone()).collect();
    std::iter::once(heading).chain(table.rows().iter().map(|row| row.iter().map(exact).collect())).collect()
}

fn heatmap_records(heatmap: &Heatmap) -> Vec<Vec<String>> {
    let (rows, columns) = (heatmap.rows(), heatmap.columns());
    let mut records = vec![vec![rows.name.clone(), columns.name.clone(), heatmap.unit().to_owned(), "cell".to_owned()]];
    for (row, row_label) in rows.labels.iter().enumerate() {
        for (column, column_label) in columns.labels.iter().enumerate() {
            let value = heatmap.value(row, column).map(|value| value.to_string()).unwrap_or_default();
            let cell = heatmap.cell(row, column).unwrap_or_default().to_owned();
            records.push(vec![row_label.clone(), column_label.clone(), value, cell]);
        }
    }
    records
}

fn bar_records(bars: &Bars) -> Vec<Vec<String>> {
    let heading = ["label", "value", "low", "high"].map(ToOwned::to_owned).to_vec();
    let row = |bar: &crate::figure::Bar| {
        let (low, high) = bar.interval.map_or_else(Default::default, |(low, high)| (low.to_string(), high.to_string()));
        vec![bar.label.clone(), bar.value.to_string(), low, high]
    };
    std::iter::once(heading).chain(bars.bars.iter().map(row)).collect()
}
