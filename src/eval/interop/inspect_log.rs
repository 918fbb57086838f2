//! Inspect's `.eval` files: a ZIP archive of JSON, one member a sample.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Cursor, Read as _, Write as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::{Error, plain};
use crate::disk;
use crate::eval::record::{
    FORMAT_VERSION, Imported, Model, Origin, Outcome, Record, Run, Settings, Status, TaskInfo, sort,
};
use crate::eval::request::{Request, Response, Told};
use crate::eval::results;
use crate::eval::task::{Aggregation, Better, Bounds, Graded, MetricSpec, Observation, Observed, TaskItemRecord};

/// The member that tells of the run.
const HEADER: &str = "header.json";

/// The most bytes of one member that are unpacked.
const LIMIT: u64 = 256 << 20;

/// Writes a file for each task of a record.
pub(super) fn export(record: &Record, folder: &Path) -> Result<Vec<PathBuf>, Error> {
    fs::create_dir_all(folder).map_err(|source| Error::Io { file: folder.into(), source })?;
    let date = record.run.origin.started.as_deref().unwrap_or("unknown").replace(':', "-");
    let mut files = Vec::new();
    for task in &record.run.tasks {
        let file = folder.join(format!("{date}_{}_{}.eval", plain(&task.name), plain(&record.run.model.name)));
        let bytes = archive(record, task, &file)?;
        disk::write_whole(&file, &bytes).map_err(|source| Error::Io { file: file.clone(), source })?;
        files.push(file);
    }
    Ok(files)
}

fn archive(record: &Record, task: &TaskInfo, file: &Path) -> Result<Vec<u8>, Error> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let zip = |source| Error::Zip { file: file.into(), source };
    let header = header(record, task);
    let mut members =
        vec![("_journal/start.json".to_owned(), json!({"version": 2, "eval": header["eval"], "plan": header["plan"]}))];
    let samples: Vec<Value> = record.items_of(&task.name).map(|item| sample(item, &record.run.model.name)).collect();
    for sample in &samples {
        members.push((
            format!("samples/{}_epoch_1.json", plain(sample["id"].as_str().unwrap_or_default())),
            sample.clone(),
        ));
    }
    let brief = |sample: &Value| json!({"id": sample["id"], "epoch": 1, "input": sample["input"], "target": sample["target"], "scores": sample["scores"]});
    members.push(("summaries.json".into(), samples.iter().map(brief).collect()));
    members.push((HEADER.into(), header));
    for (name, value) in members {
        archive.start_file(name, SimpleFileOptions::default()).map_err(zip)?;
        let bytes = serde_json::to_vec(&value)?;
        archive.write_all(&bytes).map_err(|source| Error::Io { file: file.into(), source })?;
    }
    Ok(archive.finish().map_err(zip)?.into_inner())
}

fn header(record: &Record, task: &TaskInfo) -> Value {
    let run = &record.run;
    let n = record.items_of(&task.name).count();
    let of_task = run.outcome.iter().flat_map(|outcome| &outcome.results);
    let scores: Vec<Value> = of_task
        .filter(|result| result.task == task.name && result.stratum.is_none())
        .map(|result| {
            let name = score_name(&result.metric, &result.filter);
            let metric = |name: &str, value: Option<f64>| json!({"name": name, "value": value, "params": {}});
            json!({
                "name": name, "scorer": name, "params": {},
                "metrics": {"value": metric("value", result.value), "stderr": metric("stderr", result.stderr)},
            })
        })
        .collect();
    let started = run.origin.started.clone().unwrap_or_default();
    let status = if run.status == Status::Complete { "success" } else { "started" };
    json!({
        "version": 2,
        "status": status,
        "eval": {
            "run_id": task.hash, "created": started, "task": task.name, "task_id": task.name,
            "task_version": task.version, "task_attribs": {}, "task_args": {},
            "dataset": {"name": task.name, "samples": task.n_items, "shuffled": false},
            "model": format!("lmscope/{}", run.model.name), "model_args": {},
            "config": {"limit": run.settings.limit}, "packages": {"lmscope": run.origin.lmscope_version},
            "metadata": {"model_sha256": run.model.sha256, "precision": run.model.precision},
        },
        "plan": {"name": "plan", "steps": [], "config": {}},
        "results": {"total_samples": n, "completed_samples": n, "scores": scores},
        "stats": {"started_at": started, "completed_at": "", "model_usage": {}},
    })
}

fn score_name(metric: &str, filter: &str) -> String {
    if filter == "none" { metric.to_owned() } else { format!("{metric}/{filter}") }
}

