//! Blocks as the page's template needs them: places in percent, numbers as they are shown, data for the scripts.

use minijinja::context;
use minijinja::value::{Serde, Value};
use serde_json::json;

use crate::export::{as_table, inert_line, short_number, ticks};
use crate::figure::{
    Bars, Cell, Column, Content, Figure, Heatmap, Line, Lines, Mark, Provenance, Scale, Strip, Table, Waterfall,
};
use crate::report::packed::pack;
use crate::report::{Attention, Block, Items, ReportError};

/// Grids of more cells have no table beside them: their numbers are in the JSON report.
const MOST_CELLS: usize = 4_000;

/// A block with its number on the page.
pub(super) fn view(block: &Block, n: usize) -> Result<Value, ReportError> {
    let id = format!("b{n}");
    match block {
        Block::Figure(figure) => Ok(of_figure(figure, &id)),
        Block::Attention(attention) => Ok(of_attention(attention, &id)),
        Block::Items(items) => of_items(items, &id),
    }
}

fn of_figure(figure: &Figure, id: &str) -> Value {
    let origin = if figure.provenance == Provenance::default() { String::new() } else { figure.provenance.sentence() };
    let about = context! {
        id, title => shown(&figure.title), caption => shown(&figure.caption), origin => shown(&origin),
    };
    let shown = match &figure.content {
        Content::Table(table) => context! { kind => "table", table => of_table(table) },
        Content::Bars(bars) => context! { kind => "bars", rows => of_bars(bars), unit => shown(&bars.unit) },
        Content::Waterfall(parts) => {
            context! { kind => "waterfall", rows => of_waterfall(parts), unit => shown(parts.unit()) }
        }
        Content::Strip(strip) => {
            let kind = if matches!(strip.scale, Scale::Diverging { .. }) { "strip diverging" } else { "strip" };
            context! { kind, pieces => of_strip(strip), unit => shown(&strip.unit), table => numbers(figure) }
        }
        Content::Lines(lines) => {
            context! { ..of_lines(lines), ..context! { kind => "lines", table => numbers(figure) } }
        }
        Content::Heatmap(map) => context! { kind => "heatmap", data => of_heatmap(map), table => numbers(figure) },
    };
    context! { ..about, ..shown }
}

/// Base64, which has no sign of HTML, as it is: an element that holds data is not read for entities.
pub(super) fn verbatim(packed: String) -> Value {
    debug_assert!(packed.bytes().all(|c| c.is_ascii_alphanumeric() || b"+/=".contains(&c)));
    Value::from_safe_string(packed)
}

fn shown(text: &str) -> String {
    inert_line(text).into_owned()
}

/// Cells with what they are sorted by: a number, or nothing for their text.
fn of_table(table: &Table) -> Value {
    let cell = |cell: &Cell| {
        let sort = match cell {
            Cell::Number { value, .. } | Cell::Scientific(value) => Some(*value),
            Cell::Integer(value) => Some(*value as f64),
            Cell::Empty | Cell::Text(_) => None,
        };
        context! { text => shown(&cell.display()), sort }
    };
    let leans = |at: usize| !table.rows().iter().any(|row| matches!(row[at], Cell::Text(_)));
    let heading = |(at, column): (usize, &Column)| context! { name => shown(&column.with_unit()), right => leans(at) };
    let heading: Vec<Value> = table.columns().iter().enumerate().map(heading).collect();
    let rows: Vec<Vec<Value>> = table.rows().iter().map(|row| row.iter().map(cell).collect()).collect();
    context! { heading, rows }
}

/// The numbers of a figure as a table, unless they are too many.
fn numbers(figure: &Figure) -> Option<Value> {
    let (heading, rows) = as_table(figure);
    if heading.len() * rows.len() > MOST_CELLS {
        return None;
    }
    let heading: Vec<Value> =
        heading.iter().map(|(name, right)| context! { name => shown(name), right => *right }).collect();
    let cell = |text: &String| context! { text => shown(text), sort => Value::from(()) };
    let rows: Vec<Vec<Value>> = rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    Some(context! { heading, rows })
}

/// From a value to its place between two ends, in thousandths.
struct Ruler {
    low: f64,
    high: f64,
}

impl Ruler {
    fn new(values: impl Iterator<Item = f64>) -> Self {
        let ends = values.filter(|value| value.is_finite());
        let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        Self { low, high: if low < high { high } else { low + 1.0 } }
    }

    fn place(&self, value: f64) -> f64 {
        let place = (value - self.low) / (self.high - self.low) * 1000.0;
        if place.is_finite() { (place.clamp(0.0, 1000.0) * 10.0).round() / 10.0 } else { 0.0 }
    }

