//! What a terminal is sent under each choice of colours and characters, byte by byte, from the real binary.

use lmscope::tui::view::VIEWS;
use portable_pty::CommandBuilder;

use super::pty::Session;

/// Arguments, and variables of the environment.
type Start = (&'static [&'static str], &'static [(&'static str, &'static str)]);

/// Everything that is sent while every view is shown.
fn sent((args, variables): Start) -> Vec<u8> {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_lmscope"));
    command.arg("tui");
    command.args(args);
    for name in ["NO_COLOR", "COLORTERM", "COLORFGBG"] {
        command.env_remove(name);
    }
    command.env("LANG", "C.UTF-8");
    for (name, value) in variables {
        command.env(name, value);
    }
    let mut session = Session::spawn(command, tempfile::tempdir().unwrap());
    session.wait("the distribution", |screen| screen.contents().contains("entropy"));
    for view in VIEWS.iter().map(|make| make().name()) {
        session.keys(&view.digit().to_string());
        session.wait(view.title(), |screen| {
            screen.contents().contains(view.title()) && !screen.contents().contains("computing")
        });
    }
    // a grid with a diverging scale, a list, the help
    session.keys("6c");
    session.press("\x15The cat sat on the\r");
    session.keys("5?\x1bd\x1b1");
    session.press("q");
    session.ends_restored();
    session.sent
}

/// The parameters of every sequence that sets a style.
fn styles(sent: &[u8]) -> Vec<Vec<u16>> {
    let text = String::from_utf8_lossy(sent);
    let sequence = |rest: &str| {
        let (inner, _) = rest.split_once(|c: char| c.is_ascii_alphabetic())?;
        rest[inner.len()..].starts_with('m').then(|| inner.split(';').map(|n| n.parse().unwrap_or(0)).collect())
    };
    text.split("\x1b[").skip(1).filter_map(sequence).collect()
}

/// How a colour is written, if a sequence sets one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Colour {
    /// One of sixteen.
    Named,
    /// One of 256.
    Indexed,
    /// 24 bits.
    True,
}

/// The colours that the parameters of a sequence set.
fn colours_of(mut style: &[u16]) -> Vec<Colour> {
    let mut found = Vec::new();
    while !style.is_empty() {
        let (colour, rest) = match style {
            [30..=37 | 40..=47 | 90..=97 | 100..=107, rest @ ..] => (Some(Colour::Named), rest),
            [38 | 48, 5, _, rest @ ..] => (Some(Colour::Indexed), rest),
            [38 | 48, 2, _, _, _, rest @ ..] => (Some(Colour::True), rest),
            // without a colour, and what is no colour: bold, faint, underlined, reversed
            [0..=29 | 39 | 49 | 59, rest @ ..] => (None, rest),
            _ => panic!("what does {style:?} do?"),
        };
        found.extend(colour);
        style = rest;
    }
    found
}

fn colours(sent: &[u8]) -> Vec<Colour> {
    let mut all: Vec<Colour> = styles(sent).iter().flat_map(|style| colours_of(style)).collect();
    all.sort_unstable();
    all.dedup();
    all
}

#[test]
fn a_terminal_gets_the_colours_that_were_asked_for_and_no_others() {
    let cases: [(Start, &[Colour]); 8] = [
        ((&["--colour", "none"], &[]), &[]),
        ((&["--colour", "none"], &[("COLORTERM", "truecolor")]), &[]),
        ((&[], &[("NO_COLOR", "1"), ("COLORTERM", "truecolor")]), &[]),
        ((&["--colour", "16"], &[("COLORTERM", "truecolor")]), &[Colour::Named]),
        ((&["--colour", "256"], &[("COLORTERM", "truecolor")]), &[Colour::Indexed]),
        ((&["--colour", "256"], &[("NO_COLOR", "1")]), &[Colour::Indexed]),
        ((&["--colour", "truecolor"], &[]), &[Colour::True]),
        ((&[], &[("COLORTERM", "truecolor")]), &[Colour::True]),
    ];
    for (start, expected) in cases {
        let sent = sent(start);
        assert_eq!(colours(&sent), expected, "{start:?}");
        assert!(
            styles(&sent).iter().any(|style| style.contains(&1) || style.contains(&7)),
            "{start:?}: no emphasis either"
        );
    }
}

#[test]
fn a_terminal_with_ascii_alone_is_sent_ascii_alone() {
    let cases: [(Start, bool); 3] =
        [((&["--ascii"], &[]), true), ((&[], &[("LC_ALL", "C")]), true), ((&[], &[("LC_ALL", "C.UTF-8")]), false)];
    for (start, is_ascii) in cases {
        let sent = sent(start);
        assert_eq!(sent.is_ascii(), is_ascii, "{start:?}");
        let text = String::from_utf8_lossy(&sent);
        // tokens are there all the same
        let token = if is_ascii { "~mat" } else { "␣mat" };
        assert!(text.contains(token), "{start:?}: no {token}");
    }
}
