//! The tokenizer inside a GGUF file. The file holds the vocabulary, but of the algorithm only its name; this rebuilds
//! the rest so that the ids are those of the model's own `tokenizer.json`.

use tokenizers::decoders::DecoderWrapper;
use tokenizers::decoders::byte_fallback::ByteFallback;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::{NormalizerWrapper, Prepend, Replace, Sequence};
use tokenizers::{AddedToken, Tokenizer};

use super::error::Error;
use super::guard::fenced;
use super::pretokenizer::PreTokenizer;
use super::special::SpecialTokens;
use super::tokenizer::flat;
use super::visible::visible_bytes;

/// The `tokenizer.ggml.*` metadata of a GGUF file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GgufVocab {
    /// `general.name`: the model's name, on which a convention hangs that the vocabulary is silent about.
    pub name: Option<String>,
    /// `model`: the algorithm.
    pub model: String,
    /// `pre`: the name of the pre-tokenizer.
    pub pre: Option<String>,
    /// `tokens`: the vocabulary by id.
    pub tokens: Vec<String>,
    /// `token_type`: normal, control, byte and so on, by id; may be empty.
    pub token_types: Vec<i32>,
    /// `merges`: the merge rules of byte-pair encoding, best first.
    pub merges: Vec<String>,
    /// `scores`: the scores of `SentencePiece`, by id.
    pub scores: Vec<f32>,
    /// `bos_token_id`.
    pub bos: Option<u32>,
    /// `eos_token_id`.
    pub eos: Option<u32>,
    /// `add_bos_token`.
    pub add_bos: Option<bool>,
    /// `add_space_prefix`.
    pub add_space_prefix: Option<bool>,
}

/// `token_type` of the token for what the vocabulary cannot spell.
const UNKNOWN: i32 = 2;
/// `token_type` of markers.
const CONTROL: i32 = 3;
/// `token_type` of tokens that are matched in the text before merging.
const USER_DEFINED: i32 = 4;
/// `token_type` of `<0xE2>` and the like.
const BYTE: i32 = 6;

/// Bytes of a token: finding the merge rules of one takes time that grows with its square.
const MAX_TOKEN_BYTES: usize = 1024;

/// The algorithms that can be rebuilt.
enum Kind {
    /// Byte-level BPE (`gpt2`).
    Bpe,
    /// `SentencePiece` BPE (`llama`).
    Spm,
}

impl GgufVocab {
    fn kind(&self) -> Result<Kind, Error> {
        match self.model.as_str() {
            "gpt2" => Ok(Kind::Bpe),
            "llama" => Ok(Kind::Spm),
            _ => Err(Error::GgufModel { found: self.model.escape_debug().to_string(), known: vec!["gpt2", "llama"] }),
        }
    }

    /// The special tokens, with llama.cpp's defaults where the file is silent.
    pub(super) fn special_tokens(&self) -> Result<SpecialTokens, Error> {
        let (bos, eos, add_bos) = match self.kind()? {
            Kind::Bpe => (None, None, PreTokenizer::find(self.pre.as_deref())?.add_bos),
            Kind::Spm => (Some(1), Some(2), true),
        };
        let known = |id: &u32| usize::try_from(*id).is_ok_and(|id| id < self.tokens.len());
        Ok(SpecialTokens {
            bos: self.bos.or(bos).filter(known),
            eos: self.eos.or(eos).filter(known),
            add_bos: self.add_bos.unwrap_or(add_bos),
        })
    }

    /// The algorithm, for people, and the file's names for it and for the pre-tokenizer.
    pub(super) fn kind_name(&self) -> Result<String, Error> {
        let kind = match self.kind()? {
            Kind::Bpe => "byte-level BPE",
            Kind::Spm => "SentencePiece BPE",
        };
        let pre = self.pre.as_deref().map_or_else(String::new, |pre| format!(", pre-tokenizer {}", pre.escape_debug()));
        Ok(format!("{kind} ({}{pre})", self.model))
    }

    /// Every marker, by id.
    pub(super) fn special_ids(&self) -> Vec<u32> {
        let typed = (0..).zip(&self.token_types);
        typed.filter(|(_, kind)| matches!(**kind, CONTROL | UNKNOWN)).map(|(id, _)| id).collect()
    }

    /// Whether a marker swallows the white space after it, as those of Phi-3 do.
    fn takes_space_after(&self, token: &str) -> bool {
        let name = self.name.as_deref().unwrap_or_default().to_lowercase();
        let is_phi3 = name.contains("phi-3") || name.contains("phi3");
        is_phi3 && !["<unk>", "<s>", "<|endoftext|>"].contains(&token)
    }

