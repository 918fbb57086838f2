//! From a checked task file and its data to a [`Task`]: every item rendered, every mistake told.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::context::{Target, Words, context};
use super::dataset::{self, Format, Row, Rows};
use super::definition::{Data, Definition, Dialect};
use super::fewshot::Picker;
use super::grade::{Facts, HarnessGrader};
use super::hash::hex_of_bytes;
use super::metric_list::{OutputType, Wanted};
use super::place::Place;
use super::prepare::PrepareOptions;
use super::problem::Problem;
use super::python;
use super::request::{GenerateUntil, Loglikelihood, LoglikelihoodRolling, Request};
use super::results::stratum;
use super::task::{Better, Bounds, MetricSpec, Task, TaskItem};

/// The task of a definition.
pub(super) fn task(definition: Definition, options: &PrepareOptions<'_>) -> Result<Task, Vec<Problem>> {
    let splits = Splits::read(&definition, options)?;
    let n_shot = options.num_fewshot.unwrap_or(definition.shots.n);
    let builder = Builder { definition: &definition, splits: &splits, options, n_shot };
    let (items, facts) = builder.items()?;
    let metrics = metrics(&definition, &items, &facts);
    let hash = builder.hash();
    let (name, version) = (definition.name.clone(), definition.version.clone());
    let output_type = definition.output.name().to_owned();
    let groups = definition.groups;
    let grader =
        HarnessGrader { output: definition.output, metrics: definition.metrics, chains: definition.chains, facts };
    let quick = definition.own.quick;
    let (notes, grader) = (Vec::new(), Box::new(grader));
    Ok(Task { name, version, hash, output_type, n_shot, items, quick, notes, grader, metrics, groups })
}

/// The rows that are asked, and those that examples are of.
struct Splits {
    asked: Rows,
    /// None if they are the ones that are asked.
    pool: Option<Vec<Map<String, Value>>>,
    /// Whether an item is kept out of its own examples.
    apart: bool,
    bytes: Vec<u8>,
}

impl Splits {
    fn read(definition: &Definition, options: &PrepareOptions<'_>) -> Result<Self, Vec<Problem>> {
        let data = &definition.data;
        let place = Place::of(&data.source, options.hub)?;
        let asked_split = data.test.as_ref().or(data.validation.as_ref());
        let asked = rows(definition, &place, asked_split.map_or("", String::as_str))?;
        let mut bytes = asked.bytes.clone();
        let pool = match (&definition.shots.samples, data.fewshot.as_ref()) {
            (Some(samples), None) => Some(samples.clone()),
            (_, split) => {
                let split = split.or_else(|| fallback_split(data));
                if split == asked_split || split.is_none() {
                    None
                } else {
                    let rows = rows(definition, &place, split.map_or("", String::as_str))?;
                    bytes.extend(&rows.bytes);
                    Some(rows.all.into_iter().map(|row| row.fields).collect())
                }
            }
        };
        let apart = match definition.dialect {
            Dialect::Own => pool.is_none(),
            Dialect::LmEval => data.fewshot == data.test,
        };
        Ok(Self { asked, pool, apart, bytes })
    }
}

/// The split that examples are of where the file says nothing.
fn fallback_split(data: &Data) -> Option<&String> {
    data.training.as_ref().or(data.validation.as_ref()).or(data.test.as_ref())
}

fn rows(definition: &Definition, place: &Place<'_>, split: &str) -> Result<Rows, Vec<Problem>> {
    let here = |what: String| vec![Problem::new(&definition.file, definition.line, what)];
    let of = &place.files;
    let Some((_, files)) = of.splits.iter().find(|(name, _)| name == split) else {
        let known = of.splits.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ");
        return Err(here(format!("there is no split `{split}`, only {known}{}", place.remedy(split))));
    };
    let format = match (of.format, files.first()) {
        (Some(format), _) => format,
        (None, Some(file)) => Format::of_file(file).map_err(|problem| vec![problem])?,
        (None, None) => return Err(here(format!("the split `{split}` has no files"))),
    };
    let rows = dataset::read(files, format, of.field.as_deref())?;
    place.check(split, &rows)?;
    Ok(if definition.dialect == Dialect::LmEval { rows.squared() } else { rows })
}

