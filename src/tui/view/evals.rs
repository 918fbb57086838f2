//! Suites, item by item: what is right and wrong, and from each item the way into the model.
//!
//! The model is asked as it is, without the session's interventions; nothing is written to disk.

mod figures;

use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{News, Reply, Scene, View, ViewName};
use crate::engine::{
    EngineError, EvalItem, Evaluated, Event, Inspection, MetricResult, Outcome, Outline, Panel, Request, Tokens,
    metric_name,
};
use crate::figure::{Cell, Column, Figure, Table};
use crate::tui::action::{Action, Move};
use crate::tui::editor::Editor;
use crate::tui::input::Key;
use crate::tui::keymap::{Context, Keymap};
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::session::Session;
use crate::tui::settings::Settings;
use crate::tui::text::{fit, one_line, width, wrap};
use crate::tui::widget::table::TableWidget;
use crate::tui::widget::{line, prompt_input, spans};

/// The seed that items are drawn with.
const SEED: u64 = 0;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Page {
    /// What can be run.
    #[default]
    Suites,
    /// The items of a run.
    Items,
    /// Every metric of a run.
    Metrics,
}

impl Page {
    const ALL: [Self; 3] = [Self::Suites, Self::Items, Self::Metrics];

    const fn title(self) -> &'static str {
        match self {
            Self::Suites => "suites",
            Self::Items => "items",
            Self::Metrics => "metrics",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Suites => Self::Items,
            Self::Items => Self::Metrics,
            Self::Metrics => Self::Suites,
        }
    }
}

/// Which items are listed. An item is right if every metric says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Filter {
    #[default]
    All,
    Wrong,
    Right,
}

impl Filter {
    const fn title(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Wrong => "wrong",
            Self::Right => "right",
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::All => Self::Wrong,
            Self::Wrong => Self::Right,
            Self::Right => Self::All,
        }
    }

    fn lists(self, item: &EvalItem) -> bool {
        let is_right = item.verdicts.iter().all(|(_, is_right)| *is_right);
        let is_judged = !item.verdicts.is_empty();
        match self {
            Self::All => true,
            Self::Wrong => is_judged && !is_right,
            Self::Right => is_judged && is_right,
        }
    }
}

/// How a run stands.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    /// Items are asked: how many, and how long the rest will take, once that is known.
    Working(Option<(usize, Duration)>),
    Done,
    /// What was finished stays.
    Stopped,
    /// Why it went no further, and what to do.
    Failed(Vec<String>),
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Work {
    suite: String,
    limit: Option<usize>,
}

/// A run, as far as it came.
#[derive(Debug)]
struct Run {
    work: Work,
    items: Vec<Arc<EvalItem>>,
    found: Option<Arc<Evaluated>>,
    condition: Condition,
}

/// The suites in the binary, and one run.
#[derive(Debug)]
pub struct EvalsView {
    suites: Option<Arc<Vec<Outline>>>,
    has_asked: bool,
    /// Why the suites cannot be listed.
    problem: Option<Vec<String>>,
    limit: Option<usize>,
    /// The limit while it is typed.
    editor: Option<Editor>,
    wanted: Option<Work>,
    run: Option<Run>,
    page: Page,
    filter: Filter,
    /// The chosen row.
    at: usize,
    /// Why an item was not opened.
    remark: Option<&'static str>,
}

impl Default for EvalsView {
    fn default() -> Self {
        Self {
            suites: None,
            has_asked: false,
            problem: None,
            limit: None,
            editor: None,
            wanted: None,
            run: None,
            page: Page::Suites,
            filter: Filter::All,
            at: 0,
            remark: None,
        }
    }
}

impl Run {
    const fn is_working(&self) -> bool {
        matches!(self.condition, Condition::Working(_))
    }

    /// How far it came, in words.
    fn standing(&self) -> String {
        let n = self.items.len();
        match &self.condition {
            Condition::Working(None) => "asking the first item".to_owned(),
            Condition::Working(Some((total, left))) if left.as_secs() > 0 => {
                format!("{n}/{total} items, about {} s left", left.as_secs() + 1)
            }
            Condition::Working(Some((total, _))) => format!("{n}/{total} items"),
            Condition::Stopped => format!("stopped after {n} items"),
            Condition::Failed(_) => format!("failed after {n} items"),
            Condition::Done => String::new(),
        }
    }

