//! What a model has answered, remembered in `SQLite` by everything that an answer depends on.
//!
//! An answer is only ever given to the model, the arithmetic, the tokenizer and the interventions that it came from, and
//! only if it is byte for byte what was put there.

#[cfg(test)]
mod tests;

use std::path::Path;

use rusqlite::OptionalExtension as _;
use sha2::{Digest as _, Sha256};

use super::database::Database;
pub use super::database::Error;
use super::record::Run;
use super::request::{Request, Response};

const VERSION: i64 = 1;
const SCHEMA: &str = "CREATE TABLE IF NOT EXISTS responses \
     (key BLOB PRIMARY KEY, request TEXT NOT NULL, response TEXT NOT NULL, sha256 BLOB NOT NULL) WITHOUT ROWID;";

/// Everything besides the request that an answer depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope(String);

impl Scope {
    /// That of a run; none where the run does not say which model and tokenizer it is of.
    pub fn of(run: &Run) -> Option<Self> {
        let model = &run.model;
        let parts = serde_json::json!([
            model.sha256.as_ref()?,
            model.fingerprint.as_ref()?,
            model.precision.as_ref()?,
            model.interventions,
            run.tokenizer.as_ref()?,
            run.settings.batch?,
            run.settings.top_k?,
            run.origin.lmscope_version,
        ]);
        Some(Self(parts.to_string()))
    }
}

/// The remembered answers of one model.
#[derive(Debug)]
pub struct Cache {
    database: Database,
    scope: Scope,
}

impl Cache {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// If it cannot be used.
    pub fn open(file: &Path, scope: Scope) -> Result<Self, Error> {
        Ok(Self { database: Database::open(file, VERSION, SCHEMA)?, scope })
    }

    /// What was answered to this request.
    ///
    /// # Errors
    /// If the file cannot be read, or the entry is not what was put there.
    pub fn get(&self, request: &Request) -> Result<Option<Response>, Error> {
        const QUERY: &str = "SELECT request, response, sha256 FROM responses WHERE key = ?1";
        let asked = self.text(request)?;
        let key = self.key(&asked);
        let found: Option<(String, String, Vec<u8>)> = self.database.with(|connection| {
            let mut query = connection.prepare_cached(QUERY)?;
            query.query_row([key.as_slice()], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()
        })?;
        let Some((request, response, sha256)) = found else { return Ok(None) };
        if request != asked || sha256 != seal(&key, &response) {
            return Err(self.database.damaged());
        }
        serde_json::from_str(&response).map(Some).map_err(|_| self.database.damaged())
    }

    /// Remembers what was answered.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn put(&self, request: &Request, response: &Response) -> Result<(), Error> {
        const INSERT: &str = "INSERT OR REPLACE INTO responses VALUES (?1, ?2, ?3, ?4)";
        let (asked, answered) = (self.text(request)?, self.text(response)?);
        let key = self.key(&asked);
        let sha256 = seal(&key, &answered);
        self.database.with(|connection| {
            connection.prepare_cached(INSERT)?.execute((key.as_slice(), &asked, &answered, sha256.as_slice()))
        })?;
        Ok(())
    }

    fn text(&self, what: &impl serde::Serialize) -> Result<String, Error> {
        serde_json::to_string(what).map_err(|_| self.database.damaged())
    }

    fn key(&self, request: &str) -> Vec<u8> {
        seal(self.scope.0.as_bytes(), request)
    }
}

/// SHA-256 of two things in a row.
fn seal(first: &[u8], second: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update((first.len() as u64).to_le_bytes());
    hash.update(first);
    hash.update(second);
    hash.finalize().to_vec()
}
