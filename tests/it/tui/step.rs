//! The step view over a real model: the chain, the whole vocabulary, typed tokens, and the colours of the prompt.

use lmscope::tui::SessionOptions;
use lmscope::tui::keymap::Context;
use lmscope::tui::session::Tint;

use super::data::text;
use super::sessions::Live;

fn live() -> Live {
    Live::start(SessionOptions::default())
}

#[test]
fn the_chain_is_typed_and_shows_what_it_cuts() {
    let mut live = live();
    live.keys("E\x15temperature=0.8 top_k=0\n");
    assert_eq!(live.state.context(), Context::Typing, "it is not taken");
    assert!(text(&live.state).contains("top_k is `0`, expected a whole number above 0"), "{}", text(&live.state));
    live.keys("\x15temperature=0.8 top_k=3\n");
    let shown = text(&live.state);
    for what in ["temperature=0.8 top_k=3", "tempered", "── 3 kept", "top-k"] {
        assert!(shown.contains(what), "{what}: {shown}");
    }
    let n = live.state.session().tokens().ids.len();
    live.keys("s");
    assert_eq!(live.state.session().tokens().ids.len(), n + 1);
    assert_eq!(live.state.session().seed(), 1, "the seed is used up");
}

#[test]
fn the_whole_vocabulary_can_be_scrolled_and_any_token_forced() {
    let mut live = live();
    let n = live.state.session().tokens().ids.len();
    live.keys("v");
    assert!(text(&live.state).contains("tempered"), "{}", text(&live.state));
    live.keys("v");
    assert!(!text(&live.state).contains("tempered"), "v goes back to the most probable tokens");
    for _ in 0..99 {
        live.keys("j");
    }
    assert!(text(&live.state).contains("tempered"), "behind the most probable ones comes the rest");
    assert!(text(&live.state).contains(" 100 "), "{}", text(&live.state));
    live.keys("\n");
    assert_eq!(live.state.session().tokens().ids.len(), n + 1);
    live.keys("+ mat and\n");
    assert!(live.state.session().text().ends_with(" mat and"), "{}", live.state.session().text());
}

#[test]
fn the_prompt_is_coloured_by_what_was_asked_for() {
    let mut live = live();
    live.keys("t");
    let mut seen = Vec::new();
    for _ in 0..4 {
        live.keys("c");
        let tints = live.state.session().tints();
        assert_eq!(tints.len(), live.state.session().tokens().ids.len(), "{:?}", live.state.session().tint());
        assert!(tints.iter().flatten().all(|share| (0.0..=1.0).contains(share)), "{tints:?}");
        assert!(tints.iter().flatten().any(|&share| share > 0.0), "{tints:?}");
        seen.push(live.state.session().tint());
    }
    assert_eq!(seen, [Tint::Surprisal, Tint::Probability, Tint::Entropy, Tint::Attribution]);
    live.keys("c");
    assert!(live.state.session().tints().is_empty());
}
