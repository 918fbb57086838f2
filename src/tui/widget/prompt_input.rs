//! One line of text being edited, scrolled so that its cursor is seen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use tui_input::Input;
use unicode_width::UnicodeWidthChar as _;

use super::spans;
use crate::tui::text::one_line;
use crate::tui::theme::Theme;

/// Draws the line after a mark that says what it is.
pub(in crate::tui) fn render(mark: &str, input: &Input, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let text: Vec<char> = one_line(input.value()).chars().collect();
    let room = usize::from(area.width).saturating_sub(mark.len() + 1);
    let cursor = input.cursor().min(text.len());
    let before = tail(&text[..cursor], room);
    let under: String = text.get(cursor).map_or_else(|| " ".into(), char::to_string);
    let after: String = text.iter().skip(cursor + 1).collect();
    let pieces =
        [(mark, theme.title()), (before.as_str(), Style::new()), (&under, theme.selected()), (&after, Style::new())];
    spans(buffer, area, 0, &pieces);
}

/// The longest end of a text that fits.
fn tail(text: &[char], columns: usize) -> String {
    let mut taken = 0;
    let fits = |c: &&char| {
        taken += c.width().unwrap_or(0);
        taken <= columns
    };
    let n = text.iter().rev().take_while(fits).count();
    text[text.len() - n..].iter().collect()
}
