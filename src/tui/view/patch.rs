//! Activation patching between the prompt and a corrupted one: a grid that fills while one looks at it.
//!
//! The prompt is the clean one; the corrupted one is typed here. What is measured is asked like everywhere: A minus B
//! after the selected position. The model is patched as it is, without the session's interventions.

mod figures;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{News, Reply, Scene, View, ViewName};
use crate::engine::{EngineError, Event, Inspection, Outcome, Panel, PatchFrame, PatchWork, Request, Tokens};
use crate::figure::{Figure, Scale};
use crate::probe::patching::{self, Cell, CellAt, Direction, Measure, Metric, Origin, PatchError, PatchSite};
use crate::tui::action::{Action, Move};
use crate::tui::editor::Editor;
use crate::tui::input::Key;
use crate::tui::keymap::{Context, Keymap};
use crate::tui::layout::{cells, part};
use crate::tui::session::Session;
use crate::tui::text::{fit, one_line, width, wrap};
use crate::tui::widget::value_grid::{Heading, ValueGrid};
use crate::tui::widget::{line, prompt_input, spans};

/// A grid that was asked for, as far as it is filled.
#[derive(Debug)]
struct Sheet {
    work: PatchWork,
    frame: Option<Arc<PatchFrame>>,
    cells: BTreeMap<CellAt, f64>,
    /// What the library makes of the filled grid.
    figures: Vec<Arc<Figure>>,
    state: SheetState,
}

#[derive(Debug, PartialEq, Eq)]
enum SheetState {
    /// It is being filled; how long that will take, once that is known.
    Filling(Option<Duration>),
    Done,
    /// It was stopped; its cells stay.
    Stopped,
    /// It was stopped, and is gone on with.
    Resumed,
    /// It cannot be filled: why, and what to do.
    Failed(Vec<String>),
}

/// The corrupted prompt.
#[derive(Debug, Clone)]
struct Corrupted {
    text: String,
    tokens: Tokens,
}

/// The grid of all layers, and that of the heads of one layer.
#[derive(Debug)]
pub struct PatchView {
    corrupted: Option<Corrupted>,
    /// The corrupted prompt while it is typed.
    editor: Option<Editor>,
    /// What is to be tokenised next.
    draft: Option<String>,
    /// What was taken, and has no tokens yet.
    taken: Option<String>,
    site: PatchSite,
    direction: Direction,
    metric: Metric,
    /// The layer whose heads are shown, and what was shown before.
    within: Option<(usize, Option<Sheet>, (usize, usize))>,
    sheet: Option<Sheet>,
    cursor: (usize, usize),
}

impl Default for PatchView {
    fn default() -> Self {
        Self {
            corrupted: None,
            editor: None,
            draft: None,
            taken: None,
            site: PatchSite::ResidPre,
            direction: Direction::Denoise,
            metric: Metric::LogitDiff,
            within: None,
            sheet: None,
            cursor: (0, 0),
        }
    }
}

/// The one after this in a list, and the first after the last.
fn next_of<T: Copy + PartialEq>(all: &[T], now: T) -> T {
    let at = all.iter().position(|one| *one == now).map_or(0, |at| at + 1);
    all.get(at).or(all.first()).copied().unwrap_or(now)
}

impl Sheet {
    const fn new(work: PatchWork) -> Self {
        Self { work, frame: None, cells: BTreeMap::new(), figures: Vec::new(), state: SheetState::Filling(None) }
    }

    /// What is patched in a row and a column.
    fn at(frame: &PatchFrame, (row, column): (usize, usize)) -> CellAt {
        let n_heads = frame.n_heads.unwrap_or(1);
        if frame.request.site == PatchSite::Head {
            return CellAt { layer: frame.layer.unwrap_or(row), head: Some(column), position: None };
        }
        let layer = frame.layer.unwrap_or(row / n_heads);
        CellAt { layer, head: frame.n_heads.map(|n| row % n), position: Some(column) }
    }

    fn n_rows(frame: &PatchFrame) -> usize {
        let layers = if frame.layer.is_some() { 1 } else { frame.n_layers };
        if frame.request.site == PatchSite::Head { layers } else { layers * frame.n_heads.unwrap_or(1) }
    }

