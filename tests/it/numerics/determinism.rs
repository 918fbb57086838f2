//! A token's numbers have the same bits whatever is computed beside them and before.

use candle_core::Tensor;
use lmscope::hook::Site;
use lmscope::model::checkpoint::Arithmetic;
use lmscope::model::kernel::Isa;
use lmscope::model::load::LoadedModel;
use lmscope::model::{Branch, CancelToken, CausalLm, NoTap, Stretch, ids_tensor};
use lmscope::trace::{Trace, TracePlan};

use crate::support::{gguf, load, project, tiny_models};

const IDS: [u32; 13] = [3, 14, 15, 92, 65, 35, 89, 79, 32, 3, 8, 46, 26];

/// One row of logits a position, as bits.
fn bits(logits: &Tensor) -> Vec<Vec<u32>> {
    let (_, _, d_vocab) = logits.dims3().unwrap();
    let values: Vec<f32> = logits.flatten_all().unwrap().to_vec1().unwrap();
    values.chunks(d_vocab).map(|row| row.iter().map(|value| value.to_bits()).collect()).collect()
}

/// In pieces of these lengths, each after the keys and values of those before.
fn in_pieces(lm: &dyn CausalLm, ids: &[u32], lengths: &[usize]) -> Vec<Vec<u32>> {
    let mut cache = lm.new_cache();
    let (mut rows, mut rest) = (Vec::new(), ids);
    for &length in lengths {
        let (piece, later) = rest.split_at(length);
        rest = later;
        let hidden = lm.forward(&ids_tensor(piece).unwrap(), &mut cache, &mut NoTap).unwrap();
        rows.extend(bits(&lm.logits(&hidden).unwrap()));
    }
    rows
}

fn check(model: &LoadedModel, name: &str) {
    let (lm, n) = (&model.decoder, IDS.len());
    let expected = in_pieces(lm, &IDS, &[n]);
    for lengths in [vec![1; n], vec![5, n - 5], vec![1, n - 1], vec![n - 1, 1], vec![4, 2, n - 6]] {
        assert!(in_pieces(lm, &IDS, &lengths) == expected, "{name}: pieces of {lengths:?}");
    }
    let mut other = IDS;
    other.reverse();
    let batch = Tensor::stack(&[IDS, other, IDS].map(|ids| Tensor::new(&ids, &candle_core::Device::Cpu).unwrap()), 0);
    let hidden = lm.forward(&batch.unwrap(), &mut lm.new_cache(), &mut NoTap).unwrap();
    let rows = bits(&lm.logits(&hidden).unwrap());
    assert!(rows[..n] == expected && rows[2 * n..] == expected, "{name}: in a batch");
    let mut branches = [Branch::root(lm), Branch::root(lm)];
    let [first, second] = &mut branches;
    let mut stretches = [Stretch { ids: &other[..7], branch: first }, Stretch { ids: &IDS, branch: second }];
    let hidden = lm.forward_all(&mut stretches, &CancelToken::default()).unwrap().unsqueeze(0).unwrap();
    assert!(bits(&lm.logits(&hidden).unwrap())[7..] == expected, "{name}: beside another sequence");
    let plan = TracePlan::sites(&model.config, &[Site::AttnScores, Site::Pattern, Site::Ln1Scale, Site::MlpPre]);
    let seen = Trace::record(lm, &IDS, &plan, &mut NoTap).unwrap();
    assert!(bits(&seen.logits.unsqueeze(0).unwrap()) == expected, "{name}: looked at");
}

#[test]
fn alone_in_a_batch_and_after_a_cached_prefix_the_bits_are_the_same() {
    if Isa::best().is_none() {
        return;
    }
    let mut checked = 0;
    for dir in tiny_models() {
        let model = load(&dir);
        // where angles depend on the length of a sequence, so do the numbers
        let by_length = model.config.rotation_depends_on_length(IDS.len()) || model.config.n_ctx < IDS.len();
        if !by_length {
            check(&model, &dir.display().to_string());
            checked += 1;
        }
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn quantised_weights_give_the_same_bits_too_exact_or_fast() {
    if Isa::best().is_none() {
        return;
    }
    for arithmetic in [Arithmetic::Exact, Arithmetic::Fast] {
        let path = project("fixtures/models/tiny-llama-gguf/model.gguf");
        check(&gguf(&path, arithmetic), &format!("tiny-llama-gguf, {arithmetic:?}"));
    }
}
