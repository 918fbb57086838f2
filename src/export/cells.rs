//! Figures as the headings and texts of a table, for formats that have nothing else.

use crate::figure::{Bars, Cell, Content, Heatmap, Lines, Strip, Table, Waterfall};

/// Which side a column leans to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// Headings with their sides, and rows of as many texts; numbers as people are shown them.
pub(super) struct Cells {
    pub(super) heading: Vec<(String, Side)>,
    pub(super) rows: Vec<Vec<String>>,
}

impl Cells {
    pub(super) fn of(content: &Content) -> Self {
        match content {
            Content::Table(table) => of_table(table),
            Content::Heatmap(heatmap) => of_heatmap(heatmap),
            Content::Bars(bars) => of_bars(bars),
            Content::Lines(lines) => of_lines(lines),
            Content::Strip(strip) => of_strip(strip),
            Content::Waterfall(waterfall) => of_waterfall(waterfall),
        }
    }
}

fn left(name: impl Into<String>) -> (String, Side) {
    (name.into(), Side::Left)
}

fn right(name: impl Into<String>) -> (String, Side) {
    (name.into(), Side::Right)
}

fn of_table(table: &Table) -> Cells {
    let side = |column: usize| {
        let is_text = table.rows().iter().any(|row| matches!(row[column], Cell::Text(_)));
        if is_text { Side::Left } else { Side::Right }
    };
    let heading = table.columns().iter().enumerate().map(|(at, column)| (column.with_unit(), side(at))).collect();
    Cells { heading, rows: table.rows().iter().map(|row| row.iter().map(Cell::display).collect()).collect() }
}

fn of_heatmap(heatmap: &Heatmap) -> Cells {
    let (rows, columns) = (heatmap.rows(), heatmap.columns());
    let first = left(format!("{} ({})", rows.name, heatmap.unit()));
    let cell = |row: usize, column: usize| {
        let value = heatmap.value(row, column).map(|value| format!("{value:.3}")).unwrap_or_default();
        heatmap.cell(row, column).map_or_else(|| value.clone(), |text| format!("{text} {value}"))
    };
    let line = |(row, label): (usize, &String)| {
        std::iter::once(label.clone()).chain((0..columns.labels.len()).map(|column| cell(row, column))).collect()
    };
    Cells {
        heading: std::iter::once(first).chain(columns.labels.iter().map(right)).collect(),
        rows: rows.labels.iter().enumerate().map(line).collect(),
    }
}

fn of_bars(bars: &Bars) -> Cells {
    let row = |bar: &crate::figure::Bar| vec![bar.label.clone(), format!("{:.4}", bar.value), interval(bar.interval)];
    Cells {
        heading: vec![left("name"), right(&bars.unit), right("interval")],
        rows: bars.bars.iter().map(row).collect(),
    }
}

fn interval(ends: Option<(f64, f64)>) -> String {
    ends.map_or(String::new(), |(low, high)| format!("{low:.4} to {high:.4}"))
}

fn of_lines(lines: &Lines) -> Cells {
    let marks = lines.lines.iter().flat_map(|line| line.marks.iter().map(move |mark| (&line.name, mark)));
    let row = |(name, mark): (&String, &crate::figure::Mark)| {
        vec![name.clone(), format!("{:.4}", mark.x), format!("{:.4}", mark.y), interval(mark.band)]
    };
    Cells {
        heading: vec![left("line"), right(lines.x.with_unit()), right(lines.y.with_unit()), right("interval")],
        rows: marks.map(row).collect(),
    }
}

fn of_strip(strip: &Strip) -> Cells {
    let row = |(position, piece): (usize, &crate::figure::Piece)| {
        let notes: Vec<String> = piece.notes.iter().map(|note| format!("{} {:.3}", note.name, note.value)).collect();
        let value = piece.value.map_or(String::new(), |value| format!("{value:.3}"));
        vec![position.to_string(), piece.text.clone(), value, notes.join(", ")]
    };
    Cells {
        heading: vec![right("position"), left("token"), right(&strip.unit), left(&strip.note_unit)],
        rows: strip.pieces.iter().enumerate().map(row).collect(),
    }
}

fn of_waterfall(waterfall: &Waterfall) -> Cells {
    let row = |step: crate::figure::Step<'_>| {
        vec![step.name.to_owned(), format!("{:+.4}", step.to - step.from), format!("{:.4}", step.to)]
    };
    Cells {
        heading: vec![left("part"), right(waterfall.unit()), right("sum")],
        rows: waterfall.steps().into_iter().map(row).collect(),
    }
}