    fn n_columns(frame: &PatchFrame) -> usize {
        if frame.request.site == PatchSite::Head { frame.n_heads.unwrap_or(1) } else { frame.n_pos }
    }

    fn value(&self, place: (usize, usize)) -> Option<f64> {
        self.cells.get(&Self::at(self.frame.as_deref()?, place)).copied()
    }

    /// What is filled already.
    fn known(&self) -> Vec<Cell> {
        let cell = |(&at, &value): (&CellAt, &f64)| Cell { at, value, origin: Origin::Run };
        self.cells.iter().map(cell).collect()
    }

    fn rows(frame: &PatchFrame) -> Vec<String> {
        let name = |row| {
            let at = Self::at(frame, (row, 0));
            match at.head.filter(|_| at.position.is_some()) {
                Some(head) => format!("L{}H{head}", at.layer),
                None => format!("L{}", at.layer),
            }
        };
        (0..Self::n_rows(frame)).map(name).collect()
    }

    /// How far the values go from that of the run that is patched.
    #[expect(clippy::cast_possible_truncation, reason = "what is drawn is f32")]
    fn scale(&self, frame: &PatchFrame) -> Scale {
        let span = match frame.request.measure.metric {
            Metric::Recovery => 1.0,
            _ => (frame.plain[0] - frame.plain[1]).abs(),
        };
        let reach = self.cells.values().map(|value| (value - frame.base).abs()).fold(span, f64::max);
        Scale::Diverging { mid: frame.base as f32, reach: reach as f32 }
    }
}

impl PatchView {
    /// What is to be filled, if both prompts are there and of one length.
    fn work(&self, session: &Session) -> Option<PatchWork> {
        let corrupted = &self.corrupted.as_ref()?.tokens.ids;
        let clean = &session.tokens().ids;
        if clean.is_empty() || clean.len() != corrupted.len() || self.taken.is_some() {
            return None;
        }
        let measure = Measure { direction: self.direction, metric: self.metric, ask: session.ask() };
        let layer = self.within.as_ref().map(|within| within.0);
        let site = if layer.is_some() { PatchSite::Z } else { self.site };
        let request = patching::Request { site, measure };
        Some(PatchWork { ids: [clean.clone(), corrupted.clone()], request, layer, known: Vec::new() })
    }

    /// What keeps the prompts from being compared.
    fn mismatch(&self, session: &Session) -> Option<PatchError> {
        let corrupted = &self.corrupted.as_ref()?.tokens.visible;
        let clean = &session.tokens().visible;
        (clean.len() != corrupted.len())
            .then(|| PatchError::Lengths { clean: clean.clone(), corrupted: corrupted.clone() })
    }

    fn stop(&mut self) {
        if let Some(sheet) = self.sheet.as_mut().filter(|sheet| matches!(sheet.state, SheetState::Filling(_))) {
            sheet.state = SheetState::Stopped;
        }
    }

    fn move_cursor(&mut self, rows: Option<Move>, columns: Option<Move>) {
        let Some(frame) = self.sheet.as_ref().and_then(|sheet| sheet.frame.as_deref()) else { return };
        let (n_rows, n_columns) = (Sheet::n_rows(frame), Sheet::n_columns(frame));
        let (row, column) = self.cursor;
        let to = |by: Option<Move>, at, n| by.unwrap_or(Move::To(at)).apply(at, n);
        self.cursor = (to(rows, row, n_rows), to(columns, column, n_columns));
    }

    /// The heads of the layer under the cursor.
    fn open(&mut self) -> Reply {
        let Some(frame) = self.sheet.as_ref().and_then(|sheet| sheet.frame.as_deref()) else { return Reply::Done };
        if self.within.is_some() {
            return Reply::Done;
        }
        let at = Sheet::at(frame, self.cursor);
        self.stop();
        self.within = Some((at.layer, self.sheet.take(), self.cursor));
        self.cursor = (at.head.unwrap_or(0), at.position.unwrap_or(0));
        Reply::Refresh
    }

    fn out(&mut self) -> Reply {
        let Some((_, sheet, cursor)) = self.within.take() else { return Reply::Done };
        (self.sheet, self.cursor) = (sheet, cursor);
        Reply::Refresh
    }

