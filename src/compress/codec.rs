//! A model as an encoder and a decoder. Both run it on the same pieces of the same windows, so that both see the same bits.

use std::ops::Range;

use super::error::Error;
use super::range::{RangeDecoder, RangeEncoder, Share};
use super::shares::Shares;
use super::windows::{Span, Windows};
use crate::model::logits::read_rows;
use crate::model::{Branch, CancelToken, CausalLm, Stretch, logits_of};
use crate::text::Tokenizer;

/// How much is held at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Positions that are run together.
    pub rows: usize,
    /// Positions whose logits are in memory at once.
    pub logits: usize,
    /// Texts that are read together.
    pub sequences: usize,
}

impl Default for Room {
    fn default() -> Self {
        Self { rows: 1024, logits: 64, sequences: 16 }
    }
}

/// A text as compressed tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    /// The bits.
    pub bytes: Vec<u8>,
    /// How many tokens they stand for.
    pub n_tokens: usize,
    /// The log-likelihood of the tokens, in nats: `-loglik / ln 2` bits are the ideal length.
    pub loglik: f64,
}

impl Coded {
    /// What is to be read back.
    pub fn stream(&self) -> Stream<'_> {
        Stream { bytes: &self.bytes, n_tokens: self.n_tokens }
    }
}

/// Compressed tokens, to be read back.
#[derive(Debug, Clone, Copy)]
pub struct Stream<'a> {
    /// The bits.
    pub bytes: &'a [u8],
    /// How many tokens they stand for.
    pub n_tokens: usize,
}

/// How a text is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// As tokens, whose bytes in a row are the text.
    Tokens,
    /// The same after a space that the tokenizer puts before every text.
    AfterSpace,
    /// As it is: its tokens do not give it back, or it is no text.
    Raw,
}

impl Stored {
    /// The tokens of a text, and what their bytes are to it.
    pub fn of(text: &[u8], tokenizer: &Tokenizer) -> Result<(Self, Vec<u32>), Error> {
        let Ok(words) = std::str::from_utf8(text) else { return Ok((Self::Raw, Vec::new())) };
        let ids = tokenizer.encode(words)?;
        // tokens that stand for nothing would let the head of a file claim any number of them
        if ids.len() > text.len() + 1 {
            return Ok((Self::Raw, Vec::new()));
        }
        let stored = [Self::Tokens, Self::AfterSpace].into_iter().find(|stored| {
            let found = stored.text(&ids, tokenizer);
            found.as_deref() == Some(text)
        });
        Ok(stored.map_or((Self::Raw, Vec::new()), |stored| (stored, ids)))
    }

    /// The text of tokens; none of what holds no tokens, or lacks the space.
    pub fn text(self, ids: &[u32], tokenizer: &Tokenizer) -> Option<Vec<u8>> {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| tokenizer.bytes(*id)).collect();
        match self {
            Self::Tokens => Some(bytes),
            Self::AfterSpace => bytes.strip_prefix(b" ").map(<[u8]>::to_vec),
            Self::Raw => None,
        }
    }
}

/// A model that compresses and reads back.
pub struct Codec<'a> {
    lm: &'a dyn CausalLm,
    prefix: u32,
    windows: Windows,
    room: Room,
    cancel: &'a CancelToken,
}

impl<'a> Codec<'a> {
    /// A codec whose windows are no longer than the model's context. What comes before a text is BOS, else EOS.
    pub fn new(
        lm: &'a dyn CausalLm,
        tokenizer: &Tokenizer,
        windows: Windows,
        cancel: &'a CancelToken,
    ) -> Result<Self, Error> {
        let prefix = tokenizer.bos().or(tokenizer.eos()).ok_or(Error::NoPrefix)?;
        let windows = Windows::new(windows.length().min(lm.config().n_ctx), windows.stride());
        Ok(Self { lm, prefix, windows, room: Room::default(), cancel })
    }

    /// The same within other limits.
    #[must_use]
    pub fn within(mut self, room: Room) -> Self {
        self.room = room;
        self
    }

    /// The windows that it looks through.
    pub const fn windows(&self) -> Windows {
        self.windows
    }

    /// Compresses tokens; `done` is told how many.
    pub fn encode(&self, ids: &[u32], done: &mut dyn FnMut(usize)) -> Result<Coded, Error> {
        let d_vocab = self.lm.config().d_vocab;
        if let Some((at, &id)) = ids.iter().enumerate().find(|(_, id)| **id as usize >= d_vocab) {
            return Err(Error::OutsideVocabulary { at, id, d_vocab });
        }
        let sequence: Vec<u32> = [self.prefix].into_iter().chain(ids.iter().copied()).collect();
        let (mut encoder, mut loglik) = (RangeEncoder::default(), 0.0);
        for span in self.windows.spans(ids.len()) {
            self.window(&sequence, span, &mut |end, read| {
                for (share, logprob) in read {
                    encoder.encode(share);
                    loglik += logprob;
                }
                done(end - 1);
            })?;
        }
        Ok(Coded { bytes: encoder.finish(), n_tokens: ids.len(), loglik })
    }

