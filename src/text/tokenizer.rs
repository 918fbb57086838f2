//! Text to ids and ids to bytes. Special tokens are never added here: that is [`Prompt`](super::Prompt)'s decision.

use std::collections::HashSet;

use tokenizers::{ModelWrapper, PostProcessorWrapper};

use super::alphabet::Alphabet;
use super::error::Error;
use super::gguf_vocab::{self, GgufVocab};
use super::guard::fenced;
use super::special::{HfFiles, SpecialTokens};
use super::valid_json;
use super::visible::{Spelling, spelled_bytes, spelled_name, visible_bytes};

/// A tokenizer with the bytes of each of its tokens.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    alphabet: Alphabet,
    /// The bytes of each token by id; `None` where the vocabulary has a gap.
    pieces: Vec<Option<Box<[u8]>>>,
    special_ids: HashSet<u32>,
    special: SpecialTokens,
    /// Ids of text: the highest of a token that is not matched in the text itself, plus one.
    n_text_ids: usize,
    /// The characters that tokens are shown in.
    spelling: Spelling,
}

/// Ids of a tokenizer; each takes 16 bytes here whether it is used or not. The largest vocabularies have a few hundred
/// thousand.
const MAX_IDS: u32 = 1 << 22;

/// One token of a text and the bytes of the text it covers.
///
/// Both ends lie on character boundaries, so the text can be sliced with them. Where a character is spelled by several
/// tokens, each of them covers the whole character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TokenSpan {
    /// The token.
    pub id: u32,
    /// The first byte covered.
    pub start: usize,
    /// The byte after the last one covered.
    pub end: usize,
}

impl Tokenizer {
    /// Reads a `tokenizer.json` whose special tokens are already known.
    pub fn from_json_bytes(bytes: &[u8], special: SpecialTokens) -> Result<Self, Error> {
        Self::from_parsed(parse_json(bytes)?, special)
    }

    /// Reads a `tokenizer.json` and finds its special tokens, as [`SpecialTokens::derive`] does.
    pub fn from_hf(tokenizer_json: &[u8], files: HfFiles<'_>) -> Result<Self, Error> {
        let inner = parse_json(tokenizer_json)?;
        let special = SpecialTokens::of(&inner, files)?;
        Self::from_parsed(inner, special)
    }

    /// Rebuilds the tokenizer of a GGUF file from the vocabulary inside it.
    pub fn from_gguf(vocab: &GgufVocab) -> Result<Self, Error> {
        let inner = gguf_vocab::build(vocab)?;
        let special = vocab.special_tokens()?;
        let entries = (0..).zip(vocab.tokens.iter().cloned());
        Self::assemble(inner, entries, special)
    }

    fn from_parsed(inner: tokenizers::Tokenizer, special: SpecialTokens) -> Result<Self, Error> {
        let entries = inner.get_vocab(true).into_iter().map(|(token, id)| (id, token));
        Self::assemble(inner, entries, special)
    }

    fn assemble(
        mut inner: tokenizers::Tokenizer,
        entries: impl Iterator<Item = (u32, String)>,
        special: SpecialTokens,
    ) -> Result<Self, Error> {
        // Without it offsets are not trimmed of the spaces that belong to tokens.
        inner.with_post_processor(None::<PostProcessorWrapper>);
        let alphabet = Alphabet::of(&inner);
        let added = inner.get_added_tokens_decoder();
        let mut pieces = Vec::new();
        let mut n_text_ids = 0;
        for (id, token) in entries {
            if id >= MAX_IDS {
                return Err(Error::IdTooLarge { token: visible_bytes(token.as_bytes()), id, limit: MAX_IDS });
            }
            if !added.contains_key(&id) {
                n_text_ids = n_text_ids.max(id as usize + 1);
            }
            // Added tokens are matched in the text itself, so they are spelled as it is.
            let bytes = match added.get(&id) {
                Some(added) => added.content.clone().into_bytes(),
                None => alphabet.bytes(&token),
            };
            set_at(&mut pieces, id, bytes.into_boxed_slice());
        }
        let special_ids = added.iter().filter(|(_, token)| token.special).map(|(id, _)| *id).collect();
        let spelling = Spelling::default();
        Ok(Self { inner, alphabet, pieces, special_ids, special, n_text_ids, spelling })
    }

