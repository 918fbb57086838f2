//! Why a model or a data set could not be found or fetched.

use std::io;
use std::path::PathBuf;

use super::name::{DatasetName, ModelName};

/// A model or a data set that the cache or the hub did not give.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The text names no model on the hub.
    #[error("`{found}` is no name of a model on the hub: {why}")]
    BadName {
        /// The text.
        found: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The text names no data set on the hub.
    #[error("`{found}` is no name of a data set on the hub")]
    BadDataset {
        /// The text.
        found: String,
    },
    /// The cache has no such data set, or not this revision of it.
    #[error("there is no data set `{name}` in the cache `{}`", cache.display())]
    NoDataset {
        /// The data set.
        name: DatasetName,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// The cache has no such model, or not this revision or file of it.
    #[error("there is no path `{name}`, and no such model in the cache `{}`", cache.display())]
    NotCached {
        /// The model.
        name: ModelName,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// The cache has a part of the model.
    #[error("`{}` in the cache is incomplete: it lacks {}", name, lacks.join(", "))]
    Incomplete {
        /// The model.
        name: ModelName,
        /// The files that are not there.
        lacks: Vec<String>,
    },
    /// Several GGUF files, and none was named.
    #[error("`{name}` holds {} GGUF files and no safetensors: {}", found.len(), found.join(", "))]
    WhichGguf {
        /// The model.
        name: ModelName,
        /// All of them.
        found: Vec<String>,
    },
    /// The weights are there only as pickles.
    #[error("the weights of `{name}` are there only as pickles (`{found}`), which can run any code when they are read")]
    OnlyPickles {
        /// The model.
        name: ModelName,
        /// One of the files.
        found: String,
    },
    /// The repository has no file that is needed.
    #[error("the repository `{name}` has no {}", lacks.join(", no "))]
    NotInRepository {
        /// The model.
        name: ModelName,
        /// The files.
        lacks: Vec<String>,
        /// What it has in GGUF.
        gguf: Vec<String>,
    },
    /// A file name that would leave the cache.
    #[error("the repository `{name}` names a file `{file}`, which leads out of its folder")]
    UnsafePath {
        /// The repository.
        name: String,
        /// The name.
        file: String,
    },
    /// The environment forbids the network.
    #[error("`{name}` would have to be fetched, and HF_HUB_OFFLINE is set")]
    Offline {
        /// The model or data set.
        name: String,
    },
    /// The server refused.
    #[error("{url} answers {status}{}", reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default())]
    Status {
        /// What was asked for.
        url: String,
        /// The HTTP status.
        status: u16,
        /// The server's name for the reason.
        reason: Option<String>,
        /// The page of the repository, for people.
        page: String,
        /// Whether a token was sent.
        token: TokenSent,
    },
    /// No answer.
    #[error("cannot reach {url}")]
    Transport {
        /// What was asked for.
        url: String,
        /// Why.
        #[source]
        source: ureq::Error,
    },
    /// A redirect that is not followed.
    #[error("{url} redirects to `{to}`, {why}")]
    Redirect {
        /// What was asked for.
        url: String,
        /// Where it leads.
        to: String,
        /// Why that is not followed.
        why: &'static str,
    },
    /// The answer is not what the hub answers.
    #[error("{url} answers something else than the hub: {lacks}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is missing.
        lacks: String,
    },
    /// The list of shards is damaged.
    #[error("`{file}` is not an index of safetensors shards")]
    Index {
        /// The file.
        file: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The connection ended early; the part is kept.
    #[error("the transfer of `{file}` broke off after {done} of {total} bytes")]
    BrokenOff {
        /// The file.
        file: String,
        /// What has arrived.
        done: u64,
        /// Its size.
        total: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What arrived is not what was announced; it was deleted.
    #[error("`{file}` has checksum {found}, the hub announced {expected}")]
    Checksum {
        /// The file.
        file: String,
        /// The hub's.
        expected: String,
        /// That of the bytes that arrived.
        found: String,
    },
    /// Another process is fetching the same file.
    #[error("another process is fetching `{file}`")]
    Busy {
        /// The file.
        file: String,
    },
    /// The cache could not be read or written.
    #[error("cannot use `{}`", path.display())]
    Disk {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        #[source]
        source: io::Error,
    },
    /// The work was cancelled; the part is kept.
    #[error("cancelled")]
    Cancelled,
}

/// Whether a request carried a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenSent {
    /// It did.
    Yes,
    /// There is none.
    No,
}

impl Error {
    /// An error of the disk at `path`.
    pub(super) fn disk(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Disk { path, source }
    }

    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::BadName { .. } => Some("write org/name, hf://org/name@revision or hf://org/name/file.gguf".into()),
            Self::BadDataset { .. } => Some("write hf://datasets/org/name or hf://datasets/org/name@revision".into()),
            Self::NoDataset { name, .. } => Some(format!(
                "`{}` fetches it; lmscope uses the network only when asked to",
                name.pull_command(None)
            )),
            Self::NotCached { name, .. } | Self::Incomplete { name, .. } => {
                Some(format!("`{}` fetches it; lmscope uses the network only when asked to", name.pull_command()))
            }
            Self::WhichGguf { name, found } => {
                let file = found.first().cloned();
                let one = ModelName { file, ..name.clone() };
                Some(format!("name one: `lmscope -m {}`, `{}`", one.url(), one.pull_command()))
            }
            Self::OnlyPickles { .. } => {
                Some("look for a safetensors or GGUF version of the model; lmscope never reads .bin, .pt or .pth".into())
            }
            Self::NotInRepository { gguf, .. } if !gguf.is_empty() => Some(format!("it has {}", gguf.join(", "))),
            Self::NotInRepository { .. } => {
                Some("lmscope reads config.json, tokenizer.json and model.safetensors (or its shards), or a .gguf".into())
            }
            Self::Offline { .. } => Some("unset HF_HUB_OFFLINE, or fetch it elsewhere and copy the cache".into()),
            Self::Status { status, reason, page, token, .. } => refused(*status, reason.as_deref(), page, *token),
            Self::Transport { .. } => {
                Some("check the connection; HF_ENDPOINT names another server, HTTPS_PROXY a proxy, SSL_CERT_FILE its certificates".into())
            }
            Self::BrokenOff { .. } => Some("run the same command again: it goes on where it stopped".into()),
            Self::Checksum { .. } => Some("the file was deleted; run the same command again".into()),
            Self::Busy { .. } => Some("wait for it, and run the same command again".into()),
            Self::Disk { source, .. } => disk(source.kind()),
            Self::UnsafePath { .. } | Self::Redirect { .. } => {
                Some("do not trust this server; HF_ENDPOINT names it".into())
            }
            Self::Answer { .. } => Some("HF_ENDPOINT names the server: is it one that speaks as the hub does?".into()),
            Self::Index { .. } | Self::Cancelled => None,
        }
    }
}

fn disk(kind: io::ErrorKind) -> Option<String> {
    match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some(
            "the disk is full: make room, or set HF_HOME to a larger one; the same command goes on where it stopped"
                .into(),
        ),
        io::ErrorKind::PermissionDenied => Some("HF_HOME names another folder for the cache".into()),
        _ => None,
    }
}

fn refused(status: u16, reason: Option<&str>, page: &str, token: TokenSent) -> Option<String> {
    let gated = reason == Some("GatedRepo");
    let text = match (status, token) {
        (401 | 403, TokenSent::Yes) => {
            format!("accept the licence on {page} with the account of your HF_TOKEN, or check that the token is valid")
        }
        (401 | 403, TokenSent::No) if gated => {
            format!("it is gated: accept the licence on {page} and set HF_TOKEN")
        }
        (401 | 403, TokenSent::No) => format!(
            "the repository does not exist, is private, or is gated: check the name, or accept the licence on {page} and set HF_TOKEN"
        ),
        (404, _) => format!("check the spelling of name, revision and file on {page}"),
        (429, _) => "too many requests: wait a while; HF_TOKEN raises the limit".into(),
        (500.., _) => "the server has a problem: try again later".into(),
        _ => return None,
    };
    Some(text)
}
