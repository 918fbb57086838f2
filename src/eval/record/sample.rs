//! Shared by the tests: a run that says everything, and its items.

use std::collections::BTreeMap;

use serde_json::Map;

use super::{FORMAT_VERSION, Model, Origin, Record, Run, Settings, Status, TaskInfo, TokenizerInfo};
use crate::eval::request::{Loglikelihood, Request, Response, Scored};
use crate::eval::task::{Aggregation, Better, Bounds, Graded, MetricSpec, Observation, Observed, TaskItemRecord};

pub(crate) fn run() -> Run {
    let spec = MetricSpec {
        metric: "acc".into(),
        filter: "none".into(),
        aggregation: Aggregation::Mean,
        better: Better::Higher,
        chance: Some(0.5),
        chances: BTreeMap::new(),
        bounds: Bounds::default(),
    };
    Run {
        format_version: FORMAT_VERSION,
        status: Status::Running,
        model: Model {
            name: "tiny".into(),
            fingerprint: Some("f".into()),
            sha256: Some("s".into()),
            precision: Some("f32".into()),
            interventions: Vec::new(),
        },
        tokenizer: Some(TokenizerInfo { sha256: "t".into(), adds_bos: true }),
        tasks: vec![TaskInfo {
            name: "small".into(),
            version: "1".into(),
            hash: Some("h".into()),
            output_type: "multiple_choice".into(),
            n_shot: Some(0),
            n_items: 4,
            metrics: vec![spec],
            groups: Vec::new(),
        }],
        settings: Settings { seed: Some(0), limit: None, batch: Some(1), top_k: Some(5), ..Settings::default() },
        origin: Origin {
            lmscope_version: "0".into(),
            command: vec!["lmscope".into()],
            started: Some("2026-01-01T00:00:00Z".into()),
            imported: None,
        },
        outcome: None,
    }
}

pub(crate) fn item(index: usize, right: bool) -> TaskItemRecord {
    let scored = Scored {
        text: " b".into(),
        ids: vec![0, 1, 2],
        boundary: 2,
        logprobs: vec![-0.123_456_789],
        ranks: vec![3],
        is_greedy: false,
        top: vec![(7, -0.1)],
        lints: Vec::new(),
    };
    let observation = Observation { metric: "acc".into(), filter: "none".into(), value: Observed::Flag(right) };
    TaskItemRecord {
        task: "small".into(),
        id: format!("i{index}"),
        index,
        doc: Map::new(),
        target: " b".into(),
        cluster: None,
        strata: [("kind".to_owned(), if index.is_multiple_of(2) { "even" } else { "odd" }.to_owned())].into(),
        followed: 0,
        requests: vec![Request::Loglikelihood(Loglikelihood {
            context: format!("a{index}"),
            continuation: " b".into(),
        })],
        responses: vec![Response::Scored(scored)],
        graded: Graded { observations: vec![observation], ..Graded::default() },
    }
}

pub(crate) fn record() -> Record {
    Record { run: run(), items: (0..4).map(|index| item(index, index > 0)).collect() }
}
