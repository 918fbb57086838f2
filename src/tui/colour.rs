//! Colours of scales and of inks in each depth. It knows no terminal and no view.
//!
//! A sequential scale grows in lightness on a dark ground and falls on a light one; a diverging scale leads from blue
//! over the ground to orange. Both are read by people who are colour-blind, in every depth.

use ratatui::style::Color;

use super::palette::{Ramp, number, numbered};
use super::theme::{Depth, Ground};

/// Red, green, blue.
pub(super) type Rgb = (u8, u8, u8);

/// A colour of text: on dark, on light, and among the first eight of sixteen on both.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ink {
    on_dark: Rgb,
    on_light: Rgb,
    named: [Color; 2],
}

/// Titles, and what speaks for token A.
pub(super) const BLUE: Ink = Ink { on_dark: (99, 196, 255), on_light: (0, 82, 148), named: [Color::Cyan, Color::Blue] };
/// What is to be noticed, and what speaks against token A.
pub(super) const ORANGE: Ink =
    Ink { on_dark: (255, 184, 76), on_light: (148, 82, 0), named: [Color::Yellow, Color::Red] };
/// What went wrong.
pub(super) const RED: Ink = Ink { on_dark: (255, 120, 120), on_light: (170, 0, 20), named: [Color::Red, Color::Red] };

impl Ink {
    /// The colour, where there is one.
    pub(super) const fn colour(self, depth: Depth, ground: Ground) -> Option<Color> {
        let (rgb, named) = match ground {
            Ground::Dark => (self.on_dark, self.named[0]),
            Ground::Light => (self.on_light, self.named[1]),
        };
        match depth {
            Depth::Mono => None,
            Depth::Sixteen => Some(named),
            Depth::Indexed | Depth::True => Some(of_rgb(depth, rgb)),
        }
    }
}

/// Viridis at nine equal steps: even in lightness, and readable by people who are colour-blind.
const VIRIDIS: [Rgb; 9] = [
    (68, 1, 84),
    (71, 44, 122),
    (59, 81, 139),
    (44, 113, 142),
    (33, 144, 141),
    (39, 173, 129),
    (92, 200, 99),
    (170, 220, 50),
    (253, 231, 37),
];

/// Viridis among the 256: to round each of its colours would break its order.
const INDEXED: [u8; 9] = [53, 54, 24, 30, 36, 71, 113, 184, 226];

/// What grows in lightness among sixteen, whatever a terminal makes of their names.
const NAMED: [Color; 4] = [Color::Black, Color::Blue, Color::Cyan, Color::Gray];

/// Cividis at ten equal steps: the same to people who do not tell red from green.
const CIVIDIS: [Rgb; 10] = [
    (0, 34, 78),
    (18, 53, 112),
    (59, 73, 108),
    (87, 93, 109),
    (112, 113, 115),
    (138, 134, 120),
    (165, 156, 116),
    (195, 179, 105),
    (225, 204, 85),
    (254, 232, 56),
];

/// Cividis among the 256.
const INDEXED_CIVIDIS: [u8; 9] = [17, 18, 60, 102, 137, 143, 179, 185, 227];

/// Greys, and those among 256 and among sixteen.
const GREY: [Rgb; 2] = [(0, 0, 0), (255, 255, 255)];
const INDEXED_GREY: [u8; 6] = [16, 59, 102, 145, 188, 231];
const NAMED_GREY: [Color; 4] = [Color::Black, Color::DarkGray, Color::Gray, Color::White];

impl Ramp {
    /// Its colours, from dark to light.
    const fn colours(self) -> &'static [Rgb] {
        match self {
            Self::Viridis => &VIRIDIS,
            Self::Cividis => &CIVIDIS,
            Self::Grey => &GREY,
        }
    }

    const fn indexed(self) -> &'static [u8] {
        match self {
            Self::Viridis => &INDEXED,
            Self::Cividis => &INDEXED_CIVIDIS,
            Self::Grey => &INDEXED_GREY,
        }
    }

    const fn named(self) -> &'static [Color] {
        match self {
            Self::Viridis | Self::Cividis => &NAMED,
            Self::Grey => &NAMED_GREY,
        }
    }
}

/// The colour of a share of a scale; none without colours.
pub(super) fn sequential(ramp: Ramp, depth: Depth, ground: Ground, share: f32) -> Option<Color> {
    let share = share.clamp(0.0, 1.0);
    let share = if ground == Ground::Dark { share } else { 1.0 - share };
    match depth {
        Depth::Mono => None,
        Depth::Sixteen => Some(step(ramp.named(), share)),
        Depth::Indexed => Some(Color::Indexed(step(ramp.indexed(), share))),
        Depth::True => Some(of_rgb(depth, between(ramp.colours(), share))),
    }
}

