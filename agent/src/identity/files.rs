//! The agent's files: key, certificate, the authority's certificate, and the machine's id.
//!
//! The certificate is written last and replaced in one step, so that a crash leaves either the old identity or the new one.

use std::path::{Path, PathBuf};

use rustls::pki_types::CertificateDer;
use utopia_certs::secret_file::{create_private_dir, read_if_present, write_private};
use utopia_certs::{NodeKey, generate_key};
use uuid::Uuid;

use super::Fatal;

const KEY: &str = "key.pem";
const CERTIFICATE: &str = "certificate.der";
const AUTHORITY: &str = "ca.der";
const NODE_ID: &str = "node-id";
const MACHINE_ID: &str = "machine-id";
const JOINED_WITH: &str = "joined-with";

/// The directory of the agent's files.
#[derive(Debug)]
pub(super) struct Files(PathBuf);

/// The certificates that were kept.
pub(super) struct Kept {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) ca: CertificateDer<'static>,
}

impl Files {
    pub(super) fn open(dir: &Path) -> Result<Self, Fatal> {
        create_private_dir(dir)?;
        Ok(Self(dir.to_owned()))
    }

    /// The key, made at the first start.
    pub(super) fn key(&self) -> Result<NodeKey, Fatal> {
        let path = self.0.join(KEY);
        if let Some(pem) = read_if_present(&path)? {
            let key = String::from_utf8(pem).ok().and_then(|pem| NodeKey::from_pem(&pem).ok());
            return key.ok_or(Fatal::Corrupt { path, what: "a private key" });
        }
        let key = generate_key()?;
        write_private(&path, key.to_pem().as_bytes())?;
        Ok(key)
    }

    /// The id of this data directory, made at the first start.
    pub(super) fn machine_id(&self) -> Result<Uuid, Fatal> {
        let path = self.0.join(MACHINE_ID);
        if let Some(text) = read_if_present(&path)? {
            let id = std::str::from_utf8(&text).ok().and_then(|text| Uuid::try_parse(text.trim()).ok());
            return id.ok_or(Fatal::Corrupt { path, what: "a machine id" });
        }
        let id = Uuid::new_v4();
        write_private(&path, format!("{id}\n").as_bytes())?;
        Ok(id)
    }

    /// The certificates, if the machine has joined.
    pub(super) fn certificates(&self) -> Result<Option<Kept>, Fatal> {
        let (Some(certificate), Some(ca)) = (self.read(CERTIFICATE)?, self.read(AUTHORITY)?) else { return Ok(None) };
        Ok(Some(Kept { certificate: certificate.into(), ca: ca.into() }))
    }

    pub(super) fn keep(&self, node_id: Uuid, certificate: &[u8], ca: &[u8]) -> Result<(), Fatal> {
        write_private(&self.0.join(AUTHORITY), ca)?;
        write_private(&self.0.join(NODE_ID), format!("{node_id}\n").as_bytes())?;
        write_private(&self.0.join(CERTIFICATE), certificate)?;
        Ok(())
    }

    /// The id of the join token that made the kept certificate.
    pub(super) fn joined_with(&self) -> Result<Option<String>, Fatal> {
        let text = self.read(JOINED_WITH)?;
        Ok(text.map(|text| String::from_utf8_lossy(&text).trim().to_owned()))
    }

    pub(super) fn keep_joined_with(&self, token_id: &str) -> Result<(), Fatal> {
        Ok(write_private(&self.0.join(JOINED_WITH), format!("{token_id}\n").as_bytes())?)
    }

    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Fatal> {
        Ok(read_if_present(&self.0.join(name))?)
    }
}
