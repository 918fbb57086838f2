//! The files of lm-evaluation-harness 0.4.13: `results_*.json`, and `samples_<task>_*.jsonl` with one line an item and
//! filter.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Error, plain, python};
use crate::disk;
use crate::eval::record::{
    FORMAT_VERSION, Imported, Model, Origin, Outcome, Record, Run, Settings, Status, TaskInfo, sort,
};
use crate::eval::request::{GenerateUntil, Loglikelihood, LoglikelihoodRolling, Request, Response, Told};
use crate::eval::results::{self, IntervalMethod, MetricResult};
use crate::eval::stats::Mean;
use crate::eval::task::{Aggregation, Better, Bounds, Graded, MetricSpec, Observation, Observed, TaskItemRecord};

/// Writes a record as lm-eval does, into a folder below `folder` that has the model's name.
pub(super) fn export(record: &Record, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let run = &record.run;
    let folder = folder.join(sanitised(&run.model.name));
    fs::create_dir_all(&folder).map_err(|source| Error::Io { file: folder.clone(), source })?;
    let date = run.origin.started.as_deref().unwrap_or("unknown").trim_end_matches('Z').replace(':', "-");
    let (mut files, mut hashes) = (Vec::new(), Map::new());
    for task in &run.tasks {
        let (mut lines, mut all) = (String::new(), String::new());
        for filter in filters(task) {
            for item in record.items_of(&task.name) {
                let sample = sample(item, &filter)?;
                for name in ["doc_hash", "prompt_hash", "target_hash"] {
                    all += sample[name].as_str().unwrap_or_default();
                }
                lines += &serde_json::to_string(&sample)?;
                lines.push('\n');
            }
        }
        hashes.insert(task.name.clone(), sha256(&all).into());
        files.push(written(folder.join(format!("samples_{}_{date}.jsonl", plain(&task.name))), &lines)?);
    }
    let results = serde_json::to_string_pretty(&whole(record, hashes))?;
    files.insert(0, written(folder.join(format!("results_{date}.json")), &results)?);
    Ok(files)
}

fn written(file: PathBuf, text: &str) -> Result<PathBuf, Error> {
    match disk::write_whole(&file, text.as_bytes()) {
        Ok(()) => Ok(file),
        Err(source) => Err(Error::Io { file, source }),
    }
}

fn filters(task: &TaskInfo) -> BTreeSet<String> {
    task.metrics.iter().map(|spec| spec.filter.clone()).collect()
}

/// One line of samples.
fn sample(item: &TaskItemRecord, filter: &str) -> Result<Value, Error> {
    let of_filter = || item.graded.observations.iter().filter(|one| one.filter == filter);
    let names: Vec<&str> = of_filter().map(|one| one.metric.as_str()).collect();
    let prompt = item.requests.first().map_or("", Request::given);
    let arguments: Map<String, Value> =
        item.requests.iter().enumerate().map(|(n, request)| (format!("gen_args_{n}"), arguments(request))).collect();
    let resps: Vec<Value> = item.responses.iter().map(resp).collect();
    let filtered = item.graded.filtered.get(filter).map_or_else(|| json!(resps), |texts| json!(texts));
    let mut line = json!({
        "doc_id": item.index,
        "doc": item.doc,
        "target": item.target,
        "arguments": arguments,
        "resps": resps.iter().map(|resp| json!([resp])).collect::<Vec<_>>(),
        "filtered_resps": filtered,
        "filter": filter,
        "metrics": names,
        "doc_hash": sha256(&python::dumps(&Value::Object(item.doc.clone()))?),
        "prompt_hash": sha256(prompt),
        "target_hash": sha256(&item.target),
    });
    for one in of_filter() {
        line[one.metric.as_str()] = observed(&one.value);
    }
    Ok(line)
}