    /// How far it came, and what can be done about it.
    fn standing_with_keys(&self, keymap: &Keymap) -> String {
        let standing = self.standing();
        let way = |action| keymap.way(Context::Evals, action);
        match &self.condition {
            Condition::Working(_) => format!("{standing}, {} stops", way(Action::Cancel)),
            Condition::Stopped => format!("{standing}, {} runs again", way(Action::Begin)),
            Condition::Failed(_) | Condition::Done => standing,
        }
    }

    /// The names of what says right or wrong, in the order of the columns.
    fn judges(&self) -> Vec<&str> {
        let first = self.items.first().into_iter().flat_map(|item| &item.verdicts);
        first.map(|(name, _)| name.as_str()).collect()
    }

    /// What is known of the main metrics: the name, how many items, the value, the interval.
    fn summary(&self) -> Vec<(String, usize, String, String)> {
        if let Some(found) = &self.found {
            return found.main().map(summed).collect();
        }
        let so_far = |(at, name): (usize, &str)| {
            let right = self.items.iter().filter(|item| item.verdicts.get(at).is_some_and(|(_, is_right)| *is_right));
            let n = self.items.len();
            (name.to_owned(), n, number(right.count() as f64 / n as f64), "so far".to_owned())
        };
        self.judges().into_iter().enumerate().map(so_far).collect()
    }
}

fn number(value: f64) -> String {
    format!("{value:.4}")
}

fn interval(result: &MetricResult) -> String {
    result.interval.map_or_else(String::new, |(low, high)| format!("{} to {}", number(low), number(high)))
}

fn summed(result: &MetricResult) -> (String, usize, String, String) {
    let value = result.value.map_or_else(|| "none".to_owned(), number);
    (metric_name(&result.metric, &result.filter), result.n, value, interval(result))
}

/// The letter of a column.
fn letter(at: usize) -> char {
    ('a'..='z').nth(at).unwrap_or('·')
}

impl EvalsView {
    /// The items that the filter lists.
    fn items(&self) -> Vec<&EvalItem> {
        let all = self.run.iter().flat_map(|run| &run.items).map(AsRef::as_ref);
        all.filter(|item| self.filter.lists(item)).collect()
    }

    fn len(&self) -> usize {
        match self.page {
            Page::Suites => self.suites.as_ref().map_or(0, |suites| suites.len()),
            Page::Items => self.items().len(),
            Page::Metrics => self.run.iter().flat_map(|run| &run.found).map(|found| found.results.len()).sum(),
        }
    }

    fn turn_to(&mut self, page: Page) {
        (self.page, self.at) = (page, 0);
    }

    /// Shows the run of the chosen suite, and begins it unless it was begun.
    fn run_chosen(&mut self) -> Reply {
        let chosen = self.suites.as_ref().and_then(|suites| suites.get(self.at));
        let Some(suite) = chosen.map(|suite| suite.name.clone()) else { return Reply::Done };
        let work = Work { suite, limit: self.limit };
        self.turn_to(Page::Items);
        if self.run.as_ref().is_none_or(|run| run.work != work) {
            self.wanted = Some(work);
        }
        Reply::Refresh
    }

    fn begin_again(&mut self) -> Reply {
        if self.problem.take().is_some() {
            self.has_asked = false;
            return Reply::Refresh;
        }
        match &self.run {
            Some(run) if self.page != Page::Suites => self.wanted = Some(run.work.clone()),
            _ => return self.run_chosen(),
        }
        self.turn_to(Page::Items);
        Reply::Refresh
    }

    fn open(&mut self) -> Reply {
        match self.page {
            Page::Suites => return self.run_chosen(),
            Page::Metrics => return Reply::Done,
            Page::Items => {}
        }
        let Some(deciding) = self.items().get(self.at).map(|item| item.deciding.clone()) else { return Reply::Done };
        match deciding {
            Some(look) => Reply::Look(Box::new(look)),
            None => {
                self.remark = Some("no token of this item is known: there is nothing to look at");
                Reply::Done
            }
        }
    }

    fn accept(&mut self) -> Reply {
        let Some(mut editor) = self.editor.take() else { return Reply::Done };
        let text = editor.input().value().trim().to_owned();
        match text.parse::<usize>() {
            _ if text.is_empty() => self.limit = None,
            Ok(limit) if limit > 0 => self.limit = Some(limit),
            Ok(_) | Err(_) => {
                editor.fail(format!("`{}` is no number of items: type 1 or more, or nothing for all", one_line(&text)));
                self.editor = Some(editor);
            }
        }
        Reply::Done
    }

