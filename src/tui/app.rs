//! The state of the screen, and how messages change it: a function, with no terminal, no clock and no model.

mod answer;
mod command;
mod exporting;
mod find;
mod panels;
mod saving;

use std::path::PathBuf;
use std::sync::Arc;

use ratatui::layout::Rect;

use super::action::Action;
use super::clipboard::{CopyError, told};
use super::editor::Editor;
use super::effect::{Effect, HEADS, LOAD, VERIFY};
use super::input::InputEvent;
use super::jobs::Jobs;
use super::keymap::{Context, Keymap};
use super::line_entry::LineEntry;
use super::mouse::{Hits, MouseUse};
use super::overlay::Overlay;
use super::panels::Panels;
use super::saving::SessionOptions;
use super::search::Search;
use super::session::Session;
use super::theme::Theme;
use super::view::{Scene, View, ViewName};
use super::{Offer, Settings, TuiOptions};
use crate::engine::worker::{JobId, Report, Slot};
use crate::engine::{ModelInfo, Named, Request, Verified};
use crate::export::ExportError;
use crate::lens::atlas::Atlas;
use crate::model::LoadOptions;
use crate::session::{SessionError, WrittenFile};

/// The prompt to start with when none is given.
const EXAMPLE: &str = "The cat sat on a";

/// The slots of what nobody asked for.
const UNASKED: [Slot; 2] = [HEADS, VERIFY];

/// Something that happened.
#[derive(Debug)]
pub enum Msg {
    /// From the terminal.
    Input(InputEvent),
    /// From the worker.
    Report(Report),
    /// A submitted job has this id.
    Started(Slot, JobId),
    /// Something was written, or could not be.
    Written(Result<String, SessionError>),
    /// What a view showed was written to a file, or could not be.
    Exported(Result<WrittenFile, SessionError>),
    /// What a view showed as a text to copy, or why there is none.
    Encoded(Result<String, ExportError>),
    /// Another process asks this one to stop.
    Stop,
    /// The mouse asks for these.
    Pointed(Vec<Action>),
    /// A text is in the clipboard, or not.
    Copied(Result<usize, CopyError>),
    /// Some time passed while a job was under way.
    Tick,
    /// Nothing happened for a while.
    Idle,
}

/// The model: wanted, loaded, or not to be had.
enum Model {
    Loading(String),
    Loaded(Box<Open>),
    Failed(String),
}

/// A loaded model.
struct Open {
    info: ModelInfo,
    laws: Laws,
    heads: Heads,
}

/// What is known about what the heads do.
enum Heads {
    /// They are measured when nothing else is to be done.
    Unmeasured,
    /// The user stopped it, or it could not be done.
    GivenUp,
    Measured(Arc<Atlas>),
}

/// What is known about the laws of every decoder.
enum Laws {
    /// They are tried when nothing else is to be done.
    Untried,
    /// The user stopped it, or it could not be done.
    GivenUp,
    Tried(Verified),
}

/// All that the screen shows.
pub struct State {
    model: Model,
    session: Session,
    editor: Option<Editor>,
    line: Option<LineEntry>,
    files: SessionOptions,
    options: LoadOptions,
    /// What was done last, until the next key.
    notice: Option<String>,
    /// The folder that figures are computed for.
    folder: Option<PathBuf>,
    /// The ending of the last export.
    ending: &'static str,
    panels: Panels,
    /// The screen, once it is known.
    size: Option<Rect>,
    overlays: Vec<Box<dyn Overlay>>,
    jobs: Jobs,
    theme: Theme,
    keymap: Keymap,
    settings: Settings,
    /// How often the next move is to be done.
    count: Option<usize>,
    offers: Vec<Offer>,
    search: Option<Search>,
    mouse: MouseUse,
}

impl Open {
    /// Its arithmetic and its badge.
    fn line(&self) -> String {
        let badge = match &self.laws {
            Laws::Untried | Laws::GivenUp => String::new(),
            Laws::Tried(Verified { n_hold, failed, .. }) if failed.is_empty() => format!(" · ✓ {n_hold} laws"),
            Laws::Tried(Verified { failed, .. }) => format!(" · ✗ {}", failed.join(", ")),
        };
        format!(" · {}{badge}", self.info.precision.brief())
    }
}

