use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::eval::fixture::{noise, parrot, plain_tokenizer, tokenizer};
use crate::eval::request::{GenerateUntil, Loglikelihood, LoglikelihoodRolling, SampleUntil};
use crate::model::{self, FakeLm};

fn loglik(context: &str, continuation: &str) -> Request {
    Request::Loglikelihood(Loglikelihood { context: context.into(), continuation: continuation.into() })
}

fn scored(lm: &FakeLm, requests: &[Request]) -> Vec<Scored> {
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let responses = Scheduler::new(lm, &tokenizer, &cancel).answer(requests).unwrap();
    responses.into_iter().map(|r| if let Response::Scored(s) = r { s } else { panic!("{r:?}") }).collect()
}

#[test]
fn a_hand_worked_loglikelihood() {
    // 288 equal logits, but the token after "we" that starts " the" has logit 10
    let found = &scored(&parrot(&["we the"]), &[loglik("we", " the"), loglik("we", " and on")]);
    let total = (10f64.exp() + 287.0).ln();
    assert!((found[0].loglik() - (10.0 - total)).abs() < 1e-6);
    assert!(found[0].is_greedy && found[0].first_rank() == 1);
    assert!((found[1].loglik() - (-total - 288f64.ln())).abs() < 1e-6);
    assert!(!found[1].is_greedy && found[1].first_rank() == 2);
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
    assert_eq!(say("we there on.", 8), (" there on".into(), true));
    assert_eq!(say("we there<|end_of_text|>", 8), (" there".into(), true));
    assert_eq!(say("we there on.", 1), (" there".into(), false));
}

fn sampled(lm: &FakeLm, temperature_milli: u32, seeds: std::ops::Range<u64>, max_new: usize) -> Vec<Generated> {
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let asked = GenerateUntil { context: "we".into(), until: Vec::new(), max_new };
    let request = |seed| Request::SampleUntil(SampleUntil { asked: asked.clone(), temperature_milli, seed });
    let requests: Vec<Request> = seeds.map(request).collect();
    let found = Scheduler::new(lm, &tokenizer, &cancel).answer(&requests).unwrap();
    found.into_iter().map(|one| if let Response::Generated(said) = one { said } else { panic!("{one:?}") }).collect()
}

#[test]
fn tokens_are_drawn_as_often_as_they_are_probable() {
    // logits ln 6, ln 3 and ln 1, of three tokens alone: probabilities 0.6, 0.3, 0.1, and at temperature 1/2 by their squares
    let lm = FakeLm::new(288, 512, |_| {
        let mut logits = vec![f32::NEG_INFINITY; 288];
        for (id, weight) in [(40, 6f32), (41, 3.0), (200, 1.0)] {
            logits[id] = weight.ln();
        }
        logits
    });
    for (temperature_milli, weights) in [(1000, [6.0, 3.0, 1.0]), (500, [36.0, 9.0, 1.0])] {
        let said = sampled(&lm, temperature_milli, 0..3000, 2);
        let total: f64 = weights.iter().sum();
        for place in [0, 1] {
            for (id, weight) in [40, 41, 200].into_iter().zip(weights) {
                let share = weight / total;
                let found = said.iter().filter(|said| said.ids[place] == id).count() as f64 / 3000.0;
                let error = (share * (1.0 - share) / 3000.0).sqrt();
                assert!((found - share).abs() < 4.0 * error, "{temperature_milli} {place} {id}: {found} {share}");
            }
        }
        // log-probabilities are the model's own, whatever the temperature
        let first = said.iter().find(|said| said.ids[0] == 41).unwrap();
        assert!((first.logprobs[0] - 0.3f64.ln()).abs() < 1e-6 && first.logprobs.len() == 2);
        // so is the entropy of the first token
        let entropy: f64 = [0.6f64, 0.3, 0.1].iter().map(|p| -p * p.ln()).sum();
        assert!((first.entropy.unwrap() - entropy).abs() < 1e-6);
    }
}

