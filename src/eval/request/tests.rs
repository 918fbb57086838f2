use super::*;
use crate::eval::fixture::{plain_tokenizer, tokenizer};
use crate::eval::scheduler::Error;
use crate::text::Tokenizer;

const N_CTX: usize = 512;

fn request(context: &str, continuation: &str) -> Loglikelihood {
    Loglikelihood { context: context.into(), continuation: continuation.into() }
}

fn split(tokenizer: &Tokenizer, context: &str, continuation: &str) -> Split {
    request(context, continuation).split(tokenizer, N_CTX).unwrap()
}

#[test]
fn trailing_spaces_move_to_the_continuation() {
    let tokenizer = tokenizer();
    let plain = split(&tokenizer, "we", " the");
    assert_eq!((plain.boundary, plain.ids.len(), plain.text.as_str()), (2, 3, " the"), "BOS, we | the");
    assert_eq!(split(&tokenizer, "we ", "the"), plain);
    assert_eq!(tokenizer.text(plain.ids[2]), " the");
    assert_eq!(split(&tokenizer, "we\u{a0}\x1c\n", "the").text, "\u{a0}\x1c\nthe");
}

#[test]
fn an_empty_context_is_the_prefix_token() {
    let tokenizer = tokenizer();
    let bos = tokenizer.bos().unwrap();
    let found = split(&tokenizer, "", "we");
    assert_eq!((found.ids[0], found.boundary, found.ids.len()), (bos, 1, 2));
    assert_eq!(split(&tokenizer, "", "<|begin_of_text|>we"), Split { text: "<|begin_of_text|>we".into(), ..found });
    assert_eq!(split(&tokenizer, " ", "we").boundary, 1);
}

#[test]
fn every_lint_has_its_case() {
    let (bos, plain) = (tokenizer(), plain_tokenizer(None));
    let named = plain_tokenizer(bos.bos());
    let lints = |tokenizer: &Tokenizer, context: &str, continuation: &str| {
        request(context, continuation).inspect(tokenizer).unwrap().lints
    };
    let cases = [
        (&bos, "we", " the", vec![]),
        (&bos, "<|begin_of_text|>we", " the", vec![]),
        (&bos, "<|begin_of_text|><|begin_of_text|>we", " the", vec![Lint::DoubleBos]),
        (&bos, "<|end_of_text|>we", " the", vec![]),
        (&named, "we", " the", vec![Lint::MissingBos]),
        (&named, "", " the", vec![]),
        (&plain, "we", " the", vec![]),
        (&plain, "", " the", vec![Lint::EosAsBos]),
        // "w" and "e" merge into one token: nothing of the continuation is left
        (&bos, "w", "e", vec![Lint::EmptyContinuation, Lint::MergedBoundary]),
        (&bos, "w", "e the", vec![Lint::MergedBoundary]),
        (&bos, "we", "", vec![Lint::EmptyContinuation]),
    ];
    for (tokenizer, context, continuation, expected) in cases {
        assert_eq!(lints(tokenizer, context, continuation), expected, "{context:?} {continuation:?}");
    }
    let merged = request("w", "e").split(&bos, N_CTX);
    assert!(matches!(merged, Err(Error::EmptyContinuation { .. })));
    for lint in [Lint::DoubleBos, Lint::MissingBos, Lint::MergedBoundary, Lint::Truncated, Lint::EosAsBos] {
        assert_eq!(serde_json::to_value(lint).unwrap(), lint.code());
    }
}

#[test]
fn a_merged_boundary_keeps_the_tokens_of_the_context() {
    let tokenizer = tokenizer();
    let found = split(&tokenizer, "w", "e the");
    let alone = tokenizer.encode("w").unwrap();
    assert_eq!(found.ids[1..found.boundary], alone);
    assert_eq!(tokenizer.text(found.ids[found.boundary]), " the");
}

#[test]
fn what_is_too_long_loses_its_beginning() {
    let tokenizer = tokenizer();
    let found = request("we we we we", " the").split(&tokenizer, 3).unwrap();
    // four tokens, of which the last is not run
    assert_eq!((found.ids.len(), found.boundary), (4, 3));
    assert_eq!(found.lints, [Lint::MissingBos, Lint::Truncated]);
    let fits = request("we we", " the").split(&tokenizer, 3).unwrap();
    assert_eq!((fits.ids.len(), fits.lints.len()), (4, 0));
    let long = request("we", " the the the the").split(&tokenizer, 3);
    assert!(matches!(long, Err(Error::LongContinuation { found: 4, n_ctx: 3, .. })), "{long:?}");
}

#[test]
fn windows_score_every_token_once() {
    let tokenizer = plain_tokenizer(None);
    let text = "we the we the we the we the we the";
    let ids = tokenizer.encode(text).unwrap();
    for n_ctx in 1..=ids.len() + 2 {
        let windows = LoglikelihoodRolling { text: text.into() }.windows(&tokenizer, n_ctx).unwrap();
        let scored: Vec<u32> = windows.iter().flat_map(|window| window.ids[window.boundary..].to_vec()).collect();
        assert_eq!(scored, ids);
        for (number, window) in windows.iter().enumerate() {
            let is_last_of_many = number > 0 && number + 1 == windows.len();
            assert!(window.ids.len() <= n_ctx + 1 && (window.boundary == 1 || is_last_of_many), "{window:?}");
            assert!(!is_last_of_many || window.ids.len() == n_ctx + 1);
        }
        assert_eq!(windows[0].lints, [Lint::EosAsBos]);
    }
    let windows = |text: &str| LoglikelihoodRolling { text: text.into() }.windows(&tokenizer, 8).unwrap();
    assert!(windows("").is_empty());
}

#[test]
fn a_tokenizer_that_begins_with_bos_scores_it_when_rolling() {
    let windows = LoglikelihoodRolling { text: "we".into() }.windows(&tokenizer(), N_CTX).unwrap();
    assert_eq!((windows[0].ids.len(), windows[0].boundary), (3, 1));
    assert_eq!(windows[0].lints, [Lint::DoubleBos]);
}

#[test]
fn stops_cut_one_after_another() {
    let cut = |until: &[&str], text: &'static str| {
        let until = until.iter().map(|stop| (*stop).to_owned()).collect();
        let (said, stopped) = GenerateUntil { context: String::new(), until, max_new: 1 }.cut(text);
        (said.to_owned(), stopped)
    };
    assert_eq!(cut(&["\n\n", ".\n"], " a.\n\nb"), (" a.".into(), true));
    assert_eq!(cut(&[".\n", "\n\n"], " a.\n\nb"), (" a".into(), true));
    assert_eq!(cut(&["", "x"], " a"), (" a".into(), false));
}

#[test]
fn a_prompt_leaves_room_for_its_answer() {
    let tokenizer = tokenizer();
    let ids = |max_new| GenerateUntil { context: "we the we".into(), until: Vec::new(), max_new }.ids(&tokenizer, 6);
    assert_eq!((ids(2).unwrap().len(), ids(4).unwrap().len()), (4, 2));
    assert!(matches!(ids(6), Err(Error::NoRoom { max_new: 6, n_ctx: 6 })));
}
