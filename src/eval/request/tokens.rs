//! Requests as tokens, cut exactly as lm-evaluation-harness does it.
//!
//! White space at the end of a context moves to the continuation. The context is encoded alone, and again with the
//! continuation; whatever the second has beyond the length of the first is the continuation. A text that spells out the
//! prefix token at its beginning gets no other. What is too long loses its beginning.

use super::lint::{Lint, beginning};
use super::{GenerateUntil, Loglikelihood, LoglikelihoodRolling, LoglikelihoodStrided};
use crate::compress::Windows;
use crate::eval::scheduler::Error;
use crate::text::Tokenizer;

/// A request as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// The continuation, with the spaces that moved to it.
    pub text: String,
    /// Context and continuation: at most one more than the model's context, because the last is not run.
    pub ids: Vec<u32>,
    /// How many of them are context.
    pub boundary: usize,
    /// What is odd about them.
    pub lints: Vec<Lint>,
}

impl Split {
    fn new(text: String, context: Vec<u32>, target: &[u32], tokenizer: &Tokenizer) -> Self {
        let boundary = context.len();
        let mut ids = context;
        ids.extend(target);
        let mut lints = beginning(&ids, tokenizer);
        if target.is_empty() {
            lints.push(Lint::EmptyContinuation);
        }
        Self { text, ids, boundary, lints }
    }

    /// The same without what does not fit into a context of `n_ctx` tokens.
    fn fitted(mut self, n_ctx: usize, tokenizer: &Tokenizer) -> Result<Self, Error> {
        let n_target = self.ids.len() - self.boundary;
        if n_target > n_ctx {
            return Err(Error::LongContinuation { continuation: self.text, found: n_target, n_ctx });
        }
        let surplus = self.ids.len().saturating_sub(n_ctx + 1);
        if surplus > 0 {
            self.ids.drain(..surplus);
            self.boundary -= surplus;
            self.lints.retain(|lint| matches!(lint, Lint::MergedBoundary | Lint::EmptyContinuation));
            self.lints.extend(beginning(&self.ids, tokenizer));
            self.lints.push(Lint::Truncated);
        }
        Ok(self)
    }
}

impl Loglikelihood {
    /// The tokens of the request and where its continuation begins, for a model with a context of `n_ctx` tokens.
    pub fn split(&self, tokenizer: &Tokenizer, n_ctx: usize) -> Result<Split, Error> {
        let split = self.inspect(tokenizer)?;
        if split.lints.contains(&Lint::EmptyContinuation) {
            return Err(Error::EmptyContinuation { context: self.context.clone(), continuation: split.text });
        }
        split.fitted(n_ctx, tokenizer)
    }

    /// The tokens as they are, with what is odd about them, even if there is nothing to score.
    pub fn inspect(&self, tokenizer: &Tokenizer) -> Result<Split, Error> {
        if self.context.is_empty() {
            return self.without_context(tokenizer);
        }
        let context = self.context.trim_end_matches(is_space);
        let text = format!("{}{}", &self.context[context.len()..], self.continuation);
        let whole = begun(tokenizer, &format!("{context}{text}"))?;
        let mut given = begun(tokenizer, context)?;
        if given.is_empty() {
            given.push(prefix(tokenizer)?);
            return Ok(Split::new(text, given, &whole, tokenizer));
        }
        let is_merged = !whole.starts_with(&given);
        let mut split = Split::new(text, given.clone(), whole.get(given.len()..).unwrap_or_default(), tokenizer);
        if is_merged {
            split.lints.push(Lint::MergedBoundary);
        }
        Ok(split)
    }

    /// The prefix token is the context, unless the continuation begins with it.
    fn without_context(&self, tokenizer: &Tokenizer) -> Result<Split, Error> {
        let (prefix, target) = (prefix(tokenizer)?, tokenizer.encode(&self.continuation)?);
        let target = target.strip_prefix(&[prefix]).unwrap_or(&target);
        Ok(Split::new(self.continuation.clone(), vec![prefix], target, tokenizer))
    }
}

