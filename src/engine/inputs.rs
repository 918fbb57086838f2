//! What each token of the prompt does for the answer, by methods that disagree: as rows of the why view.
//!
//! The model runs as it is. What the scores should add up to is told with them, where a method says so.

use super::kv::Remembered;
use super::{EngineError, Event, EventSink, Loaded, Named, Part, PartKind, Progress};
use crate::engine::Pair;
use crate::engine::why::plain;
use crate::lens::{Ask, Target};
use crate::model::CancelToken;
use crate::probe::input::{embedding_gradient, ordinary};
use crate::probe::integrated_gradients::{MAX_STEPS, integrate};
use crate::probe::leave_one_out::{Mode, without_each};
use crate::text::Prompt;
use crate::trace::{Metric, Quantity};

/// A way to give every token of the prompt its part in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputMethod {
    /// The gradient at the token's embedding, times that embedding.
    GradientXInput,
    /// What is lost if later tokens cannot attend to it.
    LeaveOneOut,
    /// The gradient on the whole way from an ordinary text.
    IntegratedGradients,
}

impl InputMethod {
    /// Every method, the quickest first.
    pub const ALL: [Self; 3] = [Self::GradientXInput, Self::LeaveOneOut, Self::IntegratedGradients];

    /// What it is called.
    pub const fn title(self) -> &'static str {
        match self {
            Self::GradientXInput => "gradient × input",
            Self::LeaveOneOut => "leave one out",
            Self::IntegratedGradients => "integrated gradients",
        }
    }

    /// The probe that does the same on the command line.
    pub const fn probe(self) -> &'static str {
        match self {
            Self::GradientXInput => "gradient-x-input",
            Self::LeaveOneOut => "leave-one-out",
            Self::IntegratedGradients => "integrated-gradients",
        }
    }
}

/// The answer to [`Request::Inputs`](super::Request::Inputs).
#[derive(Debug, Clone, PartialEq)]
pub struct Inputs {
    /// How they were found.
    pub method: InputMethod,
    /// Token A.
    pub token: Named,
    /// Token B, unless the question is about A alone.
    pub versus: Option<Named>,
    /// The logit of A minus that of B, or A's alone.
    pub logit: f64,
    /// What the scores should add up to, where the method says so.
    pub promised: Option<f64>,
    /// One a token, first to last; a token that has no score is left out.
    pub parts: Vec<Part>,
}

impl Inputs {
    /// What the scores add up to.
    pub fn sum(&self) -> f64 {
        self.parts.iter().map(|part| part.share.now).sum()
    }

    /// What they miss of what they should add up to.
    pub fn remainder(&self) -> Option<f64> {
        self.promised.map(|promised| promised - self.sum())
    }
}

/// What is asked of a method.
struct Asked<'a> {
    loaded: &'a Loaded,
    /// Tokens up to the one the question is asked after.
    ids: &'a [u32],
    target: Target,
    logit: f64,
}

/// Scores of all tokens up to the position, and what they should add up to.
struct Scores {
    each: Vec<Option<f64>>,
    promised: Option<f64>,
}

/// Scores every token up to the position that is asked about.
pub(super) fn inputs(
    (loaded, remembered): (&Loaded, &mut Remembered),
    (ids, ask, method): (&[u32], Ask, InputMethod),
    cancel: &CancelToken,
    sink: &mut dyn EventSink,
) -> Result<Inputs, EngineError> {
    Prompt::from_ids(ids.to_vec(), loaded.info.config.d_vocab)?;
    let position = ask.position_in(ids.len())?;
    let ids = &ids[..=position];
    let rows = remembered.rows(&loaded.decoder, ids, cancel)?;
    let logits = rows.last().map_or(&[][..], |row| &row.logits);
    let target = ask.resolve(position, logits)?;
    let asked = Asked { loaded, ids, target, logit: target.logit(logits) };
    let scores = match method {
        InputMethod::GradientXInput => asked.gradient(cancel),
        InputMethod::LeaveOneOut => asked.leave_one_out(cancel, sink),
        InputMethod::IntegratedGradients => asked.integrate(cancel, sink),
    }?;
    let named = |id: u32| Named { id, visible: loaded.tokenizer.visible(id) };
    Ok(Inputs {
        method,
        token: named(target.token),
        versus: target.versus.map(named),
        logit: asked.logit,
        promised: scores.promised,
        parts: asked.parts(&scores.each),
    })
}

impl Asked<'_> {
    const fn metric(&self) -> Metric {
        let quantity = match self.target.versus {
            Some(versus) => Quantity::Difference(self.target.token, versus),
            None => Quantity::Logit(self.target.token),
        };
        Metric { position: self.target.position, quantity }
    }

    fn gradient(&self, cancel: &CancelToken) -> Result<Scores, EngineError> {
        let found = embedding_gradient(&self.loaded.decoder, self.ids, self.metric(), cancel)?;
        Ok(Scores { each: found.products.into_iter().map(Some).collect(), promised: None })
    }

    fn leave_one_out(&self, cancel: &CancelToken, sink: &mut dyn EventSink) -> Result<Scores, EngineError> {
        let units: Vec<_> = (0..self.ids.len()).map(|position| position..position + 1).collect();
        // the token that the question is asked after still reads itself
        let (total, mut done) = (units.len().saturating_sub(1), 0);
        let mut tell = |n: usize| {
            done += n;
            sink.send(Event::Progress(Progress { done, total, unit: "tokens" }));
        };
        let how = (self.metric(), Mode::Mask);
        let left = without_each(&self.loaded.decoder, self.ids, &units, how, cancel, &mut tell)?;
        let lost = |without: Option<f64>| without.map(|without| self.logit - without);
        Ok(Scores { each: left.into_iter().map(lost).collect(), promised: None })
    }

    fn integrate(&self, cancel: &CancelToken, sink: &mut dyn EventSink) -> Result<Scores, EngineError> {
        let Loaded { decoder, tokenizer, .. } = self.loaded;
        let from = ordinary(tokenizer, self.ids, tokenizer.bos())?;
        let mut tell = |step: crate::probe::Step| {
            sink.send(Event::Progress(Progress { done: step.done, total: step.total, unit: "gradients" }));
        };
        let found = integrate(decoder, [self.ids, &from], self.metric(), MAX_STEPS, cancel, &mut tell)?;
        let promised = Some(found.value - found.baseline);
        Ok(Scores { each: found.scores.into_iter().map(Some).collect(), promised })
    }

    fn parts(&self, scores: &[Option<f64>]) -> Vec<Part> {
        let all: f64 = scores.iter().flatten().map(|score| score.abs()).sum();
        let part = |(position, score): (usize, &Option<f64>)| {
            let now = (*score)?;
            let name = format!("{position} {}", self.loaded.tokenizer.visible(self.ids[position]));
            let share = if all > 0.0 { now.abs() / all } else { 0.0 };
            Some(Part { value: Some(share), ..plain(PartKind::Input(position), name, Pair { now, base: None }) })
        };
        scores.iter().enumerate().filter_map(part).collect()
    }
}
