//! Scores of the prompt's tokens, one method at a time: what was asked, and what became of it.

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::number;
use crate::engine::{EngineError, InputMethod, Inputs, Request};
use crate::lens::Ask;
use crate::tui::action::Action;
use crate::tui::keymap::Context;
use crate::tui::text::wrap;
use crate::tui::view::Scene;
use crate::tui::widget::line;

/// What was asked of a method.
#[derive(Debug)]
struct Asked {
    ids: Vec<u32>,
    ask: Ask,
    method: InputMethod,
    state: State,
}

#[derive(Debug)]
enum State {
    Underway,
    Done(Arc<Inputs>),
    /// The user stopped it.
    Stopped,
    Failed(String),
}

/// What is known by each method.
#[derive(Debug, Default)]
pub(super) struct Scores(Vec<Asked>);

impl Scores {
    /// Asks a method about these tokens, unless that was asked already.
    pub(super) fn ask(&mut self, ids: Vec<u32>, ask: Ask, method: InputMethod) -> Option<Request> {
        let is_asked = |asked: &Asked| asked.method == method && asked.ids == ids && asked.ask == ask;
        if self.0.iter().any(is_asked) {
            return None;
        }
        // a job takes the place of one under way
        self.0.retain(|asked| asked.method != method && !matches!(asked.state, State::Underway));
        self.0.push(Asked { ids: ids.clone(), ask, method, state: State::Underway });
        Some(Request::Inputs { ids, ask, method })
    }

    /// What a method found.
    pub(super) fn found(&self, method: InputMethod) -> Option<&Inputs> {
        match &self.of(method)?.state {
            State::Done(found) => Some(found),
            State::Underway | State::Stopped | State::Failed(_) => None,
        }
    }

    fn of(&self, method: InputMethod) -> Option<&Asked> {
        self.0.iter().find(|asked| asked.method == method)
    }

    fn end(&mut self, state: State) {
        if let Some(asked) = self.0.iter_mut().find(|asked| matches!(asked.state, State::Underway)) {
            asked.state = state;
        }
    }

    pub(super) fn arrive(&mut self, found: &Arc<Inputs>) {
        self.end(State::Done(Arc::clone(found)));
    }

    pub(super) fn stop(&mut self) {
        self.end(State::Stopped);
    }

    pub(super) fn fail(&mut self, error: &EngineError) {
        let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
        self.end(State::Failed(format!("{error}{hint}")));
    }

    /// What was stopped or failed may be asked again.
    pub(super) fn forget_unfinished(&mut self) {
        self.0.retain(|asked| !matches!(asked.state, State::Stopped | State::Failed(_)));
    }

    /// What stands in place of the scores until they are there, and below them what they add up to.
    pub(super) fn told(
        &self,
        method: InputMethod,
        is_changed: bool,
        scene: &Scene<'_>,
        (list, last): (Rect, Rect),
        buffer: &mut Buffer,
    ) {
        let theme = scene.theme;
        let Some(asked) = self.of(method) else { return };
        match &asked.state {
            State::Underway => {
                let way = scene.keymap.way(Context::Why, Action::Cancel);
                line(buffer, list, 0, &format!("computing; {way} stops"), theme.faint());
            }
            State::Stopped => {
                let way = scene.keymap.way(Context::Why, Action::Begin);
                line(buffer, list, 0, &format!("stopped; {way} begins again"), theme.notice());
            }
            State::Failed(problem) => {
                for (row, text) in (0..).zip(wrap(problem, usize::from(list.width))) {
                    line(buffer, list, row, &text, theme.error());
                }
            }
            State::Done(found) => {
                if found.parts.is_empty() {
                    line(buffer, list, 0, "no token comes before the one that is asked about", theme.faint());
                }
                let run = if is_changed { "without interventions: " } else { "" };
                line(buffer, last, 0, &format!("{run}{}", remark(found)), theme.faint());
            }
        }
    }
}

/// What the scores add up to, and what they should.
fn remark(found: &Inputs) -> String {
    let number = |value: f64| number(value).trim().to_owned();
    let (logit, sum) = (number(found.logit), number(found.sum()));
    let promised = found.promised.zip(found.remainder()).map(|(promised, rest)| (number(promised), number(rest)));
    match (found.method, promised) {
        (_, Some((promised, rest))) => {
            format!("sum {sum} of {promised} from an ordinary text to this, remainder {rest}")
        }
        (InputMethod::LeaveOneOut, None) => format!("what {logit} loses if later tokens cannot attend to it; no sum"),
        (_, None) => format!("sum {sum}, logit {logit}: equal only in a linear model"),
    }
}
