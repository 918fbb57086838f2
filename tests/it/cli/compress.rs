//! `lmscope compress` and `lmscope decompress`: what goes in comes out, byte for byte, or is refused.

use std::fs;
use std::path::{Path, PathBuf};

use super::runner::{Run, lmscope, lmscope_with};
use crate::support::project;

/// 300 sentences or so of many kinds, longer than the context of the embedded model.
fn text() -> String {
    let sentences =
        "The cat sat on a mat. 12 + 30 = 42. Tom Cruise's mother is Mary Lee Pfeiffer.\n\tКот сидит на коврике. 🐈 ";
    (0..12).map(|n| format!("{n}: {sentences}")).collect::<Vec<_>>().concat()
}

fn write(dir: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let file = dir.join(name);
    fs::write(&file, bytes).unwrap();
    file
}

fn compress(file: &Path, more: &[&str]) -> Run {
    lmscope(&[&["compress", file.to_str().unwrap()], more].concat())
}

fn decompress(file: &Path, to: &Path, more: &[&str]) -> Run {
    lmscope(&[&["decompress", file.to_str().unwrap(), "-o", to.to_str().unwrap()], more].concat())
}

/// `notes.txt.lmz` beside `notes.txt`.
fn packed(file: &Path) -> PathBuf {
    PathBuf::from(format!("{}.lmz", file.display()))
}

#[test]
fn a_text_comes_back_and_is_smaller_by_the_model_that_knows_it() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "notes.txt", text().as_bytes());
    let printed = compress(&file, &[]).ok();
    for column in ["slide", "zip", "xz", "zstd", "bits per byte"] {
        assert!(printed.contains(column), "{printed}");
    }
    let again = dir.path().join("again.txt");
    assert_eq!(decompress(&packed(&file), &again, &[]).ok().trim(), again.to_str().unwrap());
    assert_eq!(fs::read(&again).unwrap(), text().as_bytes());
    // without -o the ending goes
    fs::remove_file(&file).unwrap();
    lmscope(&["decompress", packed(&file).to_str().unwrap()]).ok();
    assert_eq!(fs::read(&file).unwrap(), text().as_bytes());
}

#[test]
fn any_number_of_threads_reads_what_any_number_wrote() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for threads in ["1", "3"] {
        let file = write(dir.path(), threads, text().as_bytes());
        lmscope_with(&["compress", file.to_str().unwrap(), "--window", "64"], &[("RAYON_NUM_THREADS", threads)]).ok();
        files.push(packed(&file));
    }
    assert_eq!(fs::read(&files[0]).unwrap(), fs::read(&files[1]).unwrap());
    for (file, threads) in [(&files[0], "3"), (&files[1], "1")] {
        let to = dir.path().join(format!("by-{threads}"));
        let args = ["decompress", file.to_str().unwrap(), "-o", to.to_str().unwrap()];
        lmscope_with(&args, &[("RAYON_NUM_THREADS", threads)]).ok();
        assert_eq!(fs::read(&to).unwrap(), text().as_bytes());
    }
}

#[test]
fn other_models_and_other_arithmetic_do_it_too() {
    let dir = tempfile::tempdir().unwrap();
    let text = text();
    let text = &text.as_bytes()[..150];
    for (name, more) in
        [("models/tiny-gpt2", vec![]), ("slide/base", vec!["--dtype", "f64"]), ("slide/chat", vec!["--dtype", "bf16"])]
    {
        let model = project("fixtures").join(name);
        let file = write(dir.path(), &name.replace('/', "-"), text);
        let more = [vec!["-m", model.to_str().unwrap()], more].concat();
        compress(&file, &more).ok();
        let to = dir.path().join(format!("{}.again", name.replace('/', "-")));
        decompress(&packed(&file), &to, &more).ok();
        assert_eq!(fs::read(&to).unwrap(), text, "{name}");
    }
}

#[test]
fn what_is_no_text_is_stored_as_it_is_and_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes, is_raw) in [("image", &b"\x89PNG\x00\xff"[..], true), ("empty", b"", false)] {
        let file = write(dir.path(), name, bytes);
        let run = compress(&file, &[]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert_eq!(run.stderr.contains("is stored as it is: it is no UTF-8"), is_raw, "{}", run.stderr);
        let to = dir.path().join(format!("{name}.again"));
        decompress(&packed(&file), &to, &[]).ok();
        assert_eq!(fs::read(&to).unwrap(), bytes);
    }
}

#[test]
fn another_model_another_arithmetic_and_damage_are_refused_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "notes.txt", text().as_bytes());
    compress(&file, &[]).ok();
    let to = dir.path().join("again.txt");
    for (more, name) in [(vec!["-m", "slide-chat"], "`slide-chat, "), (vec!["--dtype", "bf16"], "bf16")] {
        let error = decompress(&packed(&file), &to, &more).refused();
        assert!(error.contains("compressed with `slide, ") && error.contains(name), "{error}");
    }
    let error = decompress(&file, &to, &[]).refused();
    assert!(error.contains("it begins with") && error.contains("lmscope compress FILE"), "{error}");
    let mut bytes = fs::read(packed(&file)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let damaged = write(dir.path(), "damaged.lmz", &bytes);
    let error = decompress(&damaged, &to, &[]).refused();
    assert!(error.contains("SHA-256") || error.contains("stands for nothing"), "{error}");
    let cut = write(dir.path(), "cut.lmz", &bytes[..20]);
    assert!(decompress(&cut, &to, &[]).refused().contains("is missing or out of range"));
    assert!(!to.exists());
}

#[test]
fn no_file_is_overwritten_and_no_name_is_guessed() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(dir.path(), "notes.txt", b"The cat sat on a mat.");
    compress(&file, &[]).ok();
    let error = compress(&file, &[]).refused();
    assert!(error.contains("cannot write") && error.contains("notes.txt.lmz"), "{error}");
    let error = decompress(&packed(&file), &file, &[]).refused();
    assert!(error.contains("cannot write"), "{error}");
    let other = write(dir.path(), "other", &fs::read(packed(&file)).unwrap());
    assert!(lmscope(&["decompress", other.to_str().unwrap()]).refused().contains("say where to write with -o"));
    let error = compress(&dir.path().join("none"), &[]).refused();
    assert!(error.contains("cannot read") && error.contains("none"), "{error}");
}