impl LoglikelihoodRolling {
    /// The windows of the text for a model with a context of `n_ctx` tokens. Each token is scored once; the last window
    /// has as much before it as fits, the others the one token that comes before them, the first the prefix token.
    ///
    /// A tokenizer that begins every text with BOS makes that token the first that is scored, after itself.
    pub fn windows(&self, tokenizer: &Tokenizer, n_ctx: usize) -> Result<Vec<Split>, Error> {
        let mut ids = vec![prefix(tokenizer)?];
        ids.extend(begun(tokenizer, &self.text)?);
        let n_tokens = ids.len() - 1;
        let window = |start: usize| {
            let end = (start + n_ctx).min(n_tokens);
            let (context, target) =
                ids[end.saturating_sub(n_ctx)..=end].split_at(start + 1 - end.saturating_sub(n_ctx));
            let mut split = Split::new(tokenizer.decode(target), context.to_vec(), target, tokenizer);
            if start > 0 {
                split.lints.clear(); // the middle of a text begins with any token
            }
            split
        };
        Ok((0..n_tokens).step_by(n_ctx.max(1)).map(window).collect())
    }
}

impl LoglikelihoodStrided {
    /// The windows of the text for a model with a context of `n_ctx` tokens: no window is longer. The prefix token comes
    /// first, and is not scored.
    pub fn windows(&self, tokenizer: &Tokenizer, n_ctx: usize) -> Result<Vec<Split>, Error> {
        let mut ids = vec![prefix(tokenizer)?];
        ids.extend(tokenizer.encode(&self.text)?);
        let windows = Windows::new(self.window.min(n_ctx), self.stride);
        let window = |span: crate::compress::Span| {
            let (context, target) = (&ids[span.start..span.first], &ids[span.first..span.end]);
            let mut split = Split::new(tokenizer.decode(target), context.to_vec(), target, tokenizer);
            if span.start > 0 {
                split.lints.clear(); // the middle of a text begins with any token
            }
            split
        };
        Ok(windows.spans(ids.len() - 1).map(window).collect())
    }
}

impl GenerateUntil {
    /// The tokens of the context, as many as leave room for the answer in a context of `n_ctx` tokens.
    pub fn ids(&self, tokenizer: &Tokenizer, n_ctx: usize) -> Result<Vec<u32>, Error> {
        let mut ids = begun(tokenizer, &self.context)?;
        if ids.is_empty() {
            ids.push(prefix(tokenizer)?);
        }
        let room = n_ctx.saturating_sub(self.max_new);
        if room == 0 {
            return Err(Error::NoRoom { max_new: self.max_new, n_ctx });
        }
        ids.drain(..ids.len().saturating_sub(room));
        Ok(ids)
    }

    /// The answer in a generated text: what comes before the stops, taken one after another, and whether there was one.
    pub(crate) fn cut<'a>(&self, text: &'a str) -> (&'a str, bool) {
        let stops = self.until.iter().filter(|stop| !stop.is_empty());
        stops.fold((text, false), |(text, stopped), stop| match text.find(stop.as_str()) {
            Some(at) => (&text[..at], true),
            None => (text, stopped),
        })
    }
}

/// What stands before a text that has nothing before it.
fn prefix(tokenizer: &Tokenizer) -> Result<u32, Error> {
    tokenizer.bos().or(tokenizer.eos()).ok_or(Error::NoContext)
}

/// The tokens of a text, with BOS before it if the tokenizer asks for it and the text does not spell it out.
fn begun(tokenizer: &Tokenizer, text: &str) -> Result<Vec<u32>, Error> {
    let spelled = prefix(tokenizer).is_ok_and(|prefix| text.starts_with(&tokenizer.text(prefix)));
    let mut ids: Vec<u32> = tokenizer.bos().into_iter().filter(|_| tokenizer.adds_bos() && !spelled).collect();
    ids.extend(tokenizer.encode(text)?);
    Ok(ids)
}

/// White space as Python's `str.isspace` has it.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}
