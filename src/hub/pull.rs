//! Fetches a model into the cache.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use super::error::Error;
use super::files::{self, INDEX, NEEDED, OPTIONAL, SINGLE, Weights};
use super::name::{ModelName, is_safe_path};
use super::remote::Listing;
use super::settings::Settings;
use super::transfer::Transfer;

/// What happens while a model or a data set is fetched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullEvent<'a> {
    /// More is going to be fetched.
    Planned {
        /// Bytes of it.
        bytes: u64,
    },
    /// A file begins; once more if the server can only give all of it.
    Started {
        /// The file.
        file: &'a str,
        /// Its size.
        bytes: u64,
        /// What was there from an earlier time.
        done: u64,
    },
    /// Bytes of the file that began have arrived.
    Received {
        /// How many.
        bytes: u64,
    },
    /// A file is in the cache.
    Finished {
        /// The file.
        file: &'a str,
        /// Its size.
        bytes: u64,
        /// How it came there.
        how: How,
    },
}

/// How a file came into the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// It was fetched.
    Fetched,
    /// The rest of it was fetched.
    Resumed {
        /// What was there.
        from: u64,
    },
    /// It was there.
    AlreadyThere,
}

/// Who looks on, and can stop it.
pub trait Watch {
    /// Something happened.
    fn event(&mut self, event: PullEvent<'_>);

    /// Whether to stop; what has arrived is kept.
    fn is_cancelled(&self) -> bool;
}

/// A model or a data set that was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The commit.
    pub commit: String,
    /// Its folder.
    pub snapshot: PathBuf,
}

/// Fetches what is missing of a model: configuration, tokenizer and safetensors, or the one GGUF file that is named.
///
/// # Errors
/// Whatever keeps the model from being complete; the parts that have arrived stay, and the next call goes on there.
pub fn pull(settings: &Settings, name: &ModelName, watch: &mut dyn Watch) -> Result<Pulled, Error> {
    let (transfer, listing) = Transfer::begin(settings, &name.repo, name.revision(), watch)?;
    let mut puller = Puller { name, transfer };
    puller.pull(&listing)?;
    puller.transfer.finish()
}

struct Puller<'a> {
    name: &'a ModelName,
    transfer: Transfer<'a>,
}

impl Puller<'_> {
    fn pull(&mut self, listing: &Listing) -> Result<(), Error> {
        if let Some(file) = &self.name.file {
            self.require(listing, [file.clone()])?;
            return self.transfer.files(vec![file.clone()]);
        }
        let weights = files::weights(&listing.files);
        match weights {
            Weights::Gguf(found) => return Err(Error::WhichGguf { name: self.name.clone(), found }),
            Weights::Pickles(found) => return Err(Error::OnlyPickles { name: self.name.clone(), found }),
            Weights::Absent => self.require(listing, [SINGLE.to_owned()])?,
            Weights::Single | Weights::Sharded => {}
        }
        self.require(listing, NEEDED.iter().map(ToString::to_string))?;
        let wanted = NEEDED.iter().chain(OPTIONAL).map(ToString::to_string);
        let mut small: Vec<String> = wanted.filter(|file| listing.files.contains(file)).collect();
        if weights == Weights::Single {
            small.push(SINGLE.to_owned());
            return self.transfer.files(small);
        }
        small.push(INDEX.to_owned());
        self.transfer.files(small)?;
        let shards = self.shards()?;
        self.require(listing, shards.iter().cloned())?;
        self.transfer.files(shards.into_iter().collect())
    }

    /// The shards that the index names.
    fn shards(&self) -> Result<BTreeSet<String>, Error> {
        let path = self.transfer.snapshot().join(INDEX);
        let index = fs::read(&path).map_err(Error::disk(&path))?;
        let shards = files::shards(&index).map_err(|source| Error::Index { file: INDEX.into(), source })?;
        match shards.iter().find(|file| !is_safe_path(file)) {
            Some(file) => Err(Error::UnsafePath { name: self.name.to_string(), file: file.clone() }),
            None => Ok(shards),
        }
    }

    /// Refuses a repository that lacks one of the files.
    fn require(&self, listing: &Listing, files: impl IntoIterator<Item = String>) -> Result<(), Error> {
        let lacks: Vec<String> = files.into_iter().filter(|file| !listing.files.contains(file)).collect();
        if lacks.is_empty() {
            return Ok(());
        }
        Err(Error::NotInRepository { name: self.name.clone(), lacks, gguf: files::gguf(&listing.files) })
    }
}
