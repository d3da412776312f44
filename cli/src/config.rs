//! The settings of this command: named contexts, of which each is a server, the tokens one has logged in for there, and its S3 key.
//!
//! They live in one file that only its owner can read, replaced as a whole. A token belongs to a context and to a URL, so that
//! another URL never gets it; so does a key. Nothing here prints one.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use etcetera::BaseStrategy as _;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use utopia_certs::secret_file;

use crate::failure::Failure;

/// Where `aiinfra up` listens.
const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// The context that is there without having been made.
const DEFAULT_CONTEXT: &str = "default";

/// The file's content.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default, from = "File")]
pub(crate) struct Config {
    current_context: Option<String>,
    contexts: BTreeMap<String, Server>,
}

/// One context: a server, and as whom it is known.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Server {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) url: Option<String>,
    /// A file of certificates to trust beside those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_ca: Option<PathBuf>,
    /// By the URL they were made at.
    sessions: BTreeMap<String, Session>,
    /// By the URL of the server that made them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    s3_keys: BTreeMap<String, KeyPair>,
}

/// An access key that is kept.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct KeyPair {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyPair").field("id", &self.id).finish_non_exhaustive()
    }
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

/// The file as it may be found: one without contexts has one server and its sessions beside it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct File {
    current_context: Option<String>,
    contexts: BTreeMap<String, Server>,
    url: Option<String>,
    sessions: BTreeMap<String, Session>,
}