fn arguments(request: &Request) -> Value {
    match request {
        Request::Loglikelihood(request) => json!({"arg_0": request.context, "arg_1": request.continuation}),
        Request::LoglikelihoodRolling(request) => json!({"arg_0": request.text}),
        Request::Compress(request) => json!({"arg_0": request.text}),
        Request::LoglikelihoodStrided(request) => {
            json!({"arg_0": request.text, "arg_1": {"window": request.window, "stride": request.stride}})
        }
        Request::GenerateUntil(request) => json!({
            "arg_0": request.context,
            "arg_1": {"until": request.until, "do_sample": false, "max_gen_toks": request.max_new},
        }),
        Request::SampleUntil(request) => json!({
            "arg_0": request.asked.context,
            "arg_1": {
                "until": request.asked.until,
                "do_sample": true,
                "temperature": f64::from(request.temperature_milli) / 1000.0,
                "max_gen_toks": request.asked.max_new,
            },
        }),
    }
}

fn resp(response: &Response) -> Value {
    let pair = |loglik: f64, is_greedy: bool| json!([python::float(loglik), python::truth(is_greedy)]);
    match response {
        Response::Scored(scored) => pair(scored.loglik(), scored.is_greedy),
        Response::Rolled(rolled) => python::float(rolled.loglik()).into(),
        Response::Compressed(found) => json!([found.bytes, found.loglik.map(python::float)]),
        Response::Generated(said) => said.text.clone().into(),
        Response::Told(told) => match (told.loglik, told.is_greedy, &told.text) {
            (Some(loglik), Some(is_greedy), _) => pair(loglik, is_greedy),
            (Some(loglik), None, _) => python::float(loglik).into(),
            (None, _, text) => text.clone().into(),
        },
    }
}

fn observed(value: &Observed) -> Value {
    match value {
        Observed::Flag(flag) => f64::from(u8::from(*flag)).into(),
        Observed::Number(number) => (*number).into(),
        Observed::Text { loglik, units } => json!([loglik, units]),
        Observed::Ratio { part, whole } => json!([part, whole]),
        Observed::Classes { gold, predicted } => json!([gold, predicted]),
        Observed::Judged { signal, is_right } => json!([signal, is_right]),
        Observed::Contrast { margin, length } => json!([margin, length]),
    }
}

/// `results_*.json`.
fn whole(record: &Record, task_hashes: Map<String, Value>) -> Value {
    let run = &record.run;
    let of = |value: &dyn Fn(&TaskInfo) -> Value| -> Map<String, Value> {
        run.tasks.iter().map(|task| (task.name.clone(), value(task))).collect()
    };
    let n = |task: &TaskInfo| record.items_of(&task.name).count();
    let seconds = run.outcome.as_ref().and_then(|outcome| outcome.seconds).map(python::float);
    let groups = groups(run);
    let mut results = of(&|task| task_results(record, task));
    results.extend(groups.clone());
    let mut subtasks = of(&|_| json!([]));
    subtasks.extend(groups.keys().map(|group| (group.clone(), members(run, group).into())));
    json!({
        "results": results,
        "groups": groups,
        "group_subtasks": subtasks,
        "configs": of(&|task| config(task)),
        "versions": of(&|task| task.version.parse::<f64>().map_or_else(|_| json!(task.version), |version| json!(version))),
        "n-shot": of(&|task| json!(task.n_shot)),
        "higher_is_better": of(&higher_is_better),
        "n-samples": of(&|task| json!({"original": task.n_items, "effective": n(task)})),
        "config": {
            "model": "lmscope",
            "model_args": format!("pretrained={}", run.model.name),
            "model_dtype": run.model.precision,
            "model_sha": run.model.sha256,
            "batch_size": run.settings.batch,
            "limit": run.settings.limit,
            "random_seed": run.settings.seed,
        },
        "lmscope_version": run.origin.lmscope_version,
        "model_source": "lmscope",
        "model_name": run.model.name,
        "model_name_sanitized": sanitised(&run.model.name),
        "task_hashes": task_hashes,
        "total_evaluation_time_seconds": seconds,
    })
}

/// What the groups of a run came to.
fn groups(run: &Run) -> Map<String, Value> {
    let mut groups: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let results = run.outcome.iter().flat_map(|outcome| &outcome.results);
    for result in results.filter(|result| result.members.is_some()) {
        let of = groups.entry(&result.task).or_default();
        of.insert("name".into(), result.task.clone().into());
        of.insert("alias".into(), result.task.clone().into());
        of.insert(key(result, ""), json!(result.value));
        of.insert(key(result, "_stderr"), result.stderr.map_or_else(|| "N/A".into(), Value::from));
    }
    groups.into_iter().map(|(name, of)| (name.to_owned(), of.into())).collect()
}

