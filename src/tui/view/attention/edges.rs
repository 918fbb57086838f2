//! One row or one column of a head's pattern: what a token looks at, or what looks at it.

use crate::figure::{Heatmap, Scale};
use crate::lens::Sink;

/// Which side of attention the selected token is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Side {
    /// It looks.
    #[default]
    From,
    /// It is looked at.
    To,
}

impl Side {
    pub(super) const fn other(self) -> Self {
        match self {
            Self::From => Self::To,
            Self::To => Self::From,
        }
    }
}

/// The weight on one token, or of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Edge {
    /// The other token's position.
    pub(super) position: usize,
    pub(super) now: f32,
    /// In the model as it is, where interventions change it.
    pub(super) base: Option<f32>,
}

/// All weights on one side of a token. Only they are read, never the whole pattern.
#[derive(Debug, Clone, Copy)]
pub(super) struct Edges<'a> {
    pub(super) map: &'a Heatmap,
    pub(super) base: Option<&'a Heatmap>,
    pub(super) side: Side,
    pub(super) position: usize,
    pub(super) sink: Sink,
}

impl Edges<'_> {
    /// The first token, if it is left out: not if it is the one that is looked at.
    pub(super) fn hidden(&self) -> Option<usize> {
        let is_asked_about = self.side == Side::To && self.position == 0;
        (self.sink == Sink::Masked && !is_asked_about).then_some(0)
    }

    /// What the first token holds of the row, while it is left out.
    pub(super) fn held(&self) -> Option<f32> {
        let first = self.hidden().filter(|_| self.side == Side::From)?;
        let sum: f32 = (0..=self.position).filter_map(|key| self.map.value(self.position, key)).sum();
        let held = self.map.value(self.position, first)?;
        (sum > 0.0).then_some(held / sum)
    }

    /// Position by position.
    fn all(&self) -> impl Iterator<Item = Edge> + '_ {
        let n = self.map.rows().labels.len();
        let others = match self.side {
            Side::From => 0..(self.position + 1).min(n),
            Side::To => self.position..n,
        };
        let value = |map: &Heatmap, other: usize| match self.side {
            Side::From => map.value(self.position, other),
            Side::To => map.value(other, self.position),
        };
        let hidden = self.hidden().filter(|_| self.side == Side::From);
        others.filter(move |other| Some(*other) != hidden).map(move |other| Edge {
            position: other,
            now: value(self.map, other).unwrap_or(0.0),
            base: self.base.map(|base| value(base, other).unwrap_or(0.0)),
        })
    }

    /// Heaviest first, in either run.
    pub(super) fn sorted(&self) -> Vec<Edge> {
        let size = |edge: &Edge| edge.now.max(edge.base.unwrap_or(0.0));
        let mut edges: Vec<Edge> = self.all().collect();
        edges.sort_by(|a, b| size(b).total_cmp(&size(a)));
        edges
    }

    /// From nothing to the heaviest of either run.
    pub(super) fn scale(&self) -> Scale {
        let high = self.all().map(|edge| edge.now.max(edge.base.unwrap_or(0.0))).fold(0.0, f32::max);
        Scale::Sequential { low: 0.0, high }
    }

    /// As far as the weights differ between the runs.
    pub(super) fn scale_of_changes(&self) -> Scale {
        let reach = self.all().map(|edge| (edge.now - edge.base.unwrap_or(0.0)).abs()).fold(0.0, f32::max);
        Scale::Diverging { mid: 0.0, reach }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::HeatmapAxis;

    fn map(values: &[f32]) -> Heatmap {
        let axis = || HeatmapAxis { name: "token".into(), labels: ["a", "b", "c"].map(String::from).to_vec() };
        Heatmap::new(axis(), axis(), values.to_vec(), Scale::Probability, "").unwrap()
    }

    const NOW: [f32; 9] = [1.0, 0.0, 0.0, 0.75, 0.25, 0.0, 0.5, 0.125, 0.375];

    fn told(edges: &Edges<'_>) -> Vec<(usize, f32)> {
        edges.sorted().into_iter().map(|edge| (edge.position, edge.now)).collect()
    }

    #[test]
    fn rows_and_columns_of_a_pattern_with_and_without_the_first_token() {
        let map = map(&NOW);
        let edges = |side, position, sink| Edges { map: &map, base: None, side, position, sink };
        assert_eq!(told(&edges(Side::From, 2, Sink::Kept)), [(0, 0.5), (2, 0.375), (1, 0.125)]);
        assert_eq!(told(&edges(Side::To, 1, Sink::Kept)), [(1, 0.25), (2, 0.125)]);
        let without = edges(Side::From, 2, Sink::Masked);
        assert_eq!(told(&without), [(2, 0.375), (1, 0.125)]);
        assert_eq!((without.held(), without.scale()), (Some(0.5), Scale::Sequential { low: 0.0, high: 0.375 }));
        let to_first = edges(Side::To, 0, Sink::Masked);
        assert_eq!((to_first.hidden(), to_first.held()), (None, None), "it is what was asked about");
        assert_eq!(told(&to_first), [(0, 1.0), (1, 0.75), (2, 0.5)]);
        assert_eq!(told(&edges(Side::From, 9, Sink::Kept)).len(), 3, "a map of fewer tokens");
    }

    #[test]
    fn what_was_heavy_before_stays_in_the_order() {
        let (now, base) = (map(&NOW), map(&[1.0, 0.0, 0.0, 0.5, 0.5, 0.0, 0.0, 0.9, 0.1]));
        let edges = Edges { map: &now, base: Some(&base), side: Side::From, position: 2, sink: Sink::Kept };
        assert_eq!(told(&edges), [(1, 0.125), (0, 0.5), (2, 0.375)]);
        assert_eq!(edges.scale_of_changes(), Scale::Diverging { mid: 0.0, reach: 0.775 });
    }
}
