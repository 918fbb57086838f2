//! Made-up results, for tests only.

use std::sync::Arc;

use lmscope::engine::worker::{JobId, Report, Slot};
use lmscope::engine::{Candidate, Distribution, HeadGrid, Inspection, JobEvent, ModelInfo, Outcome, Tokens};
use lmscope::engine::{Engine, EngineError, Request};
use lmscope::figure::{Content, Figure, Heatmap, HeatmapAxis, Provenance, Scale};

use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, LoadOptions};
use lmscope::tui::input::{InputEvent, Key};
use lmscope::tui::theme::{Depth, Ground, Theme};
use lmscope::tui::{Effect, Msg, State, TuiOptions, screen};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;

pub(super) const DARK: Theme = Theme { ground: Ground::Dark, depth: Depth::True };

/// A state and the jobs it asked for.
pub(super) struct Ui {
    pub(super) state: State,
    next: u64,
}

impl Ui {
    pub(super) fn new() -> (Self, Vec<Effect>) {
        let (state, effects) = State::new(TuiOptions::default(), DARK);
        let mut ui = Self { state, next: 0 };
        ui.start(&effects);
        (ui, effects)
    }

    pub(super) fn key(&mut self, key: Key) -> Vec<Effect> {
        let effects = self.state.update(Msg::Input(InputEvent::Key(key)));
        self.start(&effects);
        effects
    }

    pub(super) fn chars(&mut self, keys: &str) -> Vec<Effect> {
        keys.chars().flat_map(|c| self.key(Key::char(c))).collect()
    }

    /// Nothing happens for a while.
    pub(super) fn idle(&mut self) -> Vec<Effect> {
        let effects = self.state.update(Msg::Idle);
        self.start(&effects);
        effects
    }

    /// What a wide screen shows.
    pub(super) fn text(&self) -> String {
        let area = Rect::new(0, 0, 120, 40);
        let mut buffer = Buffer::empty(area);
        screen::render(&self.state, area, &mut buffer);
        buffer.content().iter().map(Cell::symbol).collect()
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
        let (mut ui, _) = Self::new();
        ui.answer(JobEvent::Finished(Outcome::Loaded(Box::new(info()))));
        ui.answer(JobEvent::Finished(Outcome::Tokens(tokens())));
        ui
    }
}

pub(super) fn submits(effects: &[Effect]) -> Vec<(Slot, &Request)> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Submit { slot, request } = effect { Some((*slot, request)) } else { None })
        .collect()
}

/// What is known about the embedded model.
pub(super) fn info() -> ModelInfo {
    let load = Request::Load { source: ModelSource::default(), options: LoadOptions::default() };
    let cancel = CancelToken::default();
    match Engine::default().run(load, &cancel, &mut |_| {}) {
        Ok(Outcome::Loaded(info)) => *info,
        other => panic!("{other:?}"),
    }
}

pub(super) fn tokens() -> Tokens {
    let visible = ["<s>", "The", "␣cat", "␣sat", "␣on", "␣a"].map(String::from).to_vec();
    Tokens { ids: vec![0, 11, 12, 13, 14, 15], visible, bos: "BOS added".into() }
}

pub(super) fn failure() -> JobEvent {
    JobEvent::Failed(EngineError::OutOfRange { what: "layer", found: 9, last: 5 })
}

/// Invented results for these tokens.
pub(super) fn inspection(tokens: &Tokens) -> Inspection {
    let n = tokens.ids.len();
    let pattern = (0..n * n).map(|i| if i % n <= i / n { 1.0 / (i / n + 1) as f32 } else { 0.0 }).collect();
    let lens = (0..4 * n).map(|i| (i % 11) as f32 / 10.0).collect();
    let layers = ["embed", "0", "1", "2"].map(String::from);
    let cells = (0..4 * n).map(|i| format!("␣t{i}")).collect();
    let lens = heatmap(("layer", &layers), tokens, lens).with_cells(cells).unwrap();
    Inspection {
        tokens: tokens.clone(),
        distributions: Some((0..n).map(|position| distribution(position, tokens)).collect()),
        attention: Some(figure(heatmap(("query", &tokens.visible), tokens, pattern))),
        head_grid: Some(Arc::new(grid())),
        logit_lens: Some(figure(lens)),
    }
}

fn figure(map: Heatmap) -> Arc<Figure> {
    let content = Content::Heatmap(map);
    Arc::new(Figure { title: "test".into(), caption: "test".into(), provenance: Provenance::default(), content })
}

fn heatmap((name, rows): (&str, &[String]), tokens: &Tokens, values: Vec<f32>) -> Heatmap {
    let rows = HeatmapAxis { name: name.into(), labels: rows.to_vec() };
    let columns = HeatmapAxis { name: "position".into(), labels: tokens.visible.clone() };
    Heatmap::new(rows, columns, values, Scale::Probability, "").unwrap()
}

fn grid() -> HeadGrid {
    let (n_layers, n_heads, side) = (3, 4, 4);
    let cells = (0..n_layers * n_heads * side * side).map(|i| (i % 7) as f32 / 6.0).collect();
    HeadGrid { n_layers, n_heads, side, cells }
}

fn distribution(position: usize, tokens: &Tokens) -> Distribution {
    let names = ["␣mat", "␣rug", "東京", "␣chair", "␣floor", "␣bed", "␣box", "<E2>", "↵", "␣log", "␣lap", "␣hat"];
    let probs = [0.6, 0.2, 0.1, 0.04, 0.03, 0.01, 0.008, 0.005, 0.003, 0.002, 0.001, 0.001];
    let top = names.iter().zip(probs).zip(1..).map(|((name, prob), rank)| candidate(rank, name, prob)).collect();
    let next = tokens.visible.get(position + 1).filter(|_| position > 0);
    Distribution { position, entropy_bits: 1.75, top, actual: next.map(|name| candidate(40, name, 0.0001)) }
}

fn candidate(rank: usize, visible: &str, prob: f64) -> Candidate {
    let id = 100 + u32::try_from(rank).unwrap();
    Candidate {
        rank,
        id,
        text: visible.replace('␣', " "),
        visible: visible.into(),
        logit: 9.0 - rank as f32,
        logprob: prob.ln(),
        prob,
    }
}
