//! From answers to figures, with the names and the arithmetic of lm-evaluation-harness.

use serde::{Deserialize, Serialize};

/// A text that was scored as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TextScore {
    /// Its log-likelihood, in nats.
    pub loglik: f64,
    /// Its words, by [`words`].
    pub words: usize,
    /// Its bytes.
    pub bytes: usize,
}

impl TextScore {
    /// The score of a text as it is counted, which may not be the text as it was scored.
    pub fn new(loglik: f64, counted: &str) -> Self {
        Self { loglik, words: words(counted), bytes: counted.len() }
    }
}

/// How many words: one more than there are runs of white space, even at the ends.
pub fn words(text: &str) -> usize {
    let is_space = |c: char| c.is_whitespace() || ('\x1c'..='\x1f').contains(&c);
    let starts = |(before, c): (char, char)| is_space(c) && !is_space(before);
    1 + std::iter::once('x').chain(text.chars()).zip(text.chars()).filter(|pair| starts(*pair)).count()
}

/// e to the mean negative log-likelihood of continuations.
pub fn perplexity(logliks: &[f64]) -> f64 {
    (-logliks.iter().sum::<f64>() / logliks.len() as f64).exp()
}

/// Perplexity for each word of all texts together.
pub fn word_perplexity(texts: &[TextScore]) -> f64 {
    (-nats(texts) / total(texts, |text| text.words)).exp()
}

/// Perplexity for each byte of all texts together.
pub fn byte_perplexity(texts: &[TextScore]) -> f64 {
    (-nats(texts) / total(texts, |text| text.bytes)).exp()
}

/// Bits for each byte of all texts together.
pub fn bits_per_byte(texts: &[TextScore]) -> f64 {
    -nats(texts) / total(texts, |text| text.bytes) / std::f64::consts::LN_2
}

fn nats(texts: &[TextScore]) -> f64 {
    texts.iter().map(|text| text.loglik).sum()
}

fn total(texts: &[TextScore], count: impl Fn(&TextScore) -> usize) -> f64 {
    texts.iter().map(count).sum::<usize>() as f64
}

/// What [`exact_match`] does not look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignore {
    /// Capital or small.
    Case,
    /// ASCII punctuation.
    Punctuation,
    /// ASCII digits.
    Numbers,
}

/// Whether an answer is a true one, apart from what is ignored.
pub fn exact_match(answer: &str, truth: &str, ignore: &[Ignore]) -> bool {
    let seen = |text: &str| {
        let text = if ignore.contains(&Ignore::Case) { text.to_lowercase() } else { text.to_owned() };
        let dropped = |c: char| {
            (c.is_ascii_punctuation() && ignore.contains(&Ignore::Punctuation))
                || (c.is_ascii_digit() && ignore.contains(&Ignore::Numbers))
        };
        text.chars().filter(|c| !dropped(*c)).collect::<String>()
    };
    seen(answer) == seen(truth)
}

/// F1 of the second of two classes, over gold and predicted class of each item; 0 where neither has it.
pub fn f1(classes: &[(usize, usize)]) -> f64 {
    let count = |wanted: fn(bool, bool) -> bool| {
        classes.iter().filter(|(gold, predicted)| wanted(*gold == 1, *predicted == 1)).count() as f64
    };
    let (hits, misses) = (count(|gold, predicted| gold && predicted), count(|gold, predicted| gold != predicted));
    if hits == 0.0 { 0.0 } else { 2.0 * hits / (2.0 * hits + misses) }
}
