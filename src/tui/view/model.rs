//! The model itself: what its files say, whether it obeys the laws of every decoder, and the numbers in its tensors.

mod figures;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{News, Reply, Scene, View, ViewName};
use crate::engine::{Described, Inspection, Outcome, Panel, Request, Tokens, readable_bytes, readable_count, sections};
use crate::figure::Figure;
use crate::model::checkpoint::survey::Survey;
use crate::model::header::StoredTensor;
use crate::tui::action::Action;
use crate::tui::editor::Editor;
use crate::tui::input::Key;
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::session::Session;
use crate::tui::text::{fit, one_line, width, wrap};
use crate::tui::widget::{histogram, line, prompt_input, spans};

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Page {
    /// Sizes, memory, tokenizer, files.
    #[default]
    Facts,
    /// The laws of every decoder.
    Laws,
    /// The tensors in the files.
    Tensors,
}

impl Page {
    const ALL: [Self; 3] = [Self::Facts, Self::Laws, Self::Tensors];

    const fn title(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Laws => "laws",
            Self::Tensors => "tensors",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Facts => Self::Laws,
            Self::Laws => Self::Tensors,
            Self::Tensors => Self::Facts,
        }
    }
}

/// Pages about the model.
#[derive(Debug, Default)]
pub struct ModelView {
    described: Option<Arc<Described>>,
    /// For how many tokens a description was asked for.
    asked_for: Option<usize>,
    page: Page,
    /// The line or the tensor that is chosen.
    at: usize,
    filter: String,
    editor: Option<Editor>,
    /// The tensor whose numbers are to be read next.
    wanted: Option<String>,
    /// The tensor whose numbers are being read.
    reading: Option<String>,
    survey: Option<Arc<Survey>>,
    problem: Option<String>,
}

/// Columns from which on the numbers of a tensor stand beside the list.
const WITH_SIDE: u16 = 110;
/// Columns from which on facts stand in two columns.
const TWO_COLUMNS: u16 = 120;

impl ModelView {
    fn filter(&self) -> &str {
        self.editor.as_ref().map_or(&self.filter, |editor| editor.input().value())
    }

    /// The tensors whose names have all words of the filter.
    fn tensors(&self) -> Vec<&StoredTensor> {
        let words: Vec<&str> = self.filter().split_whitespace().collect();
        let all = self.described.iter().flat_map(|described| &described.tensors);
        all.filter(|tensor| words.iter().all(|word| tensor.name.contains(word))).collect()
    }

    fn facts(&self) -> Vec<(String, String)> {
        let Some(described) = &self.described else { return Vec::new() };
        let section = |(title, facts): (&str, crate::engine::Facts)| {
            let gap = (String::new(), String::new());
            [gap, (title.to_owned(), String::new())]
                .into_iter()
                .chain(facts.into_iter().map(|(name, value)| (format!("  {name}"), value)))
                .collect::<Vec<_>>()
        };
        sections(&described.description).into_iter().flat_map(section).skip(1).collect()
    }

    fn len(&self) -> usize {
        match self.page {
            Page::Facts => self.facts().len(),
            // as many as fit are seen at once, the rest by moving on
            Page::Laws => usize::from(u8::MAX),
            Page::Tensors => self.tensors().len(),
        }
    }

    fn open(&mut self) -> Reply {
        if self.page != Page::Tensors {
            return Reply::Done;
        }
        self.wanted = self.tensors().get(self.at).map(|tensor| tensor.name.clone());
        Reply::Refresh
    }

    fn typed(&mut self) -> Reply {
        self.at = 0;
        Reply::Done
    }

    fn heading(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let style = |page| if page == self.page { theme.title() } else { theme.faint() };
        let mut pieces: Vec<(&str, Style)> =
            Page::ALL.iter().flat_map(|&page| [(page.title(), style(page)), ("  ", Style::new())]).collect();
        let badge = match scene.verified {
            None => "laws not tried yet".to_owned(),
            Some(verified) if verified.failed.is_empty() => format!("✓ {} laws hold", verified.n_hold),
            Some(verified) => format!("✗ {}", verified.failed.join(", ")),
        };
        let failed = scene.verified.is_some_and(|verified| !verified.failed.is_empty());
        pieces.push((&badge, if failed { theme.error() } else { theme.faint() }));
        spans(buffer, area, 0, &pieces);
    }

    fn render_facts(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let facts = self.facts();
        let n_columns = if area.width >= TWO_COLUMNS { 2 } else { 1 };
        let room = usize::from(area.height);
        let top = self.at.min(facts.len().saturating_sub(room * n_columns));
        let wide = area.width / cells(n_columns);
        for (index, (name, value)) in facts.iter().skip(top).take(room * n_columns).enumerate() {
            let place = part(area, cells(index / room) * wide, cells(index % room), wide.saturating_sub(1), 1);
            let title =
                if value.is_empty() && !name.starts_with(' ') { scene.theme.title() } else { scene.theme.faint() };
            spans(buffer, place, 0, &[(&fit(name, 21), title), (" ", Style::new()), (value, Style::new())]);
        }
    }

