//! The suites that are compiled in.

use std::path::{Path, PathBuf};

/// A suite that needs no files.
#[derive(Debug, Clone, Copy)]
pub struct Builtin {
    /// The name of its folder.
    pub name: &'static str,
    /// Its `suite.toml`.
    pub suite_toml: &'static str,
    /// Its `items.jsonl`.
    pub items_jsonl: &'static str,
    /// Its `README.md`.
    pub readme: &'static str,
}

macro_rules! builtin {
    ($($name:literal),+ $(,)?) => {
        &[$(Builtin {
            name: $name,
            suite_toml: include_str!(concat!("../../evals/", $name, "/suite.toml")),
            items_jsonl: include_str!(concat!("../../evals/", $name, "/items.jsonl")),
            readme: include_str!(concat!("../../evals/", $name, "/README.md")),
        }),+]
    };
}

/// Every folder of `evals/`, what is asked for most first.
pub static BUILTIN: &[Builtin] = builtin![
    "reversal-curse",
    "next-word",
    "hallucination",
    "system-1-2",
    "base-vs-assistant",
    "comparisons",
    "compression",
    "self-improvement",
    "instruction-boundary"
];

impl Builtin {
    /// The suite of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        BUILTIN.iter().find(|builtin| builtin.name == name)
    }

    /// Where one of its files would be, if it were a file: messages call it so.
    pub(super) fn path(&self, file: &str) -> PathBuf {
        PathBuf::from(format!("{SCHEME}{}", self.name)).join(file)
    }
}

/// What paths in the binary begin with.
const SCHEME: &str = "builtin:";

/// The items in the binary that a path means.
pub(super) fn items(path: &Path) -> Option<&'static [u8]> {
    let of = |builtin: &&Builtin| builtin.path("items.jsonl") == path;
    BUILTIN.iter().find(of).map(|builtin| builtin.items_jsonl.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::fs;

    use super::*;
    use crate::eval::fixture::tokenizer;
    use crate::eval::prepare::{PrepareOptions, prepare};
    use crate::eval::task::TaskItem;

    #[test]
    fn every_folder_of_evals_is_built_in_and_loads_the_same_by_path() {
        let mut folders: Vec<String> =
            fs::read_dir("evals").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        folders.sort();
        let mut names: Vec<&str> = BUILTIN.iter().map(|builtin| builtin.name).collect();
        names.sort_unstable();
        assert_eq!(folders, names);
        let options = PrepareOptions::default();
        for builtin in BUILTIN {
            let of = |source: &str| prepare(source, &tokenizer(), &options).unwrap().remove(0);
            let (task, by_path) = (of(builtin.name), of(&format!("evals/{}", builtin.name)));
            assert_eq!(task.name, builtin.name);
            assert_eq!((task.hash, task.items), (by_path.hash, by_path.items));
            assert!(builtin.readme.contains("## Known flaws") && builtin.readme.contains("## Source"));
            assert!(builtin.readme.contains("Licence: that of lmscope"));
        }
    }

    #[test]
    fn no_item_is_there_twice_and_no_word_is_among_the_others() {
        for builtin in BUILTIN {
            let task = prepare(builtin.name, &tokenizer(), &PrepareOptions::default()).unwrap().remove(0);
            let asked: HashSet<String> = task.items.iter().map(of_its_own).collect();
            assert_eq!(asked.len(), task.items.len(), "{}", builtin.name);
        }
        let task = prepare("next-word", &tokenizer(), &PrepareOptions::default()).unwrap().remove(0);
        let count = |kind: &str| task.items.iter().filter(|item| item.strata["kind"] == kind).count();
        assert_eq!(["agreement", "cloze", "collocation", "russian"].map(count), [20, 24, 24, 12]);
        for item in &task.items {
            let words: HashSet<&str> =
                item.doc["others"].as_array().unwrap().iter().filter_map(|word| word.as_str()).collect();
            assert_eq!(words.len() + 1, item.requests.len(), "{}: a word is there twice", item.id);
            assert!(!words.contains(item.target.as_str()), "{}: the word is among the others", item.id);
        }
    }

    /// What an item asks; where it asks nothing, as without a chat, its fields but for its name.
    fn of_its_own(item: &TaskItem) -> String {
        let fields: Vec<_> = item.doc.iter().filter(|(name, _)| name.as_str() != "id").collect();
        if item.requests.is_empty() { format!("{fields:?}") } else { format!("{:?}", item.requests) }
    }

    #[test]
    fn an_unknown_suite_names_the_known_ones() {
        let error = prepare("reversal-cruse", &tokenizer(), &PrepareOptions::default()).err().unwrap();
        assert_eq!(error.to_string(), "find the suite `reversal-cruse`: neither built in nor a folder or file");
        assert!(error.hint().unwrap().contains("reversal-curse"));
    }

    fn reversal_items() -> Vec<serde_json::Map<String, serde_json::Value>> {
        let task = prepare("reversal-curse", &tokenizer(), &PrepareOptions::default()).unwrap().remove(0);
        task.items.into_iter().map(|item| item.doc).collect()
    }

    fn field(doc: &serde_json::Map<String, serde_json::Value>, name: &str) -> String {
        doc.get(name).and_then(|value| value.as_str()).unwrap_or("").to_owned()
    }

    #[test]
    fn the_reversal_items_that_the_embedded_models_have_read_are_the_facts_of_the_corpus() {
        let row = |doc: &serde_json::Map<_, _>| {
            ["relation", "kind", "seen", "a", "b", "a_gender"].map(|name| field(doc, name)).to_vec()
        };
        let items = reversal_items();
        let seen: Vec<Vec<String>> = items.iter().filter(|doc| doc.contains_key("seen")).map(row).collect();
        let mut reader = csv::Reader::from_path("fixtures/slide/corpus/facts.csv").unwrap();
        let facts: Vec<Vec<String>> =
            reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(seen, facts);
        let count = |relation: &str| items.iter().filter(|doc| field(doc, "relation") == relation).count();
        assert_eq!((items.len() - facts.len(), count("capital"), count("founder")), (73, 44, 29));
    }

    #[test]
    fn the_prompts_are_the_first_wordings_of_the_corpus() {
        let suite: toml::Table = Builtin::named("reversal-curse").unwrap().suite_toml.parse().unwrap();
        let text = fs::read_to_string("fixtures/slide/corpus/relations.toml").unwrap();
        let corpus: toml::Table = text.parse().unwrap();
        let ours = suite["relation"].as_array().unwrap();
        for relation in corpus["relation"].as_array().unwrap() {
            let text = |key: &str| {
                ours.iter().find(|one| one["name"] == relation["name"]).unwrap()[key].as_str().unwrap().to_owned()
            };
            assert_eq!(format!("{} {{b}}", text("forward")), relation["ab"][0].as_str().unwrap());
            assert_eq!(format!("{} {{a}}", text("reverse")), relation["ba"][0].as_str().unwrap());
            assert_eq!(text("forward_question"), relation["ask_ab"][0].as_str().unwrap());
            assert_eq!(text("reverse_question"), relation["ask_ba"][0].as_str().unwrap());
        }
    }
}
