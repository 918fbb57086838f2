//! Which files of a repository on the hub make which split of a data set, as Python's `datasets` finds them: by the
//! configurations of the card, else by the names of files. Nothing is read here but the card.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use globset::{GlobBuilder, GlobMatcher};

use super::card::{self, Config, Patterns};
use super::dataset::Format;
use super::problem::{self, Problem, nearest};
use crate::hub::{CARD, DatasetName};

/// A repository of which no data set can be made.
#[derive(Debug, thiserror::Error)]
#[error("use the data set `{name}`:\n  {}", problem::list(problems))]
pub struct Error {
    name: String,
    problems: Vec<Problem>,
}

/// What is known of a repository before a file is read.
pub(super) struct Repository<'a> {
    /// Its name.
    pub(super) name: &'a DatasetName,
    /// Where its card is, for people.
    pub(super) card_file: &'a str,
    /// What stands in its card, if it has one.
    pub(super) card: Option<&'a str>,
    /// Its files.
    pub(super) files: &'a BTreeSet<String>,
}

/// The files of a configuration.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layout {
    /// The files of each split, in the order of its patterns, those of one pattern sorted.
    pub(super) splits: Patterns,
    /// The configuration.
    pub(super) config: Config,
}

/// The files that are read of a data set, or of one configuration of it.
///
/// # Errors
/// Why no files can be named: a program in Python, a wrong card, an unknown configuration, other kinds of files.
pub fn needed(
    name: &DatasetName,
    card: Option<&str>,
    files: &BTreeSet<String>,
    config: Option<&str>,
) -> Result<Vec<String>, Error> {
    let repository = Repository { name, card_file: CARD, card, files };
    let layouts = match config {
        Some(_) => repository.layout(config).map(|layout| vec![layout]),
        None => repository.all(),
    };
    let layouts = layouts.map_err(|problems| Error { name: name.to_string(), problems })?;
    let all = layouts.into_iter().flat_map(|layout| layout.splits).flat_map(|(_, files)| files);
    Ok(all.collect::<BTreeSet<String>>().into_iter().collect())
}

/// Names of files that tell of a data set and are none of it.
const NO_DATA: &[&str] =
    &[CARD, "config.json", "dataset_info.json", "dataset_infos.json", "dummy_data.zip", "dataset_dict.json"];

/// The words by which names of files and folders tell of a split.
const KEYWORDS: &[(&str, &[&str])] = &[
    ("train", &["train", "training"]),
    ("validation", &["validation", "valid", "dev", "val"]),
    ("test", &["test", "testing", "eval", "evaluation"]),
];

/// What may stand around such a word.
const AROUND: &str = "[-._ 0-9]";

