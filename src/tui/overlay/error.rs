//! What went wrong, why, and what to do.

use std::error::Error;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Overlay, Wish, boxed, scroll};
use crate::engine::EngineError;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::session::Session;
use crate::tui::text::{one_line, wrap};
use crate::tui::theme::Theme;
use crate::tui::view::Scene;

/// An error, its causes and its hint.
#[derive(Debug)]
pub struct ErrorOverlay {
    messages: Vec<String>,
    hint: Option<String>,
    scroll: usize,
}

impl ErrorOverlay {
    /// An error of the engine.
    pub fn new(error: &EngineError) -> Self {
        let chain = std::iter::successors(Some(error as &dyn Error), |error: &&dyn Error| (*error).source());
        let mut messages: Vec<String> = chain.map(|error| one_line(&error.to_string())).collect();
        messages.dedup();
        Self { messages, hint: error.hint(), scroll: 0 }
    }

    /// Another error, with its hint.
    pub fn told(error: &(dyn Error + 'static), hint: Option<String>) -> Self {
        let chain = std::iter::successors(Some(error as &dyn Error), |error: &&dyn Error| (*error).source());
        Self { messages: chain.map(|error| one_line(&error.to_string())).collect(), hint, scroll: 0 }
    }

    /// What is wrong, in words.
    pub fn said(message: &str) -> Self {
        Self { messages: vec![one_line(message)], hint: None, scroll: 0 }
    }

    /// A panic of the worker.
    pub fn panicked(message: &str) -> Self {
        let messages = vec!["the job broke off: this is a mistake in lmscope".into(), one_line(message)];
        Self { messages, hint: Some("the model is still loaded; please report what led here".into()), scroll: 0 }
    }

    fn lines(&self, theme: Theme, columns: usize) -> Vec<Line<'static>> {
        let labels = std::iter::once("").chain(std::iter::repeat("caused by: "));
        let messages = labels.zip(&self.messages).map(|(label, message)| (format!("{label}{message}"), false));
        let hint = self.hint.iter().map(|hint| (format!("hint: {}", one_line(hint)), true));
        let styled = messages.chain(hint).flat_map(|(text, is_hint)| {
            let style = if is_hint { theme.notice() } else { ratatui::style::Style::new() };
            wrap(&text, columns).into_iter().map(move |line| Line::styled(line, style))
        });
        styled.collect()
    }
}

impl Overlay for ErrorOverlay {
    fn context(&self) -> Context {
        Context::Error
    }

    fn update(&mut self, action: Action, _: &mut Session) -> Wish {
        self.scroll = scroll(self.scroll, action).min(100);
        match action {
            Action::Copy => Wish::Copy(self.messages.iter().chain(&self.hint).cloned().collect::<Vec<_>>().join("\n")),
            _ => Wish::Nothing,
        }
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let columns = usize::from(area.width.min(84)).saturating_sub(2);
        boxed(("Error", theme.error()), self.lines(theme, columns), self.scroll, area, buffer);
    }
}