    fn fail(&mut self, error: &EngineError) {
        let chain = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
        let mut lines: Vec<String> = chain.map(|error| one_line(&error.to_string())).collect();
        lines.dedup();
        lines.extend(error.hint().map(|hint| format!("hint: {}", one_line(&hint))));
        match self.run.as_mut().filter(|run| run.is_working()) {
            Some(run) => run.condition = Condition::Failed(lines),
            None => self.problem = Some(lines),
        }
    }

    fn settle(&mut self, condition: Condition) {
        if let Some(run) = self.run.as_mut().filter(|run| run.is_working()) {
            run.condition = condition;
        }
    }

    fn asked(limit: Option<usize>) -> String {
        limit.map_or_else(|| "all items".to_owned(), |limit| format!("{limit} items, drawn with seed {SEED}"))
    }

    fn heading(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let style = |page| if page == self.page { theme.title() } else { theme.faint() };
        let mut pieces: Vec<(&str, Style)> =
            Page::ALL.iter().flat_map(|&page| [(page.title(), style(page)), ("  ", Style::new())]).collect();
        let what = match &self.run {
            Some(run) if self.page != Page::Suites => format!("{}: {}", run.work.suite, Self::asked(run.work.limit)),
            _ => Self::asked(self.limit),
        };
        let changed = if scene.session.interventions().active().is_empty() { "" } else { "  without interventions" };
        pieces.extend([(what.as_str(), Style::new()), (changed, theme.notice())]);
        spans(buffer, area, 0, &pieces);
    }

    fn render_suites(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let Some(suites) = &self.suites else {
            line(buffer, area, 0, scene.note, theme.faint());
            return;
        };
        let way = |action| scene.keymap.way(Context::Evals, action);
        let text =
            format!("{} runs the chosen suite, {} says on how many items", way(Action::Open), way(Action::EditLimit));
        line(buffer, area, 0, &text, theme.faint());
        let name = suites.iter().map(|suite| width(&suite.name)).max().unwrap_or(0) + 2;
        let room = usize::from(area.height.saturating_sub(2));
        let top = first_visible(self.at, suites.len(), room);
        for (row, (at, suite)) in suites.iter().enumerate().skip(top).take(room).enumerate() {
            let style = if at == self.at { theme.selected() } else { Style::new() };
            let size = format!("{:>5} items  ", suite.items);
            let pieces = [(fit(&suite.name, name), style), (size, theme.faint()), (suite.about.clone(), Style::new())];
            let place = part(area, 0, cells(row + 2), area.width, 1);
            written(&pieces, place, buffer);
            scene.hits.on(place, &[Action::Cursor(Move::To(at))]);
        }
    }

    fn render_items(&self, run: &Run, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let judges = run.judges();
        let summary = run.summary();
        let shown = summary.len().min(usize::from(area.height / 2));
        let widest = summary.iter().map(|row| width(&row.0)).max().unwrap_or(0).min(30);
        for (row, (name, n, value, interval)) in summary.iter().take(shown).enumerate() {
            let mark = judges.iter().position(|judge| judge == name).map_or(' ', letter);
            let pieces = [
                (format!("{mark} "), theme.title()),
                (format!("{} ", fit(name, widest)), Style::new()),
                (format!("n {n:>5} "), theme.faint()),
                (format!("{value:>9}  "), theme.title()),
                (interval.clone(), theme.faint()),
            ];
            written(&pieces, part(area, 0, cells(row), area.width, 1), buffer);
        }
        let list = part(area, 0, cells(shown), area.width, area.height.saturating_sub(cells(shown)));
        self.render_list(run, judges.len(), scene, list, buffer);
    }

