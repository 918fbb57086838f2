//! Which tokens begin and end a text, and whether the tokenizer adds the first one by itself.

use serde_json::Value;

use super::error::Error;
use super::guard::fenced;
use super::tokenizer::{flat, parse_json};

/// The tokens that begin and end a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpecialTokens {
    /// Beginning of sequence.
    pub bos: Option<u32>,
    /// End of sequence.
    pub eos: Option<u32>,
    /// Whether the tokenizer puts BOS before every text.
    pub add_bos: bool,
}

/// The parsed files beside `tokenizer.json` that name special tokens; either may be missing.
#[derive(Debug, Clone, Copy, Default)]
pub struct HfFiles<'a> {
    /// `tokenizer_config.json`.
    pub tokenizer_config: Option<&'a Value>,
    /// `config.json`.
    pub config: Option<&'a Value>,
}

impl SpecialTokens {
    /// Finds the special tokens as transformers does.
    ///
    /// What the post-processor of `tokenizer.json` puts before a text is BOS and is added. Without a post-processor,
    /// `add_bos_token` decides. BOS and EOS are otherwise the names in `tokenizer_config.json`, else the ids in
    /// `config.json` (the first, where there is a list).
    ///
    /// This parses the whole `tokenizer.json`; [`Tokenizer::from_hf`](super::Tokenizer::from_hf) parses it once for
    /// both purposes.
    pub fn derive(tokenizer_json: &[u8], files: HfFiles<'_>) -> Result<Self, Error> {
        Self::of(&parse_json(tokenizer_json)?, files)
    }

    pub(super) fn of(tokenizer: &tokenizers::Tokenizer, files: HfFiles<'_>) -> Result<Self, Error> {
        let named = files.find(tokenizer, "bos_token");
        let eos = files.find(tokenizer, "eos_token");
        if tokenizer.get_post_processor().is_none() {
            let asks = files.tokenizer_config.and_then(|c| c.get("add_bos_token")).and_then(Value::as_bool);
            return Ok(Self { bos: named, eos, add_bos: asks.unwrap_or(false) });
        }
        let added = added_first(tokenizer)?;
        Ok(Self { bos: added.or(named), eos, add_bos: added.is_some() })
    }
}

impl HfFiles<'_> {
    /// The id of `bos_token` or `eos_token`, if the vocabulary has it.
    fn find(self, tokenizer: &tokenizers::Tokenizer, key: &str) -> Option<u32> {
        let named = self.tokenizer_config.and_then(|config| config.get(key)).and_then(content);
        let id = self.config.and_then(|config| config.get(format!("{key}_id"))).and_then(first_id);
        named
            .and_then(|name| tokenizer.token_to_id(name))
            .or_else(|| id.filter(|id| tokenizer.id_to_token(*id).is_some()))
    }
}

/// A token is written as its text or as an object with that text inside.
fn content(token: &Value) -> Option<&str> {
    token.as_str().or_else(|| token.get("content")?.as_str())
}

/// An id is written as a number or as a list of alternatives.
fn first_id(id: &Value) -> Option<u32> {
    let first = id.as_array().map_or(Some(id), |list| list.first())?;
    u32::try_from(first.as_u64()?).ok()
}

/// The first of the tokens that the post-processor puts before a text.
fn added_first(tokenizer: &tokenizers::Tokenizer) -> Result<Option<u32>, Error> {
    let encode = |add_special| {
        let encoding = fenced(|| tokenizer.encode_fast("a", add_special));
        flat(encoding).map_err(|source| Error::TokenizerJson { source })
    };
    let (bare, full) = (encode(false)?, encode(true)?);
    let (bare, full) = (bare.get_ids(), full.get_ids());
    let is_prefixed = full.len() > bare.len() && !full.starts_with(bare);
    Ok(full.first().copied().filter(|_| is_prefixed))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A tokenizer that knows `a` (0), `<s>` (1) and `</s>` (2).
    fn tokenizer_json(post_processor: &Value) -> Vec<u8> {
        let marker = |id, content| {
            json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
                   "normalized": false, "special": true})
        };
        let json = json!({
            "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "pre_tokenizer": null,
            "decoder": null, "post_processor": post_processor,
            "added_tokens": [marker(1, "<s>"), marker(2, "</s>")],
            "model": {"type": "BPE", "vocab": {"a": 0}, "merges": []},
        });
        json.to_string().into_bytes()
    }

    fn template(single: &Value) -> Value {
        json!({"type": "TemplateProcessing", "single": single, "pair": [
                   {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
               "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                                  "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]}}})
    }

    #[test]
    fn special_tokens_are_found_where_transformers_finds_them() {
        let text = json!({"Sequence": {"id": "A", "type_id": 0}});
        let marker = |name| json!({"SpecialToken": {"id": name, "type_id": 0}});
        let (before, after) = (template(&json!([marker("<s>"), text])), template(&json!([text, marker("</s>")])));
        let byte_level = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true});
        let names = json!({"bos_token": "<s>", "eos_token": {"content": "</s>", "special": true}});
        let asks = json!({"bos_token": "<s>", "add_bos_token": true});
        let nulls = json!({"bos_token": null, "eos_token": "<missing>"});
        let (ids, lists) = (json!({"bos_token_id": 1, "eos_token_id": [2, 0]}), json!({"eos_token_id": []}));
        let outside = json!({"bos_token_id": 7, "eos_token_id": null});
        let none = &Value::Null;
        let cases: &[(&Value, &Value, &Value, SpecialTokens)] = &[
            (none, none, none, tokens(None, None, false)),
            (none, &names, none, tokens(Some(1), Some(2), false)),
            (none, &asks, none, tokens(Some(1), None, true)),
            (none, none, &ids, tokens(Some(1), Some(2), false)),
            (none, &nulls, &ids, tokens(Some(1), Some(2), false)),
            (none, none, &lists, tokens(None, None, false)),
            (none, none, &outside, tokens(None, None, false)),
            (&byte_level, &asks, none, tokens(Some(1), None, false)),
            (&before, &names, none, tokens(Some(1), Some(2), true)),
            (&before, &json!({"add_bos_token": false}), none, tokens(Some(1), None, true)),
            (&before, &json!({"bos_token": "</s>"}), none, tokens(Some(1), None, true)),
            (&after, &names, none, tokens(Some(1), Some(2), false)),
        ];
        for (post, tokenizer_config, config, expected) in cases {
            let files = HfFiles { tokenizer_config: Some(tokenizer_config), config: Some(config) };
            let found = SpecialTokens::derive(&tokenizer_json(post), files).unwrap();
            assert_eq!(found, *expected, "{post} {tokenizer_config} {config}");
        }
        assert_eq!(SpecialTokens::derive(&tokenizer_json(&before), HfFiles::default()).unwrap().bos, Some(1));
    }

    fn tokens(bos: Option<u32>, eos: Option<u32>, add_bos: bool) -> SpecialTokens {
        SpecialTokens { bos, eos, add_bos }
    }
}