    fn render_laws(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let Some(verified) = scene.verified else {
            let text = "not tried yet: they are tried by themselves once nothing else is to be done";
            line(buffer, area, 0, text, theme.faint());
            return;
        };
        let head = format!("{:<7}{:<24}{:>10}  {:<18}", "", "law", "found", "allowed");
        line(buffer, area, 0, &head, theme.faint());
        let room = usize::from(area.height.saturating_sub(1));
        let top = self.at.min(verified.laws.len().saturating_sub(room));
        for (row, law) in verified.laws.iter().skip(top).take(room).enumerate() {
            let style = match law.verdict.as_str() {
                "ok" => theme.towards(),
                "FAILS" => theme.error(),
                _ => theme.faint(),
            };
            let found = law.deviation.map_or_else(String::new, |found| format!("{found:.1e}"));
            let pieces = [
                (fit(&law.verdict, 7), style),
                (fit(law.name, 24), Style::new()),
                (format!("{found:>10}  "), Style::new()),
                (fit(&law.tolerance, 18), theme.faint()),
                (law.remark.clone().unwrap_or_else(|| law.about.to_owned()), theme.faint()),
            ];
            let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
            spans(buffer, area, cells(row + 1), &pieces);
        }
    }

    fn render_tensors(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let tensors = self.tensors();
        let all = self.described.as_ref().map_or(0, |described| described.tensors.len());
        match &self.editor {
            Some(editor) => prompt_input::render("filter> ", editor.input(), scene.theme, area, buffer),
            None => {
                let text = format!("{} of {all} tensors  {}", tensors.len(), self.filter);
                line(buffer, area, 0, &text, scene.theme.faint());
            }
        }
        let body = part(area, 0, 1, area.width, area.height.saturating_sub(1));
        let is_wide = area.width >= WITH_SIDE;
        let has_side = self.survey.is_some() || self.reading.is_some();
        let below = if has_side && !is_wide { (body.height / 2).min(12) } else { 0 };
        let side = if is_wide { area.width / 3 } else { 0 };
        let list = part(body, 0, 0, body.width - side, body.height - below);
        let at = self.at.min(tensors.len().saturating_sub(1));
        let room = usize::from(list.height);
        let top = first_visible(at, tensors.len(), room);
        let name = tensors.iter().map(|tensor| width(&tensor.name)).max().unwrap_or(0);
        let name = name.min(usize::from(list.width).saturating_sub(34)) + 1;
        for (row, (index, tensor)) in tensors.iter().enumerate().skip(top).take(room).enumerate() {
            let style = if index == at { scene.theme.selected() } else { Style::new() };
            let rest = format!(
                "{:<16} {:<5} {:>9}",
                format!("{:?}", tensor.shape),
                tensor.dtype,
                readable_bytes(tensor.n_bytes)
            );
            spans(buffer, list, cells(row), &[(&fit(&tensor.name, name), style), (&rest, scene.theme.faint())]);
        }
        let place = if is_wide {
            part(body, body.width - side + 1, 0, side - 1, body.height)
        } else {
            part(body, 0, body.height - below, body.width, below)
        };
        self.render_survey(scene, place, buffer);
    }

    fn render_survey(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        if let Some(name) = &self.reading {
            let way = scene.keymap.way(Context::Model, Action::Cancel);
            line(buffer, area, 0, &format!("reading …, {way} stops"), theme.notice());
            line(buffer, area, 1, name, theme.title());
            return;
        }
        let Some(survey) = &self.survey else {
            let way = scene.keymap.way(Context::Model, Action::Open);
            line(buffer, area, 0, &format!("{way} reads the numbers of the chosen tensor"), theme.faint());
            return;
        };
        let lines = told(survey);
        line(buffer, area, 0, &survey.name, theme.title());
        for (row, text) in lines.iter().enumerate() {
            line(buffer, area, cells(row + 1), text, Style::new());
        }
        let from = cells(lines.len() + 1);
        let height = area.height.saturating_sub(from + 1);
        let chart = part(area, 0, from, area.width, height.min(16));
        if chart.height < 2 {
            return;
        }
        histogram::render(&survey.histogram, theme.towards(), chart, buffer);
        let columns = histogram::merged(&survey.histogram, usize::from(area.width)).len();
        let (low, high) = (number(survey.min), number(survey.max));
        let gap = columns.saturating_sub(width(&low) + width(&high));
        let axis = format!("{low}{}{high}", " ".repeat(gap));
        line(buffer, area, from + chart.height, &axis, theme.faint());
    }
}

