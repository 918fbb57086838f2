//! What can go wrong between text and ids. Messages say what was found and what was expected; [`Error::hint`] holds the
//! remedy.

/// A source error of a dependency that returns boxed errors.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An error of the text layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes of `tokenizer.json` do not describe a tokenizer.
    #[error("tokenizer.json does not describe a tokenizer")]
    TokenizerJson {
        /// What the tokenizer library says.
        #[source]
        source: Cause,
    },
    /// A token has an id that no vocabulary has.
    #[error("token `{token}` has the id {id}, expected less than {limit}")]
    IdTooLarge {
        /// The token, printable.
        token: String,
        /// Its id.
        id: u32,
        /// The limit.
        limit: u32,
    },
    /// The vocabulary and the embedding differ.
    #[error("the vocabulary has {found} tokens, the embedding has {d_vocab} rows")]
    VocabularySize {
        /// Tokens.
        found: usize,
        /// Rows of the embedding.
        d_vocab: usize,
    },
    /// A token of the GGUF file is longer than any is.
    #[error("`tokenizer.ggml.tokens` entry {index} has {found} bytes, expected at most {limit}")]
    GgufToken {
        /// The position in `tokenizer.ggml.tokens`, from 0.
        index: usize,
        /// Its length.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// The vocabulary of a GGUF file is of a kind that is not rebuilt here.
    #[error("`tokenizer.ggml.model` is `{found}`, supported are {}", known.join(", "))]
    GgufModel {
        /// The value in the file.
        found: String,
        /// The supported values.
        known: Vec<&'static str>,
    },
    /// The GGUF file names a pre-tokenizer that is not known.
    #[error("`tokenizer.ggml.pre` is `{found}`, known are {}", known.join(", "))]
    GgufPre {
        /// The value in the file.
        found: String,
        /// The known values.
        known: Vec<&'static str>,
    },
    /// Two arrays of the GGUF vocabulary differ in length.
    #[error("`tokenizer.ggml.{array}` has {found} entries, `tokenizer.ggml.tokens` has {expected}")]
    GgufLength {
        /// The array, without the `tokenizer.ggml.` prefix.
        array: &'static str,
        /// Its length.
        found: usize,
        /// The number of tokens.
        expected: usize,
    },
    /// A merge rule in the GGUF file is not two tokens with a space between.
    #[error("`tokenizer.ggml.merges` entry {index} is `{found}`, expected two tokens")]
    GgufMerge {
        /// The position in `tokenizer.ggml.merges`, from 0.
        index: usize,
        /// The rule, printable.
        found: String,
    },
    /// The parts of the GGUF vocabulary do not fit together.
    #[error("the vocabulary in the GGUF file contradicts itself")]
    GgufBuild {
        /// What the tokenizer library says.
        #[source]
        source: Cause,
    },
    /// The tokenizer refused a text.
    #[error("the text cannot be tokenized")]
    Encode {
        /// What the tokenizer library says.
        #[source]
        source: Cause,
    },
    /// There is nothing to run a model on.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// An id that the model has no embedding for.
    #[error("id {id} at position {position} is outside the vocabulary of {d_vocab} tokens")]
    IdOutOfRange {
        /// The id.
        id: u32,
        /// Its position in the list, from 0.
        position: usize,
        /// The size of the vocabulary.
        d_vocab: usize,
    },
    /// A BOS token was demanded from a tokenizer that has none.
    #[error("a BOS token is demanded, but the tokenizer has none")]
    NoBosToken,
    /// A BOS policy that does not exist.
    #[error("`{found}` is not a BOS policy, expected model, always or never")]
    BosPolicy {
        /// What was written.
        found: String,
    },
    /// A granularity that does not exist.
    #[error("`{found}` is not a granularity, expected token, word, sentence or line")]
    Granularity {
        /// What was written.
        found: String,
    },
    /// The chat template has a syntax error.
    #[error("the chat template is not valid")]
    TemplateSyntax {
        /// Where and why.
        #[source]
        source: minijinja::Error,
    },
    /// The chat template failed on these messages.
    #[error("the chat template cannot be rendered")]
    TemplateRender {
        /// Where and why.
        #[source]
        source: minijinja::Error,
    },
    /// The chat template refused these messages on purpose.
    #[error("the chat template refuses these messages: {message}")]
    TemplateRefused {
        /// The template's own words.
        message: String,
    },
    /// The chat template writes today's date into the prompt.
    #[error("the chat template asks for the current date (`strftime_now`)")]
    TemplateClock,
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::TokenizerJson { .. } => {
                "the file must be the `tokenizer.json` of the tokenizers library; `save_pretrained` writes it"
            }
            Self::IdTooLarge { .. } => "tokenizer.json is damaged; download it again",
            Self::VocabularySize { .. } => "check that tokenizer and weights come from the same model",
            Self::GgufModel { .. } | Self::GgufPre { .. } => {
                "use the safetensors version of the model: its tokenizer.json needs no reconstruction"
            }
            Self::GgufLength { .. } | Self::GgufMerge { .. } | Self::GgufBuild { .. } | Self::GgufToken { .. } => {
                "the vocabulary in the file is damaged or was written by another program; convert the model again"
            }
            Self::EmptyPrompt => "type some text; to see the model with nothing before it, give the BOS id itself",
            Self::IdOutOfRange { .. } => "the ids may belong to another model's tokenizer",
            Self::NoBosToken => "use `model` or `never`, or write the token you want at the start of the text",
            Self::TemplateRefused { .. } => "some templates want roles to alternate, or know no system role",
            Self::TemplateClock => "a prompt that changes every day cannot be measured; write the prompt out as text",
            Self::TemplateSyntax { .. } | Self::TemplateRender { .. } => {
                "write the prompt out as text, special tokens included, instead of using the template"
            }
            Self::Encode { .. } => "the tokenizer may be damaged; download it again",
            Self::BosPolicy { .. } | Self::Granularity { .. } => return None,
        };
        Some(hint.to_owned())
    }
}