impl Repository<'_> {
    /// The configuration of that name; without one, the default.
    pub(super) fn layout(&self, name: Option<&str>) -> Result<Layout, Vec<Problem>> {
        self.no_script()?;
        let configs = self.configs()?;
        let config = self.chosen(&configs, name).map_err(|what| vec![self.problem(what)])?;
        self.resolved(config)
    }

    /// The files that these patterns name, whatever the card says; without any, names below `dir` tell.
    pub(super) fn by_hand(&self, files: Option<Patterns>, dir: &str) -> Result<Layout, Vec<Problem>> {
        self.no_script()?;
        self.resolved(Config { files, dir: dir.to_owned(), ..Config::default() })
    }

    /// All configurations.
    fn all(&self) -> Result<Vec<Layout>, Vec<Problem>> {
        self.no_script()?;
        let configs = self.configs()?;
        if configs.is_empty() {
            return Ok(vec![self.resolved(Config::default())?]);
        }
        configs.into_iter().map(|config| self.resolved(config)).collect()
    }

    fn problem(&self, what: impl Into<String>) -> Problem {
        Problem::new(&self.name.to_string(), None, what)
    }

    fn configs(&self) -> Result<Vec<Config>, Vec<Problem>> {
        self.card.map_or(Ok(Vec::new()), |text| card::read(self.card_file, text))
    }

    /// A program that makes the data set can do anything; it is not run.
    fn no_script(&self) -> Result<(), Vec<Problem>> {
        let id = self.name.repo.as_str();
        let script = format!("{}.py", id.rsplit('/').next().unwrap_or(id));
        if !self.files.contains(&script) {
            return Ok(());
        }
        let converted = DatasetName { revision: Some("refs/convert/parquet".into()), ..self.name.clone() };
        Err(vec![self.problem(format!(
            "`{script}` makes this data set, a program in Python, which is not run; files of data are expected. The hub \
             may have made some of it: `{}`, then `dataset_kwargs: {{revision: refs/convert/parquet}}`",
            converted.pull_command(None)
        ))])
    }

    fn chosen(&self, configs: &[Config], name: Option<&str>) -> Result<Config, String> {
        let names = || configs.iter().map(|config| config.name.as_str());
        let list = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        match name {
            Some(name) if configs.is_empty() => self.folder(name),
            Some(name) => configs.iter().find(|config| config.name == name).cloned().ok_or_else(|| {
                format!("there is no configuration `{name}`, only {}; {}", list(), nearest(name, names()))
            }),
            None if configs.is_empty() => Ok(Config::default()),
            None => {
                let defaults: Vec<&Config> = configs.iter().filter(|config| config.is_default).collect();
                match defaults.as_slice() {
                    [config] => Ok((*config).clone()),
                    _ => Err(format!("it has the configurations {}: name one, as `dataset_name`", list())),
                }
            }
        }
    }

    /// Without configurations, a name is that of a folder.
    fn folder(&self, name: &str) -> Result<Config, String> {
        if name == "default" {
            return Ok(Config::default());
        }
        let below = format!("{name}/");
        if self.files.iter().any(|file| file.starts_with(&below)) {
            return Ok(Config { name: name.to_owned(), dir: name.to_owned(), ..Config::default() });
        }
        let card = if self.card.is_some() { "its card tells of no configurations" } else { "its card is not there" };
        Err(format!("there is no configuration `{name}`: {card}, and there is no folder of that name"))
    }

    fn resolved(&self, config: Config) -> Result<Layout, Vec<Problem>> {
        let found = match &config.files {
            Some(patterns) => self.named(patterns, &config.dir),
            None => self.by_names(&config.dir),
        };
        let splits = found.map_err(|what| vec![self.problem(what)])?;
        if splits.is_empty() {
            let of = if config.name.is_empty() { String::new() } else { format!(" of `{}`", config.name) };
            return Err(vec![self.problem(format!("there are no files{of} that are read here, {}", self.others()))]);
        }
        Ok(Layout { splits, config })
    }

    /// What there is instead.
    fn others(&self) -> String {
        let ending = |file: &String| {
            file.rsplit('/').next().and_then(|name| name.split_once('.')).map(|(_, end)| end.to_owned())
        };
        let other = |file: &&String| !is_no_data(file) && Format::of_name(file).is_none();
        let endings: BTreeSet<String> = self.files.iter().filter(other).filter_map(ending).collect();
        let known = "which end in .parquet, .jsonl, .json, .csv or .txt";
        if endings.is_empty() {
            return known.to_owned();
        }
        format!("{known}; there are .{}", endings.into_iter().take(5).collect::<Vec<_>>().join(", ."))
    }

    /// The files that patterns name.
    fn named(&self, patterns: &Patterns, dir: &str) -> Result<Patterns, String> {
        let mut splits = Vec::new();
        for (split, patterns) in patterns {
            let mut files = Vec::new();
            for pattern in patterns {
                let found = self.matching(pattern, dir)?;
                if found.is_empty() && !pattern.contains(['*', '?', '[']) {
                    return Err(format!("the file `{pattern}` of the split `{split}` is not there"));
                }
                files.extend(found.into_iter().filter(|file| !files.contains(file)).collect::<Vec<_>>());
            }
            let files = of_one_format(&files);
            if !files.is_empty() {
                splits.push((split.clone(), files));
            }
        }
        Ok(splits)
    }

    /// The files whose names tell of splits: the first way in which any do.
    fn by_names(&self, dir: &str) -> Result<Patterns, String> {
        let sharded = self.sharded(dir)?;
        if !sharded.is_empty() {
            return Ok(sharded);
        }
        for around in [in_folders, in_names] {
            let of = |(split, words): &(&str, &[&str])| {
                ((*split).to_owned(), words.iter().flat_map(|word| around(word)).collect())
            };
            let found = self.named(&KEYWORDS.iter().map(of).collect(), dir)?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        self.named(&vec![("train".to_owned(), vec!["**".to_owned()])], dir)
    }

    /// Files such as `data/test-00000-of-00002.parquet`.
    fn sharded(&self, dir: &str) -> Result<Patterns, String> {
        const FIVE: &str = "[0-9][0-9][0-9][0-9][0-9]";
        let files = self.matching(&format!("data/*-{FIVE}-of-{FIVE}*.*"), dir)?;
        let split = |file: &String| Some(shard(file)?.stem.rsplit('/').next()?.to_owned());
        let names: BTreeSet<String> = files.iter().filter_map(split).collect();
        let known = KEYWORDS.iter().map(|(name, _)| (*name).to_owned()).filter(|name| names.contains(name));
        let others = names.iter().filter(|name| KEYWORDS.iter().all(|(known, _)| known != name)).cloned();
        let of = |name: String| {
            let files: Vec<String> = files.iter().filter(|file| split(file).as_ref() == Some(&name)).cloned().collect();
            (name, of_one_format(&files))
        };
        Ok(known.chain(others).map(of).filter(|(_, files)| !files.is_empty()).collect())
    }

    /// The files that a pattern below `dir` names, sorted; those that are hidden only if it says so.
    fn matching(&self, pattern: &str, dir: &str) -> Result<Vec<String>, String> {
        if pattern.contains("://") {
            return Err(format!("`{pattern}` is an address, a file of the repository is expected"));
        }
        let place = |text: &str| text.trim_start_matches("./").trim_matches('/').to_owned();
        let (dir, pattern) = (place(dir), place(pattern));
        let whole = if dir.is_empty() { pattern } else { format!("{dir}/{pattern}") };
        let matcher = glob(&whole)?;
        let is_data = |file: &&String| {
            let named = whole.rsplit('/').next() == file.rsplit('/').next();
            matcher.is_match(file.as_str()) && (named || !is_no_data(file)) && as_hidden(file) == as_hidden(&whole)
        };
        Ok(self.files.iter().filter(is_data).cloned().collect())
    }
}

