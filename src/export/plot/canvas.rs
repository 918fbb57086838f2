//! Rectangles, lines and texts on a picture: the little of plotters that figures need.

use std::io;

use plotters::backend::SVGBackend;
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind, IntoDrawingArea as _};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color as _, FontTransform, IntoFont as _, RGBColor, ShapeStyle, TextStyle};

use super::font;

pub(super) type DrawError = DrawingAreaErrorKind<io::Error>;

/// A width and a height, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: i32,
    pub(super) height: i32,
}

/// A place, in pixels from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) x: i32,
    pub(super) y: i32,
}

/// Which end of a text is at its place; in height it is always the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Which way a text runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Across,
    Upwards,
}

/// How a text looks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    pub(super) size: i32,
    pub(super) colour: RGBColor,
    pub(super) anchor: Anchor,
    pub(super) direction: Direction,
}

impl Type {
    pub(super) const fn new(size: i32, colour: RGBColor, anchor: Anchor) -> Self {
        Self { size, colour, anchor, direction: Direction::Across }
    }

    pub(super) const fn upwards(self) -> Self {
        Self { direction: Direction::Upwards, ..self }
    }
}

/// A picture that is being drawn.
pub(super) struct Canvas<'a> {
    area: DrawingArea<SVGBackend<'a>, Shift>,
}

impl<'a> Canvas<'a> {
    /// An empty picture whose SVG goes to `svg`.
    pub(super) fn new(svg: &'a mut String, size: Size) -> Self {
        let size = (size.width.unsigned_abs(), size.height.unsigned_abs());
        Self { area: SVGBackend::with_string(svg, size).into_drawing_area() }
    }

    /// A filled rectangle.
    pub(super) fn fill(&self, at: Point, size: Size, colour: RGBColor) -> Result<(), DrawError> {
        self.area.draw(&Rectangle::new(corners(at, size), colour.filled()))
    }

    /// The outline of a rectangle.
    pub(super) fn frame(&self, at: Point, size: Size, colour: RGBColor) -> Result<(), DrawError> {
        self.area.draw(&Rectangle::new(corners(at, size), ShapeStyle::from(colour)))
    }

    /// A line.
    pub(super) fn line(&self, from: Point, to: Point, colour: RGBColor) -> Result<(), DrawError> {
        self.area.draw(&PathElement::new(vec![(from.x, from.y), (to.x, to.y)], ShapeStyle::from(colour)))
    }

    /// A line through points, twice as thick.
    pub(super) fn path(&self, points: &[Point], colour: RGBColor) -> Result<(), DrawError> {
        let points: Vec<(i32, i32)> = points.iter().map(|point| (point.x, point.y)).collect();
        self.area.draw(&PathElement::new(points, ShapeStyle::from(colour).stroke_width(2)))
    }

    /// A small disc.
    pub(super) fn dot(&self, at: Point, colour: RGBColor) -> Result<(), DrawError> {
        self.area.draw(&Circle::new((at.x, at.y), 3, colour.filled()))
    }

    /// The area inside an outline, through which what lies below is seen.
    pub(super) fn area(&self, outline: &[Point], colour: RGBColor) -> Result<(), DrawError> {
        let points: Vec<(i32, i32)> = outline.iter().map(|point| (point.x, point.y)).collect();
        self.area.draw(&Polygon::new(points, colour.mix(0.18).filled()))
    }

    /// A text on one line.
    pub(super) fn text(&self, text: &str, at: Point, kind: Type) -> Result<(), DrawError> {
        /// plotters writes a font's size divided by this.
        const OF_PLOTTERS: f64 = 1.24;
        let position = match kind.anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let transform = match kind.direction {
            Direction::Across => FontTransform::None,
            Direction::Upwards => FontTransform::Rotate270,
        };
        let font = (font::FAMILY, f64::from(kind.size) * OF_PLOTTERS).into_font().transform(transform);
        let style = TextStyle::from(font).color(&kind.colour).pos(Pos::new(position, VPos::Center));
        self.area.draw(&Text::new(font::visible(text), (at.x, at.y), style))
    }

    /// Ends the picture.
    pub(super) fn finish(&self) -> Result<(), DrawError> {
        self.area.present()
    }
}

const fn corners(at: Point, size: Size) -> [(i32, i32); 2] {
    [(at.x, at.y), (at.x + size.width, at.y + size.height)]
}
