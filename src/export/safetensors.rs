//! Figures as named tensors: for numpy, torch and everything else that reads safetensors.
//!
//! A heatmap is `figure1.values` `[rows, columns]` (F32); bars are `figure1.values` `[bars]`, `figure1.low` and
//! `figure1.high` (F64, NaN where there is no interval); a table has `figure1.<column>` `[rows]` (F64, NaN where a cell
//! is empty) for every column of numbers; lines have `figure1.line`, `.x`, `.y`, `.low` and `.high` `[marks]`; a strip has
//! `figure1.values` `[tokens]`; a waterfall `figure1.values` `[parts]`, `figure1.remainder` and `figure1.total`. Everything else is in the metadata, as JSON under `figure1`: title, caption,
//! provenance, axes with their labels, the texts of cells and of columns. The same figures are the same bytes.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::{ExportError, Exporter};
use crate::figure::{Bars, Cell, Content, Figure, Heatmap, Lines, Mark, Strip, Table, Waterfall};

/// A safetensors file.
pub struct Safetensors;

impl Exporter for Safetensors {
    fn name(&self) -> &'static str {
        "safetensors"
    }

    fn is_text(&self) -> bool {
        false
    }

    fn write(&self, figures: &[Figure], out: &mut dyn Write) -> Result<(), ExportError> {
        let mut tensors = Vec::new();
        let mut about = Map::new();
        about.insert("format".into(), "lmscope-figures 1".into());
        about.insert("figures".into(), figures.len().to_string().into());
        for (index, figure) in figures.iter().enumerate() {
            let name = format!("figure{}", index + 1);
            let (of_figure, content) = convert(&name, &figure.content);
            tensors.extend(of_figure);
            let told = json!({
                "title": figure.title,
                "caption": figure.caption,
                "provenance": figure.provenance,
                "content": content,
            });
            about.insert(name, told.to_string().into());
        }
        // f64 first, so that everything is aligned
        tensors.sort_by_key(|tensor| tensor.numbers.width() == 4);
        write_file(&tensors, about, out)
    }
}

enum Numbers {
    F32(Vec<f32>),
    F64(Vec<f64>),
}

impl Numbers {
    const fn width(&self) -> usize {
        match self {
            Self::F32(_) => 4,
            Self::F64(_) => 8,
        }
    }

