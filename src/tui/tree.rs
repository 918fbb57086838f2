//! Every continuation that was tried: tokens after tokens, as a tree whose roots are prompts.
//!
//! Nothing is ever taken out: what is pruned is hidden, so that it can come back. It knows no model and no screen.

use crate::engine::Tokens;

/// A node; it keeps its name, and the tokens up to its end, whatever is added to the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(usize);

/// What only a prompt has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Root {
    /// Tokens at the front that are not part of the text.
    pub n_added: usize,
    /// The BOS decision, in words.
    pub bos: String,
}

/// Tokens that follow those of the parent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Node {
    /// The node before, unless this is the start of a prompt.
    pub parent: Option<NodeId>,
    /// The tokens.
    pub ids: Vec<u32>,
    /// As people see them.
    pub visible: Vec<String>,
    /// The natural log of each token's probability after those before it, where it is known.
    pub logprobs: Vec<Option<f64>>,
    /// What the user calls it.
    pub label: Option<String>,
    /// Whether it is hidden, with all that follows.
    pub is_pruned: bool,
    /// Of the start of a prompt.
    pub root: Option<Root>,
    children: Vec<NodeId>,
}

impl Node {
    /// The log-probability of its tokens together, if every one is known.
    pub fn logprob(&self) -> Option<f64> {
        self.logprobs.iter().copied().sum()
    }
}

/// A node where it is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The node.
    pub node: NodeId,
    /// The lines that lead to it.
    pub guide: String,
}

/// Every prompt and every continuation of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tree {
    nodes: Vec<Node>,
    roots: Vec<NodeId>,
}

/// Why nodes are no tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// It follows a node that does not come before it.
    #[error("node {node} follows node {parent}, which does not come before it")]
    Parent {
        /// The node, counted from 0.
        node: usize,
        /// What it follows.
        parent: usize,
    },
    /// It has no tokens.
    #[error("node {node} has no tokens")]
    Empty {
        /// The node, counted from 0.
        node: usize,
    },
}

impl Tree {
    /// A tree of nodes, each with the number of its parent, in an order in which parents come first.
    ///
    /// # Errors
    /// [`TreeError`] for the first node that cannot be where it is.
    pub fn new(nodes: Vec<(Option<usize>, Node)>) -> Result<Self, TreeError> {
        let mut tree = Self::default();
        for (at, (parent, mut node)) in nodes.into_iter().enumerate() {
            node.children.clear();
            node.parent = parent.map(NodeId);
            if node.ids.is_empty() {
                return Err(TreeError::Empty { node: at });
            }
            match node.parent {
                Some(NodeId(parent)) if parent >= at => return Err(TreeError::Parent { node: at, parent }),
                Some(NodeId(parent)) => tree.nodes[parent].children.push(NodeId(at)),
                None => tree.roots.push(NodeId(at)),
            }
            tree.nodes.push(node);
        }
        Ok(tree)
    }

    /// The node of this number, if there is one.
    pub fn id(&self, number: usize) -> Option<NodeId> {
        (number < self.nodes.len()).then_some(NodeId(number))
    }

    /// All nodes with parents first, and the place of each in that order.
    pub fn in_order(&self) -> Vec<NodeId> {
        let mut out = Vec::with_capacity(self.nodes.len());
        let mut waiting: Vec<NodeId> = self.roots.iter().rev().copied().collect();
        while let Some(node) = waiting.pop() {
            out.push(node);
            waiting.extend(self.nodes[node.0].children.iter().rev());
        }
        out
    }

    /// A node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The children that are not hidden, first tried first.
    pub fn children(&self, id: NodeId) -> Vec<NodeId> {
        self.shown(&self.nodes[id.0].children)
    }

    /// The node among those with the same parent, and which of them it is.
    pub fn siblings(&self, id: NodeId) -> (Vec<NodeId>, usize) {
        let all = match self.nodes[id.0].parent {
            Some(parent) => self.children(parent),
            None => self.shown(&self.roots),
        };
        let at = all.iter().position(|&other| other == id).unwrap_or(0);
        (all, at)
    }

    /// The prompts that are not hidden.
    pub fn roots(&self) -> Vec<NodeId> {
        self.shown(&self.roots)
    }

    /// From the start of the prompt to a node.
    pub fn path(&self, to: NodeId) -> Vec<NodeId> {
        let mut path: Vec<NodeId> = std::iter::successors(Some(to), |id| self.nodes[id.0].parent).collect();
        path.reverse();
        path
    }

