//! What `pull` fetches, and how it goes on after a break.

use std::ffi::OsString;
use std::fs;

use lmscope::hub::{self, Error, ModelName, PullEvent, Settings, Watch};

use super::server::{COMMIT, Fault, Repo, Server};
use super::{Home, TOKEN, predict, steps, text, tiny};
use crate::cli::runner::lmscope;

#[test]
fn a_fetched_model_predicts_as_its_directory_does() {
    let server = Server::start(Repo::of(&tiny("tiny-llama")).with("pytorch_model.bin", b"never read"));
    let home = Home::of(&server);
    let lines = home.run(&["pull", "tests/tiny"]).ok();
    let files = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"];
    assert_eq!(home.names(&format!("snapshots/{COMMIT}")), files);
    assert_eq!(fs::read_to_string(home.repo().join("refs/main")).unwrap(), COMMIT);
    assert_eq!(lines.lines().count(), files.len(), "{lines}");
    assert!(lines.contains("model.safetensors  144.08 kB  fetched\n"), "{lines}");
    let expected = steps(lmscope(&predict(text(&tiny("tiny-llama")))));
    server.seen();
    for model in ["tests/tiny", "hf://tests/tiny", "tests/tiny@main", "hf://tests/tiny@0123456"] {
        assert_eq!(steps(home.run(&predict(model))), expected, "{model}");
    }
    assert!(server.seen().is_empty(), "only pull uses the network");
    let info = home.run(&["info", "-m", "tests/tiny"]).ok();
    assert!(info.starts_with("model\n  name               tests/tiny\n"), "{info}");

    let again = home.run(&["pull", "tests/tiny"]).ok();
    assert_eq!(again.matches("already there").count(), files.len(), "{again}");
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    assert_eq!(paths, ["/api/models/tests/tiny/revision/main"]);
}

#[test]
fn only_the_shards_that_the_index_names_are_fetched() {
    let server = Server::start(Repo::of(&tiny("tiny-llama-rope3")).with("model-00003-of-00003.safetensors", b"no"));
    let home = Home::of(&server);
    home.run(&["pull", "tests/tiny"]).ok();
    let weights: Vec<String> = home.names(&format!("snapshots/{COMMIT}"));
    let weights: Vec<&String> = weights.iter().filter(|name| name.contains("safetensors")).collect();
    assert_eq!(
        weights,
        ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "model.safetensors.index.json"]
    );
    let expected = steps(lmscope(&predict(text(&tiny("tiny-llama-rope3")))));
    assert_eq!(steps(home.run(&predict("tests/tiny"))), expected);
}

#[test]
fn one_gguf_file_is_a_model() {
    let model = fs::read(tiny("tiny-llama-gguf").join("model.gguf")).unwrap();
    let repo = Repo::default().with("q/tiny.gguf", &model).with("other.gguf", b"GGUF").with("config.json", b"{}");
    let server = Server::start(repo);
    let home = Home::of(&server);
    let which = home.run(&["pull", "tests/tiny"]).refused();
    assert!(which.contains("2 GGUF files") && which.contains("lmscope pull tests/tiny other.gguf"), "{which}");
    let none = home.run(&["pull", "tests/tiny", "no.gguf"]).refused();
    assert!(none.contains("no no.gguf") && none.contains("q/tiny.gguf"), "{none}");
    home.run(&["pull", "tests/tiny", "q/tiny.gguf"]).ok();
    assert_eq!(home.names("blobs").len(), 1);
    let expected = steps(lmscope(&predict(text(&tiny("tiny-llama-gguf").join("model.gguf")))));
    for model in ["hf://tests/tiny/q/tiny.gguf", "tests/tiny"] {
        assert_eq!(steps(home.run(&predict(model))), expected, "{model}");
    }
    let models = home.run(&["models", "--format", "csv"]).ok();
    let line = format!("hf://tests/tiny/q/tiny.gguf,01234567,llama,gguf,{},yes", model.len() as f64 / 1e6);
    assert_eq!(models.lines().nth(1), Some(line.as_str()));
}