    const fn dtype(&self) -> &'static str {
        match self {
            Self::F32(_) => "F32",
            Self::F64(_) => "F64",
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::F32(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
            Self::F64(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        }
    }
}

struct Tensor {
    name: String,
    shape: Vec<usize>,
    numbers: Numbers,
}

impl Tensor {
    fn column(figure: &str, name: &str, values: Vec<f64>) -> Self {
        Self { name: format!("{figure}.{name}"), shape: vec![values.len()], numbers: Numbers::F64(values) }
    }
}

/// The numbers of a figure, and the rest of its content.
fn convert(figure: &str, content: &Content) -> (Vec<Tensor>, Value) {
    match content {
        Content::Heatmap(heatmap) => convert_heatmap(figure, heatmap),
        Content::Bars(bars) => convert_bars(figure, bars),
        Content::Table(table) => convert_table(figure, table),
        Content::Lines(lines) => convert_lines(figure, lines),
        Content::Strip(strip) => convert_strip(figure, strip),
        Content::Waterfall(waterfall) => convert_waterfall(figure, waterfall),
    }
}

fn convert_heatmap(figure: &str, heatmap: &Heatmap) -> (Vec<Tensor>, Value) {
    let (rows, columns) = (heatmap.rows(), heatmap.columns());
    let shape = [rows.labels.len(), columns.labels.len()];
    let numbers = Numbers::F32(heatmap.values().to_vec());
    let tensor = Tensor { name: format!("{figure}.values"), shape: shape.to_vec(), numbers };
    let cells = |row: usize| (0..shape[1]).map(|column| heatmap.cell(row, column)).collect::<Option<Vec<_>>>();
    let cells: Option<Vec<_>> = (0..shape[0]).map(cells).collect();
    let about = json!({
        "kind": "heatmap", "rows": rows, "columns": columns, "cells": cells,
        "scale": heatmap.scale(), "unit": heatmap.unit(),
    });
    (vec![tensor], about)
}

fn convert_bars(figure: &str, bars: &Bars) -> (Vec<Tensor>, Value) {
    let column = |name: &str, value: &dyn Fn(&crate::figure::Bar) -> f64| {
        Tensor::column(figure, name, bars.bars.iter().map(value).collect())
    };
    let tensors = vec![
        column("values", &|bar| bar.value),
        column("low", &|bar| bar.interval.map_or(f64::NAN, |(low, _)| low)),
        column("high", &|bar| bar.interval.map_or(f64::NAN, |(_, high)| high)),
    ];
    let labels: Vec<&String> = bars.bars.iter().map(|bar| &bar.label).collect();
    (tensors, json!({ "kind": "bars", "labels": labels, "scale": bars.scale, "unit": bars.unit }))
}

fn convert_table(figure: &str, table: &Table) -> (Vec<Tensor>, Value) {
    let mut tensors: Vec<Tensor> = Vec::new();
    let mut columns = Vec::new();
    for (at, column) in table.columns().iter().enumerate() {
        let cells = || table.rows().iter().map(|row| &row[at]);
        let mut told = json!({ "name": column.name, "unit": column.unit });
        if cells().any(|cell| matches!(cell, Cell::Text(_))) {
            told["texts"] = cells().map(Cell::display).collect();
        } else {
            let taken = tensors.iter().any(|tensor| tensor.name == format!("{figure}.{}", column.name));
            let name = if taken { format!("{}.{at}", column.name) } else { column.name.clone() };
            tensors.push(Tensor::column(figure, &name, cells().map(number).collect()));
            told["tensor"] = format!("{figure}.{name}").into();
        }
        columns.push(told);
    }
    (tensors, json!({ "kind": "table", "columns": columns }))
}

/// All marks one line after the other, with the number of the line that each is of.
fn convert_lines(figure: &str, lines: &Lines) -> (Vec<Tensor>, Value) {
    let marks = || lines.lines.iter().enumerate().flat_map(|(at, line)| line.marks.iter().map(move |mark| (at, mark)));
    let column =
        |name: &str, value: &dyn Fn((usize, &Mark)) -> f64| Tensor::column(figure, name, marks().map(value).collect());
    let tensors = vec![
        column("line", &|(at, _)| at as f64),
        column("x", &|(_, mark)| mark.x),
        column("y", &|(_, mark)| mark.y),
        column("low", &|(_, mark)| mark.band.map_or(f64::NAN, |(low, _)| low)),
        column("high", &|(_, mark)| mark.band.map_or(f64::NAN, |(_, high)| high)),
    ];
    let names: Vec<&String> = lines.lines.iter().map(|line| &line.name).collect();
    (tensors, json!({ "kind": "lines", "lines": names, "x": lines.x, "y": lines.y }))
}

fn convert_strip(figure: &str, strip: &Strip) -> (Vec<Tensor>, Value) {
    let values = strip.pieces.iter().map(|piece| piece.value.unwrap_or(f64::NAN)).collect();
    let tokens: Vec<&String> = strip.pieces.iter().map(|piece| &piece.text).collect();
    let notes: Vec<_> = strip.pieces.iter().map(|piece| &piece.notes).collect();
    let about = json!({
        "kind": "strip", "tokens": tokens, "notes": notes,
        "scale": strip.scale, "unit": strip.unit, "note_unit": strip.note_unit,
    });
    (vec![Tensor::column(figure, "values", values)], about)
}

fn convert_waterfall(figure: &str, waterfall: &Waterfall) -> (Vec<Tensor>, Value) {
    let parts = waterfall.parts();
    let tensors = vec![
        Tensor::column(figure, "values", parts.iter().map(|part| part.value).collect()),
        Tensor::column(figure, "remainder", vec![waterfall.remainder()]),
        Tensor::column(figure, "total", vec![waterfall.total()]),
    ];
    let names: Vec<&String> = parts.iter().map(|part| &part.name).collect();
    (tensors, json!({ "kind": "waterfall", "parts": names, "unit": waterfall.unit() }))
}

/// The number of a cell, NaN if it has none.
fn number(cell: &Cell) -> f64 {
    match cell {
        Cell::Number { value, .. } | Cell::Scientific(value) => *value,
        Cell::Integer(value) => *value as f64,
        Cell::Empty | Cell::Text(_) => f64::NAN,
    }
}

/// The format: the length of the header, the header, padded with spaces, and the tensors one after the other.
fn write_file(tensors: &[Tensor], about: Map<String, Value>, out: &mut dyn Write) -> Result<(), ExportError> {
    const ALIGNMENT: usize = 8;
    let mut header = Map::new();
    header.insert("__metadata__".into(), about.into());
    let mut start = 0;
    for tensor in tensors {
        let end = start + tensor.shape.iter().product::<usize>() * tensor.numbers.width();
        let entry = json!({ "dtype": tensor.numbers.dtype(), "shape": tensor.shape, "data_offsets": [start, end] });
        header.insert(tensor.name.clone(), entry);
        start = end;
    }
    let mut header = Value::from(header).to_string().into_bytes();
    header.resize(header.len().next_multiple_of(ALIGNMENT), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    for tensor in tensors {
        out.write_all(&tensor.numbers.bytes())?;
    }
    Ok(())
}
