//! What can be seen of a prompt. A view owns its cursor and the results it shows.
//!
//! Most views show panels of one forward pass, which [`View::needs`] names. What is more than that is a job of the
//! view's own: [`View::job`] asks for it, and [`View::hear`] is told what becomes of it. No view knows another.

mod attention;
mod compare;
mod evals;
mod lens;
mod model;
mod name;
mod patch;
mod run;
mod shown;
mod step;
mod tree;
mod why;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use self::attention::AttentionView;
pub use self::compare::CompareView;
pub use self::evals::EvalsView;
pub use self::lens::LensView;
pub use self::model::ModelView;
pub use self::name::ViewName;
pub use self::patch::PatchView;
pub use self::step::StepView;
pub use self::tree::TreeView;
pub use self::why::WhyView;
use super::action::Action;
use super::input::Key;
use super::keymap::{Context, Keymap};
use super::mouse::Hits;
use super::session::Session;
use super::settings::Settings;
use super::text::of_visible;
use super::theme::Theme;
use super::tree::NodeId;
use crate::engine::{
    Candidate, EngineError, Event, Inspection, Look, ModelInfo, Outcome, Panel, Request, Tokens, Verified,
};
use crate::figure::{Figure, Provenance};
use crate::hook::Head;
use crate::lens::atlas::Atlas;

/// What a view is drawn with.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The tokens and the selected position.
    pub session: &'a Session,
    /// How things look.
    pub theme: Theme,
    /// The keys.
    pub keymap: &'a Keymap,
    /// Where what is drawn can be clicked: whoever draws it says so here.
    pub hits: &'a Hits,
    /// What each head does, once that is known.
    pub atlas: Option<&'a Atlas>,
    /// What became of the laws of every decoder, once they were tried.
    pub verified: Option<&'a Verified>,
    /// What is known about the model, once it is loaded.
    pub model: Option<&'a ModelInfo>,
    /// What is shown while there is no data.
    pub note: &'a str,
}

impl Scene<'_> {
    /// What a head is called, if it has a role.
    pub fn role(&self, head: Head) -> Option<&'static str> {
        self.atlas?.head(head).role()
    }

    /// Where numbers of the model come from that belong to no tokens.
    pub fn of_model(&self) -> Provenance {
        let Some(model) = self.model else { return Provenance::default() };
        Provenance {
            model: model.name.clone(),
            fingerprint: model.fingerprint.clone(),
            precision: model.precision.describe(),
            version: env!("CARGO_PKG_VERSION").into(),
            ..Provenance::default()
        }
    }

    /// Where numbers come from that belong to these tokens and these interventions.
    pub fn of_tokens(&self, tokens: &Tokens, interventions: &[String]) -> Provenance {
        let is_present = tokens.ids == self.session.tokens().ids;
        let prompt = if is_present { self.session.text() } else { of_visible(&tokens.visible) };
        let bos = if is_present { &self.session.tokens().bos } else { &tokens.bos };
        Provenance {
            prompt: Some(prompt),
            bos: Some(bos.clone()).filter(|bos| !bos.is_empty()),
            interventions: interventions.to_vec(),
            ..self.of_model()
        }
    }
}

/// What a view wants after an action.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Nothing.
    Done,
    /// What it needs has changed.
    Refresh,
    /// A part is taken out, by this intervention.
    Intervene(String),
    /// This is said until the next key.
    Say(String),
    /// This is asked about: token A.
    Ask(Candidate),
    /// A is compared with this: token B.
    Compare(Candidate),
    /// The session goes to this node.
    Go(NodeId),
    /// This node gets a name.
    Rename(NodeId),
    /// This node is hidden, with all that follows.
    Prune(NodeId),
    /// Other tokens are looked at, in the step view.
    Look(Box<Look>),
    /// A token after the selected position.
    Append {
        /// Its id.
        id: u32,
        /// As people see it.
        visible: String,
    },
}

/// What becomes of a view's own job.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    /// An intermediate result.
    Event(&'a Event),
    /// The answer.
    Finished(&'a Outcome),
    /// There is no answer.
    Failed(&'a EngineError),
    /// It was stopped: by the user, because another view is shown, or because it broke off.
    Stopped,
}

/// One way to look at a prompt.
pub trait View {
    /// What it is called.
    fn name(&self) -> ViewName;
    /// Takes the numbers that it begins with.
    fn begin_with(&mut self, _: &Settings) {}
    /// Where its keys are.
    fn context(&self) -> Context;
    /// What must be computed before it can show these tokens; nothing if it has all.
    fn needs(&self, session: &Session) -> Vec<Panel>;
    /// Acts on a key.
    fn update(&mut self, action: Action, session: &Session) -> Reply;
    /// Whether an action only turns to another side of what is there already: then a pinned panel takes it.
    fn keeps(&self, action: Action, _: &Session) -> bool {
        matches!(action, Action::Cursor(_))
    }
    /// Takes what was computed; other views' results come along.
    fn receive(&mut self, inspection: &Arc<Inspection>);
    /// A job of its own that is to be begun now, in place of one under way. It remembers what it asked for, and asks
    /// only once; it is called whenever the tokens, the question or the view itself may have changed.
    fn job(&mut self, _: &Session) -> Option<Request> {
        None
    }
    /// Lets other work go first: a job of its own that can go on where it was is asked for again.
    fn give_way(&mut self) {}
    /// Takes what becomes of its own job.
    fn hear(&mut self, _: News<'_>, _: &Session) -> Reply {
        Reply::Done
    }
    /// Whether a text is typed into it: then what is no key of its context types.
    fn is_typing(&self) -> bool {
        false
    }
    /// Takes a key that types.
    fn key(&mut self, _: Key, _: &Session) -> Reply {
        Reply::Done
    }
    /// Takes a pasted text.
    fn paste(&mut self, _: &str, _: &Session) -> Reply {
        Reply::Done
    }
    /// The head that it shows large, if it shows heads.
    fn head(&self) -> Option<Head> {
        None
    }
    /// Shows another head large, if it shows heads.
    fn show_head(&mut self, _: Head) {}
    /// The names of the lenses whose numbers it shows.
    fn shows(&self) -> &'static [&'static str] {
        &[]
    }
    /// Its rows as texts that can be searched, in the order of its cursor.
    fn searchable(&self, _: &Session) -> Vec<String> {
        Vec::new()
    }
    /// What it shows now, all rows of it, the main thing first; nothing while it shows nothing.
    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure>;
    /// Draws itself.
    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer);
}

/// Every view, as the header lists them.
pub static VIEWS: &[fn() -> Box<dyn View>] = &[
    || Box::<StepView>::default(),
    || Box::<TreeView>::default(),
    || Box::<AttentionView>::default(),
    || Box::<LensView>::default(),
    || Box::<WhyView>::default(),
    || Box::<PatchView>::default(),
    || Box::<CompareView>::default(),
    || Box::<EvalsView>::default(),
    || Box::<ModelView>::default(),
];