/// The tasks that are counted in a group.
fn members(run: &Run, group: &str) -> Vec<String> {
    let is_in = |task: &&TaskInfo| task.groups.iter().any(|one| one.group == group);
    run.tasks.iter().filter(is_in).map(|task| task.name.clone()).collect()
}

fn key(result: &MetricResult, suffix: &str) -> String {
    format!("{}{suffix},{}", result.metric, result.filter)
}

fn task_results(record: &Record, task: &TaskInfo) -> Value {
    let items: Vec<TaskItemRecord> = record.items_of(&task.name).cloned().collect();
    let mut of = Map::new();
    of.insert("name".into(), task.name.clone().into());
    of.insert("alias".into(), task.name.clone().into());
    of.insert("sample_len".into(), items.len().into());
    for result in results::of_task(task, &items).iter().filter(|result| result.stratum.is_none()) {
        of.insert(key(result, ""), json!(result.value));
        of.insert(key(result, "_stderr"), stderr(result, &items).map_or_else(|| "N/A".into(), Value::from));
    }
    of.into()
}

/// What lm-eval has as standard error: of a mean that of independent items, of ratios over texts none.
fn stderr(result: &MetricResult, items: &[TaskItemRecord]) -> Option<f64> {
    match result.aggregation {
        Aggregation::WeightedPerplexity
        | Aggregation::BitsPerByte
        | Aggregation::Ratio
        | Aggregation::McNemar
        | Aggregation::SignFlip => None,
        Aggregation::Median
        | Aggregation::Perplexity
        | Aggregation::F1
        | Aggregation::Auroc
        | Aggregation::Ece
        | Aggregation::Aurc
        | Aggregation::LengthControlled
        | Aggregation::LengthControlledShare => result.stderr,
        Aggregation::Mean => {
            let of = |item: &TaskItemRecord| {
                let mut all = item.graded.observations.iter();
                let one = all.find(|one| one.metric == result.metric && one.filter == result.filter)?;
                one.value.number()
            };
            Mean::of(&items.iter().filter_map(of).collect::<Vec<_>>()).stderr
        }
    }
}

fn config(task: &TaskInfo) -> Value {
    let metric = |spec: &MetricSpec| json!({"metric": spec.metric, "aggregation": spec.aggregation});
    let metrics: Vec<Value> = task.metrics.iter().map(metric).collect();
    json!({"task": task.name, "output_type": task.output_type, "num_fewshot": task.n_shot, "metric_list": metrics})
}

fn higher_is_better(task: &TaskInfo) -> Value {
    let known = task.metrics.iter().filter(|spec| spec.better != Better::Neither);
    known.map(|spec| (spec.metric.clone(), Value::from(spec.better == Better::Higher))).collect::<Map<_, _>>().into()
}