    fn render_list(&self, run: &Run, n_judges: usize, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let items = self.items();
        let letters: String = (0..n_judges).map(letter).collect();
        let id = run.items.iter().map(|item| width(&item.id)).max().unwrap_or(4).clamp(4, 20);
        let half = usize::from(area.width).saturating_sub(n_judges + id + 4) / 2;
        let listed = format!("{} ({} of {})", self.filter.title(), items.len(), run.items.len());
        let head = format!("{letters}  {}  {}{}", fit("item", id), fit("answer", half), fit("gold", half));
        line(buffer, area, 0, &head, theme.faint());
        let place = part(area, area.width.saturating_sub(cells(width(&listed))), 0, area.width, 1);
        line(buffer, place, 0, &listed, theme.title());
        let room = usize::from(area.height.saturating_sub(1));
        let at = self.at.min(items.len().saturating_sub(1));
        let top = first_visible(at, items.len(), room);
        for (row, (index, item)) in items.iter().enumerate().skip(top).take(room).enumerate() {
            let style = if index == at { theme.selected() } else { Style::new() };
            let mark = |(_, is_right): &(String, bool)| {
                if *is_right { ("✓".to_owned(), theme.towards()) } else { ("✗".to_owned(), theme.against()) }
            };
            let mut pieces: Vec<(String, Style)> = item.verdicts.iter().map(mark).collect();
            pieces.extend([
                ("  ".to_owned(), Style::new()),
                (fit(&one_line(&item.id), id), style),
                ("  ".to_owned(), Style::new()),
                (fit(&one_line(&item.answer), half.saturating_sub(1)), Style::new()),
                (" ".to_owned(), Style::new()),
                (fit(&one_line(&item.gold), half), theme.faint()),
            ]);
            let place = part(area, 0, cells(row + 1), area.width, 1);
            written(&pieces, place, buffer);
            scene.hits.on(place, &[Action::Cursor(Move::To(index))]);
        }
    }

    fn render_metrics(&self, run: &Run, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let Some(found) = &run.found else {
            line(buffer, area, 0, "every metric is told once all items are done", scene.theme.faint());
            return;
        };
        let names = ["metric", "items", "n", "value", "95 % interval", "method"];
        let row = |result: &MetricResult| {
            vec![
                Cell::Text(metric_name(&result.metric, &result.filter)),
                Cell::Text(result.stratum.clone().unwrap_or_else(|| "all".to_owned())),
                Cell::Integer(i64::try_from(result.n).unwrap_or(i64::MAX)),
                result.value.map_or(Cell::Empty, |value| Cell::number(value, 4)),
                Cell::Text(interval(result)),
                Cell::Text(result.method.name().to_owned()),
            ]
        };
        let columns = names.iter().map(|name| Column::new(name, "")).collect();
        // every row has a cell a column
        let Ok(table) = Table::new(columns, found.results.iter().map(row).collect()) else { return };
        TableWidget { table: &table, chosen: self.at, notable: &|_| false, theme: scene.theme }.render(area, buffer);
    }

    fn render_run(&self, run: &Run, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        match (&run.condition, self.page) {
            (Condition::Failed(lines), _) => told(lines, scene.theme.error(), area, buffer),
            (_, Page::Metrics) => self.render_metrics(run, scene, area, buffer),
            (_, _) if run.items.is_empty() => {}
            (_, _) => self.render_items(run, scene, area, buffer),
        }
    }

    fn render_typing(editor: &Editor, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        prompt_input::render("items> ", editor.input(), scene.theme, area, buffer);
        match editor.problem() {
            Some(problem) => line(buffer, area, 1, problem, scene.theme.error()),
            None => line(buffer, area, 1, "how many items of a suite are asked; nothing asks all", scene.theme.faint()),
        };
    }
}

fn written(pieces: &[(String, Style)], area: Rect, buffer: &mut Buffer) {
    let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    spans(buffer, area, 0, &pieces);
}

fn told(lines: &[String], style: Style, area: Rect, buffer: &mut Buffer) {
    let wrapped = lines.iter().flat_map(|text| wrap(text, usize::from(area.width)));
    for (row, text) in wrapped.enumerate() {
        line(buffer, area, cells(row), &text, style);
    }
}

impl View for EvalsView {
    fn name(&self) -> ViewName {
        ViewName::Evals
    }

    fn begin_with(&mut self, settings: &Settings) {
        self.limit = Some(settings.items);
    }

    fn context(&self) -> Context {
        if self.is_typing() { Context::Typing } else { Context::Evals }
    }

    fn needs(&self, _: &Session) -> Vec<Panel> {
        Vec::new()
    }

