//! Both directions of one fact, each against matched controls, from memory and with the fact in context.

use super::{DirectionScore, ItemRecord, Probe, Question, Scorer};
use crate::eval::item::Item;
use crate::eval::request::{GenerateUntil, Loglikelihood, Request, Response, Scored, round9};

/// See the module.
pub(super) struct DirectionPair;

impl Scorer for DirectionPair {
    fn name(&self) -> &'static str {
        "direction-pair"
    }

    fn about(&self) -> &'static str {
        "Asks a fact in both directions and compares the answer with matched control names"
    }

    fn requests(&self, forward: &Question, reverse: &Question) -> Vec<Request> {
        let both = [forward, reverse].into_iter();
        both.flat_map(|question| [(question, &question.prompt), (question, &question.in_context)])
            .flat_map(|(question, prompt)| probe_requests(question, prompt))
            .collect()
    }

    fn score(
        &self,
        item: &Item,
        forward: &Question,
        reverse: &Question,
        responses: Vec<Response>,
    ) -> Option<ItemRecord> {
        let mut responses = responses.into_iter();
        let forward = direction(forward, &mut responses)?;
        let reverse = direction(reverse, &mut responses)?;
        Some(ItemRecord { item: item.clone(), forward, reverse })
    }
}

/// The gold name, then the controls, then the greedy answer.
fn probe_requests(question: &Question, prompt: &str) -> Vec<Request> {
    let names = question.answers.iter().take(1).chain(&question.controls);
    let scored = names.map(|name| Loglikelihood { context: prompt.to_owned(), continuation: format!(" {name}") });
    let mut requests: Vec<Request> = scored.map(Request::Loglikelihood).collect();
    requests.push(Request::GenerateUntil(GenerateUntil {
        context: prompt.to_owned(),
        until: question.until.clone(),
        max_new: question.max_new,
    }));
    requests
}

fn direction(question: &Question, responses: &mut impl Iterator<Item = Response>) -> Option<DirectionScore> {
    let plain = probe(question, &question.prompt, responses)?;
    let in_context = probe(question, &question.in_context, responses)?;
    Some(DirectionScore { plain, in_context })
}

fn probe(question: &Question, prompt: &str, responses: &mut impl Iterator<Item = Response>) -> Option<Probe> {
    let mut scored = Vec::with_capacity(1 + question.controls.len());
    for _ in 0..=question.controls.len() {
        let Response::Scored(one) = responses.next()? else { return None };
        scored.push(one);
    }
    let Response::Generated(mut generated) = responses.next()? else { return None };
    generated.text = generated.text.trim().to_owned();
    let gold = scored.remove(0);
    let loglik = gold.loglik();
    let rank = 1 + scored.iter().filter(|control| control.loglik() >= loglik).count();
    let mean = scored.iter().map(Scored::loglik).sum::<f64>() / scored.len().max(1) as f64;
    Some(Probe {
        prompt: prompt.to_owned(),
        exact_match: question.answers.contains(&generated.text),
        best: rank == 1,
        rank,
        loglik,
        mean_logprob: round9(loglik / gold.logprobs.len().max(1) as f64),
        lift: round9(loglik - mean),
        gold,
        controls: scored,
        generated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::request::Generated;

    fn scored(logprobs: &[f64]) -> Response {
        let (text, ids) = (" x".to_owned(), vec![0; 1 + logprobs.len()]);
        let logprobs = logprobs.to_vec();
        Response::Scored(Scored {
            text,
            ids,
            boundary: 1,
            logprobs,
            ranks: vec![3],
            is_greedy: false,
            top: Vec::new(),
            lints: Vec::new(),
        })
    }

    fn question() -> Question {
        Question {
            prompt: "A is".into(),
            in_context: "B is A. A is".into(),
            answers: vec!["B".into(), "C".into()],
            controls: vec!["D".into(), "E".into()],
            until: vec![".".into()],
            max_new: 4,
        }
    }

    #[test]
    fn hand_worked_numbers() {
        let said = |text: &str| Response::Generated(Generated { text: text.into(), ids: vec![1], stopped: true });
        let cases = [
            // gold, controls, said -> rank, lift, mean, exact
            ([-1.0, -2.0], [-4.0, -5.0], "B", 1, 1.5, -1.5, true),
            ([-1.0, -3.0], [-4.0, -5.0], "C", 2, 0.5, -2.0, true),
            ([-4.0, -3.0], [-4.0, -5.0], "B, the", 3, -2.5, -3.5, false),
        ];
        for (gold, controls, text, rank, lift, mean, exact) in cases {
            let mut responses =
                vec![scored(&gold), scored(&controls[..1]), scored(&controls[1..]), said(text)].into_iter();
            let probe = probe(&question(), "A is", &mut responses).unwrap();
            assert_eq!((probe.rank, probe.best, probe.exact_match), (rank, rank == 1, exact));
            assert_eq!((probe.lift, probe.mean_logprob), (lift, mean));
        }
    }

    #[test]
    fn each_direction_asks_plainly_and_in_context() {
        let requests = DirectionPair.requests(&question(), &question());
        assert_eq!(requests.len(), 16);
        let first = Loglikelihood { context: "A is".into(), continuation: " B".into() };
        assert_eq!(requests[0], Request::Loglikelihood(first));
        assert!(DirectionPair.score(&crate::eval::fixture::item(0), &question(), &question(), Vec::new()).is_none());
    }
}
