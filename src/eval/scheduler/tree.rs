//! Contexts as a tree: what several begin with is one node, and is run once.

use super::Contexts;

/// Tokens of a context that are run in one go, after those of another node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// A context that it is part of, and which of its tokens.
    pub(super) context: usize,
    pub(super) from: usize,
    pub(super) to: usize,
    /// The context that ends here.
    pub(super) ends: Option<usize>,
    /// What comes after it, in the order of the contexts.
    pub(super) children: Vec<usize>,
}

/// The nodes of all contexts.
#[derive(Debug, Default)]
pub(super) struct Tree {
    nodes: Vec<Node>,
    parents: Vec<Option<usize>>,
    /// Those that begin a context.
    pub(super) roots: Vec<usize>,
}

impl Tree {
    /// A tree of different contexts in the order of their tokens, none of them empty. Nodes begin and end at multiples
    /// of `seam`, or where a context ends.
    pub(super) fn new(contexts: &[&[u32]], seam: usize, sharing: Contexts) -> Self {
        let mut tree = Self::default();
        // the nodes of the last context
        let mut path: Vec<usize> = Vec::new();
        for (at, ids) in contexts.iter().enumerate() {
            let common = match at.checked_sub(1).map(|before| contexts[before]) {
                Some(before) if sharing == Contexts::Shared => common(before, ids) / seam * seam,
                Some(_) | None => 0,
            };
            tree.cut(&mut path, common);
            let whole = ids.len() / seam * seam;
            for (from, to) in [(common, whole), (whole.max(common), ids.len())] {
                if from < to {
                    let node = Node { context: at, from, to, ends: None, children: Vec::new() };
                    path.push(tree.add(node, path.last().copied()));
                }
            }
            if let Some(&last) = path.last() {
                tree.nodes[last].ends = Some(at);
            }
        }
        tree.link();
        tree
    }

    pub(super) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    fn add(&mut self, node: Node, parent: Option<usize>) -> usize {
        self.nodes.push(node);
        self.parents.push(parent);
        self.nodes.len() - 1
    }

    /// Leaves of a path what is before token `end`; a node that goes on after it becomes two.
    fn cut(&mut self, path: &mut Vec<usize>, end: usize) {
        while path.last().is_some_and(|&last| self.nodes[last].from >= end) {
            path.pop();
        }
        let Some(last) = path.pop() else { return };
        if self.nodes[last].to <= end {
            path.push(last);
            return;
        }
        let Node { context, from, .. } = self.nodes[last];
        let upper = Node { context, from, to: end, ends: None, children: Vec::new() };
        let upper = self.add(upper, self.parents[last]);
        (self.nodes[last].from, self.parents[last]) = (end, Some(upper));
        path.push(upper);
    }

    fn link(&mut self) {
        let mut order: Vec<usize> = (0..self.nodes.len()).collect();
        order.sort_by_key(|&at| (self.nodes[at].context, self.nodes[at].from));
        for at in order {
            match self.parents[at] {
                Some(parent) => self.nodes[parent].children.push(at),
                None => self.roots.push(at),
            }
        }
    }
}

/// How many tokens two texts begin with alike.
pub(super) fn common(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens of each node from the root on, of those where a context ends.
    fn ways(tree: &Tree, contexts: &[&[u32]]) -> Vec<(usize, Vec<Vec<u32>>)> {
        let mut found = Vec::new();
        let mut open: Vec<(usize, Vec<Vec<u32>>)> = tree.roots.iter().map(|&root| (root, Vec::new())).collect();
        while let Some((at, mut way)) = open.pop() {
            let node = tree.node(at);
            way.push(contexts[node.context][node.from..node.to].to_vec());
            found.extend(node.ends.map(|context| (context, way.clone())));
            open.extend(node.children.iter().map(|&child| (child, way.clone())));
        }
        found.sort();
        found
    }

    #[test]
    fn a_hand_worked_tree() {
        let contexts: [&[u32]; 4] = [&[1, 2, 3], &[1, 2, 3, 4], &[1, 5], &[6]];
        let tree = Tree::new(&contexts, 1, Contexts::Shared);
        let expected = [
            (0, vec![vec![1], vec![2, 3]]),
            (1, vec![vec![1], vec![2, 3], vec![4]]),
            (2, vec![vec![1], vec![5]]),
            (3, vec![vec![6]]),
        ];
        assert_eq!(ways(&tree, &contexts), expected);
        let alone = Tree::new(&contexts, 1, Contexts::Forgotten);
        assert_eq!(ways(&alone, &contexts)[1], (1, vec![vec![1, 2, 3, 4]]));
    }

    #[test]
    fn seams_do_not_depend_on_what_is_shared() {
        let contexts: [&[u32]; 2] = [&[1, 2, 3, 4, 5], &[1, 2, 3, 7, 8, 9]];
        let tree = Tree::new(&contexts, 2, Contexts::Shared);
        let expected = [(0, vec![vec![1, 2], vec![3, 4], vec![5]]), (1, vec![vec![1, 2], vec![3, 7, 8, 9]])];
        assert_eq!(ways(&tree, &contexts), expected);
    }

    proptest::proptest! {
        #[test]
        fn every_context_is_the_tokens_on_its_way(
            drawn: std::collections::BTreeSet<[bool; 6]>, cut in 1usize..6, seam in 1usize..4,
        ) {
            let contexts: std::collections::BTreeSet<Vec<u32>> = drawn
                .iter()
                .enumerate()
                .map(|(at, bits)| bits[..cut.max(at % 6 + 1)].iter().map(|&bit| u32::from(bit)).collect())
                .collect();
            let contexts: Vec<&[u32]> = contexts.iter().map(Vec::as_slice).collect();
            let tree = Tree::new(&contexts, seam, Contexts::Shared);
            let found = ways(&tree, &contexts);
            proptest::prop_assert_eq!(found.len(), contexts.len());
            let mut edges = std::collections::BTreeSet::new();
            for ((at, way), context) in found.iter().zip(&contexts) {
                proptest::prop_assert_eq!(&way.concat(), &contexts[*at].to_vec());
                let mut end = 0;
                for part in way {
                    end += part.len();
                    proptest::prop_assert!(end.is_multiple_of(seam) || end == context.len());
                    edges.insert(context[..end].to_vec());
                }
            }
            // a beginning that is shared is one node
            if seam == 1 {
                proptest::prop_assert_eq!(edges.len(), tree.nodes.len());
            }
        }
    }
}
