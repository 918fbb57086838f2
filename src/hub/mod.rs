//! WHERE MODELS AND DATA SETS COME FROM: the cache that Hugging Face tools share, and the hub that fills it.
//!
//! [`Cache`] finds what is on disk and never uses the network; only [`pull`] and [`DatasetPull`] do, and only the command
//! `pull` calls them. Nothing here knows what is inside a file beyond the index of its shards.

mod cache;
mod checksum;
mod dataset;
mod download;
mod error;
mod files;
mod name;
mod pull;
mod remote;
mod scan;
mod settings;
mod transfer;

pub use self::cache::{Cache, Found};
pub use self::dataset::{CARD, Dataset, DatasetPull};
pub use self::error::Error;
pub use self::name::{DATASETS, DatasetName, Kind, ModelName, RepoId, SCHEME};
pub use self::pull::{How, PullEvent, Pulled, Watch, pull};
pub use self::scan::{Cached, Format};
pub use self::settings::{Reach, Settings, Token};
