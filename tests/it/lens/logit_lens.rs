//! The logit lens against plain sums over whole rows, and against the model's own output.

use std::collections::HashMap;
use std::sync::Mutex;

use candle_core::{DType, Device, Tensor};
use lmscope::figure::Provenance;
use lmscope::lens::logit_lens::{self, LogitLens};
use lmscope::lens::tuned::{Translators, TunedError};
use lmscope::lens::{Context, Lens as _, Question, Stream};
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::sample::{entropy_bits, log_softmax, ranking};
use lmscope::model::{CausalLm as _, LoadOptions, NoTap};
use lmscope::trace::Trace;

use crate::support::noise::normal;
use crate::support::{load, load_as, project, tiny_models, tokenizer};

const IDS: [u32; 7] = [3, 14, 15, 9, 2, 6, 5];

#[test]
fn every_reading_is_that_of_the_whole_row_on_every_architecture() {
    let tokenizer = tokenizer();
    for dir in tiny_models() {
        let model = load(&dir);
        let question = Question { stream: Stream::Sublayers, ..Question::default() };
        let plan = LogitLens.needs(&model.config, &question);
        let trace = Trace::record(&model.decoder, &IDS, &plan, &mut NoTap).unwrap();
        let provenance = Provenance::default();
        let context =
            Context { lm: &model.decoder, tokenizer: &tokenizer, provenance: &provenance, question: &question };
        let readings = logit_lens::read(&trace, context, 3, &[7]).unwrap();
        for (number, stage) in readings.stages.iter().enumerate() {
            let rows = model.decoder.unembed(trace.get(stage.at).unwrap()).unwrap().to_vec2::<f32>().unwrap();
            for (position, row) in rows.iter().enumerate() {
                let what = format!("{} {stage} at {position}", dir.display());
                let (found, logprobs) = (readings.at(number, position), log_softmax(row));
                let last = log_softmax(&trace.logits_at(position).unwrap());
                let kl: f64 = last.iter().zip(&logprobs).map(|(p, q)| p.exp() * (p - q)).sum();
                assert!((found.kl - kl).abs() < 1e-5, "{what}: {} {kl}", found.kl);
                assert!((found.entropy / std::f64::consts::LN_2 - entropy_bits(&logprobs)).abs() < 1e-5, "{what}");
                let order = ranking(row);
                assert_eq!(found.top.iter().map(|top| top.0).collect::<Vec<_>>(), order[..3], "{what}");
                assert!((found.top[0].1 - logprobs[order[0] as usize]).abs() < 1e-5, "{what}");
                assert_eq!(order[found.watched[0].rank - 1], 7, "{what}");
            }
        }
        let last = readings.stages.len() - 1;
        for position in 0..IDS.len() {
            let found = readings.at(last, position);
            assert!(found.kl < 1e-5 && found.final_top.rank == 1, "{}", dir.display());
            assert!(readings.settles(position) <= last);
            let settled = (0..=last).rev().take_while(|&stage| readings.at(stage, position).final_top.rank == 1).last();
            assert_eq!(Some(readings.settles(position)), settled, "{} at {position}", dir.display());
        }
    }
}

#[test]
fn logits_in_pieces_are_those_of_the_whole_bit_for_bit() {
    for dir in tiny_models() {
        for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
            let lm = load_as(&dir, LoadOptions { arithmetic, ..LoadOptions::default() }).decoder;
            let (d_model, d_vocab) = (lm.config().d_model, lm.config().d_vocab);
            let resid = (normal(1, (5, d_model)) * 3.0).unwrap();
            let whole = lm.unembed(&resid).unwrap().to_vec2::<f32>().unwrap();
            let rows = lm.logit_rows(&resid).unwrap();
            let joined = Mutex::new(vec![vec![f32::NAN; d_vocab]; 5]);
            rows.read(|piece| {
                let mut joined = joined.lock().unwrap();
                for (row, values) in piece.rows.zip(piece.values.chunks_exact(piece.columns.len())) {
                    joined[row][piece.columns.clone()].copy_from_slice(values);
                }
            })
            .unwrap();
            let ids = [7, 0, u32::try_from(d_vocab - 1).unwrap(), 7];
            let some: Vec<Vec<f32>> = whole.iter().map(|row| ids.map(|id| row[id as usize]).to_vec()).collect();
            assert!(bits(&joined.into_inner().unwrap()) == bits(&whole), "{} {arithmetic:?}", dir.display());
            assert!(bits(&rows.of(&ids).unwrap()) == bits(&some), "{} {arithmetic:?}", dir.display());
        }
    }
}

