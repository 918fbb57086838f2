//! Counts as columns that grow from the bottom.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::line;
use crate::tui::layout::{cells, part};

/// Eighths of a row.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The counts in at most `columns` columns; neighbours are added up where there are more.
pub(in crate::tui) fn merged(counts: &[u64], columns: usize) -> Vec<u64> {
    let together = counts.len().div_ceil(columns.max(1)).max(1);
    counts.chunks(together).map(|chunk| chunk.iter().sum()).collect()
}

/// Draws a column for each count, the largest as high as the area. What is there at all is seen.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some rows")]
pub(in crate::tui) fn render(counts: &[u64], style: Style, area: Rect, buffer: &mut Buffer) {
    let counts = merged(counts, usize::from(area.width));
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let steps = usize::from(area.height) * 8;
    for (column, &count) in counts.iter().enumerate() {
        let share = (count as f64 / most as f64 * steps as f64).round() as usize;
        let filled = if count > 0 { share.max(1) } else { 0 };
        for row in 0..area.height {
            let below = usize::from(area.height - 1 - row) * 8;
            let glyph = EIGHTHS[filled.saturating_sub(below).min(8)];
            line(buffer, part(area, cells(column), row, 1, 1), 0, glyph.encode_utf8(&mut [0; 4]), style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_added_up() {
        assert_eq!(merged(&[1, 2, 3, 4], 4), [1, 2, 3, 4]);
        assert_eq!(merged(&[1, 2, 3, 4], 3), [3, 7]);
        assert_eq!(merged(&[1, 2, 3], 1), [6]);
        assert_eq!(merged(&[1], 0), [1]);
    }

    #[test]
    fn the_largest_fills_the_height_and_the_smallest_is_seen() {
        let area = Rect::new(0, 0, 3, 2);
        let mut buffer = Buffer::empty(area);
        render(&[100, 1, 0], Style::new(), area, &mut buffer);
        let rows: Vec<String> = (0..2).map(|y| (0..3).map(|x| buffer[(x, y)].symbol()).collect()).collect();
        assert_eq!(rows, ["█  ", "█▁ "]);
    }
}
