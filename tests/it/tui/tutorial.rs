//! The screens in README.md and docs/tutorial.md are those of the program: its keys are pressed on the embedded model.
//!
//! Numbers may differ in their last digits and bars by a glyph. `LMSCOPE_WRITE_DOCS=1` writes the page anew.

use crossterm::event::KeyCode;
use lmscope::tui::TuiOptions;
use lmscope::tui::input::Key;

use super::live::Live;
use crate::docs::is_same;
use crate::support::project;

/// Each page with its prompt; the first begins with the example.
const PAGES: [(&str, Option<&str>); 2] = [("README.md", None), ("docs/tutorial.md", Some("Tom Cruise's mother is"))];
const FENCE: &str = "```text keys:";

/// Presses what is written in a row: `5`, `Enter`, `Ctrl-u`, `"a text"`.
fn press(live: &mut Live, keys: &str) {
    for (number, part) in keys.split('"').enumerate() {
        if number % 2 == 1 {
            live.chars(part);
            continue;
        }
        for word in part.split_whitespace() {
            match word {
                "Enter" => live.key(Key::plain(KeyCode::Enter)),
                "Ctrl-u" => live.key(Key::ctrl('u')),
                word => live.chars(word),
            }
        }
    }
}

fn rerun(page: &str, prompt: Option<&str>) -> String {
    let options = TuiOptions { prompt: prompt.map(ToOwned::to_owned), ..TuiOptions::default() };
    let mut live = Live::with_options(options);
    live.idle();
    live.idle();
    let (mut text, mut skipping) = (String::new(), false);
    for line in page.lines() {
        skipping &= line != "```";
        if skipping {
            continue;
        }
        text += line;
        text.push('\n');
        if let Some(keys) = line.strip_prefix(FENCE) {
            press(&mut live, keys);
            for row in live.ui.rows(80, 24) {
                text += row.trim_end();
                text.push('\n');
            }
            skipping = true;
        }
    }
    text
}

/// Without what is drawn rather than written.
fn written(line: &str) -> String {
    line.chars().map(|c| if ('\u{2500}'..='\u{259f}').contains(&c) { ' ' } else { c }).collect()
}

fn check(name: &str, prompt: Option<&str>) {
    let page = project(name);
    let documented = std::fs::read_to_string(&page).unwrap();
    let found = rerun(&documented, prompt);
    if std::env::var_os("LMSCOPE_WRITE_DOCS").is_some() {
        std::fs::write(&page, &found).unwrap();
        return;
    }
    assert!(documented.contains(FENCE), "{name} has no screen");
    assert_eq!(found.lines().count(), documented.lines().count(), "{name}: LMSCOPE_WRITE_DOCS=1 writes it anew");
    for (number, (found, documented)) in found.lines().zip(documented.lines()).enumerate() {
        assert!(
            is_same(&written(found), &written(documented)),
            "{name}:{}\n  page:  {documented}\n  found: {found}\nLMSCOPE_WRITE_DOCS=1 writes the page anew",
            number + 1
        );
    }
}

#[test]
fn pages_show_what_the_program_shows() {
    for (name, prompt) in PAGES {
        check(name, prompt);
    }
}
