//! The pre-tokenizers that GGUF files refer to by name only: how a text is cut before byte-pair merging starts.
//!
//! The patterns are those of llama.cpp, which are those of each model's own `tokenizer.json`. A name is listed only
//! where its pattern was checked against the ids llama.cpp gives, or where llama.cpp uses the very same pattern for it.
//! Two patterns of llama.cpp are approximations (`gpt-4o`, `tekken`: combining marks); there the model's own stands here.

use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;

use super::error::Error;

/// One way of cutting a text, and what goes with its names.
#[derive(Debug)]
pub(super) struct PreTokenizer {
    /// The values of `tokenizer.ggml.pre` that mean it.
    names: &'static [&'static str],
    /// Applied in order; each cuts what the one before left, into its matches and the rest between them.
    patterns: &'static [&'static str],
    /// Whether a piece that is a token as a whole is taken without merging.
    pub(super) ignore_merges: bool,
    /// Whether BOS is added where the file does not say.
    pub(super) add_bos: bool,
}

/// The row used where a file has no `tokenizer.ggml.pre`.
const DEFAULT: &str = "default";

/// The last alternative takes what llama.cpp leaves unmatched at the end of a text.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const QWEN35: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const GPT4O: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const TEKKEN: &str = r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

const SEED_CODER: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";

const DEEPSEEK3: &str = r##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##;

