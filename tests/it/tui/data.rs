//! Made-up results, for tests only.

use std::sync::{Arc, OnceLock};

use lmscope::engine::worker::{JobId, Report, Slot};
use lmscope::engine::{Answer, Named, Origin, Pair, Part, PartKind, Why};
use lmscope::engine::{
    Branches, Candidate, Distribution, HeadGrid, Inspection, JobEvent, ModelInfo, Outcome, Tokens, Unchanged,
};
use lmscope::engine::{Engine, EngineError, Request};
use lmscope::figure::{Cell as Value, Column, Content, Figure, Heatmap, HeatmapAxis, Provenance, Scale, Table};
use lmscope::hook::Head;
use lmscope::lens::Ask;
use lmscope::lens::atlas::{Atlas, HeadScores};

use crossterm::event::{KeyCode, KeyModifiers};
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, LoadOptions};
use lmscope::tui::glyph::Glyphs;
use lmscope::tui::input::{InputEvent, Key};
use lmscope::tui::keymap::{Context, Keymap};
use lmscope::tui::palette::Palette;
use lmscope::tui::theme::{Depth, Ground, Theme};
use lmscope::tui::{Effect, Msg, State, TuiOptions, screen};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

pub(super) const DARK: Theme =
    Theme { ground: Ground::Dark, depth: Depth::True, glyphs: Glyphs::Unicode, palette: Palette::OWN };

thread_local! {
    static THEME: std::cell::Cell<Theme> = const { std::cell::Cell::new(DARK) };
    static WORDS: std::cell::Cell<&'static [&'static str]> = const { std::cell::Cell::new(&[]) };
    static KEYMAP: std::cell::RefCell<Option<Keymap>> = const { std::cell::RefCell::new(None) };
}

/// What is made in here has these keys; those of the table are pressed all the same, and those that do what they do are
/// taken.
pub(super) fn in_keys<T>(keymap: Keymap, make: impl FnOnce() -> T) -> T {
    KEYMAP.set(Some(keymap));
    let made = make();
    KEYMAP.set(None);
    made
}

/// The key that does in a context what this one does without a configuration.
fn key_of_the_same(key: Key, context: Context) -> Key {
    let rebound = KEYMAP.with_borrow(Clone::clone);
    let Some((keymap, action)) = rebound.zip(Keymap::default().action(context, key)) else { return key };
    let places = std::iter::successors(Some(context), |context| context.fallback());
    let row = places.flat_map(|place| keymap.rows(place)).find(|row| row.action == action);
    row.and_then(|row| row.keys.first().copied()).unwrap_or(key)
}

/// What is made in here is drawn so.
pub(super) fn in_theme<T>(theme: Theme, make: impl FnOnce() -> T) -> T {
    let before = THEME.replace(theme);
    let made = make();
    THEME.set(before);
    made
}

/// The tokens of what is made in here are these, round and round.
pub(super) fn in_words<T>(words: &'static [&'static str], make: impl FnOnce() -> T) -> T {
    WORDS.set(words);
    let made = make();
    WORDS.set(&[]);
    made
}

/// A token as people see it: this one, unless others are asked for.
pub(super) fn word(at: usize, usual: &str) -> String {
    let words = WORDS.get();
    if words.is_empty() { usual.to_owned() } else { words[at % words.len()].to_owned() }
}

/// A state and the jobs it asked for.
pub(super) struct Ui {
    pub(super) state: State,
    next: u64,
}

impl Ui {
    pub(super) fn new() -> (Self, Vec<Effect>) {
        Self::with_options(TuiOptions::default())
    }

    pub(super) fn with_options(mut options: TuiOptions) -> (Self, Vec<Effect>) {
        if let Some(keymap) = KEYMAP.with_borrow(Clone::clone) {
            options.keymap = keymap;
        }
        let (state, effects) = State::new(options, THEME.get());
        let mut ui = Self { state, next: 0 };
        ui.start(&effects);
        (ui, effects)
    }

    pub(super) fn key(&mut self, key: Key) -> Vec<Effect> {
        let key = key_of_the_same(key, self.state.context());
        let effects = self.state.update(Msg::Input(InputEvent::Key(key)));
        self.start(&effects);
        effects
    }

    /// Types characters.
    pub(super) fn chars(&mut self, keys: &str) -> Vec<Effect> {
        keys.chars().flat_map(|c| self.key(Key::char(c))).collect()
    }

    /// Types a count, each digit with Alt.
    pub(super) fn count(&mut self, digits: &str) {
        for c in digits.chars() {
            let key = Key { code: KeyCode::Char(c), modifiers: KeyModifiers::ALT };
            assert!(self.key(key).is_empty(), "a count alone asks for nothing");
        }
    }

