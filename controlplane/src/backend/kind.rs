//! The kinds of backends.

/// A kind of backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A hub of notebooks.
    JupyterHub,
    /// Keeps the history of metrics.
    Prometheus,
    /// Runs functions and states on minions.
    Salt,
    /// Clusters of jobs.
    Slurm,
}

impl Kind {
    /// All of them, by word.
    pub const ALL: [Self; 4] = [Self::JupyterHub, Self::Prometheus, Self::Salt, Self::Slurm];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::JupyterHub => "jupyterhub",
            Self::Prometheus => "prometheus",
            Self::Salt => "salt",
            Self::Slurm => "slurm",
        }
    }

    /// The setting that names its servers.
    #[must_use]
    pub fn setting(self) -> &'static str {
        match self {
            Self::JupyterHub => "UTOPIA_JUPYTERHUB_URL",
            Self::Prometheus => "UTOPIA_PROMETHEUS_URL",
            Self::Salt => "UTOPIA_SALT_URL",
            Self::Slurm => "UTOPIA_SLURM",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_are_in_order() {
        assert!(Kind::ALL.is_sorted_by_key(|kind| kind.word()) && Kind::ALL.is_sorted());
    }
}
