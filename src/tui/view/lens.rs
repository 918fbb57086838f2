//! The logit lens: what the model would say if it stopped after each layer, as a grid and as curves.

mod curves;
mod figures;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use self::curves::{Curves, Path, percent};
use super::run::Run;
use super::{News, Reply, Scene, View, ViewName};
use crate::engine::{EngineError, Inspection, Named, Outcome, Panel, Request, Tokens};
use crate::figure::{Figure, Heatmap};
use crate::text::BosPolicy;
use crate::tui::action::{Action, Move};
use crate::tui::editor::Editor;
use crate::tui::input::Key;
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::session::Session;
use crate::tui::text::{cut, one_line};
use crate::tui::widget::heatmap::{CellText, Cursor, HeatmapWidget};
use crate::tui::widget::{line, prompt_input, spans};

/// Tokens that are followed besides A and B; one more takes the place of the first.
const MOST_FOLLOWED: usize = 4;

/// How the layers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Page {
    /// The top token of every layer at every position.
    #[default]
    Grid,
    /// Tokens, entropy and divergence at the selected position.
    Curves,
}

/// Layers by positions, with the top token of each; or the layers at one position.
#[derive(Debug, Default)]
pub struct LensView {
    inspection: Option<Arc<Inspection>>,
    /// The row, once one was chosen; until then it is the last.
    row: Option<usize>,
    page: Page,
    run: Run,
    /// Tokens that are followed besides A and B.
    followed: Vec<Named>,
    /// A text whose tokens are to be followed, while it is typed.
    editor: Option<Editor>,
    /// What is to be tokenised next.
    wanted: Option<String>,
}

/// The map of a figure.
fn map_of(figure: Option<&Arc<Figure>>) -> Option<&Heatmap> {
    figure?.content.heatmap()
}

/// The tokens of a figure through the layers.
fn path_of(figure: Option<&Arc<Figure>>) -> Option<Path<'_>> {
    figure?.content.table().map(Path)
}

impl LensView {
    fn map(&self) -> Option<&Heatmap> {
        map_of(self.inspection.as_ref()?.logit_lens.as_ref())
    }

    fn base_map(&self) -> Option<&Heatmap> {
        map_of(self.inspection.as_ref()?.base.logit_lens.as_ref())
    }

    /// The tokens that are followed, now and in the model as it is.
    fn paths(&self) -> Option<(Path<'_>, Option<Path<'_>>)> {
        let found = self.inspection.as_ref()?;
        Some((path_of(found.trajectory.as_ref())?, path_of(found.base.trajectory.as_ref())))
    }

    fn ids(&self) -> Vec<u32> {
        self.followed.iter().map(|token| token.id).collect()
    }

    fn row(&self, map: &Heatmap) -> usize {
        let last = map.rows().labels.len().saturating_sub(1);
        self.row.unwrap_or(last).min(last)
    }

    fn step(&mut self, to: Move) {
        if let Some(map) = self.map() {
            self.row = Some(to.apply(self.row(map), map.rows().labels.len()));
        }
    }

    fn follow(&mut self, token: Named) {
        if self.followed.iter().any(|followed| followed.id == token.id) {
            return;
        }
        self.followed.push(token);
        let n_more = self.followed.len().saturating_sub(MOST_FOLLOWED);
        self.followed.drain(..n_more);
    }

    /// Follows the top token of the chosen cell, or no longer.
    fn follow_chosen(&mut self, session: &Session) -> Reply {
        let Some((map, found)) = self.map().zip(self.inspection.as_ref()) else { return Reply::Done };
        let columns = map.columns().labels.len();
        let (row, column) = (self.row(map), session.position().min(columns.saturating_sub(1)));
        let Some(&id) = found.lens_tops.get(row * columns + column) else { return Reply::Done };
        let token = Named { id, visible: map.cell(row, column).unwrap_or("").to_owned() };
        match self.followed.iter().position(|followed| followed.id == id) {
            Some(at) => drop(self.followed.remove(at)),
            None => self.follow(token),
        }
        Reply::Refresh
    }

    fn arrive(&mut self, tokens: &Tokens) -> Reply {
        for (&id, visible) in tokens.ids.iter().zip(&tokens.visible) {
            self.follow(Named { id, visible: visible.clone() });
        }
        Reply::Refresh
    }

    fn fail(&mut self, error: &EngineError) {
        let mut editor = Editor::default();
        editor.fail(error.to_string());
        self.editor = Some(editor);
    }

