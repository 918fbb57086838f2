//! What a task file says, checked: the same for our own `suite.toml` and for a task file of lm-evaluation-harness.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::card::{self, Patterns};
use super::dataset::Format;
use super::filter::{self, Chain};
use super::group::Membership;
use super::metric_list::{self, OutputType, Wanted};
use super::node::{Kind, Node};
use super::problem::{Problem, nearest};
use super::python;
use super::task::Bounds;
use super::template::Templates;
use crate::hub::DatasetName;

/// Whose rules hold where the two formats differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `suite.toml`: a missing field is an error, and no item is its own example.
    Own,
    /// lm-evaluation-harness, example for example.
    LmEval,
}

/// A task file that was checked.
pub(super) struct Definition {
    pub(super) dialect: Dialect,
    pub(super) file: String,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) about: String,
    pub(super) output: OutputType,
    pub(super) data: Data,
    pub(super) form: Form,
    /// What the examples have of their own.
    pub(super) shots: Shots,
    pub(super) description: String,
    pub(super) generation: Generation,
    pub(super) metrics: Vec<Wanted>,
    pub(super) chains: Vec<Chain>,
    pub(super) own: Own,
    pub(super) groups: Vec<Membership>,
    pub(super) templates: Templates,
    /// The line of the whole, for mistakes that have none of their own.
    pub(super) line: usize,
    /// Where the task is named: its file and line, or those of the member of a group.
    pub(super) named: (String, usize),
    /// What the file says, all includes in it.
    pub(super) source: Value,
}

/// How an item is put into words.
#[derive(Clone)]
pub(super) struct Form {
    pub(super) text: Field,
    pub(super) target: Field,
    pub(super) choice: Option<Field>,
    pub(super) target_delimiter: String,
    pub(super) fewshot_delimiter: String,
    pub(super) gen_prefix: Option<String>,
}

/// A part of an item: a field or a template, or something that is the same for all.
#[derive(Clone)]
pub(super) enum Field {
    Template(String),
    Fixed(Value),
}

/// The examples before an item.
pub(super) struct Shots {
    pub(super) n: usize,
    pub(super) sampler: Sampler,
    pub(super) form: Form,
    /// Examples that stand in the file itself.
    pub(super) samples: Option<Vec<Map<String, Value>>>,
}

/// How examples are chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sampler {
    /// Drawn anew for each item.
    Random,
    /// The first ones.
    First,
    /// These, by their places from 0.
    Fixed(Vec<usize>),
}

/// Where items and examples are.
#[derive(Debug, Clone)]
pub(super) struct Data {
    pub(super) source: Source,
    pub(super) training: Option<String>,
    pub(super) validation: Option<String>,
    pub(super) test: Option<String>,
    pub(super) fewshot: Option<String>,
}

/// Where the files of splits are.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// Files that the task names.
    Files(Files),
    /// A data set of the hub.
    Hub(Box<Hub>),
}

/// The files of splits.
#[derive(Debug, Clone)]
pub(super) struct Files {
    /// The files of each split.
    pub(super) splits: Vec<(String, Vec<PathBuf>)>,
    /// Their format; none if their endings tell.
    pub(super) format: Option<Format>,
    /// Where the list is in a JSON object.
    pub(super) field: Option<String>,
}

/// A data set of the hub.
#[derive(Debug, Clone)]
pub(super) struct Hub {
    /// Its name.
    pub(super) name: DatasetName,
    /// Which configuration of it; the default if none is named.
    pub(super) config: Option<String>,
    /// Its files, whatever its card says.
    pub(super) files: Option<Patterns>,
    /// The folder that they are in, whatever its card says.
    pub(super) dir: Option<String>,
    /// Where the list is in a JSON object.
    pub(super) field: Option<String>,
    /// Where the task file names it.
    pub(super) at: Node,
}

/// How the model writes.
#[derive(Debug, Clone)]
pub(super) struct Generation {
    pub(super) until: Vec<String>,
    pub(super) max_new: usize,
}

