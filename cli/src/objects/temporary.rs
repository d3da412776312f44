//! A file that takes its name only when it is whole.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

static COUNT: AtomicU32 = AtomicU32::new(0);

/// A new file beside the one that it is to become. Dropped before that, it is removed.
#[derive(Debug)]
pub(super) struct Temporary {
    path: PathBuf,
    target: PathBuf,
    is_kept: bool,
}

impl Temporary {
    pub(super) fn beside(target: &Path) -> io::Result<(Self, File)> {
        let directory = target.parent().unwrap_or(Path::new(""));
        loop {
            let number = COUNT.fetch_add(1, Ordering::Relaxed);
            let path = directory.join(format!(".aiinfra-{}-{number}.part", std::process::id()));
            match File::create_new(&path) {
                Ok(file) => return Ok((Self { path, target: target.to_owned(), is_kept: false }, file)),
                // An earlier process of this number was killed.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Gives it its name, in place of what has it.
    pub(super) fn keep(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.target)?;
        self.is_kept = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_kept {
            // There is nobody who could do better.
            fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn only_what_is_kept_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("f");
        fs::write(&target, "old").unwrap();
        let (given_up, mut file) = Temporary::beside(&target).unwrap();
        file.write_all(b"half").unwrap();
        drop(given_up);
        assert_eq!(fs::read_to_string(&target).unwrap(), "old");
        let (whole, mut file) = Temporary::beside(&target).unwrap();
        file.write_all(b"new").unwrap();
        whole.keep().unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