fn bits(rows: &[Vec<f32>]) -> Vec<u32> {
    rows.iter().flatten().map(|value| value.to_bits()).collect()
}

#[test]
fn a_tuned_lens_is_the_logit_lens_of_the_translated_stream() {
    let model = load(&project("fixtures/models/tiny-llama"));
    let (n_layers, d_model) = (model.config.n_layers, model.config.d_model);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tuned.safetensors");
    let mut tensors = HashMap::new();
    for (layer, seed) in (0..n_layers).zip(0..) {
        tensors.insert(format!("{layer}.weight"), (normal(seed, (d_model, d_model)) * 0.1).unwrap());
        tensors.insert(format!("{layer}.bias"), (normal(seed, d_model) * 0.1).unwrap());
    }
    candle_core::safetensors::save(&tensors, &file).unwrap();
    let tuned = Translators::load(&file, &model.config).unwrap();
    let question = Question { tuned: Some(tuned), ..Question::default() };
    let trace = Trace::record(&model.decoder, &IDS, &LogitLens.needs(&model.config, &question), &mut NoTap).unwrap();
    let (tokenizer, provenance) = (tokenizer(), Provenance::default());
    let context = Context { lm: &model.decoder, tokenizer: &tokenizer, provenance: &provenance, question: &question };
    let readings = logit_lens::read(&trace, context, 1, &[7]).unwrap();
    for (layer, stage) in readings.stages.iter().enumerate() {
        for position in 0..IDS.len() {
            let x = trace.get(stage.at).unwrap().get(position).unwrap().to_vec1::<f32>().unwrap();
            // h + A h + b, number by number; after the last block nothing is translated
            let mut translated = x.clone();
            if let Some(weight) = tensors.get(&format!("{layer}.weight")) {
                let weight = weight.to_vec2::<f32>().unwrap();
                let bias = tensors[&format!("{layer}.bias")].to_vec1::<f32>().unwrap();
                for (row, value) in translated.iter_mut().enumerate() {
                    *value += weight[row].iter().zip(&x).map(|(w, x)| w * x).sum::<f32>() + bias[row];
                }
            }
            let translated = Tensor::from_vec(translated, (1, d_model), &Device::Cpu).unwrap();
            let row = model.decoder.unembed(&translated).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
            let expected = log_softmax(&row)[7];
            let found = readings.at(layer, position).watched[0].logprob;
            assert!((found - expected).abs() < 1e-4, "{stage} at {position}: {found} {expected}");
        }
    }
}

#[test]
fn a_file_without_the_maps_is_refused_with_all_that_is_wrong() {
    let model = load(&project("fixtures/models/tiny-llama"));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tuned.safetensors");
    let wrong = HashMap::from([("0.weight".to_owned(), Tensor::zeros((2, 2), DType::F32, &Device::Cpu).unwrap())]);
    candle_core::safetensors::save(&wrong, &file).unwrap();
    match Translators::load(&file, &model.config) {
        Err(TunedError::Tensors { problems, .. }) => {
            assert_eq!(problems.len(), 2 * model.config.n_layers, "{problems:?}");
        }
        other => panic!("{other:?}"),
    }
    std::fs::write(&file, "no tensors").unwrap();
    assert!(matches!(Translators::load(&file, &model.config), Err(TunedError::Read { .. })));
}
