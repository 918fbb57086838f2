//! The laws hold on every tiny model, and none of them is vacuous.

mod broken;
pub(crate) mod reference;

use lmscope::hook::Site;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::decoder::Decoder;
use lmscope::model::{CancelToken, CausalLm, Dtype, Error as ModelError, NormPlacement};
use lmscope::verify::{self, Error, Report, Subject, Verdict, small_ids};

use crate::support::{gguf, load, project, tiny_models};

fn verify(decoder: &Decoder, ids: &[u32], arithmetic: Arithmetic) -> Report {
    verify_as(decoder, decoder, ids, arithmetic)
}

/// Verifies `lm`, whose parameters are the decoder's.
fn verify_as(lm: &dyn CausalLm, decoder: &Decoder, ids: &[u32], arithmetic: Arithmetic) -> Report {
    let cancel = CancelToken::default();
    let subject = Subject { lm, decoder: Some(decoder), ids, arithmetic, dtype: Dtype::F32, cancel: &cancel };
    verify::run(&subject, None, &mut |_| ()).unwrap()
}

#[test]
fn every_law_holds_on_every_tiny_model() {
    for dir in tiny_models() {
        let model = load(&dir);
        let ids = small_ids(model.config.d_vocab);
        let ids = &ids[..ids.len().min(model.config.n_ctx)];
        let report = verify(&model.decoder, ids, Arithmetic::Exact);
        for check in &report.checks {
            let silent = match check.name {
                "residual-sum" => matches!(model.config.placement, NormPlacement::Residual | NormPlacement::Carried),
                // the tiny models' MLPs that are split are all there is of them
                "neuron-sum" => !model.config.hook_points().iter().any(|at| at.site() == Site::MlpPost),
                "cached-is-uncached" => model.config.rotation_depends_on_length(ids.len()),
                _ => false,
            };
            let expected = if silent { Verdict::NotApplicable } else { Verdict::Holds };
            assert_eq!(check.verdict, expected, "{}: {check:?}", dir.display());
        }
    }
}

#[test]
fn every_law_holds_on_every_gguf_file() {
    let entries = std::fs::read_dir(project("fixtures/gguf")).unwrap().map(|entry| entry.unwrap().path());
    let files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "gguf")).collect();
    assert!(files.len() >= 80, "{}", files.len());
    for file in files {
        let model = gguf(&file, Arithmetic::Exact);
        let ids = small_ids(model.config.d_vocab);
        let report = verify(&model.decoder, &ids[..ids.len().min(model.config.n_ctx)], Arithmetic::Exact);
        assert!(report.holds(), "{}: {}", file.display(), report.summary());
    }
}

#[test]
fn a_prompt_of_one_token_leaves_two_laws_without_a_say() {
    let model = load(&project("fixtures/models/tiny-gpt2"));
    let report = verify(&model.decoder, &[7], Arithmetic::Exact);
    assert!(report.holds());
    let silent: Vec<&str> =
        report.checks.iter().filter(|check| check.verdict == Verdict::NotApplicable).map(|check| check.name).collect();
    assert_eq!(silent, ["cached-is-uncached", "causal-cone"]);
}

#[test]
fn quantised_arithmetic_is_judged_by_what_it_can_keep() {
    let path = project("fixtures/models/tiny-llama-gguf/model.gguf");
    let model = gguf(&path, Arithmetic::Fast);
    let report = verify(&model.decoder, &small_ids(model.config.d_vocab), Arithmetic::Fast);
    assert!(report.holds(), "{}", report.summary());
    let of = |name| report.checks.iter().find(|check| check.name == name).unwrap();
    for name in ["finite", "pattern-rows", "residual-sum", "lens-is-logits", "probabilities"] {
        assert_eq!(of(name).verdict, Verdict::Holds, "{:?}", of(name));
    }
    assert!(of("head-sum").deviation.unwrap() > 1e-5, "the remainder is told: {:?}", of("head-sum"));
}

#[test]
fn steps_are_told_and_cancelling_stops() {
    let model = load(&project("fixtures/models/tiny-llama"));
    let ids = small_ids(model.config.d_vocab);
    let cancel = CancelToken::default();
    let subject = Subject {
        lm: &model.decoder,
        decoder: None,
        ids: &ids,
        arithmetic: Arithmetic::Exact,
        dtype: Dtype::F32,
        cancel: &cancel,
    };
    let mut names = Vec::new();
    let result = verify::run(&subject, None, &mut |step| {
        assert_eq!((step.done, step.total), (names.len(), verify::INVARIANTS.len()));
        names.push(step.name);
        if names.len() == 3 {
            cancel.cancel();
        }
    });
    assert!(matches!(result, Err(Error::Model(ModelError::Cancelled))));
    assert_eq!(names, ["finite", "pattern-rows", "residual-sum"]);
}
