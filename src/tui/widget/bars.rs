//! Candidates as rows: rank, token, bar, probability, logit.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::spans;
use crate::engine::Candidate;
use crate::figure::Scale;
use crate::tui::text::{fit, width};
use crate::tui::theme::Theme;

/// Candidates and what is special about some.
pub(in crate::tui) struct CandidateBars<'a> {
    pub(in crate::tui) candidates: &'a [Candidate],
    /// The one chosen, counted from the first shown.
    pub(in crate::tui) chosen: usize,
    pub(in crate::tui) marks: Marks,
    pub(in crate::tui) theme: Theme,
}

/// Tokens that are marked.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::tui) struct Marks {
    /// What is asked about: A.
    pub(in crate::tui) token: Option<u32>,
    /// What A is compared with: B.
    pub(in crate::tui) rival: Option<u32>,
    /// The token that follows in the prompt.
    pub(in crate::tui) actual: Option<u32>,
}

impl Marks {
    pub(in crate::tui) fn of(self, id: u32) -> &'static str {
        let is = |mark: Option<u32>| mark == Some(id);
        match (is(self.token), is(self.rival), is(self.actual)) {
            (true, _, true) => " A◀",
            (true, _, false) => " A",
            (false, true, true) => " B◀",
            (false, true, false) => " B",
            (false, false, true) => " ◀",
            (false, false, false) => "",
        }
    }
}

/// Eighths of a column.
const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
/// Columns of rank, probability, logit and marks.
const FIXED: u16 = 4 + 9 + 8 + 3;
/// Columns of the model's own probability, where interventions change it.
const BASE: u16 = 9;
/// Columns of a logit, of which FIXED has room.
const LOGIT: u16 = 8;

impl CandidateBars<'_> {
    /// The headings and one row a candidate.
    pub(in crate::tui) fn render(&self, area: Rect, buffer: &mut Buffer) {
        let label = self.label_width(area.width);
        let has_base = self.candidates.iter().any(|candidate| candidate.base.is_some());
        let fixed = if has_base { FIXED + BASE } else { FIXED };
        let needed = usize::from(fixed) + label + 2;
        // probabilities and marks come before the logit where there is no room for all
        let logit = if has_base && usize::from(area.width) < needed { 0 } else { usize::from(LOGIT) };
        let bar = usize::from(area.width.saturating_sub(fixed - LOGIT)).saturating_sub(logit + label + 1);
        let base = if has_base { "     base" } else { "" };
        let name = fit(&format!("{:>8}", "logit"), logit);
        let head = format!("{:>4} {} {}{base}{:>9}{name}", "rank", fit("token", label), " ".repeat(bar), "prob");
        super::line(buffer, area, 0, head.trim_end(), self.theme.faint());
        for (row, candidate) in (0..area.height.saturating_sub(1)).zip(self.candidates) {
            self.row(area, row, candidate, (label, bar, logit), buffer);
        }
    }

    fn label_width(&self, columns: u16) -> usize {
        let widest = self.candidates.iter().map(|candidate| width(&candidate.visible)).max().unwrap_or(0);
        widest.clamp(6, usize::from(columns / 4).max(6))
    }

    fn row(
        &self,
        area: Rect,
        row: u16,
        candidate: &Candidate,
        (label, bar, logit): (usize, usize, usize),
        buffer: &mut Buffer,
    ) {
        let theme = self.theme;
        let is_chosen = usize::from(row) == self.chosen;
        let follows = self.marks.actual == Some(candidate.id);
        let token = match (is_chosen, follows) {
            (true, _) => theme.selected(),
            (false, true) => theme.notice(),
            (false, false) => ratatui::style::Style::new(),
        };
        let share = Scale::Probability.share(to_f32(candidate.prob));
        let rank = format!("{:>4} ", candidate.rank);
        let prob = format!("{:>8.3}%", candidate.prob * 100.0);
        let base = candidate.base.map_or_else(String::new, |base| format!("{:>8.3}%", base * 100.0));
        let logit = fit(&format!("{:>8.2}", candidate.logit), logit);
        let pieces = [
            (rank.as_str(), theme.faint()),
            (&fit(&candidate.visible, label), token),
            (" ", theme.faint()),
            (&bar_text(share, bar, theme), theme.bar(share)),
            (&base, theme.faint()),
            (&prob, ratatui::style::Style::new()),
            (&logit, theme.faint()),
            (self.marks.of(candidate.id), theme.notice()),
        ];
        spans(buffer, area, row + 1, &pieces);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a probability")]
const fn to_f32(value: f64) -> f32 {
    value as f32
}

/// A bar of a share, in exactly `columns` columns.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of some columns")]
pub(in crate::tui) fn bar_text(share: f32, columns: usize, theme: Theme) -> String {
    let eighths = (share * (columns * 8) as f32).round() as usize;
    let end = if theme.is_shaded() && eighths == 0 && share > 0.0 { "▏" } else { EIGHTHS[eighths % 8] };
    fit(&format!("{}{end}", "█".repeat(eighths / 8)), columns)
}
