//! Shared by the tests of this layer: a small suite, a tokenizer and models that follow a script.

use super::prepare::{PrepareOptions, prepare};
use super::record::{Existing, Record, Run, TaskInfo, sample};
use super::results::MetricResult;
use super::run::{self, Output};
use super::scheduler::Scheduler;
use super::task::Task;
use crate::model::{CancelToken, CausalLm, FakeLm};
use crate::text::{HfFiles, SpecialTokens, Tokenizer};

pub(crate) const SPEC: &str = r#"
name = "small"
version = 1
scorer = "direction-pair"
controls = 2
until = [".", "\n"]
child = { m = "son", f = "daughter" }
[[relation]]
name = "mother"
forward = "{a}'s mother is"
reverse = "{b}'s {child} is"
"#;

/// The lines of `items.jsonl`.
pub(crate) fn lines() -> Vec<String> {
    let facts = [
        ("Tom", "Mary", "ab", "m"),
        ("Ann", "Eve", "ba", "f"),
        ("Bob", "Joan", "both", "m"),
        ("Sue", "Kate", "both", "f"),
    ];
    let line = |(n, (a, b, seen, gender)): (usize, (&str, &str, &str, &str))| {
        format!(
            r#"{{"id":"mother-{n}","relation":"mother","a":"{a}","b":"{b}","seen":"{seen}","a_gender":"{gender}"}}"#
        )
    };
    facts.into_iter().enumerate().map(line).collect()
}

/// Byte-level, with a few merges and BOS.
pub(crate) fn tokenizer() -> Tokenizer {
    let json = std::fs::read("fixtures/models/tiny-llama/tokenizer.json").unwrap();
    let config = std::fs::read("fixtures/models/tiny-llama/tokenizer_config.json").unwrap();
    let config = serde_json::from_slice(&config).unwrap();
    Tokenizer::from_hf(&json, HfFiles { tokenizer_config: Some(&config), config: None }).unwrap()
}

/// The same without anything before a text: `bos` is a token that the vocabulary has and the tokenizer does not add.
pub(crate) fn plain_tokenizer(bos: Option<u32>) -> Tokenizer {
    let json = std::fs::read("fixtures/models/tiny-llama/tokenizer.json").unwrap();
    let special = SpecialTokens { bos, eos: tokenizer().eos(), add_bos: false };
    Tokenizer::from_json_bytes(&json, special).unwrap()
}

/// Logits that look random and depend on every token.
pub(crate) fn noise() -> FakeLm {
    FakeLm::new(288, 512, |ids| {
        let seed = ids.iter().fold(7u32, |hash, id| hash.wrapping_mul(31).wrapping_add(*id));
        (0..288u32)
            .map(|id| f32::from(u16::try_from((seed ^ id.wrapping_mul(2_654_435_761)) >> 18).unwrap()) / 4096.0)
            .collect()
    })
}

/// A model that has learnt these sentences by heart: after the longest beginning of one, its next token has logit 10.
pub(crate) fn parrot(sentences: &[&str]) -> FakeLm {
    parrot_of(&sentences.iter().map(|sentence| (*sentence, 10.0)).collect::<Vec<_>>())
}

/// The same with a logit for each sentence. Of sentences that begin alike, the largest logit is the likeliest way on; with 60,
/// nothing else is ever drawn.
pub(crate) fn parrot_of(sentences: &[(&str, f32)]) -> FakeLm {
    let tokenizer = tokenizer();
    let learnt: Vec<(Vec<u32>, f32)> =
        sentences.iter().map(|(sentence, logit)| (tokenizer.encode(sentence).unwrap(), *logit)).collect();
    FakeLm::new(288, 512, move |ids| {
        let beginnings = |(sentence, logit): &'_ (Vec<u32>, f32)| {
            let longest = (1..sentence.len()).rev().find(|end| ids.ends_with(&sentence[..*end]))?;
            Some((longest, sentence[longest], *logit))
        };
        let known: Vec<(usize, u32, f32)> = learnt.iter().filter_map(beginnings).collect();
        let longest = known.iter().map(|(length, ..)| *length).max();
        let mut logits = vec![0.0_f32; 288];
        for (length, next, logit) in known {
            if Some(length) == longest {
                logits[next as usize] = logits[next as usize].max(logit);
            }
        }
        logits
    })
}

#[test]
fn the_small_suite_is_what_it_says() {
    assert!(tokenizer().adds_bos());
}

/// A folder with a suite in it.
pub(crate) fn folder(suite_toml: &str, items: &str) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("suite.toml"), suite_toml).unwrap();
    std::fs::write(folder.path().join("items.jsonl"), items).unwrap();
    folder
}

/// The one task of the suite in a folder, for the tokenizer of this module.
pub(crate) fn task_in(folder: &tempfile::TempDir, options: &PrepareOptions<'_>) -> Result<Task, String> {
    let tasks = prepare(&folder.path().to_string_lossy(), &tokenizer(), options).map_err(|error| error.to_string());
    Ok(tasks?.remove(0))
}

/// What a model makes of a task.
pub(crate) fn recorded(task: &Task, lm: &dyn CausalLm, tokenizer: &Tokenizer) -> Record {
    let cancel = CancelToken::default();
    let plan = Run { tasks: vec![TaskInfo::of(task)], ..sample::run() };
    let output = Output { folder: None, existing: Existing::Refuse, elapsed: &|| std::time::Duration::ZERO };
    let mut scheduler = Scheduler::new(lm, tokenizer, &cancel);
    run::run(std::slice::from_ref(task), plan, &mut scheduler, &output, &mut |_| {}).unwrap()
}

/// A metric over all items of a record.
pub(crate) fn result(record: &Record, metric: &str) -> MetricResult {
    let outcome = record.run.outcome.as_ref().unwrap();
    let found = outcome.results.iter().find(|result| result.metric == metric && result.stratum.is_none());
    found.unwrap_or_else(|| panic!("there is no {metric}")).clone()
}
