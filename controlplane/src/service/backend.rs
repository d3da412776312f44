//! `utopia.backend.v1.BackendService`.

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::backend::v1::{
    Backend as WireBackend, BackendStatus, ListBackendsRequest, ListBackendsResponse, backend_service_server::BackendService,
};

use super::convert;
use crate::backend::{
    Backends, Kind,
    client::{Backend, Health, Place},
};

/// The service.
#[derive(Debug, Clone)]
pub struct BackendList {
    /// All of them.
    pub backends: Backends,
}

#[async_trait]
impl BackendService for BackendList {
    async fn list_backends(&self, _: Request<ListBackendsRequest>) -> Result<Response<ListBackendsResponse>, Status> {
        let all = self.backends.all();
        let of_kind = |kind: Kind| {
            let found = all.iter().filter(|(of, _)| *of == kind).map(|(_, backend)| show(kind, backend));
            let mut found = found.collect::<Vec<_>>();
            found.sort_by(|one, other| one.name.cmp(&other.name));
            if found.is_empty() { vec![none(kind)] } else { found }
        };
        Ok(Response::new(ListBackendsResponse { backends: Kind::ALL.into_iter().flat_map(of_kind).collect() }))
    }
}

/// A kind of which no setting names one.
fn none(kind: Kind) -> WireBackend {
    WireBackend {
        kind: kind.word().to_owned(),
        name: kind.word().to_owned(),
        status: BackendStatus::NotConfigured.into(),
        setting: kind.setting().to_owned(),
        ..WireBackend::default()
    }
}

fn show(kind: Kind, backend: &Backend) -> WireBackend {
    let Place { name, setting, url, .. } = backend.place().clone();
    let Health { is_up, version, latency, last_error, checked_at, .. } = backend.health();
    let status = match is_up {
        None => BackendStatus::Unspecified,
        Some(true) => BackendStatus::Up,
        Some(false) => BackendStatus::Down,
    };
    WireBackend {
        kind: kind.word().to_owned(),
        name,
        url: url.into(),
        status: status.into(),
        version,
        latency_ms: latency.as_secs_f64() * 1_000.0,
        last_error,
        checked_at: checked_at.map(convert::timestamp),
        setting: setting.to_owned(),
    }
}