/// How far a value is from the middle of a scale, from which on it has a colour of its own among sixteen.
const NOTABLE: f32 = 0.4;

/// The colour of a share of a scale with a neutral middle at 0.5; none without colours, and none for the middle among
/// sixteen.
pub(super) fn diverging(depth: Depth, ground: Ground, share: f32) -> Option<Color> {
    let away = (2.0 * share - 1.0).clamp(-1.0, 1.0);
    let (neutral, below, above): (Rgb, Rgb, Rgb) = match ground {
        Ground::Dark => ((28, 28, 28), (200, 110, 20), (20, 120, 210)),
        Ground::Light => ((242, 242, 242), (200, 110, 20), (50, 130, 215)),
    };
    match depth {
        Depth::Mono => None,
        Depth::Sixteen if away.abs() < NOTABLE => None,
        Depth::Sixteen => Some(if away < 0.0 { Color::Yellow } else { Color::Blue }),
        Depth::Indexed | Depth::True => {
            let end = if away < 0.0 { below } else { above };
            Some(of_rgb(depth, mixed(neutral, end, away.abs())))
        }
    }
}

/// Black or white, whichever can be read on a colour.
pub(super) fn ink_on(colour: Color) -> Color {
    let is_light = lightness(nominal(colour)) > 120.0;
    match colour {
        Color::Rgb(..) if is_light => Color::Rgb(0, 0, 0),
        Color::Rgb(..) => Color::Rgb(255, 255, 255),
        Color::Indexed(_) if is_light => Color::Indexed(16),
        Color::Indexed(_) => Color::Indexed(231),
        Color::Cyan | Color::Gray | Color::Yellow | Color::White => Color::Black,
        _ => Color::White,
    }
}

/// Of equal steps, the one that a share lies in.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a few steps")]
fn step<T: Copy>(steps: &[T], share: f32) -> T {
    let last = steps.len() - 1;
    steps[((share * last as f32).round() as usize).min(last)]
}

/// A share of the way along some colours.
fn between(colours: &[Rgb], share: f32) -> Rgb {
    let at = share * (colours.len() - 1) as f32;
    let pair = colours.windows(2).enumerate().rfind(|(i, _)| *i as f32 <= at);
    let Some((i, &[low, high])) = pair else { return colours[0] };
    mixed(low, high, (at - i as f32).clamp(0.0, 1.0))
}

const fn of_rgb(depth: Depth, (r, g, b): Rgb) -> Color {
    match depth {
        Depth::True => Color::Rgb(r, g, b),
        Depth::Mono | Depth::Sixteen | Depth::Indexed => Color::Indexed(16 + 36 * cube(r) + 6 * cube(g) + cube(b)),
    }
}

/// A chosen colour as a terminal of so many colours shows it; none without colours.
pub(super) fn of_depth(depth: Depth, colour: Color) -> Option<Color> {
    match (depth, colour) {
        (Depth::Mono, _) => None,
        (Depth::Sixteen, Color::Rgb(r, g, b)) => nearest_named((r, g, b)),
        (Depth::Indexed, Color::Rgb(r, g, b)) => Some(of_rgb(depth, (r, g, b))),
        (_, colour) => Some(colour),
    }
}

/// The one of sixteen, as a VGA showed them, that is nearest.
fn nearest_named((r, g, b): Rgb) -> Option<Color> {
    let square = |one: u8, other: u8| u32::from(one.abs_diff(other)).pow(2);
    let distance = |&at: &usize| square(r, VGA[at].0) + square(g, VGA[at].1) + square(b, VGA[at].2);
    (0..VGA.len()).min_by_key(distance).and_then(numbered)
}

/// What a VGA made of sixteen names.
const VGA: [Rgb; 16] = [
    (0, 0, 0),
    (170, 0, 0),
    (0, 170, 0),
    (170, 85, 0),
    (0, 0, 170),
    (170, 0, 170),
    (0, 170, 170),
    (170, 170, 170),
    (85, 85, 85),
    (255, 85, 85),
    (85, 255, 85),
    (255, 255, 85),
    (85, 85, 255),
    (255, 85, 255),
    (85, 255, 255),
    (255, 255, 255),
];

