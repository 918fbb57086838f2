//! What every view shares: the tokens, their history, what is asked about them, and what is changed in the model.

use std::collections::BTreeMap;

use super::action::Move;
use super::interventions::Interventions;
use super::saving::{Kept, interventions_of, named as named_in, nodes_of, token_of};
use super::text::of_visible;
use super::tree::{NodeId, Tree};
use crate::engine::{Candidate, Distribution, Inspection, Look, Named, Tokens};
use crate::hook::Head;
use crate::lens::{Ask, Versus};
use crate::model::sample::Sampling;
use crate::session::{ModelRef, Saved};
use crate::text::BosPolicy;

/// What undo takes back, as what was before.
#[derive(Debug, Clone, PartialEq)]
enum Change {
    /// Another place in the tree.
    Went { at: NodeId, position: usize },
    /// A node was hidden, and with it perhaps the place.
    Pruned { node: NodeId, is_pruned: bool, at: NodeId, position: usize },
    /// A node was named.
    Labelled { node: NodeId, label: Option<String> },
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
    /// How probable each token was.
    Probability,
    /// How open the next token is after each.
    Entropy,
    /// What each token does for the answer: gradient × input.
    Attribution,
}

/// Tokens, and what is asked about them.
type Asked = (Vec<u32>, Ask);

/// Bits that are coloured as the most.
const MOST_BITS: f64 = 10.0;

