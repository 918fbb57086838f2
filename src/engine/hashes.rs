//! SHA-256 of the files of models, remembered by what the file system says of each, so that gigabytes which have not
//! changed are not read at every start. What is remembered is only ever what was read; without it, everything is read.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::description::{OpenFile, sha256};
use crate::disk;
use crate::model::source::FileBytes;
use crate::model::{self, CancelToken};

/// How long a file must have been left alone: some file systems tell times in steps of two seconds, and what is written
/// within one step cannot be told apart.
const REST: Duration = Duration::from_secs(3);
/// Smaller files are read as fast as they are looked up.
const LEAST_BYTES: usize = 8 << 20;

/// A file with the hashes of others.
#[derive(Debug, Clone)]
pub struct HashStore {
    file: PathBuf,
    now: SystemTime,
}

/// What the file system says of a file; content that changes changes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: u128,
    /// Device, inode, and the time of the last change of either content or inode, which no program can set.
    #[serde(default)]
    inode: Option<(u64, u64, i64, i64)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    stamp: Stamp,
    sha256: String,
}

type Entries = BTreeMap<PathBuf, Entry>;

impl HashStore {
    /// The store in this file, which need not exist; `now` is the time.
    pub const fn new(file: PathBuf, now: SystemTime) -> Self {
        Self { file, now }
    }

    /// The hash of a file of a model: remembered, or read now and remembered if the store can be written.
    pub(super) fn sha256(&self, file: &OpenFile, cancel: &CancelToken) -> model::Result<String> {
        let read = || sha256(&file.bytes, cancel, &mut |_| ());
        let Some((path, stamp)) = self.place(file) else { return read() };
        let mut entries = self.entries();
        if let Some(entry) = entries.get(&path).filter(|entry| entry.stamp == stamp) {
            return Ok(entry.sha256.clone());
        }
        let sha256 = read()?;
        entries.insert(path, Entry { stamp, sha256: sha256.clone() });
        // a store that cannot be written costs the reading next time, and nothing else
        let _ = self.write(&entries);
        Ok(sha256)
    }

    /// Where it is remembered and how it is known again; none for a file that is not worth it or may be changing.
    fn place(&self, file: &OpenFile) -> Option<(PathBuf, Stamp)> {
        if matches!(file.bytes, FileBytes::Static(_)) || file.bytes.len() < LEAST_BYTES {
            return None;
        }
        let path = file.path().canonicalize().ok()?;
        let stamp = Stamp::of(&path.metadata().ok()?)?;
        let is_at_rest = self.now.duration_since(stamp.changed()).is_ok_and(|age| age >= REST);
        // the name may lead to another file than the one that was opened
        (is_at_rest && stamp.bytes == file.bytes.len() as u64).then_some((path, stamp))
    }

    /// What is remembered; a damaged store is as good as none.
    fn entries(&self) -> Entries {
        fs::read(&self.file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn write(&self, entries: &Entries) -> io::Result<()> {
        fs::create_dir_all(disk::folder(&self.file))?;
        let there: BTreeMap<_, _> = entries.iter().filter(|(path, _)| path.exists()).collect();
        disk::write_whole(&self.file, &serde_json::to_vec(&there)?)
    }
}

impl Stamp {
    fn of(metadata: &Metadata) -> Option<Self> {
        let modified = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?.as_nanos();
        Some(Self { bytes: metadata.len(), modified, inode: inode(metadata) })
    }

    /// When it changed last.
    fn changed(&self) -> SystemTime {
        let nanos = |nanos: u128| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let changed = self.inode.map_or(Duration::ZERO, |(_, _, seconds, nanos)| {
            Duration::new(u64::try_from(seconds).unwrap_or(0), u32::try_from(nanos).unwrap_or(0))
        });
        UNIX_EPOCH + nanos(self.modified).max(changed)
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no inode")]
fn inode(metadata: &Metadata) -> Option<(u64, u64, i64, i64)> {
    use std::os::unix::fs::MetadataExt as _;
    Some((metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()))
}

#[cfg(not(unix))]
const fn inode(_: &Metadata) -> Option<(u64, u64, i64, i64)> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Seek as _, Write as _};
    use std::path::Path;

    use super::*;

    fn later() -> SystemTime {
        #[expect(clippy::disallowed_methods, reason = "a test has no one else to ask")]
        let now = SystemTime::now();
        now + 2 * REST
    }

    fn weights(path: &Path) -> OpenFile {
        OpenFile::weights(path.into(), FileBytes::map(path).unwrap())
    }

    fn changed(path: &Path) {
        let mut file = File::options().write(true).open(path).unwrap();
        file.rewind().unwrap();
        file.write_all(b"1").unwrap();
        // as `cp --preserve` or an archiver would
        file.set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
    }

    #[test]
    fn a_file_is_read_again_only_if_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (path, cancel) = (dir.path().join("a.gguf"), CancelToken::default());
        fs::write(&path, vec![0; LEAST_BYTES]).unwrap();
        File::options().write(true).open(&path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(1)).unwrap();
        let store = HashStore::new(dir.path().join("cache").join("hashes.json"), later());
        let first = store.sha256(&weights(&path), &cancel).unwrap();
        // what is remembered is what is told
        let marked = fs::read_to_string(&store.file).unwrap().replace(&first, "remembered");
        fs::write(&store.file, marked).unwrap();
        assert_eq!(store.sha256(&weights(&path), &cancel).unwrap(), "remembered");
        // the same size and the same time of modification, but the time of the change tells
        changed(&path);
        let second = store.sha256(&weights(&path), &cancel).unwrap();
        assert!(second != first && second != "remembered", "{second}");
        fs::write(&store.file, "{").unwrap();
        assert_eq!(store.sha256(&weights(&path), &cancel).unwrap(), second, "a damaged store is as good as none");
    }

    #[test]
    fn what_may_be_changing_and_what_is_small_is_not_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let (path, cancel) = (dir.path().join("a.gguf"), CancelToken::default());
        let file = dir.path().join("hashes.json");
        fs::write(&path, vec![0; LEAST_BYTES]).unwrap();
        let store = HashStore::new(file.clone(), later() - 2 * REST);
        assert_eq!(store.sha256(&weights(&path), &cancel).unwrap().len(), 64);
        assert!(!file.exists(), "it was written a moment ago");
        fs::write(&path, vec![0; LEAST_BYTES - 1]).unwrap();
        let store = HashStore::new(file.clone(), later());
        assert_eq!(store.sha256(&weights(&path), &cancel).unwrap().len(), 64);
        assert!(!file.exists(), "it is small");
    }
}
