//! The tree: every continuation that was tried, how probable each is, and where in the layers two of them part.

mod figures;

use std::sync::Arc;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

use super::{News, Reply, Scene, View, ViewName};
use crate::engine::{Branches, Inspection, Outcome, Panel, Request};
use crate::figure::{Cell, Figure, Table};
use crate::tui::action::{Action, Move};
use crate::tui::keymap::Context;
use crate::tui::layout::{cells, first_visible, part};
use crate::tui::session::{Basis, Session};
use crate::tui::settings::Settings;
use crate::tui::text::{cut, fit, width};
use crate::tui::tree::{NodeId, Row, Tree};
use crate::tui::widget::{line, spans};

/// The tree with a cursor, a mark, and what was compared.
#[derive(Debug, Default)]
pub struct TreeView {
    /// The chosen node, and the present one when it was chosen; else the present one is.
    cursor: Option<(NodeId, Option<NodeId>)>,
    /// The node that others are compared with.
    mark: Option<NodeId>,
    /// The tokens whose probabilities have arrived.
    known: Option<Basis>,
    settings: Settings,
    face: Face,
}

/// What is shown.
#[derive(Debug, Default)]
enum Face {
    #[default]
    Tree,
    /// Two branches, once they are compared.
    Branches { found: Found, row: usize },
}

/// What is known of two branches.
#[derive(Debug)]
enum Found {
    /// They are to be compared.
    Wanted(NodeId, NodeId),
    /// They are being compared.
    Awaited,
    /// The comparison.
    Known(Arc<Branches>),
    /// Why there is none.
    Failed(String),
}

impl TreeView {
    fn cursor(&self, session: &Session) -> Option<NodeId> {
        let chosen = self.cursor.filter(|&(node, at)| at == session.at() && session.tree().is_shown(node));
        chosen.map(|(node, _)| node).or_else(|| session.at())
    }

    fn step(&mut self, to: Move, session: &Session) {
        let rows = session.tree().rows();
        let at = place(&rows, self.cursor(session));
        self.choose(rows.get(to.apply(at, rows.len())).map(|row| row.node), session);
    }

    fn choose(&mut self, node: Option<NodeId>, session: &Session) {
        self.cursor = node.map(|node| (node, session.at())).or(self.cursor);
    }

    fn sibling(&mut self, to: Move, session: &Session) {
        if let Some(node) = self.cursor(session) {
            let (all, at) = session.tree().siblings(node);
            self.choose(all.get(to.apply(at, all.len())).copied(), session);
        }
    }

    fn compare(&mut self, session: &Session) -> Reply {
        match (self.mark, self.cursor(session)) {
            (Some(a), Some(b)) if a != b && session.tree().is_shown(a) => {
                self.face = Face::Branches { found: Found::Wanted(a, b), row: usize::MAX };
                Reply::Refresh
            }
            _ => Reply::Done,
        }
    }

    fn on_branches(&mut self, action: Action) -> Option<Reply> {
        let Face::Branches { found, row } = &mut self.face else { return None };
        match action {
            Action::Cursor(to) => {
                let n = match found {
                    Found::Known(found) => table(found).map_or(0, |table| table.rows().len()),
                    Found::Wanted(..) | Found::Awaited | Found::Failed(_) => 0,
                };
                *row = to.apply((*row).min(n.saturating_sub(1)), n);
            }
            Action::Out | Action::CompareMarked | Action::Open => self.face = Face::Tree,
            _ => return None,
        }
        Some(Reply::Done)
    }
}

fn place(rows: &[Row], node: Option<NodeId>) -> usize {
    rows.iter().position(|row| Some(row.node) == node).unwrap_or(0)
}

impl View for TreeView {
    fn name(&self) -> ViewName {
        ViewName::Tree
    }

    fn begin_with(&mut self, settings: &Settings) {
        self.settings = *settings;
    }

    fn context(&self) -> Context {
        Context::Tree
    }

