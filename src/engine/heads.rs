//! What a model's heads do, measured once and remembered by the content of its files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::description::files;
use super::{EngineError, Loaded, OpenError};
use crate::disk;
use crate::lens::atlas::Atlas;
use crate::model::CancelToken;
use crate::model::source::ModelSource;
use crate::probe::{Step, head_atlas};

/// A folder with a file for each model whose heads were measured.
#[derive(Debug, Clone)]
pub struct HeadStore {
    folder: PathBuf,
}

/// Blocks of a file that its content is told by.
const N_BLOCKS: usize = 64;
/// Bytes of such a block.
const BLOCK: usize = 64 << 10;

impl HeadStore {
    /// The store in this folder, which need not exist.
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What is known of the heads without work to speak of: the embedded models are small enough to be measured.
    ///
    /// # Errors
    /// Files of the model that cannot be read, or cancellation.
    pub fn known(
        &self,
        loaded: &Loaded,
        source: &ModelSource,
        cancel: &CancelToken,
    ) -> Result<Option<Atlas>, EngineError> {
        match source {
            ModelSource::Embedded(_) => measured(loaded, cancel, &mut |_| ()).map(Some),
            ModelSource::Gguf(_) | ModelSource::Directory(_) => Ok(Self::read(&self.file(loaded, source)?, loaded)),
        }
    }

    /// What the heads do: remembered, or measured now and remembered if the folder can be written.
    ///
    /// # Errors
    /// A model that cannot be run, or cancellation.
    pub fn measured(
        &self,
        loaded: &Loaded,
        source: &ModelSource,
        cancel: &CancelToken,
        tell: &mut dyn FnMut(Step),
    ) -> Result<Atlas, EngineError> {
        if matches!(source, ModelSource::Embedded(_)) {
            return measured(loaded, cancel, tell);
        }
        let file = self.file(loaded, source)?;
        if let Some(atlas) = Self::read(&file, loaded) {
            return Ok(atlas);
        }
        let atlas = measured(loaded, cancel, tell)?;
        // a cache that cannot be written costs the measurement next time, and nothing else
        let _ = self.write(&file, &atlas);
        Ok(atlas)
    }

    fn file(&self, loaded: &Loaded, source: &ModelSource) -> Result<PathBuf, EngineError> {
        let load = |error| OpenError::Load { model: source.name(), source: error };
        let mut hash = Sha256::new();
        // arithmetic and number type change what heads do, a little
        hash.update(loaded.info.precision.describe());
        hash.update(env!("CARGO_PKG_VERSION"));
        for file in files(source).map_err(load)? {
            hash.update((file.bytes.len() as u64).to_le_bytes());
            let step = (file.bytes.len() / N_BLOCKS).max(BLOCK);
            for first in (0..file.bytes.len()).step_by(step) {
                hash.update(&file.bytes[first..(first + BLOCK).min(file.bytes.len())]);
            }
        }
        let name = hash.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        Ok(self.folder.join(format!("{name}.json")))
    }

    /// What is remembered; a damaged file is as good as none.
    fn read(file: &Path, loaded: &Loaded) -> Option<Atlas> {
        let atlas: Atlas = serde_json::from_slice(&fs::read(file).ok()?).ok()?;
        Some(atlas).filter(|atlas| atlas.fits(loaded.info.config.n_layers, loaded.info.config.n_heads))
    }

    fn write(&self, file: &Path, atlas: &Atlas) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        disk::write_whole(file, &serde_json::to_vec(atlas)?)
    }
}

pub(super) fn measured(
    loaded: &Loaded,
    cancel: &CancelToken,
    tell: &mut dyn FnMut(Step),
) -> Result<Atlas, EngineError> {
    Ok(head_atlas::measure(&loaded.decoder, &loaded.tokenizer, cancel, tell)?)
}
