//! Between a session on the screen and a session in a file.

use std::path::PathBuf;

use super::interventions::Interventions;
use super::session::Session;
use super::tree::{Node, NodeId, Root, Tree};
use crate::engine::Named;
use crate::session::{Saved, SavedIntervention, SavedNode, SavedToken};

/// Where sessions come from and go to.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// The model as it was named on the command line.
    pub model: String,
    /// The session to go on with.
    pub resumed: Option<Saved>,
    /// The file that is written when the program is ended from outside.
    pub rescue: Option<PathBuf>,
    /// What is said at the start.
    pub notice: Option<String>,
}

/// The tree of a session, the present node, and the rest of what a file holds about it.
pub(super) struct Kept {
    pub(super) nodes: Vec<SavedNode>,
    pub(super) at: usize,
}

/// The nodes with parents first; hidden ones are kept as well.
pub(super) fn nodes_of(tree: &Tree, at: NodeId) -> Kept {
    let order = tree.in_order();
    let place = |id: NodeId| order.iter().position(|other| *other == id).unwrap_or(0);
    let saved = |id: &NodeId| {
        let node = tree.node(*id);
        let root = node.root.clone().unwrap_or_default();
        SavedNode {
            parent: node.parent.map(place),
            ids: node.ids.clone(),
            text: node.visible.clone(),
            logprobs: node.logprobs.clone(),
            label: node.label.clone(),
            is_pruned: node.is_pruned,
            n_added: root.n_added,
            bos: root.bos,
        }
    };
    Kept { nodes: order.iter().map(saved).collect(), at: place(at) }
}

/// A session that goes on where a file ends.
///
/// # Errors
/// What of the file is no tree, or no intervention.
pub(super) fn resume(saved: &Saved) -> Result<Session, String> {
    let node = |saved: &SavedNode| {
        let mut node = Node::default();
        node.ids.clone_from(&saved.ids);
        node.visible.clone_from(&saved.text);
        node.logprobs.clone_from(&saved.logprobs);
        node.label.clone_from(&saved.label);
        node.is_pruned = saved.is_pruned;
        node.root = saved.parent.is_none().then(|| Root { n_added: saved.n_added, bos: saved.bos.clone() });
        node
    };
    let nodes = saved.nodes.iter().map(|saved| (saved.parent, node(saved))).collect();
    let tree = Tree::new(nodes).map_err(|error| error.to_string())?;
    let mut interventions = Interventions::default();
    for (at, entry) in saved.interventions.iter().enumerate() {
        interventions.add(&entry.spec).map_err(|problem| format!("`{}`: {problem}", entry.spec))?;
        if !entry.is_on {
            interventions.toggle(at);
        }
    }
    Session::resumed(tree, saved, interventions).ok_or_else(|| format!("there is no node {}", saved.at))
}

pub(super) fn token_of(named: Option<&Named>) -> Option<SavedToken> {
    named.map(|named| SavedToken { id: named.id, text: named.visible.clone() })
}

pub(super) fn named(token: Option<&SavedToken>) -> Option<Named> {
    token.map(|token| Named { id: token.id, visible: token.text.clone() })
}

pub(super) fn interventions_of(list: &Interventions) -> Vec<SavedIntervention> {
    let saved = |entry: &super::interventions::Entry| SavedIntervention {
        spec: entry.spec.clone(),
        is_on: entry.state == super::interventions::EntryState::On,
    };
    list.entries().iter().map(saved).collect()
}