fn sample(item: &TaskItemRecord, model: &str) -> Value {
    let input = item.requests.first().map_or("", Request::given);
    let said = item.responses.iter().find_map(|response| match response {
        Response::Generated(said) => Some(said.text.clone()),
        Response::Told(told) => told.text.clone(),
        Response::Scored(_) | Response::Rolled(_) | Response::Compressed(_) => None,
    });
    let choice = |text: String| json!({"message": {"role": "assistant", "content": text}, "stop_reason": "stop"});
    let scores: Map<String, Value> = item
        .graded
        .observations
        .iter()
        .map(|one| (score_name(&one.metric, &one.filter), json!({"value": score(&one.value)})))
        .collect();
    json!({
        "id": item.id, "epoch": 1, "input": input, "target": item.target, "messages": [],
        "output": {"model": model, "choices": said.into_iter().map(choice).collect::<Vec<_>>()},
        "scores": scores,
        "metadata": {"doc": item.doc, "requests": item.requests, "responses": item.responses, "strata": item.strata},
        "store": {}, "events": [], "model_usage": {}, "attachments": {},
    })
}

fn score(value: &Observed) -> Value {
    match value {
        Observed::Flag(true) => "C".into(),
        Observed::Flag(false) => "I".into(),
        Observed::Number(number) => (*number).into(),
        Observed::Text { loglik, units } => json!({"loglik": loglik, "units": units}),
        Observed::Ratio { part, whole } => json!({"part": part, "whole": whole}),
        Observed::Classes { gold, predicted } => json!({"gold": gold, "predicted": predicted}),
        Observed::Judged { signal, is_right } => json!({"signal": signal, "is_right": is_right}),
        Observed::Contrast { margin, length } => json!({"margin": margin, "length": length}),
    }
}

/// Reads a log.
pub(super) fn import(file: &Path) -> Result<Record, Error> {
    let opened = File::open(file).map_err(|source| Error::Io { file: file.into(), source })?;
    let mut archive = ZipArchive::new(opened).map_err(|source| Error::Zip { file: file.into(), source })?;
    let all: Result<Vec<String>, _> = archive.file_names().map(|name| name.map(Cow::into_owned)).collect();
    let mut names = all.map_err(|source| Error::Zip { file: file.into(), source })?;
    // a run that was broken off has only what was written at its start
    let head = [HEADER, "_journal/start.json"].into_iter().find(|head| names.iter().any(|name| name == head));
    let head = head.unwrap_or(HEADER);
    let header = member(&mut archive, head, file)?;
    let name = header["eval"]["task"].as_str();
    let name = name.ok_or_else(|| Error::Missing { file: file.into(), part: format!("`eval.task` of {head}") })?;
    names.retain(|name| name.starts_with("samples/"));
    names.sort();
    let mut samples = Vec::new();
    for name in &names {
        samples.push(member(&mut archive, name, file)?);
    }
    samples.sort_by_key(|sample| (sample["id"].as_u64(), sample["id"].to_string(), sample["epoch"].as_u64()));
    let mut items: Vec<TaskItemRecord> = samples.iter().enumerate().map(|(index, of)| item(index, name, of)).collect();
    numbers(&mut items);
    let task = task(name, &header, &items);
    let outcome = Outcome {
        n_items: items.len(),
        n_resumed: 0,
        seconds: None,
        lints: BTreeMap::new(),
        results: results::of(std::slice::from_ref(&task), &items),
    };
    let run = run(file, &header, task, outcome);
    sort(&mut items, &run);
    Ok(Record { run, items })
}

fn member(archive: &mut ZipArchive<File>, name: &str, file: &Path) -> Result<Value, Error> {
    let part = || format!("`{name}`");
    let member = archive.by_name(name).map_err(|source| Error::Zip { file: file.into(), source })?;
    let mut bytes = Vec::new();
    let read = member.take(LIMIT + 1).read_to_end(&mut bytes);
    read.map_err(|source| Error::Io { file: file.into(), source })?;
    if bytes.len() as u64 > LIMIT {
        return Err(Error::TooLarge { file: file.into(), part: part(), limit: LIMIT });
    }
    serde_json::from_slice(&bytes).map_err(|source| Error::Json { file: file.into(), part: part(), source })
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// What a message says: a text, or those among its parts.
fn written(content: &Value) -> Option<String> {
    let Value::Array(parts) = content else { return text(content) };
    let texts = parts.iter().filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str());
    Some(texts.collect::<Vec<_>>().join("\n"))
}

/// A text as it is, anything else as JSON.
fn shown(value: &Value) -> String {
    text(value).unwrap_or_else(|| value.to_string())
}