/// What only our own format can say.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    pub(super) id: Option<String>,
    pub(super) cluster: Option<String>,
    pub(super) strata: Vec<String>,
    pub(super) gate: Vec<(String, Bounds)>,
    pub(super) chance: Option<f64>,
    pub(super) quick: Option<usize>,
}

/// Tokens of an answer where nothing is said: lm-evaluation-harness's number.
const MAX_NEW: usize = 256;

/// What lm-evaluation-harness calls the version of a task file that has none.
const NO_VERSION: &str = "Yaml";

const COMMON: &[&str] = &[
    "dataset_kwargs",
    "dataset_name",
    "dataset_path",
    "description",
    "doc_to_choice",
    "doc_to_target",
    "doc_to_text",
    "fewshot_config",
    "fewshot_delimiter",
    "filter_list",
    "gen_prefix",
    "generation_kwargs",
    "metric_list",
    "num_fewshot",
    "output_type",
    "target_delimiter",
];

/// Keys of `suite.toml` besides those that both formats have.
pub(super) const OWN: &[&str] =
    &["about", "chance", "cluster", "fewshot_items", "gate", "id", "items", "name", "quick", "strata", "version"];

/// Keys of a task file besides those that both formats have; the last ones change no score.
const LM_EVAL: &[&str] = &[
    "fewshot_split",
    "metadata",
    "repeats",
    "tag",
    "task",
    "task_alias",
    "test_split",
    "training_split",
    "validation_split",
    "should_decontaminate",
    "doc_to_decontamination_query",
    "group",
    "group_alias",
];

const FEWSHOT: &[&str] = &[
    "sampler",
    "split",
    "samples",
    "doc_to_text",
    "doc_to_choice",
    "doc_to_target",
    "gen_prefix",
    "fewshot_delimiter",
    "target_delimiter",
    "fewshot_indices",
];

const GENERATION: &[&str] =
    &["until", "do_sample", "temperature", "max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"];

/// Options of sampling, which say nothing where the likeliest token is taken.
const OF_SAMPLING: &[&str] = &["top_k", "top_p", "min_p"];

/// Reads a task file. `file` is its path, to which those of its data are relative.
pub(super) fn read(root: &Node, file: &Path, dialect: Dialect) -> Result<Definition, Vec<Problem>> {
    let mut reader = Reader { root, file, dialect, problems: Vec::new(), templates: Templates::new() };
    let definition = reader.definition();
    let problems = std::mem::take(&mut reader.problems);
    match definition {
        Some(mut definition) if problems.is_empty() => {
            definition.templates = reader.templates;
            Ok(definition)
        }
        _ => Err(problems),
    }
}

struct Reader<'a> {
    root: &'a Node,
    file: &'a Path,
    dialect: Dialect,
    problems: Vec<Problem>,
    templates: Templates,
}

