//! Our numbers beside `TransformerLens`' (`fixtures/oracle/tl_numbers.py`) on a gpt2- and a llama-type model.

use lmscope::figure::Provenance;
use lmscope::hook::{Head, HookPoint, Site};
use lmscope::intervene::{Interventions, Runs, Spec};
use lmscope::lens::dla::{Component, DirectLogitAttribution, attribute};
use lmscope::lens::logit_lens::{self, LogitLens};
use lmscope::lens::{Context, Lens as _, Question, Target};
use lmscope::model::{CancelToken, NoTap};
use lmscope::probe::head_atlas::shares;
use lmscope::trace::{Trace, TracePlan};
use serde_json::Value;

use crate::support::{load, project, tokenizer};

const TOLERANCE: f64 = 1e-4;

fn numbers() -> Value {
    let text = std::fs::read_to_string(project("fixtures/oracle/tl_numbers.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| u32::try_from(id.as_u64().unwrap()).unwrap()).collect()
}

fn close(found: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap();
    assert!((found - expected).abs() < TOLERANCE, "{what}: {found}, TransformerLens has {expected}");
}

fn for_both(check: impl Fn(&str, &lmscope::model::load::LoadedModel, &Value, &Value)) {
    let all = numbers();
    let models = all["models"].as_object().unwrap();
    assert_eq!(models.len(), 2);
    for (name, expected) in models {
        check(name, &load(&project("fixtures/models").join(name)), expected, &all);
    }
}

fn target(all: &Value, position: usize) -> Target {
    let id = |key: &str| u32::try_from(all[key].as_u64().unwrap()).unwrap();
    Target { position, token: id("a"), versus: Some(id("b")) }
}

#[test]
fn the_logit_lens_is_transformer_lens() {
    let tokenizer = tokenizer();
    for_both(|name, model, expected, all| {
        let (question, provenance) = (Question::default(), Provenance::default());
        let plan = LogitLens.needs(&model.config, &question);
        let trace = Trace::record(&model.decoder, &ids(&all["ids"]), &plan, &mut NoTap).unwrap();
        let context =
            Context { lm: &model.decoder, tokenizer: &tokenizer, provenance: &provenance, question: &question };
        let target = target(all, 0);
        let readings = logit_lens::read(&trace, context, 1, &[target.token, target.versus.unwrap()]).unwrap();
        for layer in 0..model.config.n_layers {
            for position in 0..trace.ids.len() {
                // the first stage is the embedding
                let found = readings.at(layer + 1, position);
                for (which, watched) in found.watched.iter().enumerate() {
                    let expected = &expected["logit_lens"][layer][position][which];
                    close(watched.logprob, expected, &format!("{name} layer {layer} at {position}"));
                }
            }
        }
    });
}

#[test]
fn direct_logit_attribution_is_transformer_lens() {
    for_both(|name, model, expected, all| {
        let plan = DirectLogitAttribution.needs(&model.config, &Question::default());
        let trace = Trace::record(&model.decoder, &ids(&all["ids"]), &plan, &mut NoTap).unwrap();
        let found = attribute(&trace, &model.decoder, target(all, trace.ids.len() - 1)).unwrap();
        let expected = &expected["attribution"];
        for (Head { layer, head }, share) in &found.heads {
            close(share.difference(), &expected["heads"][layer][head], &format!("{name} L{layer}H{head}"));
        }
        for layer in 0..model.config.n_layers {
            let attn = found.share_of(Component::Attention(layer)).difference();
            close(attn, &expected["attn"][layer], &format!("{name} attention {layer}"));
            let mlp = found.share_of(Component::Mlp(layer)).difference();
            close(mlp, &expected["mlp"][layer], &format!("{name} mlp {layer}"));
        }
    });
}

#[test]
fn head_detectors_are_transformer_lens() {
    for_both(|name, model, expected, all| {
        let ids = ids(&all["ids"]);
        let plan = TracePlan::sites(&model.config, &[Site::Pattern]);
        let trace = Trace::record(&model.decoder, &ids, &plan, &mut NoTap).unwrap();
        for layer in 0..model.config.n_layers {
            let patterns = trace.get(HookPoint::block(layer, Site::Pattern)).unwrap().to_vec3::<f32>().unwrap();
            for (head, pattern) in patterns.iter().enumerate() {
                let found = shares(pattern, &ids);
                let named = [
                    ("previous_token", found.previous_token),
                    ("duplicate_token", found.duplicate_token),
                    ("induction", found.induction),
                ];
                for (detector, found) in named {
                    let expected = &expected["detectors"][detector][layer][head];
                    close(found, expected, &format!("{name} {detector} L{layer}H{head}"));
                }
            }
        }
    });
}

#[test]
fn patching_the_residual_is_transformer_lens() {
    for_both(|name, model, expected, all| {
        let (clean, corrupt) = (ids(&all["ids"]), ids(&all["corrupt"]));
        let runs = Runs { ids: Some(&corrupt), clean: Some(&clean), ..Runs::default() };
        let target = target(all, corrupt.len() - 1);
        for layer in 0..model.config.n_layers {
            for position in 0..corrupt.len() {
                let specs = Spec::parse_all(&[format!("patch:L{layer}@{position}")]).unwrap();
                let patched = Interventions::prepare(&specs, &model.decoder, runs, &CancelToken::default()).unwrap();
                let trace =
                    Trace::record(&model.decoder, &corrupt, &TracePlan::default(), &mut patched.tap(0)).unwrap();
                let found = target.logit(&trace.logits_at(target.position).unwrap());
                close(found, &expected["patching"][layer][position], &format!("{name} L{layer}@{position}"));
            }
        }
    });
}
