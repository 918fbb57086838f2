//! What can be found by its name: commands in the palette, tokens and rows in the search.

use super::State;
use crate::tui::action::{Action, Move};
use crate::tui::effect::Effect;
use crate::tui::keymap::{Binding, Context, key_names};
use crate::tui::overlay::{Entry, NoticeOverlay, PaletteOverlay, SearchOverlay, Wish};
use crate::tui::search::{Found, Haystack, Search};
use crate::tui::view::View;
use crate::tui::{Offer, layout};

/// Contexts whose keys mean something only while they are shown.
const PASSING: [Context; 6] =
    [Context::Editing, Context::Typing, Context::Error, Context::Help, Context::Interventions, Context::Picker];

impl State {
    /// Opens the palette: the present view's commands first.
    pub(super) fn palette(&mut self) -> Vec<Effect> {
        let present = self.view().context();
        let others = Context::ALL.into_iter().filter(|context| *context != present && *context != Context::Global);
        let contexts = [present, Context::Global].into_iter().chain(others.filter(|other| !PASSING.contains(other)));
        let bindings = contexts.flat_map(|context| self.keymap.rows(context));
        // a palette in a palette leads nowhere
        let commands =
            bindings.filter(|binding| binding.action != Action::Palette).map(|binding| command(binding, present));
        let entries = commands.chain(self.offers.iter().map(|offer| self.offered(offer))).collect();
        self.overlays.push(Box::new(PaletteOverlay::new(entries)));
        Vec::new()
    }

    /// An offer: the view that shows it, if there is one, else how it is run.
    fn offered(&self, offer: &Offer) -> Entry {
        let view =
            self.panels.focused().views().find(|view| view.shows().contains(&offer.name.as_str())).map(View::name);
        let wish = match view {
            Some(view) => Wish::Act { context: Context::Global, action: Action::ShowView(view) },
            None => Wish::Tell(offer.clone()),
        };
        let keys = view.map_or_else(|| offer.kind.to_owned(), |view| format!("{} {}", offer.kind, view.digit()));
        Entry { name: offer.name.clone(), about: offer.about.clone(), keys, wish }
    }

    /// Says how what was chosen is run.
    pub(super) fn tell_offer(&mut self, offer: &Offer) -> Vec<Effect> {
        self.overlays.push(Box::new(NoticeOverlay::offer(offer, &self.model_name(), &self.session.text())));
        Vec::new()
    }

    /// Acts as in a context: in the view that has it.
    pub(super) fn act_in(&mut self, context: Context, action: Action) -> Vec<Effect> {
        let view = self.panels.focused().views().find(|view| view.context() == context).map(View::name);
        let is_shown = view == Some(self.view().name());
        let shown = view.filter(|_| !is_shown).map_or_else(Vec::new, |view| self.act(Action::ShowView(view)));
        shown.into_iter().chain(self.act(action)).collect()
    }

    /// What can be searched.
    fn haystack(&self) -> Haystack {
        let view = self.view();
        let tokens = self.session.tokens().visible.clone();
        Haystack { tokens, rows: view.searchable(self.shown_session()), view: view.name().title() }
    }

    /// Opens the search.
    pub(super) fn open_search(&mut self) -> Vec<Effect> {
        self.overlays.push(Box::new(SearchOverlay::new(self.haystack())));
        Vec::new()
    }

    /// Goes to one of what is found.
    pub(super) fn search(&mut self, search: Search) -> Vec<Effect> {
        let found = self.haystack().find(&search.text);
        let to = found.get(search.nth).copied();
        self.search = Some(search);
        match to {
            Some(Found::Token(at)) => self.act(Action::Position(Move::To(at))),
            Some(Found::Row(at)) => self.act(Action::Cursor(Move::To(at))),
            None => Vec::new(),
        }
    }

    /// Goes to the next of what was searched for last, or to the one before, round and round.
    pub(super) fn search_on(&mut self, steps: isize) -> Vec<Effect> {
        let Some(search) = self.search.take() else { return self.open_search() };
        let n = self.haystack().find(&search.text).len();
        let nth = layout::wrapped(search.nth, steps, n);
        self.search(Search { nth, ..search })
    }
}

fn command(binding: &Binding, present: Context) -> Entry {
    let name = binding.action.name().into_owned();
    let elsewhere = binding.context != present && binding.context != Context::Global;
    let about =
        if elsewhere { format!("{}: {}", binding.context.title(), binding.about) } else { binding.about.into() };
    let wish = Wish::Act { context: binding.context, action: binding.action };
    Entry { name, about, keys: key_names(binding), wish }
}