    /// The same tokenizer, which shows its tokens in these characters.
    #[must_use]
    pub fn spelled(self, spelling: Spelling) -> Self {
        Self { spelling, ..self }
    }

    /// Whether an embedding of `d_vocab` rows has one for every token that a text can be cut into. Tokens that are only
    /// found where they are written out may lie beyond it: some models are published with such.
    ///
    /// # Errors
    /// [`Error::VocabularySize`].
    pub fn check_fits(&self, d_vocab: usize) -> Result<(), Error> {
        let found = self.n_text_ids;
        if found > d_vocab { Err(Error::VocabularySize { found, d_vocab }) } else { Ok(()) }
    }

    /// The ids of a text, with nothing added. Special tokens written in the text are recognised.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, Error> {
        let encoding = fenced(|| self.inner.encode_fast(text, false));
        let encoding = flat(encoding).map_err(|source| Error::Encode { source })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The ids of a text, as [`encode`](Self::encode), with the part of the text that each covers.
    pub fn encode_with_offsets(&self, text: &str) -> Result<Vec<TokenSpan>, Error> {
        let encoding = fenced(|| self.inner.encode(text, false));
        let encoding = flat(encoding).map_err(|source| Error::Encode { source })?;
        let spans = encoding.get_ids().iter().zip(encoding.get_offsets());
        Ok(spans.map(|(&id, &(start, end))| TokenSpan { id, start, end }).collect())
    }

    /// The text of a sequence: the bytes of its tokens in a row, special tokens included, with `U+FFFD` for what is
    /// not UTF-8.
    ///
    /// Nothing is trimmed: a tokenizer that puts a space before every text (`SentencePiece`) gives it back here, so
    /// that decoding a continuation and appending it is the same as decoding the whole.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|&id| self.piece(id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The bytes that a token stands for; none for an id outside the vocabulary.
    pub fn bytes(&self, id: u32) -> Vec<u8> {
        self.piece(id).to_vec()
    }

    /// The text of a token, exactly (` mat` starts with a space), with `U+FFFD` for what is not UTF-8 on its own.
    pub fn text(&self, id: u32) -> String {
        String::from_utf8_lossy(self.piece(id)).into_owned()
    }

    /// A token as a person sees it, safe to print; see [`visible_bytes`].
    ///
    /// Special tokens are unchanged. An id outside the vocabulary (models pad theirs) is `<id 50300>`.
    pub fn visible(&self, id: u32) -> String {
        match self.slot(id) {
            Some(bytes) if self.is_special(id) => spelled_name(&String::from_utf8_lossy(bytes), self.spelling),
            Some(bytes) => spelled_bytes(bytes, self.spelling),
            None => format!("<id {id}>"),
        }
    }

    /// The token that stands for exactly this text, if there is one.
    pub fn id_of(&self, text: &str) -> Option<u32> {
        let spellings = self.alphabet.spellings(text);
        let candidates = std::iter::once(text).chain(spellings.iter().map(String::as_str));
        candidates.filter_map(|token| self.inner.token_to_id(token)).find(|&id| self.slot(id) == Some(text.as_bytes()))
    }

    /// The number of ids, gaps included: the highest id plus one. A model may have more, to round its matrices up.
    pub fn vocab_size(&self) -> usize {
        self.pieces.len()
    }

    /// The beginning-of-sequence token.
    pub fn bos(&self) -> Option<u32> {
        self.special.bos
    }

    /// The end-of-sequence token.
    pub fn eos(&self) -> Option<u32> {
        self.special.eos
    }

    /// Whether the tokenizer asks for BOS before every text.
    pub fn adds_bos(&self) -> bool {
        self.special.add_bos
    }

    /// Whether a token is a marker (such as `<|im_end|>`) rather than text.
    pub fn is_special(&self, id: u32) -> bool {
        self.special_ids.contains(&id)
    }

    /// Every marker, by id.
    pub(super) fn special_ids(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.special_ids.iter().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// The algorithm, for people.
    pub(super) fn kind(&self) -> &'static str {
        match (self.inner.get_model(), self.alphabet) {
            (ModelWrapper::BPE(_), Alphabet::ByteLevel) => "byte-level BPE",
            (ModelWrapper::BPE(_), Alphabet::Spm) => "SentencePiece BPE",
            (ModelWrapper::BPE(_), Alphabet::Plain) => "BPE",
            (ModelWrapper::Unigram(_), _) => "unigram",
            (ModelWrapper::WordPiece(_), _) => "WordPiece",
            (ModelWrapper::WordLevel(_), _) => "word level",
        }
    }

