//! One file from the hub into a blob: resumed if a part is there, checked before it gets its name.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};

use super::cache::{RepoDir, make_parent};
use super::checksum::Hasher;
use super::error::Error;
use super::pull::{How, PullEvent, Watch};
use super::remote::{Remote, RemoteFile};

const BUFFER: usize = 256 << 10;

/// Makes sure that the blob of `file` is there.
pub(super) fn fetch(remote: &Remote, file: &RemoteFile, dir: &RepoDir, watch: &mut dyn Watch) -> Result<How, Error> {
    let blob = dir.blob(file.checksum.hex());
    make_parent(&blob)?;
    let _lock = lock(file, dir)?;
    if blob.metadata().is_ok_and(|meta| meta.len() == file.size) {
        return Ok(How::AlreadyThere);
    }
    let path = dir.part(file.checksum.hex());
    let mut part = Part::open(file, path.clone())?;
    let resumed = part.done;
    watch.event(PullEvent::Started { file: &file.name, bytes: file.size, done: resumed });
    if part.done < file.size {
        part.receive(remote, watch)?;
    }
    part.check()?;
    fs::rename(&path, &blob).map_err(Error::disk(&blob))?;
    Ok(if resumed > 0 { How::Resumed { from: resumed } } else { How::Fetched })
}

/// Held as long as a file is fetched, so that no two processes write one part.
fn lock(file: &RemoteFile, dir: &RepoDir) -> Result<File, Error> {
    let path = dir.lock(file.checksum.hex());
    make_parent(&path)?;
    let lock = File::create(&path).map_err(Error::disk(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::Busy { file: file.name.clone() }),
        // a file system without locks: then there is none
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => Ok(lock),
        Err(TryLockError::Error(error)) => Err(Error::disk(path)(error)),
    }
}

/// The part of a file that has arrived, and its checksum so far.
struct Part<'a> {
    file: &'a RemoteFile,
    path: std::path::PathBuf,
    disk: File,
    hasher: Hasher,
    done: u64,
}

impl<'a> Part<'a> {
    /// Opens the part, or begins one; what is there is hashed.
    fn open(file: &'a RemoteFile, path: std::path::PathBuf) -> Result<Self, Error> {
        let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let disk = open.map_err(Error::disk(&path))?;
        let hasher = file.checksum.hasher(file.size);
        let mut part = Self { file, path, disk, hasher, done: 0 };
        let length = part.disk.metadata().map_err(Error::disk(&part.path))?.len();
        if length > file.size {
            part.restart()?;
        }
        let mut buffer = vec![0; BUFFER];
        loop {
            let n = part.disk.read(&mut buffer).map_err(Error::disk(&part.path))?;
            if n == 0 {
                return Ok(part);
            }
            part.hasher.update(&buffer[..n]);
            part.done += n as u64;
        }
    }

    /// Forgets what has arrived.
    fn restart(&mut self) -> Result<(), Error> {
        self.disk.set_len(0).and_then(|()| self.disk.rewind()).map_err(Error::disk(&self.path))?;
        self.hasher = self.file.checksum.hasher(self.file.size);
        self.done = 0;
        Ok(())
    }

    /// Receives the rest.
    fn receive(&mut self, remote: &Remote, watch: &mut dyn Watch) -> Result<(), Error> {
        let mut bytes = remote.open(self.file, self.done)?;
        if bytes.start != self.done {
            self.restart()?;
            watch.event(PullEvent::Started { file: &self.file.name, bytes: self.file.size, done: 0 });
        }
        let mut buffer = vec![0; BUFFER];
        while self.done < self.file.size {
            if watch.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let n = match bytes.body.read(&mut buffer) {
                Ok(0) => return Err(self.broken_off(io::ErrorKind::UnexpectedEof.into())),
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(self.broken_off(error)),
            };
            self.disk.write_all(&buffer[..n]).map_err(Error::disk(&self.path))?;
            self.hasher.update(&buffer[..n]);
            self.done += n as u64;
            watch.event(PullEvent::Received { bytes: n as u64 });
        }
        Ok(())
    }

    fn broken_off(&self, source: io::Error) -> Error {
        Error::BrokenOff { file: self.file.name.clone(), done: self.done, total: self.file.size, source }
    }

    /// Compares the checksum; a part that is wrong is deleted.
    fn check(self) -> Result<(), Error> {
        self.disk.sync_all().map_err(Error::disk(&self.path))?;
        let found = self.hasher.finish();
        let expected = self.file.checksum.hex();
        if found == expected {
            return Ok(());
        }
        drop(self.disk);
        fs::remove_file(&self.path).map_err(Error::disk(&self.path))?;
        Err(Error::Checksum { file: self.file.name.clone(), expected: expected.to_owned(), found })
    }
}
