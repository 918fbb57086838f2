//! The cache on disk, as `huggingface_hub` lays it out: blobs by checksum, snapshots of links to them, refs to commits.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::error::Error;
use super::files::{self, INDEX, NEEDED, SINGLE, Weights};
use super::name::{ModelName, RepoId, is_safe_path};

/// A folder with a folder for every repository.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
}

/// A complete model in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A directory with configuration, tokenizer and weights.
    Directory(PathBuf),
    /// One GGUF file.
    Gguf(PathBuf),
}

impl Cache {
    /// The cache at `dir`, which need not exist.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// Where it is.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Looks for a model. Nothing is fetched.
    ///
    /// # Errors
    /// What is missing, with the command that fetches it.
    pub fn find(&self, name: &ModelName) -> Result<Found, Error> {
        let absent = || Error::NotCached { name: name.clone(), cache: self.dir.clone() };
        let repo = self.repo(&name.repo);
        let snapshot = repo.snapshot(&repo.commit(name.revision()).ok_or_else(absent)?);
        if let Some(file) = &name.file {
            let path = snapshot.join(file);
            return if path.is_file() { Ok(Found::Gguf(path)) } else { Err(absent()) };
        }
        let files = files_below(&snapshot);
        match files::weights(&files) {
            Weights::Gguf(found) => match found.as_slice() {
                [file] => Ok(Found::Gguf(snapshot.join(file))),
                _ => Err(Error::WhichGguf { name: name.clone(), found }),
            },
            Weights::Pickles(found) => Err(Error::OnlyPickles { name: name.clone(), found }),
            Weights::Single | Weights::Sharded | Weights::Absent => {
                let lacks = missing(&snapshot, &files);
                if lacks.is_empty() {
                    return Ok(Found::Directory(snapshot));
                }
                Err(Error::Incomplete { name: name.clone(), lacks })
            }
        }
    }

    /// The name of the model whose snapshot a directory is, for people.
    pub fn name_of(snapshot: &Path) -> Option<String> {
        let snapshots = snapshot.parent().filter(|parent| parent.ends_with("snapshots"))?;
        let folder = snapshots.parent()?.file_name()?.to_str()?;
        RepoId::of_folder(folder).map(|repo| repo.as_str().to_owned())
    }

    /// The folder of a repository.
    pub(super) fn repo(&self, repo: &RepoId) -> RepoDir {
        RepoDir { root: self.dir.join(repo.folder()), locks: self.dir.join(".locks").join(repo.folder()) }
    }
}

/// The files below a snapshot that are really there, by their paths with `/`: a link to a missing blob is no file.
pub(super) fn files_below(snapshot: &Path) -> BTreeSet<String> {
    let mut files = BTreeSet::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(snapshot.join(&folder)) else { continue };
        for entry in entries.flatten() {
            let inner = folder.join(entry.file_name());
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(inner);
            } else if entry.path().is_file() {
                let parts: Vec<_> = inner.iter().map(|part| part.to_string_lossy()).collect();
                files.insert(parts.join("/"));
            }
        }
    }
    files
}

/// What a snapshot lacks to be a model directory.
pub(super) fn missing(snapshot: &Path, files: &BTreeSet<String>) -> Vec<String> {
    let mut needed: Vec<String> = NEEDED.iter().map(ToString::to_string).collect();
    if files.contains(INDEX) && !files.contains(SINGLE) {
        let shards = fs::read(snapshot.join(INDEX)).ok().and_then(|index| files::shards(&index).ok());
        needed.extend(shards.unwrap_or_else(|| [SINGLE.to_owned()].into()));
    } else {
        needed.push(SINGLE.to_owned());
    }
    needed.retain(|file| !files.contains(file));
    needed
}

/// The folder of one repository.
pub(super) struct RepoDir {
    root: PathBuf,
    locks: PathBuf,
}

impl RepoDir {
    /// A finished file.
    pub(super) fn blob(&self, checksum: &str) -> PathBuf {
        self.root.join("blobs").join(checksum)
    }

    /// The part of a file that has arrived.
    pub(super) fn part(&self, checksum: &str) -> PathBuf {
        self.root.join("blobs").join(format!("{checksum}.incomplete"))
    }

    /// What is locked while a file is fetched; the place that `huggingface_hub` locks.
    pub(super) fn lock(&self, checksum: &str) -> PathBuf {
        self.locks.join(format!("{checksum}.lock"))
    }

    /// The files of a commit.
    pub(super) fn snapshot(&self, commit: &str) -> PathBuf {
        self.snapshots().join(commit)
    }

    /// The folder of all snapshots.
    pub(super) fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// The bytes of all parts.
    pub(super) fn bytes_of_parts(&self) -> u64 {
        let entries = fs::read_dir(self.root.join("blobs")).into_iter().flatten().flatten();
        let parts = entries.filter(|entry| entry.path().extension().is_some_and(|name| name == "incomplete"));
        parts.filter_map(|part| part.metadata().ok()).map(|part| part.len()).sum()
    }

    /// The commit of a branch, a tag, a commit or the beginning of one, if a snapshot of it is here.
    pub(super) fn commit(&self, revision: &str) -> Option<String> {
        let named = fs::read_to_string(self.reference(revision)).ok();
        let commit = named.map_or_else(|| revision.to_owned(), |commit| commit.trim().to_owned());
        if is_safe_path(&commit) && !commit.contains('/') && self.snapshot(&commit).is_dir() {
            return Some(commit);
        }
        self.abbreviated(revision)
    }

    /// The one snapshot whose commit begins so.
    fn abbreviated(&self, revision: &str) -> Option<String> {
        const SHORTEST: usize = 7;
        let entries = fs::read_dir(self.snapshots()).ok()?;
        let names = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned());
        let found: Vec<String> = names.filter(|name| name.starts_with(revision)).collect();
        <[String; 1]>::try_from(found).ok().filter(|_| revision.len() >= SHORTEST).map(|[commit]| commit)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.root.join("refs").join(revision)
    }

    /// Notes which commit a branch or tag is at.
    pub(super) fn set_reference(&self, revision: &str, commit: &str) -> Result<(), Error> {
        let path = self.reference(revision);
        let new = self.root.join(format!(".ref-{commit}"));
        make_parent(&path)?;
        fs::write(&new, commit).and_then(|()| fs::rename(&new, &path)).map_err(Error::disk(path))
    }

    /// Makes `file` of a snapshot lead to a blob.
    pub(super) fn link(&self, commit: &str, file: &str, checksum: &str) -> Result<(), Error> {
        let path = self.snapshot(commit).join(file);
        make_parent(&path)?;
        let up = "../".repeat(2 + file.matches('/').count());
        let target = PathBuf::from(format!("{up}blobs/{checksum}"));
        // whatever is in the way is a link to a blob that is gone
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(Error::disk(path)(error)),
            _ => {}
        }
        link(&target, &self.blob(checksum), &path).map_err(Error::disk(path))
    }
}

/// Creates the folder that a file will be in.
pub(super) fn make_parent(file: &Path) -> Result<(), Error> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder).map_err(Error::disk(folder))
}

#[cfg(unix)]
fn link(relative: &Path, _: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(relative, link)
}

/// Where links need a privilege, the file itself.
#[cfg(not(unix))]
fn link(_: &Path, blob: &Path, link: &Path) -> io::Result<()> {
    fs::hard_link(blob, link).or_else(|_| fs::copy(blob, link).map(|_| ()))
}
