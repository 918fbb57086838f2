//! From a text to the ids a model runs on. This is the one place where BOS is decided; everything that shows or records
//! a prompt shows [`Prompt::bos`] with it, because one token more or less at the front changes every number.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::error::Error;
use super::tokenizer::Tokenizer;

/// Who decides whether BOS is put before a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BosPolicy {
    /// The tokenizer, as the model was trained.
    #[default]
    Model,
    /// BOS is added, whatever the tokenizer says.
    Always,
    /// BOS is not added, whatever the tokenizer says.
    Never,
}

impl BosPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Model, Self::Always, Self::Never];

    /// The name as written on a command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Always => "always",
            Self::Never => "never",
        }
    }
}

impl fmt::Display for BosPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for BosPolicy {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|policy| policy.name() == name);
        found.ok_or_else(|| Error::BosPolicy { found: name.escape_debug().to_string() })
    }
}

/// What was decided about BOS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bos {
    /// It was put before the text.
    Added {
        /// The token.
        id: u32,
        /// The token as shown.
        token: String,
        /// On whose word: the model's, or `Always`.
        policy: BosPolicy,
    },
    /// The text itself starts with it, so it was not added a second time.
    InText {
        /// The token.
        id: u32,
        /// The token as shown.
        token: String,
    },
    /// There is none.
    NotAdded(NoBos),
}

/// Why there is no BOS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoBos {
    /// The tokenizer does not ask for one.
    NotAsked,
    /// The tokenizer asks for one but does not say which token it is.
    Unknown,
    /// The policy forbids it.
    Forbidden,
    /// The ids were given, and are taken as they are.
    IdsGiven,
}

impl Bos {
    /// The BOS token at the front, wherever it came from.
    pub fn id(&self) -> Option<u32> {
        match self {
            Self::Added { id, .. } | Self::InText { id, .. } => Some(*id),
            Self::NotAdded(_) => None,
        }
    }

    fn decide(tokenizer: &Tokenizer, first: u32, policy: BosPolicy) -> Result<Self, Error> {
        let bos = tokenizer.bos().map(|id| (id, tokenizer.visible(id)));
        Ok(match (policy, bos) {
            (_, Some((id, token))) if id == first => Self::InText { id, token },
            (BosPolicy::Never, _) => Self::NotAdded(NoBos::Forbidden),
            (BosPolicy::Model, _) if !tokenizer.adds_bos() => Self::NotAdded(NoBos::NotAsked),
            (_, Some((id, token))) => Self::Added { id, token, policy },
            (BosPolicy::Model, None) => Self::NotAdded(NoBos::Unknown),
            (BosPolicy::Always, None) => return Err(Error::NoBosToken),
        })
    }
}

impl fmt::Display for Bos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { id, token, policy: BosPolicy::Always } => {
                write!(f, "BOS {token} (id {id}) added, as demanded")
            }
            Self::Added { id, token, policy: BosPolicy::Model | BosPolicy::Never } => {
                write!(f, "BOS {token} (id {id}) added, as the model asks")
            }
            Self::InText { id, token } => write!(f, "BOS {token} (id {id}) is in the text, not added again"),
            Self::NotAdded(why) => write!(f, "no BOS: {why}"),
        }
    }
}

impl fmt::Display for NoBos {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "the tokenizer does not ask for one",
            Self::Unknown => "the tokenizer asks for one but names none",
            Self::Forbidden => "it is switched off",
            Self::IdsGiven => "the ids are used as given",
        })
    }
}

/// A text and the ids that a model runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// The text as given; empty where ids were given.
    pub text: String,
    /// The ids, BOS included.
    pub ids: Vec<u32>,
    /// What was decided about BOS.
    pub bos: Bos,
}

impl Prompt {
    /// Tokenizes a text and decides about BOS. An empty text is refused, BOS or not.
    pub fn new(tokenizer: &Tokenizer, text: &str, policy: BosPolicy) -> Result<Self, Error> {
        let mut ids = tokenizer.encode(text)?;
        let first = *ids.first().ok_or(Error::EmptyPrompt)?;
        let bos = Bos::decide(tokenizer, first, policy)?;
        if let Bos::Added { id, .. } = bos {
            ids.insert(0, id);
        }
        Ok(Self { text: text.to_owned(), ids, bos })
    }

