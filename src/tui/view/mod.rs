//! What can be seen of a prompt. A view owns its cursor and the results it shows; it asks for nothing else.

mod attention;
mod lens;
mod step;
mod why;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub use self::attention::AttentionView;
pub use self::lens::LensView;
pub use self::step::StepView;
pub use self::why::WhyView;
use super::action::Action;
use super::keymap::{Context, Keymap};
use super::session::Session;
use super::theme::Theme;
use crate::engine::{Candidate, Inspection, Panel};
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
    /// What each head does, once that is known.
    pub atlas: Option<&'a Atlas>,
    /// What is shown while there is no data.
    pub note: &'a str,
}

impl Scene<'_> {
    /// What a head is called, if it has a role.
    pub fn role(&self, head: Head) -> Option<&'static str> {
        self.atlas?.head(head).role()
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
    /// This is asked about: token A.
    Ask(Candidate),
    /// A is compared with this: token B.
    Compare(Candidate),
    /// A token after the selected position.
    Append {
        /// Its id.
        id: u32,
        /// As people see it.
        visible: String,
    },
}

/// One way to look at a prompt.
pub trait View {
    /// Its name in the header.
    fn title(&self) -> &'static str;
    /// Where its keys are.
    fn context(&self) -> Context;
    /// What must be computed before it can show these tokens; nothing if it has all.
    fn needs(&self, session: &Session) -> Vec<Panel>;
    /// Acts on a key.
    fn update(&mut self, action: Action, session: &Session) -> Reply;
    /// Takes what was computed; other views' results come along.
    fn receive(&mut self, inspection: &Arc<Inspection>);
    /// Draws itself.
    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer);
}

/// Every view, as the header lists them.
pub static VIEWS: &[fn() -> Box<dyn View>] = &[
    || Box::<StepView>::default(),
    || Box::<AttentionView>::default(),
    || Box::<LensView>::default(),
    || Box::<WhyView>::default(),
];

/// The name of the view at a place, as configuration writes it.
pub fn name(at: usize) -> String {
    VIEWS.get(at).map_or_else(String::new, |make| make().title().to_lowercase().replace(' ', "-"))
}
