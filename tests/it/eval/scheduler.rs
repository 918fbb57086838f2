//! On a real decoder: what a request gets does not depend on its company.

use lmscope::eval::request::{GenerateUntil, Loglikelihood, LoglikelihoodRolling, Request, Response, Scored};
use lmscope::eval::scheduler::{Contexts, Options, Scheduler};
use lmscope::model::{CancelToken, CausalLm};

use super::lm_eval::open;

/// How far arithmetic in batches may move a log-probability. Measured: see docs/evaluation.md.
const NOISE_FLOOR: f64 = 1e-4;

/// Four choices after each of some questions that share a header, a text, and an answer.
fn requests() -> Vec<Request> {
    let header = "The cat sat on a mat. The capital of France is Paris. 12 + 30 = 42. ".repeat(3);
    let mut requests = Vec::new();
    for question in ["The cat sat on a", "12 + 30 =", "The capital of France is", "Who is"] {
        let context = format!("{header}{question}");
        for choice in [" mat", " 42", " Paris", " a dog that sat on a mat in the house"] {
            let continuation = choice.to_owned();
            requests.push(Request::Loglikelihood(Loglikelihood { context: context.clone(), continuation }));
        }
        requests.push(Request::LoglikelihoodRolling(LoglikelihoodRolling { text: context.clone() }));
        requests.push(Request::GenerateUntil(GenerateUntil { context, until: vec![".".into()], max_new: 6 }));
    }
    requests
}

fn logprobs(response: &Response) -> Vec<f64> {
    match response {
        Response::Scored(scored) => scored.logprobs.clone(),
        Response::Rolled(rolled) => rolled.windows.iter().flat_map(|window: &Scored| window.logprobs.clone()).collect(),
        Response::Generated(_) | Response::Told(_) => Vec::new(),
    }
}

#[test]
fn scores_do_not_depend_on_order_or_cache_and_hardly_on_the_batch() {
    for name in ["slide/base", "models/tiny-gpt2", "models/tiny-llama"] {
        let (model, tokenizer) = open(name);
        let cancel = CancelToken::default();
        let lm: &dyn CausalLm = &model.decoder;
        let requests: Vec<Request> = if lm.config().n_ctx > 128 { requests() } else { requests().split_off(18) };
        let answer = |options, asked: &[Request]| {
            Scheduler::new(lm, &tokenizer, &cancel).with_options(options).answer(asked).unwrap()
        };
        let expected = answer(Options::default(), &requests);
        let forgotten = Options { contexts: Contexts::Forgotten, ..Options::default() };
        assert_eq!(answer(forgotten, &requests), expected, "{name}");
        let backward: Vec<Request> = requests.iter().rev().cloned().collect();
        let mut found = answer(Options::default(), &backward);
        found.reverse();
        assert_eq!(found, expected, "{name}");
        for (request, expected) in requests.iter().zip(&expected) {
            let alone = answer(Options::default(), std::slice::from_ref(request));
            assert_eq!(alone.as_slice(), std::slice::from_ref(expected), "{name}");
        }
        let mut worst = 0.0f64;
        for batch in 2..=4 {
            let found = answer(Options { batch, ..Options::default() }, &requests);
            for (found, expected) in found.iter().zip(&expected) {
                let (found, expected) = (logprobs(found), logprobs(expected));
                assert_eq!(found.len(), expected.len());
                worst = found.iter().zip(expected).fold(worst, |worst, (a, b)| worst.max((a - b).abs()));
            }
        }
        println!("{name}: batches move a log-probability by at most {worst:.1e}");
        assert!(worst < NOISE_FLOOR, "{name}: {worst}");
    }
}
