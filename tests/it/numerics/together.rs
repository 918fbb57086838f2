//! What a sequence gets when it is run beside others is what it gets alone, bit for bit, however it is cut.

use std::sync::Arc;

use lmscope::model::decoder::Decoder;
use lmscope::model::{Branch, CancelToken, CausalLm, Dtype, Error, NoTap, Stretch, ids_tensor};

use crate::support::{load_as, max_abs_diff, tiny_models, values};

/// Tokens that look random.
fn ids(n: usize, seed: u32, d_vocab: usize) -> Vec<u32> {
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(7);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % u32::try_from(d_vocab).unwrap()
    };
    (0..n).map(|_| next()).collect()
}

/// Runs each of `parts` after its branch; one row of numbers a position.
fn run(lm: &Decoder, parts: &mut [(Branch, &[u32])]) -> Vec<Vec<Vec<f32>>> {
    let lengths: Vec<usize> = parts.iter().map(|(_, ids)| ids.len()).collect();
    let mut stretches: Vec<Stretch<'_>> = parts.iter_mut().map(|(branch, ids)| Stretch { ids, branch }).collect();
    let hidden = lm.forward_all(&mut stretches, &CancelToken::default()).unwrap();
    let mut rows = hidden.to_dtype(candle_core::DType::F32).unwrap().to_vec2::<f32>().unwrap().into_iter();
    lengths.into_iter().map(|n| rows.by_ref().take(n).collect()).collect()
}

fn alone(lm: &Decoder, ids: &[u32]) -> Vec<Vec<f32>> {
    run(lm, &mut [(Branch::root(lm), ids)]).remove(0)
}

#[test]
fn in_any_company_and_however_cut_the_bits_are_those_of_a_run_alone() {
    let mut together = 0;
    for dir in tiny_models() {
        for dtype in [Dtype::F32, Dtype::Bf16] {
            let model = load_as(&dir, dtype);
            let (lm, cfg) = (&model.decoder, &model.config);
            let name = format!("{} in {}", dir.display(), dtype.name());
            let longest = cfg.n_ctx.min(40);
            let prefix = ids(5, 1, cfg.d_vocab);
            let sequences: Vec<Vec<u32>> = [1, 2, 3, 9, longest - 5, 1]
                .into_iter()
                .zip(2..)
                .map(|(n, seed)| prefix.iter().copied().chain(ids(n, seed, cfg.d_vocab)).collect())
                .collect();
            let expected: Vec<Vec<Vec<f32>>> = sequences.iter().map(|ids| alone(lm, ids)).collect();
            let mut whole: Vec<(Branch, &[u32])> =
                sequences.iter().map(|ids| (Branch::root(lm), ids.as_slice())).collect();
            assert_eq!(run(lm, &mut whole), expected, "{name}: side by side");
            if lm.seam() > 1 {
                continue;
            }
            together += 1;
            let mut root = [(Branch::root(lm), prefix.as_slice())];
            let first = run(lm, &mut root).remove(0);
            let [(root, _)] = root;
            let root = Arc::new(root);
            let mut after: Vec<(Branch, &[u32])> =
                sequences.iter().map(|ids| (Branch::after(&root), &ids[5..])).collect();
            for (found, expected) in run(lm, &mut after).iter().zip(&expected) {
                assert_eq!((&first[..], &found[..]), expected.split_at(5), "{name}: after a common beginning");
            }
            for cut in [1, 6, 7, 17] {
                let cut = |ids: &'_ [u32]| cut.min(ids.len() - 1).max(1);
                let mut heads: Vec<(Branch, &[u32])> =
                    sequences.iter().map(|ids| (Branch::root(lm), &ids[..cut(ids)])).collect();
                let begun = run(lm, &mut heads);
                let mut tails: Vec<(Branch, &[u32])> = heads
                    .into_iter()
                    .zip(&sequences)
                    .map(|((branch, _), ids)| (Branch::after(&Arc::new(branch)), &ids[cut(ids)..]))
                    .collect();
                let ended = run(lm, &mut tails);
                let found: Vec<Vec<Vec<f32>>> = begun.into_iter().zip(ended).map(|(a, b)| [a, b].concat()).collect();
                assert_eq!(found, expected, "{name}: cut");
            }
        }
    }
    assert!(together > 100, "only {together} run together");
}

#[test]
fn it_is_the_forward_pass() {
    for dir in tiny_models() {
        let model = load_as(&dir, Dtype::F32);
        let (lm, cfg) = (&model.decoder, &model.config);
        let ids = ids(cfg.n_ctx.min(31), 3, cfg.d_vocab);
        let mut branch = Branch::root(lm);
        let mut stretch = [Stretch { ids: &ids, branch: &mut branch }];
        let found = lm.forward_all(&mut stretch, &CancelToken::default()).unwrap();
        let expected = lm.forward(&ids_tensor(&ids).unwrap(), &mut lm.new_cache(), &mut NoTap).unwrap();
        let expected = expected.squeeze(0).unwrap();
        let scale = values(&expected).into_iter().map(f32::abs).fold(1.0, f32::max);
        let off = max_abs_diff(&found, &expected) / scale;
        assert!(off < 2e-5, "{}: {off}", dir.display());
        assert_eq!(branch.len(), ids.len());
    }
}

#[test]
fn a_branch_is_cut_without_a_change() {
    let model = load_as(&crate::support::project("fixtures/models/tiny-llama"), Dtype::F32);
    let lm = &model.decoder;
    let ids = ids(12, 5, model.config.d_vocab);
    let expected = alone(lm, &ids);
    let mut head = [(Branch::root(lm), &ids[..4])];
    run(lm, &mut head);
    let [(head, _)] = head;
    let mut both = [(Branch::after(&Arc::new(head)), &ids[4..9])];
    run(lm, &mut both);
    let [(both, _)] = both;
    let both = Arc::new(both);
    for cut in 1..=9 {
        let mut rest = [(Branch::after(&both.cut(cut).unwrap()), &ids[cut..])];
        assert_eq!(run(lm, &mut rest).remove(0), expected[cut..], "{cut}");
        assert_eq!(rest[0].0.len(), 12);
    }
    assert!(both.bytes() > 0 && !both.is_empty());
}

#[test]
fn what_is_too_long_or_cancelled_is_refused() {
    let model = load_as(&crate::support::project("fixtures/models/tiny-llama"), Dtype::F32);
    let lm = &model.decoder;
    let ids = ids(model.config.n_ctx + 1, 5, model.config.d_vocab);
    let cancel = CancelToken::default();
    let refused = |ids: &[u32]| {
        let mut branch = Branch::root(lm);
        lm.forward_all(&mut [Stretch { ids, branch: &mut branch }], &cancel).unwrap_err()
    };
    assert!(matches!(refused(&ids), Error::TooLong { .. }));
    cancel.cancel();
    assert!(matches!(refused(&ids[..3]), Error::Cancelled));
}
