//! Bars with their names on the left, their values on the right, and intervals across their ends.

use plotters::style::RGBColor;

use super::canvas::{Anchor, Canvas, DrawError, Point, Size, Type};
use super::{Plot, colour, font, number};
use crate::export::Undrawable;
use crate::figure::{Bars, Scale};

/// More are not told apart on a page.
const LIMIT: usize = 500;
const PITCH: i32 = 20;
const THICKNESS: i32 = 14;
/// The room of the bars themselves.
const REACH: i32 = 420;
/// Room for the numbers below.
const AXIS: i32 = 40;
const NAME_CHARACTERS: usize = 32;
const NAME: Type = Type::new(12, colour::INK, Anchor::End);
const VALUE: Type = Type::new(11, colour::FAINT, Anchor::Start);
const TICK: Type = Type::new(11, colour::FAINT, Anchor::Middle);

/// One bar.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) value: f64,
    /// Its value as people are shown it.
    pub(super) shown: String,
    pub(super) interval: Option<(f64, f64)>,
}

/// Bars, laid out.
pub(super) struct BarPlot {
    rows: Vec<Row>,
    /// What both ends of the axis stand for; the neutral value is inside.
    range: (f64, f64),
    neutral: f64,
    unit: String,
    name_width: i32,
    value_width: i32,
}

impl BarPlot {
    pub(super) fn new(bars: &Bars) -> Result<Self, Undrawable> {
        let row = |bar: &crate::figure::Bar| Row {
            name: bar.label.clone(),
            value: bar.value,
            shown: number::short(bar.value),
            interval: bar.interval,
        };
        Self::of(bars.bars.iter().map(row).collect(), bars.scale, &bars.unit)
    }

    pub(super) fn of(mut rows: Vec<Row>, scale: Scale, unit: &str) -> Result<Self, Undrawable> {
        if rows.is_empty() {
            return Err(Undrawable::Empty);
        }
        if rows.len() > LIMIT {
            return Err(Undrawable::TooLarge { found: rows.len(), limit: LIMIT });
        }
        for row in &mut rows {
            row.name = font::shorten(&font::visible(&row.name), NAME_CHARACTERS);
        }
        let neutral = match scale {
            Scale::Diverging { mid, .. } => f64::from(mid),
            Scale::Probability | Scale::Sequential { .. } => 0.0,
        };
        let longest = |text: &dyn Fn(&Row) -> usize| rows.iter().map(text).max().unwrap_or(0);
        let name_width = font::width(longest(&|row| row.name.chars().count()), NAME.size);
        let value_width = font::width(longest(&|row| row.shown.chars().count()), VALUE.size);
        let range = range(&rows, neutral);
        Ok(Self { rows, range, neutral, unit: font::axis(unit), name_width, value_width })
    }

    /// Where a value is, from the left end of the bars.
    #[expect(clippy::cast_possible_truncation, reason = "it is clamped to the width of a page")]
    fn place(&self, value: f64) -> i32 {
        let (low, high) = self.range;
        ((value - low) / (high - low) * f64::from(REACH)).clamp(0.0, f64::from(REACH)).round() as i32
    }

    /// Two colours only where there are two sides.
    fn colour(&self, value: f64) -> RGBColor {
        if self.range.0 >= self.neutral {
            return colour::sequential(0.65);
        }
        colour::diverging(if value < self.neutral { 0.12 } else { 0.88 })
    }

    fn draw_row(&self, row: &Row, canvas: &Canvas, left: i32, middle: i32) -> Result<(), DrawError> {
        canvas.text(&row.name, Point { x: left - 8, y: middle }, NAME)?;
        canvas.text(&row.shown, Point { x: left + REACH + 10, y: middle }, VALUE)?;
        if row.value.is_nan() {
            return Ok(());
        }
        let (zero, end) = (self.place(self.neutral), self.place(row.value));
        let at = Point { x: left + zero.min(end), y: middle - THICKNESS / 2 };
        canvas.fill(at, Size { width: (end - zero).abs(), height: THICKNESS }, self.colour(row.value))?;
        let Some((low, high)) = row.interval else { return Ok(()) };
        let (low, high) = (left + self.place(low), left + self.place(high));
        canvas.line(Point { x: low, y: middle }, Point { x: high, y: middle }, colour::INK)?;
        for x in [low, high] {
            canvas.line(Point { x, y: middle - 4 }, Point { x, y: middle + 4 }, colour::INK)?;
        }
        Ok(())
    }

    /// The ends of the axis and the neutral value, where they do not run into each other.
    fn draw_axis(&self, canvas: &Canvas, left: i32, top: i32) -> Result<(), DrawError> {
        let bottom = top + self.height_of_bars();
        let ends = [Point { x: left, y: bottom }, Point { x: left + REACH, y: bottom }];
        canvas.line(ends[0], ends[1], colour::RULE)?;
        let zero = left + self.place(self.neutral);
        canvas.line(Point { x: zero, y: top }, Point { x: zero, y: bottom }, colour::FAINT)?;
        let mut taken: Vec<i32> = Vec::new();
        for value in [self.neutral, self.range.1, self.range.0] {
            /// Half of what the widest number takes, twice.
            const APART: i32 = 60;
            let x = left + self.place(value);
            if taken.iter().all(|other| (x - other).abs() >= APART) {
                canvas.line(Point { x, y: bottom }, Point { x, y: bottom + 4 }, colour::RULE)?;
                canvas.text(&number::short(value), Point { x, y: bottom + 13 }, TICK)?;
                taken.push(x);
            }
        }
        canvas.text(&self.unit, Point { x: left + REACH / 2, y: bottom + 30 }, TICK)
    }

    fn height_of_bars(&self) -> i32 {
        i32::try_from(self.rows.len()).unwrap_or(i32::MAX / PITCH) * PITCH
    }
}

/// From the smallest to the largest value, the neutral one and all intervals included.
fn range(rows: &[Row], neutral: f64) -> (f64, f64) {
    let ends = rows.iter().flat_map(|row| {
        let (low, high) = row.interval.unwrap_or((row.value, row.value));
        [row.value, low, high]
    });
    let finite = ends.filter(|value| value.is_finite()).chain([neutral]);
    let (low, high) = finite.fold((neutral, neutral), |(low, high), value| (low.min(value), high.max(value)));
    if low < high { (low, high) } else { (low, low + 1.0) }
}

impl Plot for BarPlot {
    fn size(&self) -> Size {
        let width = self.name_width + 8 + REACH + 10 + self.value_width;
        Size { width, height: self.height_of_bars() + AXIS }
    }

    fn draw(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let left = at.x + self.name_width + 8;
        let mut middle = at.y + PITCH / 2;
        for row in &self.rows {
            self.draw_row(row, canvas, left, middle)?;
            middle += PITCH;
        }
        self.draw_axis(canvas, left, at.y)
    }
}
