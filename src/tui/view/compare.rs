//! Two runs side by side: the prompt and another prompt, or this model and another one on the same text.
//!
//! Run A is always what the other views show, without interventions; run B is typed here.

mod figures;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{News, Reply, Scene, View, ViewName};
use crate::engine::{CompareWork, Compared, Comparison, Inspection, Other, Outcome, Panel, Request, Tokens};
use crate::figure::{Cell, Column, Figure, Heatmap, Table};
use crate::tui::action::Action;
use crate::tui::editor::Editor;
use crate::tui::input::Key;
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::session::Session;
use crate::tui::text::{cut, fit, one_line, wrap};
use crate::tui::widget::diverging::halves;
use crate::tui::widget::table::TableWidget;
use crate::tui::widget::value_grid::{Heading, ValueGrid};
use crate::tui::widget::{line, prompt_input, spans};

/// Tokens of each run that are told at each position.
const TOP: usize = 12;

/// What is shown of the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Page {
    /// Both distributions after the selected position.
    #[default]
    Tokens,
    /// Every position: the top tokens, and how far the distributions are apart.
    Positions,
    /// Where in the layers the runs part.
    Layers,
    /// What each component adds to the answer.
    Components,
}

impl Page {
    const ALL: [Self; 4] = [Self::Tokens, Self::Positions, Self::Layers, Self::Components];

    const fn title(self) -> &'static str {
        match self {
            Self::Tokens => "tokens",
            Self::Positions => "positions",
            Self::Layers => "layers",
            Self::Components => "components",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Tokens => Self::Positions,
            Self::Positions => Self::Layers,
            Self::Layers => Self::Components,
            Self::Components => Self::Tokens,
        }
    }
}

/// What is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Typed {
    Prompt,
    Model,
}

/// What run B is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RunB {
    Prompt(String),
    Model(String),
}

/// How the comparison stands.
#[derive(Debug, Default, PartialEq, Eq)]
enum Condition {
    /// Nothing was asked for, or all has come.
    #[default]
    Settled,
    Working,
    Stopped,
    /// Why there is none, and what to do.
    Failed(Vec<String>),
}

/// Two runs side by side.
#[derive(Debug, Default)]
pub struct CompareView {
    run_b: Option<RunB>,
    editor: Option<(Typed, Editor)>,
    asked: Option<CompareWork>,
    found: Option<Arc<Comparison>>,
    condition: Condition,
    page: Page,
    /// The chosen row.
    at: usize,
}

impl CompareView {
    fn work(&self, session: &Session) -> Option<CompareWork> {
        let ids = session.tokens().ids.clone();
        let with = match self.run_b.clone()? {
            RunB::Prompt(text) => Other::Prompt { text },
            RunB::Model(name) => Other::Model { name, text: session.text() },
        };
        let ask = session.ask();
        (!ids.is_empty()).then(|| CompareWork { ids, ask, with, bos: session.bos(), top: TOP })
    }

    /// Whether what was asked for shows what is wanted: only components depend on the question.
    fn answers(&self, asked: &CompareWork, wanted: &CompareWork) -> bool {
        let ask = if self.page == Page::Components { wanted.ask } else { asked.ask };
        *asked == CompareWork { ask, ..wanted.clone() }
    }

    /// The selected position in both runs; the last aligned one before it where it has no partner.
    fn compared(&self, session: &Session) -> Option<&Compared> {
        let positions = &self.found.as_ref()?.positions;
        positions.iter().rev().find(|compared| compared.at[0] <= session.position()).or(positions.first())
    }

    fn table(&self, title: &str) -> Option<&Table> {
        let figure = self.found.as_ref()?.figures.iter().find(|figure| figure.title == title)?;
        figure.content.table()
    }

    fn layers(&self) -> Option<&Heatmap> {
        let figure = self.found.as_ref()?.figures.iter().find(|figure| figure.title == LAYERS)?;
        figure.content.heatmap()
    }

    fn len(&self, session: &Session) -> usize {
        match self.page {
            Page::Tokens => self.compared(session).map_or(0, |compared| compared.tokens.len()),
            Page::Positions => self.found.as_ref().map_or(0, |found| found.positions.len()),
            Page::Layers => self.layers().map_or(0, |map| map.rows().labels.len()),
            Page::Components => self.table(COMPONENTS).map_or(0, |table| table.rows().len()),
        }
    }

