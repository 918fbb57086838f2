//! GGUF files of every type against candle-transformers' `quantized_llama`.
//!
//! Its products round activations to eight bits, so our exact path is compared loosely with it, and so is our fast
//! path: the rows of q and k stand in another order, and another order of sums rounds differently.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use candle_core::quantized::gguf_file::{self, Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use candle_transformers::models::quantized_llama::ModelWeights;
use lmscope::hook::Site;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::checkpoint::gguf::GgufCheckpoint;
use lmscope::model::load::{LoadError, load_gguf};
use lmscope::model::{CausalLm, LoadOptions, Loading, NoTap, last_logits, sample};
use lmscope::trace::{Trace, TracePlan};

use crate::support::noise::normal;
use crate::support::{gguf, max_abs_diff, project};

const IDS: [u32; 7] = [3, 14, 15, 92, 65, 35, 89];

fn reference(bytes: &[u8]) -> Vec<f32> {
    let mut reader = Cursor::new(bytes);
    let content = Content::read(&mut reader).unwrap();
    let mut model = ModelWeights::from_gguf(content, &mut reader, &Device::Cpu).unwrap();
    let ids = Tensor::new(&IDS, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    model.forward(&ids, 0).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn ours(path: &Path, arithmetic: Arithmetic) -> Vec<f32> {
    let model = gguf(path, arithmetic).decoder;
    last_logits(&model, &IDS, &mut model.new_cache(), &mut NoTap).unwrap()
}

/// KL divergence in nats.
fn kl(p: &[f32], q: &[f32]) -> f64 {
    let (p, q) = (sample::log_softmax(p), sample::log_softmax(q));
    p.iter().zip(&q).map(|(p, q)| p.exp() * (p - q)).sum()
}

#[test]
fn rows_that_candle_cannot_multiply_quantised_are_dequantised() {
    // candle panics on rows of an odd number of blocks, of which this file has some; transformers' golden says the rest
    let path = project("fixtures/models/tiny-llama-gguf/model.gguf");
    let found = kl(&ours(&path, Arithmetic::Exact), &ours(&path, Arithmetic::Fast));
    assert!(found > 0.0 && found < 0.02, "KL {found}");
}

const D_MODEL: usize = 256;
const D_VOCAB: usize = 256;

/// A one-layer llama of random weights, its matrices in one type.
fn random_gguf(dtype: GgmlDType, file: &Path) {
    let quantised =
        |seed, shape: (usize, usize), dtype| QTensor::quantize(&(normal(seed, shape) * 0.08).unwrap(), dtype).unwrap();
    let square = |seed, name: &'static str| (name, quantised(seed, (D_MODEL, D_MODEL), dtype));
    let ones = || {
        QTensor::quantize(&Tensor::ones(D_MODEL, candle_core::DType::F32, &Device::Cpu).unwrap(), GgmlDType::F32)
            .unwrap()
    };
    let tensors = [
        ("token_embd.weight", quantised(0, (D_VOCAB, D_MODEL), dtype)),
        ("output_norm.weight", ones()),
        ("blk.0.attn_norm.weight", ones()),
        ("blk.0.ffn_norm.weight", ones()),
        square(1, "blk.0.attn_q.weight"),
        square(2, "blk.0.attn_k.weight"),
        square(3, "blk.0.attn_v.weight"),
        square(4, "blk.0.attn_output.weight"),
        square(5, "blk.0.ffn_gate.weight"),
        square(6, "blk.0.ffn_up.weight"),
        square(7, "blk.0.ffn_down.weight"),
    ];
    let number = |n: usize| Value::U32(u32::try_from(n).unwrap());
    let metadata = [
        ("general.architecture", Value::String("llama".into())),
        ("llama.block_count", number(1)),
        ("llama.context_length", number(64)),
        ("llama.embedding_length", number(D_MODEL)),
        ("llama.feed_forward_length", number(D_MODEL)),
        ("llama.attention.head_count", number(4)),
        ("llama.attention.head_count_kv", number(4)),
        ("llama.rope.dimension_count", number(D_MODEL / 4)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
    ];
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(name, value)| (*name, value)).collect();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    gguf_file::write(&mut std::fs::File::create(file).unwrap(), &metadata, &tensors).unwrap();
}

#[test]
fn every_type_of_weights_is_read() {
    use GgmlDType as D;
    let dir = tempfile::tempdir().unwrap();
    let types =
        [D::F32, D::F16, D::BF16, D::Q4_0, D::Q4_1, D::Q5_0, D::Q5_1, D::Q8_0, D::Q2K, D::Q3K, D::Q4K, D::Q5K, D::Q6K];
    for dtype in types {
        let file = dir.path().join(format!("{dtype:?}.gguf"));
        random_gguf(dtype, &file);
        let reference = reference(&std::fs::read(&file).unwrap());
        for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
            let found = kl(&reference, &ours(&file, arithmetic));
            assert!(found < 0.02, "{dtype:?} {arithmetic:?}: KL {found}");
        }
        assert_same_bits(&file);
    }
}

/// Every activation and logit of exact arithmetic, on demand and at once.
fn assert_same_bits(path: &Path) {
    let record = |arithmetic| {
        let lm = gguf(path, arithmetic).decoder;
        let ids: Vec<u32> = IDS.iter().map(|id| id % u32::try_from(lm.config().d_vocab).unwrap()).collect();
        Trace::record(&lm, &ids, &TracePlan::sites(lm.config(), Site::ALL), &mut NoTap).unwrap()
    };
    let (exact, on_demand) = (record(Arithmetic::Exact), record(Arithmetic::OnDemand));
    assert_eq!(exact.activations.len(), on_demand.activations.len());
    for (at, activation) in &exact.activations {
        assert!(max_abs_diff(activation, &on_demand.activations[at]) == 0.0, "{}: {at}", path.display());
    }
    assert!(max_abs_diff(&exact.logits, &on_demand.logits) == 0.0, "{}: logits", path.display());
}

/// Every GGUF file among the fixtures.
fn gguf_files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(project("fixtures/gguf")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|ext| ext == "gguf")).collect();
    files.push(project("fixtures/models/tiny-llama-gguf/model.gguf"));
    files.sort();
    files
}

