//! The Slurm cluster that tests share.

use std::process::Command;

use super::skip;

/// A cluster that is there.
pub(crate) struct Slurm {
    url: String,
    key_file: String,
    user: String,
    configuration: String,
}

impl Slurm {
    /// None, said visibly, when there is none.
    pub(crate) fn find() -> Option<Self> {
        let setting = |name: &str| std::env::var(format!("UTOPIA_TEST_SLURM_{name}")).ok();
        let found = || {
            let (url, key_file) = (setting("URL")?, setting("KEY_FILE")?);
            Some(Self { url, key_file, user: setting("USER")?, configuration: setting("CONF")? })
        };
        let slurm = found();
        if slurm.is_none() {
            skip("there is no Slurm; `.ci/backends.sh with` starts one");
        }
        slurm
    }

    /// What a control plane is told of it. The administrator is a user of it.
    pub(crate) fn settings(&self) -> [(&'static str, String); 2] {
        let cluster = format!("default={} key-file={}", self.url, self.key_file);
        [("UTOPIA_SLURM", cluster), ("UTOPIA_SLURM_USERS", format!("admin={}", self.user))]
    }

    /// What Slurm itself says of a job, e.g. `COMPLETED`.
    pub(crate) fn state(&self, job: i64) -> String {
        let mut command = Command::new("scontrol");
        command.env("SLURM_CONF", &self.configuration).args(["--oneliner", "show", "job", &job.to_string()]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let shown = String::from_utf8(output.stdout).unwrap();
        let state = shown.split_whitespace().find_map(|word| word.strip_prefix("JobState="));
        state.unwrap_or_else(|| panic!("{shown}")).to_owned()
    }
}
