//! Both directions of one fact, each against matched controls, from memory and with the fact in context: what is asked,
//! and what is read from the responses.

use serde::{Deserialize, Serialize};

use super::item::Item;
use crate::eval::request::{GenerateUntil, Generated, Loglikelihood, Request, Response, Scored, round9};

/// What is asked about one end of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// The prompt that names the other end.
    pub prompt: String,
    /// The same after a sentence that states the fact in the opposite direction.
    pub in_context: String,
    /// The true answers, the item's own first.
    pub answers: Vec<String>,
    /// The names that the item's own answer is compared with.
    pub controls: Vec<String>,
    /// Where a generated answer ends.
    pub until: Vec<String>,
    /// The most tokens of a generated answer.
    pub max_new: usize,
}

/// One prompt, with the gold name and its rivals scored after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// The prompt.
    pub prompt: String,
    /// Whether the greedy answer is a true answer, and nothing more.
    pub exact_match: bool,
    /// Whether the gold name is more likely than every control; a tie counts against it.
    pub best: bool,
    /// The rank of the gold name among itself and the controls, from 1; a tie counts against it.
    pub rank: usize,
    /// Log-likelihood of the gold name, in nats.
    pub loglik: f64,
    /// The same for each token.
    pub mean_logprob: f64,
    /// Log-likelihood of the gold name minus the mean over the controls.
    pub lift: f64,
    /// The gold name.
    pub gold: Scored,
    /// The control names.
    pub controls: Vec<Scored>,
    /// The greedy answer.
    pub generated: Generated,
}

/// One direction of a fact.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DirectionScore {
    /// From what the model knows.
    pub plain: Probe,
    /// The positive control: with the fact stated in the opposite direction just before.
    pub in_context: Probe,
}

/// The scores of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemRecord {
    /// The item.
    pub item: Item,
    /// Asking a for b.
    pub forward: DirectionScore,
    /// Asking b for a.
    pub reverse: DirectionScore,
}

/// What the model is asked, given the forward and the reverse question.
pub(super) fn requests(forward: &Question, reverse: &Question) -> Vec<Request> {
    let both = [forward, reverse].into_iter();
    both.flat_map(|question| [(question, &question.prompt), (question, &question.in_context)])
        .flat_map(|(question, prompt)| probe_requests(question, prompt))
        .collect()
}

/// The scores; `responses` are those to [`requests`], in order. None if some are missing.
pub(super) fn score(
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
        let said = |text: &str| {
            let text = text.to_owned();
            Response::Generated(Generated { text, ids: vec![1], stopped: true, ..Generated::default() })
        };
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
        let requests = requests(&question(), &question());
        assert_eq!(requests.len(), 16);
        let first = Loglikelihood { context: "A is".into(), continuation: " B".into() };
        assert_eq!(requests[0], Request::Loglikelihood(first));
        assert!(score(&crate::eval::fixture::item(0), &question(), &question(), Vec::new()).is_none());
    }
}
