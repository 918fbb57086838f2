//! The next token: how probable each candidate is after the selected position, and one step further.

mod figures;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{News, Reply, Scene, View, ViewName};
use crate::engine::{Candidate, Chain, Distribution, Inspection, Outcome, Panel, Request};
use crate::figure::Figure;
use crate::model::sample::Sampling;
use crate::tui::action::{Action, Move};
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::session::{Session, Tint};
use crate::tui::settings::Settings;
use crate::tui::widget::bars::{CandidateBars, Marks};
use crate::tui::widget::chain::ChainRows;
use crate::tui::widget::{line, spans};

/// The distribution over the next token.
#[derive(Debug, Default)]
pub struct StepView {
    inspection: Option<Arc<Inspection>>,
    chosen: usize,
    settings: Settings,
    /// Whether the whole vocabulary is shown although the chain cuts nothing.
    is_whole: bool,
    chain: Option<Arc<Chain>>,
    /// What a chain was asked for.
    asked: Option<Asked>,
    problem: Option<String>,
}

/// What a chain belongs to.
#[derive(Debug, PartialEq)]
struct Asked {
    ids: Vec<u32>,
    interventions: Vec<String>,
    sampling: Sampling,
}

impl Asked {
    fn now(session: &Session) -> Self {
        let (ids, interventions) = (session.ids_to_position().to_vec(), session.interventions().active());
        Self { ids, interventions, sampling: session.sampling() }
    }
}

impl StepView {
    /// The distribution shown; while newer tokens are computed, the last one there is.
    fn distribution(&self, session: &Session) -> Option<&Distribution> {
        let all = self.inspection.as_ref()?.distributions.as_ref()?;
        all.get(session.position()).or(all.last())
    }

    /// Whether the whole vocabulary is shown: by choice, or because sampling is more than the model's probabilities.
    fn is_whole(&self, session: &Session) -> bool {
        let plain = Sampling { temperature: 1.0, seed: session.seed(), ..Sampling::default() };
        self.is_whole || session.sampling() != plain
    }

    /// The chain shown; while a newer one is computed, the last one there is.
    fn chain(&self, session: &Session) -> Option<&Chain> {
        self.chain.as_deref().filter(|_| self.is_whole(session))
    }

    fn n_candidates(&self, session: &Session) -> usize {
        match self.chain(session) {
            Some(chain) => chain.links.len(),
            None => self.distribution(session).map_or(0, |distribution| distribution.top.len()),
        }
    }

    /// Moves among the candidates; behind the last of the most probable ones comes the rest of the vocabulary.
    fn step(&mut self, to: Move, session: &Session) -> Reply {
        let n = self.n_candidates(session);
        let beyond = to.apply(self.chosen, usize::MAX) >= n;
        self.chosen = to.apply(self.chosen, n);
        if n > 0 && beyond && to != Move::Last && !self.is_whole(session) {
            self.is_whole = true;
            return Reply::Refresh;
        }
        Reply::Done
    }

    /// The candidate at a rank, if what is shown belongs to the present tokens.
    fn candidate(&self, at: usize, session: &Session) -> Option<&Candidate> {
        let ids = session.ids_to_position();
        if let Some(chain) = self.chain(session) {
            return chain.links.get(at).map(|link| &link.candidate).filter(|_| chain.ids == ids);
        }
        let is_current = self.inspection.as_ref()?.tokens.ids.starts_with(ids);
        self.distribution(session)?.top.get(at).filter(|_| is_current)
    }

    fn chosen(&self, session: &Session) -> Option<Candidate> {
        self.candidate(self.chosen, session).cloned()
    }

    fn append(&mut self, at: usize, session: &Session) -> Reply {
        let reply = self
            .candidate(at, session)
            .map_or(Reply::Done, |candidate| Reply::Append { id: candidate.id, visible: candidate.visible.clone() });
        self.chosen = 0;
        reply
    }
}

impl View for StepView {
    fn name(&self) -> ViewName {
        ViewName::Step
    }

    fn begin_with(&mut self, settings: &Settings) {
        self.settings = *settings;
    }

    fn context(&self) -> Context {
        Context::Step
    }

    fn needs(&self, session: &Session) -> Vec<Panel> {
        let has = self.inspection.as_ref().is_some_and(|inspection| session.fits(inspection));
        if has { Vec::new() } else { vec![Panel::Distributions { top: self.settings.candidates }] }
    }

    fn update(&mut self, action: Action, session: &Session) -> Reply {
        match action {
            Action::Cursor(to) => self.step(to, session),
            Action::ToggleChain => {
                self.is_whole = !self.is_whole;
                self.chosen = 0;
                Reply::Refresh
            }
            Action::AppendChosen => self.append(self.chosen, session),
            Action::TakeTop => self.append(0, session),
            Action::ChooseToken => self.chosen(session).map_or(Reply::Done, Reply::Ask),
            Action::ChooseRival => self.chosen(session).map_or(Reply::Done, Reply::Compare),
            Action::Position(_) => {
                self.chosen = 0;
                if self.is_whole(session) { Reply::Refresh } else { Reply::Done }
            }
            _ => Reply::Done,
        }
    }