    fn edit(&mut self, what: Typed, session: &Session) {
        let text = match (&self.run_b, what) {
            (Some(RunB::Prompt(text)), Typed::Prompt) | (Some(RunB::Model(text)), Typed::Model) => text.clone(),
            (_, Typed::Prompt) => session.text(),
            (_, Typed::Model) => String::new(),
        };
        self.editor = Some((what, Editor::new(text, Tokens::default())));
    }

    fn accept(&mut self) -> Reply {
        let Some((what, editor)) = self.editor.take() else { return Reply::Done };
        let text = editor.input().value().to_owned();
        if text.trim().is_empty() {
            return Reply::Done;
        }
        self.run_b = Some(match what {
            Typed::Prompt => RunB::Prompt(text),
            Typed::Model => RunB::Model(text.trim().to_owned()),
        });
        self.at = 0;
        Reply::Refresh
    }

    fn heading(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let mut pieces: Vec<(&str, Style)> = Vec::new();
        for page in Page::ALL {
            let style = if page == self.page { theme.title() } else { theme.faint() };
            pieces.extend([(page.title(), style), ("  ", Style::new())]);
        }
        let b = match &self.run_b {
            Some(RunB::Prompt(text)) => format!("B: \"{}\"", one_line(text)),
            Some(RunB::Model(name)) => format!("B: model {}", one_line(name)),
            None => String::new(),
        };
        let way = |action| scene.keymap.way(Context::Compare, action);
        let note = match &self.condition {
            Condition::Working => format!("  comparing …, {} stops", way(Action::Cancel)),
            Condition::Stopped => format!("  stopped, {} compares again", way(Action::Begin)),
            Condition::Settled | Condition::Failed(_) => String::new(),
        };
        let changed = if scene.session.interventions().active().is_empty() { "" } else { "  without interventions" };
        pieces.extend([("A: this  ", theme.towards()), (b.as_str(), theme.against())]);
        pieces.extend([(note.as_str(), theme.notice()), (changed, theme.notice())]);
        spans(buffer, area, 0, &pieces);
    }

    /// Agreement over all positions.
    fn summary(found: &Comparison, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let n = found.positions.len();
        let agree = found.positions.iter().filter(|compared| compared.agrees()).count();
        let farthest = found.positions.iter().max_by(|a, b| a.kl[0].total_cmp(&b.kl[0]));
        let most = farthest.map_or_else(String::new, |compared| {
            format!(", furthest apart after {} (KL {:.3} nats)", compared.at[0], compared.kl[0])
        });
        let lengths = found.tokens.each_ref().map(|tokens| tokens.ids.len());
        let aligned =
            if lengths == [n, n] { String::new() } else { format!(" of {} and {} tokens", lengths[0], lengths[1]) };
        let text = format!("top tokens agree at {agree} of {n} aligned positions{aligned}{most}");
        line(buffer, area, 1, &text, scene.theme.faint());
    }

    fn render_tokens(&self, found: &Comparison, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let Some(compared) = self.compared(scene.session) else {
            line(buffer, area, 0, "the prompts have no token in common place", scene.theme.notice());
            return;
        };
        let theme = scene.theme;
        let token = |side: usize| found.tokens[side].visible.get(compared.at[side]).map_or("", String::as_str);
        let place = format!("after {} {} and {} {}", compared.at[0], token(0), compared.at[1], token(1));
        let apart = format!("  KL(A‖B) {:.4}  KL(B‖A) {:.4} nats", compared.kl[0], compared.kl[1]);
        spans(buffer, area, 0, &[(&place, theme.title()), (&apart, Style::new())]);
        let half = usize::from(area.width).saturating_sub(46) / 2;
        let heading = format!("{:<16}{:>9}{:>9}{:>10}", "token", "A", "B", "B - A");
        let left = format!("{:>half$}", "◀ more in A");
        line(buffer, area, 1, &heading, theme.faint());
        if half > 12 {
            let place = part(area, 46, 1, area.width, 1);
            spans(
                buffer,
                place,
                0,
                &[(&left, theme.towards()), ("│", theme.faint()), (" more in B ▶", theme.against())],
            );
        }
        let reach = compared.tokens.iter().map(|(_, [a, b])| (b - a).abs()).fold(0.0, f64::max);
        let room = usize::from(area.height.saturating_sub(2));
        let at = self.at.min(compared.tokens.len().saturating_sub(1));
        let top = first_visible(at, compared.tokens.len(), room);
        for (index, (named, [a, b])) in compared.tokens.iter().enumerate().skip(top).take(room) {
            let marks = [0, 1].map(|side| if compared.top[side].id == named.id { ["A", "B"][side] } else { " " });
            let name = format!("{} {}", fit(&named.visible, 12), marks.concat());
            let numbers = format!(" {:>8.3}%{:>8.3}%{:>+9.3} ", a * 100.0, b * 100.0, (b - a) * 100.0);
            let (less, more) = halves(b - a, reach, half);
            let style = if index == at { theme.selected() } else { Style::new() };
            let pieces = [
                (name.as_str(), style),
                (&numbers, Style::new()),
                (&less, theme.towards()),
                ("│", theme.faint()),
                (&more, theme.against()),
            ];
            spans(buffer, area, cells(index - top + 2), &pieces);
        }
    }