/// What is known about a tensor's numbers, line by line.
fn told(survey: &Survey) -> Vec<String> {
    let quantile = |&(share, value): &(f64, f64)| format!("{}% {}", share * 100.0, number(value));
    let quantiles: Vec<String> = survey.quantiles.iter().map(quantile).collect();
    let odd = if survey.n_not_finite > 0 {
        format!(", {} not finite", readable_count(survey.n_not_finite))
    } else {
        String::new()
    };
    let (first, second) = quantiles.split_at(quantiles.len() / 2 + 1);
    vec![
        format!("{} numbers, {} zero{odd}", readable_count(survey.n), readable_count(survey.n_zero)),
        format!("mean {}  std {}", number(survey.mean), number(survey.std)),
        format!("min {}  max {}", number(survey.min), number(survey.max)),
        format!("quantiles (to {}):", number(survey.resolution)),
        format!("  {}", first.join("  ")),
        format!("  {}", second.join("  ")),
    ]
}

/// A number of any size in few columns.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 || (1e-3..1e4).contains(&size) { format!("{value:.4}") } else { format!("{value:.2e}") }
}

impl View for ModelView {
    fn name(&self) -> ViewName {
        ViewName::Model
    }

    fn context(&self) -> Context {
        if self.is_typing() { Context::Typing } else { Context::Model }
    }

    fn needs(&self, _: &Session) -> Vec<Panel> {
        Vec::new()
    }

    fn update(&mut self, action: Action, _: &Session) -> Reply {
        match action {
            Action::Cursor(to) => self.at = to.apply(self.at, self.len()),
            Action::NextRanking => (self.page, self.at) = (self.page.next(), 0),
            Action::Open => return self.open(),
            Action::Filter => {
                (self.page, self.at) = (Page::Tensors, 0);
                self.editor = Some(Editor::new(self.filter.clone(), Tokens::default()));
            }
            Action::Accept => {
                if let Some(editor) = self.editor.take() {
                    editor.input().value().clone_into(&mut self.filter);
                }
            }
            Action::Leave => self.editor = None,
            _ => {}
        }
        Reply::Done
    }

    fn keeps(&self, action: Action, _: &Session) -> bool {
        matches!(action, Action::Cursor(_) | Action::NextRanking)
    }

    fn receive(&mut self, _: &Arc<Inspection>) {}

    fn job(&mut self, session: &Session) -> Option<Request> {
        let n_tokens = session.tokens().ids.len().max(1);
        if self.asked_for != Some(n_tokens) {
            self.asked_for = Some(n_tokens);
            return Some(Request::Describe { n_tokens });
        }
        let tensor = self.wanted.take()?;
        (self.reading, self.problem) = (Some(tensor.clone()), None);
        Some(Request::Survey { tensor })
    }

    fn hear(&mut self, news: News<'_>, _: &Session) -> Reply {
        match news {
            News::Event(_) => return Reply::Done,
            News::Finished(Outcome::Described(described)) => self.described = Some(Arc::clone(described)),
            News::Finished(Outcome::Surveyed(survey)) => self.survey = Some(Arc::clone(survey)),
            News::Finished(_) => {}
            News::Failed(error) => {
                let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
                self.problem = Some(format!("{error}{hint}"));
            }
            // what was stopped before it was described is asked for when it is shown again
            News::Stopped if self.described.is_none() => self.asked_for = None,
            News::Stopped => {}
        }
        self.reading = None;
        Reply::Done
    }

    fn is_typing(&self) -> bool {
        self.editor.is_some()
    }

    fn key(&mut self, key: Key, _: &Session) -> Reply {
        let changed = self.editor.as_mut().is_some_and(|editor| editor.key(key));
        if changed { self.typed() } else { Reply::Done }
    }

    fn paste(&mut self, text: &str, _: &Session) -> Reply {
        if let Some(editor) = self.editor.as_mut() {
            editor.paste(text);
        }
        self.typed()
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        if let Some(problem) = &self.problem {
            for (row, text) in wrap(&one_line(problem), usize::from(area.width)).iter().enumerate() {
                line(buffer, area, cells(row), text, scene.theme.error());
            }
            return;
        }
        if self.described.is_none() {
            line(buffer, area, 0, scene.note, scene.theme.faint());
            return;
        }
        self.heading(scene, area, buffer);
        let body = part(area, 0, 1, area.width, area.height.saturating_sub(1));
        if body.height < 3 {
            line(buffer, body, 0, "enlarge the window: this needs four rows", scene.theme.notice());
            return;
        }
        match self.page {
            Page::Facts => self.render_facts(scene, body, buffer),
            Page::Laws => self.render_laws(scene, body, buffer),
            Page::Tensors => self.render_tensors(scene, body, buffer),
        }
    }
}