const TABLE: &[PreTokenizer] = &[
    PreTokenizer {
        names: &[DEFAULT],
        patterns: &[r"[\p{P}\$\+<=>\^~\|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &[
            "gpt-2",
            "phi-2",
            "mpt",
            "olmo",
            "jais",
            "trillion",
            "granite-docling",
            "exaone4",
            "gigachat",
            "a.x-4.0",
            "mellum",
        ],
        patterns: &[GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2"],
        patterns: &[r"\p{N}", GPT2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"],
        patterns: &[LLAMA3],
        ignore_merges: true,
        add_bos: true,
    },
    PreTokenizer {
        names: &["smaug-bpe", "dbrx", "chatglm-bpe"],
        patterns: &[LLAMA3],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["qwen2", "deepseek-r1-qwen", "stablelm2", "hunyuan", "megrez", "solar-open", "grok-2", "kormo"],
        patterns: &[QWEN2],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer { names: &["glm4"], patterns: &[LLAMA3], ignore_merges: true, add_bos: false },
    PreTokenizer { names: &["gpt-4o", "llama4"], patterns: &[GPT4O], ignore_merges: false, add_bos: false },
    PreTokenizer { names: &["tekken"], patterns: &[TEKKEN], ignore_merges: true, add_bos: true },
    PreTokenizer { names: &["seed-coder"], patterns: &[SEED_CODER], ignore_merges: false, add_bos: false },
    PreTokenizer {
        names: &["deepseek-v3", "hunyuan-dense"],
        patterns: &[r"\p{N}{1,3}", "[一-龥\u{3040}-ゟ゠-ヿ]+", DEEPSEEK3],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["bloom", "poro-chat", "gpt3-finnish"],
        patterns: &[r" ?[^(\s|.,!?…。，、।۔،)]+"],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["viking"],
        patterns: &[r" ?[^(\s|.,!?…。，、।۔،)]+", r"\p{N}"],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer { names: &["qwen35"], patterns: &[QWEN35], ignore_merges: false, add_bos: false },
    PreTokenizer {
        names: &["falcon"],
        patterns: &[r"[\p{P}\$\+<=>\^~\|`]+", GPT2, "[0-9][0-9][0-9]"],
        ignore_merges: false,
        add_bos: false,
    },
    PreTokenizer {
        names: &["deepseek-coder"],
        patterns: &[r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"],
        ignore_merges: false,
        add_bos: false,
    },
];

impl PreTokenizer {
    /// The row for a `tokenizer.ggml.pre`.
    pub(super) fn find(name: Option<&str>) -> Result<&'static Self, Error> {
        let name = name.unwrap_or(DEFAULT);
        TABLE.iter().find(|row| row.names.contains(&name)).ok_or_else(|| Error::GgufPre {
            found: name.escape_debug().to_string(),
            known: TABLE.iter().flat_map(|row| row.names).copied().collect(),
        })
    }

    /// The cutting, and after it the spelling in the byte-level alphabet.
    pub(super) fn compile(&self) -> Result<PreTokenizerWrapper, Error> {
        let mut steps = Vec::with_capacity(self.patterns.len() + 1);
        for pattern in self.patterns {
            let regex = SplitPattern::Regex((*pattern).to_owned());
            let split = Split::new(regex, SplitDelimiterBehavior::Isolated, false);
            steps.push(split.map_err(|source| Error::GgufBuild { source })?.into());
        }
        steps.push(ByteLevel::new(false, true, false).into());
        Ok(Sequence::new(steps).into())
    }
}

#[cfg(test)]
mod tests {
    use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer as _};

    use super::*;

    fn pieces<'t>(name: &str, text: &'t str) -> Vec<&'t str> {
        let pre_tokenizer = PreTokenizer::find(Some(name)).unwrap().compile().unwrap();
        let mut cut = PreTokenizedString::from(text);
        pre_tokenizer.pre_tokenize(&mut cut).unwrap();
        let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
        splits.into_iter().map(|(_, (start, end), _)| &text[start..end]).collect()
    }

    #[test]
    fn each_name_cuts_as_its_model_does() {
        let cases: &[(&str, &str, &[&str])] = &[
            ("gpt-2", "I've 1234  x", &["I", "'ve", " 1234", " ", " x"]),
            ("gpt-2", "I'VE  ", &["I", "'", "VE", "  "]),
            ("gpt-2", "a\n\nb", &["a", "\n", "\n", "b"]),
            ("smollm", "a 123", &["a", " ", "1", "2", "3"]),
            ("smollm", " \n ", &[" \n "]),
            ("llama-bpe", "I'VE 12345\n\n x", &["I", "'VE", " ", "123", "45", "\n\n", " x"]),
            ("dbrx", "I'VE 1234", &["I", "'VE", " ", "123", "4"]),
            ("qwen2", "I'VE 12", &["I", "'VE", " ", "1", "2"]),
            ("qwen2", "e\u{301}a", &["e", "\u{301}a"]),
            ("qwen35", "e\u{301}a", &["e\u{301}a"]),
            ("glm4", "I'VE 12345", &["I", "'VE", " ", "123", "45"]),
            ("gpt-4o", "HelloWorld's 1234/\n", &["Hello", "World's", " ", "123", "4", "/\n"]),
            ("tekken", "HelloWorld 12", &["Hello", "World", " ", "1", "2"]),
            ("seed-coder", "a!\n1", &["a", "!", "\n", "1"]),
            ("deepseek-v3", "中文 1234_abc", &["中文", " ", "123", "4", "_abc"]),
            ("bloom", " a1, b\n", &[" a1", ",", " b", "\n"]),
            ("viking", " a1, b", &[" a", "1", ",", " b"]),
            ("falcon", " `x 12345", &[" ", "`", "x", " ", "123", "45"]),
            ("default", " `x+1 12345", &[" `", "x", "+", "1", " ", "123", "45"]),
            ("deepseek-coder", "a\n1 東京,", &["a", "\n", "1", " ", "東京", ","]),
        ];
        for (name, text, expected) in cases {
            assert_eq!(pieces(name, text), *expected, "{name}: {text:?}");
        }
    }

    #[test]
    fn every_row_compiles_and_no_name_is_in_two() {
        let mut names: Vec<&str> = TABLE.iter().flat_map(|row| row.names).copied().collect();
        for row in TABLE {
            row.compile().unwrap();
        }
        let n_names = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), n_names);
    }

    #[test]
    fn an_unknown_name_is_an_error_that_lists_the_known_ones() {
        let error = PreTokenizer::find(Some("tekken\n")).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("`tokenizer.ggml.pre` is `tekken\\n`, known are default, gpt-2, "), "{message}");
        assert!(message.contains("llama-bpe") && message.ends_with("deepseek-coder"), "{message}");
        assert!(error.hint().is_some());
        assert_eq!(PreTokenizer::find(None).unwrap().names, [DEFAULT]);
    }
}