    /// Anything happens.
    pub(super) fn send(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = self.state.update(msg);
        self.start(&effects);
        effects
    }

    /// Nothing happens for a while.
    pub(super) fn idle(&mut self) -> Vec<Effect> {
        let effects = self.state.update(Msg::Idle);
        self.start(&effects);
        effects
    }

    /// The rows of a screen of this size.
    pub(super) fn rows(&self, width: u16, height: u16) -> Vec<String> {
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        drop(screen::render(&self.state, area, &mut buffer));
        let symbols: Vec<&str> = buffer.content().iter().map(Cell::symbol).collect();
        symbols.chunks(usize::from(width)).map(<[&str]>::concat).collect()
    }

    /// What a wide screen shows.
    pub(super) fn text(&self) -> String {
        text(&self.state)
    }

    /// The answer to the job that was asked for last.
    pub(super) fn answer(&mut self, event: JobEvent) -> Vec<Effect> {
        self.answer_to(self.next, event)
    }

    pub(super) fn answer_to(&mut self, job: u64, event: JobEvent) -> Vec<Effect> {
        let effects = self.state.update(Msg::Report(Report { job: JobId(job), event }));
        self.start(&effects);
        effects
    }

    pub(super) const fn last_job(&self) -> u64 {
        self.next
    }

    fn start(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::Submit { slot, .. } = effect {
                self.next += 1;
                self.state.update(Msg::Started(*slot, JobId(self.next)));
            }
        }
    }

    /// A state that shows data in every view that was visited.
    pub(super) fn with_data() -> Self {
        let mut ui = Self::with_tokens();
        ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(inspection(&tokens())))));
        ui
    }

    /// A state with tokens whose distribution is awaited.
    pub(super) fn with_tokens() -> Self {
        Self::with_tokens_and(TuiOptions::default())
    }

    pub(super) fn with_tokens_and(options: TuiOptions) -> Self {
        let (mut ui, _) = Self::with_options(options);
        ui.answer(JobEvent::Finished(Outcome::Loaded(Box::new(info()))));
        ui.answer(JobEvent::Finished(Outcome::Tokens(tokens())));
        ui
    }
}

/// What a wide screen shows.
pub(super) fn text(state: &State) -> String {
    let area = Rect::new(0, 0, 120, 40);
    let mut buffer = Buffer::empty(area);
    screen::render(state, area, &mut buffer);
    buffer.content().iter().map(Cell::symbol).collect()
}

pub(super) fn submits(effects: &[Effect]) -> Vec<(Slot, &Request)> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Submit { slot, request } = effect { Some((*slot, request)) } else { None })
        .collect()
}

/// What is known about the embedded model.
pub(super) fn info() -> ModelInfo {
    static INFO: OnceLock<ModelInfo> = OnceLock::new();
    INFO.get_or_init(read_info).clone()
}

fn read_info() -> ModelInfo {
    let load = Request::Load { source: ModelSource::default(), options: LoadOptions::default() };
    let cancel = CancelToken::default();
    match Engine::default().run(load, &cancel, &mut |_| {}) {
        Ok(Outcome::Loaded(info)) => *info,
        other => panic!("{other:?}"),
    }
}

pub(super) fn tokens() -> Tokens {
    let usual = ["<s>", "The", "␣cat", "␣sat", "␣on", "␣a"];
    let visible = usual.iter().enumerate().map(|(at, usual)| word(at, usual)).collect();
    Tokens { ids: vec![0, 11, 12, 13, 14, 15], visible, bos: "BOS added".into() }
}

pub(super) fn failure() -> JobEvent {
    JobEvent::Failed(EngineError::OutOfRange { what: "layer", found: 9, last: 5 })
}

/// Invented results for these tokens.
pub(super) fn inspection(tokens: &Tokens) -> Inspection {
    intervened(tokens, &[])
}

