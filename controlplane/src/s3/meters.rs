//! What is measured of object storage, by person. So that there is an end of labels, only so many people have their own.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};

use crate::model::storage::Usage;

/// How many people have labels of their own.
const MAX_USERS: usize = 1_000;

/// The label of all others; no user name has a space.
const OTHERS: &str = "(all others)";

/// The metrics. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct Meters {
    users: Arc<Mutex<HashSet<String>>>,
    requests: Family<RequestLabels, Counter>,
    received: Family<UserLabels, Counter>,
    sent: Family<UserLabels, Counter>,
    buckets: Family<UserLabels, Gauge>,
    objects: Family<UserLabels, Gauge>,
    stored: Family<UserLabels, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UserLabels {
    user: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    user: String,
    method: &'static str,
    status: u16,
}

impl Meters {
    /// The metrics, registered.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let meters = Self::default();
        let registry = registry.sub_registry_with_prefix("utopia_s3");
        registry.register("requests", "Requests by user, method and status; nobody's have no user", meters.requests.clone());
        registry.register_with_unit("received", "Content uploaded, by user", Unit::Bytes, meters.received.clone());
        registry.register_with_unit("sent", "Content downloaded, by user", Unit::Bytes, meters.sent.clone());
        registry.register("buckets", "Buckets by owner", meters.buckets.clone());
        registry.register("objects", "Objects by the owner of their bucket", meters.objects.clone());
        registry.register_with_unit(
            "stored",
            "Content of objects by the owner of their bucket",
            Unit::Bytes,
            meters.stored.clone(),
        );
        meters
    }

    /// Takes note of what everybody keeps.
    pub(super) fn observe_usage(&self, usage: Vec<(String, Usage)>) {
        // Whoever has nothing any more is in no row.
        for family in [&self.buckets, &self.objects, &self.stored] {
            family.clear();
        }
        for (user, usage) in usage {
            let labels = UserLabels { user: self.label(user) };
            self.buckets.get_or_create(&labels).inc_by(usage.buckets);
            self.objects.get_or_create(&labels).inc_by(usage.objects);
            self.stored.get_or_create(&labels).inc_by(usage.bytes);
        }
    }

    /// The label of a person; whoever comes late has that of all others.
    fn label(&self, user: String) -> String {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if !users.contains(&user) {
            if users.len() == MAX_USERS {
                return OTHERS.to_owned();
            }
            users.insert(user.clone());
        }
        user
    }

    /// Begins to measure a request.
    pub(super) fn request(&self, method: &http::Method) -> Arc<Tally> {
        let method = match *method {
            http::Method::GET => "GET",
            http::Method::HEAD => "HEAD",
            http::Method::PUT => "PUT",
            http::Method::POST => "POST",
            http::Method::DELETE => "DELETE",
            _ => "other",
        };
        let (received, sent) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Tally { meters: self.clone(), method, user: OnceLock::new(), status: OnceLock::new(), received, sent })
    }
}

/// What one request comes to. It is counted when the last of its streams has ended.
#[derive(Debug)]
pub(super) struct Tally {
    meters: Meters,
    method: &'static str,
    user: OnceLock<String>,
    status: OnceLock<u16>,
    received: AtomicU64,
    sent: AtomicU64,
}

impl Tally {
    /// It is this person's.
    pub(super) fn is_of(&self, user: &str) {
        // It is called once.
        let _ = self.user.set(user.to_owned());
    }

    /// It was answered with this status.
    pub(super) fn answered(&self, status: http::StatusCode) {
        // It is called once.
        let _ = self.status.set(status.as_u16());
    }

    /// So much of its body came.
    pub(super) fn receives(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// So much of its answer went.
    pub(super) fn sends(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        // 499 is what others write down of clients that hang up.
        let status = self.status.get().copied().unwrap_or(499);
        let user = self.meters.label(self.user.get().cloned().unwrap_or_default());
        self.meters.requests.get_or_create(&RequestLabels { user: user.clone(), method: self.method, status }).inc();
        let labels = UserLabels { user };
        self.meters.received.get_or_create(&labels).inc_by(*self.received.get_mut());
        self.meters.sent.get_or_create(&labels).inc_by(*self.sent.get_mut());
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;

    #[test]
    fn labels_come_to_an_end() {
        let mut registry = Registry::default();
        let meters = Meters::register(&mut registry);
        let usage = Usage { buckets: 1, objects: 2, bytes: 3 };
        for _pass in 0..2 {
            meters.observe_usage((0..MAX_USERS + 5).map(|number| (format!("user{number}"), usage)).collect());
        }
        meters.request(&http::Method::PUT).is_of("late");
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for line in [
            "utopia_s3_stored_bytes{user=\"user999\"} 3",
            "utopia_s3_stored_bytes{user=\"(all others)\"} 15",
            "utopia_s3_requests_total{user=\"(all others)\",method=\"PUT\",status=\"499\"} 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
        assert_eq!(text.matches("utopia_s3_objects{").count(), MAX_USERS + 1);
    }
}