impl From<File> for Config {
    fn from(File { current_context, mut contexts, url, sessions }: File) -> Self {
        if url.is_some() || !sessions.is_empty() {
            contexts.entry(DEFAULT_CONTEXT.to_owned()).or_insert(Server { url, sessions, ..Server::default() });
        }
        Self { current_context, contexts }
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

    /// The name of the context that holds unless another is named.
    pub(crate) fn current(&self) -> &str {
        self.current_context.as_deref().unwrap_or(DEFAULT_CONTEXT)
    }

    /// The name of the context to use. One that was never made is an error, but for the one that is always there.
    pub(crate) fn chosen<'a>(&'a self, named: Option<&'a str>) -> anyhow::Result<&'a str> {
        let name = named.unwrap_or_else(|| self.current());
        if self.contexts.contains_key(name) || name == DEFAULT_CONTEXT { Ok(name) } else { Err(missing(name)) }
    }

    pub(crate) fn context(&self, name: &str) -> Option<&Server> {
        self.contexts.get(name)
    }

    /// All of them by name, the default one only if something is known of it.
    pub(crate) fn contexts(&self) -> impl Iterator<Item = (&str, &Server)> {
        self.contexts.iter().map(|(name, context)| (name.as_str(), context))
    }

    /// The context of this name, made if need be.
    pub(crate) fn entry(&mut self, name: &str) -> &mut Server {
        self.contexts.entry(name.to_owned()).or_default()
    }

    pub(crate) fn use_context(&mut self, name: &str) -> anyhow::Result<()> {
        self.current_context = Some(self.chosen(Some(name))?.to_owned());
        Ok(())
    }

    /// Forgets a context and its tokens. If it was the current one, the default one is from now on.
    pub(crate) fn delete_context(&mut self, name: &str) -> anyhow::Result<()> {
        self.contexts.remove(name).ok_or_else(|| missing(name))?;
        if self.current() == name {
            self.current_context = None;
        }
        Ok(())
    }

    /// The server to talk to: the one that is named, else the context's, else the one on this machine.
    pub(crate) fn server(&self, context: &str, named: Option<&str>) -> anyhow::Result<Url> {
        let kept = self.contexts.get(context).and_then(|context| context.url.as_deref());
        parse_url(named.or(kept).unwrap_or(DEFAULT_URL))
    }

    pub(crate) fn session(&self, context: &str, server: &Url) -> Option<&Session> {
        self.contexts.get(context)?.sessions.get(server.as_str())
    }

    pub(crate) fn keep_session(&mut self, context: &str, server: &Url, session: Session) {
        self.entry(context).sessions.insert(server.to_string(), session);
    }

    /// Whether there was one.
    pub(crate) fn forget_session(&mut self, context: &str, server: &Url) -> bool {
        self.contexts.get_mut(context).is_some_and(|context| context.sessions.remove(server.as_str()).is_some())
    }

    pub(crate) fn s3_key(&self, context: &str, server: &Url) -> Option<&KeyPair> {
        self.contexts.get(context)?.s3_keys.get(server.as_str())
    }

    pub(crate) fn keep_s3_key(&mut self, context: &str, server: &Url, key: KeyPair) {
        self.entry(context).s3_keys.insert(server.to_string(), key);
    }

    pub(crate) fn forget_s3_key(&mut self, context: &str, server: &Url) {
        if let Some(context) = self.contexts.get_mut(context) {
            context.s3_keys.remove(server.as_str());
        }
    }
}

fn missing(name: &str) -> anyhow::Error {
    Failure::NotFound(format!("there is no context {name:?}; make it with `aiinfra config set-context {name} --url URL`")).into()
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

/// `aiinfra/config.json` in the directory for settings: `$XDG_CONFIG_HOME`, by default `~/.config`.
pub(crate) fn path() -> anyhow::Result<PathBuf> {
    let base = etcetera::choose_base_strategy().context("cannot tell where settings are kept: set HOME")?;
    Ok(base.config_dir().join("aiinfra/config.json"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn session(token: &str) -> Session {
        Session { username: "alice".to_owned(), token: token.to_owned() }
    }

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
        assert_eq!(config.server("default", None).unwrap().as_str(), "http://127.0.0.1:8080/");
        config.entry("default").url = Some("http://kept".to_owned());
        assert_eq!(config.server("default", None).unwrap().as_str(), "http://kept/");
        assert_eq!(config.server("default", Some("http://named")).unwrap().as_str(), "http://named/");
    }

    #[test]
    fn tokens_are_kept_per_context_and_server_in_a_private_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/aiinfra/config.json");
        let (here, there) = (parse_url("http://here").unwrap(), parse_url("http://there").unwrap());
        let mut config = Config::load(&path).unwrap();
        config.keep_session("default", &here, session("secret"));
        config.save(&path).unwrap();

        let mut config = Config::load(&path).unwrap();
        assert_eq!(config.session("default", &here).unwrap().token, "secret");
        assert!(config.session("default", &there).is_none() && config.session("other", &here).is_none());
        assert!(!format!("{config:?}").contains("secret"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);

        assert!(config.forget_session("default", &here));
        config.save(&path).unwrap();
        assert!(Config::load(&path).unwrap().session("default", &here).is_none());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn keys_of_s3_are_kept_like_tokens() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let (here, there) = (parse_url("http://here").unwrap(), parse_url("http://there").unwrap());
        let mut config = Config::default();
        config.keep_s3_key("lab", &here, KeyPair { id: "AK".to_owned(), secret: "hidden".to_owned() });
        config.save(&path).unwrap();
        let mut config = Config::load(&path).unwrap();
        assert_eq!(config.s3_key("lab", &here).unwrap().secret, "hidden");
        assert!(config.s3_key("lab", &there).is_none() && config.s3_key("default", &here).is_none());
        assert!(!format!("{config:?}").contains("hidden"));
        config.forget_s3_key("lab", &here);
        assert!(config.s3_key("lab", &here).is_none());
    }

    #[test]
    fn a_file_from_before_contexts_is_the_default_context() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let sessions = r#"{"http://kept/":{"username":"alice","token":"secret"}}"#;
        fs::write(&path, format!(r#"{{"url":"http://kept/","sessions":{sessions}}}"#)).unwrap();
        for _ in 0..2 {
            let config = Config::load(&path).unwrap();
            let server = config.server(config.current(), None).unwrap();
            assert_eq!(config.session("default", &server).unwrap().token, "secret");
            config.save(&path).unwrap();
        }
    }

    #[test]
    fn a_context_that_is_deleted_is_not_in_use() {
        let mut config = Config::default();
        assert!(config.use_context("lab").is_err() && config.chosen(Some("lab")).is_err());
        config.entry("lab").url = Some("http://lab".to_owned());
        config.use_context("lab").unwrap();
        assert_eq!(config.chosen(None).unwrap(), "lab");
        config.delete_context("lab").unwrap();
        assert_eq!(config.chosen(None).unwrap(), "default");
        assert!(config.delete_context("lab").is_err());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        fs::write(&path, "{").unwrap();
        assert!(Config::load(&path).unwrap_err().to_string().contains("config.json is damaged"));
    }
}
