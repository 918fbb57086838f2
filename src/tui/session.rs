//! What every view shares: the tokens, their history, and the selected position.

use super::action::Move;
use super::text::of_visible;
use crate::engine::Tokens;
use crate::model::sample::Sampling;
use crate::text::BosPolicy;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Version {
    tokens: Tokens,
    /// Tokens at the front that are not part of the text.
    n_added: usize,
}

/// One prompt and what was appended to it.
#[derive(Debug, Clone, Default)]
pub struct Session {
    now: Version,
    past: Vec<Version>,
    future: Vec<Version>,
    position: usize,
    seed: u64,
    /// The text whose tokens are awaited.
    awaited: Option<String>,
    bos: BosPolicy,
}

impl Session {
    /// A session that waits for the tokens of its first text.
    pub fn new(text: String, bos: BosPolicy) -> Self {
        Self { awaited: Some(text), bos, ..Self::default() }
    }

    /// The tokens.
    pub const fn tokens(&self) -> &Tokens {
        &self.now.tokens
    }

    /// The selected position.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Whether a BOS is put before the text.
    pub const fn bos(&self) -> BosPolicy {
        self.bos
    }

    /// The text whose tokens are awaited.
    pub fn awaited(&self) -> Option<&str> {
        self.awaited.as_deref()
    }

    /// The seed of the next sample.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// The text of the prompt and of what was appended.
    pub fn text(&self) -> String {
        let pieces = self.now.tokens.visible.get(self.now.n_added..).unwrap_or(&[]);
        self.awaited.clone().unwrap_or_else(|| of_visible(pieces))
    }

    /// The ids up to the selected position.
    pub fn ids_to_position(&self) -> &[u32] {
        self.now.tokens.ids.get(..=self.position).unwrap_or(&self.now.tokens.ids)
    }

    pub(super) fn await_text(&mut self, text: String) {
        self.awaited = Some(text);
    }

    /// Takes the tokens of the awaited text; answers whether one was awaited.
    pub(super) fn arrive(&mut self, tokens: Tokens) -> bool {
        let Some(text) = self.awaited.take() else { return false };
        let first = tokens.visible.first().map(|first| of_visible(std::slice::from_ref(first))).unwrap_or_default();
        let n_added = usize::from(!text.trim_start().starts_with(first.trim_start()));
        self.remember();
        self.now = Version { tokens, n_added };
        self.position = self.last();
        true
    }

    pub(super) fn stop_waiting(&mut self) {
        self.awaited = None;
    }

    /// Keeps the present for undo, and drops the tokens after the selected position.
    pub(super) fn branch(&mut self) {
        self.remember();
        self.now.tokens.ids.truncate(self.position + 1);
        self.now.tokens.visible.truncate(self.position + 1);
    }

    /// Appends a token and selects it.
    pub(super) fn append(&mut self, id: u32, visible: String) {
        self.now.tokens.ids.push(id);
        self.now.tokens.visible.push(visible);
        self.position = self.last();
    }

    pub(super) fn select(&mut self, to: Move) {
        self.position = to.apply(self.position, self.now.tokens.ids.len());
    }

    /// How the next token is sampled; the seed is used up.
    pub(super) fn next_sampling(&mut self) -> Sampling {
        let sampling = Sampling { temperature: 1.0, seed: self.seed, ..Sampling::default() };
        self.seed = self.seed.wrapping_add(1);
        sampling
    }

    pub(super) fn undo(&mut self) -> bool {
        let Some(before) = self.past.pop() else { return false };
        self.future.push(std::mem::replace(&mut self.now, before));
        self.position = self.last();
        true
    }

    pub(super) fn redo(&mut self) -> bool {
        let Some(after) = self.future.pop() else { return false };
        self.past.push(std::mem::replace(&mut self.now, after));
        self.position = self.last();
        true
    }

    fn remember(&mut self) {
        if !self.now.tokens.ids.is_empty() {
            self.past.push(self.now.clone());
        }
        self.future.clear();
    }

    const fn last(&self) -> usize {
        self.now.tokens.ids.len().saturating_sub(1)
    }
}
