//! Colours, emphasis and characters: what the terminal can show, read once, and the styles made of it.

use ratatui::style::{Color, Modifier, Style};

use super::colour::{BLUE, Ink, ORANGE, RED, diverging, ink_on, of_depth, sequential};
use super::glyph::Glyphs;
use super::palette::Palette;

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
    /// What the locale says of characters: the first of `LC_ALL`, `LC_CTYPE` and `LANG` that is not empty.
    pub locale: Option<String>,
}

/// What is asked for, whatever the environment says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What lies behind the text.
    pub ground: Option<Ground>,
    /// The colours.
    pub depth: Option<Depth>,
    /// The characters.
    pub glyphs: Option<Glyphs>,
    /// The scale and the colours.
    pub palette: Palette,
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
    /// 16, whose shades the terminal chooses.
    Sixteen,
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
    /// The characters there are.
    pub glyphs: Glyphs,
    /// The scale and the colours that are chosen.
    pub palette: Palette,
}

/// Terminals that show no colours.
const WITHOUT_COLOURS: [&str; 5] = ["dumb", "vt52", "vt100", "vt102", "vt220"];
/// Terminals that show all of them without saying so in `COLORTERM`.
const WITH_ALL_COLOURS: [&str; 6] = ["xterm-kitty", "xterm-ghostty", "alacritty", "wezterm", "foot", "contour"];

/// Values in a terminal without colours, from nothing to all.
const SHADES: [char; 5] = [' ', '░', '▒', '▓', '█'];

impl Depth {
    /// The colours of a terminal, by what the environment says.
    fn of(environment: &Environment) -> Self {
        let is_set = |value: &Option<String>| value.as_deref().is_some_and(|value| !value.is_empty());
        // without a name it is no Unix terminal, and those of Windows have them all
        let term = environment.term.as_deref().unwrap_or("256color");
        if is_set(&environment.no_color) || WITHOUT_COLOURS.contains(&term) {
            return Self::Mono;
        }
        if matches!(environment.colorterm.as_deref(), Some("truecolor" | "24bit"))
            || WITH_ALL_COLOURS.contains(&term)
            || term.ends_with("-direct")
        {
            return Self::True;
        }
        if term.contains("256color") { Self::Indexed } else { Self::Sixteen }
    }
}

impl Theme {
    /// The theme for an environment.
    pub fn new(environment: &Environment) -> Self {
        let back = environment.colorfgbg.as_deref().and_then(|value| value.rsplit(';').next());
        let ground = if matches!(back, Some("7" | "15")) { Ground::Light } else { Ground::Dark };
        let glyphs = environment.locale.as_deref().map_or(Glyphs::Unicode, Glyphs::of_locale);
        Self { ground, depth: Depth::of(environment), glyphs, palette: Palette::OWN }
    }

    /// The same with what is asked for.
    #[must_use]
    pub fn wanting(self, wanted: Wanted) -> Self {
        let Wanted { ground, depth, glyphs, palette } = wanted;
        Self {
            ground: ground.unwrap_or(self.ground),
            depth: depth.unwrap_or(self.depth),
            glyphs: glyphs.unwrap_or(self.glyphs),
            palette,
        }
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
        self.towards().add_modifier(Modifier::BOLD)
    }

    /// What is there to be looked up rather than read.
    pub fn faint(self) -> Style {
        match (self.depth, self.ground) {
            // among sixteen there is no grey that can be relied on
            (Depth::Mono | Depth::Sixteen, _) => Style::new().add_modifier(Modifier::DIM),
            (Depth::Indexed, Ground::Dark) => Style::new().fg(Color::Indexed(246)),
            (Depth::Indexed, Ground::Light) => Style::new().fg(Color::Indexed(241)),
            (Depth::True, Ground::Dark) => Style::new().fg(Color::Rgb(148, 148, 148)),
            (Depth::True, Ground::Light) => Style::new().fg(Color::Rgb(98, 98, 98)),
        }
    }

    /// What is selected.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD)
    }

    /// What the user should notice.
    pub fn notice(self) -> Style {
        self.against().add_modifier(Modifier::BOLD)
    }

    /// What went wrong.
    pub fn error(self) -> Style {
        self.ink(RED, self.palette.error).add_modifier(Modifier::BOLD)
    }

    /// What speaks for token A; the other end of a scale that colour-blind people tell apart.
    pub fn towards(self) -> Style {
        self.ink(BLUE, self.palette.towards)
    }

    /// What speaks against token A.
    pub fn against(self) -> Style {
        self.ink(ORANGE, self.palette.against)
    }

    /// A bar of a share of a scale.
    pub fn bar(self, share: f32) -> Style {
        match self.depth {
            Depth::Mono | Depth::Sixteen => self.towards(),
            // the ends of the scale that nearly vanish are left out
            Depth::Indexed | Depth::True => coloured(self.heat_colour(0.35 + 0.65 * share)),
        }
    }

    /// A cell of a share of a scale, with a text colour that can be read on it.
    pub fn heat(self, share: f32) -> Style {
        match self.heat_colour(share) {
            // the least of sixteen is the terminal's own ground
            least if self.depth == Depth::Sixteen && least == self.heat_colour(0.0) => Style::new(),
            Some(colour) => Style::new().bg(colour).fg(ink_on(colour)),
            None => emphasis(share),
        }
    }

    /// A cell of a scale with a neutral middle at 0.5: bluer above it, browner below.
    pub fn diverging(self, share: f32) -> Style {
        match (self.depth, diverging(self.depth, self.ground, share)) {
            (_, Some(colour)) => Style::new().bg(colour).fg(ink_on(colour)),
            (Depth::Mono, None) => emphasis((2.0 * share - 1.0).abs()),
            (_, None) => Style::new(),
        }
    }

    /// The colour of a share of a scale; none in a terminal without colours.
    pub fn heat_colour(self, share: f32) -> Option<Color> {
        sequential(self.palette.ramp, self.depth, self.ground, share)
    }

    /// Whether colours are too few to read a value from: then a shade says it.
    pub const fn is_shaded(self) -> bool {
        matches!(self.depth, Depth::Mono | Depth::Sixteen)
    }

    /// What stands beside a text in a cell of a scale: its shade where colours are too few, else a space.
    pub fn mark(self, share: f32) -> char {
        if self.is_shaded() { Self::shade(share) } else { ' ' }
    }

    /// The glyph of a share of a scale, for terminals without colours.
    pub fn shade(share: f32) -> char {
        let at = SHADES.iter().enumerate().rev().find(|(i, _)| share * 4.0 + 0.5 >= *i as f32 && *i > 0);
        let faint = usize::from(share > 0.02);
        at.map_or(SHADES[faint], |(_, shade)| *shade)
    }

    /// The chosen colour, or ours.
    fn ink(self, ink: Ink, chosen: Option<Color>) -> Style {
        let colour = chosen.map(|colour| of_depth(self.depth, colour));
        coloured(colour.unwrap_or_else(|| ink.colour(self.depth, self.ground)))
    }
}

