//! The same input gives the same bits, whatever the number of threads.

use std::fs;
use std::path::Path;

use super::runner::lmscope_with;
use crate::support::project;

const PROMPT: &str = "The cat sat on a mat. The dog looked at the cat, and the cat looked at the dog: 17 + 25 = 42.";
const THREADS: [&str; 3] = ["1", "2", "3"];

/// What is printed, and the file that is written, by so many threads.
fn outputs(model: &[&str], threads: &str, dir: &Path) -> [Vec<u8>; 2] {
    let variables = [("RAYON_NUM_THREADS", threads)];
    let file = dir.join(format!("{threads}.safetensors"));
    let predict = ["predict", PROMPT, "--steps", "3", "--format", "json"];
    let printed = lmscope_with(&[&predict, model].concat(), &variables).ok();
    let trace = ["trace", PROMPT, "--hooks", "*", "-o", file.to_str().unwrap()];
    let traced = lmscope_with(&[&trace, model].concat(), &variables);
    assert_eq!(traced.status, 0, "{}", traced.stderr);
    [printed.into_bytes(), fs::read(&file).unwrap()]
}

fn check(model: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let of_one = outputs(model, THREADS[0], dir.path());
    for threads in &THREADS[1..] {
        let found = outputs(model, threads, dir.path());
        assert!(of_one[0] == found[0], "{model:?}: predict differs with {threads} threads");
        assert!(of_one[1] == found[1], "{model:?}: trace differs with {threads} threads");
    }
}

#[test]
fn the_embedded_model_answers_the_same_bits_on_any_number_of_threads() {
    check(&["-m", "slide"]);
}

#[test]
fn a_gguf_model_answers_the_same_bits_on_any_number_of_threads() {
    let model = project("fixtures/models/tiny-llama-gguf/model.gguf");
    for more in [&[][..], &["--fast"]] {
        check(&[&["-m", model.to_str().unwrap()], more].concat());
    }
}
