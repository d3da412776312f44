//! `aiinfra api`, `completions` and `man`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

pub(super) const API_EXAMPLES: &str = "\
  aiinfra api GET /api/nodes --query status=online --all-pages
  aiinfra api POST /api/gpu-claims --data '{\"spec\": {\"image\": \"busybox\", \"resources\": {\"gpuCount\": 0}}}'
  aiinfra api PUT /api/roles/user/policy --data @policy.json
  aiinfra api GET /openapi.json";

pub(super) const COMPLETION_SETUP: &str = "\
  echo 'source <(aiinfra completions bash)' >>~/.bashrc
  echo 'source <(aiinfra completions zsh)' >>~/.zshrc
  echo 'aiinfra completions fish | source' >~/.config/fish/completions/aiinfra.fish

What is printed belongs to this version of aiinfra: let each new shell ask for it, as here. Ids and names are asked of the server.";

#[derive(Debug, Args)]
pub(crate) struct CallApi {
    /// The method: GET, POST, PUT, PATCH or DELETE
    #[arg(value_enum, ignore_case = true)]
    pub(crate) method: CallMethod,
    /// The path at the server, e.g. /api/nodes; it may have a query
    pub(crate) path: ApiPath,
    /// The body: JSON, @FILE for the content of a file, - for standard input
    #[arg(short, long, value_name = "JSON|@FILE|-")]
    pub(crate) data: Option<String>,
    /// A parameter of the query (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    pub(crate) query: Vec<(String, String)>,
    /// Fetch all pages of a list, and show them as one
    #[arg(long)]
    pub(crate) all_pages: bool,
}

/// The methods of HTTP that operations have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub(crate) enum CallMethod {
    /// Reads
    Get,
    /// Makes or does something
    Post,
    /// Replaces
    Put,
    /// Changes
    Patch,
    /// Removes
    Delete,
}

/// A path below the server's URL. A whole URL could send the token elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct ApiPath(pub(crate) String);

impl FromStr for ApiPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = text.trim_start_matches('/');
        if path.is_empty() || text.contains("://") || text.contains('#') {
            return Err("expected a path such as /api/nodes".to_owned());
        }
        Ok(Self(path.to_owned()))
    }
}

fn parameter(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The shells that can complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    /// GNU bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}

#[derive(Debug, Args)]
pub(crate) struct WriteMan {
    /// The directory for them, e.g. /usr/local/share/man/man1; it is made if need be
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
}
