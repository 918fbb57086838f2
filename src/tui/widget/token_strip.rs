//! Tokens in reading order, wrapped, with one selected.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use super::line;
use crate::tui::action::{Action, Move};
use crate::tui::layout::{cells, part};
use crate::tui::mouse::Hits;
use crate::tui::text::width;
use crate::tui::theme::Theme;

/// Where each token starts when wrapped: row, column.
fn places(tokens: &[String], columns: usize) -> Vec<(usize, usize)> {
    let (mut row, mut column) = (0, 0);
    let mut out = Vec::with_capacity(tokens.len());
    for token in tokens {
        let wide = width(token).min(columns);
        if column > 0 && column + wide > columns {
            (row, column) = (row + 1, 0);
        }
        out.push((row, column));
        column += wide + 1;
    }
    out
}

/// Rows the tokens take.
pub(in crate::tui) fn rows(tokens: &[String], columns: u16) -> u16 {
    places(tokens, usize::from(columns)).last().map_or(1, |(row, _)| cells(row + 1))
}

/// Draws the rows around the selected token; tokens with a share of a scale are coloured by it.
pub(in crate::tui) fn render(
    tokens: &[String],
    (selected, tints): (Option<usize>, &[Option<f32>]),
    (theme, hits): (Theme, &Hits),
    area: Rect,
    buffer: &mut Buffer,
) {
    let places = places(tokens, usize::from(area.width));
    let last = places.last().map_or(0, |place| place.0);
    let at = selected.and_then(|at| places.get(at)).map_or(last, |place| place.0);
    let room = usize::from(area.height);
    let top = crate::tui::layout::first_visible(at, last + 1, room);
    for (index, (token, (row, column))) in tokens.iter().zip(places).enumerate() {
        if row < top || row >= top + room {
            continue;
        }
        let style = match selected {
            Some(at) if at == index => theme.selected(),
            Some(_) | None => match tints.get(index).copied().flatten() {
                Some(share) => theme.heat(share).add_modifier(Modifier::UNDERLINED),
                None => Style::new().add_modifier(Modifier::UNDERLINED),
            },
        };
        let place = part(area, cells(column), cells(row - top), area.width.saturating_sub(cells(column)), 1);
        let wide = line(buffer, place, 0, token, style);
        if let Some(share) = tints.get(index).copied().flatten() {
            let gap = part(place, wide, 0, 1, 1);
            line(buffer, gap, 0, theme.mark(share).encode_utf8(&mut [0; 4]), Style::new());
        }
        hits.on(Rect { width: wide, ..place }, &[Action::Position(Move::To(index))]);
    }
}