/// The results file that a path names; of several in a folder, the one whose name is last.
pub(super) fn results_file(path: &Path) -> Result<Option<PathBuf>, Error> {
    let is_results = |file: &Path| {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        name.starts_with("results_") && file.extension().is_some_and(|end| end == "json")
    };
    if path.is_file() {
        return Ok(is_results(path).then(|| path.into()));
    }
    let io = |source| Error::Io { file: path.into(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        files.push(entry.map_err(io)?.path());
    }
    Ok(files.into_iter().filter(|file| is_results(file)).max())
}

/// Reads a results file, and the samples beside it that have its date.
pub(super) fn import(file: &Path) -> Result<Record, Error> {
    let text = fs::read_to_string(file).map_err(|source| Error::Io { file: file.into(), source })?;
    let parsed = serde_json::from_str(&text);
    let whole: Value =
        parsed.map_err(|source| Error::Json { file: file.into(), part: "it is not JSON".into(), source })?;
    let missing = |part: &str| Error::Missing { file: file.into(), part: format!("`{part}`") };
    let of_tasks = whole["results"].as_object().ok_or_else(|| missing("results"))?;
    let groups = whole["groups"].as_object();
    let (mut tasks, mut items, mut told) = (Vec::new(), Vec::new(), Vec::new());
    for (name, of) in of_tasks.iter().filter(|(name, _)| groups.is_none_or(|groups| !groups.contains_key(*name))) {
        let of = of.as_object().ok_or_else(|| missing(&format!("results.{name}")))?;
        let mut task = task(name, of, &whole);
        let samples = samples(file, &task)?;
        task.n_items = count(&whole["n-samples"][name]["original"]).unwrap_or(samples.len());
        told.extend(task.metrics.iter().map(|spec| told_result(name, spec, of, &whole)));
        items.extend(samples);
        tasks.push(task);
    }
    let results = if items.is_empty() { told } else { results::of(&tasks, &items) };
    let outcome = Outcome {
        n_items: items.len(),
        n_resumed: 0,
        seconds: whole["total_evaluation_time_seconds"].as_str().and_then(|text| text.parse().ok()),
        lints: BTreeMap::new(),
        results,
    };
    let run = run(file, &whole, tasks, outcome);
    sort(&mut items, &run);
    Ok(Record { run, items })
}

fn run(file: &Path, whole: &Value, tasks: Vec<TaskInfo>, outcome: Outcome) -> Run {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let config = &whole["config"];
    Run {
        format_version: FORMAT_VERSION,
        status: Status::Complete,
        model: Model {
            name: text(&whole["model_name"]).unwrap_or_else(|| "unknown".into()),
            precision: text(&config["model_dtype"]),
            ..Model::default()
        },
        tokenizer: None,
        tasks,
        settings: Settings {
            seed: config["random_seed"].as_u64(),
            limit: count(&config["limit"]),
            batch: count(&config["batch_size"]),
            ..Settings::default()
        },
        origin: Origin {
            lmscope_version: env!("CARGO_PKG_VERSION").into(),
            command: Vec::new(),
            started: None,
            imported: Some(Imported {
                tool: "lm-eval".into(),
                version: text(&whole["lm_eval_version"]),
                file: file.display().to_string(),
            }),
        },
        outcome: Some(outcome),
    }
}

/// A whole number, which may be a text or a float.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be whole and not negative")]
fn count(value: &Value) -> Option<usize> {
    let number = value.as_f64().or_else(|| value.as_str()?.parse().ok())?;
    (number >= 0.0 && number.fract() == 0.0).then_some(number as usize)
}

fn task(name: &str, of: &Map<String, Value>, whole: &Value) -> TaskInfo {
    let config = &whole["configs"][name];
    let is_metric = |key: &&String| key.contains(',') && !key.contains("_stderr,");
    let metrics = of.keys().filter(is_metric).filter_map(|key| {
        let (metric, filter) = key.split_once(',')?;
        let listed = config["metric_list"].as_array()?;
        let entry = listed.iter().find(|entry| entry["metric"] == metric);
        let better = whole["higher_is_better"][name][metric].as_bool();
        Some(MetricSpec {
            metric: metric.into(),
            filter: filter.into(),
            aggregation: aggregation(metric, entry.and_then(|entry| entry["aggregation"].as_str()))?,
            better: better.map_or(Better::Neither, |higher| if higher { Better::Higher } else { Better::Lower }),
            chance: None,
            chances: BTreeMap::new(),
            bounds: Bounds::default(),
        })
    });
    TaskInfo {
        name: name.into(),
        version: match &whole["versions"][name] {
            Value::String(version) => version.clone(),
            Value::Null => "unknown".into(),
            version => version.to_string(),
        },
        hash: whole["task_hashes"][name].as_str().map(str::to_owned),
        output_type: config["output_type"].as_str().unwrap_or("generate_until").into(),
        n_shot: count(&whole["n-shot"][name]),
        n_items: 0,
        metrics: metrics.collect(),
        groups: Vec::new(),
    }
}

/// The aggregation that is named, or lm-eval's default for the metric; none that is not known.
fn aggregation(metric: &str, named: Option<&str>) -> Option<Aggregation> {
    match (named, metric) {
        (Some(name), _) => serde_json::from_value(name.into()).ok(),
        (None, "perplexity") => Some(Aggregation::Perplexity),
        (None, "word_perplexity" | "byte_perplexity") => Some(Aggregation::WeightedPerplexity),
        (None, "bits_per_byte") => Some(Aggregation::BitsPerByte),
        (None, "f1") => Some(Aggregation::F1),
        (None, _) => Some(Aggregation::Mean),
    }
}

fn told_result(task: &str, spec: &MetricSpec, of: &Map<String, Value>, whole: &Value) -> MetricResult {
    let value = |suffix: &str| of.get(&format!("{}{suffix},{}", spec.metric, spec.filter)).and_then(Value::as_f64);
    MetricResult {
        task: task.into(),
        metric: spec.metric.clone(),
        filter: spec.filter.clone(),
        stratum: None,
        members: None,
        n: count(&whole["n-samples"][task]["effective"]).unwrap_or(0),
        clusters: None,
        value: value(""),
        stderr: value("_stderr"),
        interval: None,
        method: IntervalMethod::None,
        aggregation: spec.aggregation,
        better: spec.better,
        chance: None,
    }
}

/// The samples of a task that were logged with the results.
fn samples(results: &Path, task: &TaskInfo) -> Result<Vec<TaskItemRecord>, Error> {
    let name = results.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let date = name.trim_start_matches("results_").trim_end_matches(".json");
    let file = results.with_file_name(format!("samples_{}_{date}.jsonl", task.name));
    if !file.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&file).map_err(|source| Error::Io { file: file.clone(), source })?;
    let mut items: BTreeMap<usize, TaskItemRecord> = BTreeMap::new();
    for (line, text) in (1..).zip(text.lines()).filter(|(_, text)| !text.trim().is_empty()) {
        let part = format!("line {line}");
        let parsed = serde_json::from_str(text);
        let sample: Value = parsed.map_err(|source| Error::Json { file: file.clone(), part: part.clone(), source })?;
        let index = count(&sample["doc_id"]);
        let index = index.ok_or_else(|| Error::Missing { file: file.clone(), part: format!("`doc_id` of {part}") })?;
        let item = items.entry(index).or_insert_with(|| item(index, task, &sample));
        add(item, task, &sample);
    }
    let mut items: Vec<TaskItemRecord> = items.into_values().collect();
    flags(&mut items, task);
    Ok(items)
}

