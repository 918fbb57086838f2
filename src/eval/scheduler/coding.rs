//! Compresses texts with the model and reads them back: one after the other there, all together here, because reading
//! goes token by token.

use super::error::Error;
use super::{Limits, Scheduler};
use crate::compress::{self, Codec, Coded, Room, Stored, Stream, Windows, packed};
use crate::eval::request::{Compress, Compressed, round9};
use crate::text::Tokenizer;

/// A text on its way.
struct Text<'r> {
    request: &'r Compress,
    stored: Stored,
    /// None if its tokens do not give it back.
    coded: Option<Coded>,
}

/// The answers to requests of one kind, in their order; an error comes with the place of the request it is of.
pub(super) fn answer(
    scheduler: &Scheduler<'_>,
    requests: &[&Compress],
    room: Room,
) -> Result<Vec<Compressed>, (usize, Error)> {
    let cfg = scheduler.lm.config();
    let first = |error: compress::Error| (0, error.into());
    let codec = Codec::new(scheduler.lm, scheduler.tokenizer, Windows::half(cfg.n_ctx), scheduler.cancel);
    let codec = codec.map_err(first)?.within(room);
    let mut texts = Vec::with_capacity(requests.len());
    for (at, request) in requests.iter().enumerate() {
        texts.push(written(scheduler, &codec, request).map_err(|error| (at, error))?);
    }
    let coded: Vec<&Coded> = texts.iter().filter_map(|text| text.coded.as_ref()).collect();
    let mut read = read(&codec, &coded).map_err(first)?.into_iter();
    Ok(texts.iter().map(|text| text.answer(&mut read, scheduler.tokenizer)).collect())
}

/// No text has more tokens than bytes, with the one before it.
pub(super) fn most_tokens(request: &Compress) -> usize {
    request.text.len() + 1
}

/// How much is held at once, where texts have up to `longest` tokens.
pub(super) fn room(scheduler: &Scheduler<'_>, longest: usize) -> Room {
    let (cfg, options) = (scheduler.lm.config(), scheduler.options);
    let Limits { rows, logits, sequences } =
        Limits::new(cfg, options.batch, options.memory, longest.clamp(1, cfg.n_ctx));
    Room { rows, logits, sequences }
}

fn written<'r>(scheduler: &Scheduler<'_>, codec: &Codec<'_>, request: &'r Compress) -> Result<Text<'r>, Error> {
    let (stored, ids) = Stored::of(request.text.as_bytes(), scheduler.tokenizer)?;
    if stored == Stored::Raw {
        return Ok(Text { request, stored, coded: None });
    }
    let coded = codec.encode(&ids, &mut |_| {})?;
    if !coded.loglik.is_finite() {
        return Err(Error::NotFinite { text: request.text.clone(), found: coded.loglik });
    }
    Ok(Text { request, stored, coded: Some(coded) })
}

/// The tokens of each text; none where the bits stand for nothing.
fn read(codec: &Codec<'_>, coded: &[&Coded]) -> Result<Vec<Option<Vec<u32>>>, compress::Error> {
    let streams: Vec<Stream<'_>> = coded.iter().map(|coded| coded.stream()).collect();
    match codec.decode(&streams, &mut |_| {}) {
        // which of them it was is told one by one
        Err(compress::Error::Damaged { .. }) => streams.iter().map(|stream| read_alone(codec, *stream)).collect(),
        found => found.map(|texts| texts.into_iter().map(Some).collect()),
    }
}

fn read_alone(codec: &Codec<'_>, stream: Stream<'_>) -> Result<Option<Vec<u32>>, compress::Error> {
    match codec.decode(&[stream], &mut |_| {}) {
        Ok(mut texts) => Ok(texts.pop()),
        Err(compress::Error::Damaged { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Text<'_> {
    /// The answer; what was read of all texts that are stored as tokens comes in their order.
    fn answer(&self, read: &mut impl Iterator<Item = Option<Vec<u32>>>, tokenizer: &Tokenizer) -> Compressed {
        match &self.coded {
            // what is stored as it is comes back as it is
            None => Compressed { bytes: self.request.text.len(), n_tokens: 0, loglik: None, lossless: true },
            Some(coded) => Compressed {
                bytes: coded.bytes.len() + packed::number_len(coded.n_tokens as u64),
                n_tokens: coded.n_tokens,
                loglik: Some(round9(coded.loglik)),
                lossless: read.next().flatten().and_then(|ids| self.stored.text(&ids, tokenizer)).as_deref()
                    == Some(self.request.text.as_bytes()),
            },
        }
    }
}
