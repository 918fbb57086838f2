//! Parts that several views draw. A widget gets all it shows as arguments and keeps nothing.

pub(super) mod bars;
pub(super) mod chain;
pub(super) mod diverging;
pub(super) mod head_grid;
pub(super) mod heatmap;
pub(super) mod histogram;
pub(super) mod lines;
pub(super) mod prompt_input;
pub(super) mod table;
pub(super) mod token_strip;
pub(super) mod value_grid;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::text::cut;

/// Writes a line at a row of an area, cut to fit; answers the columns it took.
pub(super) fn line(buffer: &mut Buffer, area: Rect, row: u16, text: &str, style: Style) -> u16 {
    spans(buffer, area, row, &[(text, style)])
}

/// Writes pieces of a line, one after the other.
pub(super) fn spans(buffer: &mut Buffer, area: Rect, row: u16, pieces: &[(&str, Style)]) -> u16 {
    if row >= area.height {
        return 0;
    }
    let mut x = area.x;
    for (text, style) in pieces {
        let room = usize::from(area.right().saturating_sub(x));
        (x, _) = buffer.set_stringn(x, area.y + row, cut(text, room), room, *style);
    }
    x - area.x
}
