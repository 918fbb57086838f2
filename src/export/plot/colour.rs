//! From a value to its colour, and from a colour to that of a text upon it.
//!
//! Colours are computed in Oklch (<https://bottosson.github.io/posts/oklab>), where equal steps of lightness look equal:
//! more is darker, so pictures survive a printer and colour-blind eyes.

use plotters::style::RGBColor;

use crate::figure::Scale;

/// The paper.
pub(super) const PAPER: RGBColor = RGBColor(255, 255, 255);
/// Titles and labels.
pub(super) const INK: RGBColor = RGBColor(32, 32, 32);
/// A text on a colour.
const BLACK: RGBColor = RGBColor(0, 0, 0);
/// Captions, names of axes, ticks.
pub(super) const FAINT: RGBColor = RGBColor(96, 96, 96);
/// Frames and zero lines.
pub(super) const RULE: RGBColor = RGBColor(160, 160, 160);
/// Lines behind a plot.
pub(super) const GRID: RGBColor = RGBColor(228, 228, 228);
/// Lines that are told apart by most eyes, after Okabe and Ito, "Color Universal Design", 2008; yellow is left out on paper.
pub(super) const LINES: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(96, 96, 96),
    RGBColor(0, 0, 0),
];
/// A value that is not a number.
pub(super) const MISSING: RGBColor = RGBColor(190, 190, 190);

const BLUE: f32 = 255.0;
const RED: f32 = 27.0;

/// The colour of a value on its scale.
pub(super) fn of(scale: Scale, value: f32) -> RGBColor {
    if value.is_nan() {
        return MISSING;
    }
    let share = scale.share(value);
    match scale {
        Scale::Probability | Scale::Sequential { .. } => sequential(share),
        Scale::Diverging { .. } => diverging(share),
    }
}

/// Light to dark blue; 0..=1.
pub(super) fn sequential(share: f32) -> RGBColor {
    oklch(0.985 - 0.665 * share, 0.13 * (share * 2.4).min(1.0), 230.0 + 32.0 * share)
}

/// Blue below the middle, red above; 0..=1.
pub(super) fn diverging(share: f32) -> RGBColor {
    let from_middle = (share - 0.5).abs() * 2.0;
    let hue = if share < 0.5 { BLUE } else { RED };
    oklch(0.985 - 0.505 * from_middle, 0.17 * from_middle, hue)
}

/// Black or white, whichever stands out more.
pub(super) fn text_on(background: RGBColor) -> RGBColor {
    /// The luminance at which both have the same contrast (WCAG 2).
    const MIDDLE: f32 = 0.179;
    if luminance(background) > MIDDLE { BLACK } else { PAPER }
}

/// Relative luminance, 0..=1.
fn luminance(RGBColor(r, g, b): RGBColor) -> f32 {
    let linear = |channel: u8| {
        let x = f32::from(channel) / 255.0;
        if x <= 0.040_45 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
}

/// Lightness 0..=1, chroma, hue in degrees.
fn oklch(lightness: f32, chroma: f32, hue: f32) -> RGBColor {
    let (sin, cos) = hue.to_radians().sin_cos();
    let (a, b) = (chroma * cos, chroma * sin);
    let l = (lightness + 0.396_337_78 * a + 0.215_803_76 * b).powi(3);
    let m = (lightness - 0.105_561_346 * a - 0.063_854_17 * b).powi(3);
    let s = (lightness - 0.089_484_18 * a - 1.291_485_5 * b).powi(3);
    RGBColor(
        channel(4.076_741_7 * l - 3.307_711_6 * m + 0.230_969_94 * s),
        channel(-1.268_438 * l + 2.609_757_4 * m - 0.341_319_4 * s),
        channel(-0.004_196_086_3 * l - 0.703_418_6 * m + 1.707_614_7 * s),
    )
}

/// A linear channel as sRGB stores it.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is clamped to a byte")]
fn channel(linear: f32) -> u8 {
    let x = linear.clamp(0.0, 1.0);
    let encoded = if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
    (encoded * 255.0).round() as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminances(of: impl Fn(f32) -> RGBColor) -> Vec<f32> {
        (0..=50_u8).map(|step| luminance(of(f32::from(step) / 50.0))).collect()
    }

    #[test]
    fn more_is_darker() {
        assert!(luminances(sequential).is_sorted_by(|a, b| a > b));
        assert!(luminances(|share| diverging(0.5 + share / 2.0)).is_sorted_by(|a, b| a > b));
        assert!(luminances(|share| diverging(0.5 - share / 2.0)).is_sorted_by(|a, b| a > b));
    }

    #[test]
    fn oklch_of_known_colours() {
        assert_eq!(oklch(1.0, 0.0, 0.0), RGBColor(255, 255, 255));
        assert_eq!(oklch(0.627_955, 0.257_683, 29.234), RGBColor(255, 0, 0));
    }

    #[test]
    fn texts_stand_out_and_the_middle_is_neutral() {
        for step in 0..=50_u8 {
            for background in [sequential(f32::from(step) / 50.0), diverging(f32::from(step) / 50.0)] {
                let (a, b) = (luminance(background), luminance(text_on(background)));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{background:?} {contrast}");
            }
        }
        let RGBColor(r, g, b) = diverging(0.5);
        assert!(r.abs_diff(g) <= 1 && g.abs_diff(b) <= 1);
        assert_eq!(of(Scale::Probability, f32::NAN), MISSING);
    }
}