    /// From where to where a bar is.
    fn bar(&self, from: f64, to: f64) -> (f64, f64) {
        let (from, to) = (self.place(from), self.place(to));
        (from.min(to), (to - from).abs().max(1.0))
    }
}

const fn side(change: f64) -> &'static str {
    if change < 0.0 { "minus" } else { "plus" }
}

fn of_bars(bars: &Bars) -> Vec<Value> {
    let middle = match bars.scale {
        Scale::Diverging { mid, .. } => f64::from(mid),
        Scale::Probability | Scale::Sequential { .. } => 0.0,
    };
    let ends = |bar: &crate::figure::Bar| {
        let (low, high) = bar.interval.unwrap_or((bar.value, bar.value));
        [bar.value, low, high]
    };
    let ruler = Ruler::new(bars.bars.iter().flat_map(ends).chain([middle]));
    let is_two_sided = bars.bars.iter().any(|bar| bar.value < middle);
    let row = |bar: &crate::figure::Bar| {
        let (x, width) = ruler.bar(middle, bar.value);
        let interval = bar.interval.map(|(low, high)| (ruler.place(low), ruler.place(high)));
        let range = bar
            .interval
            .map_or(String::new(), |(low, high)| format!(" ({} to {})", short_number(low), short_number(high)));
        context! {
            name => shown(&bar.label), zero => ruler.place(middle), x, width,
            kind => if is_two_sided { side(bar.value - middle) } else { "one" },
            low => interval.map(|(low, _)| low), high => interval.map(|(_, high)| high),
            shown => format!("{}{range}", short_number(bar.value)),
        }
    };
    bars.bars.iter().map(row).collect()
}

fn of_waterfall(parts: &Waterfall) -> Vec<Value> {
    let steps = parts.steps();
    let ruler = Ruler::new(steps.iter().flat_map(|step| [step.from, step.to]));
    let last = steps.len().saturating_sub(1);
    let row = |(at, step): (usize, &crate::figure::Step<'_>)| {
        let (x, width) = ruler.bar(step.from, step.to);
        let change = step.to - step.from;
        let sign = if change > 0.0 && at != last { "+" } else { "" };
        context! {
            name => shown(step.name), zero => ruler.place(0.0), x, width,
            kind => if at == last { "total" } else { side(change) },
            low => Value::from(()), shown => format!("{sign}{}", short_number(change)),
        }
    };
    steps.iter().enumerate().map(row).collect()
}

fn of_strip(strip: &Strip) -> Vec<Value> {
    let piece = |(at, piece): (usize, &crate::figure::Piece)| {
        #[expect(clippy::cast_possible_truncation, reason = "a colour has fewer steps than an f32")]
        let share = piece.value.map(|value| (f64::from(strip.scale.share(value as f32)) * 1e4).round() / 1e4);
        let mut tip = format!("{at} {}", piece.text);
        tip += &piece.value.map_or(String::new(), |value| format!(": {} {}", short_number(value), strip.unit));
        for note in &piece.notes {
            tip += &format!("; {} {}", note.name, short_number(note.value));
        }
        context! { text => shown(&piece.text), share, tip => shown(&tip) }
    };
    strip.pieces.iter().enumerate().map(piece).collect()
}

/// The room of a plot: left, right, top, bottom.
const ROOM: [f64; 4] = [60.0, 620.0, 15.0, 310.0];

fn of_lines(lines: &Lines) -> Value {
    let marks = || lines.lines.iter().flat_map(|line| &line.marks);
    let numbers = |values: Vec<f64>| {
        let finite = values.into_iter().filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        ticks(low, high)
    };
    let x_ticks = numbers(marks().map(|mark| mark.x).collect());
    let of_band = |mark: &Mark| mark.band.map_or([mark.y, mark.y], |(low, high)| [low, high]);
    let y_ticks = numbers(marks().flat_map(of_band).chain(marks().map(|mark| mark.y)).collect());
    let ends = |ticks: &[f64]| (ticks[0], ticks[ticks.len() - 1]);
    let (x_ends, y_ends) = (ends(&x_ticks), ends(&y_ticks));
    let place = |value: f64, (low, high): (f64, f64), from: f64, to: f64| {
        ((from + (value - low) / (high - low) * (to - from)) * 10.0).round() / 10.0
    };
    let [left, right, top, bottom] = ROOM;
    let at = |x: f64, y: f64| (place(x, x_ends, left, right), place(y, y_ends, bottom, top));
    let placed = |ticks: &[f64], from: f64, to: f64| -> Vec<Value> {
        let tick = |value: &f64| context! { at => place(*value, ends(ticks), from, to), text => short_number(*value) };
        ticks.iter().map(tick).collect()
    };
    let drawn: Vec<Value> = lines.lines.iter().map(|line| of_line(line, lines, &at)).collect();
    context! {
        x => shown(&lines.x.with_unit()), y => shown(&lines.y.with_unit()), lines => drawn,
        x_ticks => placed(&x_ticks, left, right), y_ticks => placed(&y_ticks, bottom, top),
    }
}

