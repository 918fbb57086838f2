//! Which files of a repository make a model.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;

use super::name::is_gguf;

/// What a model directory cannot do without.
pub(super) const NEEDED: &[&str] = &["config.json", "tokenizer.json"];

/// What is fetched besides, where it is there.
pub(super) const OPTIONAL: &[&str] =
    &["generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"];

/// The weights in one file.
pub(super) const SINGLE: &str = "model.safetensors";

/// The list of shards.
pub(super) const INDEX: &str = "model.safetensors.index.json";

/// How the weights are stored; the first that is there is what the loader takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Weights {
    /// In one safetensors file.
    Single,
    /// In shards that the index names.
    Sharded,
    /// Only in GGUF files.
    Gguf(Vec<String>),
    /// Only in files that can run code.
    Pickles(String),
    /// Not at all.
    Absent,
}

/// Looks for weights among the files of a repository.
pub(super) fn weights(files: &BTreeSet<String>) -> Weights {
    if files.contains(SINGLE) {
        return Weights::Single;
    }
    if files.contains(INDEX) {
        return Weights::Sharded;
    }
    let gguf = gguf(files);
    if !gguf.is_empty() {
        return Weights::Gguf(gguf);
    }
    files.iter().find(|file| is_pickle(file)).map_or(Weights::Absent, |file| Weights::Pickles(file.clone()))
}

/// The GGUF files among `files`.
pub(super) fn gguf(files: &BTreeSet<String>) -> Vec<String> {
    files.iter().filter(|file| is_gguf(file)).cloned().collect()
}

fn is_pickle(file: &str) -> bool {
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    ["bin", "pt", "pth", "pkl", "pickle", "ckpt"].contains(&extension)
}

/// The shards that an index names.
pub(super) fn shards(index: &[u8]) -> Result<BTreeSet<String>, serde_json::Error> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let index: Index = serde_json::from_slice(index)?;
    Ok(index.weight_map.into_values().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_kind_of_weights_counts() {
        let check = |files: &[&str], expected: Weights| {
            assert_eq!(weights(&files.iter().map(|&file| file.to_owned()).collect()), expected, "{files:?}");
        };
        check(&["model.safetensors", "pytorch_model.bin", INDEX], Weights::Single);
        check(&[INDEX, "x.gguf"], Weights::Sharded);
        check(&["b.gguf", "a/a.GGUF", "pytorch_model.bin"], Weights::Gguf(vec!["a/a.GGUF".into(), "b.gguf".into()]));
        check(&["config.json", "pytorch_model.bin"], Weights::Pickles("pytorch_model.bin".into()));
        check(&["config.json", "adapter_model.safetensors"], Weights::Absent);
    }

    #[test]
    fn an_index_names_every_shard_once() {
        let index =
            br#"{"metadata": {}, "weight_map": {"a": "1.safetensors", "b": "1.safetensors", "c": "2.safetensors"}}"#;
        assert_eq!(shards(index).unwrap().into_iter().collect::<Vec<_>>(), ["1.safetensors", "2.safetensors"]);
        assert!(shards(b"{}").is_err());
    }
}
