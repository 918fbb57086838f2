//! Where the parts of the screen are.

use ratatui::layout::Rect;

/// The smallest screen there is room on: columns, rows.
pub const MINIMUM: (u16, u16) = (40, 10);

/// The parts of the screen, from the top.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Areas {
    /// Model and views.
    pub header: Rect,
    /// The prompt as tokens, or being edited.
    pub prompt: Rect,
    /// The view.
    pub body: Rect,
    /// What to press next.
    pub footer: Rect,
}

/// Whether the screen is large enough.
pub const fn is_enough(area: Rect) -> bool {
    area.width >= MINIMUM.0 && area.height >= MINIMUM.1
}

/// Whether there is room for more than what is needed.
const fn is_roomy(area: Rect) -> bool {
    area.height >= 18
}

/// Divides the screen; `prompt_rows` are wanted for the prompt.
pub fn areas(area: Rect, prompt_rows: u16) -> Areas {
    let header = if is_roomy(area) { 2 } else { 1 };
    let gap = u16::from(is_roomy(area));
    let prompt = prompt_rows.clamp(1, (area.height / 5).max(1));
    let row = |y: u16, height: u16| Rect { x: area.x, y: area.y + y, width: area.width, height };
    let top = header + prompt + 2 * gap;
    Areas {
        header: row(0, header),
        prompt: row(header + gap, prompt),
        body: row(top, area.height.saturating_sub(top + 1)),
        footer: row(area.height.saturating_sub(1), 1),
    }
}

/// A part of an area.
pub(super) fn part(area: Rect, x: u16, y: u16, width: u16, height: u16) -> Rect {
    Rect { x: area.x.saturating_add(x), y: area.y.saturating_add(y), width, height }.intersection(area)
}

/// A box in the middle.
pub(super) fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// The first of `len` items shown in `room`, so that `at` is among them, near the middle.
pub(super) fn first_visible(at: usize, len: usize, room: usize) -> usize {
    at.saturating_sub(room / 2).min(len.saturating_sub(room))
}

/// So many steps from a place in a list of `len`, round and round.
pub(super) fn wrapped(at: usize, steps: isize, len: usize) -> usize {
    let len = isize::try_from(len).unwrap_or(isize::MAX).max(1);
    let at = isize::try_from(at).unwrap_or(0).saturating_add(steps).rem_euclid(len);
    at.unsigned_abs()
}

/// A count of cells as the terminal counts them.
pub(super) fn cells(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}
