//! Both directions of one fact, each against matched controls, from memory and with the fact in context: what is asked,
//! and what is read from the responses.

use crate::eval::request::{GenerateUntil, Generated, Loglikelihood, Request, Response, Scored, round9};

/// What is asked about one end of a fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// The prompt that names the other end.
    pub(super) prompt: String,
    /// The same after a sentence that states the fact in the opposite direction.
    pub(super) in_context: String,
    /// What stands between the prompt and an answer.
    pub(super) delimiter: &'static str,
    /// The true answers, the item's own first.
    pub(super) answers: Vec<String>,
    /// The names that the item's own answer is compared with.
    pub(super) controls: Vec<String>,
    /// Where a generated answer ends.
    pub(super) until: Vec<String>,
    /// What may come after a right answer: all texts that answers end before.
    pub(super) after: Vec<String>,
    /// The most tokens of a generated answer.
    pub(super) max_new: usize,
}

/// One prompt, with the gold name and its rivals scored after it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Probe {
    /// What the greedy answer is.
    pub(super) said: Said,
    /// Whether the gold name is more likely than every control; a tie counts against it.
    pub(super) best: bool,
    /// Log-likelihood of the gold name for each token, in nats.
    pub(super) mean_logprob: f64,
    /// Log-likelihood of the gold name minus the mean over the controls.
    pub(super) lift: f64,
    /// The rank of the first token of the gold name in the whole vocabulary, from 1.
    pub(super) first_rank: usize,
}

/// What a greedy answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// A true answer, and nothing more.
    Right,
    /// Something in which a true answer stands, as words of its own.
    Named,
    /// Something else.
    Wrong,
}

impl Probe {
    /// Whether the greedy answer is a true answer, and nothing more.
    pub(super) fn exact_match(&self) -> bool {
        self.said == Said::Right
    }

    /// Whether a true answer is somewhere in the greedy answer.
    pub(super) fn named(&self) -> bool {
        self.said != Said::Wrong
    }
}

/// One direction of a fact.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DirectionScore {
    /// From what the model knows.
    pub(super) plain: Probe,
    /// The positive control: with the fact stated in the opposite direction just before.
    pub(super) in_context: Probe,
}

/// What the model is asked, given the forward and the reverse question.
pub(super) fn requests([forward, reverse]: &[Question; 2]) -> Vec<Request> {
    let both = [forward, reverse].into_iter();
    both.flat_map(|question| [(question, &question.prompt), (question, &question.in_context)])
        .flat_map(|(question, prompt)| probe_requests(question, prompt))
        .collect()
}

/// The scores of both directions; `responses` are those to [`requests`], in order. None if some are missing.
pub(super) fn score([forward, reverse]: &[Question; 2], responses: &[Response]) -> Option<[DirectionScore; 2]> {
    let mut responses = responses.iter();
    let forward = direction(forward, &mut responses)?;
    let reverse = direction(reverse, &mut responses)?;
    Some([forward, reverse])
}

/// The gold name, then the controls, then the greedy answer.
fn probe_requests(question: &Question, prompt: &str) -> Vec<Request> {
    let names = question.answers.iter().take(1).chain(&question.controls);
    let scored = names.map(|name| Loglikelihood {
        context: prompt.to_owned(),
        continuation: format!("{}{name}", question.delimiter),
    });
    let mut requests: Vec<Request> = scored.map(Request::Loglikelihood).collect();
    requests.push(Request::GenerateUntil(GenerateUntil {
        context: prompt.to_owned(),
        until: question.until.clone(),
        max_new: question.max_new,
    }));
    requests
}

fn direction<'a>(question: &Question, responses: &mut impl Iterator<Item = &'a Response>) -> Option<DirectionScore> {
    let plain = probe(question, responses)?;
    let in_context = probe(question, responses)?;
    Some(DirectionScore { plain, in_context })
}

