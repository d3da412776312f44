//! Files that only their owner may read.
//!
//! A file is either absent, old or new, never half written: it is written beside its place, synced, and renamed. Contents
//! never appear in errors.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use crate::{Error, Result};

const PRIVATE_FILE: u32 = 0o600;
const PRIVATE_DIRECTORY: u32 = 0o700;

/// Makes a directory that only its owner may enter, and those above it. One that exists keeps its mode.
pub fn create_private_dir(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(PRIVATE_DIRECTORY).create(path).map_err(Error::io("create", path))
}

/// Writes a file with mode 0600, replacing it in one step.
pub fn write_private(path: &Path, contents: &[u8]) -> Result<()> {
    write(path, contents, PRIVATE_FILE)
}

/// Writes a file that everybody may read, replacing it in one step.
pub fn write_public(path: &Path, contents: &[u8]) -> Result<()> {
    write(path, contents, 0o644)
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(Error::io("read", path))
}

/// Reads a file that may be absent.
pub fn read_if_present(path: &Path) -> Result<Option<Vec<u8>>> {
    match std::fs::read(path) {
        Ok(contents) => Ok(Some(contents)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", path)(error)),
    }
}

fn write(path: &Path, contents: &[u8], mode: u32) -> Result<()> {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{file_name}.{}", uuid::Uuid::new_v4().simple()));
    let written = write_new(&temporary, contents, mode).and_then(|()| std::fs::rename(&temporary, path));
    if let Err(error) = written {
        // The write's own error is the one to report; a temporary file that stays is harmless.
        std::fs::remove_file(&temporary).ok();
        return Err(Error::io("write", path)(error));
    }
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        // The rename itself is durable only once the directory is.
        Some(parent) => File::open(parent).and_then(|parent| parent.sync_all()).map_err(Error::io("write", path)),
        None => Ok(()),
    }
}

fn write_new(path: &Path, contents: &[u8], mode: u32) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(contents)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn private_files_and_directories_are_for_their_owner_only() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("a/b");
        create_private_dir(&directory).unwrap();
        create_private_dir(&directory).unwrap();
        let path = directory.join("key");
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(read(&path).unwrap(), b"two");
        assert_eq!((mode(&directory), mode(&path)), (0o700, 0o600));
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 1, "no temporary file stays");
    }

    #[test]
    fn an_error_names_the_file() {
        let root = tempfile::tempdir().unwrap();
        let absent = root.path().join("absent");
        assert!(read_if_present(&absent).unwrap().is_none());
        assert!(read(&absent).unwrap_err().to_string().contains("absent"));
        assert!(write_private(&absent.join("key"), b"").unwrap_err().to_string().contains("cannot write"));
    }
}
