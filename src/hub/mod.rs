//! WHERE MODELS COME FROM: the cache that Hugging Face tools share, and the hub that fills it.
//!
//! [`Cache`] finds what is on disk and never uses the network; [`pull`] is the only function that does, and only the
//! command of that name calls it. Nothing here knows what is inside a file beyond the index of its shards.

mod cache;
mod checksum;
mod download;
mod error;
mod files;
mod name;
mod pull;
mod remote;
mod scan;
mod settings;

pub use self::cache::{Cache, Found};
pub use self::error::Error;
pub use self::name::{ModelName, RepoId, SCHEME};
pub use self::pull::{How, PullEvent, Pulled, Watch, pull};
pub use self::scan::{Cached, Format};
pub use self::settings::{Reach, Settings, Token};
