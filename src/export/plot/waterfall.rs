//! Parts that add up: each from where the one before it ended, the remainder and the total last.

use super::canvas::{Anchor, Canvas, DrawError, Point, Size, Type};
use super::{Plot, colour, font, number};
use crate::export::Undrawable;
use crate::figure::Waterfall;

/// More are not told apart on a page.
const LIMIT: usize = 500;
const PITCH: i32 = 20;
const THICKNESS: i32 = 14;
const REACH: i32 = 420;
const AXIS: i32 = 40;
const NAME_CHARACTERS: usize = 32;
const NAME: Type = Type::new(12, colour::INK, Anchor::End);
const VALUE: Type = Type::new(11, colour::FAINT, Anchor::Start);
const TICK: Type = Type::new(11, colour::FAINT, Anchor::Middle);

struct Row {
    name: String,
    from: f64,
    to: f64,
    shown: String,
}

/// A waterfall, laid out.
pub(super) struct WaterfallPlot {
    rows: Vec<Row>,
    low: f64,
    high: f64,
    unit: String,
    name_width: i32,
    value_width: i32,
}

impl WaterfallPlot {
    pub(super) fn new(waterfall: &Waterfall) -> Result<Self, Undrawable> {
        let found = waterfall.parts().len();
        if found > LIMIT {
            return Err(Undrawable::TooLarge { found, limit: LIMIT });
        }
        let signed =
            |change: f64| if change > 0.0 { format!("+{}", number::short(change)) } else { number::short(change) };
        let mut rows: Vec<Row> = Vec::with_capacity(found + 2);
        for step in waterfall.steps() {
            let name = font::shorten(&font::visible(step.name), NAME_CHARACTERS);
            rows.push(Row { name, from: step.from, to: step.to, shown: signed(step.to - step.from) });
        }
        if let Some(total) = rows.last_mut() {
            total.shown = number::short(total.to);
        }
        let ends = rows.iter().flat_map(|row| [row.from, row.to]).filter(|value| value.is_finite());
        let (low, high) = ends.fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
        let high = if low < high { high } else { low + 1.0 };
        let longest = |text: &dyn Fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
        let name_width = font::width(longest(&|row| row.name.chars().count()), NAME.size);
        let value_width = font::width(longest(&|row| row.shown.chars().count()), VALUE.size);
        Ok(Self { rows, low, high, unit: font::axis(waterfall.unit()), name_width, value_width })
    }

    /// Where a sum is, from the left end.
    #[expect(clippy::cast_possible_truncation, reason = "it is clamped to the width of a page")]
    fn place(&self, value: f64) -> i32 {
        ((value - self.low) / (self.high - self.low) * f64::from(REACH)).clamp(0.0, f64::from(REACH)).round() as i32
    }

    fn height_of_rows(&self) -> i32 {
        i32::try_from(self.rows.len()).unwrap_or(i32::MAX / PITCH) * PITCH
    }

    fn draw_row(&self, index: usize, canvas: &Canvas, left: i32, middle: i32) -> Result<(), DrawError> {
        let row = &self.rows[index];
        canvas.text(&row.name, Point { x: left - 8, y: middle }, NAME)?;
        canvas.text(&row.shown, Point { x: left + REACH + 10, y: middle }, VALUE)?;
        if !row.from.is_finite() || !row.to.is_finite() {
            return Ok(());
        }
        let (from, to) = (self.place(row.from), self.place(row.to));
        let is_total = index + 1 == self.rows.len();
        let filled = match row.to - row.from {
            _ if is_total => colour::FAINT,
            change if change < 0.0 => colour::diverging(0.12),
            _ => colour::diverging(0.88),
        };
        let corner = Point { x: left + from.min(to), y: middle - THICKNESS / 2 };
        canvas.fill(corner, Size { width: (to - from).abs().max(1), height: THICKNESS }, filled)?;
        if is_total {
            return Ok(());
        }
        let x = left + to;
        canvas.line(Point { x, y: middle }, Point { x, y: middle + PITCH }, colour::RULE)
    }
}

impl Plot for WaterfallPlot {
    fn size(&self) -> Size {
        let width = self.name_width + 8 + REACH + 10 + self.value_width;
        Size { width, height: self.height_of_rows() + AXIS }
    }

    fn draw(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let left = at.x + self.name_width + 8;
        let bottom = at.y + self.height_of_rows();
        let zero = left + self.place(0.0);
        canvas.line(Point { x: zero, y: at.y }, Point { x: zero, y: bottom }, colour::FAINT)?;
        let mut middle = at.y + PITCH / 2;
        for index in 0..self.rows.len() {
            self.draw_row(index, canvas, left, middle)?;
            middle += PITCH;
        }
        canvas.line(Point { x: left, y: bottom }, Point { x: left + REACH, y: bottom }, colour::RULE)?;
        canvas.text("0", Point { x: zero, y: bottom + 13 }, TICK)?;
        canvas.text(&self.unit, Point { x: left + REACH / 2, y: bottom + 30 }, TICK)
    }
}
