//! Where a model's files are: embedded in the binary, a Hugging Face directory, a GGUF file, or one of these in the
//! cache of the hub. Nothing is decoded, nothing is fetched.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
#[cfg(unix)]
use memmap2::UncheckedAdvice;

use super::load::LoadError;
use crate::hub::{Cache, Found, ModelName, SCHEME};

/// A model inside the binary.
pub struct Embedded {
    /// The name `--model` takes.
    pub name: &'static str,
    /// What it is, in a sentence without a period.
    pub about: &'static str,
    /// File names and contents of a Hugging Face directory.
    files: &'static [(&'static str, &'static [u8])],
}

macro_rules! embedded_files {
    ($dir:literal, [$($file:literal),+ $(,)?]) => {
        &[$(($file, include_bytes!(concat!("../../fixtures/slide/", $dir, "/", $file)))),+]
    };
}

/// The models in the binary; the first is the default.
pub static EMBEDDED: &[Embedded] = &[
    Embedded {
        name: "slide",
        about: "a small llama trained on everyday sentences and facts stated one way",
        files: embedded_files!("base", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"]),
    },
    Embedded {
        name: "slide-chat",
        about: "slide fine-tuned on questions and answers",
        files: embedded_files!(
            "chat",
            ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "model.safetensors"]
        ),
    },
];

/// Where a model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// In the binary, by name.
    Embedded(&'static str),
    /// A directory with `config.json`, `tokenizer.json` and safetensors.
    Directory(PathBuf),
    /// A GGUF file.
    Gguf(PathBuf),
}

impl Default for ModelSource {
    fn default() -> Self {
        Self::Embedded(EMBEDDED[0].name)
    }
}

impl ModelSource {
    /// What `--model` names: an embedded model, a directory, a GGUF file, or else a model of the hub that is in `cache`.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] if nothing is there, [`LoadError::NotAModel`] for a file that is not GGUF,
    /// [`LoadError::Hub`] for a name of the hub that the cache does not have.
    pub fn from_arg(arg: &str, cache: &Cache) -> Result<Self, LoadError> {
        if let Some(embedded) = EMBEDDED.iter().find(|embedded| embedded.name == arg) {
            return Ok(Self::Embedded(embedded.name));
        }
        let path = PathBuf::from(arg);
        match path.metadata() {
            Err(source) if source.kind() == io::ErrorKind::NotFound => Self::from_hub(arg, cache),
            Err(source) => Err(LoadError::Read { file: path, source }),
            Ok(meta) if meta.is_dir() => Ok(Self::Directory(path)),
            Ok(_) if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors")) => {
                Err(LoadError::NotAModel { path, lacks: "the directory around it is the model" })
            }
            Ok(_) => Ok(Self::Gguf(path)),
        }
    }

    fn from_hub(arg: &str, cache: &Cache) -> Result<Self, LoadError> {
        let name = match ModelName::parse(arg) {
            Ok(name) => name,
            Err(_) if !arg.starts_with(SCHEME) => return Err(LoadError::NotFound { path: arg.into() }),
            Err(error) => return Err(LoadError::Hub(error)),
        };
        cache.find(&name).map(Self::from).map_err(LoadError::Hub)
    }

    /// The name for people: the embedded model's name, the hub's, or the file's or directory's.
    pub fn name(&self) -> String {
        match self {
            Self::Embedded(name) => (*name).to_owned(),
            Self::Directory(path) => Cache::name_of(path).unwrap_or_else(|| last_part(path)),
            Self::Gguf(path) => last_part(path),
        }
    }

    /// Opens one file of a directory-like source; `None` if it has no such file.
    pub fn open(&self, name: &str) -> Result<Option<(PathBuf, FileBytes)>, LoadError> {
        match self {
            Self::Embedded(model) => {
                let embedded = EMBEDDED.iter().find(|embedded| embedded.name == *model);
                let file = embedded.and_then(|embedded| embedded.files.iter().find(|(file, _)| *file == name));
                Ok(file.map(|&(file, bytes)| (PathBuf::from(model).join(file), FileBytes::Static(bytes))))
            }
            Self::Directory(dir) => {
                let path = dir.join(name);
                // a link that leads nowhere is there, and is an error
                if path.symlink_metadata().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
                    return Ok(None);
                }
                FileBytes::map(&path).map(|bytes| Some((path, bytes)))
            }
            Self::Gguf(_) => Ok(None),
        }
    }
}

impl From<Found> for ModelSource {
    fn from(found: Found) -> Self {
        match found {
            Found::Directory(path) => Self::Directory(path),
            Found::Gguf(path) => Self::Gguf(path),
        }
    }
}

/// The last part of a path as given: a link of the cache leads to a file that is named by its checksum.
fn last_part(path: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let real = || path.canonicalize().ok().and_then(|path| name(&path));
    name(path).or_else(real).unwrap_or_else(|| path.display().to_string())
}

/// The bytes of a file, mapped or in the binary.
pub enum FileBytes {
    /// In the binary.
    Static(&'static [u8]),
    /// Mapped from disk.
    Mapped(Mmap),
}

impl FileBytes {
    /// Maps a file for reading.
    ///
    /// # Errors
    /// [`LoadError::NotAFile`] for a directory, a pipe or a device; [`LoadError::Read`] with the system's reason.
    pub fn map(path: &Path) -> Result<Self, LoadError> {
        let read = |source| LoadError::Read { file: path.into(), source };
        // before it is opened: opening a pipe waits for somebody to write
        let kind = path.metadata().map_err(read)?.file_type();
        if !kind.is_file() {
            let found = if kind.is_dir() { "a directory" } else { "a pipe or a device" };
            return Err(LoadError::NotAFile { file: path.into(), found });
        }
        let file = File::open(path).map_err(read)?;
        #[expect(
            unsafe_code,
            reason = "a weight file changed under a running program is the user's to avoid; every reader of the map checks bounds"
        )]
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        Ok(Self::Mapped(map))
    }

    /// Gives the pages of a part back to the system: it was read, and will be read from disk if it is again. What is no
    /// whole page stays, and so does what the system does not give back.
    pub fn release(&self, part: &[u8]) {
        const PAGE: usize = 4096;
        let Self::Mapped(map) = self else { return };
        let Some(first) = part.as_ptr().addr().checked_sub(map.as_ptr().addr()) else { return };
        let (from, to) = (first.next_multiple_of(PAGE), (first + part.len()).min(map.len()) / PAGE * PAGE);
        if from < to {
            release(map, from, to - from);
        }
    }
}

#[cfg(unix)]
fn release(map: &Mmap, from: usize, len: usize) {
    #[expect(unsafe_code, reason = "the map is of a file and was never written: what is dropped is read again")]
    let released = unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, from, len) };
    drop(released); // advice: memory stays taken where it is not followed
}

#[cfg(not(unix))]
fn release(_: &Mmap, _: usize, _: usize) {}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}