    /// The chosen cell as an intervention: the corrupted prompt's activation in the prompt, which every view is then
    /// shown with.
    fn take_in(&self) -> Reply {
        let frame = self.sheet.as_ref().and_then(|sheet| sheet.frame.as_deref());
        let Some((frame, corrupted)) = frame.zip(self.corrupted.as_ref()) else { return Reply::Done };
        match place(frame.request.site, Sheet::at(frame, self.cursor)) {
            Some(place) => Reply::Intervene(format!("patch:{place}<{}", corrupted.text)),
            None => Reply::Say(format!("no intervention patches {}: choose another site", frame.request.site.name())),
        }
    }

    fn edit(&mut self, session: &Session) {
        let (text, tokens) = match &self.corrupted {
            Some(corrupted) => (corrupted.text.clone(), corrupted.tokens.clone()),
            None => (session.text(), session.tokens().clone()),
        };
        self.editor = Some(Editor::new(text, tokens));
    }

    fn accept(&mut self) -> Reply {
        let Some(editor) = self.editor.take() else { return Reply::Done };
        let text = editor.input().value().to_owned();
        (self.draft, self.taken) = (Some(text.clone()), Some(text));
        Reply::Refresh
    }

    fn arrive(&mut self, tokens: &Tokens) -> Reply {
        if let Some(text) = self.taken.take() {
            self.corrupted = Some(Corrupted { text, tokens: tokens.clone() });
            return Reply::Refresh;
        }
        if let Some(editor) = &mut self.editor {
            editor.arrive(tokens.clone());
        }
        Reply::Done
    }

    fn fail(&mut self, error: &EngineError, session: &Session) {
        if let Some(text) = self.taken.take() {
            self.editor = Some(Editor::new(text, session.tokens().clone()));
        }
        match (&mut self.editor, &mut self.sheet) {
            (Some(editor), _) => editor.fail(error.to_string()),
            (None, Some(sheet)) => {
                let hint = error.hint().map(|hint| format!("hint: {hint}"));
                sheet.state = SheetState::Failed(std::iter::once(error.to_string()).chain(hint).collect());
            }
            (None, None) => {}
        }
    }

    fn event(&mut self, event: &Event) {
        let Some(sheet) = &mut self.sheet else { return };
        match event {
            Event::PatchBegun(frame) => {
                sheet.frame = Some(Arc::clone(frame));
                self.move_cursor(None, None);
            }
            Event::Cells { cells, left } => {
                sheet.cells.extend(cells.iter().map(|cell| (cell.at, cell.value)));
                sheet.state = SheetState::Filling(Some(*left));
            }
            Event::Progress(_) | Event::Token { .. } | Event::Scored { .. } => {}
        }
    }

    fn render_typing(editor: &Editor, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        prompt_input::render("corrupted> ", editor.input(), theme, area, buffer);
        if let Some(problem) = editor.problem() {
            line(buffer, area, 1, &one_line(problem), theme.error());
            return;
        }
        let (clean, typed) = (&scene.session.tokens().visible, &editor.tokens().visible);
        let same = clean.len() == typed.len();
        let text = format!("{} tokens, the prompt has {}", typed.len(), clean.len());
        line(buffer, area, 1, &text, if same { theme.faint() } else { theme.notice() });
        if same {
            side_by_side(clean, typed, scene, part(area, 0, 3, area.width, 2), buffer);
        } else {
            let error = PatchError::Lengths { clean: clean.clone(), corrupted: typed.clone() };
            prose(&told(&error, scene.keymap), scene, part(area, 0, 3, area.width, area.height), buffer);
        }
    }

