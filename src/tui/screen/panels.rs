//! Draws the panels: each under a line that says what it shows, unless there is one that follows.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use crate::tui::action::{Action, Move};
use crate::tui::app::State;
use crate::tui::keymap::Context;
use crate::tui::layout::part;
use crate::tui::mouse::Hits;
use crate::tui::panel::Panel;
use crate::tui::panels::Seen;
use crate::tui::text::{cut, width};
use crate::tui::widget::{line, spans};

pub(super) fn render(state: &State, (note, hits): (&str, &Hits), area: Rect, buffer: &mut Buffer) {
    let panels = state.panels();
    let seen = panels.seen(area);
    if seen == Seen::Only && panels.focused().pinned().is_none() {
        panels.focused().view().render(&state.scene(note, hits), area, buffer);
        return;
    }
    let (places, lines) = panels.places(area);
    for (at, place) in places {
        hits.on(place, &[Action::Panel(Move::To(panels.number(at)))]);
        let panel = panels.get(at);
        title(state, at, &remark(state, seen, panel), place, buffer);
        let body = part(place, 0, 1, place.width, place.height.saturating_sub(1));
        panel.view().render(&state.scene_of(panel, note, hits), body, buffer);
    }
    for place in lines {
        for row in 0..place.height {
            line(buffer, place, row, "│", state.theme().faint());
        }
    }
}

/// What is to be said of a panel besides its view.
fn remark(state: &State, seen: Seen, panel: &Panel) -> String {
    let panels = state.panels();
    let of = || format!("panel {} of {}", panels.number(panels.focus()) + 1, panels.len());
    let alone = match seen {
        Seen::Only | Seen::All => String::new(),
        Seen::Maximised => format!("{}, {} shows all", of(), state.keymap().way(Context::Global, Action::Maximise)),
        Seen::NoRoom => format!("{}, no room for all: enlarge the window", of()),
    };
    let pinned = panel.pinned().map_or_else(String::new, |pinned| pinned.of.clone());
    [alone, pinned].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// The line over a panel: heavy, with a mark, over the one that takes keys.
fn title(state: &State, at: usize, remark: &str, area: Rect, buffer: &mut Buffer) {
    let (theme, panels) = (state.theme(), state.panels());
    let is_focused = at == panels.focus();
    let name = format!(" {} ", panels.get(at).view().name().title());
    let (mark, rule, style, rest) = if is_focused {
        ("▶", "━", theme.selected(), theme.title())
    } else {
        ("─", "─", Style::new(), theme.faint())
    };
    let room = usize::from(area.width).saturating_sub(width(mark) + width(&name) + 2);
    let remark = if remark.is_empty() { String::new() } else { format!(" {} ", cut(remark, room)) };
    let fill = rule.repeat(room.saturating_sub(width(&remark)) + 2);
    spans(buffer, area, 0, &[(mark, rest), (&name, style), (&remark, theme.notice()), (&fill, rest)]);
}