fn coloured(colour: Option<Color>) -> Style {
    colour.map_or_else(Style::new, |colour| Style::new().fg(colour))
}

/// A share of a scale where there are no colours.
fn emphasis(share: f32) -> Style {
    match share {
        s if s >= 0.5 => Style::new().add_modifier(Modifier::BOLD),
        s if s < 0.1 => Style::new().add_modifier(Modifier::DIM),
        _ => Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn the_environment_decides_the_colours() {
        let named = |term: &str| Environment { term: some(term), ..Environment::default() };
        let cases = [
            (Environment::default(), Depth::Indexed),
            (Environment { colorterm: some("truecolor"), ..named("xterm") }, Depth::True),
            (Environment { no_color: some("1"), colorterm: some("truecolor"), ..named("xterm") }, Depth::Mono),
            (Environment { no_color: some(""), ..named("xterm-256color") }, Depth::Indexed),
            (named("dumb"), Depth::Mono),
            (named("xterm"), Depth::Sixteen),
            (named("linux"), Depth::Sixteen),
            (named("screen.xterm-256color"), Depth::Indexed),
            (named("xterm-kitty"), Depth::True),
            (named("xterm-direct"), Depth::True),
        ];
        for (environment, depth) in cases {
            assert_eq!(Theme::new(&environment).depth, depth, "{environment:?}");
        }
        let light = Environment { colorfgbg: some("0;15"), ..Environment::default() };
        assert_eq!(Theme::new(&light).ground, Ground::Light);
    }

    #[test]
    fn the_locale_decides_the_characters_and_what_is_asked_for_decides_over_both() {
        for (locale, glyphs) in [
            (None, Glyphs::Unicode),
            (some("C.UTF-8"), Glyphs::Unicode),
            (some("de_DE.utf8"), Glyphs::Unicode),
            (some("C"), Glyphs::Ascii),
            (some("de_DE.ISO-8859-1"), Glyphs::Ascii),
        ] {
            assert_eq!(Theme::new(&Environment { locale: locale.clone(), ..Environment::default() }).glyphs, glyphs);
        }
        let no_colour = Environment { no_color: some("1"), locale: some("C"), ..Environment::default() };
        let depth = Some(Depth::Sixteen);
        let wanted = Wanted { depth, glyphs: Some(Glyphs::Unicode), ..Wanted::default() };
        let theme = Theme::new(&no_colour).wanting(wanted);
        assert_eq!((theme.depth, theme.glyphs), (Depth::Sixteen, Glyphs::Unicode));
        assert_eq!(Theme::new(&no_colour).wanting(Wanted::default()), Theme::new(&no_colour));
    }

    #[test]
    fn a_chosen_colour_is_taken_as_the_terminal_can_show_it() {
        let palette = Palette {
            towards: Some(Color::LightMagenta),
            against: Some(Color::Rgb(250, 80, 90)),
            error: Some(Color::Green),
            ..Palette::OWN
        };
        let theme = |depth| Theme { depth, palette, ..Theme::new(&Environment::default()) };
        let of = |depth| {
            let theme: Theme = theme(depth);
            [theme.title(), theme.notice(), theme.error()].map(|style| style.fg)
        };
        let named = (Some(Color::LightMagenta), Some(Color::Green));
        assert_eq!(of(Depth::True), [named.0, Some(Color::Rgb(250, 80, 90)), named.1]);
        assert_eq!(of(Depth::Indexed), [named.0, Some(Color::Indexed(203)), named.1]);
        assert_eq!(of(Depth::Sixteen), [named.0, Some(Color::LightRed), named.1]);
        assert_eq!(of(Depth::Mono), [None; 3]);
    }

    #[test]
    fn shades_grow_with_what_they_stand_for() {
        let at = |share: f32| SHADES.iter().position(|shade| *shade == Theme::shade(share)).unwrap();
        let shades: Vec<usize> = (0..=50).map(|i| at(i as f32 / 50.0)).collect();
        assert!(shades.is_sorted() && shades[0] == 0 && shades[50] == 4, "{shades:?}");
        let theme = |depth| Theme { depth, ..Theme::new(&Environment::default()) };
        assert_eq!([Depth::Mono, Depth::Sixteen].map(|depth| theme(depth).mark(1.0)), ['█'; 2]);
        assert_eq!([Depth::Indexed, Depth::True].map(|depth| theme(depth).mark(1.0)), [' '; 2]);
    }
}