#[test]
fn an_answer_is_that_of_its_seed_and_a_cold_one_is_the_likeliest() {
    let said = sampled(&noise(), 1000, 0..16, 6);
    assert_eq!(said, sampled(&noise(), 1000, 0..16, 6));
    assert_eq!(said[3], sampled(&noise(), 1000, 3..4, 6)[0]);
    let different: std::collections::HashSet<&[u32]> = said.iter().map(|said| said.ids.as_slice()).collect();
    assert!(different.len() > 12, "{}", different.len());
    let cold = &sampled(&noise(), 1, 0..1, 6)[0];
    let (tokenizer, cancel, lm) = (tokenizer(), CancelToken::default(), noise());
    let greedy = GenerateUntil { context: "we".into(), until: Vec::new(), max_new: 6 };
    let greedy = Scheduler::new(&lm, &tokenizer, &cancel).answer(&[Request::GenerateUntil(greedy)]).unwrap();
    assert!(matches!(&greedy[0], Response::Generated(greedy) if greedy.ids == cold.ids && greedy.logprobs.is_empty()));
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

/// Requests of every kind, many of which begin alike, some of which are equal.
fn mixture() -> Vec<Request> {
    let header = "we there on and on to the end. ".repeat(8);
    let mut requests = Vec::new();
    for question in ["we", "we there", "on", "to the end"] {
        let context = format!("{header}{question}");
        for choice in [" the", " the and on", " there", " on and on"] {
            requests.push(loglik(&context, choice));
            requests.push(loglik(question, choice));
        }
        requests.push(Request::LoglikelihoodRolling(LoglikelihoodRolling { text: context.clone() }));
        for (seed, temperature_milli) in [(1, 1000), (2, 1000), (1, 500)] {
            let asked = GenerateUntil { context: context.clone(), until: vec!["e".into()], max_new: 3 };
            requests.push(Request::SampleUntil(SampleUntil { asked, temperature_milli, seed }));
        }
        requests.push(Request::GenerateUntil(GenerateUntil { context, until: vec!["e".into()], max_new: 4 }));
    }
    requests.push(requests[0].clone());
    requests
}

fn shuffled<T>(items: &mut [T], mut seed: u64) {
    for end in (1..items.len()).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        items.swap(end, usize::try_from(seed >> 33).unwrap() % (end + 1));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    #[test]
    fn no_batch_order_memory_or_cache_changes_a_response(
        batch in 1usize..=64, seed: u64, calls in 1usize..4, shared: bool, memory in 0u64..=400_000,
    ) {
        let (tokenizer, cancel, lm) = (tokenizer(), CancelToken::default(), noise());
        let requests = mixture();
        let expected: Vec<Response> = requests
            .iter()
            .map(|one| Scheduler::new(&lm, &tokenizer, &cancel).answer(std::slice::from_ref(one)).unwrap().remove(0))
            .collect();
        let mut order: Vec<usize> = (0..requests.len()).collect();
        shuffled(&mut order, seed);
        let contexts = if shared { Contexts::Shared } else { Contexts::Forgotten };
        let options = Options { batch, memory, contexts, ..Options::default() };
        let mut scheduler = Scheduler::new(&lm, &tokenizer, &cancel).with_options(options);
        for part in order.chunks(order.len().div_ceil(calls)) {
            let asked: Vec<Request> = part.iter().map(|index| requests[*index].clone()).collect();
            for (index, found) in part.iter().zip(scheduler.answer(&asked).unwrap()) {
                proptest::prop_assert_eq!(&found, &expected[*index]);
            }
        }
    }
}

#[test]
fn a_common_beginning_is_run_once() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let lm = FakeLm::new(288, 512, move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        vec![0.0; 288]
    });
    let header = "we there on and on to the end. ".repeat(16);
    let n_header = tokenizer().encode(&header).unwrap().len();
    let requests: Vec<Request> = (0..20).map(|n| loglik(&format!("{header}{n}"), " on")).collect();
    scored(&lm, &requests);
    let run = calls.load(Ordering::Relaxed);
    assert!(n_header > 160 && run < n_header + 20 * 36, "{run} positions for a header of {n_header}");
}

