//! Why A rather than B: what each part adds to the difference of their logits, from components down to source tokens,
//! and what each token of the prompt does for it, which is a job of the view's own.

mod figures;
mod scores;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use self::scores::Scores;
use super::{News, Reply, Scene, View, ViewName};
use crate::engine::{InputMethod, Inspection, Outcome, Pair, Panel, Part, PartKind, Request, Why};
use crate::figure::Figure;
use crate::hook::Head;
use crate::tui::action::{Action, Move};
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::session::Session;
use crate::tui::text::{cut, fit};
use crate::tui::widget::diverging::halves;
use crate::tui::widget::{line, spans};

/// Which parts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Level {
    /// Embeddings, attention and MLPs.
    #[default]
    Components,
    /// Heads, of one block or of all.
    Heads(Option<usize>),
    /// Neurons, of one block or of all.
    Neurons(Option<usize>),
    /// What was carried from each position, by one head or by all.
    Sources(Option<Head>),
    /// What each token of the prompt does, by this method.
    Inputs(InputMethod),
}

impl Level {
    /// The next of those that rank the whole model.
    fn next(self) -> Self {
        match self {
            Self::Components => Self::Heads(None),
            Self::Heads(_) => Self::Neurons(None),
            Self::Neurons(_) => Self::Sources(None),
            Self::Sources(_) => Self::Inputs(InputMethod::ALL[0]),
            Self::Inputs(method) => {
                let after = InputMethod::ALL.iter().skip_while(|other| **other != method).nth(1);
                after.map_or(Self::Components, |method| Self::Inputs(*method))
            }
        }
    }

    /// What a part is made of.
    const fn inside(kind: PartKind) -> Option<Self> {
        match kind {
            PartKind::Attention(layer) => Some(Self::Heads(Some(layer))),
            PartKind::Mlp(layer) => Some(Self::Neurons(Some(layer))),
            PartKind::Head(head) => Some(Self::Sources(Some(head))),
            PartKind::Fixed
            | PartKind::Neuron { .. }
            | PartKind::Source { .. }
            | PartKind::Input(_)
            | PartKind::Rest => None,
        }
    }

    fn holds(self, kind: PartKind) -> bool {
        match (self, kind) {
            (Self::Heads(only), PartKind::Head(head)) => only.is_none_or(|layer| layer == head.layer),
            (Self::Neurons(only), PartKind::Neuron { layer, .. }) => only.is_none_or(|only| only == layer),
            (Self::Sources(only), PartKind::Source { head, .. }) => only == head,
            (Self::Components, _) | (Self::Inputs(_), PartKind::Input(_)) => true,
            _ => false,
        }
    }

    fn title(self) -> String {
        match self {
            Self::Components => "components".into(),
            Self::Heads(None) => "all heads".into(),
            Self::Heads(Some(layer)) => format!("heads of layer {layer}"),
            Self::Neurons(None) => "strongest neurons".into(),
            Self::Neurons(Some(layer)) => format!("strongest neurons of layer {layer}"),
            Self::Sources(None) => "tokens, through all heads".into(),
            Self::Sources(Some(head)) => format!("tokens, through {head}"),
            Self::Inputs(method) => format!("tokens, {}", method.title()),
        }
    }

    /// How its tokens are scored, if it is about those.
    const fn method(self) -> Option<InputMethod> {
        if let Self::Inputs(method) = self { Some(method) } else { None }
    }
}

/// The parts of the sum, strongest first.
#[derive(Debug, Default)]
pub struct WhyView {
    inspection: Option<Arc<Inspection>>,
    level: Level,
    chosen: usize,
    /// Where one came from: level and cursor.
    path: Vec<(Level, usize)>,
    scores: Scores,
}

impl WhyView {
    fn why(&self) -> Option<&Why> {
        self.inspection.as_ref()?.why.as_deref()
    }

    /// The parts of the level, strongest first; what is no part of the model stays below.
    fn parts(&self) -> Vec<&Part> {
        let Some(why) = self.why() else { return Vec::new() };
        let scored = self.level.method().and_then(|method| self.scores.found(method));
        let all: &[Part] = match self.level {
            Level::Components => &why.components,
            Level::Heads(_) => &why.heads,
            Level::Neurons(_) => &why.neurons,
            Level::Sources(None) => &why.sources,
            Level::Sources(Some(_)) => &why.head_sources,
            Level::Inputs(_) => scored.map_or(&[], |found| found.parts.as_slice()),
        };
        let mut parts: Vec<&Part> = all.iter().filter(|part| self.level.holds(part.kind)).collect();
        let is_rest = |part: &Part| part.kind == PartKind::Rest;
        parts.sort_by(|a, b| is_rest(a).cmp(&is_rest(b)).then(b.share.size().total_cmp(&a.share.size())));
        parts
    }

    fn chosen_kind(&self) -> Option<PartKind> {
        self.parts().get(self.chosen).map(|part| part.kind)
    }

    fn open(&mut self) {
        if let Some(level) = self.chosen_kind().and_then(Level::inside) {
            self.path.push((self.level, self.chosen));
            (self.level, self.chosen) = (level, 0);
        }
    }

