//! The logit lens against plain sums over whole rows, and against the model's own output.

use lmscope::figure::Provenance;
use lmscope::lens::logit_lens::{self, LogitLens};
use lmscope::lens::{Context, Lens as _, Question, Stream};
use lmscope::model::sample::{entropy_bits, log_softmax, ranking};
use lmscope::model::{CausalLm as _, NoTap};
use lmscope::trace::Trace;

use crate::support::{load, tiny_models, tokenizer};

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
        }
    }
}
