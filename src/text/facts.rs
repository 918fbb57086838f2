//! What a tokenizer says about itself, without encoding anything. Of a GGUF vocabulary it is read off the file, which
//! takes a fraction of the time that rebuilding the tokenizer takes.

use serde::Serialize;

use super::error::Error;
use super::gguf_vocab::GgufVocab;
use super::prompt::Bos;
use super::tokenizer::Tokenizer;
use super::visible::{visible_bytes, visible_name};

/// A tokenizer in numbers and words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenizerFacts {
    /// The algorithm.
    pub kind: String,
    /// The number of ids, gaps included.
    pub n_tokens: usize,
    /// What happens to a text without a BOS, in words.
    pub bos_decision: String,
    /// Beginning of sequence.
    pub bos: Option<Marker>,
    /// End of sequence.
    pub eos: Option<Marker>,
    /// Every token that is a marker rather than text.
    pub special: Vec<Marker>,
}

/// A special token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Marker {
    /// Its id.
    pub id: u32,
    /// Its text, safe to print.
    pub token: String,
}

impl TokenizerFacts {
    /// Bytes that the tokenizer takes in memory, an estimate.
    pub const fn bytes(&self) -> u64 {
        /// Measured on a byte-level BPE of 49,152 tokens: their texts, both ways, and the merges.
        const A_TOKEN: u64 = 320;
        A_TOKEN * self.n_tokens as u64
    }
}

impl Tokenizer {
    /// What the tokenizer says about itself.
    pub fn facts(&self) -> TokenizerFacts {
        let marker = |id: u32| Marker { id, token: self.visible(id) };
        let bos = self.bos().map(marker);
        TokenizerFacts {
            kind: self.kind().into(),
            n_tokens: self.vocab_size(),
            bos_decision: decision(bos.as_ref(), self.adds_bos()),
            bos,
            eos: self.eos().map(marker),
            special: self.special_ids().into_iter().map(marker).collect(),
        }
    }
}

impl GgufVocab {
    /// What the vocabulary says about its tokenizer.
    ///
    /// # Errors
    /// An algorithm that cannot be rebuilt.
    pub fn facts(&self) -> Result<TokenizerFacts, Error> {
        let special = self.special_tokens()?;
        let markers = self.special_ids();
        let marker = |id: u32| Marker { id, token: self.visible(id, &markers) };
        let bos = special.bos.map(marker);
        Ok(TokenizerFacts {
            kind: self.kind_name()?,
            n_tokens: self.tokens.len(),
            bos_decision: decision(bos.as_ref(), special.add_bos),
            bos,
            eos: special.eos.map(marker),
            special: markers.iter().copied().map(marker).collect(),
        })
    }

    fn visible(&self, id: u32, markers: &[u32]) -> String {
        match self.tokens.get(id as usize) {
            Some(token) if markers.contains(&id) => visible_name(token),
            Some(token) => visible_bytes(token.as_bytes()),
            None => format!("<id {id}>"),
        }
    }
}

fn decision(bos: Option<&Marker>, adds_bos: bool) -> String {
    Bos::of_model(bos.map(|bos| (bos.id, bos.token.clone())), adds_bos).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::sample::{HELLO, bpe, spm};

    #[test]
    fn a_vocabulary_says_what_its_tokenizer_says() {
        for vocab in [bpe("gpt-2", &["Ġ m"]), spm(HELLO), GgufVocab { add_bos: Some(true), ..bpe("gpt-2", &[]) }] {
            let tokenizer = Tokenizer::from_gguf(&vocab).unwrap();
            let (of_file, of_tokenizer) = (vocab.facts().unwrap(), tokenizer.facts());
            assert!(of_file.kind.starts_with(&of_tokenizer.kind), "{} {}", of_file.kind, of_tokenizer.kind);
            assert_eq!(TokenizerFacts { kind: of_tokenizer.kind.clone(), ..of_file }, of_tokenizer);
        }
    }

    #[test]
    fn the_bos_decision_is_the_one_of_a_prompt() {
        let vocab = GgufVocab { bos: Some(0), add_bos: Some(true), ..bpe("gpt-2", &[]) };
        assert_eq!(vocab.facts().unwrap().bos_decision, "BOS <|bos|> (id 0) added, as the model asks");
        let vocab = GgufVocab { add_bos: Some(false), ..vocab };
        assert_eq!(vocab.facts().unwrap().bos_decision, "no BOS: the tokenizer does not ask for one");
    }
}
