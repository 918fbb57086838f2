use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::eval::fixture::{noise, parrot, tokenizer};
use crate::model::FakeLm;

fn loglik(context: &str, continuation: &str) -> Request {
    Request::Loglikelihood(Loglikelihood { context: context.into(), continuation: continuation.into() })
}

fn scored(lm: &FakeLm, requests: &[Request]) -> Vec<Scored> {
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let responses = Scheduler::new(lm, &tokenizer, &cancel).answer(requests).unwrap();
    responses.into_iter().map(|r| if let Response::Scored(s) = r { s } else { panic!("{r:?}") }).collect()
}

#[test]
fn trailing_spaces_move_to_the_continuation() {
    let tokenizer = tokenizer();
    let split = |context: &str, continuation: &str| {
        Loglikelihood { context: context.into(), continuation: continuation.into() }.split(&tokenizer).unwrap()
    };
    let plain = split("we", " the");
    assert_eq!((plain.boundary, plain.ids.len()), (2, 3), "BOS, we | the");
    assert_eq!(split("we ", "the"), plain);
    assert_eq!(tokenizer.text(plain.ids[2]), " the");
    assert_eq!(split("", "the").boundary, 1);
    // "w" and "e" merge into one token, which leaves the continuation without any
    let merged = Loglikelihood { context: "w".into(), continuation: "e".into() }.split(&tokenizer);
    assert!(matches!(merged, Err(Error::EmptyContinuation { .. })));
}

#[test]
fn a_hand_worked_loglikelihood() {
    // 288 equal logits, but the token after "we" that starts " the" has logit 10
    let found = &scored(&parrot(&["we the"]), &[loglik("we", " the"), loglik("we", " and on")]);
    let total = (10f64.exp() + 287.0).ln();
    assert!((found[0].loglik() - (10.0 - total)).abs() < 1e-8);
    assert!(found[0].is_greedy && found[0].first_rank == 1);
    assert!((found[1].loglik() - (-total - 288f64.ln())).abs() < 1e-8);
    assert!(!found[1].is_greedy && found[1].first_rank == 2);
}

#[test]
fn equal_requests_and_shared_contexts_run_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let lm = FakeLm::new(288, 512, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        vec![0.0; 288]
    });
    // context: BOS and "we"; the first continuation has one token, the second two
    scored(&lm, &[loglik("we", " the"), loglik("we", " the and"), loglik("we", " the and"), loglik("we", " the")]);
    assert_eq!(calls.load(Ordering::Relaxed), 2 + 1);
}

#[test]
fn neither_order_nor_company_changes_a_score() {
    let requests = [loglik("we", " the"), loglik("we there", " on and on"), loglik("we", " there to")];
    let forward = scored(&noise(), &requests);
    let reversed: Vec<Request> = requests.iter().rev().cloned().collect();
    let mut backward = scored(&noise(), &reversed);
    backward.reverse();
    assert_eq!(forward, backward);
    for (request, expected) in requests.iter().zip(&forward) {
        assert_eq!(&scored(&noise(), std::slice::from_ref(request))[0], expected);
    }
}

#[test]
fn generation_ends_before_the_stop() {
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let say = |sentence: &str, max_new| {
        let lm = parrot(&[sentence]);
        let request = GenerateUntil { context: "we".into(), until: vec![".".into()], max_new };
        let mut found = Scheduler::new(&lm, &tokenizer, &cancel).answer(&[Request::GenerateUntil(request)]).unwrap();
        if let Some(Response::Generated(found)) = found.pop() { (found.text, found.stopped) } else { panic!() }
    };
    assert_eq!(say("we there on.", 8), ("there on".into(), true));
    assert_eq!(say("we there<|end_of_text|>", 8), ("there".into(), true));
    assert_eq!(say("we there on.", 1), ("there".into(), false));
}

#[test]
fn what_cannot_be_scored_is_an_error() {
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let answer = |lm: &FakeLm| Scheduler::new(lm, &tokenizer, &cancel).answer(&[loglik("we", " the")]).unwrap_err();
    let nan = FakeLm::new(288, 512, |_| vec![f32::NAN; 288]);
    assert!(matches!(answer(&nan), Error::NotFinite { .. }));
    let small = FakeLm::new(10, 512, |_| vec![0.0; 10]);
    assert!(matches!(answer(&small), Error::OutsideVocabulary { d_vocab: 10, .. }));
    cancel.cancel();
    assert!(matches!(answer(&noise()), Error::Model(model::Error::Cancelled)));
}