fn probe<'a>(question: &Question, responses: &mut impl Iterator<Item = &'a Response>) -> Option<Probe> {
    let mut scored = Vec::with_capacity(1 + question.controls.len());
    for _ in 0..=question.controls.len() {
        let Response::Scored(one) = responses.next()? else { return None };
        scored.push(one);
    }
    let Response::Generated(generated) = responses.next()? else { return None };
    let (gold, controls) = scored.split_first()?;
    let loglik = gold.loglik();
    let mean = controls.iter().map(|control| control.loglik()).sum::<f64>() / controls.len().max(1) as f64;
    Some(Probe {
        said: question.said(generated),
        best: controls.iter().all(|control| control.loglik() < loglik),
        mean_logprob: round9(loglik / gold.logprobs.len().max(1) as f64),
        lift: round9(loglik - mean),
        first_rank: Scored::first_rank(gold),
    })
}

impl Question {
    fn said(&self, generated: &Generated) -> Said {
        match (self.is_answer(generated), self.is_named(generated)) {
            (true, _) => Said::Right,
            (false, true) => Said::Named,
            (false, false) => Said::Wrong,
        }
    }

    /// Whether an answer is a true one, and ends there.
    fn is_answer(&self, generated: &Generated) -> bool {
        let said = generated.text.trim();
        let ends = |rest: &str| rest.is_empty() || self.after.iter().any(|stop| rest.starts_with(stop.as_str()));
        self.answers.iter().any(|answer| said.strip_prefix(answer.as_str()).is_some_and(ends))
    }

    /// Whether a true one is in an answer, with no letter or digit at its ends.
    fn is_named(&self, generated: &Generated) -> bool {
        let said = generated.text.as_str();
        let is_apart = |at: usize, name: &str| {
            let before = said[..at].chars().next_back();
            let after = said[at + name.len()..].chars().next();
            [before, after].into_iter().flatten().all(|c| !c.is_alphanumeric())
        };
        self.answers.iter().any(|name| said.match_indices(name.as_str()).any(|(at, _)| is_apart(at, name)))
    }
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

    fn said(text: &str) -> Generated {
        Generated { text: text.into(), ids: vec![1], stopped: true, ..Generated::default() }
    }

    fn question() -> Question {
        Question {
            prompt: "A is".into(),
            in_context: "B is A. A is".into(),
            delimiter: " ",
            answers: vec!["B".into(), "C".into()],
            controls: vec!["D".into(), "E".into()],
            until: vec![".".into()],
            after: vec![".".into(), ",".into()],
            max_new: 4,
        }
    }

    #[test]
    fn hand_worked_numbers() {
        let cases = [
            // gold, controls, said -> best, lift, mean, exact
            ([-1.0, -2.0], [-4.0, -5.0], " B", true, 1.5, -1.5, true),
            ([-1.0, -3.0], [-4.0, -5.0], " C", false, 0.5, -2.0, true),
            ([-4.0, -3.0], [-4.0, -5.0], " B and the", false, -2.5, -3.5, false),
        ];
        for (gold, controls, text, best, lift, mean, exact) in cases {
            let said = Response::Generated(said(text));
            let responses = [scored(&gold), scored(&controls[..1]), scored(&controls[1..]), said];
            let probe = probe(&question(), &mut responses.iter()).unwrap();
            assert_eq!((probe.best, probe.exact_match(), probe.named()), (best, exact, true));
            assert_eq!((probe.lift, probe.mean_logprob, probe.first_rank), (lift, mean, 3));
        }
    }

    #[test]
    fn an_answer_ends_where_it_may_and_a_name_is_no_part_of_a_word() {
        let question = Question { answers: vec!["Sammy Davis Jr.".into()], ..question() };
        for (text, is_answer, is_named) in [
            (" Sammy Davis Jr.", true, true),
            (" Sammy Davis Jr., the singer", true, true),
            (" Sammy Davis Jr. the singer", false, true),
            (" Sammy Davis Jr", false, false),
            (" It is Sammy Davis Jr..", false, true),
            (" xSammy Davis Jr.", false, false),
            ("", false, false),
        ] {
            assert_eq!(
                (question.is_answer(&said(text)), question.is_named(&said(text))),
                (is_answer, is_named),
                "{text}"
            );
        }
    }

    #[test]
    fn each_direction_asks_plainly_and_in_context() {
        let both = [question(), question()];
        let requests = requests(&both);
        assert_eq!(requests.len(), 16);
        let first = Loglikelihood { context: "A is".into(), continuation: " B".into() };
        assert_eq!(requests[0], Request::Loglikelihood(first));
        assert!(score(&both, &[]).is_none());
    }
}
