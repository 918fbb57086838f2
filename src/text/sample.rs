//! Small vocabularies for the tests of this layer.

use super::alphabet::Alphabet;
use super::gguf_vocab::GgufVocab;

/// Byte-level BPE: `<|bos|>` is 0, `<|eos|>` is 1, byte `b` is `2 + b`, and what the merge rules make follows.
pub(super) fn bpe(pre: &str, merges: &[&str]) -> GgufVocab {
    let mut tokens = vec!["<|bos|>".to_owned(), "<|eos|>".to_owned()];
    tokens.extend((0..=u8::MAX).map(|byte| Alphabet::char_of(byte).to_string()));
    let mut token_types = vec![3, 3];
    token_types.resize(tokens.len() + merges.len(), 1);
    tokens.extend(merges.iter().map(|rule| rule.replace(' ', "")));
    GgufVocab {
        model: "gpt2".to_owned(),
        pre: Some(pre.to_owned()),
        tokens,
        token_types,
        merges: merges.iter().map(|rule| (*rule).to_owned()).collect(),
        bos: Some(0),
        eos: Some(1),
        ..GgufVocab::default()
    }
}

/// `SentencePiece` BPE: `<unk>`, `<s>` and `</s>` are 0 to 2, byte `b` is `3 + b`, and these pieces follow from 259 on.
pub(super) fn spm(pieces: &[(&str, f32)]) -> GgufVocab {
    let mut tokens: Vec<String> = ["<unk>", "<s>", "</s>"].map(str::to_owned).into();
    tokens.extend((0..=u8::MAX).map(|byte| format!("<0x{byte:02X}>")));
    let mut token_types = vec![2, 3, 3];
    token_types.resize(tokens.len(), 6);
    let mut scores = vec![0.0; tokens.len()];
    for (piece, score) in pieces {
        tokens.push((*piece).to_owned());
        token_types.push(1);
        scores.push(*score);
    }
    GgufVocab { model: "llama".to_owned(), tokens, token_types, scores, ..GgufVocab::default() }
}

/// The pieces of `hello` with a space before it.
pub(super) const HELLO: &[(&str, f32)] = &[
    ("▁", -20.0),
    ("h", -21.0),
    ("e", -22.0),
    ("l", -23.0),
    ("o", -24.0),
    ("he", -1.0),
    ("ll", -2.0),
    ("lo", -2.5),
    ("hell", -3.0),
    ("▁hell", -4.0),
    ("▁hello", -5.0),
];
