//! The S3 interface at `/minio`. Clients sign the path with its prefix, so signatures are verified on the path as it came.
//!
//! Requests pass two services of the `s3s` crate. The first one verifies (signatures, `aws-chunked`, sums of payloads) and hands
//! everything to [`gate`], which finds who signed, asks whose bucket it is, and takes the prefix off. Behind it stands either the
//! second one, which reads operations and writes XML around the [`embedded`] store, or the [`external`] server, for which requests
//! are signed anew.
//!
//! Bodies are streams from end to end. Log-ins, limits of requests and of bodies do not hold here; nothing but a signature opens.

mod blobs;
mod embedded;
mod external;
mod frames;
mod front;
mod gate;
mod keys;
mod meters;
mod signed;
mod sums;
mod upkeep;

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use axum::Router;
use jiff::SignedDuration;
use prometheus_client::registry::Registry;
use s3s::service::S3ServiceBuilder;
use tokio_util::sync::CancellationToken;

pub use self::keys::new_key;
use self::{blobs::Blobs, embedded::Embedded, external::External, front::Front, gate::Gate, keys::Keys, meters::Meters};
use crate::{clock::Clock, config::s3::Settings, seal::Sealer, store::Store};

/// What every path of the interface begins with.
const PREFIX: &str = "/minio";

/// The S3 interface.
#[derive(Debug, Clone)]
pub struct ObjectStorage {
    gate: Gate,
    blobs: Option<Blobs>,
    meters: Meters,
    upload_lifetime: SignedDuration,
}

impl ObjectStorage {
    /// The interface, with the store under this directory unless the settings name a server.
    ///
    /// # Errors
    /// When a setting makes no sense, a file that it names cannot be read, or the directory cannot be made.
    pub fn open(
        settings: &Settings,
        data_dir: &Path,
        (store, sealer, clock): (Store, Sealer, Clock),
        registry: &mut Registry,
    ) -> anyhow::Result<Self> {
        let keys = Keys::new(store.clone(), sealer, clock.clone());
        let (backend, blobs) = match External::open(settings)? {
            Some(external) => (gate::Backend::External(external), None),
            None => {
                let root = data_dir.join("s3");
                let blobs = Blobs::open(&root).with_context(|| format!("cannot keep objects in {}", root.display()))?;
                let embedded = Embedded::new(store.clone(), blobs.clone(), clock.clone(), &settings.s3_region);
                let service = S3ServiceBuilder::new(embedded).build();
                (gate::Backend::Embedded(service), Some(blobs))
            }
        };
        let gate = Gate { keys, store, clock, region: settings.s3_region.as_str().into(), backend: Arc::new(backend) };
        let upload_lifetime = SignedDuration::from_hours(24 * i64::from(settings.s3_upload_days));
        Ok(Self { gate, blobs, meters: Meters::register(registry), upload_lifetime })
    }

    /// What answers below the prefix.
    pub fn router(&self) -> Router {
        self.router_below(PREFIX)
    }

    /// The same for a listener that has nothing else, without the prefix.
    pub fn router_alone(&self) -> Router {
        self.router_below("")
    }

    fn router_below(&self, prefix: &'static str) -> Router {
        let mut builder = S3ServiceBuilder::new(front::Nothing);
        builder.set_auth(self.gate.keys.clone());
        builder.set_route(self.gate.clone());
        Front { prefix, service: builder.build(), meters: self.meters.clone() }.router()
    }

    /// Notes which keys are used, sums up, and removes what nobody refers to, until cancelled.
    pub async fn run(self, cancel: CancellationToken) {
        let Gate { keys, store, clock, .. } = self.gate;
        let upkeep =
            upkeep::Upkeep { keys, store, clock, blobs: self.blobs, meters: self.meters, upload_lifetime: self.upload_lifetime };
        upkeep.run(cancel).await;
    }
}
