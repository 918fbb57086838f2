//! Loading: it says how far it is, stops when it is told to, and leaves what was loaded before.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use candle_core::Tensor;
use lmscope::engine::{Engine, EngineError, Event, Outcome, Request, open};
use lmscope::model::load::{LoadError, LoadedModel};
use lmscope::model::source::ModelSource;
use lmscope::model::{CancelToken, CausalLm as _, LoadOptions, Loading, NoTap, Unembed, last_logits};
use lmscope::text::BosPolicy;
use serde_json::Value;

use crate::support::{load, project, tensors};

fn sources() -> Vec<ModelSource> {
    let directory = |name: &str| ModelSource::Directory(project("fixtures").join(name));
    vec![
        ModelSource::default(),
        directory("models/tiny-gpt2"),
        directory("models/tiny-gpt-neox"),
        ModelSource::Gguf(project("fixtures/models/tiny-llama-gguf/model.gguf")),
    ]
}

#[test]
fn progress_only_grows_and_ends_at_the_total() {
    for source in sources() {
        let told = Mutex::new(Vec::new());
        let progress = |done, total| told.lock().unwrap().push((done, total));
        let loading = Loading { options: LoadOptions::default(), cancel: CancelToken::default(), progress: &progress };
        let loaded = open(&source, &loading).unwrap();
        let told = told.into_inner().unwrap();
        assert_eq!(told.len(), loaded.info.config.params().len(), "once a parameter");
        assert!(told.windows(2).all(|pair| pair[0].0 <= pair[1].0 && pair[0].1 == pair[1].1), "{told:?}");
        assert!(told.last().is_some_and(|(done, total)| done == total && *total > 0), "{told:?}");
    }
}

#[test]
fn the_bytes_of_all_parameters_are_those_of_the_tensors() {
    let file = project("fixtures/models/tiny-gpt2/model.safetensors");
    let in_file: usize = tensors(&file).values().map(|tensor| 4 * tensor.elem_count()).sum();
    let told = Mutex::new(0);
    let progress = |_, total| *told.lock().unwrap() = total;
    let loading = Loading { options: LoadOptions::default(), cancel: CancelToken::default(), progress: &progress };
    open(&ModelSource::Directory(file.parent().map(PathBuf::from).unwrap()), &loading).unwrap();
    assert_eq!(told.into_inner().unwrap(), in_file as u64, "a fused projection counts once");
}

#[test]
fn a_cancelled_load_is_cancelled_and_leaves_the_engine_as_it_was() {
    let mut engine = Engine::with(open(&ModelSource::default(), &Loading::unwatched(LoadOptions::default())).unwrap());
    let request = |source: &ModelSource| Request::Load { source: source.clone(), options: LoadOptions::default() };
    for source in sources() {
        let cancel = CancelToken::default();
        let cancelled_early = cancel.clone();
        let mut n_told = 0;
        let mut sink = |event: Event| {
            if let Event::Progress(_) = event {
                n_told += 1;
                cancelled_early.cancel();
            }
        };
        assert!(matches!(engine.run(request(&source), &cancel, &mut sink), Err(EngineError::Cancelled)));
        // each thread may have been at work on one tensor
        assert!(n_told <= rayon::current_num_threads(), "{n_told}");
        assert_eq!(engine.loaded().unwrap().info.name, "slide");
    }
    let ask = Request::Tokenise { text: "The cat".into(), bos: BosPolicy::Model };
    assert!(matches!(engine.run(ask, &CancelToken::default(), &mut |_| {}), Ok(Outcome::Tokens(_))));
    let again = engine.run(request(&sources()[1]), &CancelToken::default(), &mut |_| {});
    assert!(matches!(again, Ok(Outcome::Loaded(_))));
}

#[test]
fn a_load_that_was_cancelled_before_reads_nothing() {
    let loading = Loading::unwatched(LoadOptions::default());
    loading.cancel.cancel();
    for source in sources() {
        let error = open(&source, &loading).err().unwrap();
        assert!(error.is_cancelled(), "{error:?}");
        assert!(matches!(error, lmscope::engine::OpenError::Load { source: LoadError::Cancelled, .. }));
    }
}

/// A copy of a tied tiny model with an unembedding of its own, and perhaps a configuration that admits it.
fn with_unembedding(root: &Path, name: &str, head: &Tensor, tied: bool) -> PathBuf {
    let from = project("fixtures/models/tiny-gpt2");
    let dir = root.join(name);
    std::fs::create_dir(&dir).unwrap();
    let mut config: Value = serde_json::from_slice(&std::fs::read(from.join("config.json")).unwrap()).unwrap();
    config["tie_word_embeddings"] = tied.into();
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let mut weights = tensors(&from.join("model.safetensors"));
    weights.insert("lm_head.weight".into(), head.clone());
    candle_core::safetensors::save(&weights, dir.join("model.safetensors")).unwrap();
    dir
}

#[test]
fn an_unembedding_in_the_file_that_differs_from_the_embedding_is_used_as_transformers_does() {
    let root = tempfile::tempdir().unwrap();
    let original = tensors(&project("fixtures/models/tiny-gpt2/model.safetensors"));
    let embed = original.iter().find(|(name, _)| name.ends_with("wte.weight")).unwrap().1;
    let other = (embed * -0.5).unwrap();
    let model = |name: &str, head: &Tensor, tied: bool| load(&with_unembedding(root.path(), name, head, tied));
    let logits =
        |model: &LoadedModel| last_logits(&model.decoder, &[3, 14, 15], &mut model.decoder.new_cache(), &mut NoTap);

    let (said_tied, said_own) = (model("tied", &other, true), model("own", &other, false));
    assert_eq!(said_tied.config.unembed, Unembed::Own);
    assert_eq!(logits(&said_tied).unwrap(), logits(&said_own).unwrap());

    let copy = model("copy", embed, true);
    assert_eq!(copy.config.unembed, Unembed::Tied, "a copy of the embedding is none of its own");
    assert_eq!(logits(&copy).unwrap(), logits(&load(&project("fixtures/models/tiny-gpt2"))).unwrap());
    assert_ne!(logits(&copy).unwrap(), logits(&said_own).unwrap());
}
