//! What the cache holds.

use std::fs;
use std::path::Path;

use super::cache::{Cache, Found, RepoDir, files_below, missing};
use super::error::Error;
use super::files::{self, Weights};
use super::name::{DEFAULT_REVISION, ModelName, RepoId};

/// A model in the cache, or a part of one.
#[derive(Debug, Clone)]
pub struct Cached {
    /// Its name, as `--model` takes it.
    pub name: ModelName,
    /// The commit.
    pub commit: String,
    /// How its weights are stored.
    pub format: Format,
    /// Where it is, if it is complete.
    pub found: Option<Found>,
    /// Its folder.
    pub snapshot: std::path::PathBuf,
    /// What is missing.
    pub lacks: Vec<String>,
    /// Bytes on disk; a blob that two revisions share counts in both.
    pub bytes: u64,
}

/// How weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Safetensors, one file or shards.
    Safetensors,
    /// GGUF.
    Gguf,
    /// Files that can run code, which are never read.
    Pickle,
    /// There are none.
    Absent,
}

impl Format {
    /// The word for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Gguf => "gguf",
            Self::Pickle => "pickle",
            Self::Absent => "none",
        }
    }
}

impl Cache {
    /// Every revision of every model, each GGUF file by itself, sorted by name.
    ///
    /// # Errors
    /// [`Error::Disk`] if the cache is there and cannot be read.
    pub fn list(&self) -> Result<Vec<Cached>, Error> {
        let mut models = Vec::new();
        for folder in folders(self.dir())? {
            let Some(repo) = RepoId::of_folder(&folder) else { continue };
            let dir = self.repo(&repo);
            let main = dir.commit(DEFAULT_REVISION);
            for commit in folders(&dir.snapshots())? {
                let revision = (main.as_ref() != Some(&commit)).then(|| short(&commit).to_owned());
                let name = ModelName { repo: repo.clone(), revision, file: None };
                models.extend(revision_of(&name, &commit, &dir));
            }
        }
        models.sort_by_cached_key(|model| model.name.to_string());
        Ok(models)
    }
}

/// A commit, as short as people write it.
pub(super) fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

/// The names of the folders in a folder, which need not exist.
fn folders(dir: &Path) -> Result<Vec<String>, Error> {
    if !dir.exists() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(dir).map_err(Error::disk(dir))?;
    let folders = entries.flatten().filter(|entry| entry.path().is_dir());
    Ok(folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// The models of one revision.
fn revision_of(name: &ModelName, commit: &str, dir: &RepoDir) -> Vec<Cached> {
    let snapshot = dir.snapshot(commit);
    let files = files_below(&snapshot);
    let gguf = files::gguf(&files);
    let size = |file: &String| snapshot.join(file).metadata().map_or(0, |meta| meta.len());
    let one = |file: &String| Cached {
        name: ModelName { file: Some(file.clone()), ..name.clone() },
        commit: commit.to_owned(),
        format: Format::Gguf,
        found: Some(Found::Gguf(snapshot.join(file))),
        snapshot: snapshot.clone(),
        lacks: Vec::new(),
        bytes: size(file),
    };
    let mut models: Vec<Cached> = gguf.iter().map(one).collect();
    let format = match files::weights(&files) {
        Weights::Gguf(_) => return models,
        Weights::Single | Weights::Sharded => Format::Safetensors,
        Weights::Pickles(_) => Format::Pickle,
        Weights::Absent => Format::Absent,
    };
    let lacks = missing(&snapshot, &files);
    let parts = if lacks.is_empty() { 0 } else { dir.bytes_of_parts() };
    models.push(Cached {
        name: name.clone(),
        commit: commit.to_owned(),
        format,
        found: lacks.is_empty().then(|| Found::Directory(snapshot.clone())),
        bytes: files.iter().filter(|file| !gguf.contains(file)).map(size).sum::<u64>() + parts,
        snapshot,
        lacks,
    });
    models
}
