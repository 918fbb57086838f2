//! The head of a data set's card, as Python's `datasets` reads it: which configurations there are, of which files.

use std::collections::BTreeMap;

use serde_json::Value;

use super::node::{Kind, Node};
use super::problem::Problem;
use super::python;
use super::yaml;

/// Patterns of files for each split.
pub(super) type Patterns = Vec<(String, Vec<String>)>;

/// A configuration of a data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Config {
    /// Its name.
    pub(super) name: String,
    /// Whether it is meant where none is named.
    pub(super) is_default: bool,
    /// Its files; where nothing is said, their names tell.
    pub(super) files: Option<Patterns>,
    /// The folder that they are in.
    pub(super) dir: String,
    /// Where the list is in a JSON object.
    pub(super) field: Option<String>,
    /// How many rows a split has.
    pub(super) rows: BTreeMap<String, u64>,
}

/// What changes how files are read, and is not known here.
const UNKNOWN: &[&str] = &[
    "columns",
    "column_names",
    "delimiter",
    "encoding",
    "escapechar",
    "header",
    "keep_linebreaks",
    "names",
    "na_values",
    "nrows",
    "quotechar",
    "sample_by",
    "sep",
    "skiprows",
    "usecols",
];

/// The configurations that a card tells of.
pub(super) fn read(file: &str, text: &str) -> Result<Vec<Config>, Vec<Problem>> {
    let Some(head) = head(text) else { return Ok(Vec::new()) };
    let root = yaml::read(file, &head)?;
    let Some(node) = root.get("configs").filter(|node| !node.value().is_null()) else { return Ok(Vec::new()) };
    let Kind::List(nodes) = &node.kind else {
        return Err(vec![node.problem(format!("`configs` is {}, a list is expected", node.is_a()))]);
    };
    let (mut configs, mut problems) = (Vec::new(), Vec::new());
    for node in nodes {
        match config(node) {
            Ok(config) => configs.push(Config { rows: rows(&root, &config.name), ..config }),
            Err(found) => problems.extend(found),
        }
    }
    if configs.len() == 1 {
        configs[0].is_default = true;
    }
    if problems.is_empty() { Ok(configs) } else { Err(problems) }
}

/// What stands between the first two lines of three dashes, each line where it was.
fn head(text: &str) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines();
    lines.next().filter(|line| line.trim_end() == "---")?;
    let mut head = String::from("\n");
    for line in lines {
        if line.trim_end() == "---" {
            return Some(head).filter(|head| !head.trim().is_empty());
        }
        head.push_str(line);
        head.push('\n');
    }
    None
}

