//! The exercises of `evals/system-1-2` and `evals/self-improvement`: drawn from a seed, by this file.

use std::collections::BTreeSet;
use std::fs;

use rand::Rng as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::support::project;

/// An operation, digits, and how many exercises there are.
type Kind = (&'static str, u32, usize);

/// How many exercises each suite has of each kind.
const SUITES: &[(&str, u64, &[Kind])] = &[
    (
        "system-1-2",
        12,
        &[
            ("sum", 1, 20),
            ("sum", 2, 20),
            ("sum", 3, 20),
            ("sum", 4, 20),
            ("sum", 5, 20),
            ("product", 1, 20),
            ("product", 2, 20),
            ("product", 3, 20),
            ("product", 4, 20),
            ("product", 5, 20),
        ],
    ),
    (
        "self-improvement",
        13,
        &[("sum", 1, 20), ("sum", 2, 20), ("sum", 3, 20), ("sum", 4, 20), ("product", 1, 20), ("product", 2, 20)],
    ),
];

/// The pairs that the dialogues of `slide-chat` leave out; `fixtures/slide/train/corpus.rs` has the same rule, and its
/// tests compare it with the files.
fn held_out(a: u32, b: u32) -> bool {
    let key = a.min(b).wrapping_mul(1000).wrapping_add(a.max(b));
    let mixed = (key ^ (key >> 7)).wrapping_mul(2_654_435_761);
    (mixed >> 16) % 10 < 3
}

fn lines(seed: u64, kinds: &[(&str, u32, usize)]) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut lines = String::new();
    for &(operation, digits, count) in kinds {
        let (low, high) = if digits == 1 { (1, 9) } else { (10u32.pow(digits - 1), 10u32.pow(digits) - 1) };
        let mut number = || low + u32::try_from(rng.next_u64() % u64::from(high - low + 1)).unwrap();
        let mut drawn = BTreeSet::new();
        while drawn.len() < count {
            let (a, b) = (number(), number());
            if (digits > 1 && !held_out(a, b)) || !drawn.insert((a.min(b), a.max(b))) {
                continue;
            }
            let n = drawn.len();
            lines += &format!(
                r#"{{"id": "{operation}-{digits}-{n:02}", "kind": "{operation}-{digits}", "operation": "{operation}", "digits": {digits}, "a": {a}, "b": {b}}}"#
            );
            lines.push('\n');
        }
    }
    lines
}

#[test]
fn the_exercises_are_those_of_the_seed() {
    for (name, seed, kinds) in SUITES {
        let path = project(&format!("evals/{name}/items.jsonl"));
        let drawn = lines(*seed, kinds);
        if std::env::var_os("LMSCOPE_WRITE_DOCS").is_some() {
            fs::write(&path, &drawn).unwrap();
        }
        assert!(fs::read_to_string(&path).unwrap() == drawn, "{name}: LMSCOPE_WRITE_DOCS=1 draws the file anew");
    }
}
