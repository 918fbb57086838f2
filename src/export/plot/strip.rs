//! A text in its tokens, each on the colour of its value, wrapped as a text is.

use super::canvas::{Anchor, Canvas, DrawError, Point, Size, Type};
use super::{Plot, colour, font, number};
use crate::export::Undrawable;
use crate::figure::{Piece, Scale, Strip};

/// More than this is no picture but a book.
const LIMIT: usize = 20_000;
const WIDTH: i32 = 900;
/// From line to line: a token, its value below it, a gap.
const PITCH: i32 = 40;
const HEIGHT: i32 = 20;
const PAD: i32 = 4;
const CHARACTERS: usize = 32;
const TEXT: Type = Type::new(12, colour::INK, Anchor::Middle);
const VALUE: Type = Type::new(9, colour::FAINT, Anchor::Middle);

/// A token with its place.
struct Placed {
    text: String,
    value: Option<f64>,
    at: Point,
    width: i32,
}

/// Tokens, laid out.
pub(super) struct StripPlot {
    pieces: Vec<Placed>,
    scale: Scale,
    unit: String,
    height: i32,
}

impl StripPlot {
    pub(super) fn new(strip: &Strip) -> Result<Self, Undrawable> {
        match strip.pieces.len() {
            0 => return Err(Undrawable::Empty),
            found if found > LIMIT => return Err(Undrawable::TooLarge { found, limit: LIMIT }),
            _ => {}
        }
        let mut next = Point { x: 0, y: 0 };
        let mut pieces = Vec::with_capacity(strip.pieces.len());
        for piece in &strip.pieces {
            let placed = place(piece, next);
            next = Point { x: placed.at.x + placed.width + 2, y: placed.at.y };
            pieces.push(placed);
        }
        Ok(Self { pieces, scale: strip.scale, unit: font::axis(&strip.unit), height: next.y + PITCH })
    }
}

/// Behind the token before it, or on the next line.
fn place(piece: &Piece, next: Point) -> Placed {
    let text = font::shorten(&font::visible(&piece.text), CHARACTERS);
    let value = piece.value.map_or(0, |value| number::short(value).chars().count());
    let width = font::width(text.chars().count(), TEXT.size).max(font::width(value, VALUE.size)) + 2 * PAD;
    let at = if next.x > 0 && next.x + width > WIDTH { Point { x: 0, y: next.y + PITCH } } else { next };
    Placed { text, value: piece.value, at, width }
}

impl Plot for StripPlot {
    fn size(&self) -> Size {
        Size { width: WIDTH, height: self.height + 20 }
    }

    fn draw(&self, canvas: &Canvas, at: Point) -> Result<(), DrawError> {
        for piece in &self.pieces {
            #[expect(clippy::cast_possible_truncation, reason = "a colour has fewer steps than an f32")]
            let background = piece.value.map_or(colour::PAPER, |value| colour::of(self.scale, value as f32));
            let corner = Point { x: at.x + piece.at.x, y: at.y + piece.at.y };
            canvas.fill(corner, Size { width: piece.width, height: HEIGHT }, background)?;
            let middle = corner.x + piece.width / 2;
            let kind = Type { colour: colour::text_on(background), ..TEXT };
            canvas.text(&piece.text, Point { x: middle, y: corner.y + HEIGHT / 2 }, kind)?;
            if let Some(value) = piece.value {
                canvas.text(&number::short(value), Point { x: middle, y: corner.y + HEIGHT + 7 }, VALUE)?;
            }
        }
        let below = Point { x: at.x, y: at.y + self.height + 6 };
        let told = format!("below each token: {}", self.unit);
        canvas.text(&told, below, Type { anchor: Anchor::Start, ..VALUE })
    }
}