    fn render_typing(editor: &Editor, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        prompt_input::render("follow> ", editor.input(), scene.theme, area, buffer);
        match editor.problem() {
            Some(problem) => line(buffer, area, 1, &one_line(problem), scene.theme.error()),
            None => line(buffer, area, 1, "a text, spaces included: its tokens are followed", scene.theme.faint()),
        };
    }

    fn render_grid(&self, map: &Heatmap, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let base = self.base_map();
        let (map, other) = match (base, self.run) {
            (Some(base), Run::Base) => (base, Some(map)),
            (base, _) => (map, base),
        };
        let row = self.row(map);
        let column = scene.session.position().min(map.columns().labels.len().saturating_sub(1));
        self.details((map, other), (row, column), scene, part(area, 0, 0, area.width, 1), buffer);
        let widget = HeatmapWidget {
            map,
            other,
            scale: map.scale(),
            hidden: None,
            text: CellText::Own,
            cursor: Cursor::Cell(row, column),
            cell_width: (7, 12),
            theme: scene.theme,
        };
        let body = part(area, 0, 1, area.width, area.height.saturating_sub(1));
        let path = self.paths().map(|(now, base)| base.filter(|_| self.run == Run::Base).unwrap_or(now));
        let Some(path) = path.filter(|_| area.width >= WITH_SIDE) else {
            widget.render(body, buffer);
            widget.report(body, scene.hits, on_cell);
            return;
        };
        let side = part(body, area.width - SIDE, 0, SIDE, body.height);
        let main = part(body, 0, 0, area.width - SIDE, body.height);
        widget.render(main, buffer);
        widget.report(main, scene.hits, on_cell);
        beside(path, row, scene, side, buffer);
    }

    /// The chosen cell in full, in both runs.
    fn details(
        &self,
        (map, other): (&Heatmap, Option<&Heatmap>),
        (row, column): (usize, usize),
        scene: &Scene<'_>,
        area: Rect,
        buffer: &mut Buffer,
    ) {
        let theme = scene.theme;
        let layer = map.rows().labels.get(row).map_or("", String::as_str);
        let token = map.columns().labels.get(column).map_or("", String::as_str);
        let percent = |map: &Heatmap| format!(" {:.2}%", map.value(row, column).unwrap_or(0.0) * 100.0);
        let place = format!("{layer} after {token}: ");
        let (run, rival) = if self.run == Run::Base { ("base ", "now ") } else { ("now ", "base ") };
        let both = other.is_some();
        let pieces = [
            (place.as_str(), theme.faint()),
            (if both { run } else { "" }, theme.notice()),
            (map.cell(row, column).unwrap_or(""), theme.title()),
            (&percent(map), Style::new()),
            (if both { ", " } else { "" }, theme.faint()),
            (if both { rival } else { "" }, theme.notice()),
            (other.and_then(|other| other.cell(row, column)).unwrap_or(""), theme.title()),
            (&other.map_or_else(String::new, percent), Style::new()),
            (if both { "; underlined: not the same" } else { " if the model stopped here" }, theme.faint()),
        ];
        spans(buffer, area, 0, &pieces);
    }
}

impl View for LensView {
    fn name(&self) -> ViewName {
        ViewName::Lens
    }

    fn context(&self) -> Context {
        if self.editor.is_some() { Context::Typing } else { Context::Lens }
    }

    fn needs(&self, session: &Session) -> Vec<Panel> {
        let watch = self.ids();
        let fits =
            |found: &Arc<Inspection>| session.fits(found) && found.ask == session.ask() && found.watched == watch;
        if self.inspection.as_ref().is_some_and(fits) { Vec::new() } else { vec![Panel::LogitLens { watch }] }
    }

    fn update(&mut self, action: Action, session: &Session) -> Reply {
        match action {
            Action::Cursor(to) => self.step(to),
            // A and B are followed at the selected position
            Action::Position(_) => return Reply::Refresh,
            Action::NextRanking => {
                self.page = match self.page {
                    Page::Grid => Page::Curves,
                    Page::Curves => Page::Grid,
                }
            }
            Action::NextRun => self.run = if self.run == Run::Base { Run::Now } else { Run::Base },
            Action::Open => return self.follow_chosen(session),
            Action::Follow => self.editor = Some(Editor::default()),
            Action::Out => return self.followed.pop().map_or(Reply::Done, |_| Reply::Refresh),
            Action::Accept => {
                let text = self.editor.take().map(|editor| editor.input().value().to_owned());
                self.wanted = text.filter(|text| !text.is_empty());
                return Reply::Refresh;
            }
            Action::Leave => self.editor = None,
            _ => {}
        }
        Reply::Done
    }

