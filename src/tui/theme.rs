//! Colours and emphasis: what the terminal can show, read once, and the styles made of it.

use ratatui::style::{Color, Modifier, Style};

/// The variables of the environment that matter here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// `NO_COLOR`.
    pub no_color: Option<String>,
    /// `COLORTERM`.
    pub colorterm: Option<String>,
    /// `TERM`.
    pub term: Option<String>,
    /// `COLORFGBG`, which some terminals set to say whether they are light.
    pub colorfgbg: Option<String>,
}

/// What lies behind the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// A dark terminal.
    Dark,
    /// A light terminal.
    Light,
}

/// The colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None, or none that are wanted.
    Mono,
    /// 256.
    Indexed,
    /// 24 bits.
    True,
}

/// How things look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// What lies behind the text.
    pub ground: Ground,
    /// The colours there are.
    pub depth: Depth,
}

type Rgb = (u8, u8, u8);

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

/// Values in a terminal without colours, from nothing to all.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

impl Theme {
    /// The theme for an environment.
    pub fn new(environment: &Environment) -> Self {
        let is = |value: &Option<String>, words: &[&str]| value.as_deref().is_some_and(|v| words.contains(&v));
        let depth = if environment.no_color.as_deref().is_some_and(|value| !value.is_empty())
            || is(&environment.term, &["dumb", "linux", "vt100"])
        {
            Depth::Mono
        } else if is(&environment.colorterm, &["truecolor", "24bit"]) {
            Depth::True
        } else {
            Depth::Indexed
        };
        let back = environment.colorfgbg.as_deref().and_then(|value| value.rsplit(';').next());
        let ground = if matches!(back, Some("7" | "15")) { Ground::Light } else { Ground::Dark };
        Self { ground, depth }
    }

    /// The theme for the other kind of terminal.
    #[must_use]
    pub const fn toggled(self) -> Self {
        let ground = match self.ground {
            Ground::Dark => Ground::Light,
            Ground::Light => Ground::Dark,
        };
        Self { ground, ..self }
    }

    /// Headings and the selected tab.
    pub fn title(self) -> Style {
        self.ink((99, 196, 255), (0, 82, 148)).add_modifier(Modifier::BOLD)
    }

    /// What is there to be looked up rather than read.
    pub fn faint(self) -> Style {
        match self.depth {
            Depth::Mono => Style::new().add_modifier(Modifier::DIM),
            Depth::Indexed | Depth::True => self.ink((148, 148, 148), (98, 98, 98)),
        }
    }

    /// What is selected.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// What the user should notice.
    pub fn notice(self) -> Style {
        self.ink((255, 184, 76), (148, 82, 0)).add_modifier(Modifier::BOLD)
    }

    /// What went wrong.
    pub fn error(self) -> Style {
        self.ink((255, 120, 120), (170, 0, 20)).add_modifier(Modifier::BOLD)
    }

    /// What speaks for token A; the other end of a scale that colour-blind people tell apart.
    pub fn towards(self) -> Style {
        self.ink((99, 196, 255), (0, 82, 148))
    }

    /// What speaks against token A.
    pub fn against(self) -> Style {
        self.ink((255, 184, 76), (148, 82, 0))
    }

    /// A bar of a share of a scale.
    pub fn bar(self, share: f32) -> Style {
        match self.depth {
            Depth::Mono => Style::new(),
            // the ends of the scale that nearly vanish are left out
            Depth::Indexed | Depth::True => Style::new().fg(self.colour(self.heat_rgb(0.35 + 0.65 * share))),
        }
    }

    /// A cell of a share of a scale, with a text colour that can be read on it.
    pub fn heat(self, share: f32) -> Style {
        if self.depth == Depth::Mono {
            return match share {
                s if s >= 0.5 => Style::new().add_modifier(Modifier::BOLD),
                s if s < 0.1 => Style::new().add_modifier(Modifier::DIM),
                _ => Style::new(),
            };
        }
        let rgb = self.heat_rgb(share);
        let ink = if lightness(rgb) > 120.0 { (0, 0, 0) } else { (255, 255, 255) };
        Style::new().bg(self.colour(rgb)).fg(self.colour(ink))
    }