    fn slot(&self, id: u32) -> Option<&[u8]> {
        self.pieces.get(usize::try_from(id).ok()?)?.as_deref()
    }

    fn piece(&self, id: u32) -> &[u8] {
        self.slot(id).unwrap_or_default()
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer")
            .field("alphabet", &self.alphabet)
            .field("vocab_size", &self.vocab_size())
            .field("special", &self.special)
            .finish_non_exhaustive()
    }
}

/// Parses a `tokenizer.json`. Truncation and padding that somebody saved in it would change the prompt silently.
pub(super) fn parse_json(bytes: &[u8]) -> Result<tokenizers::Tokenizer, Error> {
    let fail = |source| Error::TokenizerJson { source };
    valid_json::check(bytes).map_err(|error| fail(error.into()))?;
    let mut tokenizer = flat(fenced(|| tokenizers::Tokenizer::from_bytes(bytes))).map_err(fail)?;
    tokenizer.with_truncation(None).map_err(fail)?;
    tokenizer.with_padding(None);
    Ok(tokenizer)
}

/// An error of the library, or a panic of it, as one error.
pub(super) fn flat<T>(result: Result<tokenizers::Result<T>, String>) -> tokenizers::Result<T> {
    result.map_err(Into::into).flatten()
}

fn set_at(pieces: &mut Vec<Option<Box<[u8]>>>, id: u32, bytes: Box<[u8]>) {
    let Ok(index) = usize::try_from(id) else { return };
    if index >= pieces.len() {
        pieces.resize(index + 1, None);
    }
    pieces[index] = Some(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::sample::{HELLO, bpe, spm};

    fn byte_level() -> Tokenizer {
        Tokenizer::from_gguf(&bpe("gpt-2", &["Ġ m", "a t", "Ġm at"])).unwrap()
    }

    fn sentence_piece() -> Tokenizer {
        Tokenizer::from_gguf(&spm(HELLO)).unwrap()
    }

    #[test]
    fn tokens_are_bytes_text_and_something_to_look_at() {
        let (bpe, spm) = (byte_level(), sentence_piece());
        let cases: &[(&Tokenizer, u32, &[u8], &str, &str)] = &[
            (&bpe, 0, b"<|bos|>", "<|bos|>", "<|bos|>"),
            (&bpe, 2 + 0x1b, b"\x1b", "\x1b", "<U+001B>"),
            (&bpe, 2 + 0xe2, b"\xe2", "\u{fffd}", "<E2>"),
            (&bpe, 2 + 0x0a, b"\n", "\n", "↵"),
            (&bpe, 260, b" mat", " mat", "␣mat"),
            (&bpe, 261, b"", "", "<id 261>"),
            (&bpe, u32::MAX, b"", "", "<id 4294967295>"),
            (&spm, 1, b"<s>", "<s>", "<s>"),
            (&spm, 3 + 0x0a, b"\n", "\n", "↵"),
            (&spm, 3 + 0xe2, b"\xe2", "\u{fffd}", "<E2>"),
            (&spm, 269, b" hello", " hello", "␣hello"),
        ];
        for (tokenizer, id, bytes, text, visible) in cases {
            assert_eq!(tokenizer.bytes(*id), *bytes, "{id}");
            assert_eq!(tokenizer.text(*id), *text, "{id}");
            assert_eq!(tokenizer.visible(*id), *visible, "{id}");
        }
        assert_eq!((bpe.vocab_size(), spm.vocab_size()), (261, 270));
    }

    #[test]
    fn decoding_gives_the_text_back() {
        let tokenizer = byte_level();
        for text in ["", " mat\r\n\t", "東京 é🙂", "<|bos|> a<|eos|>", "Ġ ▁ <0x0A>"] {
            let ids = tokenizer.encode(text).unwrap();
            assert_eq!(tokenizer.decode(&ids), text);
        }
        let ids = tokenizer.encode("é").unwrap();
        assert_eq!(tokenizer.decode(&ids[..1]), "\u{fffd}");
        assert_eq!(tokenizer.decode(&[9999]), "");
    }

    #[test]
    fn the_space_that_sentence_piece_adds_is_not_hidden() {
        let tokenizer = sentence_piece();
        let ids = tokenizer.encode("hello hello").unwrap();
        assert_eq!(tokenizer.decode(&ids), " hello hello");
        assert_eq!(tokenizer.decode(&ids[1..]), " hello");
    }

    #[test]
    fn spans_cover_the_text_on_character_boundaries() {
        let spans = |tokenizer: &Tokenizer, text| {
            let spans = tokenizer.encode_with_offsets(text).unwrap();
            spans.into_iter().map(|span| (span.id, span.start, span.end)).collect::<Vec<_>>()
        };
        let (bpe, spm) = (byte_level(), sentence_piece());
        assert_eq!(spans(&bpe, "a mat"), [(2 + 0x61, 0, 1), (260, 1, 5)]);
        assert_eq!(spans(&bpe, " mat"), [(260, 0, 4)]);
        assert_eq!(spans(&bpe, "é"), [(2 + 0xc3, 0, 2), (2 + 0xa9, 0, 2)]);
        assert_eq!(spans(&bpe, "<|eos|>a"), [(1, 0, 7), (2 + 0x61, 7, 8)]);
        assert_eq!(spans(&spm, "hello hello"), [(269, 0, 5), (269, 5, 11)]);
    }

    #[test]
    fn a_text_is_one_token_only_if_a_token_says_exactly_that() {
        let (bpe, spm) = (byte_level(), sentence_piece());
        let cases: &[(&Tokenizer, &str, Option<u32>)] = &[
            (&bpe, " mat", Some(260)),
            (&bpe, "mat", None),
            (&bpe, "Ġmat", None),
            (&bpe, "Ġ", None),
            (&bpe, "\n", Some(12)),
            (&bpe, "<|eos|>", Some(1)),
            (&bpe, "", None),
            (&spm, " hello", Some(269)),
            (&spm, "hello", None),
            (&spm, "▁hello", None),
            (&spm, "he", Some(264)),
            (&spm, "\n", Some(13)),
            (&spm, "<0x0A>", None),
            (&spm, "</s>", Some(2)),
        ];
        for (tokenizer, text, id) in cases {
            assert_eq!(tokenizer.id_of(text), *id, "{text:?}");
        }
    }

    #[test]
    fn markers_are_told_from_text() {
        let tokenizer = sentence_piece();
        let special: Vec<u32> = (0..300).filter(|&id| tokenizer.is_special(id)).collect();
        assert_eq!(special, [0, 1, 2]);
        assert_eq!((tokenizer.bos(), tokenizer.eos(), tokenizer.adds_bos()), (Some(1), Some(2), true));
    }

    #[test]
    fn a_token_that_is_in_the_file_twice_keeps_both_ids() {
        let mut vocab = bpe("gpt-2", &["a t"]);
        vocab.tokens.push("at".to_owned());
        vocab.token_types.push(1);
        let tokenizer = Tokenizer::from_gguf(&vocab).unwrap();
        assert_eq!((tokenizer.text(258), tokenizer.text(259)), ("at".to_owned(), "at".to_owned()));
        assert_eq!(tokenizer.encode("at").unwrap(), [259]);
    }

    #[test]
    fn truncation_and_padding_in_the_file_are_ignored() {
        let json = r#"{"version": "1.0",
            "truncation": {"direction": "Right", "max_length": 1, "strategy": "LongestFirst", "stride": 0},
            "padding": {"strategy": {"Fixed": 8}, "direction": "Right", "pad_to_multiple_of": null, "pad_id": 0,
                        "pad_type_id": 0, "pad_token": "a"},
            "added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
            "model": {"type": "BPE", "vocab": {"a": 0, "b": 5}, "merges": []}}"#;
        let tokenizer = Tokenizer::from_json_bytes(json.as_bytes(), SpecialTokens::default()).unwrap();
        assert_eq!(tokenizer.encode("abb").unwrap(), [0, 5, 5]);
        assert_eq!(tokenizer.vocab_size(), 6);
        assert_eq!(tokenizer.visible(3), "<id 3>");
    }

    #[test]
    fn what_is_not_a_tokenizer_is_refused() {
        let error = Tokenizer::from_json_bytes(b"{}", SpecialTokens::default()).unwrap_err();
        assert_eq!(error.to_string(), "tokenizer.json does not describe a tokenizer");
        assert!(std::error::Error::source(&error).is_some() && error.hint().is_some());
    }

    #[test]
    fn a_tokenizer_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&byte_level());
    }
}
