//! The suites that are compiled in, and loading one by name or by path.

use std::fs;
use std::path::{Path, PathBuf};

use super::direction::suite::{Error, Suite};

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
pub static BUILTIN: &[Builtin] = builtin!["reversal-curse", "next-word", "system-1-2", "self-improvement"];

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

/// The suite of facts that is built in under this name, or the one in the folder at this path.
pub fn load(name_or_path: &str) -> Result<Suite, Error> {
    if let Some(builtin) = Builtin::named(name_or_path) {
        return Suite::parse(builtin.suite_toml, builtin.items_jsonl);
    }
    let folder = Path::new(name_or_path);
    if !folder.is_dir() {
        let known = BUILTIN.iter().map(|builtin| builtin.name).collect::<Vec<_>>().join(", ");
        return Err(Error::Unknown { name: name_or_path.into(), known });
    }
    Suite::parse(&read(folder, "suite.toml")?, &read(folder, "items.jsonl")?)
}

fn read(folder: &Path, name: &str) -> Result<String, Error> {
    let file = folder.join(name);
    fs::read_to_string(&file).map_err(|source| Error::Read { file, source })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::eval::direction::item::Item;
    use crate::eval::fixture::tokenizer;
    use crate::eval::prepare::{PrepareOptions, prepare};

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
            let asked: HashSet<String> = task.items.iter().map(|item| format!("{:?}", item.requests)).collect();
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

    #[test]
    fn an_unknown_suite_names_the_known_ones() {
        let error = load("reversal-cruse").unwrap_err();
        assert_eq!(error.to_string(), "find the suite `reversal-cruse`: neither built in nor a folder");
        assert!(error.hint().unwrap().contains("reversal-curse"));
    }

    #[test]
    fn the_reversal_items_are_the_facts_of_the_corpus() {
        let suite = load("reversal-curse").unwrap();
        let row = |item: &Item| {
            let json = serde_json::to_value(item).unwrap();
            let field = |name: &str| json.get(name).and_then(|value| value.as_str()).unwrap_or("").to_owned();
            ["relation", "kind", "seen", "a", "b", "a_gender"].map(field).to_vec()
        };
        let mut reader = csv::Reader::from_path("fixtures/slide/corpus/facts.csv").unwrap();
        let facts: Vec<Vec<String>> =
            reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        assert_eq!(suite.items.iter().map(row).collect::<Vec<_>>(), facts);
    }

    #[test]
    fn the_prompts_are_the_first_wordings_of_the_corpus() {
        let suite = load("reversal-curse").unwrap();
        let text = fs::read_to_string("fixtures/slide/corpus/relations.toml").unwrap();
        let corpus: toml::Table = text.parse().unwrap();
        for relation in corpus["relation"].as_array().unwrap() {
            let ours =
                suite.spec.relations.iter().find(|r| Some(r.name.as_str()) == relation["name"].as_str()).unwrap();
            assert_eq!(format!("{} {{b}}", ours.forward), relation["ab"][0].as_str().unwrap());
            assert_eq!(format!("{} {{a}}", ours.reverse), relation["ba"][0].as_str().unwrap());
        }
    }
}