    fn needs(&self, session: &Session) -> Vec<Panel> {
        let has = self.known.as_ref() == Some(&session.basis());
        if has { Vec::new() } else { vec![Panel::Distributions { top: self.settings.candidates }] }
    }

    fn update(&mut self, action: Action, session: &Session) -> Reply {
        if let Some(reply) = self.on_branches(action) {
            return reply;
        }
        let Some(node) = self.cursor(session) else { return Reply::Done };
        match action {
            Action::Cursor(to) => self.step(to, session),
            Action::Sibling(to) => self.sibling(to, session),
            Action::Parent => self.choose(session.tree().node(node).parent, session),
            Action::Child => self.choose(session.tree().children(node).first().copied(), session),
            Action::Mark => self.mark = if self.mark == Some(node) { None } else { Some(node) },
            Action::Open => return Reply::Go(node),
            Action::Rename => return Reply::Rename(node),
            Action::Prune => {
                self.choose(session.tree().node(node).parent, session);
                return Reply::Prune(node);
            }
            Action::CompareMarked => return self.compare(session),
            _ => {}
        }
        Reply::Done
    }

    fn keeps(&self, action: Action, _: &Session) -> bool {
        matches!(action, Action::Cursor(_) | Action::Sibling(_) | Action::Parent | Action::Child | Action::Out)
    }

    fn receive(&mut self, inspection: &Arc<Inspection>) {
        if inspection.distributions.is_some() {
            self.known = Some(Basis::of(inspection));
        }
    }

    fn job(&mut self, session: &Session) -> Option<Request> {
        let Face::Branches { found, .. } = &mut self.face else { return None };
        let Found::Wanted(a, b) = *found else { return None };
        *found = Found::Awaited;
        let ids = |node| session.tree().tokens(node).ids;
        Some(Request::Branches { a: ids(a), b: ids(b) })
    }

    fn hear(&mut self, news: News<'_>, _: &Session) -> Reply {
        let Face::Branches { found, .. } = &mut self.face else { return Reply::Done };
        match news {
            News::Finished(Outcome::Branches(branches)) => *found = Found::Known(Arc::clone(branches)),
            News::Failed(error) => *found = Found::Failed(error.to_string()),
            News::Stopped => self.face = Face::Tree,
            News::Event(_) | News::Finished(_) => {}
        }
        Reply::Done
    }

    fn figures(&self, scene: &Scene<'_>) -> Vec<Figure> {
        figures::of(self, scene)
    }

    fn render(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        match &self.face {
            Face::Tree => self.tree(scene, area, buffer),
            Face::Branches { found: Found::Known(found), row } => branches(found, *row, scene, area, buffer),
            Face::Branches { found: Found::Failed(problem), .. } => {
                line(buffer, area, 0, problem, scene.theme.error());
            }
            Face::Branches { found: Found::Wanted(..) | Found::Awaited, .. } => {
                line(buffer, area, 0, "comparing …", scene.theme.faint());
            }
        }
    }
}

/// Columns of a probability and of a sum of logarithms, with a gap.
const NUMBERS: usize = 10;

impl TreeView {
    fn tree(&self, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
        let (theme, session) = (scene.theme, scene.session);
        let tree = session.tree();
        let Some(at) = session.at() else {
            line(buffer, area, 0, scene.note, theme.faint());
            return;
        };
        let rows = tree.rows();
        let columns = usize::from(area.width).saturating_sub(2 * NUMBERS);
        let tokens = columns - columns.min(if columns > 50 { 16 } else { 0 });
        let head = format!("{}{:>NUMBERS$}{:>NUMBERS$}", fit(&summary(tree, &rows), columns), "prob", "Σ ln p");
        line(buffer, area, 0, &head, theme.faint());
        let chosen = place(&rows, self.cursor(session));
        let room = usize::from(area.height.saturating_sub(1));
        let top = first_visible(chosen, rows.len(), room);
        let path = tree.path(at);
        for (index, row) in rows.iter().enumerate().skip(top).take(room) {
            let node = tree.node(row.node);
            let text = theme_of(row.node, at, &path, scene);
            let style = if index == chosen { text.patch(theme.selected()) } else { text };
            let marks = self.marks(row.node, at);
            let wide = tokens.saturating_sub(width(&row.guide) + width(marks));
            let shown = ending(&node.visible.concat(), wide);
            let gap = " ".repeat(wide.saturating_sub(width(&shown)));
            let label = fit(node.label.as_deref().unwrap_or(""), columns - tokens);
            let probability = node.logprob().map_or_else(String::new, |logprob| percent(logprob.exp()));
            let sum = tree.cumulative(row.node).map_or_else(String::new, |sum| format!("{sum:.2}"));
            let pieces = [
                (row.guide.as_str(), theme.faint()),
                (&shown, style),
                (marks, theme.notice()),
                (&gap, Style::new()),
                (&label, theme.title()),
                (&format!("{probability:>NUMBERS$}"), Style::new()),
                (&format!("{sum:>NUMBERS$}"), theme.faint()),
            ];
            spans(buffer, area, cells(index - top + 1), &pieces);
        }
    }