    /// Takes ids as they are, after checking that the model has an embedding for each.
    pub fn from_ids(ids: Vec<u32>, d_vocab: usize) -> Result<Self, Error> {
        if ids.is_empty() {
            return Err(Error::EmptyPrompt);
        }
        let in_range = |id: u32| usize::try_from(id).is_ok_and(|id| id < d_vocab);
        match ids.iter().position(|&id| !in_range(id)) {
            Some(position) => Err(Error::IdOutOfRange { id: ids[position], position, d_vocab }),
            None => Ok(Self { text: String::new(), ids, bos: Bos::NotAdded(NoBos::IdsGiven) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::gguf_vocab::GgufVocab;
    use crate::text::sample::bpe;

    const A: u32 = 2 + 0x61;

    fn tokenizer(bos: Option<u32>, add_bos: bool) -> Tokenizer {
        Tokenizer::from_gguf(&GgufVocab { bos, add_bos: Some(add_bos), ..bpe("gpt-2", &[]) }).unwrap()
    }

    #[test]
    fn bos_is_decided_by_policy_model_and_text() {
        const ADDED: &str = "BOS <|bos|> (id 0) added, as the model asks";
        const DEMANDED: &str = "BOS <|bos|> (id 0) added, as demanded";
        const IN_TEXT: &str = "BOS <|bos|> (id 0) is in the text, not added again";
        const NOT_ASKED: &str = "no BOS: the tokenizer does not ask for one";
        const UNKNOWN: &str = "no BOS: the tokenizer asks for one but names none";
        const OFF: &str = "no BOS: it is switched off";
        use BosPolicy::{Always, Model, Never};
        type Case = (Option<u32>, bool, &'static str, BosPolicy, &'static [u32], &'static str);
        let cases: &[Case] = &[
            (Some(0), true, "a", Model, &[0, A], ADDED),
            (Some(0), true, "a", Always, &[0, A], DEMANDED),
            (Some(0), true, "a", Never, &[A], OFF),
            (Some(0), false, "a", Model, &[A], NOT_ASKED),
            (Some(0), false, "a", Always, &[0, A], DEMANDED),
            (Some(0), false, "a", Never, &[A], OFF),
            (Some(0), true, "<|bos|>a", Model, &[0, A], IN_TEXT),
            (Some(0), true, "<|bos|>a", Always, &[0, A], IN_TEXT),
            (Some(0), false, "<|bos|>a", Never, &[0, A], IN_TEXT),
            (Some(0), true, "<|bos|>", Model, &[0], IN_TEXT),
            (Some(0), true, "a<|bos|>", Model, &[0, A, 0], ADDED),
            (None, true, "a", Model, &[A], UNKNOWN),
            (None, false, "a", Model, &[A], NOT_ASKED),
            (None, false, "a", Never, &[A], OFF),
        ];
        for (bos, add_bos, text, policy, ids, decision) in cases {
            let prompt = Prompt::new(&tokenizer(*bos, *add_bos), text, *policy).unwrap();
            assert_eq!(prompt.ids, *ids, "{text} {policy}");
            assert_eq!(prompt.bos.to_string(), *decision, "{text} {policy}");
            assert_eq!(prompt.bos.id().is_some(), ids[0] == 0, "{text} {policy}");
            assert_eq!(prompt.text, *text);
        }
    }

    #[test]
    fn bos_cannot_be_demanded_of_a_tokenizer_without_one() {
        let error = Prompt::new(&tokenizer(None, true), "a", BosPolicy::Always).unwrap_err();
        assert!(matches!(error, Error::NoBosToken) && error.hint().is_some());
    }

    #[test]
    fn nothing_is_no_prompt() {
        for policy in BosPolicy::ALL {
            let error = Prompt::new(&tokenizer(Some(0), true), "", policy).unwrap_err();
            assert!(matches!(error, Error::EmptyPrompt), "{policy}");
            assert!(error.hint().is_some_and(|hint| hint.starts_with("type some text")));
        }
        assert!(matches!(Prompt::from_ids(vec![], 10), Err(Error::EmptyPrompt)));
    }

    #[test]
    fn given_ids_are_checked_and_left_alone() {
        let prompt = Prompt::from_ids(vec![9, 0], 10).unwrap();
        assert_eq!((prompt.ids, prompt.text.as_str()), (vec![9, 0], ""));
        assert_eq!(prompt.bos.to_string(), "no BOS: the ids are used as given");
        let error = Prompt::from_ids(vec![9, 10, 11], 10).unwrap_err();
        assert_eq!(error.to_string(), "id 10 at position 1 is outside the vocabulary of 10 tokens");
    }

    #[test]
    fn policies_are_read_as_they_are_written() {
        for policy in BosPolicy::ALL {
            assert_eq!(policy.to_string().parse::<BosPolicy>().unwrap(), policy);
            assert_eq!(serde_json::to_value(policy).unwrap(), policy.name());
        }
        assert_eq!(BosPolicy::default(), BosPolicy::Model);
        let error = "Always".parse::<BosPolicy>().unwrap_err();
        assert_eq!(error.to_string(), "`Always` is not a BOS policy, expected model, always or never");
    }
}
