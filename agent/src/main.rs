//! `utopia-agent`: the agent as a program.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use clap::Parser;
use tokio_util::sync::CancellationToken;
use utopia_agent::config::Options;
use utopia_gateway::{process, telemetry};

/// How long a driver that hangs may hold up the end of the program.
const BLOCKED_GRACE: Duration = Duration::from_secs(1);

/// Joins this machine to a control plane, runs containers for it and reports the GPUs.
///
/// The first start joins: it needs the control plane's address, a join token and the hash of the control plane's CA.
///
///     utopia-agent --server https://control.example:8443 --join-token-file token --ca-hash sha256:…
///
/// After that the certificate in the data directory is enough:
///
///     utopia-agent --server https://control.example:8443
///
/// The agent dials out and accepts nothing but its local node API (see --http-addr), whose token lies in
/// DATA_DIR/agent/api-token. It ends with exit code 1 when the control plane refuses it; containers are left as they are.
#[derive(Parser)]
#[command(name = "utopia-agent", version, verbatim_doc_comment)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

fn main() -> ExitCode {
    let options = Cli::parse().options;
    telemetry::init(options.log_format, "info");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start the runtime");
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return process::exit_code(Err(error)),
    };
    let cancel = CancellationToken::new();
    let agent = async {
        let config = options.into_config()?;
        utopia_agent::run(config, cancel.clone()).await
    };
    let code = runtime.block_on(process::main(agent, cancel.clone()));
    runtime.shutdown_timeout(BLOCKED_GRACE);
    code
}
