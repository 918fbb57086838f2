//! Multiple choice: each choice is scored after the context, and the most likely one is the answer.

use super::request::{Loglikelihood, Request, Scored};
use crate::model::sample::softmax;

/// A question with choices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipleChoice {
    /// What is given.
    pub context: String,
    /// What stands between the context and a choice.
    pub delimiter: String,
    /// The choices.
    pub choices: Vec<String>,
    /// Which of them are right.
    pub gold: Vec<usize>,
}

/// Which choice is taken, in five ways, and what that is worth. Of equal choices the first is taken.
#[derive(Debug, Clone, PartialEq)]
pub struct ChoiceScore {
    /// The most likely choice.
    pub choice: usize,
    /// The one most likely for each character of it.
    pub choice_norm: usize,
    /// The one most likely for each byte of it.
    pub choice_bytes: usize,
    /// The one most likely for each token of it.
    pub choice_tokens: usize,
    /// The share of right ones among the choices with the fewest characters.
    pub shortest: f64,
    /// The one that gains most by the context, if the choices were scored without it.
    pub choice_mutual_info: Option<usize>,
    /// Whether a right choice is what the model would write.
    pub exact_match: bool,
    /// The probabilities of the choices among themselves.
    pub probs: Vec<f64>,
    gold: Vec<usize>,
}

impl MultipleChoice {
    /// One request a choice.
    pub fn requests(&self) -> Vec<Request> {
        self.after(&self.context)
    }

    /// One request a choice, without the context: what `acc_mutual_info` needs besides.
    pub fn unconditional(&self) -> Vec<Request> {
        self.after("")
    }

    fn after(&self, context: &str) -> Vec<Request> {
        let continuation = |choice: &String| format!("{}{choice}", self.delimiter);
        let request = |choice| Loglikelihood { context: context.to_owned(), continuation: continuation(choice) };
        self.choices.iter().map(|choice| Request::Loglikelihood(request(choice))).collect()
    }

    /// Reads the responses to [`requests`](Self::requests), and to [`unconditional`](Self::unconditional) if it was
    /// asked; none if some are missing or there is no choice.
    pub fn score(&self, scored: &[Scored], unconditional: &[Scored]) -> Option<ChoiceScore> {
        let n = self.choices.len();
        if n == 0 || scored.len() != n || !(unconditional.is_empty() || unconditional.len() == n) {
            return None;
        }
        let logliks: Vec<f64> = scored.iter().map(Scored::loglik).collect();
        let best = |value: &dyn Fn(usize) -> f64| first_largest(&(0..n).map(value).collect::<Vec<_>>());
        let gain = |k: usize| logliks[k] - unconditional[k].loglik();
        Some(ChoiceScore {
            choice: best(&|k| logliks[k]),
            choice_norm: best(&|k| logliks[k] / self.choices[k].chars().count() as f64),
            choice_bytes: best(&|k| logliks[k] / self.choices[k].len() as f64),
            choice_tokens: best(&|k| logliks[k] / scored[k].logprobs.len() as f64),
            shortest: self.shortest(),
            choice_mutual_info: (!unconditional.is_empty()).then(|| best(&gain)),
            exact_match: self.gold.iter().any(|k| scored.get(*k).is_some_and(|scored| scored.is_greedy)),
            probs: softmax(&logliks),
            gold: self.gold.clone(),
        })
    }

    /// The share of right ones among the choices with the fewest characters.
    fn shortest(&self) -> f64 {
        let lengths: Vec<usize> = self.choices.iter().map(|choice| choice.chars().count()).collect();
        let fewest = lengths.iter().min().copied().unwrap_or(0);
        let shortest: Vec<usize> = (0..lengths.len()).filter(|k| lengths[*k] == fewest).collect();
        shortest.iter().filter(|k| self.gold.contains(k)).count() as f64 / shortest.len() as f64
    }
}

impl ChoiceScore {
    /// Whether a right choice is the most likely one.
    pub fn acc(&self) -> bool {
        self.gold.contains(&self.choice)
    }

    /// The same for each character.
    pub fn acc_norm(&self) -> bool {
        self.gold.contains(&self.choice_norm)
    }

    /// The same for each byte.
    pub fn acc_bytes(&self) -> bool {
        self.gold.contains(&self.choice_bytes)
    }

    /// The same for each token.
    pub fn acc_tokens(&self) -> bool {
        self.gold.contains(&self.choice_tokens)
    }

    /// Whether a right choice gains most by the context.
    pub fn acc_mutual_info(&self) -> Option<bool> {
        self.choice_mutual_info.map(|choice| self.gold.contains(&choice))
    }

    /// The share of the probability of all choices that the right ones have: MC2 of `TruthfulQA`.
    pub fn mass(&self) -> f64 {
        let is_gold = |k: &usize| self.gold.contains(k);
        (0..self.probs.len()).filter(is_gold).map(|k| self.probs[k]).sum()
    }

    /// The squared distance of the probabilities from certainty of the first right choice.
    pub fn brier(&self) -> f64 {
        let certain = |k| if self.gold.first() == Some(&k) { 1.0 } else { 0.0 };
        self.probs.iter().enumerate().map(|(k, prob)| (prob - certain(k)).powi(2)).sum()
    }
}

fn first_largest(values: &[f64]) -> usize {
    (1..values.len()).fold(0, |best, k| if values[k] > values[best] { k } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(logprobs: &[f64]) -> Scored {
        Scored {
            text: String::new(),
            ids: Vec::new(),
            boundary: 0,
            logprobs: logprobs.to_vec(),
            ranks: Vec::new(),
            is_greedy: false,
            top: Vec::new(),
            lints: Vec::new(),
        }
    }

    #[test]
    fn tokens_and_length_decide_by_hand_worked_numbers() {
        let choice = |choices: &[&str], gold: &[usize]| MultipleChoice {
            context: String::new(),
            delimiter: String::new(),
            choices: choices.iter().map(|choice| (*choice).to_owned()).collect(),
            gold: gold.to_vec(),
        };
        // -2 of one token, -3 of three: the sum prefers the first, a token the second
        let found = choice(&["ab", "longer"], &[1]).score(&[scored(&[-2.0]), scored(&[-1.0; 3])], &[]).unwrap();
        assert_eq!((found.acc(), found.acc_tokens()), (false, true));
        let shortest = |choices: &[&str], gold: &[usize]| choice(choices, gold).shortest();
        let found = [
            shortest(&["ab", "longer"], &[1]),
            shortest(&["äö", "longer"], &[0]),
            // of two that are as short, one is right: where it stands does not matter
            shortest(&["ab", "cd", "longer"], &[0]),
            shortest(&["ab", "cd", "longer"], &[1, 2]),
        ];
        for (found, expected) in found.into_iter().zip([0.0, 1.0, 0.5, 0.5]) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }
}
