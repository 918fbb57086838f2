//! How panels share an area: side by side and one above the other, within each other. It knows their seats, and not what
//! sits there.

use ratatui::layout::Rect;

/// Where a panel sits; it keeps its seat while others come and go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat(pub u16);

/// How a panel stands to the one that it was split off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To the right of it.
    Beside,
    /// Under it.
    Below,
}

/// Panels that share an area in equal parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Split {
    Panel(Seat),
    Parts(Way, Vec<Split>),
}

/// Where panels are, and the lines between those that stand side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) panels: Vec<(Seat, Rect)>,
    pub(super) lines: Vec<Rect>,
}

/// A length in equal parts; the first ones take what is left over.
fn shares(length: u16, n: usize) -> impl Iterator<Item = u16> {
    let n = u16::try_from(n).unwrap_or(u16::MAX).max(1);
    (0..n).map(move |at| length / n + u16::from(at < length % n))
}

impl Split {
    /// Divides the area of one panel, or of those it shares it with, so that a new one stands next to it.
    pub(super) fn split(&mut self, seat: Seat, way: Way, new: Seat) {
        match self {
            Self::Panel(own) if *own == seat => {
                *self = Self::Parts(way, vec![Self::Panel(seat), Self::Panel(new)]);
            }
            Self::Panel(_) => {}
            Self::Parts(own, parts) => {
                let at = parts.iter().position(|part| *part == Self::Panel(seat)).filter(|_| *own == way);
                match at {
                    Some(at) => parts.insert(at + 1, Self::Panel(new)),
                    None => parts.iter_mut().for_each(|part| part.split(seat, way, new)),
                }
            }
        }
    }

    /// The same without one panel, whose area the others share; nothing if it was the only one.
    pub(super) fn without(self, seat: Seat) -> Option<Self> {
        let (way, parts) = match self {
            Self::Panel(own) => return (own != seat).then_some(self),
            Self::Parts(way, parts) => (way, parts),
        };
        let kept = parts.into_iter().filter_map(|part| part.without(seat)).flat_map(|part| match part {
            Self::Parts(inner, parts) if inner == way => parts,
            other => vec![other],
        });
        let mut kept: Vec<Self> = kept.collect();
        if kept.len() > 1 { Some(Self::Parts(way, kept)) } else { kept.pop() }
    }

    /// The seats in reading order.
    pub(super) fn seats(&self) -> Vec<Seat> {
        match self {
            Self::Panel(seat) => vec![*seat],
            Self::Parts(_, parts) => parts.iter().flat_map(Self::seats).collect(),
        }
    }

    fn first(&self) -> Option<Seat> {
        match self {
            Self::Panel(seat) => Some(*seat),
            Self::Parts(_, parts) => parts.first()?.first(),
        }
    }

    /// How it comes about, one split after the other: each panel with the one it is split off, which comes before it.
    pub(super) fn steps(&self) -> Vec<(Seat, Option<(Way, Seat)>)> {
        let first = self.first().map(|seat| (seat, None));
        first.into_iter().chain(self.later()).collect()
    }

    fn later(&self) -> Vec<(Seat, Option<(Way, Seat)>)> {
        let Self::Parts(way, parts) = self else { return Vec::new() };
        let heads: Vec<Seat> = parts.iter().filter_map(Self::first).collect();
        let own = heads.windows(2).map(|pair| (pair[1], Some((*way, pair[0]))));
        own.chain(parts.iter().flat_map(Self::later)).collect()
    }

    /// Where the panels are in an area.
    pub(super) fn places(&self, area: Rect) -> Places {
        let mut places = Places::default();
        self.place(area, &mut places);
        places
    }

    fn place(&self, area: Rect, places: &mut Places) {
        match self {
            Self::Panel(seat) => places.panels.push((*seat, area)),
            Self::Parts(Way::Below, parts) => {
                let mut y = area.y;
                for (part, height) in parts.iter().zip(shares(area.height, parts.len())) {
                    part.place(Rect { y, height, ..area }, places);
                    y = y.saturating_add(height);
                }
            }
            Self::Parts(Way::Beside, parts) => {
                let n_lines = u16::try_from(parts.len().saturating_sub(1)).unwrap_or(u16::MAX);
                let mut x = area.x;
                for (part, width) in parts.iter().zip(shares(area.width.saturating_sub(n_lines), parts.len())) {
                    if x > area.x {
                        places.lines.push(Rect { x: x - 1, width: 1, ..area }.intersection(area));
                    }
                    part.place(Rect { x, width, ..area }.intersection(area), places);
                    x = x.saturating_add(width).saturating_add(1);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AREA: Rect = Rect::new(3, 5, 80, 18);

    /// Two above, and three below.
    fn five() -> Split {
        let mut split = Split::Panel(Seat(0));
        split.split(Seat(0), Way::Below, Seat(1));
        split.split(Seat(0), Way::Beside, Seat(2));
        split.split(Seat(1), Way::Beside, Seat(3));
        split.split(Seat(1), Way::Beside, Seat(4));
        split
    }

    fn cells(rect: Rect) -> u32 {
        u32::from(rect.width) * u32::from(rect.height)
    }

    #[test]
    fn the_area_is_divided_without_gaps_and_overlaps() {
        let Places { panels, lines } = five().places(AREA);
        let all: Vec<Rect> = panels.iter().map(|(_, rect)| *rect).chain(lines).collect();
        assert_eq!(all.iter().copied().map(cells).sum::<u32>(), cells(AREA));
        for (at, one) in all.iter().enumerate() {
            assert_eq!(one.intersection(AREA), *one);
            assert!(all[at + 1..].iter().all(|other| one.intersection(*other).is_empty()), "{all:?}");
        }
        let widths: Vec<u16> = panels.iter().map(|(_, rect)| rect.width).collect();
        assert_eq!(widths, [40, 39, 26, 26, 26]);
        assert_eq!(five().seats(), [0, 2, 1, 4, 3].map(Seat));
    }

    #[test]
    fn no_area_is_too_small_to_be_divided() {
        for (width, height) in [(0, 0), (1, 1), (2, 1), (3, 2)] {
            let area = Rect::new(1, 1, width, height);
            let Places { panels, lines } = five().places(area);
            let all = panels.into_iter().map(|(_, rect)| rect).chain(lines);
            all.filter(|rect| !rect.is_empty()).for_each(|rect| assert_eq!(rect.intersection(area), rect));
        }
    }

    #[test]
    fn others_share_what_a_closed_panel_leaves() {
        let split = five().without(Seat(2)).and_then(|split| split.without(Seat(0)));
        let row = Split::Parts(Way::Beside, [1, 4, 3].map(|seat| Split::Panel(Seat(seat))).into());
        assert_eq!(split, Some(row), "a row within nothing but a row is that row");
        assert_eq!(Split::Panel(Seat(0)).without(Seat(0)), None);
        assert_eq!(five().without(Seat(9)), Some(five()));
    }

    #[test]
    fn its_steps_make_it_again() {
        let mut nested = five();
        nested.split(Seat(4), Way::Below, Seat(5));
        nested.split(Seat(5), Way::Beside, Seat(6));
        for split in [Split::Panel(Seat(7)), five(), nested] {
            let steps = split.steps();
            let mut made = Split::Panel(steps[0].0);
            for (seat, from) in &steps[1..] {
                let (way, other) = from.unwrap();
                made.split(other, way, *seat);
            }
            assert_eq!(made, split);
        }
    }
}
