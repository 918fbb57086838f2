//! FILES: what is written appears whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

/// The folder that a file is in.
pub fn folder(file: &Path) -> &Path {
    file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Writes beside the target and renames, so that a reader never sees half a file.
///
/// # Errors
/// What the file system refuses; then there is no new file, and an old one of this name is as it was.
pub fn write_whole(file: &Path, bytes: &[u8]) -> io::Result<()> {
    write_by(file, |out| out.write_all(bytes))
}

/// The same of what `write` writes in pieces, large ones: each goes to the system as it is.
///
/// # Errors
/// As [`write_whole`], or what `write` answers.
pub fn write_by(file: &Path, write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>) -> io::Result<()> {
    let mut temporary = beside(file)?;
    write(&mut temporary)?;
    temporary.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Writes a file of a name that no file has yet.
///
/// # Errors
/// What the file system refuses; [`io::ErrorKind::AlreadyExists`] if there is a file, which stays as it was.
pub fn write_new(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = beside(file)?;
    temporary.write_all(bytes)?;
    temporary.persist_noclobber(file).map_err(|error| error.error)?;
    Ok(())
}

/// A temporary file; once renamed, others may read it as they may any file of this user.
#[cfg(unix)]
fn beside(file: &Path) -> io::Result<tempfile::NamedTempFile> {
    use std::os::unix::fs::PermissionsExt as _;
    /// What open(2) gives less the umask.
    const EVERYONE: u32 = 0o666;
    tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(EVERYONE)).tempfile_in(folder(file))
}

/// A temporary file.
#[cfg(not(unix))]
fn beside(file: &Path) -> io::Result<tempfile::NamedTempFile> {
    tempfile::NamedTempFile::new_in(folder(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_and_a_missing_folder_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("a.svg");
        for text in ["old and long", "new"] {
            write_whole(&file, text.as_bytes()).unwrap();
            assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        let refused = write_new(&file, b"another").unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        write_new(&dir.path().join("b.svg"), b"another").unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside them");
        assert!(write_whole(&dir.path().join("no/such/a.svg"), b"").is_err());
        let half = |out: &mut dyn io::Write| out.write_all(b"half").and_then(|()| Err(io::ErrorKind::Other.into()));
        assert!(write_by(&file, half).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new", "half a file is none");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "nothing is left beside them");
        assert_eq!(folder(Path::new("a.svg")), Path::new("."));
    }
}
