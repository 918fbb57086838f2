//! What of the colours is open to choice: the scale of values, and what speaks for something, against it, and of mistakes.
//!
//! It knows names of colours, and neither a terminal nor a file.

pub use ratatui::style::Color;

/// A scale of colours whose lightness grows with what it stands for; on a light ground it falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ramp {
    /// From violet over green to yellow.
    Viridis,
    /// From blue over grey to yellow: the same to people who do not tell red from green.
    Cividis,
    /// From black to white.
    Grey,
}

impl Ramp {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Viridis, Self::Cividis, Self::Grey];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Viridis => "viridis",
            Self::Cividis => "cividis",
            Self::Grey => "grey",
        }
    }
}

/// The colours that are chosen; the program's own where none is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Of values: attention weights, probabilities.
    pub ramp: Ramp,
    /// Of what speaks for token A, and of titles.
    pub towards: Option<Color>,
    /// Of what speaks against token A, and of what is to be noticed.
    pub against: Option<Color>,
    /// Of what went wrong.
    pub error: Option<Color>,
}

impl Palette {
    /// Nothing is chosen.
    pub const OWN: Self = Self { ramp: Ramp::Viridis, towards: None, against: None, error: None };
}

impl Default for Palette {
    fn default() -> Self {
        Self::OWN
    }
}

/// The sixteen that a terminal has names for, in the order of their numbers.
const NAMES: [(&str, Color); 16] = [
    ("black", Color::Black),
    ("red", Color::Red),
    ("green", Color::Green),
    ("yellow", Color::Yellow),
    ("blue", Color::Blue),
    ("magenta", Color::Magenta),
    ("cyan", Color::Cyan),
    ("white", Color::Gray),
    ("bright-black", Color::DarkGray),
    ("bright-red", Color::LightRed),
    ("bright-green", Color::LightGreen),
    ("bright-yellow", Color::LightYellow),
    ("bright-blue", Color::LightBlue),
    ("bright-magenta", Color::LightMagenta),
    ("bright-cyan", Color::LightCyan),
    ("bright-white", Color::White),
];

/// The names of the sixteen.
pub fn colour_names() -> impl Iterator<Item = &'static str> {
    NAMES.iter().map(|(name, _)| *name)
}

/// The colour of a name, or of six hexadecimal digits after a number sign; nothing for any other text.
pub fn parse_colour(text: &str) -> Option<Color> {
    let Some(digits) = text.strip_prefix('#') else {
        return NAMES.iter().find(|(name, _)| *name == text).map(|(_, colour)| *colour);
    };
    let is_right = digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(digits, 16).ok().filter(|_| is_right).map(Color::from_u32)
}

/// A colour as [`parse_colour`] reads it.
pub fn colour_name(colour: Color) -> String {
    match (NAMES.iter().find(|(_, other)| *other == colour), colour) {
        (Some((name, _)), _) => (*name).to_owned(),
        (None, Color::Rgb(r, g, b)) => format!("#{r:02x}{g:02x}{b:02x}"),
        (None, other) => other.to_string(),
    }
}

/// The number of a colour among sixteen, if it is one of them.
pub(super) fn number(colour: Color) -> Option<usize> {
    NAMES.iter().position(|(_, other)| *other == colour)
}

/// The colour with a number among sixteen.
pub(super) fn numbered(number: usize) -> Option<Color> {
    NAMES.get(number).map(|(_, colour)| *colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colour_is_read_as_it_is_written() {
        for (name, colour) in NAMES {
            assert_eq!((parse_colour(name), colour_name(colour)), (Some(colour), name.to_owned()));
        }
        assert_eq!(parse_colour("#63C4ff"), Some(Color::Rgb(0x63, 0xc4, 0xff)));
        assert_eq!(colour_name(Color::Rgb(0x63, 0xc4, 0xff)), "#63c4ff");
        for text in ["", "rde", "Red", "#", "#12345", "#1234567", "#+12345", "#éé"] {
            assert_eq!(parse_colour(text), None, "{text}");
        }
    }
}
