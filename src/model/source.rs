//! Where a model's files are: embedded in the binary, a Hugging Face directory, or a GGUF file. Nothing is decoded.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::load::LoadError;

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
    /// What `--model` names: an embedded model, a directory or a GGUF file.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] if nothing is there, [`LoadError::NotAModel`] for a file that is not GGUF.
    pub fn from_arg(arg: &str) -> Result<Self, LoadError> {
        if let Some(embedded) = EMBEDDED.iter().find(|embedded| embedded.name == arg) {
            return Ok(Self::Embedded(embedded.name));
        }
        let path = PathBuf::from(arg);
        match path.metadata() {
            Err(source) if source.kind() == io::ErrorKind::NotFound => Err(LoadError::NotFound { path }),
            Err(source) => Err(LoadError::Read { file: path, source }),
            Ok(meta) if meta.is_dir() => Ok(Self::Directory(path)),
            Ok(_) if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("safetensors")) => {
                Err(LoadError::NotAModel { path, lacks: "the directory around it is the model" })
            }
            Ok(_) => Ok(Self::Gguf(path)),
        }
    }

    /// The name for people: the embedded model's name, or the file's or directory's.
    pub fn name(&self) -> String {
        match self {
            Self::Embedded(name) => (*name).to_owned(),
            Self::Directory(path) | Self::Gguf(path) => {
                let canonical = path.canonicalize().unwrap_or_else(|_| path.clone());
                canonical.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
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
                if path.exists() { FileBytes::map(&path).map(|bytes| Some((path, bytes))) } else { Ok(None) }
            }
            Self::Gguf(_) => Ok(None),
        }
    }
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
    pub fn map(path: &Path) -> Result<Self, LoadError> {
        let read = |source| LoadError::Read { file: path.into(), source };
        let file = File::open(path).map_err(read)?;
        #[expect(
            unsafe_code,
            reason = "a weight file changed under a running program is the user's to avoid; every reader of the map checks bounds"
        )]
        let map = unsafe { Mmap::map(&file) }.map_err(read)?;
        Ok(Self::Mapped(map))
    }
}

impl Deref for FileBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Static(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}