fn item(index: usize, task: &TaskInfo, sample: &Value) -> TaskItemRecord {
    let doc = match &sample["doc"] {
        Value::Object(doc) => doc.clone(),
        Value::Null => Map::new(),
        other => Map::from_iter([("doc".to_owned(), other.clone())]),
    };
    let listed = |n: usize| &sample["arguments"][format!("gen_args_{n}")];
    let requests: Option<Vec<Request>> = (0..).map(listed).take_while(|of| !of.is_null()).map(request).collect();
    let responses = sample["resps"].as_array().into_iter().flatten().map(|resp| Response::Told(told(&resp[0])));
    TaskItemRecord {
        task: task.name.clone(),
        id: index.to_string(),
        index,
        doc,
        target: sample["target"].as_str().map_or_else(|| sample["target"].to_string(), str::to_owned),
        cluster: None,
        strata: BTreeMap::new(),
        followed: 0,
        requests: requests.unwrap_or_default(),
        responses: responses.collect(),
        graded: Graded::default(),
    }
}

fn request(of: &Value) -> Option<Request> {
    let first = of["arg_0"].as_str()?.to_owned();
    match &of["arg_1"] {
        Value::String(continuation) => {
            Some(Request::Loglikelihood(Loglikelihood { context: first, continuation: continuation.clone() }))
        }
        Value::Null => Some(Request::LoglikelihoodRolling(LoglikelihoodRolling { text: first })),
        options => {
            let until = match &options["until"] {
                Value::String(stop) => vec![stop.clone()],
                stops => stops.as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            };
            let max_new = count(&options["max_gen_toks"])?;
            Some(Request::GenerateUntil(GenerateUntil { context: first, until, max_new }))
        }
    }
}

