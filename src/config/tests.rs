//! What a configuration may say, what it may not, and that all of it is told.

use crossterm::event::KeyCode;
use proptest::prelude::*;
use ratatui::style::Color;

use super::*;
use crate::tui::action::Action;
use crate::tui::input::Key;
use crate::tui::keymap::{Context, KEYMAP};
use crate::tui::palette::Ramp;

fn problems(text: &str) -> Vec<(usize, String)> {
    let problems = Config::parse(text).unwrap_err();
    problems.into_iter().map(|problem| (problem.line, problem.what)).collect()
}

/// Lines and parts of what must be told, and nothing else.
fn check(text: &str, expected: &[(usize, &str)]) {
    let found = problems(text);
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((line, what), (at, part)) in found.iter().zip(expected) {
        assert!(line == at && what.contains(part), "line {at}, {part}: {found:#?}");
    }
}

#[test]
fn nothing_said_is_everything_as_it_comes() {
    assert_eq!(Config::parse("").unwrap(), Config::default());
    assert_eq!(Config::parse("[keys]\n[theme]\n[tui]\n[keys.step]\n").unwrap(), Config::default());
}

#[test]
fn the_example_of_the_documentation_is_a_configuration() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/configuration.md")).unwrap();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = Config::parse(example).unwrap();
    assert_eq!((config.ground, config.depth), (Some(Ground::Dark), None));
    let palette = Palette { ramp: Ramp::Cividis, towards: Some(Color::LightBlue), against: None, ..config.palette };
    assert_eq!((config.palette, palette.error), (palette, Some(Color::Rgb(0xff, 0x78, 0x78))));
    let settings = config.settings;
    assert_eq!((settings.candidates, settings.generated, settings.items), (100, 40, 50));
    assert_eq!(config.mouse, MouseUse::Terminal);
    let action = |context, key| config.keymap.action(context, key);
    assert_eq!(action(Context::Step, Key::plain(KeyCode::F(2))), Some(Action::Export));
    assert_eq!(action(Context::Step, Key::char('e')), None);
    assert_eq!(action(Context::Step, Key::char('t')), Some(Action::TakeTop));
    assert_eq!(action(Context::Step, Key::char(' ')), None);
    assert_eq!(action(Context::Step, Key::char('L')), None, "it has no key");
    assert_ne!(config, Config::default());
    for context in Context::ALL {
        assert!(page.contains(&format!("`{}`", context.word())), "{context:?} is not in the table of places");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let mut config = Config::default();
    assert_eq!(Config::parse(&config.text()).unwrap(), config);
    config.keymap.rebind(Context::Global, Action::Export, vec![Key::char('"'), Key::char('\\'), Key::ctrl('é')]);
    config.keymap.rebind(Context::Global, Action::ToggleGround, Vec::new());
    config = Config { ground: Some(Ground::Light), depth: Some(Depth::Mono), mouse: MouseUse::Terminal, ..config };
    let (towards, against) = (Some(Color::DarkGray), Some(Color::Rgb(0, 17, 255)));
    config.palette = Palette { ramp: Ramp::Grey, towards, against, error: None };
    config.settings = Settings { candidates: 1, generated: 2, items: 3 };
    assert_eq!(Config::parse(&config.text()).unwrap(), config);
}

#[test]
fn every_mistake_is_told_with_its_line() {
    check(
        "theme = 3\nfoo = 1\n[tui]\ncandidates = 0\nmouse = 'yes'\nitms = 3\n",
        &[
            (1, "theme is no table"),
            (2, "`foo` is unknown in the configuration, expected theme, tui, keys"),
            (4, "candidates is 0, expected a whole number from 1 to 10000"),
            (5, "mouse is 'yes', expected true or false"),
            (6, "`itms` is unknown in [tui]"),
        ],
    );
    check(
        "[theme]\nbackground = 'blue'\ncolours = 16.5\n[keys.stepp]\n[keys.tree]\nprunee = 'p'\nexport = 'F2'\n",
        &[
            (2, "background is 'blue', expected one of auto, dark, light"),
            (3, "colours is 16.5, expected one of auto, none, 16, 256, truecolor"),
            (4, "[keys.stepp] is no place, the nearest is [keys.step]"),
            (6, "`prunee` is no action of [keys.tree], the nearest is `prune`"),
            (7, "`export` is no action of [keys.tree], it belongs to [keys.everywhere]"),
        ],
    );
    check(
        "[keys.step]\nsample = 3\ngenerate = ['Ctrl-x', 'Ctl-x']\nappend-chosen = ['y', 'y']\n",
        &[
            (2, "sample is 3, expected a key"),
            (3, "generate: `Ctl-x` is no key"),
            (4, "append-chosen: `y` is there twice"),
        ],
    );
    check("keys = [\n", &[(1, "array")]);
    check(
        "[theme]\nscale = 'viridi'\ntowards = 'brightblue'\nagainst = '#12345'\nerror = 7\n",
        &[
            (2, "scale: `viridi` is no scale, the nearest is `viridis`; scales: viridis, cividis, grey"),
            (3, "towards: `brightblue` is no colour, the nearest is `bright-blue`"),
            (4, "against: `#12345` is no colour, expected # and six hexadecimal digits"),
            (5, "error is 7, expected a colour"),
        ],
    );
}

#[test]
fn a_key_has_one_meaning_and_one_can_leave() {
    check(
        "[keys.tree]\nmark = 'Z'\nprune = 'Z'\n[keys.everywhere]\nexport = 'x'\n",
        &[
            (3, "`Z` would be `mark` and `prune` in [keys.tree]"),
            (5, "`x` is `take-out` in [keys.attention], which hides `export` of [keys.everywhere] there"),
            (5, "in [keys.why]"),
            (5, "in [keys.patch]"),
        ],
    );
    check("[keys.step]\nsample = 'q'\n", &[(2, "hides `quit` of [keys.everywhere] there; give `quit` another key")]);
    check(
        "[keys.help]\nclose = []\n[keys.typing]\naccept = 'y'\n[keys.step]\nsample = 'Alt-1'\n",
        &[(2, "close: it needs a key"), (4, "accept: `y` is typed here"), (6, "sample: `Alt-1` is a count")],
    );
    let exchanged = "[keys.tree]\nmark = 'x'\nprune = 'm'\n[keys.step]\nchoose-token = 'b'\nchoose-rival = 'a'\n";
    let config = Config::parse(exchanged).unwrap();
    assert_eq!(
        config.keymap.action(Context::Tree, Key::char('m')),
        Some(Action::Prune),
        "m has a meaning there anyway"
    );
    assert_eq!(config.keymap.action(Context::Step, Key::char('a')), Some(Action::ChooseRival));
}

#[test]
fn every_key_of_the_table_is_read_as_it_is_written() {
    for binding in KEYMAP {
        for &key in binding.keys.iter() {
            let name = crate::tui::key_name::key_name(key);
            assert_eq!(crate::tui::key_name::parse_key(&name), Ok(key), "{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_text_breaks_the_reader(cut in 0usize..4000, with in "[\\[\\]='a-z0-9\n.\"-]{0,12}") {
        let text = Config::default().text();
        let cut = (0..=cut.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap();
        let broken = format!("{}{with}{}", &text[..cut], &text[cut..]);
        if let Err(problems) = Config::parse(&broken) {
            let lines = broken.lines().count().max(1);
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| (1..=lines + 1).contains(&problem.line)), "{problems:?}");
        }
    }
}
