//! The hub and its cache, against a server on this machine.

mod cache;
mod datasets;
mod pull;
mod refusals;
mod server;

use std::path::{Path, PathBuf};

use self::server::{COMMIT, Server};
use crate::cli::runner::{Run, lmscope_with};
use crate::support::project;

/// A token that must only ever reach the server it is for.
const TOKEN: &str = "hf_secret";

/// A cache of its own, and perhaps a server.
struct Home {
    dir: tempfile::TempDir,
    endpoint: String,
}

impl Home {
    /// An empty cache, filled from `server`.
    fn of(server: &Server) -> Self {
        Self { dir: tempfile::tempdir().unwrap(), endpoint: server.url.clone() }
    }

    /// An empty cache, and an address where nobody listens.
    fn without_server() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), endpoint: "http://127.0.0.1:9".into() }
    }

    fn run(&self, args: &[&str]) -> Run {
        self.run_with(args, &[("HF_TOKEN", TOKEN)])
    }

    fn run_with(&self, args: &[&str], more: &[(&str, &str)]) -> Run {
        let home = self.dir.path().to_str().unwrap();
        let variables = [&[("HF_HOME", home), ("HF_ENDPOINT", &self.endpoint)], more].concat();
        lmscope_with(args, &variables)
    }

    fn repo(&self) -> PathBuf {
        self.dir.path().join("hub/models--tests--tiny")
    }

    fn snapshot(&self) -> PathBuf {
        self.repo().join("snapshots").join(COMMIT)
    }

    /// The names in a folder of the repository, sorted.
    fn names(&self, folder: &str) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.repo().join(folder)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

/// A directory of the fixtures.
fn tiny(name: &str) -> PathBuf {
    project("fixtures/models").join(name)
}

/// The steps that `predict` prints, without the model's name.
fn steps(run: Run) -> serde_json::Value {
    let json: serde_json::Value = serde_json::from_str(&run.ok()).unwrap();
    json["steps"].clone()
}

/// The arguments of a prediction as JSON.
fn predict(model: &str) -> [&str; 6] {
    ["predict", "The cat", "-m", model, "--format", "json"]
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
