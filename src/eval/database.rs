//! `SQLite` files: opened with care, and every trouble told with the name of the file.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;

/// How long another process may hold the file.
const PATIENCE: Duration = Duration::from_secs(5);

/// A database that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Its folder could not be made.
    #[error("make the folder of `{}`", file.display())]
    Folder {
        /// The file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// `SQLite` refused.
    #[error("use the database `{}`", file.display())]
    Sqlite {
        /// The file.
        file: PathBuf,
        /// Its reason.
        source: rusqlite::Error,
    },
    /// Another version of lmscope has made it.
    #[error("use the database `{}`: its version is {found}, this lmscope's is {expected}", file.display())]
    Version {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The one that is known.
        expected: i64,
    },
    /// What it holds is not what was put there.
    #[error("use the database `{}`: an entry is damaged", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
    },
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Sqlite { source, .. } if is_busy(source) => Some("another lmscope is using it; try again".into()),
            Self::Sqlite { .. } | Self::Version { .. } | Self::Damaged { .. } => {
                Some("move the file away; a new one is made".into())
            }
            Self::Folder { .. } => None,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

/// A database of one version of one schema.
#[derive(Debug)]
pub(super) struct Database {
    file: PathBuf,
    connection: Connection,
}

impl Database {
    /// Opens it, or makes it with `schema`.
    pub(super) fn open(file: &Path, version: i64, schema: &str) -> Result<Self, Error> {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).map_err(|source| Error::Folder { file: file.into(), source })?;
        }
        let sqlite = |source| Error::Sqlite { file: file.into(), source };
        let connection = Connection::open(file).map_err(sqlite)?;
        connection.busy_timeout(PATIENCE).map_err(sqlite)?;
        let found: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite)?;
        match found {
            0 => {
                let make = format!(
                    "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; {schema} PRAGMA user_version = {version}; COMMIT;"
                );
                connection.execute_batch(&make).map_err(sqlite)?;
            }
            _ if found == version => {}
            _ => return Err(Error::Version { file: file.into(), found, expected: version }),
        }
        connection.execute_batch("PRAGMA synchronous = NORMAL;").map_err(sqlite)?;
        Ok(Self { file: file.into(), connection })
    }

    /// What `use_it` does with the connection.
    pub(super) fn with<T>(&self, use_it: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        use_it(&self.connection).map_err(|source| Error::Sqlite { file: self.file.clone(), source })
    }

    /// That an entry is not what was put there.
    pub(super) fn damaged(&self) -> Error {
        Error::Damaged { file: self.file.clone() }
    }
}
