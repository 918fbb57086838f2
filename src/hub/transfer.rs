//! Files of one commit of a repository into the cache: what `pull` does, whatever the repository holds.

use std::path::PathBuf;

use super::cache::{Cache, RepoDir};
use super::download;
use super::error::Error;
use super::name::RepoId;
use super::pull::{How, PullEvent, Pulled, Watch};
use super::remote::{Listing, Remote, RemoteFile};
use super::settings::{Reach, Settings};

/// A repository at a commit, of which files are fetched.
pub(super) struct Transfer<'a> {
    remote: Remote,
    repo: &'a RepoId,
    revision: &'a str,
    commit: String,
    dir: RepoDir,
    watch: &'a mut dyn Watch,
}

impl<'a> Transfer<'a> {
    /// Asks which commit a revision is at, and which files it has.
    pub(super) fn begin(
        settings: &Settings,
        repo: &'a RepoId,
        revision: &'a str,
        watch: &'a mut dyn Watch,
    ) -> Result<(Self, Listing), Error> {
        if settings.reach == Reach::Offline {
            return Err(Error::Offline { name: repo.as_str().to_owned() });
        }
        let remote = Remote::new(settings)?;
        let listing = remote.listing(repo, revision)?;
        let dir = Cache::new(&settings.cache).repo(repo);
        Ok((Self { remote, repo, revision, commit: listing.commit.clone(), dir, watch }, listing))
    }

    /// The folder of the commit.
    pub(super) fn snapshot(&self) -> PathBuf {
        self.dir.snapshot(&self.commit)
    }

    /// Notes where the branch is, now that everything is there.
    pub(super) fn finish(self) -> Result<Pulled, Error> {
        if self.revision != self.commit {
            self.dir.set_reference(self.revision, &self.commit)?;
        }
        Ok(Pulled { snapshot: self.snapshot(), commit: self.commit })
    }

    /// Fetches those of the files that are not there.
    pub(super) fn files(&mut self, names: Vec<String>) -> Result<(), Error> {
        let mut missing = Vec::new();
        for file in names {
            self.stop_if_cancelled()?;
            match self.snapshot().join(&file).metadata() {
                Ok(meta) => self.finished(&file, meta.len(), How::AlreadyThere),
                Err(_) => missing.push(self.remote.describe(self.repo, &self.commit, &file)?),
            }
        }
        self.watch.event(PullEvent::Planned { bytes: missing.iter().map(|file| file.size).sum() });
        missing.iter().try_for_each(|file| self.file(file))
    }

    fn file(&mut self, file: &RemoteFile) -> Result<(), Error> {
        self.stop_if_cancelled()?;
        let how = download::fetch(&self.remote, file, &self.dir, self.watch)?;
        self.dir.link(&self.commit, &file.name, file.checksum.hex())?;
        self.finished(&file.name, file.size, how);
        Ok(())
    }

    fn finished(&mut self, file: &str, bytes: u64, how: How) {
        self.watch.event(PullEvent::Finished { file, bytes, how });
    }

    fn stop_if_cancelled(&self) -> Result<(), Error> {
        if self.watch.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }
}