impl Reader<'_> {
    fn definition(&mut self) -> Option<Definition> {
        self.known_keys();
        let output = self.output();
        let name = self.name();
        let data = if self.dialect == Dialect::Own { self.own_data() } else { self.harness_data() };
        let form = self.form(output);
        let (metrics, chains) = (self.metrics(output), self.chains(output));
        let own = if self.dialect == Dialect::Own { self.own(&metrics, &chains) } else { Own::default() };
        let description = self.template("description").unwrap_or_default();
        let generation = self.generation();
        self.repeats();
        let version = self.version();
        let about = self.text(self.root, "about").unwrap_or_default();
        let form = form?;
        let shots = self.shots(&form);
        Some(Definition {
            dialect: self.dialect,
            file: self.root.file.to_string(),
            name,
            version,
            about,
            output,
            data: data?,
            form,
            shots,
            description,
            generation,
            metrics,
            chains,
            own,
            groups: Vec::new(),
            templates: Templates::new(),
            line: self.root.line,
            named: (self.root.file.to_string(), self.root.line),
            source: self.root.value(),
        })
    }

    fn wrong(&mut self, node: &Node, what: impl Into<String>) {
        self.problems.push(node.problem(what));
    }

    fn known_keys(&mut self) {
        for tagged in self.root.tagged() {
            let what = format!("{} is a program in Python, which is not run here", tagged.is_a());
            self.wrong(tagged, what);
        }
        let more = if self.dialect == Dialect::Own { OWN } else { LM_EVAL };
        let known: Vec<&str> = COMMON.iter().chain(more).copied().collect();
        let Kind::Table(entries) = &self.root.kind else { return };
        for (key, node) in entries.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
            let why = match key.as_str() {
                "doc_to_image" | "doc_to_audio" => "only texts are asked here".to_owned(),
                "process_docs" | "process_results" | "custom_dataset" | "class" | "unsafe_code" => {
                    "it takes a program in Python, which is not run here".into()
                }
                "use_prompt" => "templates of Promptsource are not read here".into(),
                other => nearest(other, known.iter().copied()),
            };
            self.problems.push(node.problem(format!("`{key}` is not known here: {why}")));
        }
    }

    fn name(&mut self) -> String {
        let key = if self.dialect == Dialect::Own { "name" } else { "task" };
        let found = self.text(self.root, key);
        if found.as_deref().is_none_or(str::is_empty) {
            self.wrong(self.root, format!("`{key}` is missing: the task needs a name"));
        }
        found.unwrap_or_default()
    }

    fn version(&mut self) -> String {
        let node = match self.dialect {
            Dialect::Own => self.root.get("version"),
            Dialect::LmEval => self.root.get("metadata").and_then(|metadata| metadata.get("version")),
        };
        if node.is_none() && self.dialect == Dialect::Own {
            self.wrong(self.root, "`version` is missing: it rises with every change that can change a score");
        }
        node.map_or_else(|| NO_VERSION.into(), |node| python::str(&node.value()))
    }

    fn output(&mut self) -> OutputType {
        let Some(node) = self.root.get("output_type") else {
            if self.dialect == Dialect::Own {
                self.wrong(self.root, "`output_type` is missing");
            }
            return OutputType::GenerateUntil;
        };
        let name = node.text().unwrap_or_default();
        let names = || OutputType::ALL.iter().map(|output| output.name());
        OutputType::ALL.into_iter().find(|output| output.name() == name).unwrap_or_else(|| {
            self.wrong(node, format!("`output_type` is {}, {}", node.is_a(), nearest(name, names())));
            OutputType::GenerateUntil
        })
    }

    /// A text; something else is a mistake.
    fn text(&mut self, table: &Node, key: &str) -> Option<String> {
        let node = table.get(key)?;
        if let Kind::Scalar(Value::Null) = node.kind {
            return None;
        }
        let text = node.text().map(str::to_owned);
        if text.is_none() {
            self.wrong(node, format!("`{key}` is {}, a text is expected", node.is_a()));
        }
        text
    }

    /// A text that is filled in for each item.
    fn template(&mut self, key: &str) -> Option<String> {
        let text = self.text(self.root, key)?;
        self.compile(self.root.get(key)?, key, &text);
        Some(text)
    }

    fn compile(&mut self, node: &Node, key: &str, source: &str) {
        if let Err(why) = self.templates.add(source) {
            self.wrong(node, format!("`{key}` is no template: {why}"));
        }
    }

    fn field(&mut self, table: &Node, key: &str) -> Option<Field> {
        let node = table.get(key)?;
        match &node.kind {
            Kind::Scalar(Value::Null) => None,
            Kind::Scalar(Value::String(text)) => {
                self.compile(node, key, text);
                Some(Field::Template(text.clone()))
            }
            Kind::Scalar(Value::Number(number)) if number.is_i64() => Some(Field::Fixed(node.value())),
            Kind::List(_) => Some(Field::Fixed(node.value())),
            Kind::Table(entries) if key == "doc_to_choice" => {
                Some(Field::Fixed(entries.iter().map(|(_, node)| node.value()).collect()))
            }
            Kind::Tagged(_) => Some(Field::Fixed(Value::Null)),
            _ => {
                self.wrong(node, format!("`{key}` is {}, a field or a template is expected", node.is_a()));
                None
            }
        }
    }

    fn form(&mut self, output: OutputType) -> Option<Form> {
        let text = self.field(self.root, "doc_to_text");
        let target = self.field(self.root, "doc_to_target");
        let choice = self.field(self.root, "doc_to_choice");
        let needs_choice = output == OutputType::MultipleChoice;
        let missing = [
            ("doc_to_text", text.is_none() && output != OutputType::LoglikelihoodRolling),
            ("doc_to_target", target.is_none()),
            ("doc_to_choice", choice.is_none() && needs_choice),
        ];
        let is_null = |key: &str| self.root.get(key).is_none_or(|node| matches!(node.kind, Kind::Scalar(Value::Null)));
        let missing: Vec<&str> =
            missing.into_iter().filter(|(key, missing)| *missing && is_null(key)).map(|(key, _)| key).collect();
        for key in missing {
            self.wrong(self.root, format!("`{key}` is missing, {} needs it", output.name()));
        }
        self.templates.add("").ok();
        let form = Form {
            text: text.unwrap_or_else(|| Field::Template(String::new())),
            target: target?,
            choice,
            target_delimiter: self.text(self.root, "target_delimiter").unwrap_or_else(|| " ".into()),
            fewshot_delimiter: self.text(self.root, "fewshot_delimiter").unwrap_or_else(|| "\n\n".into()),
            gen_prefix: self.template("gen_prefix"),
        };
        (form.choice.is_some() || !needs_choice).then_some(form)
    }

    fn count(&mut self, table: &Node, key: &str) -> Option<usize> {
        let node = table.get(key)?;
        if let Kind::Scalar(Value::Null) = node.kind {
            return None;
        }
        let found = node.value().as_u64().and_then(|count| usize::try_from(count).ok());
        if found.is_none() {
            self.wrong(node, format!("`{key}` is {}, a whole number from 0 is expected", node.is_a()));
        }
        found
    }

    fn shots(&mut self, form: &Form) -> Shots {
        let n = self.count(self.root, "num_fewshot").unwrap_or(0);
        let mut shots = Shots { n, sampler: Sampler::Random, form: form.clone(), samples: None };
        let Some(config) = self.root.get("fewshot_config") else { return shots };
        if let Kind::Scalar(Value::Null) = config.kind {
            return shots;
        }
        self.problems.extend(filter::unknown_keys(config, FEWSHOT));
        shots.sampler = self.sampler(config);
        shots.samples = self.samples(config);
        let own = &mut shots.form;
        own.text = self.field(config, "doc_to_text").unwrap_or_else(|| own.text.clone());
        own.target = self.field(config, "doc_to_target").unwrap_or_else(|| own.target.clone());
        own.choice = self.field(config, "doc_to_choice").or_else(|| own.choice.clone());
        let delimiter = self.text(config, "target_delimiter");
        own.target_delimiter = delimiter.unwrap_or_else(|| own.target_delimiter.clone());
        let between = self.text(config, "fewshot_delimiter");
        own.fewshot_delimiter = between.unwrap_or_else(|| own.fewshot_delimiter.clone());
        if let (Some(prefix), Some(node)) = (self.text(config, "gen_prefix"), config.get("gen_prefix")) {
            self.compile(node, "gen_prefix", &prefix);
            own.gen_prefix = Some(prefix);
        }
        shots
    }

    fn sampler(&mut self, config: &Node) -> Sampler {
        if let Some(node) = config.get("fewshot_indices") {
            return self.fixed(node);
        }
        let Some(node) = config.get("sampler") else { return Sampler::Random };
        match node.text() {
            Some("default" | "random") => Sampler::Random,
            Some("first_n") => Sampler::First,
            other => {
                let near = nearest(other.unwrap_or_default(), ["default", "first_n"].into_iter());
                self.wrong(node, format!("`sampler` is {}, {near}", node.is_a()));
                Sampler::Random
            }
        }
    }

    fn fixed(&mut self, node: &Node) -> Sampler {
        if self.dialect == Dialect::LmEval {
            self.wrong(node, "`fewshot_indices` has no effect in lm-evaluation-harness 0.4.13: leave it out");
        }
        let places = serde_json::from_value(node.value());
        Sampler::Fixed(places.unwrap_or_else(|_| {
            self.wrong(node, "`fewshot_indices` is no list of places, which are counted from 0");
            Vec::new()
        }))
    }

    fn samples(&mut self, config: &Node) -> Option<Vec<Map<String, Value>>> {
        let node = config.get("samples")?;
        let found = serde_json::from_value(node.value());
        if found.is_err() && !matches!(node.kind, Kind::Tagged(_)) {
            self.wrong(node, "`samples` is no list of tables");
        }
        found.ok()
    }

    fn metrics(&mut self, output: OutputType) -> Vec<Wanted> {
        let Some(node) = self.root.get("metric_list") else { return metric_list::defaults(output) };
        metric_list::read(node, output).unwrap_or_else(|problems| {
            self.problems.extend(problems);
            Vec::new()
        })
    }

    fn chains(&mut self, output: OutputType) -> Vec<Chain> {
        let Some(node) = self.root.get("filter_list").filter(|node| !node.value().is_null()) else {
            return vec![Chain::none()];
        };
        let chains = filter::read(node).unwrap_or_else(|problems| {
            self.problems.extend(problems);
            Vec::new()
        });
        let of_text =
            chains.iter().any(|chain| chain.filters.iter().any(|one| !matches!(one, filter::Filter::Take(_))));
        if output != OutputType::GenerateUntil && of_text {
            self.wrong(node, format!("these filters read texts, and {} gives numbers", output.name()));
        }
        chains
    }

    fn repeats(&mut self) {
        if let Some(node) = self.root.get("repeats").filter(|node| node.value() != 1) {
            self.wrong(node, format!("`repeats` is {}, but answers are greedy: 1 is expected", node.is_a()));
        }
    }

    fn generation(&mut self) -> Generation {
        let delimiter = self.root.get("fewshot_delimiter").and_then(Node::text).unwrap_or("\n\n").to_owned();
        let mut generation = Generation { until: vec![delimiter], max_new: MAX_NEW };
        let Some(node) = self.root.get("generation_kwargs") else { return generation };
        self.problems.extend(filter::unknown_keys(node, &[GENERATION, OF_SAMPLING, &["num_beams"]].concat()));
        if let Some(until) = node.get("until") {
            generation.until = self.until(until);
        }
        let sampled = node.get("do_sample").is_some_and(|sample| sample.value() == Value::Bool(true));
        let greedy = node.get("do_sample").is_some_and(|sample| sample.value() == Value::Bool(false));
        let warm = node.get("temperature").and_then(|node| node.value().as_f64()).is_some_and(|heat| heat > 0.0);
        if sampled || (warm && !greedy) {
            self.wrong(node, "`generation_kwargs` asks for sampling, but answers are greedy: set `do_sample: false`");
        }
        if let Some(beams) = node.get("num_beams").filter(|beams| beams.value() != 1) {
            self.wrong(beams, format!("`num_beams` is {}, but one answer is written: 1 is expected", beams.is_a()));
        }
        let names = ["max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens"];
        let most = names.into_iter().find_map(|name| self.count(node, name));
        generation.max_new = most.unwrap_or(MAX_NEW);
        generation
    }

    fn until(&mut self, node: &Node) -> Vec<String> {
        match node.value() {
            Value::String(text) => vec![text],
            value => serde_json::from_value(value).unwrap_or_else(|_| {
                self.wrong(node, "`until` is no list of texts");
                Vec::new()
            }),
        }
    }

    /// The files of `items` and `fewshot_items`, or the splits of these names where `dataset_path` says of what.
    fn own_data(&mut self) -> Option<Data> {
        let folder = self.file.parent().unwrap_or(Path::new("")).to_owned();
        let (items, fewshot) = (self.text(self.root, "items"), self.text(self.root, "fewshot_items"));
        let data = |source, test: String, fewshot| Data {
            source,
            training: None,
            validation: None,
            test: Some(test),
            fewshot: Some(fewshot),
        };
        if let Some(path) = self.root.get("dataset_path") {
            let test = items.unwrap_or_else(|| "test".into());
            let fewshot = fewshot.unwrap_or_else(|| test.clone());
            return self.source(path, &folder).map(|source| data(source, test, fewshot));
        }
        let items = items.unwrap_or_else(|| "items.jsonl".into());
        let mut splits = vec![("items".to_owned(), vec![folder.join(items)])];
        let has_own = fewshot.is_some();
        splits.extend(fewshot.map(|file| ("fewshot".to_owned(), vec![folder.join(file)])));
        let source = Source::Files(Files { splits, format: None, field: None });
        Some(data(source, "items".into(), if has_own { "fewshot" } else { "items" }.into()))
    }

    fn own(&mut self, metrics: &[Wanted], chains: &[Chain]) -> Own {
        let id = self.text(self.root, "id");
        let cluster = self.text(self.root, "cluster");
        let strata = match self.root.get("strata").map(|node| (node, serde_json::from_value(node.value()))) {
            None => Vec::new(),
            Some((_, Ok(fields))) => fields,
            Some((node, Err(_))) => {
                self.wrong(node, "`strata` is no list of fields");
                Vec::new()
            }
        };
        let chance = self.root.get("chance").and_then(|node| {
            let share = node.value().as_f64().filter(|share| (0.0..=1.0).contains(share));
            if share.is_none() {
                self.wrong(node, format!("`chance` is {}, a number from 0 to 1 is expected", node.is_a()));
            }
            share
        });
        let quick = self.count(self.root, "quick");
        Own { id, cluster, strata, gate: self.gate(metrics, chains), chance, quick }
    }

    fn gate(&mut self, metrics: &[Wanted], chains: &[Chain]) -> Vec<(String, Bounds)> {
        let Some(Node { kind: Kind::Table(entries), .. }) = self.root.get("gate") else { return Vec::new() };
        let names = metrics.iter().flat_map(|metric| {
            let name = metric.kind.name;
            std::iter::once(name.to_owned()).chain(chains.iter().map(move |chain| format!("{name},{}", chain.name)))
        });
        let names: Vec<String> = names.collect();
        let mut gate = Vec::new();
        for (name, node) in entries {
            if !names.contains(name) {
                let near = nearest(name, names.iter().map(String::as_str));
                self.wrong(node, format!("`[gate]` names the metric `{name}`, which this task has not: {near}"));
            }
            match serde_json::from_value(node.value()) {
                Ok(bounds) => gate.push((name.clone(), bounds)),
                Err(error) => self.wrong(node, format!("the gate of `{name}`: {error}")),
            }
        }
        gate
    }

    fn harness_data(&mut self) -> Option<Data> {
        let folder = self.file.parent().unwrap_or(Path::new("")).to_owned();
        let [training, validation, test] =
            ["training_split", "validation_split", "test_split"].map(|key| self.text(self.root, key));
        if test.is_none() && validation.is_none() {
            self.wrong(self.root, "`test_split` is missing, and so is `validation_split`: there is nothing to ask");
        }
        let split = self.root.get("fewshot_config").and_then(|config| config.get("split")).and_then(Node::text);
        let fewshot = split.map(str::to_owned).or_else(|| self.text(self.root, "fewshot_split"));
        let Some(path) = self.root.get("dataset_path") else {
            self.wrong(self.root, "`dataset_path` is missing");
            return None;
        };
        let source = self.source(path, &folder)?;
        Some(Data { source, training, validation, test, fewshot })
    }

    /// Files, a folder, or a data set of the hub.
    fn source(&mut self, path: &Node, folder: &Path) -> Option<Source> {
        let name = path.text().unwrap_or_default();
        if let Some(format) = Format::by_name(name) {
            let field = self.kwarg("field");
            let splits = self.data_files(path, folder)?;
            return Some(Source::Files(Files { splits, format: Some(format), field }));
        }
        let local = [folder.join(name), PathBuf::from(name)].into_iter().find(|folder| folder.is_dir());
        match local.map(|folder| (super::dataset::of_folder(&folder), folder)) {
            Some((Ok(found), _)) if !found.is_empty() => {
                Some(Source::Files(Files { splits: found.into_iter().collect(), format: None, field: None }))
            }
            Some((_, folder)) => {
                self.wrong(path, format!("`{}` holds no train, validation or test file", folder.display()));
                None
            }
            None => self.hub(path).map(|hub| Source::Hub(Box::new(hub))),
        }
    }

    fn hub(&mut self, path: &Node) -> Option<Hub> {
        if let Some(kwargs) = self.root.get("dataset_kwargs") {
            let known = ["data_dir", "data_files", "field", "revision", "trust_remote_code"];
            self.problems.extend(filter::unknown_keys(kwargs, &known));
        }
        let revision = self.kwarg("revision");
        let Ok(name) = DatasetName::new(path.text().unwrap_or_default(), revision.as_deref()) else {
            let at = revision.map(|revision| format!(" at the revision `{revision}`")).unwrap_or_default();
            let what = format!(
                "`dataset_path` is {}{at}, which is neither json, csv, parquet or text nor a folder here nor the name of \
                 a data set of the hub, org/name",
                path.is_a()
            );
            self.wrong(path, what);
            return None;
        };
        let files = self.root.get("dataset_kwargs").and_then(|kwargs| kwargs.get("data_files"));
        let files = files.map(card::patterns).transpose().unwrap_or_else(|problem| {
            self.problems.push(problem);
            None
        });
        let config = self.root.get("dataset_name").map(Node::value).filter(|config| !config.is_null());
        let (dir, field) = (self.kwarg("data_dir"), self.kwarg("field"));
        Some(Hub { name, config: config.as_ref().map(python::str), files, dir, field, at: path.clone() })
    }

    /// A text of `dataset_kwargs`.
    fn kwarg(&mut self, key: &str) -> Option<String> {
        let kwargs = self.root.get("dataset_kwargs")?;
        self.text(kwargs, key)
    }

    fn data_files(&mut self, path: &Node, folder: &Path) -> Option<Vec<(String, Vec<PathBuf>)>> {
        let kwargs = self.root.get("dataset_kwargs");
        if let Some(kwargs) = kwargs {
            self.problems
                .extend(filter::unknown_keys(kwargs, &["data_files", "data_dir", "field", "trust_remote_code"]));
        }
        let base = kwargs.and_then(|kwargs| kwargs.get("data_dir")).and_then(Node::text);
        let base = base.map_or_else(PathBuf::new, PathBuf::from);
        let Some(files) = kwargs.and_then(|kwargs| kwargs.get("data_files")) else {
            self.wrong(path, "`dataset_kwargs.data_files` is missing: which files are read?");
            return None;
        };
        let found = card::patterns(files).map_err(|problem| self.problems.push(problem)).ok()?;
        let place = |name: &String| located(folder, &base.join(name));
        Some(found.iter().map(|(split, names)| (split.clone(), names.iter().map(place).collect())).collect())
    }
}

/// Python looks from where it was started; beside the task file is looked first here.
fn located(folder: &Path, name: &Path) -> PathBuf {
    let beside = folder.join(name);
    if beside.exists() || !name.exists() { beside } else { name.to_owned() }
}
