//! The node API's token when the operator gave none: random, made once, in a file that only its owner can read.

use std::path::Path;

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use utopia_certs::secret_file::{read_if_present, write_private};

use crate::config::Secret;

const FILE: &str = "api-token";
const RANDOM_BYTES: usize = 32;

/// Reads the token in `dir`, or makes it.
pub(crate) fn read_or_make(dir: &Path) -> anyhow::Result<Secret> {
    let path = dir.join(FILE);
    if let Some(bytes) = read_if_present(&path)? {
        let text = String::from_utf8(bytes).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
        return Ok(text.with_context(|| format!("{} holds no token; remove it to get a new one", path.display()))?.into());
    }
    let mut random = [0; RANDOM_BYTES];
    getrandom::fill(&mut random).context("cannot draw random numbers for the API token")?;
    let token = URL_SAFE_NO_PAD.encode(random);
    write_private(&path, format!("{token}\n").as_bytes())?;
    tracing::info!(file = %path.display(), "made a token for the node API");
    Ok(token.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let token = read_or_make(dir.path()).unwrap();
        assert_eq!(token.expose().len(), 43);
        assert_eq!(read_or_make(dir.path()).unwrap(), token);
        let mode = std::fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn an_empty_file_is_no_token() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), " \n").unwrap();
        assert!(read_or_make(dir.path()).unwrap_err().to_string().contains("holds no token"));
    }
}