    fn render_positions(&self, found: &Comparison, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let names = ["A", "B", "top of A", "top of B", "agree", "KL(A‖B)", "KL(B‖A)"];
        let columns = names.iter().map(|name| Column::new(name, "")).collect();
        let label = |side: usize, at: usize| {
            let token = found.tokens[side].visible.get(at).map_or("", String::as_str);
            Cell::Text(format!("{at} {}", cut(token, 14)))
        };
        let row = |compared: &Compared| {
            vec![
                label(0, compared.at[0]),
                label(1, compared.at[1]),
                Cell::Text(compared.top[0].visible.clone()),
                Cell::Text(compared.top[1].visible.clone()),
                Cell::Text(if compared.agrees() { "yes" } else { "no" }.into()),
                Cell::number(compared.kl[0], 4),
                Cell::number(compared.kl[1], 4),
            ]
        };
        // every row has a cell a column
        let Ok(table) = Table::new(columns, found.positions.iter().map(row).collect()) else { return };
        let notable = |at: usize| found.positions.get(at).is_some_and(|compared| !compared.agrees());
        TableWidget { table: &table, chosen: self.at, notable: &notable, theme: scene.theme }.render(area, buffer);
    }

    fn render_layers(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let Some(map) = self.layers() else {
            line(
                buffer,
                area,
                0,
                "the models have layers of different kinds: there is nothing to align",
                scene.theme.faint(),
            );
            return;
        };
        let text = "Jensen–Shannon divergence of the logit lenses in nats, at most 0.69: where the runs part";
        line(buffer, area, 0, text, scene.theme.faint());
        let split = |label: &String| match label.split_once('|') {
            Some((above, below)) => Heading { above: above.to_owned(), below: Some(below.to_owned()) },
            None => Heading { above: label.clone(), below: None },
        };
        let columns: Vec<Heading> = map.columns().labels.iter().map(split).collect();
        let positions = self.found.iter().flat_map(|found| &found.positions);
        let column = positions.take_while(|compared| compared.at[0] <= scene.session.position()).count();
        let grid = ValueGrid {
            rows: &map.rows().labels,
            columns: &columns,
            value: &|row, column| map.value(row, column).map(f64::from),
            scale: map.scale(),
            cursor: (self.at, column.saturating_sub(1)),
            theme: scene.theme,
        };
        grid.render(part(area, 0, 1, area.width, area.height.saturating_sub(1)), buffer);
    }

    fn render_components(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let Some(table) = self.table(COMPONENTS) else { return };
        let text = "what each component adds to the logit of A's answer in both runs, largest change first";
        line(buffer, area, 0, text, scene.theme.faint());
        let body = part(area, 0, 1, area.width, area.height.saturating_sub(1));
        TableWidget { table, chosen: self.at, notable: &|_| false, theme: scene.theme }.render(body, buffer);
    }
}

/// Titles of the figures that are shown.
const LAYERS: &str = "Where the layers part";
const COMPONENTS: &str = "Where the answer comes from";

impl View for CompareView {
    fn name(&self) -> ViewName {
        ViewName::Compare
    }

    fn context(&self) -> Context {
        if self.is_typing() { Context::Typing } else { Context::Compare }
    }

    fn needs(&self, _: &Session) -> Vec<Panel> {
        Vec::new()
    }