#[test]
fn dequantised_on_demand_every_activation_has_the_same_bits() {
    let files = gguf_files();
    assert!(files.len() > 60, "{}", files.len());
    for file in &files {
        assert_same_bits(file);
    }
}

#[test]
fn weights_that_do_not_fit_are_dequantised_on_demand_and_refused_only_if_that_does_not_fit() {
    // a type that no kernel reads
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("q2.gguf");
    random_gguf(GgmlDType::Q2K, &path);
    let bytes = std::fs::read(&path).unwrap();
    let open = |max_memory| {
        let options = LoadOptions { max_memory: Some(max_memory), ..LoadOptions::default() };
        load_gguf(&GgufCheckpoint::new(&path, &bytes).unwrap(), path.clone(), &Loading::unwatched(options))
    };
    let needs = match open(0) {
        Err(LoadError::Memory { needs, .. }) => needs,
        other => panic!("{:?}", other.err()),
    };
    let on_demand = needs.on_demand.unwrap();
    assert!(on_demand < needs.asked);
    let cases = [
        (needs.asked, Some(Arithmetic::Exact)),
        (needs.asked - 1, Some(Arithmetic::OnDemand)),
        (on_demand, Some(Arithmetic::OnDemand)),
        (on_demand - 1, None),
    ];
    for (bytes, expected) in cases {
        let found = open(bytes).map(|loaded| loaded.precision);
        assert_eq!(found.as_ref().ok().map(|precision| precision.arithmetic), expected, "{bytes}");
        let says = found.is_ok_and(|precision| precision.describe().contains("exact, dequantised on demand"));
        assert_eq!(says, expected == Some(Arithmetic::OnDemand));
    }
}
