//! What the whole question is about: a position, the token A that may follow it, and a rival token B.

use super::LensError;
use crate::model::sample::{log_softmax, ranking};

/// A question as it is asked, before anything ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ask {
    /// The position; negative ones count from the end. The last one unless given.
    pub position: Option<isize>,
    /// Token A. The most probable one unless given.
    pub token: Option<u32>,
    /// What A is compared with.
    pub versus: Versus,
}

/// What token A is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Versus {
    /// The most probable other token.
    #[default]
    BestOther,
    /// This token.
    Token(u32),
    /// Nothing: the question is about A's own logit.
    Nothing,
}

/// A question about one forward pass: why A, rather than B, after this position?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// The position whose next token is asked about, 0-based.
    pub position: usize,
    /// Token A.
    pub token: u32,
    /// Token B, unless the question is about A alone.
    pub versus: Option<u32>,
}

impl Ask {
    /// The position it is about, in a prompt of `n_pos` tokens.
    ///
    /// # Errors
    /// [`LensError::Position`] outside the prompt.
    pub fn position_in(self, n_pos: usize) -> Result<usize, LensError> {
        let asked = self.position.unwrap_or(-1);
        let from_start = if asked < 0 { n_pos.checked_add_signed(asked) } else { usize::try_from(asked).ok() };
        from_start.filter(|&position| position < n_pos).ok_or(LensError::Position { found: asked, n_pos })
    }

    /// The target at `position`, where the model gives these logits `[d_vocab]`.
    ///
    /// # Errors
    /// A token outside the vocabulary, or A compared with itself.
    pub fn resolve(self, position: usize, logits: &[f32]) -> Result<Target, LensError> {
        let d_vocab = logits.len();
        let known =
            |id: u32| if (id as usize) < d_vocab { Ok(id) } else { Err(LensError::Token { found: id, d_vocab }) };
        let order = ranking(logits);
        let best_but = |not: Option<u32>| order.iter().copied().find(|&id| Some(id) != not);
        let token = match self.token {
            Some(id) => known(id)?,
            None => match self.versus {
                Versus::Token(rival) => best_but(Some(known(rival)?)).unwrap_or(0),
                Versus::BestOther | Versus::Nothing => best_but(None).unwrap_or(0),
            },
        };
        let versus = match self.versus {
            Versus::Nothing => None,
            Versus::BestOther => best_but(Some(token)),
            Versus::Token(rival) if rival == token => return Err(LensError::SameToken { token }),
            Versus::Token(rival) => Some(known(rival)?),
        };
        Ok(Target { position, token, versus })
    }
}

impl Target {
    /// What is explained: logit of A minus logit of B, or A's logit alone. `logits`: `[d_vocab]` at the position.
    ///
    /// Differences of logits are differences of log-probabilities.
    pub fn logit(&self, logits: &[f32]) -> f64 {
        let at = |id: u32| f64::from(logits[id as usize]);
        at(self.token) - self.versus.map_or(0.0, at)
    }

    /// Natural log of A's probability.
    pub fn logprob(&self, logits: &[f32]) -> f64 {
        log_softmax(logits)[self.token as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGITS: [f32; 4] = [0.5, 3.0, -1.0, 2.0];

    #[test]
    fn the_default_is_the_top_token_against_the_second() {
        let target = Ask::default().resolve(7, &LOGITS).unwrap();
        assert_eq!(target, Target { position: 7, token: 1, versus: Some(3) });
        assert!((target.logit(&LOGITS) - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_rival_is_never_the_token_itself() {
        let ask = Ask { token: Some(3), ..Ask::default() };
        assert_eq!(ask.resolve(0, &LOGITS).unwrap().versus, Some(1));
        let ask = Ask { versus: Versus::Token(1), ..Ask::default() };
        assert_eq!(ask.resolve(0, &LOGITS).unwrap(), Target { position: 0, token: 3, versus: Some(1) });
        let ask = Ask { token: Some(1), versus: Versus::Token(1), ..Ask::default() };
        assert!(matches!(ask.resolve(0, &LOGITS), Err(LensError::SameToken { token: 1 })));
        let ask = Ask { token: Some(2), versus: Versus::Nothing, ..Ask::default() };
        assert_eq!(ask.resolve(0, &LOGITS).unwrap().versus, None);
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        let ask = |position| Ask { position: Some(position), ..Ask::default() };
        assert_eq!(ask(-1).position_in(3).unwrap(), 2);
        assert_eq!(ask(0).position_in(3).unwrap(), 0);
        for outside in [3, -4] {
            assert!(
                matches!(ask(outside).position_in(3), Err(LensError::Position { found, n_pos: 3 }) if found == outside)
            );
        }
        let ask = Ask { token: Some(4), ..Ask::default() };
        assert!(matches!(ask.resolve(0, &LOGITS), Err(LensError::Token { found: 4, d_vocab: 4 })));
    }
}