    fn update(&mut self, action: Action, session: &Session) -> Reply {
        match action {
            Action::Cursor(to) => self.at = to.apply(self.at, self.len(session)),
            Action::NextRanking => {
                (self.page, self.at) = (self.page.next(), 0);
                return Reply::Refresh;
            }
            Action::EditOther => self.edit(Typed::Prompt, session),
            Action::OtherModel => self.edit(Typed::Model, session),
            Action::Accept => return self.accept(),
            Action::Leave => self.editor = None,
            Action::Begin if self.condition == Condition::Stopped => {
                self.asked = None;
                return Reply::Refresh;
            }
            // what the components add is asked about the selected position
            Action::Position(_) => return Reply::Refresh,
            _ => {}
        }
        Reply::Done
    }

    fn receive(&mut self, _: &Arc<Inspection>) {}

    fn job(&mut self, session: &Session) -> Option<Request> {
        let work = self.work(session)?;
        if self.asked.as_ref().is_some_and(|asked| self.answers(asked, &work)) {
            return None;
        }
        self.asked = Some(work.clone());
        self.condition = Condition::Working;
        Some(Request::Compare(Box::new(work)))
    }

    fn hear(&mut self, news: News<'_>, _: &Session) -> Reply {
        match news {
            News::Event(_) => {}
            News::Finished(Outcome::Compared(found)) => {
                (self.found, self.condition) = (Some(Arc::clone(found)), Condition::Settled);
            }
            News::Finished(_) => self.condition = Condition::Settled,
            News::Failed(error) => {
                let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
                let mut lines: Vec<String> = chain.map(|error| one_line(&error.to_string())).collect();
                lines.dedup();
                lines.extend(error.hint().map(|hint| format!("hint: {}", one_line(&hint))));
                (self.found, self.condition) = (None, Condition::Failed(lines));
            }
            News::Stopped if self.condition == Condition::Working => self.condition = Condition::Stopped,
            News::Stopped => {}
        }
        Reply::Done
    }

    fn is_typing(&self) -> bool {
        self.editor.is_some()
    }

    fn key(&mut self, key: Key, _: &Session) -> Reply {
        if let Some((_, editor)) = self.editor.as_mut() {
            editor.key(key);
        }
        Reply::Done
    }

    fn paste(&mut self, text: &str, _: &Session) -> Reply {
        if let Some((_, editor)) = self.editor.as_mut() {
            editor.paste(text);
        }
        Reply::Done
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        if let Some((what, editor)) = &self.editor {
            let (mark, about) = match what {
                Typed::Prompt => ("B prompt> ", "another prompt for this model: run B"),
                Typed::Model => {
                    ("B model> ", "a directory, a GGUF file, or a name in the cache; it is loaded beside this one")
                }
            };
            prompt_input::render(mark, editor.input(), theme, area, buffer);
            line(buffer, area, 1, about, theme.faint());
            return;
        }
        if scene.session.tokens().ids.is_empty() {
            line(buffer, area, 0, scene.note, theme.faint());
            return;
        }
        if self.run_b.is_none() {
            let way = |action| scene.keymap.way(Context::Compare, action);
            let lines = [
                "Where do two runs part?".to_owned(),
                format!("{} types another prompt", way(Action::EditOther)),
                format!("{} names another model, for the same text", way(Action::OtherModel)),
            ];
            for (row, text) in lines.iter().enumerate() {
                line(buffer, area, cells(row), text, Style::new());
            }
            return;
        }
        if area.height < 5 {
            line(buffer, area, 0, "a comparison needs five rows: enlarge the window", theme.notice());
            return;
        }
        self.heading(scene, area, buffer);
        let body = part(area, 0, 2, area.width, area.height.saturating_sub(2));
        if let Condition::Failed(lines) = &self.condition {
            let wrapped = lines.iter().flat_map(|text| wrap(text, usize::from(area.width)));
            for (row, text) in wrapped.enumerate() {
                line(buffer, body, cells(row), &text, theme.error());
            }
            return;
        }
        let Some(found) = &self.found else {
            line(buffer, body, 0, scene.note, theme.faint());
            return;
        };
        Self::summary(found, scene, area, buffer);
        match self.page {
            Page::Tokens => self.render_tokens(found, scene, body, buffer),
            Page::Positions => self.render_positions(found, scene, body, buffer),
            Page::Layers => self.render_layers(scene, body, buffer),
            Page::Components => self.render_components(scene, body, buffer),
        }
    }
}