/// The nearest of the six steps of the 256-colour cube.
const fn cube(value: u8) -> u8 {
    match value {
        0..=47 => 0,
        48..=114 => 1,
        115..=154 => 2,
        155..=194 => 3,
        195..=234 => 4,
        _ => 5,
    }
}

/// What a colour is made of; of sixteen, what a VGA made of them.
fn nominal(colour: Color) -> Rgb {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    match colour {
        Color::Rgb(r, g, b) => (r, g, b),
        Color::Indexed(at @ 16..=231) => {
            let at = at as usize - 16;
            (STEPS[at / 36], STEPS[at / 6 % 6], STEPS[at % 6])
        }
        named => number(named).map_or(VGA[0], |at| VGA[at]),
    }
}

fn mixed(low: Rgb, high: Rgb, part: f32) -> Rgb {
    (mix(low.0, high.0, part), mix(low.1, high.1, part), mix(low.2, high.2, part))
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two bytes")]
fn mix(low: u8, high: u8, part: f32) -> u8 {
    (f32::from(low) + (f32::from(high) - f32::from(low)) * part).round() as u8
}

fn lightness((r, g, b): Rgb) -> f32 {
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLOURED: [Depth; 3] = [Depth::Sixteen, Depth::Indexed, Depth::True];

    fn shares() -> impl Iterator<Item = f32> {
        (0..=40).map(|i| i as f32 / 40.0)
    }

    fn light(colour: Option<Color>) -> f32 {
        lightness(nominal(colour.unwrap()))
    }

    #[test]
    fn a_sequential_scale_is_ordered_in_every_depth() {
        for (ramp, depth) in Ramp::ALL.into_iter().flat_map(|ramp| COLOURED.map(|depth| (ramp, depth))) {
            let of = |ground| shares().map(move |share| light(sequential(ramp, depth, ground, share)));
            let on_dark: Vec<f32> = of(Ground::Dark).collect();
            assert!(on_dark.is_sorted(), "{ramp:?} {depth:?} {on_dark:?}");
            assert!(on_dark[40] - on_dark[0] > 150.0, "{ramp:?} {depth:?}");
            let on_light: Vec<f32> = of(Ground::Light).collect();
            assert!(on_light.iter().rev().is_sorted(), "{ramp:?} {depth:?} {on_light:?}");
        }
        let viridis = |depth, share| sequential(Ramp::Viridis, depth, Ground::Dark, share);
        assert_eq!(viridis(Depth::True, 0.0), Some(Color::Rgb(68, 1, 84)));
        assert_eq!(viridis(Depth::True, 1.0), Some(Color::Rgb(253, 231, 37)));
        assert_eq!(viridis(Depth::Mono, 1.0), None);
    }

    #[test]
    fn both_halves_of_a_diverging_scale_lead_away_from_the_ground() {
        for (ground, sign) in [(Ground::Dark, 1.0), (Ground::Light, -1.0)] {
            for depth in [Depth::Indexed, Depth::True] {
                for direction in [-0.5, 0.5] {
                    let of = |part: f32| sign * light(diverging(depth, ground, 0.5 + part * direction));
                    let lights: Vec<f32> = shares().map(of).collect();
                    assert!(lights.is_sorted(), "{ground:?} {depth:?} {direction} {lights:?}");
                }
            }
        }
        assert_eq!(diverging(Depth::Sixteen, Ground::Dark, 0.5), None);
    }

    #[test]
    fn the_ends_of_a_diverging_scale_differ_for_people_who_do_not_tell_red_from_green() {
        for (depth, ground) in COLOURED.into_iter().flat_map(|depth| [(depth, Ground::Dark), (depth, Ground::Light)]) {
            let blue = |share| nominal(diverging(depth, ground, share).unwrap()).2;
            assert!(blue(1.0) - blue(0.0) > 120, "{depth:?} {ground:?}");
        }
    }

    #[test]
    fn what_is_written_on_a_colour_can_be_read() {
        for depth in COLOURED {
            for share in shares() {
                for ground in [Ground::Dark, Ground::Light] {
                    let scales = Ramp::ALL.map(|ramp| sequential(ramp, depth, ground, share));
                    for colour in scales.into_iter().chain([diverging(depth, ground, share)]).flatten() {
                        let ink = match ink_on(colour) {
                            Color::White => (255, 255, 255),
                            other => nominal(other),
                        };
                        let apart = (lightness(ink) - lightness(nominal(colour))).abs();
                        assert!(apart > 95.0, "{depth:?} {ground:?} {share}: {colour:?} {apart}");
                    }
                }
            }
        }
    }
}
