//! Layers point one way: every `crate::x` path and every external crate of a source file is compared with one table.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use lmscope::model::arch::ARCHITECTURES;

use crate::support::project;

/// Layer, the layers it may use, the external crates that only some layers may use.
const LAYERS: &[(&str, &[&str], &[&str])] = &[
    ("allocator", &[], &["libmimalloc_sys", "mimalloc", "rustix"]),
    ("disk", &[], &["tempfile"]),
    ("reading", &[], &[]),
    ("hook", &[], &[]),
    ("figure", &[], &[]),
    ("hub", &[], &["ureq", "sha1"]),
    // a package of its own; candle_core: its types of blocks, and its threads
    ("kernel", &[], &["candle_core"]),
    ("text", &[], &["tokenizers", "minijinja", "minijinja_contrib"]),
    // a name on the hub is one of the places that a model's files are in; the arrow is to the cache on disk
    (
        "model",
        &["hook", "hub"],
        &["candle_core", "candle_nn", "gemm", "lmscope_kernel", "safetensors", "memmap2", "pulp", "rayon"],
    ),
    // candle_core: pieces of a text are rows of a tensor; the others are what a model is compared with
    ("compress", &["model", "text"], &["candle_core", "flate2", "lzma_rust2", "zstd"]),
    ("trace", &["disk", "hook", "model"], &["candle_core", "safetensors"]),
    // trace: activations of another run take the place of those of this one
    ("intervene", &["disk", "hook", "model", "trace"], &["candle_core", "safetensors"]),
    // safetensors: the files of tuned lenses
    ("lens", &["figure", "hook", "model", "text", "trace"], &["candle_core", "safetensors"]),
    // lens: a probe asks a lens's question of many runs
    ("probe", &["figure", "hook", "intervene", "lens", "model", "text", "trace"], &["candle_core", "similar"]),
    // candle_core: contexts are cut and continuations batched, which are axes of a tensor; rayon: rows of a vocabulary are
    // read by all threads; disk: a record is finished whole or not at all; rusqlite: responses and runs are remembered;
    // zip: Inspect's logs
    (
        "eval",
        // reading: what may have been meant is found in one way; hub: a data set may be one in the cache, and the arrow is
        // to the cache on disk
        // compress: how well a model compresses is one of the questions
        &["compress", "disk", "figure", "hub", "model", "reading", "text"],
        // minijinja, saphyr_parser, toml, csv, parquet, flate2: task files and their data; fancy_regex: filters, in
        // Python's terms; globset: the files of a data set; exmex: the calculator that a model may call
        &[
            "candle_core",
            "csv",
            "exmex",
            "fancy_regex",
            "flate2",
            "globset",
            "minijinja",
            "minijinja_contrib",
            "parquet",
            "rayon",
            "rusqlite",
            "saphyr_parser",
            "tempfile",
            "zip",
        ],
    ),
    // figure: a report is a table, as a suite's is; lens: attribution must close; safetensors: reference files
    ("verify", &["figure", "hook", "lens", "model", "trace"], &["candle_core", "safetensors"]),
    // hub: the typed name of a second model may be that of one in the cache
    // probe: what heads do is measured once and remembered; intervene: panels show an intervened model beside the base
    // allocator: a tokenizer is read in small pages
    (
        "engine",
        &[
            "allocator",
            "disk",
            "eval",
            "figure",
            "hook",
            "hub",
            "intervene",
            "lens",
            "model",
            "probe",
            "text",
            "trace",
            "verify",
        ],
        &["crossbeam_channel"],
    ),
    // export: figures of a session are files as those of any command are
    ("session", &["disk", "export", "figure", "hook", "model", "reading", "text"], &[]),
    // safetensors: the name of its own module; the format is written by hand, in an order
    // minijinja, flate2: a page, and what is packed in it
    ("report", &["export", "figure"], &["base64", "flate2", "minijinja"]),
    ("export", &["figure"], &["base64", "csv", "plotters", "resvg", "safetensors", "skrifa", "unicode_width"]),
    // lens: the question and the names of heads, both plain data; intervene: specs are read as they are typed; probe: the
    // sites, metrics and cells of a patching grid, plain data too
    (
        "tui",
        &["engine", "export", "figure", "hook", "intervene", "lens", "model", "probe", "reading", "session", "text"],
        &[
            "ratatui",
            "crossterm",
            "crossbeam_channel",
            "tui_input",
            "unicode_bidi",
            "unicode_width",
            "unicode_segmentation",
        ],
    ),
    // tui: a configuration is keys, colours and numbers of the terminal UI
    ("config", &["reading", "tui"], &[]),
    (
        "cli",
        &[
            "compress",
            "config",
            "disk",
            "engine",
            "eval",
            "export",
            "figure",
            "hook",
            "hub",
            "intervene",
            "lens",
            "model",
            "probe",
            "report",
            "session",
            "text",
            "trace",
            "tui",
            "verify",
        ],
        &["anyhow", "clap", "clap_complete", "ctrlc", "indicatif"],
    ),
];

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The code of a file without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

fn words_after<'a>(code: &'a str, prefix: &str) -> BTreeSet<&'a str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(prefix)
        .flat_map(|(at, _)| {
            let rest = &code[at + prefix.len()..];
            let list = rest.strip_prefix('{').map_or("", |list| list.split('}').next().unwrap_or_default());
            let listed = list.split(',').map(|part| part.trim().split(|c| !is_word(c)).next().unwrap_or_default());
            let first = rest.split(|c| !is_word(c)).next().unwrap_or_default();
            listed.chain([first]).filter(|word| !word.is_empty()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn no_layer_imports_what_it_must_not() {
    let all_external: BTreeSet<&str> = LAYERS.iter().flat_map(|layer| layer.2).copied().collect();
    let mut wrong = Vec::new();
    for (layer, internal, external) in LAYERS {
        for file in sources(&project("src").join(layer)) {
            if file.ends_with("tests.rs") {
                continue;
            }
            let code = code(&file);
            for used in words_after(&code, "crate::") {
                if used != *layer && LAYERS.iter().any(|other| other.0 == used) && !internal.contains(&used) {
                    wrong.push(format!("{}: {layer} uses {used}", file.display()));
                }
            }
            for used in &all_external {
                let uses = code.contains(&format!("{used}::")) || code.contains(&format!("use {used};"));
                if uses && !external.contains(used) {
                    wrong.push(format!("{}: {layer} uses the crate {used}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_folder_of_the_source_is_a_known_layer() {
    let folders = fs::read_dir(project("src")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let names: BTreeSet<String> =
        folders.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let known: BTreeSet<String> = LAYERS.iter().map(|layer| layer.0.to_owned()).collect();
    assert_eq!(names, known);
}

#[test]
fn architectures_are_named_only_in_their_folder() {
    for file in sources(&project("src/model")) {
        if file.starts_with(project("src/model/arch")) {
            continue;
        }
        let code = code(&file);
        for arch in ARCHITECTURES {
            let name = format!("\"{}\"", arch.name());
            assert!(!code.contains(&name), "{} names {name}", file.display());
        }
    }
}
