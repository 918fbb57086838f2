//! The next token: how probable each candidate is after the selected position, and one step further.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{Reply, Scene, TOP, View, ViewName};
use crate::engine::{Candidate, Distribution, Inspection, Panel};
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::layout::{first_visible, part};
use crate::tui::session::{Session, Tint};
use crate::tui::widget::bars::{CandidateBars, Marks};
use crate::tui::widget::{line, spans};

/// The distribution over the next token.
#[derive(Debug, Default)]
pub struct StepView {
    inspection: Option<Arc<Inspection>>,
    chosen: usize,
}

impl StepView {
    /// The distribution shown; while newer tokens are computed, the last one there is.
    fn distribution(&self, session: &Session) -> Option<&Distribution> {
        let all = self.inspection.as_ref()?.distributions.as_ref()?;
        all.get(session.position()).or(all.last())
    }

    /// The candidate at a rank, if what is shown belongs to the present tokens.
    fn candidate(&self, at: usize, session: &Session) -> Option<&Candidate> {
        let ids = session.ids_to_position();
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

    fn context(&self) -> Context {
        Context::Step
    }

    fn needs(&self, session: &Session) -> Vec<Panel> {
        let has = self.inspection.as_ref().is_some_and(|inspection| session.fits(inspection));
        if has { Vec::new() } else { vec![Panel::Distributions { top: TOP }] }
    }

    fn update(&mut self, action: Action, session: &Session) -> Reply {
        match action {
            Action::Cursor(to) => {
                let n = self.distribution(session).map_or(0, |distribution| distribution.top.len());
                self.chosen = to.apply(self.chosen, n);
                Reply::Done
            }
            Action::AppendChosen => self.append(self.chosen, session),
            Action::TakeTop => self.append(0, session),
            Action::ChooseToken => self.chosen(session).map_or(Reply::Done, Reply::Ask),
            Action::ChooseRival => self.chosen(session).map_or(Reply::Done, Reply::Compare),
            Action::Position(_) => {
                self.chosen = 0;
                Reply::Done
            }
            _ => Reply::Done,
        }
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        if inspection.distributions.is_some() {
            self.inspection = Some(Arc::clone(inspection));
        }
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let Some(distribution) = self.distribution(scene.session) else {
            line(buffer, area, 0, scene.note, scene.theme.faint());
            return;
        };
        summary(distribution, scene, area, buffer);
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
        Tint::Entropy => "  prompt: entropy, 0 to 10 bits",
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
