//! Sessions: saved from the screen, gone on with, and drawn again without one.

use std::path::Path;
use std::process::Command;

use crossterm::event::KeyCode;
use lmscope::engine::worker::{JobId, Report};
use lmscope::engine::{Engine, JobEvent, Outcome};
use lmscope::model::CancelToken;
use lmscope::session::{FileFormat, Saved, write_figures};
use lmscope::tui::input::{InputEvent, Key};
use lmscope::tui::keymap::Context;
use lmscope::tui::{Effect, Msg, SessionOptions, State, TuiOptions};
use proptest::prelude::*;

use super::data::{DARK, Ui, info, text};

const ENTER: Key = Key::plain(KeyCode::Enter);

/// A state whose jobs are done at once by a real engine.
pub(super) struct Live {
    pub(super) state: State,
    engine: Engine,
    next: u64,
    /// What is to be written.
    written: Vec<Effect>,
}

impl Live {
    pub(super) fn start(session: SessionOptions) -> Self {
        let (state, effects) = State::new(TuiOptions { session, ..TuiOptions::default() }, DARK);
        let mut live = Self { state, engine: Engine::default(), next: 0, written: Vec::new() };
        live.settle(effects);
        live
    }

    fn settle(&mut self, mut effects: Vec<Effect>) {
        while !effects.is_empty() {
            let mut more = Vec::new();
            for effect in effects {
                let Effect::Submit { slot, request } = effect else {
                    self.written.push(effect);
                    continue;
                };
                self.next += 1;
                let job = JobId(self.next);
                self.state.update(Msg::Started(slot, job));
                let mut events = Vec::new();
                let answer = self.engine.run(request, &CancelToken::default(), &mut |event| events.push(event));
                for event in events.into_iter().map(JobEvent::Event) {
                    more.extend(self.state.update(Msg::Report(Report { job, event })));
                }
                let event = answer.map_or_else(JobEvent::Failed, JobEvent::Finished);
                more.extend(self.state.update(Msg::Report(Report { job, event })));
            }
            effects = more;
        }
    }

    pub(super) fn keys(&mut self, keys: &str) {
        for c in keys.chars() {
            let key = match c {
                '\n' => ENTER,
                '\x1b' => Key::plain(KeyCode::Esc),
                '←' => Key::plain(KeyCode::Left),
                '\x15' => Key::ctrl('u'),
                c => Key::char(c),
            };
            let effects = self.state.update(Msg::Input(InputEvent::Key(key)));
            self.settle(effects);
        }
    }
}

fn explored() -> Live {
    let mut live = Live::start(SessionOptions { model: "slide".into(), ..SessionOptions::default() });
    live.keys("tj\nu←←jj\nsja3j]dzero:L1H1\n\x1b2rhope\n");
    live
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    all.sort();
    all
}

#[test]
fn figures_saved_on_the_screen_and_replayed_ones_are_the_same_bytes() {
    let mut live = explored();
    live.keys("W\nw\n");
    let folder = tempfile::tempdir().unwrap();
    let (mut figures, mut session) = (None, None);
    for effect in &live.written {
        match effect {
            Effect::SaveFigures { figures: all, .. } => figures = Some(all),
            Effect::SaveSession { saved, .. } => session = Some(saved),
            other => panic!("{other:?}"),
        }
    }
    let (on_screen, replayed) = (folder.path().join("a"), folder.path().join("b"));
    write_figures(&on_screen, FileFormat::Json, figures.unwrap()).unwrap();
    let file = folder.path().join("s.lmscope");
    let saved = session.unwrap();
    assert_eq!(saved.interventions.len(), 1);
    assert_eq!(saved.head.to_string(), "L1H1");
    saved.save(&file).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lmscope"))
        .args(["replay".as_ref(), file.as_os_str(), "-o".as_ref(), replayed.as_os_str()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names: Vec<String> = files(&replayed).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["attention.json", "distribution.json", "dla.json", "logit-lens.json", "rollout.json"]);
    assert_eq!(files(&on_screen), files(&replayed));
    let report = folder.path().join("s.html");
    for arguments in [
        vec!["session".as_ref(), file.as_os_str(), "-o".as_ref(), report.as_os_str()],
        vec!["--check".as_ref(), report.as_os_str()],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_lmscope")).arg("report").args(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(std::fs::read_to_string(&report).unwrap().contains("intervened: "));
}

#[test]
fn a_session_goes_on_where_it_was_left() {
    let saved = explored().state.saved().unwrap();
    let text = saved.text().unwrap();
    let options = SessionOptions {
        model: "slide".into(),
        resumed: Some(Saved::parse(&text).unwrap()),
        ..SessionOptions::default()
    };
    let live = Live::start(options);
    assert_eq!(live.state.saved().unwrap(), saved);
    assert_eq!(live.state.context(), Context::Tree);
}

#[test]
fn a_session_of_another_model_is_refused_with_a_hint() {
    let mut saved = explored().state.saved().unwrap();
    saved.model.fingerprint = "0000".into();
    let options = SessionOptions { resumed: Some(saved.clone()), ..SessionOptions::default() };
    let live = Live::start(options);
    assert_eq!(live.state.context(), Context::Error);
    assert!(text(&live.state).contains("-m slide"), "{}", text(&live.state));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.lmscope");
    saved.save(&file).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_lmscope")).arg("replay").arg(&file).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("0000") && told.contains("hint: name the model"), "{told}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn whatever_was_done_is_saved_and_gone_on_with(keys in "[tuUxmj\n←12345a\\[\\]pf|.,z-]{0,30}") {
        let mut ui = Ui::with_data();
        for c in keys.chars() {
            match c {
                '\n' => drop(ui.key(ENTER)),
                '←' => drop(ui.key(Key::plain(KeyCode::Left))),
                c => drop(ui.chars(&c.to_string())),
            }
        }
        let saved = ui.state.saved().unwrap();
        prop_assert_eq!(&Saved::parse(&saved.text().unwrap()).unwrap(), &saved);
        let session = SessionOptions { resumed: Some(saved.clone()), ..SessionOptions::default() };
        let (mut state, _) = State::new(TuiOptions { session, ..TuiOptions::default() }, DARK);
        state.update(Msg::Started(lmscope::tui::effect::LOAD, JobId(1)));
        let event = JobEvent::Finished(Outcome::Loaded(Box::new(info())));
        state.update(Msg::Report(Report { job: JobId(1), event }));
        prop_assert_eq!(state.saved().unwrap(), saved);
    }
}