struct Builder<'a> {
    definition: &'a Definition,
    splits: &'a Splits,
    options: &'a PrepareOptions<'a>,
    n_shot: usize,
}

impl Builder<'_> {
    fn hash(&self) -> String {
        let definition = self.definition;
        let chat = self.options.chat.as_ref().map_or_else(String::new, |chat| format!("{:?}", chat.turns));
        let n = self.n_shot.to_string();
        let seed = self.options.fewshot_seed.to_string();
        let system = self.options.system.unwrap_or_default();
        let (source, data) = (definition.source.to_string(), &self.splits.bytes);
        let parts = [source.as_bytes(), data, n.as_bytes(), seed.as_bytes(), chat.as_bytes(), system.as_bytes()];
        hex_of_bytes(&parts)
    }

    fn items(&self) -> Result<(Vec<TaskItem>, Vec<Facts>), Vec<Problem>> {
        let asked: Vec<Map<String, Value>>;
        let pool = match &self.splits.pool {
            Some(pool) => pool,
            None => {
                asked = self.splits.asked.all.iter().map(|row| row.fields.clone()).collect();
                &asked
            }
        };
        let mut picker = Picker::new(pool, &self.definition.shots.sampler, self.options.fewshot_seed);
        let (mut items, mut facts, mut problems) = (Vec::new(), Vec::new(), Vec::new());
        let mut ids = HashSet::new();
        for (index, row) in self.splits.asked.all.iter().enumerate() {
            let not = self.splits.apart.then_some(&row.fields);
            let Some(examples) = picker.pick(self.n_shot, not) else {
                problems.push(self.too_few(pool.len()));
                break;
            };
            match self.item(index, row, &examples) {
                Ok((item, of_item)) => {
                    if !ids.insert(item.id.clone()) {
                        problems.push(self.at(row, index, format!("id `{}` is there twice", item.id)));
                    }
                    items.push(item);
                    facts.push(of_item);
                }
                Err(found) => problems.extend(found.into_iter().map(|what| self.at(row, index, what))),
            }
        }
        problems.extend(self.mixed_targets(&facts));
        if problems.is_empty() { Ok((items, facts)) } else { Err(problems) }
    }

    fn too_few(&self, pool: usize) -> Problem {
        let what = format!("{} examples are asked for, and there are {pool} to choose from", self.n_shot);
        Problem::new(&self.definition.file, self.definition.line, what)
    }

    /// A mistake of an item: at its line, or by its place where there are no lines.
    fn at(&self, row: &Row, index: usize, what: String) -> Problem {
        let what = if row.line.is_some() { what } else { format!("item {index}: {what}") };
        Problem::new(&self.splits.asked.file, row.line, what)
    }

    /// Several targets in some items and one in others: lm-evaluation-harness goes by the first item.
    fn mixed_targets(&self, facts: &[Facts]) -> Option<Problem> {
        let first = facts.first()?.several;
        let other = facts.iter().position(|facts| facts.several != first)?;
        if self.definition.output != OutputType::MultipleChoice {
            return None;
        }
        let what = format!("item {other} has another kind of target than the first: a list in one, not in the other");
        Some(Problem::new(&self.splits.asked.file, None, what))
    }

    fn item(
        &self,
        index: usize,
        row: &Row,
        examples: &[&Map<String, Value>],
    ) -> Result<(TaskItem, Facts), Vec<String>> {
        let definition = self.definition;
        let words = Words {
            templates: &definition.templates,
            columns: &self.splits.asked.columns,
            has_choices: definition.form.choice.is_some(),
        };
        let doc = &row.fields;
        let mut problems = Vec::new();
        let mut keep = |found: Result<String, String>| found.map_err(|what| problems.push(what)).unwrap_or_default();
        let chat = self.options.chat.as_ref();
        let context = keep(context(definition, &words, doc, examples, chat, self.options.system));
        let facts = self.facts(&words, doc);
        let id = keep(self.id(doc, index));
        let cluster = own_field(definition.own.cluster.as_ref(), doc).map(&mut keep);
        let strata = definition.own.strata.iter();
        let strata: BTreeMap<String, String> =
            strata.filter_map(|name| Some((name.clone(), own_field(Some(name), doc).map(&mut keep)?))).collect();
        match facts {
            Ok(facts) if problems.is_empty() => {
                let requests = self.requests(&context, &facts);
                let target = facts.shown.clone();
                Ok((TaskItem { id, index, doc: doc.clone(), target, cluster, strata, requests }, facts))
            }
            Ok(_) => Err(problems),
            Err(what) => {
                problems.push(what);
                problems.dedup();
                Err(problems)
            }
        }
    }

    fn id(&self, doc: &Map<String, Value>, index: usize) -> Result<String, String> {
        match &self.definition.own.id {
            Some(field) => own_field(Some(field), doc).unwrap_or_else(|| Ok(index.to_string())),
            None if self.definition.dialect == Dialect::Own => {
                Ok(doc.get("id").map_or_else(|| index.to_string(), python::str))
            }
            None => Ok(index.to_string()),
        }
    }

    /// What grading needs to know.
    fn facts(&self, words: &Words<'_>, doc: &Map<String, Value>) -> Result<Facts, String> {
        let form = &self.definition.form;
        let choices = form.choice.as_ref().map(|field| words.choices(field, doc)).transpose()?.unwrap_or_default();
        let target = words.target(&form.target, doc)?;
        let shown = match &target {
            Target::Place(place) => place.to_string(),
            Target::Text(text) => text.clone(),
            Target::Several(values) => python::repr(&Value::Array(values.clone())),
        };
        let several = matches!(target, Target::Several(_));
        let mut facts = Facts { choices, gold: Vec::new(), targets: Vec::new(), several, shown, doc: doc.clone() };
        match self.definition.output {
            OutputType::MultipleChoice => facts.gold = gold(&target, &facts.choices)?,
            OutputType::GenerateUntil => facts.targets = targets(&target, &facts.choices)?,
            OutputType::Loglikelihood | OutputType::LoglikelihoodRolling => match target {
                Target::Text(text) => facts.targets = vec![text],
                Target::Place(_) | Target::Several(_) => {
                    return Err(format!("`doc_to_target` gives {}, a text is expected", facts.shown));
                }
            },
        }
        Ok(facts)
    }

    fn requests(&self, context: &str, facts: &Facts) -> Vec<Request> {
        let definition = self.definition;
        let after = |context: &str, continuation: String| {
            Request::Loglikelihood(Loglikelihood { context: context.to_owned(), continuation })
        };
        let target = || facts.targets.first().cloned().unwrap_or_default();
        match definition.output {
            OutputType::Loglikelihood => vec![after(context, target())],
            OutputType::LoglikelihoodRolling => {
                vec![Request::LoglikelihoodRolling(LoglikelihoodRolling { text: target() })]
            }
            OutputType::GenerateUntil => vec![Request::GenerateUntil(GenerateUntil {
                context: context.to_owned(),
                until: definition.generation.until.clone(),
                max_new: definition.generation.max_new,
            })],
            OutputType::MultipleChoice => {
                let delimiter = self.choice_delimiter();
                let alone = definition.metrics.iter().any(|metric| metric.kind.name == "acc_mutual_info");
                let contexts = std::iter::once(context).chain(alone.then_some(""));
                let each =
                    |context| facts.choices.iter().map(move |choice| after(context, format!("{delimiter}{choice}")));
                contexts.flat_map(each).collect()
            }
        }
    }

    /// What stands before a choice. In a chat the answer begins by itself.
    fn choice_delimiter(&self) -> &str {
        let form = &self.definition.form;
        let begins_itself = match &form.gen_prefix {
            Some(prefix) => prefix.is_empty() || prefix.ends_with(char::is_whitespace),
            None => true,
        };
        if self.options.chat.is_some() && begins_itself { "" } else { &form.target_delimiter }
    }
}