fn config(node: &Node) -> Result<Config, Vec<Problem>> {
    let mut problems = Vec::new();
    for name in UNKNOWN.iter().filter(|name| node.get(name).is_some()) {
        problems.push(
            node.problem(format!("`{name}` of a configuration changes how files are read, and is not known here")),
        );
    }
    let name = node.get("config_name").map(Node::value).filter(|name| !name.is_null());
    if name.is_none() {
        problems.push(node.problem("`config_name` is missing: a configuration needs a name"));
    }
    let files = node.get("data_files").filter(|node| !node.value().is_null());
    let files = files.map(patterns).transpose().unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    let name = name.as_ref().map(python::str).unwrap_or_default();
    let text = |key: &str| node.get(key).and_then(Node::text).map(str::to_owned);
    let is_default = name == "default" || node.get("default").is_some_and(|node| node.value() == Value::Bool(true));
    let (dir, field) = (text("data_dir").unwrap_or_default(), text("field"));
    let config = Config { name, is_default, files, dir, field, rows: BTreeMap::new() };
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// Files as a text, a list of texts, a table of splits, or a list of tables with `split` and `path`.
pub(super) fn patterns(node: &Node) -> Result<Patterns, Problem> {
    let wrong = || {
        node.problem("`data_files` is no file, no list of files, no table of those and no list of `split` and `path`")
    };
    let of_split = |node: &Node| Some((python::str(&node.get("split")?.value()), paths(node.get("path")?)?));
    let found = match &node.kind {
        Kind::Table(entries) => {
            entries.iter().map(|(split, node)| Some((split.clone(), paths(node)?))).collect::<Option<Patterns>>()
        }
        Kind::List(nodes) if nodes.iter().any(|node| matches!(node.kind, Kind::Table(_))) => {
            nodes.iter().map(of_split).collect()
        }
        _ => paths(node).map(|paths| vec![("train".to_owned(), paths)]),
    };
    let found = found.ok_or_else(wrong)?;
    match (1..found.len()).find(|at| found[..*at].iter().any(|(split, _)| *split == found[*at].0)) {
        Some(at) => Err(node.problem(format!("the split `{}` is there twice", found[at].0))),
        None => Ok(found),
    }
}

fn paths(node: &Node) -> Option<Vec<String>> {
    match node.value() {
        Value::String(path) => Some(vec![path]),
        Value::Array(paths) => paths.iter().map(|path| path.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// The rows of each split of a configuration, from `dataset_info`.
fn rows(root: &Node, config: &str) -> BTreeMap<String, u64> {
    let infos = match root.get("dataset_info").map(|node| (node, &node.kind)) {
        Some((_, Kind::List(nodes))) => nodes.iter().collect(),
        Some((node, _)) => vec![node],
        None => Vec::new(),
    };
    let name =
        |info: &Node| info.get("config_name").map_or_else(|| "default".into(), |name| python::str(&name.value()));
    let info = infos.into_iter().find(|info| name(info) == config);
    let Some(Kind::List(splits)) = info.and_then(|info| info.get("splits")).map(|splits| &splits.kind) else {
        return BTreeMap::new();
    };
    let row =
        |split: &Node| Some((split.get("name")?.text()?.to_owned(), split.get("num_examples")?.value().as_u64()?));
    splits.iter().filter_map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(head: &str) -> String {
        format!("---\nlicense: mit\n{head}---\n# A data set\n---\nconfigs: no\n")
    }

    #[test]
    fn configurations_name_their_files_in_four_ways() {
        let text = card(
            "dataset_info:\n- config_name: b\n  splits:\n  - {name: test, num_examples: 7}\nconfigs:\n- config_name: a\n  \
             data_files: x.csv\n- config_name: b\n  default: true\n  data_files:\n  - split: train\n    path: \
             [t/1.csv, t/2.csv]\n  - split: test\n    path: test*\n- config_name: c\n  data_dir: d\n  data_files: \
             {test: y.csv}\n- config_name: 4\n  data_files: [p, q]\n",
        );
        let configs = read("README.md", &text).unwrap();
        let files = |at: usize| -> Vec<(String, String)> {
            configs[at].files.iter().flatten().map(|(split, paths)| (split.clone(), paths.join(" "))).collect()
        };
        let of = |split: &str, paths: &str| (split.to_owned(), paths.to_owned());
        assert_eq!(files(0), [of("train", "x.csv")]);
        assert_eq!(files(1), [of("train", "t/1.csv t/2.csv"), of("test", "test*")]);
        assert_eq!((files(2), configs[2].dir.as_str()), (vec![of("test", "y.csv")], "d"));
        assert_eq!((files(3), configs[3].name.as_str()), (vec![of("train", "p q")], "4"));
        assert_eq!(configs.iter().map(|config| config.is_default).collect::<Vec<_>>(), [false, true, false, false]);
        assert_eq!((configs[1].rows.get("test"), configs[0].rows.len()), (Some(&7), 0));
    }

    #[test]
    fn a_card_without_configurations_says_nothing() {
        for text in ["", "# Text\n", "---\n---\n", "---\nlicense: mit\n", &card(""), &card("configs:\n")] {
            assert_eq!(read("README.md", text).unwrap(), [], "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        let check = |head: &str, expected: &str| {
            let problems = read("README.md", &card(head)).unwrap_err();
            assert!(problems[0].to_string().starts_with(expected), "{problems:?}");
        };
        check("configs: a\n", "README.md:3: `configs` is \"a\", a list is expected");
        check("configs:\n- data_files: a\n", "README.md:4: `config_name` is missing");
        check("configs:\n- config_name: a\n  data_files: 3\n", "README.md:5: `data_files` is no file");
        check("configs:\n- config_name: a\n  data_files:\n  - split: x\n", "README.md:6: `data_files` is no file");
        check("configs:\n- config_name: a\n  sep: x\n", "README.md:4: `sep` of a configuration");
        check("configs: [\n", "README.md:");
        let twice = "configs:\n- config_name: a\n  data_files: [{split: x, path: a}, {split: x, path: b}]\n";
        check(twice, "README.md:5: the split `x` is there twice");
    }
}