/// Prompts, what was appended to them, and a place among them.
#[derive(Debug, Clone, Default)]
pub struct Session {
    tree: Tree,
    /// The node at the end of the present tokens.
    at: Option<NodeId>,
    /// The tokens up to its end.
    tokens: Tokens,
    past: Vec<Change>,
    future: Vec<Change>,
    /// The node that generated tokens are added to.
    growing: Option<NodeId>,
    position: usize,
    /// How tokens are sampled, and the seed of the next one.
    sampling: Sampling,
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
    /// Gradient × input of each token, and what it belongs to.
    attribution: Option<(Asked, Vec<f64>)>,
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
        let sampling = Sampling { temperature: 1.0, ..Sampling::default() };
        Self { awaited: Some(text), bos, sampling, ..Self::default() }
    }

    /// The tokens.
    pub const fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Everything that was tried.
    pub const fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The node at the end of the present tokens.
    pub const fn at(&self) -> Option<NodeId> {
        self.at
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
        let known = self.foremost.at.get(&self.position).filter(|_| self.foremost.ids == self.tokens.ids);
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
            Tint::Surprisal | Tint::Probability => &self.foremost.surprisal,
            Tint::Entropy => &self.foremost.entropy,
            Tint::Attribution => return self.attribution_tints(),
        };
        if self.foremost.ids != self.tokens.ids {
            return Vec::new();
        }
        let of_bits = |bits: &f64| match self.tint {
            Tint::Probability => (-bits).exp2(),
            _ => (bits / MOST_BITS).clamp(0.0, 1.0),
        };
        let share = |at: usize| of.get(&at).map(|bits| of_bits(bits) as f32);
        (0..self.tokens.ids.len()).map(share).collect()
    }

    /// Sizes of attributions, of the largest.
    #[expect(clippy::cast_possible_truncation, reason = "a share")]
    fn attribution_tints(&self) -> Vec<Option<f32>> {
        let Some((of, scores)) = self.attribution.as_ref().filter(|(of, _)| *of == self.question()) else {
            return Vec::new();
        };
        let most = scores.iter().fold(f64::MIN_POSITIVE, |most, score| most.max(score.abs()));
        let shares = scores.iter().map(|score| Some((score.abs() / most) as f32));
        shares.chain(std::iter::repeat(None)).take(of.0.len()).collect()
    }

    /// What an attribution belongs to.
    fn question(&self) -> Asked {
        (self.tokens.ids.clone(), self.ask())
    }

    /// Whether an attribution is to be asked for now; it is asked for once.
    pub(super) fn wants_attribution(&mut self) -> bool {
        let question = self.question();
        let has = self.attribution.as_ref().is_some_and(|(of, _)| *of == question);
        if self.tint != Tint::Attribution || has || question.0.is_empty() {
            return false;
        }
        self.attribution = Some((question, Vec::new()));
        true
    }

    pub(super) fn learn_attribution(&mut self, scores: Vec<f64>) {
        if let Some((_, known)) = &mut self.attribution {
            *known = scores;
        }
    }

    pub(super) const fn next_tint(&mut self) {
        self.tint = match self.tint {
            Tint::Nothing => Tint::Surprisal,
            Tint::Surprisal => Tint::Probability,
            Tint::Probability => Tint::Entropy,
            Tint::Entropy => Tint::Attribution,
            Tint::Attribution => Tint::Nothing,
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
        self.learn_path(inspection);
    }

    /// Remembers in the tree how probable its tokens are to the model itself.
    fn learn_path(&mut self, inspection: &Inspection) {
        let Some(at) = self.at.filter(|_| inspection.tokens.ids == self.tokens.ids) else { return };
        for distribution in inspection.distributions.iter().flatten() {
            if let Some(actual) = &distribution.actual {
                let logprob = actual.base.map_or(actual.logprob, f64::ln);
                self.tree.learn(at, distribution.position + 1, logprob);
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
        Basis { ids: self.tokens.ids.clone(), interventions: self.interventions.active() }
    }

    /// Whether these are results of the present tokens and interventions.
    pub fn fits(&self, inspection: &Inspection) -> bool {
        Basis::of(inspection) == self.basis()
    }

    /// A session at a place of a tree; nothing if the place is not there.
    pub(super) fn resumed(tree: Tree, saved: &Saved, interventions: Interventions) -> Option<Self> {
        let at = tree.id(saved.at)?;
        let (token, rival) = (named_in(saved.token.as_ref()), named_in(saved.versus.as_ref()));
        let sampling = saved.sampling;
        let mut session = Self { tree, bos: saved.bos, token, rival, interventions, sampling, ..Self::default() };
        session.place(at, saved.position);
        Some(session)
    }

    /// Fills in what of a session belongs into a file.
    pub(super) fn saved(&self, model: ModelRef, view: String, head: Head) -> Option<Saved> {
        let Kept { nodes, at } = nodes_of(&self.tree, self.at?);
        Some(Saved {
            model,
            bos: self.bos,
            view,
            at,
            position: self.position,
            token: token_of(self.token.as_ref()),
            versus: token_of(self.rival.as_ref()),
            head,
            sampling: self.sampling,
            interventions: interventions_of(&self.interventions),
            nodes,
            panels: Vec::new(),
            focus: 0,
        })
    }

    /// How tokens are sampled, and the next seed.
    pub const fn sampling(&self) -> Sampling {
        self.sampling
    }

    pub(super) const fn set_sampling(&mut self, sampling: Sampling) {
        self.sampling = sampling;
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
        self.sampling.seed
    }

    /// The text of the prompt and of what was appended.
    pub fn text(&self) -> String {
        let n_added = self.at.map_or(0, |at| self.tree.root_of(at).n_added);
        let pieces = self.tokens.visible.get(n_added..).unwrap_or(&[]);
        self.awaited.clone().unwrap_or_else(|| of_visible(pieces))
    }

    /// The ids up to the selected position.
    pub fn ids_to_position(&self) -> &[u32] {
        self.tokens.ids.get(..=self.position).unwrap_or(&self.tokens.ids)
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
        let end = self.tree.plant(tokens, n_added);
        self.go(end);
        true
    }

    /// Looks at these tokens from their end, and asks about the tokens that go with them.
    pub(super) fn look(&mut self, look: Look) {
        self.awaited = None;
        self.remember();
        let end = self.tree.plant(look.tokens, look.n_added);
        self.go(end);
        (self.token, self.rival) = (Some(look.token), look.versus);
    }

    pub(super) fn stop_waiting(&mut self) {
        self.awaited = None;
    }

    /// Goes back to the selected position, so that another token can follow it.
    pub(super) fn branch(&mut self) {
        self.remember();
        if let Some(at) = self.at {
            let end = self.tree.ending_at(at, self.position);
            self.go(end);
        }
    }

    /// Appends a token and selects it; tokens appended in a row share a node.
    pub(super) fn append(&mut self, id: u32, visible: String) {
        let Some(at) = self.at else { return };
        if self.growing != Some(at) || !self.tree.extend(at, id, &visible) {
            self.at = Some(self.tree.follow(at, id, visible.clone()));
            self.growing = self.at;
        }
        self.tokens.ids.push(id);
        self.tokens.visible.push(visible);
        self.position = self.last();
    }

    /// Goes to a node, which undo takes back.
    pub(super) fn go_to(&mut self, node: NodeId) {
        if self.at != Some(node) {
            self.remember();
            self.go(node);
        }
    }

    /// Names a node; an empty name takes the name away.
    pub(super) fn label(&mut self, node: NodeId, label: &str) {
        let label = Some(label.trim().to_owned()).filter(|label| !label.is_empty());
        let label = self.tree.label(node, label);
        self.past.push(Change::Labelled { node, label });
        self.future.clear();
    }

    /// Hides a node and all that follows; the only prompt stays.
    pub(super) fn prune(&mut self, node: NodeId) -> bool {
        let instead = self.tree.node(node).parent;
        let instead = instead.or_else(|| self.tree.roots().into_iter().find(|root| *root != node));
        let (Some(at), Some(instead)) = (self.at, instead) else { return false };
        self.past.push(Change::Pruned { node, is_pruned: false, at, position: self.position });
        self.future.clear();
        self.tree.prune(node, true);
        if !self.tree.is_shown(at) {
            self.go(instead);
        }
        true
    }

    fn go(&mut self, node: NodeId) {
        self.at = Some(node);
        self.growing = None;
        self.tokens = self.tree.tokens(node);
        self.position = self.last();
    }

    pub(super) fn select(&mut self, to: Move) {
        self.position = to.apply(self.position, self.tokens.ids.len());
    }

    /// How the next token is sampled; the seed is used up.
    pub(super) fn next_sampling(&mut self) -> Sampling {
        let now = self.sampling;
        self.sampling.seed = now.seed.wrapping_add(1);
        now
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
        let Some(change) = self.past.pop() else { return false };
        let inverse = self.take_back(change);
        self.future.push(inverse);
        true
    }

    pub(super) fn redo(&mut self) -> bool {
        let Some(change) = self.future.pop() else { return false };
        let inverse = self.take_back(change);
        self.past.push(inverse);
        true
    }

    /// Makes what was before, and answers what takes that back.
    fn take_back(&mut self, change: Change) -> Change {
        match change {
            Change::Went { at, position } => self.place(at, position).unwrap_or(change),
            Change::Labelled { node, label } => Change::Labelled { node, label: self.tree.label(node, label) },
            Change::Pruned { node, is_pruned, at, position } => {
                let is_pruned = self.tree.prune(node, is_pruned);
                match self.place(at, position) {
                    Some(Change::Went { at, position }) => Change::Pruned { node, is_pruned, at, position },
                    _ => Change::Pruned { node, is_pruned, at, position },
                }
            }
        }
    }

    /// Goes to a place; answers the place before.
    fn place(&mut self, at: NodeId, position: usize) -> Option<Change> {
        let before = self.at.map(|at| Change::Went { at, position: self.position });
        self.go(at);
        self.position = position.min(self.last());
        before
    }

    fn remember(&mut self) {
        if let Some(at) = self.at {
            self.past.push(Change::Went { at, position: self.position });
        }
        self.future.clear();
    }

    const fn last(&self) -> usize {
        self.tokens.ids.len().saturating_sub(1)
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