    fn keeps(&self, action: Action, session: &Session) -> bool {
        // behind the last candidate the whole vocabulary is computed
        let is_there = |to: Move| to.apply(self.chosen, usize::MAX) < self.n_candidates(session);
        matches!(action, Action::Cursor(to) if self.is_whole(session) || to == Move::Last || is_there(to))
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        if inspection.distributions.is_some() {
            self.inspection = Some(Arc::clone(inspection));
        }
    }

    fn job(&mut self, session: &Session) -> Option<Request> {
        let asked = Asked::now(session);
        if !self.is_whole(session) || asked.ids.is_empty() || self.asked.as_ref() == Some(&asked) {
            return None;
        }
        let Asked { ids, interventions, sampling } = Asked::now(session);
        self.asked = Some(asked);
        Some(Request::Chain { ids, interventions, sampling })
    }

    fn hear(&mut self, news: News<'_>, _: &Session) -> Reply {
        match news {
            News::Finished(Outcome::Chain(chain)) => {
                self.chain = Some(Arc::clone(chain));
                self.problem = None;
            }
            News::Failed(error) => self.problem = Some(error.to_string()),
            News::Stopped => self.asked = None,
            News::Event(_) | News::Finished(_) => {}
        }
        Reply::Done
    }

    fn shows(&self) -> &'static [&'static str] {
        &["distribution"]
    }

    fn searchable(&self, session: &Session) -> Vec<String> {
        let top = self.distribution(session).map_or(&[][..], |distribution| &distribution.top);
        top.iter().map(|candidate| candidate.visible.clone()).collect()
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let Some(distribution) = self.distribution(scene.session) else {
            line(buffer, area, 0, scene.note, scene.theme.faint());
            return;
        };
        summary(distribution, scene, area, buffer);
        if let Some(chain) = self.chain(scene.session) {
            let text = chain.sampling.chain_text();
            let problem = self.problem.as_deref().unwrap_or(&text);
            line(buffer, area, 1, problem, scene.theme.notice());
            let marks = marks(distribution, scene.session);
            let list = part(area, 0, 2, area.width, area.height.saturating_sub(2));
            ChainRows { chain, chosen: self.chosen, marks, theme: scene.theme }.render(list, buffer);
            return;
        }
        let rare = actual_line(distribution);
        let below = u16::from(rare.is_some());
        let list = part(area, 0, 1, area.width, area.height.saturating_sub(1 + below));
        let room = usize::from(list.height.saturating_sub(1));
        let top = first_visible(self.chosen, distribution.top.len(), room);
        let bars = CandidateBars {
            candidates: distribution.top.get(top..).unwrap_or(&[]),
            chosen: self.chosen - top.min(self.chosen),
            marks: marks(distribution, scene.session),
            theme: scene.theme,
        };
        bars.render(list, buffer);
        for row in 0..bars.candidates.len().min(room) {
            let place = part(list, 0, cells(row + 1), list.width, 1);
            scene.hits.on(place, &[Action::Cursor(Move::To(top + row))]);
        }
        if let Some(text) = rare {
            line(buffer, area, area.height.saturating_sub(1), &text, scene.theme.notice());
        }
    }
}

/// What is asked about, what it is compared with, and what follows in the prompt.
fn marks(distribution: &Distribution, session: &Session) -> Marks {
    let (token, rival) = session.target();
    let (token, rival) = (token.map(|token| token.id), rival.map(|rival| rival.id));
    Marks { token, rival, actual: distribution.actual.as_ref().map(|actual| actual.id) }
}

fn summary(distribution: &Distribution, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let tokens = &scene.session.tokens().visible;
    let token = tokens.get(distribution.position).map_or("", String::as_str);
    let entropy = format!("  entropy {:.2} bits", distribution.entropy_bits);
    let seed = format!("  seed {}", scene.session.seed());
    let tint = match scene.session.tint() {
        Tint::Nothing => "",
        Tint::Surprisal => "  prompt: surprisal, 0 to 10 bits",
        Tint::Probability => "  prompt: probability, 0 to 1",
        Tint::Entropy => "  prompt: entropy, 0 to 10 bits",
        Tint::Attribution => "  prompt: |gradient × input|, of the largest",
    };
    let pieces = [
        ("after ", scene.theme.faint()),
        (token, scene.theme.title()),
        (&entropy, Style::new()),
        (&seed, scene.theme.faint()),
        (tint, scene.theme.faint()),
    ];
    spans(buffer, area, 0, &pieces);
}

/// The token that follows, if it is not among the candidates.
fn actual_line(distribution: &Distribution) -> Option<String> {
    let actual = distribution.actual.as_ref()?;
    let is_listed = distribution.top.iter().any(|candidate| candidate.id == actual.id);
    let text = format!("follows: {} rank {}, {:.4}%", actual.visible, actual.rank, actual.prob * 100.0);
    (!is_listed).then_some(text)
}
