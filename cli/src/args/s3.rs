//! `aiinfra s3 …`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::{ById, Page};

const CREATE_EXAMPLES: &str = "\
With -o json the answer can be kept in a file:
  aiinfra s3 keys create backups -o json > key.json

Clients find the objects under /minio of this server, e.g. for boto3:
  boto3.client('s3', endpoint_url='http://127.0.0.1:8080/minio', aws_access_key_id=…, aws_secret_access_key=…)";

#[derive(Debug, Subcommand)]
pub(crate) enum S3Command {
    /// Access keys: what S3 clients sign with
    #[command(subcommand, alias = "key")]
    Keys(KeysCommand),
    /// Show what is kept: your own buckets, or everybody's for administrators
    Usage(Page),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make an access key: prints its secret, this once
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateKey),
    /// List access keys, newest first: your own, or everybody's for administrators
    #[command(alias = "ls")]
    List(Page),
    /// Replace the secret of an access key: prints the new one, this once
    Rotate(ById),
    /// Revoke an access key at once
    #[command(alias = "rm")]
    Revoke(ById),
}

#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// What it is for
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(crate) name: String,
}