/// A field that the file names.
fn own_field(name: Option<&String>, doc: &Map<String, Value>) -> Option<Result<String, String>> {
    let name = name?;
    Some(doc.get(name).map(python::str).ok_or_else(|| format!("the field `{name}` is missing")))
}

/// The places of the right choices.
fn gold(target: &Target, choices: &[String]) -> Result<Vec<usize>, String> {
    let inside = |place: i64| {
        usize::try_from(place).ok().filter(|place| *place < choices.len()).ok_or_else(|| {
            format!("the right answer is choice {place}, and there are {}, counted from 0", choices.len())
        })
    };
    match target {
        Target::Place(place) => Ok(vec![inside(*place)?]),
        Target::Text(text) => {
            let place = choices.iter().position(|choice| choice == text);
            Ok(vec![place.ok_or_else(|| format!("the right answer {text:?} is none of the choices {choices:?}"))?])
        }
        Target::Several(values) if values.is_empty() => Err("there is no right answer".into()),
        Target::Several(values) => {
            let place = |value: &Value| match value.as_i64() {
                Some(place) => inside(place),
                None => Err(format!("the right answers hold {}, places are expected", python::repr(value))),
            };
            values.iter().map(place).collect()
        }
    }
}

/// The texts that a generated answer is compared with.
fn targets(target: &Target, choices: &[String]) -> Result<Vec<String>, String> {
    match target {
        Target::Place(_) => Ok(gold(target, choices)?.into_iter().map(|place| choices[place].clone()).collect()),
        Target::Text(text) => Ok(vec![text.clone()]),
        Target::Several(values) if values.is_empty() => Err("there is no right answer".into()),
        Target::Several(values) => Ok(values.iter().map(python::str).collect()),
    }
}

