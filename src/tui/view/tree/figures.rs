//! The tree as a table, a row a node; or the comparison of two branches.

use super::{Face, Found, TreeView, place, summary};
use crate::figure::Figure;
use crate::tui::tree::{NodeId, Row};
use crate::tui::view::Scene;
use crate::tui::view::shown::{columns, count, optional, table, text, truth};

pub(super) fn of(view: &TreeView, scene: &Scene<'_>) -> Vec<Figure> {
    match &view.face {
        Face::Tree => nodes(view, scene),
        Face::Branches { found: Found::Known(found), .. } => vec![found.figure.clone()],
        Face::Branches { .. } => Vec::new(),
    }
}

fn nodes(view: &TreeView, scene: &Scene<'_>) -> Vec<Figure> {
    let Some(at) = scene.session.at() else { return Vec::new() };
    let tree = scene.session.tree();
    let rows = tree.rows();
    let path = tree.path(at);
    let cells = |(index, row): (usize, &Row)| {
        let node = tree.node(row.node);
        let number = |of: NodeId| count(place(&rows, Some(of)) + 1);
        vec![
            count(index + 1),
            node.parent.map_or(crate::figure::Cell::Empty, number),
            text(node.visible.concat()),
            text(node.label.clone().unwrap_or_default()),
            optional(node.logprob().map(f64::exp), 6),
            optional(tree.cumulative(row.node), 4),
            truth(path.contains(&row.node)),
            truth(view.mark == Some(row.node)),
        ]
    };
    let names = ["node", "parent", "text", "label", "prob", "sum_ln_p", "on_path", "marked"];
    let cells = rows.iter().enumerate().map(cells).collect();
    let caption = format!(
        "{}. prob is that of a node's tokens after those before, sum_ln_p the sum of ln p over all tokens of the path \
         but the first, both of the model without interventions.",
        summary(tree, &rows)
    );
    table("Tree of continuations", caption, scene.of_model(), (columns(&names), cells))
}
