//! The evaluation layer on a real decoder.

mod against;
mod arithmetic;
mod compare;
mod examples;
mod hallucination;
mod hostile;
mod lm_eval;
mod lm_eval_tasks;
mod mutated;
mod scheduler;
mod suites;
mod suites_doc;
mod whole;

use std::fs;
use std::path::Path;
use std::time::Duration;

use lmscope::eval::backend::Backend;
use lmscope::eval::record::{Existing, FORMAT_VERSION, Model, Origin, Record, Run, Settings, Status, TaskInfo, read};
use lmscope::eval::request::{Request, Response, Scored};
use lmscope::eval::run::{Output, run};
use lmscope::eval::scheduler::Scheduler;
use lmscope::eval::task::Task;
use lmscope::eval::{self, PrepareOptions};
use lmscope::model::sample::log_softmax;
use lmscope::model::{CancelToken, CausalLm, NoTap, ids_tensor};

use self::lm_eval::open;

const SUITE: &str = r#"
name = "small"
version = 1
scorer = "direction-pair"
controls = 2
until = ["."]
[[relation]]
name = "mother"
forward = "{a}: on"
reverse = "{b}: in"
"#;

const ITEMS: &str = r#"
{"id":"1","relation":"mother","a":"Tom","b":"Mary"}
{"id":"2","relation":"mother","a":"John","b":"Jo"}
{"id":"3","relation":"mother","a":"Ann","b":"Kate"}
"#;

/// The record of a task, written into a folder if there is one.
pub(crate) fn measured(task: Task, backend: &mut dyn Backend, folder: Option<&Path>) -> Record {
    let plan = Run {
        format_version: FORMAT_VERSION,
        status: Status::Running,
        model: Model::default(),
        tokenizer: None,
        tasks: vec![TaskInfo::of(&task)],
        settings: Settings { seed: Some(0), limit: None, batch: Some(1), top_k: Some(5), ..Settings::default() },
        origin: Origin { lmscope_version: "0".into(), command: Vec::new(), started: None, imported: None },
        outcome: None,
    };
    let output = Output { folder, existing: Existing::Refuse, elapsed: &|| Duration::ZERO };
    run(&[task], plan, backend, &output, &mut |_| {}).unwrap()
}

#[test]
fn recorded_logprobs_are_those_of_one_uncached_pass() {
    let (model, tokenizer) = open("models/tiny-llama");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("suite.toml"), SUITE).unwrap();
    fs::write(folder.path().join("items.jsonl"), ITEMS.trim_start()).unwrap();
    let suite = folder.path().to_str().unwrap();
    let task = eval::prepare(suite, &tokenizer, &PrepareOptions::default()).unwrap().remove(0);
    let cancel = CancelToken::default();
    let mut scheduler = Scheduler::new(&model.decoder, &tokenizer, &cancel);
    let record = folder.path().join("run");
    measured(task, &mut scheduler, Some(&record));
    let uncached = |ids: &[u32], boundary: usize| -> Vec<f64> {
        let lm = &model.decoder;
        let hidden = lm.forward(&ids_tensor(ids).unwrap(), &mut lm.new_cache(), &mut NoTap).unwrap();
        let rows: Vec<Vec<f32>> = lm.logits(&hidden).unwrap().squeeze(0).unwrap().to_vec2().unwrap();
        (boundary..ids.len()).map(|at| log_softmax(&rows[at - 1])[ids[at] as usize]).collect()
    };
    let items = read(&record).unwrap().items;
    assert_eq!(items.len(), 3);
    let pairs = items.iter().flat_map(|item| item.requests.iter().zip(&item.responses));
    let scored: Vec<(&Request, &Scored)> = pairs
        .filter_map(
            |(request, response)| if let Response::Scored(scored) = response { Some((request, scored)) } else { None },
        )
        .collect();
    assert_eq!(scored.len(), 3 * 4 * 3);
    for (request, scored) in scored {
        let expected = uncached(&scored.ids, scored.boundary);
        assert_eq!((scored.logprobs.len(), scored.ranks.len()), (expected.len(), expected.len()));
        let close = scored.logprobs.iter().zip(&expected).all(|(x, y)| (x - y).abs() < 1e-4);
        assert!(close, "{request:?}: {:?} {expected:?}", scored.logprobs);
        assert_eq!(scored.top.len(), 5);
    }
}