    /// Runs a window piece by piece; `each` gets the shares of the tokens before a place, and their log-probabilities.
    fn window(
        &self,
        sequence: &[u32],
        span: Span,
        each: &mut dyn FnMut(usize, Vec<(Share, f64)>),
    ) -> Result<(), Error> {
        let mut branch = Branch::root(self.lm);
        let mut piece = span.start..span.first;
        while piece.start + 1 < span.end {
            self.cancel.check()?;
            let stretch = Stretch { ids: &sequence[piece.clone()], branch: &mut branch };
            let hidden = self.lm.forward_all(&mut [stretch], self.cancel)?;
            // what is only seen predicts nothing, but for its last token
            for rows in pieces(piece.start.max(span.first - 1)..piece.end, self.room.logits) {
                let places: Vec<usize> = rows.clone().map(|at| at - piece.start).collect();
                let logits = logits_of(self.lm, &hidden, &places)?;
                let read = |at: usize, row: &[f32]| share(row, sequence[rows.start + at + 1], rows.start + at);
                let found = read_rows(&logits, places.len(), read)?;
                each(rows.end + 1, found.into_iter().collect::<Result<_, _>>()?);
            }
            piece = piece.end..self.piece_end(piece.end, span.end - 1);
        }
        Ok(())
    }

    /// Where the next piece of a window ends: a model that cannot be cut anywhere is cut everywhere, as in reading.
    fn piece_end(&self, start: usize, end: usize) -> usize {
        let most = if self.lm.seam() == 1 { self.room.rows } else { 1 };
        end.min(start + most)
    }

    /// The tokens of several texts; `done` is told how many of them all.
    pub fn decode(&self, streams: &[Stream<'_>], done: &mut dyn FnMut(usize)) -> Result<Vec<Vec<u32>>, Error> {
        let mut texts: Vec<Reading<'_>> =
            streams.iter().map(|stream| Reading::new(stream, self.prefix, self.windows, self.lm)).collect();
        loop {
            let mut open: Vec<&mut Reading<'_>> = Vec::new();
            let mut rows = 0;
            for text in texts.iter_mut().filter(|text| text.span.is_some()) {
                rows += text.piece.len();
                if open.len() == self.room.sequences.max(1) || (rows > self.room.rows && !open.is_empty()) {
                    break;
                }
                open.push(text);
            }
            if open.is_empty() {
                break;
            }
            self.step(&mut open)?;
            done(texts.iter().map(Reading::n_read).sum());
        }
        Ok(texts.into_iter().map(|text| text.sequence[1..].to_vec()).collect())
    }

    /// Reads the next token of each text.
    fn step(&self, open: &mut [&mut Reading<'_>]) -> Result<(), Error> {
        self.cancel.check()?;
        let mut stretches = Vec::with_capacity(open.len());
        let mut ends = Vec::with_capacity(open.len());
        let mut n_rows = 0;
        for text in open.iter_mut() {
            n_rows += text.piece.len();
            ends.push(n_rows - 1);
            stretches.push(Stretch { ids: &text.sequence[text.piece.clone()], branch: &mut text.branch });
        }
        let hidden = self.lm.forward_all(&mut stretches, self.cancel)?;
        for (open, ends) in open.chunks_mut(self.room.logits.max(1)).zip(ends.chunks(self.room.logits.max(1))) {
            let logits = logits_of(self.lm, &hidden, ends)?;
            let shares = read_rows(&logits, ends.len(), |_, row| Shares::of(row))?;
            for (text, shares) in open.iter_mut().zip(shares) {
                let at = text.n_read();
                text.take(&shares.ok_or(Error::NotFinite { at })?, self.lm)?;
            }
        }
        Ok(())
    }
}

/// A text that is read.
struct Reading<'a> {
    decoder: RangeDecoder<'a>,
    /// The given token and those that were read.
    sequence: Vec<u32>,
    spans: Box<dyn Iterator<Item = Span>>,
    /// The window that is read; none at the end.
    span: Option<Span>,
    branch: Branch,
    /// What is run next: its last token predicts the next one.
    piece: Range<usize>,
}

impl<'a> Reading<'a> {
    fn new(stream: &Stream<'a>, prefix: u32, windows: Windows, lm: &dyn CausalLm) -> Self {
        let mut spans = windows.spans(stream.n_tokens);
        let span = spans.next();
        Self {
            decoder: RangeDecoder::new(stream.bytes),
            sequence: vec![prefix],
            spans: Box::new(spans),
            span,
            branch: Branch::root(lm),
            piece: 0..1,
        }
    }

    fn n_read(&self) -> usize {
        self.sequence.len() - 1
    }

    fn take(&mut self, shares: &Shares, lm: &dyn CausalLm) -> Result<(), Error> {
        let damaged = Error::Damaged { at: self.n_read() };
        let Some((id, share)) = self.decoder.place(shares.whole()).and_then(|place| shares.at(place)) else {
            return Err(damaged);
        };
        self.decoder.take(share);
        self.sequence.push(id);
        let n = self.sequence.len();
        if self.span.is_some_and(|span| n < span.end) {
            self.piece = n - 1..n;
            return Ok(());
        }
        self.span = self.spans.next();
        if let Some(span) = self.span {
            self.branch = Branch::root(lm);
            self.piece = span.start..span.first;
        }
        Ok(())
    }
}

/// The share of a token that comes next, and its log-probability; `at` is its place in the text.
fn share(row: &[f32], id: u32, at: usize) -> Result<(Share, f64), Error> {
    let shares = Shares::of(row).ok_or(Error::NotFinite { at })?;
    let logit = *row.get(id as usize).ok_or(Error::NotFinite { at })?;
    let share = shares.share(id).ok_or(Error::NotFinite { at })?;
    Ok((share, shares.logprob(logit)))
}

/// A range in pieces of at most so many.
fn pieces(range: Range<usize>, most: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    let most = most.max(1);
    range.step_by(most).map(move |start| start..end.min(start + most))
}