fn metrics(definition: &Definition, items: &[TaskItem], facts: &[Facts]) -> Vec<MetricSpec> {
    let guessed = definition.own.chance.is_none() && definition.output == OutputType::MultipleChoice;
    let chance = if guessed { Some(guess(facts.iter())) } else { definition.own.chance };
    let chances = if guessed { chances(items, facts) } else { BTreeMap::new() };
    let spec = |metric: &Wanted, filter: &str| {
        let is_share = metric.kind.name.starts_with("acc") && metric.better == Better::Higher;
        MetricSpec {
            metric: metric.kind.name.to_owned(),
            filter: filter.to_owned(),
            aggregation: metric.aggregation,
            better: metric.better,
            chance: chance.filter(|_| is_share),
            chances: if is_share { chances.clone() } else { BTreeMap::new() },
            bounds: bounds(definition, metric.kind.name, filter),
        }
    };
    let chains = definition.chains.iter();
    chains.flat_map(|chain| definition.metrics.iter().map(move |metric| spec(metric, &chain.name))).collect()
}

/// The share of right answers by guessing in each stratum.
fn chances(items: &[TaskItem], facts: &[Facts]) -> BTreeMap<String, f64> {
    let mut strata: BTreeMap<String, Vec<&Facts>> = BTreeMap::new();
    for (item, facts) in items.iter().zip(facts) {
        for (name, value) in &item.strata {
            strata.entry(stratum(name, value)).or_default().push(facts);
        }
    }
    strata.into_iter().map(|(name, facts)| (name, guess(facts.into_iter()))).collect()
}

/// The share of right answers by guessing.
fn guess<'a>(facts: impl ExactSizeIterator<Item = &'a Facts>) -> f64 {
    let n = facts.len() as f64;
    let right = |facts: &Facts| {
        let mut gold = facts.gold.clone();
        gold.sort_unstable();
        gold.dedup();
        gold.len() as f64 / facts.choices.len() as f64
    };
    facts.map(right).sum::<f64>() / n
}

fn bounds(definition: &Definition, metric: &str, filter: &str) -> Bounds {
    let exact = format!("{metric},{filter}");
    let gate = &definition.own.gate;
    let found = gate.iter().find(|(name, _)| *name == exact).or_else(|| gate.iter().find(|(name, _)| name == metric));
    found.map(|(_, bounds)| *bounds).unwrap_or_default()
}