/// Invented results for these tokens and interventions.
pub(super) fn intervened(tokens: &Tokens, interventions: &[String]) -> Inspection {
    let n = tokens.ids.len();
    let layers = ["embed", "0", "1", "2"].map(String::from);
    let lens_of = |other: usize| {
        let values = (0..4 * n).map(|i| ((i + other) % 11) as f32 / 10.0).collect();
        // every third token is another one
        let cells = (0..4 * n).map(|i| {
            if other > 0 && i % other == 0 { word(i + 1, &format!("␣u{i}")) } else { word(i, &format!("␣t{i}")) }
        });
        heatmap(("layer", &layers), tokens, values).with_cells(cells.collect()).unwrap()
    };
    let pattern: Vec<f32> = (0..n * n).map(|i| if i % n <= i / n { 1.0 / (i / n + 1) as f32 } else { 0.0 }).collect();
    let is_changed = !interventions.is_empty();
    let square = |of: &dyn Fn(usize, f32) -> f32| {
        let values = pattern.iter().enumerate().map(|(at, weight)| of(at % n, *weight)).collect();
        Some(figure(heatmap(("query", &tokens.visible), tokens, values)))
    };
    let base = Unchanged {
        attention: square(&|key, weight| weight * (key + 1) as f32 / n as f32).filter(|_| is_changed),
        written: square(&|_, weight| weight * 2.0).filter(|_| is_changed),
        logit_lens: Some(figure(lens_of(3))).filter(|_| is_changed),
        trajectory: Some(trajectory(&layers, -8.0)).filter(|_| is_changed),
    };
    Inspection {
        tokens: tokens.clone(),
        distributions: Some((0..n).map(|position| distribution(position, tokens, !interventions.is_empty())).collect()),
        head: Some(Head { layer: 0, head: 0 }),
        attention: square(&|_, weight| weight),
        written: square(&|key, weight| weight * (key + 1) as f32 / 2.0),
        base,
        head_grid: Some(Arc::new(grid())),
        logit_lens: Some(figure(lens_of(0))),
        trajectory: Some(trajectory(&layers, -4.0)),
        lens_tops: (0..4 * n).map(|i| 500 + u32::try_from(i).unwrap()).collect(),
        watched: Vec::new(),
        why: Some(Arc::new(why(tokens, interventions))),
        interventions: interventions.to_vec(),
        ask: Ask { position: isize::try_from(n - 1).ok(), ..Ask::default() },
    }
}

/// Invented probabilities of A, from this log-probability up, and of B.
fn trajectory(layers: &[String], first: f64) -> Arc<Figure> {
    let names = ["layer", "entropy_bits", "kl", "logprob ␣mat", "rank ␣mat", "logprob ␣rug", "rank ␣rug"];
    let columns = names.iter().map(|name| Column::new(name, "")).collect();
    let number = |value: f64| Value::number(value, 3);
    let row = |(at, layer): (usize, &String)| {
        let logprob = number(first / (at + 1) as f64);
        vec![
            Value::Text(layer.clone()),
            number(1.0),
            number(0.5),
            logprob,
            Value::Integer(1),
            number(-3.0),
            Value::Integer(2),
        ]
    };
    let content = Content::Table(Table::new(columns, layers.iter().enumerate().map(row).collect()).unwrap());
    Arc::new(Figure { title: "test".into(), caption: "test".into(), provenance: Provenance::default(), content })
}

pub(super) fn figure(map: Heatmap) -> Arc<Figure> {
    let content = Content::Heatmap(map);
    Arc::new(Figure { title: "test".into(), caption: "test".into(), provenance: Provenance::default(), content })
}

pub(super) fn heatmap((name, rows): (&str, &[String]), tokens: &Tokens, values: Vec<f32>) -> Heatmap {
    let rows = HeatmapAxis { name: name.into(), labels: rows.to_vec() };
    let columns = HeatmapAxis { name: "position".into(), labels: tokens.visible.clone() };
    Heatmap::new(rows, columns, values, Scale::Probability, "").unwrap()
}

fn grid() -> HeadGrid {
    let (n_layers, n_heads, side) = (3, 4, 4);
    let cells = (0..n_layers * n_heads * side * side).map(|i| (i % 7) as f32 / 6.0).collect();
    HeadGrid { n_layers, n_heads, side, cells }
}

/// Invented parts of a sum.
fn why(tokens: &Tokens, interventions: &[String]) -> Why {
    let named = |id: u32, visible: &str| Named { id, visible: word(id as usize, visible) };
    let is_changed = !interventions.is_empty();
    let pair = |now: f64| Pair { now, base: is_changed.then_some(now * 2.0 + 0.1) };
    let part = |kind, name: &str, now| Part { kind, name: name.into(), share: pair(now), mostly: None, value: None };
    let head = |layer, head, now| Part {
        mostly: Some(Origin { name: format!("2 {}", word(2, "␣cat")), share: now }),
        ..part(PartKind::Head(Head { layer, head }), &format!("L{layer}H{head}"), now)
    };
    let source = |of, position: usize, now| Part {
        value: Some(0.5),
        ..part(
            PartKind::Source { head: of, position },
            &format!("{position} {}", tokens.visible.get(position).map_or("", String::as_str)),
            now,
        )
    };
    let strongest = Some(Head { layer: 1, head: 2 });
    let answer = |prob| Answer { prob, top: named(101, "␣mat"), top_prob: prob };
    Why {
        position: tokens.ids.len() - 1,
        token: named(101, "␣mat"),
        versus: Some(named(102, "␣rug")),
        says: answer(0.6),
        base: is_changed.then(|| answer(0.9)),
        logit: pair(1.1),
        components: vec![
            part(PartKind::Fixed, "embed", 0.02),
            part(PartKind::Attention(0), "L0.attn", -0.4),
            part(PartKind::Mlp(0), "L0.mlp", 0.2),
            part(PartKind::Attention(1), "L1.attn", 1.5),
            part(PartKind::Mlp(1), "L1.mlp", -0.22),
            part(PartKind::Rest, "remainder", 1e-6),
        ],
        heads: vec![head(0, 0, -0.4), head(1, 0, 0.3), head(1, 1, 0.0), head(1, 2, 1.2)],
        neurons: vec![Part { value: Some(2.5), ..part(PartKind::Neuron { layer: 1, index: 7 }, "L1N7", -0.3) }],
        sources: vec![source(None, 0, 0.1), source(None, 2, 0.9)],
        head_sources: vec![source(strongest, 0, 0.1), source(strongest, 2, 1.1)],
    }
}