    /// Whether a node is the present one, and whether it is marked.
    fn marks(&self, node: NodeId, at: NodeId) -> &'static str {
        match (node == at, self.mark == Some(node)) {
            (true, true) => " ◀ M",
            (true, false) => " ◀",
            (false, true) => " M",
            (false, false) => "",
        }
    }
}

fn theme_of(node: NodeId, at: NodeId, path: &[NodeId], scene: &Scene<'_>) -> Style {
    match () {
        () if node == at => scene.theme.title(),
        () if path.contains(&node) => scene.theme.towards(),
        () => Style::new(),
    }
}

fn summary(tree: &Tree, rows: &[Row]) -> String {
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    format!("{}, {}", count(rows.len(), "node"), count(tree.roots().len(), "prompt"))
}

/// The end of a text, which is what a continuation follows.
fn ending(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars().rev() {
        let grown = format!("{c}{kept}");
        if width(&grown) + 1 > columns {
            break;
        }
        kept = grown;
    }
    format!("…{kept}")
}

fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 0.001 { format!("{percent:.0e}%") } else { format!("{percent:.3}%") }
}

fn table(found: &Branches) -> Option<&Table> {
    found.figure.content.table()
}

/// Where two branches part, block by block.
fn branches(found: &Branches, row: usize, scene: &Scene<'_>, area: Rect, buffer: &mut Buffer) {
    let theme = scene.theme;
    let Some(table) = table(found) else { return };
    let title = [("A ", theme.towards()), (&found.ends[0], theme.title()), ("   B ", theme.against())];
    let x = spans(buffer, area, 0, &title);
    line(buffer, part(area, x, 0, area.width.saturating_sub(x), 1), 0, &found.ends[1], theme.title());
    line(buffer, area, 1, &found.parting, theme.notice());
    let rows = table.rows();
    let chosen = row.min(rows.len().saturating_sub(1));
    let texts: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(Cell::display).collect()).collect();
    let name = |at: usize| table.columns().get(at).map_or("", |column| column.name.as_str());
    let widest = |at: usize| texts.iter().filter_map(|row| row.get(at)).map(|text| width(text)).max().unwrap_or(0);
    let columns: Vec<usize> = (0..table.columns().len()).map(|at| widest(at).max(width(name(at))).min(12)).collect();
    let cell = |at: usize, text: &str| {
        let text = cut(text, columns[at]);
        format!("{}{text}", " ".repeat(columns[at] + 2 - width(&text)))
    };
    let head: String = (0..columns.len()).map(|at| cell(at, name(at))).collect();
    line(buffer, area, 2, &head, theme.faint());
    let room = usize::from(area.height.saturating_sub(3));
    let top = first_visible(chosen, rows.len(), room);
    for (index, row) in texts.iter().enumerate().skip(top).take(room) {
        let shown: String = row.iter().enumerate().map(|(at, text)| cell(at, text)).collect();
        let style = if index == chosen { theme.title() } else { Style::new() };
        line(buffer, area, cells(index - top + 3), &shown, style);
    }
}