fn of_line(line: &Line, lines: &Lines, at: &dyn Fn(f64, f64) -> (f64, f64)) -> Value {
    /// More would run into each other.
    const DOTS: usize = 60;
    let finite = || line.marks.iter().filter(|mark| mark.x.is_finite() && mark.y.is_finite());
    let points = |places: &mut dyn Iterator<Item = (f64, f64)>| {
        places.map(|(x, y)| format!("{x},{y}")).collect::<Vec<_>>().join(" ")
    };
    let upper = finite().filter_map(|mark| mark.band.map(|(_, high)| at(mark.x, high)));
    let lower: Vec<(f64, f64)> = finite().filter_map(|mark| mark.band.map(|(low, _)| at(mark.x, low))).collect();
    let band = points(&mut upper.chain(lower.into_iter().rev()));
    let dot = |mark: &Mark| {
        let (x, y) = at(mark.x, mark.y);
        let range = mark
            .band
            .map_or(String::new(), |(low, high)| format!(" ({} to {})", short_number(low), short_number(high)));
        let tip = format!(
            "{}: {} {}, {} {}{range}",
            line.name,
            lines.x.name,
            short_number(mark.x),
            lines.y.name,
            short_number(mark.y)
        );
        context! { x, y, tip => shown(&tip) }
    };
    let dots: Vec<Value> = if finite().count() <= DOTS { finite().map(dot).collect() } else { Vec::new() };
    context! { name => shown(&line.name), points => points(&mut finite().map(|mark| at(mark.x, mark.y))), band, dots }
}

fn of_heatmap(map: &Heatmap) -> Value {
    let labels = |labels: &[String]| labels.iter().map(|label| shown(label)).collect::<Vec<_>>();
    let (rows, columns) = (map.rows(), map.columns());
    let cells: Option<Vec<String>> = map.cell(0, 0).map(|_| {
        let of_row =
            |row: usize| (0..columns.labels.len()).map(move |column| map.cell(row, column).unwrap_or_default());
        (0..rows.labels.len()).flat_map(of_row).map(shown).collect()
    });
    Value::from(Serde(json!({
        "rows": { "name": shown(&rows.name), "labels": labels(&rows.labels) },
        "columns": { "name": shown(&columns.name), "labels": labels(&columns.labels) },
        "values": map.values(), "cells": cells, "scale": of_scale(map.scale()), "unit": shown(map.unit()),
    })))
}

fn of_scale(scale: Scale) -> serde_json::Value {
    match scale {
        Scale::Probability => json!({ "kind": "probability" }),
        Scale::Sequential { low, high } => json!({ "kind": "sequential", "low": low, "high": high }),
        Scale::Diverging { mid, reach } => json!({ "kind": "diverging", "mid": mid, "reach": reach }),
    }
}

fn of_attention(attention: &Attention, id: &str) -> Value {
    let shown_all = |texts: &[String]| texts.iter().map(|text| shown(text)).collect::<Vec<_>>();
    let (tokens, roles) = (shown_all(&attention.tokens), shown_all(&attention.roles));
    let data = Value::from(Serde(json!({
        "tokens": tokens, "n_layers": attention.n_layers, "n_heads": attention.n_heads,
        "chosen": [attention.chosen.0, attention.chosen.1], "roles": roles, "side": attention.side,
        "thumbnails": attention.thumbnails, "heads": attention.heads,
    })));
    context! {
        kind => "attention", id, title => shown(&attention.title), caption => shown(&attention.caption), origin => "",
        n_layers => attention.n_layers, n_heads => attention.n_heads, data,
    }
}

fn of_items(items: &Items, id: &str) -> Result<Value, ReportError> {
    Ok(context! {
        kind => "items", id, title => shown(&items.title), caption => shown(&items.caption), origin => "",
        metrics => items.metrics.iter().map(|name| shown(name)).collect::<Vec<_>>(), has_flips => items.has_flips(), n => items.items.len(),
        data => verbatim(pack(&serde_json::to_vec(&json!({ "metrics": items.metrics, "items": items.items }))?)?),
    })
}
