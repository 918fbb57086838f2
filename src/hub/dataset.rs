//! A data set on the hub or in the cache. Which of its files are wanted, and what is in them, others know.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::cache::{Cache, files_below};
use super::error::Error;
use super::name::DatasetName;
use super::pull::{Pulled, Watch};
use super::settings::Settings;
use super::transfer::Transfer;

/// The page of a data set, which may say which files it is made of.
pub const CARD: &str = "README.md";

/// What the cache has of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its folder.
    pub snapshot: PathBuf,
    /// The files that are really there, by their paths with `/`.
    pub files: BTreeSet<String>,
}

impl Dataset {
    /// What stands in its card, if it is there.
    pub fn card(&self) -> Option<String> {
        let bytes = fs::read(self.snapshot.join(CARD)).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

impl Cache {
    /// Looks for a data set. Nothing is fetched.
    ///
    /// # Errors
    /// [`Error::NoDataset`] if there is nothing of it at this revision.
    pub fn dataset(&self, name: &DatasetName) -> Result<Dataset, Error> {
        let absent = || Error::NoDataset { name: name.clone(), cache: self.dir().to_owned() };
        let repo = self.repo(&name.repo);
        let snapshot = repo.snapshot(&repo.commit(name.revision()).ok_or_else(absent)?);
        Ok(Dataset { files: files_below(&snapshot), snapshot })
    }
}

/// A data set that is being fetched: its files are known, and the caller says which of them are wanted.
pub struct DatasetPull<'a> {
    transfer: Transfer<'a>,
    files: BTreeSet<String>,
}

impl<'a> DatasetPull<'a> {
    /// Asks for the files of a data set.
    ///
    /// # Errors
    /// Whatever keeps the server from answering.
    pub fn begin(settings: &Settings, name: &'a DatasetName, watch: &'a mut dyn Watch) -> Result<Self, Error> {
        let (transfer, listing) = Transfer::begin(settings, &name.repo, name.revision(), watch)?;
        Ok(Self { transfer, files: listing.files })
    }

    /// All its files.
    pub fn files(&self) -> &BTreeSet<String> {
        &self.files
    }

    /// Fetches the card, if there is one.
    ///
    /// # Errors
    /// Whatever keeps it from being fetched.
    pub fn card(&mut self) -> Result<Option<String>, Error> {
        if !self.files.contains(CARD) {
            return Ok(None);
        }
        self.transfer.files(vec![CARD.to_owned()])?;
        let path = self.transfer.snapshot().join(CARD);
        let bytes = fs::read(&path).map_err(Error::disk(path))?;
        Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Fetches these files of it, of which those that are there are not asked for.
    ///
    /// # Errors
    /// Whatever keeps one from being there; the parts that have arrived stay, and the next time goes on there.
    pub fn fetch(mut self, wanted: Vec<String>) -> Result<Pulled, Error> {
        self.transfer.files(wanted)?;
        self.transfer.finish()
    }
}
