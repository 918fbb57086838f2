use super::*;
use crate::engine::{Loaded, open};
use crate::model::load::load_directory;
use crate::model::source::ModelSource;
use crate::model::{LoadOptions, Loading};
use proptest::prelude::*;
use std::sync::OnceLock;

fn model() -> &'static Loaded {
    static MODEL: OnceLock<Loaded> = OnceLock::new();
    MODEL.get_or_init(|| {
        let loading = Loading { options: LoadOptions::default(), cancel: CancelToken::default(), progress: &|_, _| () };
        open(&ModelSource::default(), &loading).unwrap()
    })
}

fn logits(remembered: &mut Remembered, ids: &[u32]) -> Vec<Vec<f32>> {
    let rows = remembered.rows(&model().decoder, ids, &CancelToken::default()).unwrap();
    rows.iter().map(|row| row.logits.clone()).collect()
}

/// The logits when `ids` are run in these pieces, each after the last, with nothing else remembered.
fn fresh(ids: &[u32], ends: &[usize]) -> Vec<Vec<f32>> {
    let lm = &model().decoder;
    let (mut cache, mut out, mut start) = (lm.new_cache(), Vec::new(), 0);
    for &end in ends {
        let rows = run(lm, &ids[start..end], &mut cache, &CancelToken::default()).unwrap();
        out.extend(rows.iter().map(|row| row.logits.clone()));
        start = end;
    }
    out
}

/// The largest difference of two logits, as a share of the largest logit of its row: what rounding is proportional to.
fn furthest(a: &[Vec<f32>], b: &[Vec<f32>]) -> f32 {
    let of_row = |(a, b): (&Vec<f32>, &Vec<f32>)| {
        let largest = a.iter().fold(1.0, |most: f32, logit| most.max(logit.abs()));
        a.iter().zip(b).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f32::max)
    };
    a.iter().zip(b).map(of_row).fold(0.0, f32::max)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_path_through_the_tree_says_what_a_fresh_run_says(
        root in prop::collection::vec(1u32..400, 1..6),
        steps in prop::collection::vec((0usize..8, prop::collection::vec(1u32..400, 1..4)), 1..6),
    ) {
        let mut remembered = Remembered::default();
        let mut paths = vec![root];
        logits(&mut remembered, &paths[0]);
        for (from, tokens) in steps {
            let mut path = paths[from % paths.len()].clone();
            path.extend(tokens);
            let found = logits(&mut remembered, &path);
            let whole = fresh(&path, &[path.len()]);
            prop_assert_eq!(found.len(), path.len());
            prop_assert!(furthest(&whole, &found) < 1e-5, "{}", furthest(&whole, &found));
            paths.push(path);
        }
    }
}

#[test]
fn only_new_tokens_are_run_and_the_same_pieces_give_the_same_bits() {
    let mut remembered = Remembered::default();
    let path = [5, 6, 7, 8, 9, 10];
    for end in [3, 4, 6] {
        logits(&mut remembered, &path[..end]);
    }
    assert_eq!(remembered.n_run, 6);
    assert_eq!(logits(&mut remembered, &path), fresh(&path, &[3, 4, 6]), "bit for bit");
    assert_eq!(logits(&mut remembered, &path[..2]), fresh(&path, &[3, 4, 6])[..2]);
    assert_eq!(remembered.n_run, 6, "all of it was known");
    let branch = [5, 6, 7, 20];
    assert_eq!(logits(&mut remembered, &branch), fresh(&branch, &[3, 4]), "a sibling starts from its parent");
    assert_eq!(remembered.n_run, 7);
}

#[test]
fn positions_that_turn_by_the_length_are_run_anew() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/architectures/llama-dynamic");
    let loading = Loading { options: LoadOptions::default(), cancel: CancelToken::default(), progress: &|_, _| () };
    let lm = load_directory(&ModelSource::Directory(folder), &loading).unwrap().decoder;
    let ids: Vec<u32> = (1..8).cycle().take(lm.config().n_ctx).collect();
    assert!(lm.config().rotation_depends_on_length(ids.len()), "else this says nothing");
    let mut remembered = Remembered::default();
    let mut rows = |ids: &[u32]| remembered.rows(&lm, ids, &CancelToken::default()).unwrap();
    rows(&ids[..ids.len() - 1]);
    let found: Vec<Vec<f32>> = rows(&ids).iter().map(|row| row.logits.clone()).collect();
    let whole = run(&lm, &ids, &mut lm.new_cache(), &CancelToken::default()).unwrap();
    let whole: Vec<Vec<f32>> = whole.iter().map(|row| row.logits.clone()).collect();
    assert_eq!(found, whole);
}

#[test]
fn what_was_used_longest_ago_is_forgotten() {
    let mut remembered = Remembered::default();
    logits(&mut remembered, &[1, 2, 3]);
    let one = remembered.bytes();
    remembered.limit = 2 * one;
    logits(&mut remembered, &[11, 12, 13]);
    logits(&mut remembered, &[1, 2, 3]);
    logits(&mut remembered, &[21, 22, 23]);
    assert!(remembered.bytes() <= remembered.limit);
    let kept: Vec<u32> = remembered.entries.iter().map(|entry| entry.ids[0]).collect();
    assert_eq!(kept, [1, 21]);
    remembered.limit = one - 1;
    logits(&mut remembered, &[31, 32, 33]);
    assert!(remembered.entries.is_empty() && remembered.bytes() == 0, "the bound holds for a single run as well");
}

#[test]
fn ranks_and_logarithms_are_those_of_the_whole_distribution() {
    let row = Row::new(vec![0.5, 2.0, -1.0, 2.0, 0.0]);
    for id in 0..5 {
        let expected = next_token(&row.logits, 2, Some(id)).unwrap();
        assert_eq!(row.next(2, Some(id)).unwrap(), expected);
    }
    assert_eq!(row.next(4, None).unwrap(), next_token(&row.logits, 4, None).unwrap());
}
