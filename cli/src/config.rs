//! The settings of this command: which server, and a token for each server one has logged in to.
//!
//! They live in one file that only its owner can read, replaced as a whole. Nothing here prints a token.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fmt};

use anyhow::{Context as _, bail};
use reqwest::Url;
use serde::{Deserialize, Serialize};
use utopia_certs::secret_file;

/// Where `aiinfra up` listens.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// The file's content.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    /// The server, unless named otherwise.
    url: Option<String>,
    /// By the server's URL.
    sessions: BTreeMap<String, Session>,
}

/// A log-in that is kept.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    pub(crate) username: String,
    pub(crate) token: String,
}

impl fmt::Debug for Session {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Session").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads the file; a missing one is empty.
    pub(crate) fn load(path: &Path) -> anyhow::Result<Self> {
        match secret_file::read_if_present(path)? {
            Some(text) => serde_json::from_slice(&text).with_context(|| format!("{} is damaged", path.display())),
            None => Ok(Self::default()),
        }
    }

    /// Replaces the file.
    pub(crate) fn save(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self).context("write the settings")?;
        if let Some(directory) = path.parent() {
            secret_file::create_private_dir(directory)?;
        }
        Ok(secret_file::write_private(path, &text)?)
    }

    /// The server to talk to: the one that is named, else the one that is kept, else the one on this machine.
    pub(crate) fn server(&self, named: Option<&str>) -> anyhow::Result<Url> {
        parse_url(named.or(self.url.as_deref()).unwrap_or(DEFAULT_URL))
    }

    pub(crate) fn set_url(&mut self, url: &Url) {
        self.url = Some(url.to_string());
    }

    pub(crate) fn session(&self, server: &Url) -> Option<&Session> {
        self.sessions.get(server.as_str())
    }

    pub(crate) fn keep_session(&mut self, server: &Url, session: Session) {
        self.sessions.insert(server.to_string(), session);
    }

    /// Whether there was one.
    pub(crate) fn forget_session(&mut self, server: &Url) -> bool {
        self.sessions.remove(server.as_str()).is_some()
    }
}

/// An http or https URL without the parts that mean nothing here, so that one server has one spelling.
pub(crate) fn parse_url(text: &str) -> anyhow::Result<Url> {
    let mut url = Url::parse(text).with_context(|| format!("{text:?} is not a URL; expected one like {DEFAULT_URL}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        bail!("{text:?} is not the URL of a server; expected one like {DEFAULT_URL}");
    }
    if !url.username().is_empty() || url.password().is_some() {
        bail!("the URL of a server carries no credentials; use `aiinfra login`");
    }
    url.set_query(None);
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// `$XDG_CONFIG_HOME/aiinfra/config.json`, by default under `~/.config`.
pub(crate) fn path() -> anyhow::Result<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let directory = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")));
    Ok(directory
        .context("cannot tell where settings are kept: neither HOME nor XDG_CONFIG_HOME is set")?
        .join("aiinfra/config.json"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_server_has_one_spelling() {
        for text in ["http://Host.example:80/", "http://host.example", "http://host.example/?a=b#c"] {
            assert_eq!(parse_url(text).unwrap().as_str(), "http://host.example/");
        }
        assert_eq!(parse_url("https://host/base/").unwrap().as_str(), "https://host/base");
        for wrong in ["", "host", "host:8080", "ftp://host", "http://", "http://user:secret@host"] {
            let error = parse_url(wrong).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_named_server_wins_over_the_kept_one() {
        let mut config = Config::default();
        assert_eq!(config.server(None).unwrap().as_str(), "http://127.0.0.1:8080/");
        config.set_url(&parse_url("http://kept").unwrap());
        assert_eq!(config.server(None).unwrap().as_str(), "http://kept/");
        assert_eq!(config.server(Some("http://named")).unwrap().as_str(), "http://named/");
    }

    #[test]
    fn sessions_are_kept_per_server_in_a_private_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/aiinfra/config.json");
        let (here, there) = (parse_url("http://here").unwrap(), parse_url("http://there").unwrap());
        let mut config = Config::load(&path).unwrap();
        config.keep_session(&here, Session { username: "alice".to_owned(), token: "secret".to_owned() });
        config.save(&path).unwrap();

        let mut config = Config::load(&path).unwrap();
        assert_eq!(config.session(&here).unwrap().token, "secret");
        assert!(config.session(&there).is_none());
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);

        assert!(config.forget_session(&here));
        config.save(&path).unwrap();
        assert!(Config::load(&path).unwrap().session(&here).is_none());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, "{").unwrap();
        assert!(Config::load(&path).unwrap_err().to_string().contains("config.json is damaged"));
    }
}