    fn render_sheet(&self, sheet: &Sheet, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        if let SheetState::Failed(lines) = &sheet.state {
            prose(lines, scene, part(area, 0, 2, area.width, area.height), buffer);
            return;
        }
        let Some(frame) = sheet.frame.as_deref() else {
            line(buffer, area, 1, "running both prompts …", theme.faint());
            return;
        };
        let [clean, corrupted] = frame.plain.map(|value| format!("{value:.2}"));
        let way = |action| scene.keymap.way(Context::Patch, action);
        let (done, total) = (sheet.cells.len(), frame.n_cells);
        let (state, style) = match &sheet.state {
            SheetState::Done => (String::new(), theme.faint()),
            SheetState::Filling(left) => {
                (format!("{}, {} stops", filling(done, total, *left), way(Action::Cancel)), theme.notice())
            }
            SheetState::Stopped | SheetState::Resumed | SheetState::Failed(_) => {
                (format!("stopped at {done} of {total} cells, {} goes on", way(Action::Begin)), theme.notice())
            }
        };
        let pieces = [
            (plain_name(frame), theme.faint()),
            (" clean ", theme.faint()),
            (&clean, theme.title()),
            (" corrupted ", theme.faint()),
            (&corrupted, theme.title()),
            ("  ", Style::new()),
            (&state, style),
        ];
        spans(buffer, area, 1, &pieces);
        let (rows, columns) = (Sheet::rows(frame), self.columns(frame, scene.session));
        let grid = ValueGrid {
            rows: &rows,
            columns: &columns,
            value: &|row, column| sheet.value((row, column)),
            scale: sheet.scale(frame),
            cursor: self.cursor,
            theme,
        };
        grid.render(part(area, 0, 2, area.width, area.height.saturating_sub(3)), buffer);
        let last = part(area, 0, area.height.saturating_sub(1), area.width, 1);
        self.selected(sheet, frame, scene, last, buffer);
    }

    fn columns(&self, frame: &PatchFrame, session: &Session) -> Vec<Heading> {
        let other = self.corrupted.as_ref().map_or(&[][..], |corrupted| corrupted.tokens.visible.as_slice());
        let clean = &session.tokens().visible;
        let heading = |at: usize| {
            if frame.request.site == PatchSite::Head {
                return Heading { above: format!("h{at}"), below: None };
            }
            let above = clean.get(at).cloned().unwrap_or_default();
            let below = other.get(at).filter(|below| **below != above).cloned();
            Heading { above, below }
        };
        (0..Sheet::n_columns(frame)).map(heading).collect()
    }

    /// The chosen cell in full.
    fn selected(&self, sheet: &Sheet, frame: &PatchFrame, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let at = Sheet::at(frame, self.cursor);
        let head = at.head.map_or_else(String::new, |head| format!("H{head}"));
        let heading = self.columns(frame, scene.session).into_iter().nth(self.cursor.1).unwrap_or_default();
        let token = heading.below.map_or_else(|| heading.above.clone(), |below| format!("{}/{below}", heading.above));
        let position = at.position.map_or_else(String::new, |position| format!("@{position} {token}"));
        let place = format!("L{}{head}{position}: ", at.layer);
        let value = sheet.value(self.cursor);
        let number = value.map_or_else(|| "not filled yet".into(), |value| format!("{value:.3}"));
        let change =
            value.map_or_else(String::new, |value| format!(", {:+.3} from {:.3}", value - frame.base, frame.base));
        let metric = value.map_or("", |_| frame.request.measure.metric.name());
        let pieces = [
            (place.as_str(), theme.faint()),
            (metric, theme.faint()),
            (" ", Style::new()),
            (&number, theme.title()),
            (&change, Style::new()),
            ("  ", Style::new()),
            (frame.request.site.about(), theme.faint()),
        ];
        spans(buffer, area, 0, &pieces);
    }

    /// What is patched, how, and what is measured.
    fn heading(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let frame = self.sheet.as_ref().and_then(|sheet| sheet.frame.as_deref());
        let site = match &self.within {
            Some((layer, ..)) => format!("heads of layer {layer}"),
            None => self.site.name().to_owned(),
        };
        let way = match self.direction {
            Direction::Denoise => " clean into corrupted (denoise)",
            Direction::Noise => " corrupted into clean (noise)",
        };
        let metric = format!("  {}", self.metric);
        let token = frame.map_or_else(String::new, |frame| format!(" A {}", frame.token.visible));
        let versus = frame.and_then(|frame| frame.versus.as_ref()).map(|named| format!(" B {}", named.visible));
        let after = frame.map_or_else(String::new, |frame| format!(" after {}", frame.n_pos.saturating_sub(1)));
        let changed = !scene.session.interventions().active().is_empty();
        let pieces = [
            (site.as_str(), theme.title()),
            (way, Style::new()),
            (&metric, theme.title()),
            (&token, theme.towards()),
            (versus.as_deref().unwrap_or(""), theme.against()),
            (&after, theme.faint()),
            (if changed { "  without interventions" } else { "" }, theme.notice()),
        ];
        spans(buffer, area, 0, &pieces);
    }
}