fn glob(pattern: &str) -> Result<GlobMatcher, String> {
    // `datasets` knows no alternatives in braces
    let escaped = pattern.replace('{', "[{]").replace('}', "[}]");
    let built = GlobBuilder::new(&escaped).literal_separator(true).backslash_escape(false).build();
    built
        .map(|glob| glob.compile_matcher())
        .map_err(|error| format!("`{pattern}` is no pattern of files: {}", error.kind()))
}

fn in_folders(word: &str) -> Vec<String> {
    [
        format!("{word}/**"),
        format!("{word}{AROUND}*/**"),
        format!("*{AROUND}{word}/**"),
        format!("*{AROUND}{word}{AROUND}*/**"),
    ]
    .map(|pattern| format!("**/{pattern}"))
    .to_vec()
}

fn in_names(word: &str) -> Vec<String> {
    vec![format!("**/{word}{AROUND}*"), format!("**/*{AROUND}{word}{AROUND}*")]
}

fn is_no_data(file: &str) -> bool {
    NO_DATA.contains(&file.rsplit('/').next().unwrap_or(file))
}

/// How many parts of a path are hidden, and how many of its folders begin with two underscores.
fn as_hidden(path: &str) -> (usize, usize) {
    let folders = path.rsplit_once('/').map_or("", |(folders, _)| folders);
    let hidden = path.split('/').filter(|part| part.starts_with('.')).count();
    (hidden, folders.split('/').filter(|part| part.starts_with("__")).count())
}

/// The files of the format that most have; of as many, of the first.
fn of_one_format(files: &[String]) -> Vec<String> {
    const ORDER: [Format; 4] = [Format::Parquet, Format::Json, Format::Csv, Format::Text];
    let of = |format: Format| -> Vec<String> {
        files.iter().filter(|file| Format::of_name(file) == Some(format)).cloned().collect()
    };
    ORDER.into_iter().rev().map(of).max_by_key(Vec::len).unwrap_or_default()
}

/// One of several files that a split is cut into.
struct Shard<'a> {
    /// What its name begins with.
    stem: &'a str,
    /// Which of them it is, from 0.
    at: usize,
    /// How many there are.
    n: usize,
}

fn shard(file: &str) -> Option<Shard<'_>> {
    let (before, after) = file.rsplit_once("-of-")?;
    let (stem, at) = before.rsplit_once('-')?;
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?;
    Some(Shard { stem, at: number(at)?, n: number(after.get(..5)?)? })
}

/// The first file that belongs to the others and is not there.
pub(super) fn lacking(files: &[String]) -> Option<String> {
    let mut there: BTreeMap<(&str, usize), BTreeSet<usize>> = BTreeMap::new();
    for Shard { stem, at, n } in files.iter().filter_map(|file| shard(file)) {
        there.entry((stem, n)).or_default().insert(at);
    }
    let lacks = |((stem, n), there): ((&str, usize), BTreeSet<usize>)| {
        let at = (0..n).find(|at| !there.contains(at))?;
        Some(format!("{stem}-{at:05}-of-{n:05}"))
    };
    there.into_iter().find_map(lacks)
}