/// Roles for the heads of the invented parts.
pub(super) fn atlas() -> Atlas {
    let scores = HeadScores { induction: 0.8, ..HeadScores::default() };
    let none = HeadScores::default();
    Atlas::new(4, vec![none, none, none, none, none, none, scores, none])
}

fn distribution(position: usize, tokens: &Tokens, is_changed: bool) -> Distribution {
    let names = ["␣mat", "␣rug", "東京", "␣chair", "␣floor", "␣bed", "␣box", "<E2>", "↵", "␣log", "␣lap", "␣hat"];
    let probs = [0.6, 0.2, 0.1, 0.04, 0.03, 0.01, 0.008, 0.005, 0.003, 0.002, 0.001, 0.001];
    let changed = |candidate: Candidate| Candidate { base: is_changed.then_some(candidate.prob / 2.0), ..candidate };
    let all = names.iter().zip(probs).zip(1..);
    let top = all.map(|((name, prob), rank)| changed(candidate(rank, name, prob))).collect();
    let next = tokens.visible.get(position + 1).filter(|_| position > 0);
    Distribution { position, entropy_bits: 1.75, top, actual: next.map(|name| candidate(40, name, 0.0001)) }
}

fn candidate(rank: usize, visible: &str, prob: f64) -> Candidate {
    let id = 100 + u32::try_from(rank).unwrap();
    Candidate {
        rank,
        id,
        text: visible.replace('␣', " "),
        visible: word(rank, visible),
        logit: 9.0 - rank as f32,
        logprob: prob.ln(),
        prob,
        base: None,
    }
}

/// A tree with three branches, in the tree view.
pub(super) fn branched() -> Ui {
    let mut ui = Ui::with_data();
    let answer = |ui: &mut Ui| {
        let tokens = ui.state.session().tokens().clone();
        ui.answer(JobEvent::Finished(Outcome::Inspected(Arc::new(inspection(&tokens)))));
    };
    for keys in ["", "j", "jj"] {
        ui.chars(keys);
        ui.key(Key::plain(KeyCode::Enter));
        answer(&mut ui);
        ui.chars("u");
        answer(&mut ui);
    }
    ui.key(Key::plain(KeyCode::Left));
    ui.chars("t2");
    answer(&mut ui);
    ui
}

/// An invented comparison.
pub(super) fn branches() -> Arc<Branches> {
    let names = ["layer", "apart", "cosine", "kl_a_b", "js", "top_a", "prob_a", "top_b", "prob_b"];
    let columns = names.iter().map(|name| Column::new(name, "")).collect();
    let number = |value: f64| Value::number(value, 4);
    let text = |text: &str| Value::Text(text.into());
    let row = |at: u32| {
        let part = f64::from(at) / 4.0;
        let numbers = [part, 1.0 - part, part * 2.0, part / 2.0].map(number);
        let layer = if at == 0 { "embed".into() } else { format!("L{}", at - 1) };
        let tops = [text("␣mat"), number(0.5), text("東京"), number(0.25)];
        std::iter::once(Value::Text(layer)).chain(numbers).chain(tops).collect()
    };
    let content = Content::Table(Table::new(columns, (0..4).map(row).collect()).unwrap());
    let figure = Figure { title: "test".into(), caption: "test".into(), provenance: Provenance::default(), content };
    let ends = ["␣sat␣on␣a␣mat".into(), "␣sat␣on␣a␣rug".into()];
    Arc::new(Branches { ends, parting: "the tokens part at position 6: ␣mat | ␣rug".into(), figure })
}