    /// Whether there is a token for every row of an embedding of `d_vocab` rows.
    ///
    /// # Errors
    /// [`Error::VocabularySize`].
    pub fn check_fits(&self, d_vocab: usize) -> Result<(), Error> {
        let found = self.tokens.len();
        if found == d_vocab { Ok(()) } else { Err(Error::VocabularySize { found, d_vocab }) }
    }

    fn check_tokens(&self) -> Result<(), Error> {
        let lengths = self.tokens.iter().map(String::len).enumerate();
        match lengths.into_iter().find(|(_, found)| *found > MAX_TOKEN_BYTES) {
            Some((index, found)) => Err(Error::GgufToken { index, found, limit: MAX_TOKEN_BYTES }),
            None => Ok(()),
        }
    }

    fn has_type(&self, index: usize, kind: i32) -> bool {
        self.token_types.get(index) == Some(&kind)
    }

    /// The ids by token. Where a file has a token twice the last one counts, as in llama.cpp.
    fn ids(&self) -> Vocab {
        self.tokens.iter().cloned().zip(0..).collect()
    }

    fn check_length(&self, array: &'static str, found: usize) -> Result<(), Error> {
        let expected = self.tokens.len();
        if found == expected { Ok(()) } else { Err(Error::GgufLength { array, found, expected }) }
    }
}

/// Rebuilds the tokenizer.
pub(super) fn build(vocab: &GgufVocab) -> Result<Tokenizer, Error> {
    if !vocab.token_types.is_empty() {
        vocab.check_length("token_type", vocab.token_types.len())?;
    }
    vocab.check_tokens()?;
    let mut tokenizer = match vocab.kind()? {
        Kind::Bpe => byte_level_bpe(vocab)?,
        Kind::Spm => spm(vocab)?,
    };
    flat(fenced(|| tokenizer.add_tokens(added_tokens(vocab)))).map_err(fail)?;
    Ok(tokenizer)
}

fn fail(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::GgufBuild { source }
}

/// The tokens that are looked for in the text itself.
fn added_tokens(vocab: &GgufVocab) -> Vec<AddedToken> {
    let is_special = |kind| match kind {
        CONTROL | UNKNOWN => Some(true),
        USER_DEFINED => Some(false),
        _ => None,
    };
    let typed = vocab.tokens.iter().zip(&vocab.token_types);
    let added = typed.filter_map(|(token, kind)| {
        let added = AddedToken::from(token.as_str(), is_special(*kind)?).normalized(false);
        Some(added.rstrip(vocab.takes_space_after(token)))
    });
    added.collect()
}

fn byte_level_bpe(vocab: &GgufVocab) -> Result<Tokenizer, Error> {
    let pre = PreTokenizer::find(vocab.pre.as_deref())?;
    let merges = vocab.merges.iter().enumerate().map(|(index, rule)| split_merge(index, rule));
    let bpe = BPE::builder()
        .vocab_and_merges(vocab.ids(), merges.collect::<Result<Vec<_>, _>>()?)
        .ignore_merges(pre.ignore_merges)
        .build()
        .map_err(fail)?;
    let mut tokenizer = Tokenizer::new(bpe);
    tokenizer.with_pre_tokenizer(Some(pre.compile()?));
    tokenizer.with_decoder(Some(ByteLevel::new(false, true, false)));
    Ok(tokenizer)
}

/// A rule is two tokens with a space between; the first may itself start with a space.
fn split_merge(index: usize, rule: &str) -> Result<(String, String), Error> {
    let parts = rule.char_indices().skip(1).find(|(_, c)| *c == ' ').map(|(at, _)| (&rule[..at], &rule[at + 1..]));
    match parts {
        Some((left, right)) if !right.is_empty() => Ok((left.to_owned(), right.to_owned())),
        _ => Err(Error::GgufMerge { index, found: visible_bytes(rule.as_bytes()) }),
    }
}

fn spm(vocab: &GgufVocab) -> Result<Tokenizer, Error> {
    vocab.check_length("scores", vocab.scores.len())?;
    let ids = vocab.ids();
    let merges = spm_merges(vocab, &ids);
    let mut bpe = BPE::builder().vocab_and_merges(ids, merges).byte_fallback(true).fuse_unk(true);
    if let Some(unknown) = (0..vocab.tokens.len()).find(|&index| vocab.has_type(index, UNKNOWN)) {
        bpe = bpe.unk_token(vocab.tokens[unknown].clone());
    }
    let mut tokenizer = Tokenizer::new(bpe.build().map_err(fail)?);
    tokenizer.with_normalizer(Some(spm_normalizer(vocab)?)).map_err(fail)?;
    tokenizer.with_decoder(Some(DecoderWrapper::ByteFallback(ByteFallback::new())));
    Ok(tokenizer)
}

