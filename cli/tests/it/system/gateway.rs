//! A gateway in a process of its own, before a control plane of another.

use tempfile::TempDir;

use super::api::Api;
use super::ports::free_port;
use super::process::Process;
use super::until;

/// A running `utopia-gateway`.
pub(crate) struct Gateway {
    /// Before its directory: it ends first.
    _process: Process,
    _directory: TempDir,
    url: String,
}

impl Gateway {
    /// Starts it before a control plane with these settings, by their environment names, and waits until it answers.
    pub(crate) async fn start(upstream: &str, further: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let address = format!("127.0.0.1:{}", free_port());
        let mut settings =
            vec![("UTOPIA_HTTP_ADDR".to_owned(), address.clone()), ("UTOPIA_UPSTREAM".to_owned(), format!("https://{upstream}"))];
        settings.extend(further.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let process = Process::start("utopia-gateway", directory.path(), [""; 0], &settings);
        let gateway = Self { _process: process, _directory: directory, url: format!("http://{address}") };
        until("the gateway answers", async || gateway.api().status("/ready").await).await;
        gateway
    }

    /// The API as nobody.
    pub(crate) fn api(&self) -> Api {
        Api::new(&self.url)
    }

    /// Waits until it is ready to pass requests on.
    pub(crate) async fn is_ready(&self) {
        until("the gateway is ready", async || (self.api().status("/ready").await == Some(200)).then_some(())).await;
    }
}