fn told(resp: &Value) -> Told {
    let loglik = |value: &Value| value.as_f64().or_else(|| value.as_str()?.parse().ok());
    match resp {
        Value::Array(pair) => Told {
            loglik: pair.first().and_then(loglik),
            is_greedy: pair.get(1).and_then(|truth| match truth {
                Value::String(text) => text.to_lowercase().parse().ok(),
                other => other.as_bool(),
            }),
            text: None,
        },
        Value::Number(number) => Told { loglik: number.as_f64(), ..Told::default() },
        Value::String(text) => Told { text: Some(text.clone()), ..Told::default() },
        _ => Told::default(),
    }
}

/// Adds the metrics and the answers of one filter.
fn add(item: &mut TaskItemRecord, task: &TaskInfo, sample: &Value) {
    let filter = sample["filter"].as_str().unwrap_or("none");
    for spec in task.metrics.iter().filter(|spec| spec.filter == filter) {
        if let Some(value) = value(spec, &sample[spec.metric.as_str()]) {
            let (metric, filter) = (spec.metric.clone(), filter.to_owned());
            item.graded.observations.push(Observation { metric, filter, value });
        }
    }
    let texts: Option<Vec<String>> = sample["filtered_resps"]
        .as_array()
        .map(|all| all.iter().filter_map(Value::as_str).map(str::to_owned).collect());
    if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
        item.graded.filtered.insert(filter.to_owned(), texts);
    }
}

fn value(spec: &MetricSpec, value: &Value) -> Option<Observed> {
    match (spec.aggregation, value) {
        (Aggregation::F1, Value::Array(pair)) => {
            Some(Observed::Classes { gold: count(pair.first()?)?, predicted: count(pair.get(1)?)? })
        }
        (Aggregation::Auroc | Aggregation::Ece | Aggregation::Aurc, Value::Array(pair)) => {
            Some(Observed::Judged { signal: pair.first()?.as_f64()?, is_right: pair.get(1)?.as_bool()? })
        }
        (Aggregation::LengthControlled | Aggregation::LengthControlledShare, Value::Array(pair)) => {
            Some(Observed::Contrast { margin: pair.first()?.as_f64()?, length: pair.get(1)?.as_i64()? })
        }
        (_, Value::Array(pair)) => {
            Some(Observed::Text { loglik: pair.first()?.as_f64()?, units: count(pair.get(1)?)? })
        }
        (_, Value::Bool(flag)) => Some(Observed::Flag(*flag)),
        _ => value.as_f64().map(Observed::Number),
    }
}

/// lm-eval writes right and wrong as 1.0 and 0.0: where there is nothing else, they are that.
#[expect(clippy::float_cmp, reason = "exactly one and exactly zero")]
fn flags(items: &mut [TaskItemRecord], task: &TaskInfo) {
    for spec in task.metrics.iter().filter(|spec| spec.aggregation == Aggregation::Mean) {
        let is_it = |one: &&mut Observation| one.metric == spec.metric && one.filter == spec.filter;
        let is_flag = |one: &&mut Observation| matches!(one.value, Observed::Number(n) if n == 0.0 || n == 1.0);
        let mut all: Vec<&mut Observation> =
            items.iter_mut().flat_map(|item| &mut item.graded.observations).filter(is_it).collect();
        if all.iter().all(is_flag) {
            for one in &mut all {
                one.value = Observed::Flag(one.value.number() == Some(1.0));
            }
        }
    }
}

fn sha256(text: &str) -> String {
    Sha256::digest(text).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

/// As lm-eval makes a folder's name of a model's.
fn sanitised(name: &str) -> String {
    let (mut text, mut last_was_odd) = (String::new(), false);
    for c in name.chars() {
        let is_odd = "\"<>:/|\\?*[]".contains(c);
        match (is_odd, last_was_odd) {
            (true, false) => text.push_str("__"),
            (true, true) => {}
            (false, _) => text.push(c),
        }
        last_was_odd = is_odd;
    }
    text
}