    fn keeps(&self, action: Action, _: &Session) -> bool {
        matches!(action, Action::Cursor(_) | Action::NextRanking | Action::NextRun)
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        // another panel follows other tokens
        if inspection.logit_lens.is_some() && inspection.watched == self.ids() {
            self.inspection = Some(Arc::clone(inspection));
        }
    }

    fn job(&mut self, _: &Session) -> Option<Request> {
        self.wanted.take().map(|text| Request::Tokenise { text, bos: BosPolicy::Never })
    }

    fn hear(&mut self, news: News<'_>, _: &Session) -> Reply {
        match news {
            News::Finished(Outcome::Tokens(tokens)) => return self.arrive(tokens),
            News::Failed(error) => self.fail(error),
            News::Finished(_) | News::Event(_) | News::Stopped => {}
        }
        Reply::Done
    }

    fn is_typing(&self) -> bool {
        self.editor.is_some()
    }

    fn key(&mut self, key: Key, _: &Session) -> Reply {
        if let Some(editor) = &mut self.editor {
            editor.key(key);
        }
        Reply::Done
    }

    fn paste(&mut self, text: &str, _: &Session) -> Reply {
        if let Some(editor) = &mut self.editor {
            editor.paste(text);
        }
        Reply::Done
    }

    fn shows(&self) -> &'static [&'static str] {
        &["logit-lens"]
    }

    fn searchable(&self, session: &Session) -> Vec<String> {
        let Some(map) = self.map() else { return Vec::new() };
        let column = session.position().min(map.columns().labels.len().saturating_sub(1));
        let text = |(row, label): (usize, &String)| format!("{label} {}", map.cell(row, column).unwrap_or(""));
        map.rows().labels.iter().enumerate().map(text).collect()
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        if let Some(editor) = &self.editor {
            Self::render_typing(editor, scene, area, buffer);
            return;
        }
        let Some((map, (now, base))) = self.map().zip(self.paths()) else {
            line(buffer, area, 0, scene.note, scene.theme.faint());
            return;
        };
        match self.page {
            Page::Grid => self.render_grid(map, scene, area, buffer),
            Page::Curves => {
                let at = self.inspection.as_ref().and_then(|found| found.ask.position).unwrap_or(0);
                let column = usize::try_from(at).unwrap_or(0);
                let after = map.columns().labels.get(column).map_or("", String::as_str);
                Curves { now, base, cursor: self.row(map), after }.render(scene, area, buffer);
            }
        }
    }
}

/// A click on a cell selects its row and its token.
fn on_cell(row: usize, column: usize) -> Vec<Action> {
    vec![Action::Cursor(Move::To(row)), Action::Position(Move::To(column))]
}

/// Columns of the probabilities of A and B.
const SIDE: u16 = 26;
/// Columns from which on there is room for them.
const WITH_SIDE: u16 = 100;

/// A and B through the layers, in line with the rows of the map.
fn beside(path: Path<'_>, row: usize, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = scene.theme;
    let columns = usize::from(SIDE) / 2;
    let shown: Vec<(&str, Vec<f64>)> =
        path.tokens().into_iter().take(2).map(|token| (token, path.probs(token))).collect();
    let styles = [theme.towards(), theme.against()];
    let names: Vec<String> = shown.iter().map(|(name, _)| format!("{:>columns$}", cut(name, columns - 2))).collect();
    let pieces: Vec<(&str, Style)> = names.iter().map(String::as_str).zip(styles).collect();
    spans(buffer, area, 0, &pieces);
    let n_rows = shown.first().map_or(0, |(_, probs)| probs.len());
    let room = usize::from(area.height.saturating_sub(1));
    let top = first_visible(row, n_rows, room);
    for at in (top..n_rows).take(room) {
        let style = if at == row { theme.title() } else { Style::new() };
        let probs = shown.iter().map(|(_, probs)| format!("{:>columns$}", percent(probs.get(at))));
        line(buffer, area, cells(at - top + 1), &probs.collect::<Vec<_>>().concat(), style);
    }
}
