//! The suites that are compiled in, and loading one by name or by path.

use std::fs;
use std::path::Path;

use super::suite::{Error, Suite};

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

/// Every folder of `evals/`.
pub static BUILTIN: &[Builtin] = &[Builtin {
    name: "reversal-curse",
    suite_toml: include_str!("../../evals/reversal-curse/suite.toml"),
    items_jsonl: include_str!("../../evals/reversal-curse/items.jsonl"),
    readme: include_str!("../../evals/reversal-curse/README.md"),
}];

/// The suite that is built in under this name, or the one in the folder at this path.
pub fn load(name_or_path: &str) -> Result<Suite, Error> {
    if let Some(builtin) = BUILTIN.iter().find(|builtin| builtin.name == name_or_path) {
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
    use super::*;
    use crate::eval::item::Item;

    #[test]
    fn every_folder_of_evals_is_built_in_and_loads_the_same_by_path() {
        let mut folders: Vec<String> =
            fs::read_dir("evals").unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        folders.sort();
        assert_eq!(folders, BUILTIN.iter().map(|builtin| builtin.name).collect::<Vec<_>>());
        for builtin in BUILTIN {
            let suite = load(builtin.name).unwrap();
            assert_eq!(suite.spec.name, builtin.name);
            assert_eq!(suite.hash, load(&format!("evals/{}", builtin.name)).unwrap().hash);
            assert!(builtin.readme.contains("## Known flaws") && builtin.readme.contains("## Source"));
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
