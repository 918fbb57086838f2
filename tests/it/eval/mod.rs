//! The evaluation layer on a real decoder.

mod compare;
mod lm_eval;
mod lm_eval_tasks;
mod scheduler;
mod suites_doc;

use std::fs;

use lmscope::eval::{RunOptions, Suite, pair_record as record, run};
use lmscope::hub::Cache;
use lmscope::model::decoder::Kernels;
use lmscope::model::load::load_directory;
use lmscope::model::sample::log_softmax;
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, CausalLm, Loading, NoTap, ids_tensor};
use lmscope::text::{HfFiles, Tokenizer};

const MODEL: &str = "fixtures/models/tiny-llama";

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

#[test]
fn recorded_logprobs_are_those_of_one_uncached_pass() {
    let model =
        load_directory(&ModelSource::from_arg(MODEL, &Cache::new("")).unwrap(), &Loading::unwatched(Kernels::Fused))
            .unwrap();
    let config = serde_json::from_slice(&fs::read(format!("{MODEL}/tokenizer_config.json")).unwrap()).unwrap();
    let files = HfFiles { tokenizer_config: Some(&config), config: None };
    let tokenizer = Tokenizer::from_hf(&fs::read(format!("{MODEL}/tokenizer.json")).unwrap(), files).unwrap();
    let suite = Suite::parse(SUITE, ITEMS).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.jsonl");
    let options = RunOptions { record: Some(file.clone()), ..RunOptions::default() };
    let cancel = CancelToken::default();
    let summary = run(&suite, &model.decoder, &tokenizer, &options, &cancel, &mut |_| {}).unwrap();
    assert_eq!((summary.n, summary.groups.len(), summary.groups[0].label.as_str()), (3, 1, "all"));
    let uncached = |ids: &[u32], boundary: usize| -> Vec<f64> {
        let lm = &model.decoder;
        let hidden = lm.forward(&ids_tensor(ids).unwrap(), &mut lm.new_cache(), &mut NoTap).unwrap();
        let rows: Vec<Vec<f32>> = lm.logits(&hidden).unwrap().squeeze(0).unwrap().to_vec2().unwrap();
        (boundary..ids.len()).map(|at| log_softmax(&rows[at - 1])[ids[at] as usize]).collect()
    };
    let items = record::read(&file).unwrap().items;
    let directions = items.iter().flat_map(|item| [&item.forward, &item.reverse]);
    for probe in directions.flat_map(|direction| [&direction.plain, &direction.in_context]) {
        for scored in std::iter::once(&probe.gold).chain(&probe.controls) {
            let expected = uncached(&scored.ids, scored.boundary);
            assert_eq!(scored.logprobs.len(), expected.len());
            let close = scored.logprobs.iter().zip(&expected).all(|(x, y)| (x - y).abs() < 1e-4);
            assert!(close, "{}{}: {:?} {expected:?}", probe.prompt, scored.text, scored.logprobs);
        }
    }
}
