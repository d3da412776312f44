//! `aiinfra s3 …`.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};

use super::{ById, Page, Seconds};
use crate::objects::{BucketPlace, End, ObjectPlace, Place};

/// The longest that S3 lets a URL hold: a week.
const MOST_EXPIRY_SECONDS: u32 = 7 * 24 * 60 * 60;

const KEY_SOURCES: &str = "\
The access key is AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, else the one that `aiinfra s3 keys create NAME --save` has kept for
this server. AWS_REGION is the region to sign for, us-east-1 by default.";

const COPY_EXAMPLES: &str = "\
  aiinfra s3 cp model.bin s3://models/v1/                 a file, under its own name
  aiinfra s3 cp s3://models/v1/model.bin .                and back
  aiinfra s3 cp --recursive results s3://runs/42          what is in a directory
  tar c data | aiinfra s3 cp - s3://backups/data.tar      from a pipe; s3://… - writes into one

More than 16 MiB goes in parts, four at a time, and each that fails is tried again. What is broken off leaves nothing behind: no parts
on the server, and no half of a file here. Symbolic links to files are followed, those to directories are not.

The access key is AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, else the one that `aiinfra s3 keys create NAME --save` has kept for
this server. AWS_REGION is the region to sign for, us-east-1 by default.";

const CREATE_EXAMPLES: &str = "\
For the commands of `aiinfra s3` the key can be kept beside the token:
  aiinfra s3 keys create laptop --save

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
    /// Copy files into buckets, and out of them
    #[command(after_help = COPY_EXAMPLES)]
    Cp(CopyObjects),
    /// List buckets, or what is in one
    #[command(after_help = KEY_SOURCES)]
    Ls(ListObjects),
    /// Remove an object, or all below a prefix
    #[command(after_help = KEY_SOURCES)]
    Rm(RemoveObjects),
    /// Make a bucket
    #[command(after_help = KEY_SOURCES)]
    Mb(OneBucket),
    /// Remove a bucket that is empty
    #[command(after_help = KEY_SOURCES)]
    Rb(OneBucket),
    /// Print a URL with which anybody can read an object for a time
    #[command(after_help = KEY_SOURCES)]
    Presign(PresignObject),
}

#[derive(Debug, Args)]
pub(crate) struct CopyObjects {
    /// What to copy: a path, s3://BUCKET/KEY, or - for standard input
    pub(crate) source: End,
    /// Where to: a path, s3://BUCKET/KEY, or - for standard output
    pub(crate) destination: End,
    /// Copy a directory, or all below a prefix
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ListObjects {
    /// What to list, s3://BUCKET[/PREFIX] [default: the buckets]
    #[arg(value_name = "s3://BUCKET[/PREFIX]")]
    pub(crate) place: Option<Place>,
    /// Also what lies below slashes, and not only what they have in common
    #[arg(short, long, requires = "place")]
    pub(crate) recursive: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveObjects {
    /// What to remove
    #[arg(value_name = "s3://BUCKET/KEY")]
    pub(crate) place: Place,
    /// Remove all below it: s3://BUCKET/KEY/…, or everything in the bucket
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

#[derive(Debug, Args)]
pub(crate) struct OneBucket {
    /// The bucket
    #[arg(value_name = "s3://BUCKET")]
    pub(crate) bucket: BucketPlace,
}

#[derive(Debug, Args)]
pub(crate) struct PresignObject {
    /// The object
    #[arg(value_name = "s3://BUCKET/KEY")]
    pub(crate) object: ObjectPlace,
    /// How long the URL holds: seconds, or e.g. 12h; at most 7d
    #[arg(long, default_value = "3600", value_name = "SECONDS", value_parser = expiry)]
    pub(crate) expires: Seconds,
}

fn expiry(text: &str) -> Result<Seconds, String> {
    let seconds = text.parse::<Seconds>()?;
    if seconds.0 > MOST_EXPIRY_SECONDS { Err("a URL holds for at most 7d".to_owned()) } else { Ok(seconds) }
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
    /// Keep the key for this server in the settings, where `aiinfra s3 cp` and others find it, and do not print its secret
    #[arg(long)]
    pub(crate) save: bool,
}
