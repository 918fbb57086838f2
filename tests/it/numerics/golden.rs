//! Every hook of every tiny model against transformers (`fixtures/make_golden.py`).

use std::collections::BTreeSet;

use candle_core::DType;
use lmscope::model::NoTap;
use lmscope::trace::{Trace, TracePlan};

use crate::support::{golden_models, load, max_abs_diff, tensors};

const TOLERANCE: f32 = 1e-4;

#[test]
fn every_hook_matches_transformers() {
    let mut failures = Vec::new();
    for dir in golden_models() {
        let golden = tensors(&dir.join("golden.safetensors"));
        let model = load(&dir);
        let ids = golden["tokens"].to_dtype(DType::U32).unwrap().to_vec1::<u32>().unwrap();
        let points = model.config.hook_points();
        let trace = Trace::record(&model.decoder, &ids, &TracePlan::new(points.clone()), &mut NoTap).unwrap();
        trace.check_finite().unwrap();

        let ours: BTreeSet<String> = points.iter().map(ToString::to_string).collect();
        let theirs: BTreeSet<String> = golden.keys().filter(|name| name.contains("hook_")).cloned().collect();
        assert_eq!(ours, theirs, "{}: the hooks of the model and of its golden", dir.display());
        for at in points {
            let found = max_abs_diff(trace.get(at).unwrap(), &golden[&at.to_string()]);
            if found.is_nan() || found > TOLERANCE {
                failures.push(format!("{} {at}: {found}", dir.display()));
            }
        }
        let found = max_abs_diff(&trace.logits, &golden["logits"]);
        if found.is_nan() || found > TOLERANCE {
            failures.push(format!("{} logits: {found}", dir.display()));
        }
    }
    assert!(failures.is_empty(), "differ by more than {TOLERANCE}:\n{}", failures.join("\n"));
}