    fn update(&mut self, action: Action, _: &Session) -> Reply {
        self.remark = None;
        match action {
            Action::Cursor(to) => self.at = to.apply(self.at, self.len()),
            Action::NextFilter => (self.filter, self.at) = (self.filter.next(), 0),
            Action::NextRanking if self.run.is_some() => self.turn_to(self.page.next()),
            Action::Out => self.turn_to(Page::Suites),
            Action::Open => return self.open(),
            Action::Begin => return self.begin_again(),
            Action::EditLimit => {
                let text = self.limit.map_or_else(String::new, |limit| limit.to_string());
                self.editor = Some(Editor::new(text, Tokens::default()));
            }
            Action::Accept => return self.accept(),
            Action::Leave => self.editor = None,
            _ => {}
        }
        Reply::Done
    }

    fn keeps(&self, action: Action, _: &Session) -> bool {
        matches!(action, Action::Cursor(_) | Action::NextFilter | Action::NextRanking | Action::Out)
    }

    fn receive(&mut self, _: &Arc<Inspection>) {}

    fn job(&mut self, _: &Session) -> Option<Request> {
        if !self.has_asked {
            self.has_asked = true;
            return Some(Request::Suites);
        }
        let work = self.wanted.take()?;
        let request = Request::Evaluate { suite: work.suite.clone(), limit: work.limit, seed: SEED };
        self.run = Some(Run { work, items: Vec::new(), found: None, condition: Condition::Working(None) });
        Some(request)
    }

    fn hear(&mut self, news: News<'_>, _: &Session) -> Reply {
        match news {
            News::Event(Event::Scored { item, total, left }) => {
                if let Some(run) = self.run.as_mut().filter(|run| run.is_working()) {
                    run.items.push(Arc::clone(item));
                    run.condition = Condition::Working(Some((*total, *left)));
                }
            }
            News::Event(_) => {}
            News::Finished(Outcome::Suites(suites)) => (self.suites, self.problem) = (Some(Arc::clone(suites)), None),
            News::Finished(Outcome::Evaluated(found)) => {
                if let Some(run) = &mut self.run {
                    run.found = Some(Arc::clone(found));
                }
                self.settle(Condition::Done);
            }
            News::Finished(_) => {}
            News::Failed(error) => self.fail(error),
            News::Stopped => {
                // what was stopped before it was listed is asked for when it is shown again
                self.has_asked = self.suites.is_some();
                self.settle(Condition::Stopped);
            }
        }
        Reply::Done
    }

    fn is_typing(&self) -> bool {
        self.editor.is_some()
    }

    fn key(&mut self, key: Key, _: &Session) -> Reply {
        if let Some(editor) = self.editor.as_mut() {
            editor.key(key);
        }
        Reply::Done
    }

    fn paste(&mut self, text: &str, _: &Session) -> Reply {
        if let Some(editor) = self.editor.as_mut() {
            editor.paste(text);
        }
        Reply::Done
    }

    fn searchable(&self, _: &Session) -> Vec<String> {
        match self.page {
            Page::Suites => {
                self.suites.iter().flat_map(|suites| suites.iter()).map(|suite| suite.name.clone()).collect()
            }
            Page::Items => {
                let text = |item: &EvalItem| format!("{} {} {}", item.id, item.answer, item.gold);
                self.items().into_iter().map(text).map(|text| one_line(&text)).collect()
            }
            Page::Metrics => {
                let all = self.run.iter().flat_map(|run| &run.found).flat_map(|found| &found.results);
                all.map(|result| metric_name(&result.metric, &result.filter)).collect()
            }
        }
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        if let Some(editor) = &self.editor {
            Self::render_typing(editor, scene, area, buffer);
            return;
        }
        if let Some(problem) = &self.problem {
            told(problem, scene.theme.error(), area, buffer);
            return;
        }
        if area.height < 5 {
            line(buffer, area, 0, "a suite needs five rows: enlarge the window", scene.theme.notice());
            return;
        }
        self.heading(scene, area, buffer);
        let run = self.run.as_ref().filter(|_| self.page != Page::Suites);
        let standing = run.map(|run| run.standing_with_keys(scene.keymap));
        let remark = self.remark.map(str::to_owned).or(standing).unwrap_or_default();
        line(buffer, area, 1, &remark, scene.theme.notice());
        let body = part(area, 0, 2, area.width, area.height.saturating_sub(2));
        match &self.run {
            Some(run) if self.page != Page::Suites => self.render_run(run, scene, body, buffer),
            _ => self.render_suites(scene, body, buffer),
        }
    }
}