fn spm_normalizer(vocab: &GgufVocab) -> Result<Sequence, Error> {
    let mut steps: Vec<NormalizerWrapper> = Vec::new();
    if vocab.add_space_prefix.unwrap_or(true) {
        steps.push(Prepend::new("▁".to_owned()).into());
    }
    steps.push(Replace::new(" ", "▁").map_err(fail)?.into());
    Ok(Sequence::new(steps))
}

/// The file has scores but no merge rules. Each way of cutting a token into two tokens is a rule, and the score of the
/// whole is its rank.
fn spm_merges(vocab: &GgufVocab, ids: &Vocab) -> Vec<(String, String)> {
    let mut rules = Vec::new();
    for (index, token) in vocab.tokens.iter().enumerate().filter(|(index, _)| !vocab.has_type(*index, BYTE)) {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if let (Some(&l), Some(&r)) = (ids.get(left), ids.get(right)) {
                rules.push((vocab.scores[index], l, r, left, right));
            }
        }
    }
    rules.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    rules.into_iter().map(|(_, _, _, left, right)| (left.to_owned(), right.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::sample::{HELLO, bpe, spm};

    fn encode(vocab: &GgufVocab, text: &str) -> Vec<String> {
        let encoding = build(vocab).unwrap().encode(text, false).unwrap();
        encoding.get_tokens().to_vec()
    }

    #[test]
    fn byte_level_merges_follow_the_order_of_the_rules() {
        let vocab = |merges: &[&str]| bpe("gpt-2", merges);
        let cases: &[(&[&str], &str, &[&str])] = &[
            (&["a b", "b c"], "abc", &["ab", "c"]),
            (&["b c", "a b"], "abc", &["a", "bc"]),
            (&["Ġ m", "a t", "Ġm at"], " mat", &["Ġmat"]),
            (&[], "é", &["Ã", "©"]),
            (&["Ã ©"], "é", &["Ã©"]),
            (&["a b"], "<|bos|>ab", &["<|bos|>", "ab"]),
        ];
        for (merges, text, expected) in cases {
            assert_eq!(encode(&vocab(merges), text), *expected, "{merges:?} {text:?}");
        }
    }

    #[test]
    fn only_some_pre_tokenizers_take_whole_tokens_without_merging() {
        let mut vocab = bpe("llama-bpe", &[]);
        vocab.tokens.push("abc".to_owned());
        vocab.token_types.push(1);
        assert_eq!(encode(&vocab, "abc"), ["abc"]);
        vocab.pre = Some("qwen2".to_owned());
        assert_eq!(encode(&vocab, "abc"), ["a", "b", "c"]);
    }

    #[test]
    fn user_defined_tokens_are_found_before_merging() {
        let mut vocab = bpe("gpt-2", &["a b"]);
        vocab.tokens.push("bb".to_owned());
        vocab.token_types.push(USER_DEFINED);
        assert_eq!(encode(&vocab, "abb"), ["a", "bb"]);
        let tokenizer = build(&vocab).unwrap();
        assert!(!tokenizer.get_added_vocabulary().is_special_token("bb"));
        assert!(tokenizer.get_added_vocabulary().is_special_token("<|eos|>"));
    }

    #[test]
    fn markers_of_phi_3_take_the_space_after_them() {
        let named = |name: &str| GgufVocab { name: Some(name.to_owned()), ..spm(HELLO) };
        assert_eq!(encode(&named("Phi-3 mini"), "</s> \nhello"), ["</s> \n", "▁hello"]);
        assert_eq!(encode(&named("Phi3"), "<s> hello"), ["<s>", "▁", "▁hello"]);
        assert_eq!(encode(&named("Llama"), "</s> hello"), ["</s>", "▁", "▁hello"]);
    }

    #[test]
    fn merge_rules_are_cut_at_the_space_between_two_tokens() {
        let pair = |l: &str, r: &str| Some((l.to_owned(), r.to_owned()));
        let cases = [
            ("a b", pair("a", "b")),
            ("Ġ Ġ", pair("Ġ", "Ġ")),
            ("  b", pair(" ", "b")),
            ("a b c", pair("a", "b c")),
            ("ab", None),
            ("a ", None),
            (" a", None),
            ("", None),
        ];
        for (rule, expected) in cases {
            assert_eq!(split_merge(7, rule).ok(), expected, "{rule:?}");
        }
        let message = split_merge(7, "a\u{1b}").unwrap_err().to_string();
        assert_eq!(message, "`tokenizer.ggml.merges` entry 7 is `a<U+001B>`, expected two tokens");
    }

    #[test]
    fn sentence_piece_is_rebuilt_from_scores() {
        let rescored: Vec<_> = HELLO.iter().map(|&(p, s)| (p, if p == "lo" { -1.5 } else { s })).collect();
        let bare = GgufVocab { add_space_prefix: Some(false), ..spm(HELLO) };
        let cases: &[(GgufVocab, &str, &[&str])] = &[
            (spm(HELLO), "hello", &["▁hello"]),
            (spm(HELLO), "hello hello", &["▁hello", "▁hello"]),
            (spm(HELLO), " hello", &["▁", "▁hello"]),
            (spm(&rescored), "hello", &["▁", "he", "l", "lo"]),
            (bare.clone(), "hello", &["hell", "o"]),
            (bare, " hello", &["▁hello"]),
            (spm(HELLO), "<s>hello</s>", &["<s>", "▁hello", "</s>"]),
            (spm(HELLO), "é\n", &["▁", "<0xC3>", "<0xA9>", "<0x0A>"]),
            (spm(HELLO), "", &[]),
        ];
        for (vocab, text, expected) in cases {
            assert_eq!(encode(vocab, text), *expected, "{text:?}");
        }
    }

    #[test]
    fn without_byte_tokens_the_unknown_token_stands_in() {
        let vocab = spm(HELLO);
        let keep: Vec<usize> = (0..vocab.tokens.len()).filter(|&i| !vocab.has_type(i, BYTE)).collect();
        let vocab = GgufVocab {
            tokens: keep.iter().map(|&i| vocab.tokens[i].clone()).collect(),
            token_types: keep.iter().map(|&i| vocab.token_types[i]).collect(),
            scores: keep.iter().map(|&i| vocab.scores[i]).collect(),
            ..vocab
        };
        assert_eq!(encode(&vocab, "xyhello"), ["▁", "<unk>", "hell", "o"]);
    }

    #[test]
    fn special_tokens_default_as_in_llama_cpp() {
        let silent = |vocab: GgufVocab| GgufVocab { bos: None, eos: None, ..vocab };
        let told = GgufVocab { bos: Some(2), eos: Some(99_999), add_bos: Some(true), ..bpe("gpt-2", &[]) };
        let quiet = GgufVocab { add_bos: Some(false), ..spm(HELLO) };
        let tokens = |bos, eos, add_bos| SpecialTokens { bos, eos, add_bos };
        let cases = [
            (silent(bpe("gpt-2", &[])), tokens(None, None, false)),
            (bpe("gpt-2", &[]), tokens(Some(0), Some(1), false)),
            (bpe("llama-bpe", &[]), tokens(Some(0), Some(1), true)),
            (told, tokens(Some(2), None, true)),
            (spm(HELLO), tokens(Some(1), Some(2), true)),
            (quiet, tokens(Some(1), Some(2), false)),
        ];
        for (vocab, expected) in cases {
            assert_eq!(vocab.special_tokens().unwrap(), expected, "{} {:?}", vocab.model, vocab.pre);
        }
    }

    #[test]
    fn a_damaged_vocabulary_is_refused_with_a_reason() {
        let other = GgufVocab { model: "bert".to_owned(), ..GgufVocab::default() };
        let unscored = GgufVocab { scores: vec![0.0], ..spm(HELLO) };
        let untyped = GgufVocab { token_types: vec![1], ..spm(HELLO) };
        let mut unmade = bpe("gpt-2", &[]);
        unmade.merges.push("a b".to_owned());
        let cases = [
            (other, "`tokenizer.ggml.model` is `bert`, supported are gpt2, llama"),
            (unscored, "`tokenizer.ggml.scores` has 1 entries, `tokenizer.ggml.tokens` has 270"),
            (untyped, "`tokenizer.ggml.token_type` has 1 entries, `tokenizer.ggml.tokens` has 270"),
            (unmade, "the vocabulary in the GGUF file contradicts itself"),
        ];
        for (vocab, expected) in cases {
            let error = build(&vocab).unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(error.hint().is_some(), "{expected}");
        }
    }
}
