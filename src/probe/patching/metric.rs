//! What a patched run is measured by.

use std::fmt;
use std::str::FromStr;

use super::PatchError;
use crate::lens::Target;
use crate::model::sample::{kl, log_softmax};

/// Which run is patched with activations of which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Direction {
    /// Clean activations into the corrupted run: are they enough to bring the answer back?
    #[default]
    Denoise,
    /// Corrupted activations into the clean run: are the clean ones needed for the answer?
    Noise,
}

impl Direction {
    /// The word on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denoise => "denoise",
            Self::Noise => "noise",
        }
    }

    /// What is done, in words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Denoise => "clean activations are put into the corrupted run (denoising: what is sufficient)",
            Self::Noise => "corrupted activations are put into the clean run (noising: what is necessary)",
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metric {
    /// Logit of A minus logit of B.
    LogitDiff,
    /// The logit difference, 0 as in the base run and 1 as in the run that activations come from.
    #[default]
    Recovery,
    /// Natural log of A's probability.
    Logprob,
    /// KL(clean ‖ patched) in nats.
    Kl,
}

impl Metric {
    /// The word on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::LogitDiff => "logit-diff",
            Self::Recovery => "recovery",
            Self::Logprob => "logprob",
            Self::Kl => "kl",
        }
    }

    /// What it is, in words.
    pub const fn about(self) -> &'static str {
        match self {
            Self::LogitDiff => "logit(A) - logit(B) of the patched run",
            Self::Recovery => "(LD_patched - LD_base) / (LD_source - LD_base), LD = logit(A) - logit(B)",
            Self::Logprob => "ln p(A) of the patched run",
            Self::Kl => "KL(clean || patched) in nats",
        }
    }

    /// What is compared between the two prompts: a recovery is of a logit difference.
    pub(super) const fn plain_name(self) -> &'static str {
        match self {
            Self::Recovery => Self::LogitDiff.name(),
            Self::LogitDiff | Self::Logprob | Self::Kl => self.name(),
        }
    }

    /// How far apart it must be on the two prompts.
    pub(super) const fn least_difference(self) -> f64 {
        match self {
            Self::LogitDiff | Self::Recovery | Self::Logprob => 0.1,
            Self::Kl => 0.01,
        }
    }

    /// What it counts in.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::LogitDiff => "logits",
            Self::Recovery => "share",
            Self::Logprob | Self::Kl => "nats",
        }
    }
}

/// A metric between two runs.
#[derive(Debug, Clone)]
pub struct MetricOf {
    metric: Metric,
    target: Target,
    /// Log-probabilities of the clean run.
    clean: Vec<f64>,
    /// The logit differences of the base run and of the run that activations come from.
    base: f64,
    source: f64,
}

impl MetricOf {
    /// `clean` and `corrupted`: logits `[d_vocab]` at the target's position.
    pub fn new(metric: Metric, direction: Direction, target: Target, [clean, corrupted]: [&[f32]; 2]) -> Self {
        let (base, source) = match direction {
            Direction::Denoise => (corrupted, clean),
            Direction::Noise => (clean, corrupted),
        };
        let (base, source) = (target.logit(base), target.logit(source));
        Self { metric, target, clean: log_softmax(clean), base, source }
    }

    /// Its value for a run with these logits `[d_vocab]`.
    pub fn of(&self, logits: &[f32]) -> f64 {
        match self.metric {
            Metric::LogitDiff => self.target.logit(logits),
            Metric::Recovery => (self.target.logit(logits) - self.base) / (self.source - self.base),
            Metric::Logprob => self.target.logprob(logits),
            Metric::Kl => kl(&self.clean, &log_softmax(logits)),
        }
    }

    /// What is compared before anything is patched: the logit difference in place of its recovery.
    pub(super) fn plain(&self, logits: &[f32]) -> f64 {
        match self.metric {
            Metric::Recovery => self.target.logit(logits),
            Metric::LogitDiff | Metric::Logprob | Metric::Kl => self.of(logits),
        }
    }
}

macro_rules! named {
    ($type:ident, $what:literal, [$($variant:ident),+]) => {
        impl $type {
            /// Every one.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.name())
            }
        }

        impl FromStr for $type {
            type Err = PatchError;

            fn from_str(text: &str) -> Result<Self, PatchError> {
                let known: Vec<&'static str> = Self::ALL.iter().map(|one| one.name()).collect();
                let found = Self::ALL.iter().copied().find(|one| one.name() == text);
                found.ok_or_else(|| PatchError::unknown($what, text, &known))
            }
        }
    };
}

named!(Direction, "a direction", [Denoise, Noise]);
named!(Metric, "a metric", [LogitDiff, Recovery, Logprob, Kl]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_of_a_hand_worked_case() {
        let (clean, corrupted, patched) = ([2.0f32, 0.0, -1.0], [0.0f32, 1.0, -1.0], [1.0f32, 0.5, -1.0]);
        let target = Target { position: 0, token: 0, versus: Some(1) };
        let of = |metric, direction, logits: &[f32]| {
            MetricOf::new(metric, direction, target, [&clean, &corrupted]).of(logits)
        };
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        close(of(Metric::LogitDiff, Direction::Denoise, &patched), 0.5);
        // from -1 to 2
        close(of(Metric::Recovery, Direction::Denoise, &patched), 0.5);
        close(of(Metric::Recovery, Direction::Denoise, &clean), 1.0);
        close(of(Metric::Recovery, Direction::Noise, &clean), 0.0);
        close(of(Metric::Recovery, Direction::Noise, &corrupted), 1.0);
        close(of(Metric::Kl, Direction::Denoise, &clean), 0.0);
        let sum = 1f64.exp() + 0.5f64.exp() + (-1f64).exp();
        close(of(Metric::Logprob, Direction::Denoise, &patched), 1.0 - sum.ln());
        assert!(of(Metric::Kl, Direction::Denoise, &corrupted) > 0.1);
    }

    #[test]
    fn names_are_read_back() {
        for metric in Metric::ALL {
            assert_eq!(metric.to_string().parse::<Metric>().unwrap(), *metric);
        }
        let error = "recover".parse::<Metric>().unwrap_err();
        assert!(error.to_string().contains("logit-diff, recovery"), "{error}");
        assert!(error.hint().unwrap().contains("`recovery`"));
        assert!("denoice".parse::<Direction>().unwrap_err().hint().unwrap().contains("`denoise`"));
    }
}