impl State {
    /// The state before the model is loaded, and what must be done first.
    pub fn new(options: TuiOptions, theme: Theme) -> (Self, Vec<Effect>) {
        let text = options.prompt.unwrap_or_else(|| EXAMPLE.into());
        let mut state = Self {
            model: Model::Loading(options.source.name()),
            session: Session::new(text, options.bos),
            editor: None,
            line: None,
            notice: options.session.notice.clone(),
            files: options.session,
            options: options.options,
            folder: None,
            ending: exporting::FIRST_ENDING,
            panels: Panels::new(options.settings),
            size: None,
            overlays: Vec::new(),
            jobs: Jobs::default(),
            theme,
            keymap: options.keymap,
            settings: options.settings,
            count: None,
            offers: options.offers,
            search: None,
            mouse: options.mouse,
        };
        let load = Request::Load { source: options.source, options: options.options };
        let effects = vec![state.submit(LOAD, load)];
        (state, effects)
    }

    /// Takes a message; answers what must be done.
    pub fn update(&mut self, msg: Msg) -> Vec<Effect> {
        let effects = self.react(msg);
        let asked =
            effects.iter().any(|effect| matches!(effect, Effect::Submit { slot, .. } if !UNASKED.contains(slot)));
        // what the user asks for comes before what nobody asked for
        let stopped: Vec<Effect> =
            if asked { UNASKED.iter().filter_map(|slot| self.cancel(*slot)).collect() } else { Vec::new() };
        stopped.into_iter().chain(effects).collect()
    }

    fn react(&mut self, msg: Msg) -> Vec<Effect> {
        match msg {
            Msg::Input(input) => self.input(&input),
            Msg::Report(report) => self.report(report),
            Msg::Started(slot, id) => {
                self.jobs.start(slot, id);
                Vec::new()
            }
            Msg::Written(written) => {
                self.written(written);
                Vec::new()
            }
            Msg::Exported(written) => {
                self.exported(written);
                Vec::new()
            }
            Msg::Encoded(encoded) => self.encoded(encoded).into_iter().collect(),
            Msg::Stop => vec![Effect::Suspend],
            Msg::Tick => {
                self.jobs.tick();
                Vec::new()
            }
            Msg::Pointed(actions) => self.pointed(actions),
            Msg::Copied(result) => {
                self.notice = Some(told(&result));
                Vec::new()
            }
            Msg::Idle => self.idle_request().map(|(slot, request)| self.submit(slot, request)).into_iter().collect(),
        }
    }

    /// What is to be done once nothing else is.
    fn idle_request(&self) -> Option<(Slot, Request)> {
        let Model::Loaded(open) = &self.model else { return None };
        if self.is_busy() || self.editor.is_some() || self.line.is_some() || self.view().is_typing() {
            return None;
        }
        match (&open.laws, &open.heads) {
            (_, Heads::Unmeasured) => Some((HEADS, Request::Heads)),
            (Laws::Untried, _) => Some((VERIFY, Request::Verify)),
            _ => None,
        }
    }

    /// Whether there is something to be done once nothing else is.
    pub fn awaits_idleness(&self) -> bool {
        self.idle_request().is_some()
    }

    /// Whether a job is under way.
    pub const fn is_busy(&self) -> bool {
        self.jobs.is_busy()
    }

    /// The tokens and the selected position.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// The prompt, while it is being edited.
    pub const fn editor(&self) -> Option<&Editor> {
        self.editor.as_ref()
    }

    /// What was done last, until the next key.
    pub fn notice(&self) -> Option<&str> {
        self.notice.as_deref()
    }

    /// A line that is being typed.
    pub const fn line_entry(&self) -> Option<&LineEntry> {
        self.line.as_ref()
    }

    /// The place of the focused panel's view.
    pub fn current(&self) -> usize {
        self.panels.focused().current()
    }

    /// Where keys are looked up.
    pub fn context(&self) -> Context {
        let typing = self.line.as_ref().map(|line| line.purpose().context());
        let editing = typing.or_else(|| self.editor.is_some().then_some(Context::Editing));
        self.overlay().map(Overlay::context).or(editing).unwrap_or_else(|| self.view().context())
    }