/// A cell as interventions name it; keys, queries, values and patterns have no such name.
fn place(site: PatchSite, at: CellAt) -> Option<String> {
    let part = match (site, at.head) {
        (PatchSite::ResidPre, _) => String::new(),
        (PatchSite::AttnOut, _) => ".attn".into(),
        (PatchSite::MlpOut, _) => ".mlp".into(),
        (PatchSite::Head | PatchSite::Z, Some(head)) => format!("H{head}"),
        (PatchSite::Head | PatchSite::Z | PatchSite::K | PatchSite::V | PatchSite::Pattern, _) => {
            return None;
        }
    };
    let position = at.position.map_or_else(String::new, |position| format!("@{position}"));
    Some(format!("L{}{part}{position}", at.layer))
}

impl View for PatchView {
    fn name(&self) -> ViewName {
        ViewName::Patch
    }

    fn context(&self) -> Context {
        if self.is_typing() { Context::Typing } else { Context::Patch }
    }

    fn needs(&self, _: &Session) -> Vec<Panel> {
        Vec::new()
    }

    fn update(&mut self, action: Action, session: &Session) -> Reply {
        match action {
            Action::Cursor(to) => self.move_cursor(Some(to), None),
            Action::Column(to) => self.move_cursor(None, Some(to)),
            Action::EditOther => self.edit(session),
            Action::Accept => return self.accept(),
            Action::Leave => (self.editor, self.draft) = (None, None),
            Action::Open => return self.open(),
            Action::Out => return self.out(),
            Action::NextSite if self.within.is_none() => self.site = next_of(&PatchSite::ALL, self.site),
            Action::NextDirection => self.direction = next_of(Direction::ALL, self.direction),
            Action::NextMetric => self.metric = next_of(Metric::ALL, self.metric),
            Action::Begin => match self.sheet.as_mut().filter(|sheet| sheet.state == SheetState::Stopped) {
                Some(sheet) => sheet.state = SheetState::Resumed,
                None => return Reply::Done,
            },
            Action::TakeOut => return self.take_in(),
            Action::Position(_) => {}
            _ => return Reply::Done,
        }
        if matches!(action, Action::Cursor(_) | Action::Column(_)) { Reply::Done } else { Reply::Refresh }
    }

    fn keeps(&self, action: Action, _: &Session) -> bool {
        matches!(action, Action::Cursor(_) | Action::Column(_))
    }

    fn receive(&mut self, _: &Arc<Inspection>) {}

    fn job(&mut self, session: &Session) -> Option<Request> {
        if let Some(text) = self.draft.take() {
            self.stop();
            return Some(Request::Tokenise { text, bos: session.bos() });
        }
        let work = self.work(session).filter(|_| self.editor.is_none())?;
        if let Some(sheet) = self.sheet.as_mut().filter(|sheet| sheet.work == work) {
            if sheet.state != SheetState::Resumed {
                return None;
            }
            sheet.state = SheetState::Filling(None);
            return Some(Request::Patch(Box::new(PatchWork { known: sheet.known(), ..work })));
        }
        self.sheet = Some(Sheet::new(work.clone()));
        Some(Request::Patch(Box::new(work)))
    }

    fn give_way(&mut self) {
        if let Some(sheet) = self.sheet.as_mut().filter(|sheet| matches!(sheet.state, SheetState::Filling(_))) {
            sheet.state = SheetState::Resumed;
        }
    }

    fn hear(&mut self, news: News<'_>, session: &Session) -> Reply {
        match news {
            News::Event(event) => self.event(event),
            News::Finished(Outcome::Tokens(tokens)) => return self.arrive(tokens),
            News::Finished(outcome) => {
                if let Some(sheet) = &mut self.sheet {
                    sheet.state = SheetState::Done;
                    if let Outcome::Patched(figures) = outcome {
                        sheet.figures.clone_from(figures);
                    }
                }
            }
            News::Failed(error) => self.fail(error, session),
            News::Stopped => self.stop(),
        }
        Reply::Done
    }