    fn take_out(&self) -> Reply {
        let spec = self.chosen_kind().and_then(|kind| self.why()?.without(kind));
        spec.map_or(Reply::Done, Reply::Intervene)
    }
}

impl View for WhyView {
    fn name(&self) -> ViewName {
        ViewName::Why
    }

    fn context(&self) -> Context {
        Context::Why
    }

    fn needs(&self, session: &Session) -> Vec<Panel> {
        let fits = |inspection: &Arc<Inspection>| session.fits(inspection) && inspection.ask == session.ask();
        if self.inspection.as_ref().is_some_and(fits) { Vec::new() } else { vec![Panel::Why] }
    }

    fn update(&mut self, action: Action, _: &Session) -> Reply {
        match action {
            Action::Cursor(to) => self.chosen = to.apply(self.chosen, self.parts().len()),
            Action::Open => self.open(),
            Action::Out => (self.level, self.chosen) = self.path.pop().unwrap_or_default(),
            Action::NextRanking => {
                self.path.clear();
                (self.level, self.chosen) = (self.level.next(), 0);
                return if self.level.method().is_some() { Reply::Refresh } else { Reply::Done };
            }
            Action::Begin => {
                self.scores.forget_unfinished();
                return Reply::Refresh;
            }
            Action::TakeOut => return self.take_out(),
            Action::Position(_) => return Reply::Refresh,
            _ => {}
        }
        Reply::Done
    }

    fn keeps(&self, action: Action, _: &Session) -> bool {
        match action {
            Action::Cursor(_) | Action::Open | Action::Out => true,
            // scores of tokens are computed
            Action::NextRanking => self.level.next().method().is_none(),
            _ => false,
        }
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        if inspection.why.is_some() {
            self.inspection = Some(Arc::clone(inspection));
        }
    }

    fn job(&mut self, session: &Session) -> Option<Request> {
        let (ids, ask) = (session.tokens().ids.clone(), session.ask());
        let method = self.level.method().filter(|_| !ids.is_empty())?;
        self.scores.ask(ids, ask, method)
    }

    fn hear(&mut self, news: News<'_>, _: &Session) -> Reply {
        match news {
            News::Finished(Outcome::Inputs(found)) => self.scores.arrive(found),
            News::Failed(error) => self.scores.fail(error),
            News::Stopped => self.scores.stop(),
            News::Finished(_) | News::Event(_) => {}
        }
        Reply::Done
    }

    fn shows(&self) -> &'static [&'static str] {
        &["dla"]
    }

    fn searchable(&self, _: &Session) -> Vec<String> {
        self.parts().iter().map(|part| part.name.clone()).collect()
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let Some(why) = self.why() else {
            line(buffer, area, 0, scene.note, scene.theme.faint());
            return;
        };
        question(why, scene, area, buffer);
        let parts = self.parts();
        let chosen = self.chosen.min(parts.len().saturating_sub(1));
        let has_base = why.base.is_some() && self.level.method().is_none();
        let columns = Columns::new(self.level, has_base, &parts, area.width);
        columns.heading(&self.level.title(), why, scene, area, buffer);
        let list = part(area, 0, 2, area.width, area.height.saturating_sub(3));
        let last = part(area, 0, area.height.saturating_sub(1), area.width, 1);
        if let Some(method) = self.level.method() {
            self.scores.told(method, why.base.is_some(), scene, (list, last), buffer);
        } else {
            if parts.is_empty() {
                line(buffer, list, 0, "nothing: this model's MLPs are split by experts", scene.theme.faint());
            }
            sum(&columns, self.level, why, scene, last, buffer);
        }
        let room = usize::from(list.height);
        let top = first_visible(chosen, parts.len(), room);
        for (row, (at, of)) in parts.iter().enumerate().skip(top).take(room).enumerate() {
            columns.row(of, at == chosen, scene, (cells(row), list), buffer);
            scene.hits.on(part(list, 0, cells(row), list.width, 1), &[Action::Cursor(Move::To(at))]);
        }
    }
}

/// What is asked, and what the model says.
fn question(why: &Why, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = scene.theme;
    let tokens = &scene.session.tokens().visible;
    let after = tokens.get(why.position).map_or("", String::as_str);
    let rival = why.versus.as_ref().map_or("", |rival| rival.visible.as_str());
    let percent = |prob: f64| format!("{:.1}%", prob * 100.0);
    let says = match &why.base {
        Some(base) => format!("{} → {}", percent(base.prob), percent(why.says.prob)),
        None => percent(why.says.prob),
    };
    let other = &why.says;
    let top = format!(", on top: {} {}", other.top.visible, percent(other.top_prob));
    let pieces = [
        (why.token.visible.as_str(), theme.towards()),
        (" ", Style::new()),
        (&says, theme.title()),
        (if rival.is_empty() { "" } else { " rather than " }, theme.faint()),
        (rival, theme.against()),
        (" after ", theme.faint()),
        (after, Style::new()),
        (if other.top.id == why.token.id { "" } else { &top }, theme.notice()),
    ];
    spans(buffer, area, 0, &pieces);
}

