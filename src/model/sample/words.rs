//! The chain as people write it: `temperature=0.8 top_k=40 top_p=0.9`.

use std::fmt::Write as _;

use super::{Order, Penalties, Sampling};

/// The words before `=`.
const WORDS: [&str; 9] =
    ["temperature", "top_k", "top_p", "min_p", "repetition", "presence", "frequency", "window", "order"];

/// A text that is no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("; "))]
pub struct ChainError {
    /// All that is wrong with it.
    pub problems: Vec<String>,
}

impl Sampling {
    /// The chain in words, without what changes nothing; the seed is no part of it.
    pub fn chain_text(&self) -> String {
        let mut out = format!("temperature={}", self.temperature);
        let mut say = |word: &str, value: Option<String>| {
            if let Some(value) = value {
                // writing to a string cannot fail
                let _ = write!(out, " {word}={value}");
            }
        };
        let unless = |value: f64, usual: f64| (value.to_bits() != usual.to_bits()).then(|| value.to_string());
        let (penalties, usual) = (self.penalties, Penalties::default());
        say("top_k", self.top_k.map(|k| k.to_string()));
        say("top_p", self.top_p.map(|p| p.to_string()));
        say("min_p", self.min_p.map(|p| p.to_string()));
        say("repetition", unless(penalties.repetition, usual.repetition));
        say("presence", unless(penalties.presence, usual.presence));
        say("frequency", unless(penalties.frequency, usual.frequency));
        say("window", penalties.window.map(|n| n.to_string()));
        say("order", (self.order == Order::LlamaCpp).then(|| "llama.cpp".to_owned()));
        out
    }

    /// The chain that a text says, at temperature 1 unless it says another; the seed stays.
    ///
    /// # Errors
    /// Every part that is no setting or has no such value.
    pub fn with_chain(&self, text: &str) -> Result<Self, ChainError> {
        let mut chain = Self { temperature: 1.0, seed: self.seed, ..Self::default() };
        let settings = text.split_whitespace().map(|part| chain.set(part));
        let problems: Vec<String> = settings.filter_map(Result::err).collect();
        if problems.is_empty() { Ok(chain) } else { Err(ChainError { problems }) }
    }

    fn set(&mut self, part: &str) -> Result<(), String> {
        let Some((word, value)) = part.split_once('=') else {
            return Err(format!("`{part}` is no setting, expected one such as top_p=0.9"));
        };
        let refused = |expected: &str| format!("{word} is `{value}`, expected {expected}");
        let number = |expected: &str, is_right: fn(f64) -> bool| {
            let number = value.parse().ok().filter(|number: &f64| number.is_finite() && is_right(*number));
            number.ok_or_else(|| refused(expected))
        };
        let share = || number("a number above 0 and at most 1", |share| share > 0.0 && share <= 1.0);
        let count = || {
            let count = value.parse().ok().filter(|&count: &usize| count > 0);
            count.ok_or_else(|| refused("a whole number above 0"))
        };
        match word {
            "temperature" => self.temperature = number("a number that is not negative", |t| t >= 0.0)?,
            "top_k" => self.top_k = Some(count()?),
            "top_p" => self.top_p = Some(share()?),
            "min_p" => self.min_p = Some(share()?),
            "repetition" => self.penalties.repetition = number("a number above 0", |r| r > 0.0)?,
            "presence" => self.penalties.presence = number("a number", |_| true)?,
            "frequency" => self.penalties.frequency = number("a number", |_| true)?,
            "window" => self.penalties.window = Some(count()?),
            "order" => {
                self.order = match value {
                    "transformers" => Order::Transformers,
                    "llama.cpp" => Order::LlamaCpp,
                    _ => return Err(refused("transformers or llama.cpp")),
                }
            }
            _ => return Err(format!("`{word}` is no setting, expected one of {}", WORDS.join(", "))),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_read_as_it_is_written() {
        let texts = [
            "temperature=1",
            "temperature=0",
            "temperature=0.8 top_k=40 top_p=0.9 min_p=0.05",
            "temperature=1.5 repetition=1.1 presence=-0.5 frequency=0.25 window=64 order=llama.cpp",
        ];
        for text in texts {
            assert_eq!(Sampling::default().with_chain(text).unwrap().chain_text(), text);
        }
        let seeded = Sampling { seed: 7, ..Sampling::default() };
        let empty = seeded.with_chain("").unwrap();
        assert_eq!((empty.seed, empty.chain_text().as_str()), (7, "temperature=1"));
    }

    #[test]
    fn every_mistake_is_told() {
        let error = Sampling::default().with_chain("temperature=-1 top_p topp=0.9 top_k=0 order=mine").unwrap_err();
        assert_eq!(error.problems.len(), 5, "{error}");
        assert!(error.problems[0].contains("temperature is `-1`, expected a number that is not negative"), "{error}");
        assert!(error.problems[2].contains("`topp` is no setting"), "{error}");
    }
}