#[test]
fn a_response_is_handed_to_each_that_asked_until_one_breaks_off() {
    let (tokenizer, cancel, lm) = (tokenizer(), CancelToken::default(), noise());
    let requests = [loglik("we", " the"), loglik("we", " on"), loglik("we", " the")];
    let heard = |last: usize| {
        let mut seen = Vec::new();
        let mut each = |index: usize, _: &Response| {
            seen.push(index);
            if seen.len() == last { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        Scheduler::new(&lm, &tokenizer, &cancel).answer_each(&requests, &mut each).unwrap();
        seen
    };
    assert_eq!(heard(9), [0, 2, 1]);
    assert_eq!(heard(1), [0]);
}

#[test]
fn an_empty_text_is_answered_with_nothing() {
    let (tokenizer, cancel, lm) = (plain_tokenizer(Some(0)), CancelToken::default(), noise());
    let request = Request::LoglikelihoodRolling(LoglikelihoodRolling { text: String::new() });
    let found = Scheduler::new(&lm, &tokenizer, &cancel).answer(&[request, loglik("we", " the")]).unwrap();
    assert_eq!((found.len(), &found[0]), (2, &Response::Rolled(Rolled { windows: Vec::new() })));
}

#[test]
fn an_error_says_whose_it_is() {
    let (tokenizer, cancel, lm) = (tokenizer(), CancelToken::default(), noise());
    let requests = [loglik("we", " the"), loglik("we", ""), loglik("we", " on")];
    let failed = Scheduler::new(&lm, &tokenizer, &cancel).answer_each(&requests, &mut |_, _| ControlFlow::Continue(()));
    assert_eq!(failed.unwrap_err().index, 1);
}

#[test]
fn the_likeliest_tokens_stand_beside_the_first_one() {
    let (tokenizer, cancel, lm) = (tokenizer(), CancelToken::default(), parrot(&["we the"]));
    let top = |top_k| {
        let options = Options { top_k, ..Options::default() };
        let mut scheduler = Scheduler::new(&lm, &tokenizer, &cancel).with_options(options);
        let Some(Response::Scored(scored)) = scheduler.answer(&[loglik("we", " the")]).unwrap().pop() else { panic!() };
        assert_eq!((scored.ranks.len(), scored.ranks[0]), (scored.logprobs.len(), 1));
        scored.top
    };
    let first = tokenizer.encode(" the").unwrap()[0];
    let (likeliest, rest) = (10.0 - (10f64.exp() + 287.0).ln(), -(10f64.exp() + 287.0).ln());
    let found = top(3);
    assert_eq!(found.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [first, 0, 1]);
    assert!((found[0].1 - likeliest).abs() < 1e-6 && (found[2].1 - rest).abs() < 1e-6);
    assert!(top(0).is_empty());
    assert_eq!(top(1000).len(), 288);
}

#[test]
fn long_texts_roll_over_windows() {
    let text = "we there on and on. ".repeat(60);
    let (tokenizer, cancel) = (tokenizer(), CancelToken::default());
    let lm = FakeLm::new(288, 100, |_| vec![0.0; 288]);
    let request = Request::LoglikelihoodRolling(LoglikelihoodRolling { text: text.clone() });
    let Some(Response::Rolled(rolled)) = Scheduler::new(&lm, &tokenizer, &cancel).answer(&[request]).unwrap().pop()
    else {
        panic!()
    };
    let tokens = 1 + tokenizer.encode(&text).unwrap().len();
    assert_eq!(rolled.windows.len(), tokens.div_ceil(100));
    assert!((rolled.loglik() + tokens as f64 * 288f64.ln()).abs() < 1e-6);
}