#[test]
fn a_transfer_that_broke_off_goes_on_where_it_stopped() {
    const HALF: usize = 70_000;
    let repo = Repo::of(&tiny("tiny-llama"));
    let broken = Server::start(repo.clone().failing(Fault::CutOff(HALF)));
    let mut home = Home::of(&broken);
    let error = home.run(&["pull", "tests/tiny"]);
    assert_eq!(error.status, 2);
    assert!(error.stderr.contains("broke off after 70000 of 144080 bytes"), "{}", error.stderr);
    assert!(error.stderr.contains("hint: run the same command again"), "{}", error.stderr);
    let incomplete = home.run(&predict("tests/tiny")).refused();
    assert!(incomplete.contains("no such model in the cache"), "{incomplete}");
    let models = home.run(&["models"]).ok();
    assert!(models.contains("tests/tiny@01234567") && models.contains("no: lacks model.safetensors"), "{models}");

    for fault in [Fault::None, Fault::NoRanges] {
        let server = Server::start(repo.clone().failing(fault));
        home.endpoint.clone_from(&server.url);
        let parts = home.names("blobs").into_iter().filter(|name| name.ends_with(".incomplete"));
        assert_eq!(parts.count(), 1);
        let lines = home.run(&["pull", "tests/tiny"]).ok();
        let ranges: Vec<_> = server.seen().into_iter().filter_map(|seen| seen.range).collect();
        assert_eq!(ranges, ["bytes=70000-"; 2], "the hub and where it sends to");
        assert!(lines.contains("already there"), "{lines}");
        let fetched = fs::read(home.snapshot().join("model.safetensors")).unwrap();
        assert_eq!(fetched, repo.files["model.safetensors"]);
        // and once more from a part, at a server that only gives all of it
        let blob = fs::canonicalize(home.snapshot().join("model.safetensors")).unwrap();
        fs::remove_file(home.snapshot().join("model.safetensors")).unwrap();
        fs::write(blob.with_extension("incomplete"), &fetched[..HALF]).unwrap();
        fs::remove_file(blob).unwrap();
    }
}

/// Cancels when the first bytes have come.
#[derive(Default)]
struct Impatient {
    received: u64,
}

impl Watch for Impatient {
    fn event(&mut self, event: PullEvent<'_>) {
        if let PullEvent::Received { bytes } = event {
            self.received += bytes;
        }
    }

    fn is_cancelled(&self) -> bool {
        // the configuration and the tokenizer have 7880 bytes
        self.received > 8000
    }
}

#[test]
fn what_has_come_before_a_cancellation_is_kept() {
    let server = Server::start(Repo::of(&tiny("tiny-llama")));
    let home = Home::of(&server);
    let variables = [("HF_HOME", text(home.dir.path())), ("HF_ENDPOINT", &server.url)];
    let settings =
        Settings::read(&|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value)));
    let name = ModelName::parse("tests/tiny").unwrap();
    let mut watch = Impatient::default();
    assert!(matches!(hub::pull(&settings, &name, &mut watch), Err(Error::Cancelled)));
    server.seen();
    let lines = home.run(&["pull", "tests/tiny"]).ok();
    assert!(lines.contains("model.safetensors  144.08 kB  fetched from "), "{lines}");
    let part = watch.received - 7880;
    assert!(server.seen().iter().any(|seen| seen.range == Some(format!("bytes={part}-"))));
}

#[test]
fn the_token_stays_with_its_server() {
    let repo = Repo::of(&tiny("tiny-llama"));
    let other = Server::start(repo.clone());
    let server = Server::start(Repo { cdn: Some(other.url.clone()), fault: Fault::Renamed, ..repo });
    let home = Home::of(&server);
    home.run(&["pull", "tests/tiny"]).ok();
    let bearer = Some(format!("Bearer {TOKEN}"));
    let seen = server.seen();
    assert!(seen.iter().any(|seen| seen.path.starts_with("/renamed/tests/tiny/resolve")));
    assert!(seen.iter().all(|seen| seen.authorization == bearer), "{seen:?}");
    let elsewhere = other.seen();
    assert_eq!(elsewhere.len(), 1);
    assert!(elsewhere.iter().all(|seen| seen.method == "GET" && seen.authorization.is_none()), "{elsewhere:?}");
    assert!(home.snapshot().join("model.safetensors").exists());
}
