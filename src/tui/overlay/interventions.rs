//! The list of interventions: type one, switch them on and off, delete them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use tui_input::{Input, InputRequest};

use super::{Overlay, Wish, boxed};
use crate::tui::action::Action;
use crate::tui::input::{Key, editing_request};
use crate::tui::interventions::{Entry, EntryState};
use crate::tui::keymap::Context;
use crate::tui::session::Session;
use crate::tui::text::{one_line, wrap};
use crate::tui::theme::Theme;
use crate::tui::view::Scene;

/// What may be typed, in few words.
const EXAMPLES: &str = "zero:L3H2   zero:L3.mlp   scale:L2.attn*0.5   mean:L1H0   knockout:L3H2:5->2";

/// The list and a line to type in.
#[derive(Debug, Default)]
pub struct InterventionsOverlay {
    input: Input,
    problem: Option<String>,
    chosen: usize,
}

impl InterventionsOverlay {
    fn accept(&mut self, session: &mut Session) {
        if self.input.value().trim().is_empty() {
            session.interventions_mut().toggle(self.chosen);
            return;
        }
        match session.interventions_mut().add(self.input.value()) {
            Ok(()) => {
                self.input.reset();
                self.problem = None;
                self.chosen = session.interventions().entries().len().saturating_sub(1);
            }
            Err(problem) => self.problem = Some(problem),
        }
    }

    fn lines(&self, scene: &Scene<'_>, columns: usize) -> Vec<Line<'static>> {
        let theme = scene.theme;
        let mut lines = vec![self.typed(theme)];
        let problem = self.problem.iter().flat_map(|problem| wrap(&one_line(problem), columns));
        lines.extend(problem.map(|text| Line::styled(text, theme.error())));
        lines.push(Line::default());
        let entries = scene.session.interventions().entries();
        if entries.is_empty() {
            lines.push(Line::styled("none: every panel shows the model as it is", theme.faint()));
        }
        for (at, entry) in entries.iter().enumerate() {
            lines.extend(listed(entry, at == self.chosen, theme, columns));
        }
        lines.push(Line::default());
        lines.extend(wrap(&format!("for example {EXAMPLES}"), columns).into_iter().map(|text| {
            let faint = theme.faint();
            Line::styled(text, faint)
        }));
        lines
    }

    fn typed(&self, theme: Theme) -> Line<'static> {
        let text: Vec<char> = one_line(self.input.value()).chars().collect();
        let cursor = self.input.cursor().min(text.len());
        let under = text.get(cursor).map_or_else(|| " ".to_owned(), char::to_string);
        Line::from(vec![
            Span::styled("do> ", theme.title()),
            Span::raw(text[..cursor].iter().collect::<String>()),
            Span::styled(under, theme.selected()),
            Span::raw(text.iter().skip(cursor + 1).collect::<String>()),
        ])
    }
}

fn listed(entry: &Entry, is_chosen: bool, theme: Theme, columns: usize) -> Vec<Line<'static>> {
    let (mark, problem) = match &entry.state {
        EntryState::On => ("[x] ", None),
        EntryState::Off => ("[ ] ", None),
        EntryState::Refused(problem) => ("[!] ", Some(problem)),
    };
    let style = if is_chosen { theme.selected() } else { Style::new() };
    let mut lines = vec![Line::from(vec![Span::raw(mark), Span::styled(entry.spec.clone(), style)])];
    let problem = problem.into_iter().flat_map(|problem| wrap(&one_line(problem), columns.saturating_sub(4)));
    lines.extend(problem.map(|text| Line::styled(format!("    {text}"), theme.error())));
    lines
}

impl Overlay for InterventionsOverlay {
    fn context(&self) -> Context {
        Context::Interventions
    }

    fn update(&mut self, action: Action, session: &mut Session) -> Wish {
        let n = session.interventions().entries().len();
        match action {
            Action::Cursor(to) => self.chosen = to.apply(self.chosen, n),
            Action::Accept => self.accept(session),
            Action::Toggle => session.interventions_mut().toggle(self.chosen),
            Action::Delete => {
                session.interventions_mut().delete(self.chosen);
                self.chosen = self.chosen.min(n.saturating_sub(2));
            }
            _ => {}
        }
        Wish::Nothing
    }

    fn key(&mut self, key: Key) {
        if let Some(request) = editing_request(key) {
            self.input.handle(request);
            self.problem = None;
        }
    }

    fn paste(&mut self, text: &str) {
        for c in text.chars() {
            self.input.handle(InputRequest::InsertChar(c));
        }
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let columns = usize::from(area.width.min(84)).saturating_sub(2);
        boxed(("Interventions", scene.theme.title()), self.lines(scene, columns), 0, area, buffer);
    }
}
