//! The keys, from the keymap.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::{Overlay, Wish, boxed, scroll};
use crate::tui::action::Action;
use crate::tui::keymap::{Context, Keymap, key_names};
use crate::tui::session::Session;
use crate::tui::text::fit;
use crate::tui::theme::Theme;
use crate::tui::view::Scene;

/// The keys of one view first, then all others.
#[derive(Debug)]
pub struct HelpOverlay {
    first: Context,
    scroll: usize,
}

impl HelpOverlay {
    /// Help that starts with a context.
    pub const fn new(first: Context) -> Self {
        Self { first, scroll: 0 }
    }

    fn lines(&self, keymap: &Keymap, theme: Theme) -> Vec<Line<'static>> {
        let rest = Context::ALL.into_iter().filter(|context| *context != self.first && *context != Context::Global);
        let order = [self.first, Context::Global].into_iter().chain(rest);
        order.flat_map(|context| section(keymap, context, theme)).collect()
    }
}

fn section(keymap: &Keymap, context: Context, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![Line::styled(context.title(), theme.title())];
    lines.extend(keymap.rows(context).map(|binding| {
        let keys = fit(&key_names(binding), 18);
        Line::from(vec![Span::raw(format!(" {keys} ")), Span::styled(binding.about, theme.faint())])
    }));
    lines.push(Line::default());
    lines
}

impl Overlay for HelpOverlay {
    fn context(&self) -> Context {
        Context::Help
    }

    fn update(&mut self, action: Action, _: &mut Session) -> Wish {
        self.scroll = scroll(self.scroll, action).min(Self::lines_count());
        Wish::Nothing
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        boxed(("Keys", theme.title()), self.lines(scene.keymap, theme), self.scroll, area, buffer);
    }
}

impl HelpOverlay {
    fn lines_count() -> usize {
        Context::ALL.into_iter().map(|context| crate::tui::keymap::rows(context).count() + 2).sum()
    }
}
