//! On a real decoder: what a request gets does not depend on its company.

use lmscope::eval::request::{GenerateUntil, Loglikelihood, LoglikelihoodRolling, Request, Response};
use lmscope::eval::scheduler::{Contexts, Options, Scheduler};
use lmscope::intervene::{Intervened, Interventions, Runs, Spec};
use lmscope::model::{CancelToken, CausalLm, Dtype};
use lmscope::text::Tokenizer;

use super::lm_eval::open;
use crate::support::{load_as, project};

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

/// The model with as many requests as its context has room for.
fn asked(lm: &dyn CausalLm) -> Vec<Request> {
    if lm.config().n_ctx > 128 { requests() } else { requests().split_off(18) }
}

/// That whatever is asked together, in any order and any number at a time, gets what each request gets alone.
fn check(name: &str, lm: &dyn CausalLm, tokenizer: &Tokenizer) {
    let (requests, cancel) = (asked(lm), CancelToken::default());
    let answer = |options, asked: &[Request]| {
        Scheduler::new(lm, tokenizer, &cancel).with_options(options).answer(asked).unwrap()
    };
    let forgotten = Options { batch: 1, contexts: Contexts::Forgotten, ..Options::default() };
    let alone = |request| answer(forgotten, std::slice::from_ref(request)).remove(0);
    let expected: Vec<Response> = requests.iter().map(alone).collect();
    let scored = expected.iter().filter(|response| matches!(response, Response::Scored(_))).count();
    assert!(scored >= 4, "{name}");
    for batch in [1, 2, 3, 5, 8, 13, 33, 64] {
        for memory in [0, 3_000_000, Options::default().memory] {
            let mut order: Vec<usize> = (0..requests.len()).collect();
            order.rotate_left(batch % requests.len());
            order.reverse();
            let asked: Vec<Request> = order.iter().map(|&at| requests[at].clone()).collect();
            let found = answer(Options { batch, memory, ..Options::default() }, &asked);
            for (&at, found) in order.iter().zip(&found) {
                assert_eq!(found, &expected[at], "{name}: {batch} together in {memory} bytes, request {at}");
            }
        }
    }
    // what is remembered of one call changes nothing in the next
    let mut scheduler = Scheduler::new(lm, tokenizer, &cancel);
    for part in [0..7, 3..requests.len(), 0..requests.len()] {
        let part = part.start..part.end.min(requests.len());
        assert_eq!(scheduler.answer(&requests[part.clone()]).unwrap(), expected[part], "{name}");
    }
}

#[test]
fn no_score_depends_on_company_order_batch_or_memory() {
    for name in ["slide/base", "models/tiny-gpt2", "models/tiny-llama", "models/tiny-gpt-neox"] {
        let (model, tokenizer) = open(name);
        check(name, &model.decoder, &tokenizer);
    }
}

#[test]
fn nor_with_interventions_experts_or_other_numbers() {
    let (model, tokenizer) = open("slide/base");
    let cancel = CancelToken::default();
    let specs = ["scale:L1.mlp*0.5", "zero:L0H1@3-7"].map(|spec| spec.parse::<Spec>().unwrap());
    let interventions = Interventions::prepare(&specs, &model.decoder, Runs::default(), &cancel).unwrap();
    let plain = Intervened::new(&model.decoder, &interventions);
    assert!(plain.seam() > 1);
    check("an intervened model", &plain, &tokenizer);
    for dtype in [Dtype::Bf16, Dtype::F64] {
        let model = load_as(&project("fixtures/slide/base"), dtype);
        check(dtype.name(), &model.decoder, &tokenizer);
    }
}
