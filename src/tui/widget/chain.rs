//! The vocabulary on its way through the sampling chain: a column a step, and a line where it is cut.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::bars::{Marks, bar_text};
use super::{line, spans};
use crate::engine::{Chain, Link};
use crate::figure::Scale;
use crate::tui::layout::first_visible;
use crate::tui::text::{fit, width};
use crate::tui::theme::Theme;

/// Every token, with one chosen.
pub(in crate::tui) struct ChainRows<'a> {
    pub(in crate::tui) chain: &'a Chain,
    pub(in crate::tui) chosen: usize,
    pub(in crate::tui) marks: Marks,
    pub(in crate::tui) theme: Theme,
}

/// Columns of rank, three probabilities, the reason of a cut, and marks.
const FIXED: usize = 7 + 3 * 10 + 8 + 3;

impl ChainRows<'_> {
    /// The headings and one row a token.
    pub(in crate::tui) fn render(&self, area: Rect, buffer: &mut Buffer) {
        let n = self.chain.links.len();
        let (line_at, lines) = if self.chain.n_kept < n { (self.chain.n_kept, 1) } else { (n, 0) };
        let chosen = self.chosen + usize::from(self.chosen >= line_at);
        let room = usize::from(area.height.saturating_sub(1));
        let top = first_visible(chosen, n + lines, room);
        let shown: Vec<usize> = (top..n + lines).take(room).collect();
        let widest = shown.iter().filter_map(|&at| self.link(at, line_at)).map(|link| width(&link.candidate.visible));
        let free = usize::from(area.width).saturating_sub(FIXED);
        let label = widest.max().unwrap_or(0).clamp(6, (free / 2).max(6));
        let bar = free.saturating_sub(label + 1);
        let head = format!(
            "{:>6} {}{}{:>10}{:>10}{:>8}{:>10}",
            "rank",
            fit("token", label),
            " ".repeat(bar + 1),
            "prob",
            "tempered",
            "cut by",
            "final"
        );
        line(buffer, area, 0, &head, self.theme.faint());
        for (row, at) in (1..).zip(shown) {
            match self.link(at, line_at) {
                Some(link) => self.row(link, at == chosen, (label, bar), (area, row), buffer),
                None => self.cut(area, row, buffer),
            }
        }
    }

    /// The token in a row; nothing in the row of the line.
    fn link(&self, at: usize, line_at: usize) -> Option<&Link> {
        let links = &self.chain.links;
        if at == line_at { None } else { links.get(at - usize::from(at > line_at)) }
    }

    fn cut(&self, area: Rect, row: u16, buffer: &mut Buffer) {
        let n = self.chain.links.len() - self.chain.n_kept;
        let text = format!(
            "── {} kept, {n} cut: {:.2}% of the tempered probability ",
            self.chain.n_kept,
            self.chain.cut * 100.0
        );
        let rest = usize::from(area.width).saturating_sub(width(&text));
        line(buffer, area, row, &format!("{text}{}", "─".repeat(rest)), self.theme.notice());
    }

    #[expect(clippy::cast_possible_truncation, reason = "a probability")]
    fn row(
        &self,
        link: &Link,
        is_chosen: bool,
        (label, bar): (usize, usize),
        (area, row): (Rect, u16),
        buffer: &mut Buffer,
    ) {
        let theme = self.theme;
        let candidate = &link.candidate;
        let style = match (is_chosen, link.cut_by) {
            (true, _) => theme.selected(),
            (false, None) => Style::new(),
            (false, Some(_)) => theme.faint(),
        };
        let share = Scale::Probability.share(candidate.prob as f32);
        let percent = |prob: f64| format!("{:>9.3}%", prob * 100.0);
        let reason = link.cut_by.map_or_else(String::new, |filter| filter.to_string());
        let last = if link.cut_by.is_none() { percent(link.chosen) } else { " ".repeat(10) };
        let pieces = [
            (format!("{:>6} ", candidate.rank), theme.faint()),
            (fit(&candidate.visible, label), style),
            (" ".to_owned(), Style::new()),
            (bar_text(share, bar, theme), theme.bar(share)),
            (percent(candidate.prob), Style::new()),
            (percent(link.scaled), theme.faint()),
            (format!("{reason:>8}"), theme.notice()),
            (last, Style::new()),
            (self.marks.of(candidate.id).to_owned(), theme.notice()),
        ];
        let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
        spans(buffer, area, row, &pieces);
    }
}
