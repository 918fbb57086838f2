//! Whatever is pressed, clicked or answered, in whatever order: the state stays valid, and what is drawn stays a grid.
//!
//! Views and bindings that are added are part of this by being in `VIEWS` and in `KEYMAP`.

use std::sync::Arc;

use lmscope::engine::{Event, JobEvent, Outcome, Request};
use lmscope::tui::input::{InputEvent, Key};
use lmscope::tui::keymap::KEYMAP;
use lmscope::tui::mouse::{Gesture, Pointing};
use lmscope::tui::view::VIEWS;
use lmscope::tui::{Effect, Msg, screen};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::test_runner::{Config, TestRunner};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::data::{Ui, failure, intervened, submits, tokens};
use super::evals::{scored, suites};
use super::glyphs::columns;

#[derive(Debug, Clone)]
enum Step {
    /// A key of the table.
    Bound(usize),
    /// Any character.
    Typed(char),
    Pointed {
        at: (u16, u16),
        gesture: Gesture,
    },
    /// The last job is answered.
    Answer,
    /// The last job fails.
    Fail,
    Idle,
    Tick,
    Resize(u16, u16),
}

fn step() -> impl Strategy<Value = Step> {
    let gesture = prop_oneof![3 => Just(Gesture::Press), 1 => Just(Gesture::WheelUp), 1 => Just(Gesture::WheelDown)];
    prop_oneof![
        12 => any::<usize>().prop_map(Step::Bound),
        3 => any::<char>().prop_map(Step::Typed),
        6 => ((0..200_u16, 0..60_u16), gesture).prop_map(|(at, gesture)| Step::Pointed { at, gesture }),
        6 => Just(Step::Answer),
        1 => Just(Step::Fail),
        1 => Just(Step::Idle),
        1 => Just(Step::Tick),
        2 => (1..200_u16, 1..60_u16).prop_map(|(width, height)| Step::Resize(width, height)),
    ]
}

fn bound_keys() -> Vec<Key> {
    KEYMAP.iter().flat_map(|binding| binding.keys.iter().copied()).filter(|key| *key != Key::ctrl('c')).collect()
}

/// What the engine could answer.
fn answer(request: &Request) -> JobEvent {
    match request {
        Request::Tokenise { text, .. } if text.is_empty() => failure(),
        Request::Tokenise { .. } => JobEvent::Finished(Outcome::Tokens(tokens())),
        Request::Inspect { ids, interventions, ask, .. } => {
            let mut tokens = tokens();
            let extra = ids.len().saturating_sub(tokens.ids.len());
            tokens.visible.extend(std::iter::repeat_n("␣של".to_owned(), extra));
            tokens.visible.truncate(ids.len());
            tokens.ids.clone_from(ids);
            let inspection = lmscope::engine::Inspection { ask: *ask, ..intervened(&tokens, interventions) };
            JobEvent::Finished(Outcome::Inspected(Arc::new(inspection)))
        }
        Request::Generate { .. } => JobEvent::Event(Event::Token { id: 9, visible: "é\u{301}".into() }),
        Request::Suites => suites(),
        Request::Evaluate { limit, .. } => scored("some", [limit.is_some(), true]),
        _ => failure(),
    }
}

struct Walk {
    ui: Ui,
    asked: Option<Request>,
    size: (u16, u16),
}

impl Walk {
    fn take(&mut self, step: &Step) -> bool {
        let effects = match step {
            Step::Bound(at) => {
                let keys = bound_keys();
                self.ui.key(keys[at % keys.len()])
            }
            Step::Typed(c) => self.ui.key(Key::char(*c)),
            Step::Pointed { at, gesture } => {
                let pointing = Pointing { column: at.0, row: at.1, gesture: *gesture };
                let actions = self.draw().actions(pointing);
                self.ui.send(Msg::Pointed(actions))
            }
            Step::Answer => self.asked.take().map_or_else(Vec::new, |request| self.ui.answer(answer(&request))),
            Step::Fail => self.asked.take().map_or_else(Vec::new, |_| self.ui.answer(failure())),
            Step::Idle => self.ui.send(Msg::Idle),
            Step::Tick => self.ui.send(Msg::Tick),
            Step::Resize(width, height) => {
                self.size = (*width, *height);
                self.ui.send(Msg::Input(InputEvent::Resize(*width, *height)))
            }
        };
        if let Some((_, request)) = submits(&effects).last() {
            self.asked = Some((*request).clone());
        }
        !effects.contains(&Effect::Quit)
    }

    fn draw(&self) -> lmscope::tui::mouse::Hits {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buffer = Buffer::empty(area);
        let hits = screen::render(&self.ui.state, area, &mut buffer);
        for y in 0..area.height {
            assert_eq!(columns(&buffer, y), usize::from(area.width), "row {y}");
        }
        hits
    }

    fn check(&self) {
        let session = self.ui.state.session();
        let tokens = session.tokens();
        assert!(self.ui.state.current() < VIEWS.len());
        assert_eq!(tokens.ids.len(), tokens.visible.len());
        assert!(session.position() < tokens.ids.len().max(1));
        drop(self.draw());
    }
}

#[test]
fn any_two_hundred_steps_leave_a_valid_state() {
    let mut runner =
        TestRunner::new(Config { cases: 48, failure_persistence: None, max_shrink_iters: 100, ..Config::default() });
    let starts = [Ui::with_data as fn() -> Ui, Ui::with_tokens, || Ui::new().0];
    let walks = (vec(step(), 200), 0..starts.len());
    let result = runner.run(&walks, |(steps, start)| {
        let mut walk = Walk { ui: starts[start](), asked: None, size: (80, 24) };
        for step in &steps {
            if !walk.take(step) {
                break;
            }
            walk.check();
        }
        Ok(())
    });
    result.unwrap();
}
