//! Lines over one axis, with bands around them and their names beside them.

use plotters::style::RGBColor;

use super::canvas::{Anchor, Canvas, DrawError, Point, Size, Type};
use super::{Plot, colour, font, number};
use crate::export::Undrawable;
use crate::figure::{Column, Line, Lines, Mark};

/// More are not told apart.
const MOST_LINES: usize = 8;
const MOST_MARKS: usize = 20_000;
const WIDTH: i32 = 560;
const HEIGHT: i32 = 320;
const BELOW: i32 = 42;
const NAME_CHARACTERS: usize = 32;
const PITCH: i32 = 18;
const TICK: Type = Type::new(11, colour::FAINT, Anchor::Middle);
const NAME: Type = Type::new(11, colour::INK, Anchor::Start);

/// Lines, laid out.
pub(super) struct LinePlot {
    lines: Vec<Line>,
    x: Axis,
    y: Axis,
}

/// One side with its numbers, the first and the last of which are its ends.
struct Axis {
    name: String,
    ticks: Vec<f64>,
    low: f64,
    high: f64,
}

impl Axis {
    fn new(column: &Column, values: impl Iterator<Item = f64>) -> Self {
        let ends = values.filter(|value| value.is_finite());
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let ticks = number::ticks(low, high);
        let (low, high) = (ticks[0], ticks[ticks.len() - 1]);
        Self { name: font::axis(&column.with_unit()), ticks, low, high }
    }

    /// Where a value is, from the low end.
    #[expect(clippy::cast_possible_truncation, reason = "it is clamped to the width of a page")]
    fn place(&self, value: f64, room: i32) -> i32 {
        ((value - self.low) / (self.high - self.low) * f64::from(room)).clamp(0.0, f64::from(room)).round() as i32
    }

    /// The width of the widest number.
    fn width(&self) -> i32 {
        font::width(self.ticks.iter().map(|tick| number::short(*tick).chars().count()).max().unwrap_or(0), TICK.size)
    }
}

impl LinePlot {
    pub(super) fn new(lines: &Lines) -> Result<Self, Undrawable> {
        let marks = || lines.lines.iter().flat_map(|line| &line.marks);
        let found = marks().count();
        match found {
            0 => return Err(Undrawable::Empty),
            _ if found > MOST_MARKS => return Err(Undrawable::TooLarge { found, limit: MOST_MARKS }),
            _ if lines.lines.len() > MOST_LINES => {
                return Err(Undrawable::TooManyLines { found: lines.lines.len(), limit: MOST_LINES });
            }
            _ => {}
        }
        let x = Axis::new(&lines.x, marks().map(|mark| mark.x));
        let ends = |mark: &Mark| {
            let (low, high) = mark.band.unwrap_or((mark.y, mark.y));
            [mark.y, low, high]
        };
        let y = Axis::new(&lines.y, marks().flat_map(ends));
        let shown = |line: &Line| Line {
            name: font::shorten(&font::visible(&line.name), NAME_CHARACTERS),
            marks: line.marks.iter().filter(|mark| mark.x.is_finite() && mark.y.is_finite()).copied().collect(),
        };
        Ok(Self { lines: lines.lines.iter().map(shown).collect(), x, y })
    }

    fn left(&self) -> i32 {
        self.y.width() + 10 + PITCH
    }

    fn names_width(&self) -> i32 {
        let longest = self.lines.iter().map(|line| line.name.chars().count()).max().unwrap_or(0);
        24 + font::width(longest, NAME.size)
    }

    /// Where a mark is.
    fn point(&self, at: Point, x: f64, y: f64) -> Point {
        Point { x: at.x + self.x.place(x, WIDTH), y: at.y + HEIGHT - self.y.place(y, HEIGHT) }
    }

    fn draw_axes(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let bottom = at.y + HEIGHT;
        for &tick in &self.y.ticks {
            let y = bottom - self.y.place(tick, HEIGHT);
            canvas.line(Point { x: at.x, y }, Point { x: at.x + WIDTH, y }, colour::GRID)?;
            canvas.text(&number::short(tick), Point { x: at.x - 8, y }, Type { anchor: Anchor::End, ..TICK })?;
        }
        for &tick in &self.x.ticks {
            let x = at.x + self.x.place(tick, WIDTH);
            canvas.line(Point { x, y: bottom }, Point { x, y: bottom + 4 }, colour::RULE)?;
            canvas.text(&number::short(tick), Point { x, y: bottom + 14 }, TICK)?;
        }
        canvas.line(Point { x: at.x, y: bottom }, Point { x: at.x + WIDTH, y: bottom }, colour::RULE)?;
        canvas.text(&self.x.name, Point { x: at.x + WIDTH / 2, y: bottom + 32 }, TICK)?;
        let beside = Point { x: at.x - self.left() + PITCH / 2, y: at.y + HEIGHT / 2 };
        let room = font::fit(HEIGHT, TICK.size);
        canvas.text(&font::shorten(&self.y.name, room), beside, TICK.upwards())
    }

    fn draw_band(&self, canvas: &Canvas, at: Point, line: &Line, colour: RGBColor) -> Result<(), DrawError> {
        let banded = || line.marks.iter().filter_map(|mark| mark.band.map(|band| (mark.x, band)));
        let upper = banded().map(|(x, (_, high))| self.point(at, x, high));
        let lower: Vec<Point> = banded().map(|(x, (low, _))| self.point(at, x, low)).collect();
        let outline: Vec<Point> = upper.chain(lower.into_iter().rev()).collect();
        match outline[..] {
            [] => Ok(()),
            // a single mark has no area
            [high, low] => canvas.path(&[high, low], colour),
            _ => canvas.area(&outline, colour),
        }
    }

    fn draw_line(&self, canvas: &Canvas, at: Point, line: &Line, colour: RGBColor) -> Result<(), DrawError> {
        /// More would run into each other.
        const DOTS: usize = 60;
        let points: Vec<Point> = line.marks.iter().map(|mark| self.point(at, mark.x, mark.y)).collect();
        canvas.path(&points, colour)?;
        if points.len() <= DOTS {
            for point in points {
                canvas.dot(point, colour)?;
            }
        }
        Ok(())
    }
}

impl Plot for LinePlot {
    fn size(&self) -> Size {
        Size { width: self.left() + WIDTH + self.names_width(), height: 8 + HEIGHT + BELOW }
    }

    fn draw(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        let at = Point { x: at.x + self.left(), y: at.y + 8 };
        self.draw_axes(canvas, at)?;
        for (line, colour) in self.lines.iter().zip(colour::LINES) {
            self.draw_band(canvas, at, line, colour)?;
        }
        let mut name = Point { x: at.x + WIDTH + 24, y: at.y + PITCH / 2 };
        for (line, colour) in self.lines.iter().zip(colour::LINES) {
            self.draw_line(canvas, at, line, colour)?;
            canvas.dot(Point { x: name.x - 10, y: name.y }, colour)?;
            canvas.text(&line.name, name, NAME)?;
            name.y += PITCH;
        }
        Ok(())
    }
}
