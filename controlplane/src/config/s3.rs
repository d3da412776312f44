//! The settings of the S3 interface.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use reqwest::Url;

/// The settings of the S3 interface.
#[derive(Debug, Clone, Args)]
#[group(skip)]
#[command(next_help_heading = "Object storage")]
pub struct Settings {
    /// Address of the S3 interface alone, without /minio before the bucket, for clients that sign no prefix (s3cmd, mc); off when absent
    #[arg(long, env = "UTOPIA_S3_ADDR", value_name = "ADDR")]
    pub s3_addr: Option<SocketAddr>,

    /// The S3 server that keeps the objects behind /minio; they are kept in DATA_DIR/s3 when absent
    #[arg(long, env = "UTOPIA_S3_URL", requires = "s3_access_key", value_name = "URL")]
    pub s3_url: Option<Url>,

    /// The access key id of this control plane on that server
    #[arg(long, env = "UTOPIA_S3_ACCESS_KEY", requires = "s3_secret_key_file", value_name = "ID")]
    pub s3_access_key: Option<String>,

    /// The file with the secret of that key
    #[arg(long, env = "UTOPIA_S3_SECRET_KEY_FILE", value_name = "FILE")]
    pub s3_secret_key_file: Option<PathBuf>,

    /// The region that requests are signed for, here and on that server
    #[arg(long, env = "UTOPIA_S3_REGION", default_value = "us-east-1", value_name = "REGION")]
    pub s3_region: String,

    /// Days after which uploads in parts that were never completed are given up
    #[arg(long, env = "UTOPIA_S3_UPLOAD_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=365), value_name = "DAYS")]
    pub s3_upload_days: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            s3_addr: None,
            s3_url: None,
            s3_access_key: None,
            s3_secret_key_file: None,
            s3_region: "us-east-1".to_owned(),
            s3_upload_days: 7,
        }
    }
}
