//! Directories that are no models, and paths that are no files.

use std::fs;
use std::path::Path;
#[cfg(unix)]
use std::{os::unix::fs::symlink, path::PathBuf, process::Command};

use super::model::{Case, Model};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";

pub(super) fn cases(root: &Path) -> Vec<Case> {
    let model = Model::good("models/tiny-llama");
    let case = |name: &str, model: Model, names| model.case(root, &format!("directory-{name}"), names);
    let with_directory = |name: &str, file: &'static str| {
        let case = case(name, model.clone().without(file), file);
        fs::create_dir(case.path.join(file)).unwrap();
        case
    };
    let text = root.join("directory-a-text.txt");
    fs::write(&text, "a text").unwrap();
    let empty = root.join("directory-empty");
    fs::create_dir(&empty).unwrap();
    let pickle = model.clone().without(WEIGHTS).with("pytorch_model.bin", *b"\x80\x02}");
    let cases = vec![
        Case::new("directory-empty", empty, "no config.json").traced(),
        Case::new("directory-a-text", text.clone(), "GGUF"),
        Case::new("directory-inside-a-file", text.join("model"), "directory-a-text.txt"),
        case("without-a-configuration", model.clone().without(CONFIG), "no config.json"),
        case("without-weights", model.clone().without(WEIGHTS), "no model.safetensors"),
        case("of-a-pickle", pickle, "pytorch_model.bin"),
        with_directory("whose-weights-are-a-directory", WEIGHTS),
        with_directory("whose-configuration-is-a-directory", CONFIG),
        with_directory("whose-tokenizer-is-a-directory", "tokenizer.json"),
        Case::new(
            "directory-weights-alone",
            case("of-weights", model.clone(), "").path.join(WEIGHTS),
            "directory around",
        ),
    ];
    #[cfg(unix)]
    let cases = cases.into_iter().chain(of_unix(root, &model)).collect();
    cases
}

/// Links, pipes, devices and permissions.
#[cfg(unix)]
fn of_unix(root: &Path, model: &Model) -> Vec<Case> {
    let linked = |name: &str, file: &'static str, to: &Path| {
        let case = model.clone().without(file).case(root, &format!("directory-{name}"), file);
        symlink(to, case.path.join(file)).unwrap();
        case
    };
    let pipe = |path: PathBuf| {
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        path
    };
    let in_a_pipe = model.clone().without(WEIGHTS).case(root, "directory-whose-weights-are-a-pipe", "a pipe");
    pipe(in_a_pipe.path.join(WEIGHTS));
    let round = root.join("directory-link-to-itself");
    symlink(&round, &round).unwrap();
    let mut cases = vec![
        linked("whose-configuration-links-to-itself", CONFIG, Path::new(CONFIG)),
        linked("whose-weights-link-to-themselves", WEIGHTS, Path::new(WEIGHTS)),
        linked("whose-weights-link-nowhere", WEIGHTS, Path::new("nowhere")),
        linked("whose-weights-are-a-device", WEIGHTS, Path::new("/dev/zero")),
        in_a_pipe,
        Case::new("directory-a-pipe", pipe(root.join("directory-a-pipe.gguf")), "a pipe"),
        Case::new("directory-a-device", "/dev/zero".into(), "/dev/zero"),
        Case::new("directory-link-to-itself", round, "directory-link-to-itself"),
    ];
    // whoever may read everything cannot be refused
    let locked = model.case(root, "directory-whose-weights-may-not-be-read", WEIGHTS);
    let file = locked.path.join(WEIGHTS);
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
    if fs::File::open(&file).is_err() {
        cases.push(locked);
    }
    cases
}
