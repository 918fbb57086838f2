//! A few lines to read: what was chosen and how it is run.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use super::{Overlay, Wish, boxed};
use crate::tui::Offer;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::session::Session;
use crate::tui::text::{one_line, wrap};
use crate::tui::view::Scene;

/// A heading, a sentence and a line to copy.
#[derive(Debug)]
pub struct NoticeOverlay {
    title: String,
    about: String,
    command: String,
}

impl NoticeOverlay {
    /// How an offer is run on this model and text.
    pub fn offer(offer: &Offer, model: &str, text: &str) -> Self {
        let command = offer.command.replace("{prompt}", &quoted(text)).replace("{model}", &quoted(model));
        Self { title: format!("{} {}", offer.kind, offer.name), about: offer.about.clone(), command }
    }
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

impl Overlay for NoticeOverlay {
    fn context(&self) -> Context {
        Context::Error
    }

    fn update(&mut self, action: Action, _: &mut Session) -> Wish {
        match action {
            Action::Copy => Wish::Copy(self.command.clone()),
            _ => Wish::Nothing,
        }
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width.min(84)).saturating_sub(2);
        let styled = |text: &str, style: Style| {
            wrap(&one_line(text), columns).into_iter().map(move |line| Line::styled(line, style)).collect::<Vec<_>>()
        };
        let mut lines = styled(&self.about, Style::new());
        lines.push(Line::default());
        lines.extend(styled(&self.command, scene.theme.title()));
        let copies = scene.keymap.key(Context::Error, Action::Copy).map(|key| format!("; {key} copies it"));
        lines.extend(styled(&format!("in a shell{}", copies.unwrap_or_default()), scene.theme.faint()));
        boxed((&self.title, scene.theme.title()), lines, 0, area, buffer);
    }
}