/// The last line: what the parts add up to.
fn sum(columns: &Columns, level: Level, why: &Why, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    if level == Level::Components {
        let number = columns.numbers(why.logit);
        let name = fit("logit A-B", columns.name + columns.about);
        spans(buffer, area, 0, &[(&name, scene.theme.title()), (&number, Style::new())]);
    } else {
        let way = scene.keymap.way(Context::Why, Action::Out);
        let text = format!("direct effects on logit A - logit B; {way} goes back");
        line(buffer, area, 0, &text, scene.theme.faint());
    }
}

/// How wide things are.
struct Columns {
    name: usize,
    about: usize,
    /// Of each half of a bar.
    half: usize,
    reach: f64,
    has_base: bool,
}

/// Columns of a number.
const NUMBER: usize = 9;

impl Columns {
    fn new(level: Level, has_base: bool, parts: &[&Part], width: u16) -> Self {
        let about = match level {
            Level::Components => 0,
            Level::Heads(_) => 31,
            Level::Neurons(_) | Level::Sources(_) | Level::Inputs(_) => 18,
        };
        let numbers = if has_base { 2 * NUMBER } else { NUMBER };
        let name = 13;
        let is_narrow = usize::from(width) < name + about + numbers + 12;
        let about = if is_narrow { 0 } else { about };
        let half = usize::from(width).saturating_sub(name + about + numbers + 2) / 2;
        let reach = parts.iter().map(|part| part.share.size()).fold(0.0, f64::max);
        Self { name, about, half, reach, has_base }
    }

    fn numbers(&self, share: Pair) -> String {
        let base = share.base.filter(|_| self.has_base).map_or_else(String::new, number);
        format!("{base}{}", number(share.now))
    }

    fn heading(&self, title: &str, why: &Why, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let theme = scene.theme;
        let name = fit(title, self.name + self.about);
        let numbers = if self.has_base { "     base      now" } else { "    logit" };
        let rival = why.versus.as_ref().map_or("less", |rival| rival.visible.as_str());
        let left = format!("◀ {}", cut(rival, self.half.saturating_sub(3)));
        let left = format!("{left:>width$} ", width = self.half);
        let right = format!(" {} ▶", cut(&why.token.visible, self.half.saturating_sub(3)));
        let pieces = [
            (name.as_str(), theme.title()),
            (numbers, theme.faint()),
            (&left, theme.against()),
            ("│", theme.faint()),
            (&right, theme.towards()),
        ];
        spans(buffer, area, 1, &pieces);
    }

    fn row(&self, part: &Part, is_chosen: bool, scene: &Scene<'_>, (row, area): (u16, Rect), buffer: &mut Buffer) {
        let theme = scene.theme;
        let style = if is_chosen { theme.selected() } else { Style::new() };
        let (left, right) = halves(part.share.now, self.reach, self.half);
        let (base_left, base_right) = halves(part.share.base.unwrap_or(0.0), self.reach, self.half);
        // without interventions the bar is of what is; with them, a shadow says what was
        let (left, left_style) = shadowed(left, &base_left, (theme.against(), theme.faint()));
        let (right, right_style) = shadowed(right, &base_right, (theme.towards(), theme.faint()));
        let pieces = [
            (fit(&part.name, self.name - 1), style),
            (" ".into(), Style::new()),
            (fit(&about(part, scene), self.about), theme.faint()),
            (self.numbers(part.share), Style::new()),
            (" ".into(), Style::new()),
            (left, left_style),
            ("│".into(), theme.faint()),
            (right, right_style),
        ];
        let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
        spans(buffer, area, row, &pieces);
    }
}

/// A half of a bar; where it is empty, what it is in the model without interventions, lighter.
fn shadowed(now: String, base: &str, (style, shadow): (Style, Style)) -> (String, Style) {
    if now.trim().is_empty() && !base.trim().is_empty() {
        let light = base.chars().map(|c| if c == ' ' { ' ' } else { '░' }).collect();
        return (light, shadow);
    }
    (now, style)
}

/// A number with its sign; a small one is told as small rather than as nothing.
fn number(value: f64) -> String {
    if value == 0.0 {
        return format!("{:>NUMBER$}", "0");
    }
    let is_small = value.abs() < 5e-4;
    if is_small { format!("{value:>+NUMBER$.0e}") } else { format!("{value:>+NUMBER$.3}") }
}

/// What is known about a part besides its share.
fn about(part: &Part, scene: &Scene<'_>) -> String {
    let mostly = part.mostly.as_ref().map_or("", |origin| origin.name.as_str());
    match (part.kind, part.value) {
        (PartKind::Head(head), _) => {
            let role = scene.role(head).unwrap_or("");
            format!("{} from {mostly}", fit(role, 15))
        }
        (PartKind::Neuron { .. }, Some(value)) => format!("activation {value:.2}"),
        (PartKind::Source { head: None, .. }, _) => format!("mostly by {mostly}"),
        (PartKind::Input(_), Some(share)) => format!("{:.1}% of all", share * 100.0),
        (PartKind::Source { .. }, Some(weight)) => format!("attention {:.1}%", weight * 100.0),
        _ => String::new(),
    }
}
