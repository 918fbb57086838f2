//! What it changes to compute in other numbers than f32. f64 is the oracle: what f32 rounds, it does not.

use std::path::Path;

use candle_core::DType;
use lmscope::hook::Site;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::load::{LoadError, LoadedModel};
use lmscope::model::{CancelToken, CausalLm as _, Dtype, LoadOptions, NoTap};
use lmscope::trace::{Trace, TracePlan};
use lmscope::verify::{self, Subject, small_ids};

use crate::support::{load_as, max_abs_diff, project, tiny_models, try_load_as, values};

fn record(model: &LoadedModel) -> Trace {
    let mut ids = small_ids(model.config.d_vocab);
    ids.truncate(model.config.n_ctx);
    Trace::record(&model.decoder, &ids, &TracePlan::sites(&model.config, Site::ALL), &mut NoTap).unwrap()
}

/// The largest logit of all, to which deviations are relative.
fn largest(trace: &Trace) -> f32 {
    values(&trace.logits).into_iter().map(f32::abs).fold(f32::MIN_POSITIVE, f32::max)
}

/// Relative to the largest logit, how far those of a model are from those in f64.
fn off(dir: &Path, oracle: &Trace, dtype: Dtype) -> f32 {
    let trace = record(&load_as(dir, dtype));
    assert_eq!(trace.logits.dtype(), DType::F32);
    assert!(trace.activations.values().all(|activation| activation.dtype() == DType::F32));
    trace.check_finite().unwrap();
    max_abs_diff(&trace.logits, &oracle.logits) / largest(oracle)
}

#[test]
fn every_model_is_computed_in_every_type() {
    let mut worst = [(Dtype::F32, 1e-5, 0.0), (Dtype::F16, 2e-2, 0.0), (Dtype::Bf16, 0.15, 0.0_f32)];
    for dir in tiny_models() {
        let oracle = record(&load_as(&dir, Dtype::F64));
        for (dtype, limit, worst) in &mut worst {
            let found = off(&dir, &oracle, *dtype);
            assert!(found <= *limit, "{} in {}: {found}", dir.display(), dtype.name());
            *worst = worst.max(found);
        }
        let f32 = record(&load_as(&dir, Dtype::F32));
        let found = max_abs_diff(&f32.logits, &oracle.logits);
        assert!(found < 1e-4, "{}: logits of f32 and f64 are {found} apart", dir.display());
    }
    assert!(worst[2].2 > 10.0 * worst[0].2, "computing in bf16 rounds: {worst:?}");
}

#[test]
fn the_laws_hold_in_every_type() {
    let cancel = CancelToken::default();
    for dir in tiny_models() {
        for dtype in [Dtype::F64, Dtype::Bf16, Dtype::F16] {
            let model = load_as(&dir, dtype);
            let mut ids = small_ids(model.config.d_vocab);
            ids.truncate(model.config.n_ctx);
            let arithmetic = Arithmetic::Exact;
            let subject = Subject {
                lm: &model.decoder,
                decoder: Some(&model.decoder),
                ids: &ids,
                arithmetic,
                dtype,
                cancel: &cancel,
            };
            let report = verify::run(&subject, None, &mut |_| ()).unwrap();
            let failed: Vec<_> = report.failed().collect();
            assert!(failed.is_empty(), "{} in {}: {failed:?}", dir.display(), dtype.name());
        }
    }
}

#[test]
fn on_demand_has_the_same_bits_in_every_type() {
    let dir = project("fixtures/models/tiny-llama-gguf");
    for dtype in [Dtype::F64, Dtype::Bf16, Dtype::F16] {
        let record = |arithmetic| record(&load_as(&dir, LoadOptions { arithmetic, dtype, ..LoadOptions::default() }));
        let (exact, on_demand) = (record(Arithmetic::Exact), record(Arithmetic::OnDemand));
        assert!(max_abs_diff(&exact.logits, &on_demand.logits) == 0.0, "{}", dtype.name());
    }
}

#[test]
fn quantised_products_are_refused_in_other_types() {
    let options = LoadOptions { arithmetic: Arithmetic::Fast, dtype: Dtype::Bf16, ..LoadOptions::default() };
    for name in ["tiny-llama-gguf", "tiny-llama"] {
        let refused = try_load_as(&project("fixtures/models").join(name), options);
        assert!(matches!(refused, Err(LoadError::FastDtype { dtype: "bf16" })));
    }
}

#[test]
fn a_precision_says_the_type() {
    let dir = project("fixtures/models/tiny-gpt2");
    for dtype in [Dtype::F64, Dtype::Bf16, Dtype::F16] {
        let model = load_as(&dir, dtype);
        assert!(model.precision.describe().contains(&format!("{} arithmetic", dtype.name())));
        assert_eq!(model.decoder.config(), &model.config);
    }
}