    /// What overlays and the panels that follow are drawn with.
    pub(super) fn scene<'a>(&'a self, note: &'a str, hits: &'a Hits) -> Scene<'a> {
        let atlas = match &self.model {
            Model::Loaded(open) => match &open.heads {
                Heads::Measured(atlas) => Some(atlas.as_ref()),
                Heads::Unmeasured | Heads::GivenUp => None,
            },
            Model::Loading(_) | Model::Failed(_) => None,
        };
        let verified = match &self.model {
            Model::Loaded(open) => match &open.laws {
                Laws::Tried(verified) => Some(verified),
                Laws::Untried | Laws::GivenUp => None,
            },
            Model::Loading(_) | Model::Failed(_) => None,
        };
        let model = match &self.model {
            Model::Loaded(open) => Some(&open.info),
            Model::Loading(_) | Model::Failed(_) => None,
        };
        Scene { model, verified, session: &self.session, theme: self.theme, keymap: &self.keymap, hits, atlas, note }
    }

    pub(super) const fn mouse(&self) -> MouseUse {
        self.mouse
    }

    pub(super) const fn keymap(&self) -> &Keymap {
        &self.keymap
    }

    pub(super) const fn theme(&self) -> Theme {
        self.theme
    }

    /// The focused panel's view.
    fn view(&self) -> &dyn View {
        self.panels.focused().view()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = ViewName> {
        self.panels.focused().views().map(View::name)
    }

    pub(super) fn overlay(&self) -> Option<&dyn Overlay> {
        self.overlays.last().map(AsRef::as_ref)
    }

    /// The model's name.
    pub(super) fn model_name(&self) -> String {
        match &self.model {
            Model::Loading(name) => name.clone(),
            Model::Failed(name) => format!("{name}: not loaded"),
            Model::Loaded(open) => open.info.name.clone(),
        }
    }

    /// Its precision, the BOS decision and the number of tokens.
    pub(super) fn model_line(&self) -> String {
        let tokens = self.session.tokens();
        match &self.model {
            Model::Loading(_) | Model::Failed(_) => String::new(),
            Model::Loaded(open) if tokens.ids.is_empty() => open.line(),
            Model::Loaded(open) => format!("{} · {} tokens · {}", open.line(), tokens.ids.len(), tokens.bos),
        }
    }

    /// The interventions that are on.
    pub(super) fn changes(&self) -> String {
        let active = self.session.interventions().active();
        if active.is_empty() { String::new() } else { format!(" do {}", active.join(" ")) }
    }

    /// What is asked of every view.
    pub(super) fn target(&self) -> String {
        let name = |named: Option<&Named>| named.map(|named| named.visible.clone());
        match self.session.target() {
            (Some(token), rival) => {
                format!("{} vs {}", token.visible, name(rival).unwrap_or_else(|| "best other".into()))
            }
            (None, Some(rival)) => format!("best other vs {}", rival.visible),
            (None, None) => String::new(),
        }
    }

    /// What the program is doing.
    pub(super) fn marker(&self) -> String {
        let word = match &self.model {
            Model::Loading(_) => "loading".into(),
            Model::Loaded(_) | Model::Failed(_) if self.jobs.has(super::effect::GENERATE) => {
                format!("generating, {} stops", self.way(Action::Cancel))
            }
            Model::Loaded(_) | Model::Failed(_) if self.jobs.has(VERIFY) => "verifying".into(),
            Model::Loaded(_) | Model::Failed(_) if self.jobs.has(HEADS) => "measuring heads".into(),
            Model::Loaded(_) | Model::Failed(_) => String::from("computing"),
        };
        let text = || format!("{} {word}{}", self.jobs.spinner(), self.jobs.progress());
        if self.is_busy() { text() } else { String::new() }
    }

    /// What a view without data says.
    pub(super) fn note(&self) -> String {
        match &self.model {
            Model::Loading(name) => format!("loading {name} …"),
            Model::Failed(_) => format!("no model is loaded; {} quits", self.way(Action::Quit)),
            Model::Loaded(_) if self.is_busy() => "computing …".into(),
            Model::Loaded(_) => {
                let why = if self.session.tokens().ids.is_empty() { "no tokens yet" } else { "nothing to show" };
                format!("{why}; {} edits the prompt", self.way(Action::Edit))
            }
        }
    }

    /// How something is done in the visible view.
    fn way(&self, action: Action) -> String {
        self.keymap.way(self.view().context(), action)
    }

    fn submit(&mut self, slot: Slot, request: Request) -> Effect {
        self.jobs.ask(slot);
        Effect::Submit { slot, request }
    }

    fn cancel(&mut self, slot: Slot) -> Option<Effect> {
        let has = self.jobs.has(slot);
        self.jobs.end(slot);
        has.then_some(Effect::Cancel(slot))
    }
}