    /// The tokens up to the end of a node.
    pub fn tokens(&self, to: NodeId) -> Tokens {
        let mut out = Tokens::default();
        for id in self.path(to) {
            let node = &self.nodes[id.0];
            out.ids.extend(&node.ids);
            out.visible.extend(node.visible.iter().cloned());
            if let Some(root) = &node.root {
                out.bos.clone_from(&root.bos);
            }
        }
        out
    }

    /// What is known of the prompt that a node belongs to.
    pub fn root_of(&self, id: NodeId) -> Root {
        self.path(id).first().and_then(|first| self.nodes[first.0].root.clone()).unwrap_or_default()
    }

    /// The log-probability of every token up to the end of a node but the first, which nothing foresees.
    pub fn cumulative(&self, to: NodeId) -> Option<f64> {
        let path = self.path(to);
        let logprobs = path.iter().flat_map(|id| &self.nodes[id.0].logprobs).skip(1);
        logprobs.copied().sum()
    }

    /// Adds a prompt; the node of its last token. A prompt that is there is not added again.
    pub(super) fn plant(&mut self, tokens: Tokens, n_added: usize) -> NodeId {
        if let Some(there) = self.find(&tokens.ids) {
            return there;
        }
        let logprobs = vec![None; tokens.ids.len()];
        let root = Some(Root { n_added, bos: tokens.bos });
        self.roots.push(NodeId(self.nodes.len()));
        self.push(Node { ids: tokens.ids, visible: tokens.visible, logprobs, root, ..Node::default() })
    }

    /// The node that ends these tokens, if there is one that is not hidden.
    pub fn find(&self, ids: &[u32]) -> Option<NodeId> {
        let mut waiting: Vec<(NodeId, &[u32])> = self.roots().into_iter().map(|root| (root, ids)).collect();
        while let Some((id, rest)) = waiting.pop() {
            match rest.strip_prefix(self.nodes[id.0].ids.as_slice()) {
                Some([]) => return Some(id),
                Some(rest) => waiting.extend(self.children(id).into_iter().map(|child| (child, rest))),
                None => {}
            }
        }
        None
    }

    /// The node that ends at a position of the tokens up to `to`; a node around it is divided.
    pub(super) fn ending_at(&mut self, to: NodeId, position: usize) -> NodeId {
        let mut start = 0;
        for id in self.path(to) {
            let len = self.nodes[id.0].ids.len();
            if position + 1 < start + len {
                return self.divide(id, position + 1 - start);
            }
            if position + 1 == start + len {
                return id;
            }
            start += len;
        }
        to
    }

    /// Follows a node with a token; a continuation that is there already is gone along, even if it was hidden.
    pub(super) fn follow(&mut self, after: NodeId, id: u32, visible: String) -> NodeId {
        let is_same = |child: &&NodeId| self.nodes[child.0].ids.first() == Some(&id);
        if let Some(&child) = self.nodes[after.0].children.iter().find(is_same) {
            self.nodes[child.0].is_pruned = false;
            return if self.nodes[child.0].ids.len() == 1 { child } else { self.divide(child, 1) };
        }
        let new = NodeId(self.nodes.len());
        self.nodes[after.0].children.push(new);
        let (ids, visible) = (vec![id], vec![visible]);
        self.push(Node { parent: Some(after), ids, visible, logprobs: vec![None], ..Node::default() })
    }

    /// Adds a token to a node that nothing follows; answers whether it could.
    pub(super) fn extend(&mut self, node: NodeId, id: u32, visible: &str) -> bool {
        let node = &mut self.nodes[node.0];
        let can = node.children.is_empty() && node.label.is_none();
        if can {
            node.ids.push(id);
            node.visible.push(visible.to_owned());
            node.logprobs.push(None);
        }
        can
    }

    /// Remembers how probable the token at a position of the tokens up to `to` is.
    pub(super) fn learn(&mut self, to: NodeId, position: usize, logprob: f64) {
        let mut start = 0;
        for id in self.path(to) {
            let logprobs = &mut self.nodes[id.0].logprobs;
            if let Some(known) = position.checked_sub(start).and_then(|at| logprobs.get_mut(at)) {
                *known = Some(logprob);
                return;
            }
            start += logprobs.len();
        }
    }

