//! What every view shares: the tokens, their history, what is asked about them, and what is changed in the model.

use std::collections::BTreeMap;

use super::action::Move;
use super::interventions::Interventions;
use super::text::of_visible;
use crate::engine::{Candidate, Distribution, Inspection, Named, Tokens};
use crate::lens::{Ask, Versus};
use crate::model::sample::Sampling;
use crate::text::BosPolicy;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Version {
    tokens: Tokens,
    /// Tokens at the front that are not part of the text.
    n_added: usize,
}

/// What results belong to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Basis {
    ids: Vec<u32>,
    interventions: Vec<String>,
}

impl Basis {
    /// What these results belong to.
    pub fn of(inspection: &Inspection) -> Self {
        Self { ids: inspection.tokens.ids.clone(), interventions: inspection.interventions.clone() }
    }
}

/// What the tokens of the prompt are coloured by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tint {
    /// Nothing.
    #[default]
    Nothing,
    /// How unexpected each token was.
    Surprisal,
    /// How open the next token is after each.
    Entropy,
}

/// Bits that are coloured as the most.
const MOST_BITS: f64 = 10.0;

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
    /// Token A, if one was chosen.
    token: Option<Named>,
    /// Token B, if one was chosen.
    rival: Option<Named>,
    interventions: Interventions,
    foremost: Foremost,
    tint: Tint,
}

/// What is known of distributions: the two tokens that the model itself finds most probable, and bits.
#[derive(Debug, Clone, Default)]
struct Foremost {
    ids: Vec<u32>,
    at: BTreeMap<usize, Vec<Named>>,
    /// Bits of surprisal of each token that was foreseen.
    surprisal: BTreeMap<usize, f64>,
    /// Bits of entropy after each token.
    entropy: BTreeMap<usize, f64>,
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

    /// What is asked of every panel.
    pub fn ask(&self) -> Ask {
        Ask {
            position: isize::try_from(self.position).ok(),
            token: self.token.as_ref().map(|token| token.id),
            versus: self.rival.as_ref().map_or(Versus::BestOther, |rival| Versus::Token(rival.id)),
        }
    }

    /// What every panel is about: token A and token B, as chosen, else the model's most probable ones if known.
    pub fn target(&self) -> (Option<&Named>, Option<&Named>) {
        let known = self.foremost.at.get(&self.position).filter(|_| self.foremost.ids == self.now.tokens.ids);
        let best_but = |not: Option<&Named>| known?.iter().find(|named| Some(*named) != not);
        let token = self.token.as_ref().or_else(|| best_but(self.rival.as_ref()));
        (token, self.rival.as_ref().or_else(|| best_but(token)))
    }

    /// What the tokens are coloured by.
    pub const fn tint(&self) -> Tint {
        self.tint
    }

    /// The share of a scale that each token is coloured by, where it is known.
    #[expect(clippy::cast_possible_truncation, reason = "a share")]
    pub fn tints(&self) -> Vec<Option<f32>> {
        let of = match self.tint {
            Tint::Nothing => return Vec::new(),
            Tint::Surprisal => &self.foremost.surprisal,
            Tint::Entropy => &self.foremost.entropy,
        };
        if self.foremost.ids != self.now.tokens.ids {
            return Vec::new();
        }
        let share = |at: usize| of.get(&at).map(|bits| (bits / MOST_BITS).clamp(0.0, 1.0) as f32);
        (0..self.now.tokens.ids.len()).map(share).collect()
    }

    pub(super) const fn next_tint(&mut self) {
        self.tint = match self.tint {
            Tint::Nothing => Tint::Surprisal,
            Tint::Surprisal => Tint::Entropy,
            Tint::Entropy => Tint::Nothing,
        };
    }

    /// Remembers what the model itself finds most probable.
    pub(super) fn learn(&mut self, inspection: &Inspection) {
        if self.foremost.ids != inspection.tokens.ids {
            self.foremost = Foremost { ids: inspection.tokens.ids.clone(), ..Foremost::default() };
        }
        for distribution in inspection.distributions.iter().flatten() {
            self.foremost.at.insert(distribution.position, foremost(distribution));
            self.foremost.entropy.insert(distribution.position, distribution.entropy_bits);
            if let Some(actual) = &distribution.actual {
                let bits = -actual.logprob / std::f64::consts::LN_2;
                self.foremost.surprisal.insert(distribution.position + 1, bits);
            }
        }
    }

    /// What is changed in the model.
    pub const fn interventions(&self) -> &Interventions {
        &self.interventions
    }

    pub(super) const fn interventions_mut(&mut self) -> &mut Interventions {
        &mut self.interventions
    }

    /// What results must belong to.
    pub fn basis(&self) -> Basis {
        Basis { ids: self.now.tokens.ids.clone(), interventions: self.interventions.active() }
    }

    /// Whether these are results of the present tokens and interventions.
    pub fn fits(&self, inspection: &Inspection) -> bool {
        Basis::of(inspection) == self.basis()
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

    /// Asks about this token; about the most probable one if it was asked about already.
    pub(super) fn choose_token(&mut self, candidate: &Candidate) {
        self.token = chosen(candidate, self.token.take());
        if self.token.is_some() && self.token == self.rival {
            self.rival = None;
        }
    }

    /// Compares with this token; with the best other one if it was compared with already.
    pub(super) fn choose_rival(&mut self, candidate: &Candidate) {
        self.rival = chosen(candidate, self.rival.take());
        if self.rival.is_some() && self.token == self.rival {
            self.token = None;
        }
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

fn chosen(candidate: &Candidate, before: Option<Named>) -> Option<Named> {
    let is_same = before.is_some_and(|before| before.id == candidate.id);
    (!is_same).then(|| named(candidate))
}

/// The two most probable tokens, without interventions.
fn foremost(distribution: &Distribution) -> Vec<Named> {
    let mut all: Vec<&Candidate> = distribution.top.iter().collect();
    let prob = |candidate: &Candidate| candidate.base.unwrap_or(candidate.prob);
    all.sort_by(|a, b| prob(b).total_cmp(&prob(a)));
    all.into_iter().take(2).map(named).collect()
}

fn named(candidate: &Candidate) -> Named {
    Named { id: candidate.id, visible: candidate.visible.clone() }
}
