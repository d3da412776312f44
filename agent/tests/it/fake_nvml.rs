//! Compiles the fake NVML library for one test and sets what it answers.

use std::{ffi::OsString, fs, path::PathBuf, process::Command};

use tempfile::TempDir;

/// A fake library of one's own, with its own machine.
pub(crate) struct FakeNvml {
    dir: TempDir,
}

impl FakeNvml {
    /// Compiles the library; `state` is what it answers at first (see `fake_nvml.c`).
    pub(crate) fn new(state: &str) -> Self {
        let fake = Self { dir: tempfile::tempdir().unwrap() };
        fake.set(state);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fake_nvml/fake_nvml.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .arg(fake.path())
            .arg(format!("-DSTATE_FILE=\"{}\"", fake.state_file().display()))
            .arg(source)
            .status()
            .expect("the tests need a C compiler as `cc`");
        assert!(compiled.success());
        fake
    }

    /// Changes the machine, at once.
    pub(crate) fn set(&self, state: &str) {
        let next = self.dir.path().join("next");
        fs::write(&next, state).unwrap();
        fs::rename(next, self.state_file()).unwrap();
    }

    /// What `UTOPIA_NVML_LIBRARY` would be.
    pub(crate) fn library(&self) -> OsString {
        self.path().into()
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("libnvidia-ml.so.1")
    }

    fn state_file(&self) -> PathBuf {
        self.dir.path().join("state")
    }
}