    /// Gives a node a name or takes it away; the name before.
    pub(super) fn label(&mut self, node: NodeId, label: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.nodes[node.0].label, label)
    }

    /// Hides a node with all that follows, or shows it again; what was before.
    pub(super) fn prune(&mut self, node: NodeId, is_pruned: bool) -> bool {
        std::mem::replace(&mut self.nodes[node.0].is_pruned, is_pruned)
    }

    /// Whether a node can be seen.
    pub fn is_shown(&self, node: NodeId) -> bool {
        self.path(node).iter().all(|id| !self.nodes[id.0].is_pruned)
    }

    /// Everything that is not hidden, as it is drawn: an only child stands below its parent, several are indented.
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut waiting: Vec<(NodeId, String, String)> =
            self.roots().into_iter().rev().map(|root| (root, "● ".into(), String::new())).collect();
        while let Some((node, guide, below)) = waiting.pop() {
            rows.push(Row { node, guide });
            let children = self.children(node);
            let n = children.len();
            for (at, child) in children.into_iter().enumerate().rev() {
                let (branch, line) = match (n, at + 1 == n) {
                    (1, _) => ("↳ ", ""),
                    (_, true) => ("└─ ", "   "),
                    (_, false) => ("├─ ", "│  "),
                };
                waiting.push((child, format!("{below}{branch}"), format!("{below}{line}")));
            }
        }
        rows
    }

    fn shown(&self, nodes: &[NodeId]) -> Vec<NodeId> {
        nodes.iter().copied().filter(|id| !self.nodes[id.0].is_pruned).collect()
    }

    fn push(&mut self, node: Node) -> NodeId {
        self.nodes.push(node);
        NodeId(self.nodes.len() - 1)
    }

    /// Puts the first `n` tokens of a node into a node of their own before it.
    fn divide(&mut self, lower: NodeId, n: usize) -> NodeId {
        let node = &mut self.nodes[lower.0];
        let before = Node {
            parent: node.parent,
            ids: node.ids.drain(..n).collect(),
            visible: node.visible.drain(..n).collect(),
            logprobs: node.logprobs.drain(..n).collect(),
            root: node.root.take(),
            children: vec![lower],
            ..Node::default()
        };
        let parent = node.parent;
        let upper = self.push(before);
        self.nodes[lower.0].parent = Some(upper);
        let list = match parent {
            Some(parent) => &mut self.nodes[parent.0].children,
            None => &mut self.roots,
        };
        for id in list.iter_mut().filter(|id| **id == lower) {
            *id = upper;
        }
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(ids: &[u32]) -> Tokens {
        Tokens { ids: ids.to_vec(), visible: ids.iter().map(|id| format!("t{id}")).collect(), bos: "none".into() }
    }

    #[test]
    fn a_node_keeps_its_name_and_its_tokens_when_it_is_divided() {
        let mut tree = Tree::default();
        let end = tree.plant(tokens(&[1, 2, 3]), 1);
        let middle = tree.ending_at(end, 1);
        let other = tree.follow(middle, 9, "t9".into());
        assert_eq!(tree.tokens(end), tokens(&[1, 2, 3]));
        assert_eq!(tree.tokens(middle).ids, [1, 2]);
        assert_eq!(tree.tokens(other), tokens(&[1, 2, 9]));
        assert_eq!(tree.siblings(other), (vec![end, other], 1));
        assert_eq!(tree.root_of(other).n_added, 1);
        let guides: Vec<String> = tree.rows().into_iter().map(|row| row.guide).collect();
        assert_eq!(guides, ["● ", "├─ ", "└─ "]);
    }

    #[test]
    fn what_was_tried_is_found_again() {
        let mut tree = Tree::default();
        let root = tree.plant(tokens(&[1, 2]), 0);
        let first = tree.follow(root, 3, "t3".into());
        assert!(tree.extend(first, 4, "t4"));
        assert_eq!(tree.plant(tokens(&[1, 2, 3, 4]), 0), first);
        let upper = tree.follow(root, 3, "t3".into());
        assert_eq!(tree.tokens(upper).ids, [1, 2, 3]);
        assert_eq!(tree.tokens(first).ids, [1, 2, 3, 4]);
        assert!(!tree.extend(upper, 5, "t5"), "something follows it");
        tree.prune(upper, true);
        assert!(tree.find(&[1, 2, 3]).is_none() && !tree.is_shown(first));
        assert_eq!(tree.follow(root, 3, "t3".into()), upper, "what is tried again comes back");
        assert!(tree.is_shown(first));
    }

    #[test]
    fn log_probabilities_add_up_where_all_are_known() {
        let mut tree = Tree::default();
        let root = tree.plant(tokens(&[1, 2]), 0);
        let end = tree.follow(root, 3, "t3".into());
        tree.learn(end, 2, -0.5);
        assert_eq!((tree.node(end).logprob(), tree.cumulative(end)), (Some(-0.5), None));
        tree.learn(end, 1, -1.5);
        assert_eq!(tree.cumulative(end), Some(-2.0));
    }
}