    fn is_typing(&self) -> bool {
        self.editor.is_some()
    }

    fn key(&mut self, key: Key, _: &Session) -> Reply {
        let Some(editor) = self.editor.as_mut() else { return Reply::Done };
        if !editor.key(key) {
            return Reply::Done;
        }
        self.draft = Some(editor.input().value().to_owned());
        Reply::Refresh
    }

    fn paste(&mut self, text: &str, _: &Session) -> Reply {
        let Some(editor) = self.editor.as_mut() else { return Reply::Done };
        editor.paste(text);
        self.draft = Some(editor.input().value().to_owned());
        Reply::Refresh
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        if let Some(editor) = &self.editor {
            Self::render_typing(editor, scene, area, buffer);
            return;
        }
        if scene.session.tokens().ids.is_empty() {
            line(buffer, area, 0, scene.note, scene.theme.faint());
            return;
        }
        if self.corrupted.is_none() {
            let way = scene.keymap.way(Context::Patch, Action::EditOther);
            let lines = [
                "Which activations carry the difference between two prompts?".to_owned(),
                format!("{way} types the corrupted prompt: the prompt with another word, in as many tokens"),
            ];
            prose(&lines, scene, area, buffer);
            return;
        }
        if area.height < 5 {
            line(buffer, area, 0, "the grid needs five rows: enlarge the window", scene.theme.notice());
            return;
        }
        self.heading(scene, area, buffer);
        match (self.mismatch(scene.session), &self.sheet) {
            (Some(error), _) => {
                prose(&told(&error, scene.keymap), scene, part(area, 0, 2, area.width, area.height), buffer);
            }
            (None, Some(sheet)) => self.render_sheet(sheet, scene, area, buffer),
            (None, None) => {
                line(buffer, area, 1, scene.note, scene.theme.faint());
            }
        }
    }
}

/// What is compared between the prompts: a recovery is of a logit difference.
const fn plain_name(frame: &PatchFrame) -> &'static str {
    match frame.request.measure.metric {
        Metric::Recovery | Metric::LogitDiff => Metric::LogitDiff.name(),
        other => other.name(),
    }
}

fn filling(done: usize, total: usize, left: Option<Duration>) -> String {
    let left = match left {
        Some(left) if left.as_secs() > 0 => format!(", about {} s left", left.as_secs() + 1),
        Some(_) | None => String::new(),
    };
    format!("{done}/{total} cells{left}")
}

/// An error and its hint, line by line.
fn told(error: &PatchError, keymap: &Keymap) -> Vec<String> {
    let mut lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
    let [corrupted, clean] = [Action::EditOther, Action::Edit].map(|action| keymap.way(Context::Patch, action));
    let ways = format!("{corrupted} edits the corrupted prompt, {clean} the clean one");
    lines.extend(error.hint().map(|hint| format!("hint: {hint}; {ways}")));
    lines
}

/// Lines of text; those that say what to do stand out.
fn prose(lines: &[String], scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let columns = usize::from(area.width);
    let wrapped = lines.iter().flat_map(|text| {
        let style = if text.starts_with("hint:") { scene.theme.notice() } else { Style::new() };
        // tokens one under the other are cut, not wrapped
        let is_aligned = text.starts_with("  ");
        let lines = if is_aligned { vec![text.clone()] } else { wrap(text, columns) };
        lines.into_iter().map(move |line| (line, style))
    });
    for (row, (text, style)) in wrapped.enumerate() {
        line(buffer, area, cells(row), &text, style);
    }
}

/// Tokens of both prompts, position by position; what differs stands out.
fn side_by_side(clean: &[String], other: &[String], scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = scene.theme;
    let mut lines = [vec![("clean      ".to_owned(), theme.faint())], vec![("corrupted  ".to_owned(), theme.faint())]];
    for (above, below) in clean.iter().zip(other) {
        let wide = width(above).max(width(below)) + 1;
        let style = if above == below { Style::new() } else { theme.notice() };
        for (line, token) in lines.iter_mut().zip([above, below]) {
            line.push((fit(token, wide), style));
        }
    }
    for (row, pieces) in lines.iter().enumerate() {
        let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
        spans(buffer, area, cells(row), &pieces);
    }
}