fn run(file: &Path, header: &Value, task: TaskInfo, outcome: Outcome) -> Run {
    let eval = &header["eval"];
    let is_done = header["status"] == "success";
    Run {
        format_version: FORMAT_VERSION,
        status: if is_done { Status::Complete } else { Status::Running },
        model: Model { name: text(&eval["model"]).unwrap_or_else(|| "unknown".into()), ..Model::default() },
        tokenizer: None,
        tasks: vec![task],
        settings: Settings {
            limit: eval["config"]["limit"].as_u64().and_then(|limit| usize::try_from(limit).ok()),
            ..Settings::default()
        },
        origin: Origin {
            lmscope_version: env!("CARGO_PKG_VERSION").into(),
            command: Vec::new(),
            started: text(&eval["created"]),
            imported: Some(Imported {
                tool: "inspect".into(),
                version: text(&eval["packages"]["inspect_ai"]),
                file: file.display().to_string(),
            }),
        },
        outcome: Some(outcome),
    }
}

fn task(name: &str, header: &Value, items: &[TaskItemRecord]) -> TaskInfo {
    let mut metrics: Vec<MetricSpec> = Vec::new();
    for one in items.iter().flat_map(|item| &item.graded.observations) {
        if metrics.iter().all(|spec| spec.metric != one.metric) {
            metrics.push(MetricSpec {
                metric: one.metric.clone(),
                filter: one.filter.clone(),
                aggregation: Aggregation::Mean,
                better: Better::Neither,
                chance: None,
                chances: BTreeMap::new(),
                bounds: Bounds::default(),
            });
        }
    }
    let n = header["eval"]["dataset"]["samples"].as_u64().and_then(|n| usize::try_from(n).ok());
    TaskInfo {
        name: name.to_owned(),
        version: shown(&header["eval"]["task_version"]),
        hash: None,
        output_type: "generate_until".into(),
        n_shot: None,
        n_items: n.unwrap_or(items.len()),
        metrics,
        groups: Vec::new(),
    }
}

fn item(index: usize, task: &str, sample: &Value) -> TaskItemRecord {
    let (id, epoch) = (shown(&sample["id"]), sample["epoch"].as_u64().unwrap_or(1));
    let doc: Map<String, Value> = ["input", "choices", "metadata"]
        .into_iter()
        .filter(|name| !sample[*name].is_null())
        .map(|name| (name.to_owned(), sample[name].clone()))
        .collect();
    let said = written(&sample["output"]["choices"][0]["message"]["content"]);
    let scores = sample["scores"].as_object().into_iter().flatten();
    let observations = scores.flat_map(|(name, score)| observations(name, &score["value"])).collect();
    TaskItemRecord {
        task: task.to_owned(),
        id: if epoch == 1 { id.clone() } else { format!("{id}_epoch_{epoch}") },
        index,
        doc,
        target: shown(&sample["target"]),
        // the epochs of one sample are not independent
        cluster: Some(id),
        strata: BTreeMap::new(),
        followed: 0,
        requests: Vec::new(),
        responses: said.map(|said| Response::Told(Told { text: Some(said), ..Told::default() })).into_iter().collect(),
        graded: Graded { observations, ..Graded::default() },
    }
}

fn observations(name: &str, value: &Value) -> Vec<Observation> {
    let one = |metric: String, value: Observed| Observation { metric, filter: "none".into(), value };
    match (observed(value), value) {
        (Some(observed), _) => vec![one(name.to_owned(), observed)],
        (None, Value::Object(parts)) => {
            let part = |(key, value): (&String, &Value)| Some(one(format!("{name}/{key}"), observed(value)?));
            parts.iter().filter_map(part).collect()
        }
        (None, _) => Vec::new(),
    }
}

/// Inspect's letters: correct, incorrect, partially correct, no answer.
fn observed(value: &Value) -> Option<Observed> {
    match value {
        Value::Bool(flag) => Some(Observed::Flag(*flag)),
        Value::Number(number) => number.as_f64().map(Observed::Number),
        Value::String(letter) => match letter.as_str() {
            "C" => Some(Observed::Flag(true)),
            "I" => Some(Observed::Flag(false)),
            "P" => Some(Observed::Number(0.5)),
            "N" => Some(Observed::Number(0.0)),
            _ => None,
        },
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A metric that is a number somewhere is one everywhere.
fn numbers(items: &mut [TaskItemRecord]) {
    let all = items.iter().flat_map(|item| &item.graded.observations);
    let mixed: Vec<String> =
        all.filter(|one| matches!(one.value, Observed::Number(_))).map(|one| one.metric.clone()).collect();
    let of = items.iter_mut().flat_map(|item| &mut item.graded.observations);
    for one in of.filter(|one| mixed.contains(&one.metric)) {
        if let Some(number) = one.value.number() {
            one.value = Observed::Number(number);
        }
    }
}