    /// A cell of a scale with a neutral middle at 0.5: bluer above it, browner below.
    pub fn diverging(self, share: f32) -> Style {
        let away = (2.0 * share - 1.0).clamp(-1.0, 1.0);
        if self.depth == Depth::Mono {
            return match away.abs() {
                far if far >= 0.5 => Style::new().add_modifier(Modifier::BOLD),
                far if far < 0.1 => Style::new().add_modifier(Modifier::DIM),
                _ => Style::new(),
            };
        }
        let (neutral, below, above) = match self.ground {
            Ground::Dark => ((28, 28, 28), (200, 110, 20), (20, 120, 210)),
            Ground::Light => ((242, 242, 242), (200, 110, 20), (50, 130, 215)),
        };
        let end: Rgb = if away < 0.0 { below } else { above };
        let rgb =
            (mix(neutral.0, end.0, away.abs()), mix(neutral.1, end.1, away.abs()), mix(neutral.2, end.2, away.abs()));
        let ink = if lightness(rgb) > 120.0 { (0, 0, 0) } else { (255, 255, 255) };
        Style::new().bg(self.colour(rgb)).fg(self.colour(ink))
    }

    /// The colour of a share of a scale; none in a terminal without colours.
    pub fn heat_colour(self, share: f32) -> Option<Color> {
        (self.depth != Depth::Mono).then(|| self.colour(self.heat_rgb(share)))
    }

    /// The glyph of a share of a scale, for terminals without colours.
    pub fn shade(share: f32) -> char {
        let at = SHADES.iter().enumerate().rev().find(|(i, _)| share * 4.0 + 0.5 >= *i as f32 && *i > 0);
        let faint = usize::from(share > 0.02);
        at.map_or(SHADES[faint], |(_, shade)| *shade)
    }

    fn heat_rgb(self, share: f32) -> Rgb {
        let share = match self.ground {
            Ground::Dark => share,
            Ground::Light => 1.0 - share,
        };
        let at = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f32;
        let (low, high) = VIRIDIS
            .windows(2)
            .enumerate()
            .rfind(|(i, _)| *i as f32 <= at)
            .map_or((VIRIDIS[0], VIRIDIS[1]), |(_, pair)| (pair[0], pair[1]));
        let part = (at - at.floor().min((VIRIDIS.len() - 2) as f32)).clamp(0.0, 1.0);
        (mix(low.0, high.0, part), mix(low.1, high.1, part), mix(low.2, high.2, part))
    }

    fn ink(self, on_dark: Rgb, on_light: Rgb) -> Style {
        match (self.depth, self.ground) {
            (Depth::Mono, _) => Style::new(),
            (_, Ground::Dark) => Style::new().fg(self.colour(on_dark)),
            (_, Ground::Light) => Style::new().fg(self.colour(on_light)),
        }
    }

    fn colour(self, (r, g, b): Rgb) -> Color {
        match self.depth {
            Depth::True => Color::Rgb(r, g, b),
            Depth::Mono | Depth::Indexed => Color::Indexed(16 + 36 * cube(r) + 6 * cube(g) + cube(b)),
        }
    }
}

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

    #[test]
    fn the_environment_decides_the_colours() {
        let some = |text: &str| Some(text.to_owned());
        let cases = [
            (Environment::default(), Depth::Indexed),
            (Environment { colorterm: some("truecolor"), ..Environment::default() }, Depth::True),
            (Environment { no_color: some("1"), colorterm: some("truecolor"), ..Environment::default() }, Depth::Mono),
            (Environment { no_color: some(""), ..Environment::default() }, Depth::Indexed),
            (Environment { term: some("dumb"), ..Environment::default() }, Depth::Mono),
        ];
        for (environment, depth) in cases {
            assert_eq!(Theme::new(&environment).depth, depth, "{environment:?}");
        }
        let light = Environment { colorfgbg: some("0;15"), ..Environment::default() };
        assert_eq!(Theme::new(&light).ground, Ground::Light);
    }

    #[test]
    fn the_scale_grows_in_lightness_and_ends_where_viridis_does() {
        let theme = Theme { ground: Ground::Dark, depth: Depth::True };
        let light: Vec<f32> = (0..=20).map(|i| lightness(theme.heat_rgb(i as f32 / 20.0))).collect();
        assert!(light.is_sorted(), "{light:?}");
        assert_eq!(theme.heat_rgb(0.0), VIRIDIS[0]);
        assert_eq!(theme.heat_rgb(1.0), VIRIDIS[8]);
        assert_eq!(['░', '█'], [Theme::shade(0.1), Theme::shade(1.0)]);
    }
}
