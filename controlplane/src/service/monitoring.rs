//! `utopia.monitoring.v1.MonitoringService`.

use std::time::Duration;

use tonic::{Request, Response, Status, async_trait};
use utopia_proto::monitoring::v1::{
    GetSystemMetricsRequest, History as WireHistory, ListMetricsRequest, ListMetricsResponse, Metric as WireMetric, Point,
    QueryHistoryRequest, SystemMetrics, monitoring_service_server::MonitoringService,
};
use uuid::Uuid;

use super::{convert, validate};
use crate::{
    error::{Error, Result},
    link::{Hub, hub},
    monitoring::{
        Metric,
        history::History,
        reading::{Sums, of_gpu, of_machine},
        span::Span,
    },
    store::Store,
};

/// The service.
#[derive(Debug, Clone)]
pub struct Monitoring {
    /// Knows what is measured now.
    pub hub: Hub,
    /// Knows which nodes there are.
    pub store: Store,
    /// Knows what was measured.
    pub history: History,
    /// The time between two samples.
    pub interval: Duration,
}

#[async_trait]
impl MonitoringService for Monitoring {
    async fn get_system_metrics(&self, request: Request<GetSystemMetricsRequest>) -> Result<Response<SystemMetrics>, Status> {
        let GetSystemMetricsRequest { node_id } = request.into_inner();
        let nodes = if node_id.is_empty() {
            self.hub.nodes()
        } else {
            let id = validate::id("node", &node_id)?;
            vec![(id, self.online(id).await?)]
        };
        let mut seen = Seen::default();
        nodes.iter().for_each(|(_, known)| seen.add(known));
        if seen.nodes == 0 && !node_id.is_empty() {
            let message = "this node has not told its readings yet; try again".to_owned();
            return Err(Error::FailedPrecondition { reason: "NodeNotOnline".into(), message }.into());
        }
        Ok(Response::new(seen.show(convert::timestamp(self.hub.now()))))
    }

    async fn query_history(&self, request: Request<QueryHistoryRequest>) -> Result<Response<WireHistory>, Status> {
        let QueryHistoryRequest { metric, start, end, node_id, gpu_uuid, step } = request.into_inner();
        if metric.is_empty() {
            return Err(Error::missing("metric").into());
        }
        let unknown = || Error::invalid("metric", "must be one of those that `/api/monitoring/metrics/names` lists");
        let metric = Metric::of_name(&metric).ok_or_else(unknown)?;
        let (start, end) = (convert::time("start", start)?, convert::time("end", end)?);
        let span = Span::new(start, end, step, self.hub.now(), self.interval)?;
        let (node, gpu) = self.whose(metric, &node_id, &gpu_uuid).await?;
        let points = self.history.query(metric, node, gpu, span).await?;
        let point = |(at_ms, value)| Point { timestamp: convert::milliseconds(at_ms), value };
        Ok(Response::new(WireHistory {
            metric: metric.name().to_owned(),
            unit: metric.unit().to_owned(),
            step: i32::try_from(span.step_ms / 1000).unwrap_or(i32::MAX),
            points: points.into_iter().map(point).collect(),
        }))
    }

    async fn list_metrics(&self, _request: Request<ListMetricsRequest>) -> Result<Response<ListMetricsResponse>, Status> {
        let show = |metric: Metric| WireMetric {
            name: metric.name().to_owned(),
            unit: metric.unit().to_owned(),
            per_gpu: metric.is_per_gpu(),
            description: metric.description().to_owned(),
        };
        Ok(Response::new(ListMetricsResponse { metrics: Metric::all().map(show).collect() }))
    }
}

impl Monitoring {
    /// The node and the GPU whose history is asked for.
    async fn whose<'a>(&self, metric: Metric, node_id: &str, gpu_uuid: &'a str) -> Result<(Option<Uuid>, Option<&'a str>)> {
        if !gpu_uuid.is_empty() && !metric.is_per_gpu() {
            return Err(Error::invalid("gpu_uuid", "must be empty for a metric that GPUs do not have"));
        }
        validate::text("gpu_uuid", gpu_uuid, 128)?;
        let gpu = (!gpu_uuid.is_empty()).then_some(gpu_uuid);
        if node_id.is_empty() {
            let Some(gpu) = gpu else { return Ok((None, None)) };
            let node = self.store.node_of_gpu(gpu).await?.ok_or_else(|| Error::not_found("GPU", gpu))?;
            return Ok((Some(node), Some(gpu)));
        }
        let id = validate::id("node", node_id)?;
        if self.hub.node(id).is_none() && self.store.node(id).await?.is_none() {
            return Err(Error::not_found("node", id));
        }
        Ok((Some(id), gpu))
    }

    /// A node that is connected.
    async fn online(&self, id: Uuid) -> Result<hub::Known> {
        if let Some(known) = self.hub.node(id) {
            return if known.session.is_some() { Ok(known) } else { Err(hub::not_online(id, &known.hostname)) };
        }
        match self.store.node(id).await? {
            Some(node) => Err(hub::not_online(id, &node.hostname)),
            None => Err(Error::not_found("node", id)),
        }
    }
}

/// What was read of nodes.
#[derive(Debug, Default)]
struct Seen {
    sums: Sums,
    nodes: i32,
    gpus: i32,
}

impl Seen {
    fn add(&mut self, known: &hub::Known) {
        let Some(session) = &known.session else { return };
        let view = session.view();
        let Some(heartbeat) = &view.heartbeat else { return };
        self.nodes += 1;
        self.sums.add_machine(&of_machine(heartbeat, known.memory_bytes));
        for (reading, gpu) in heartbeat.gpus.iter().zip(&*known.gpus) {
            self.gpus += i32::from(!reading.faulty);
            self.sums.add_gpu(&of_gpu(reading, gpu));
        }
    }

    fn show(&self, timestamp: prost_types::Timestamp) -> SystemMetrics {
        let mean = |metric| hundredths(self.sums.of(metric).mean().unwrap_or_default());
        SystemMetrics {
            cpu_usage: mean(Metric::CpuUsage),
            memory_usage: mean(Metric::MemoryUsage),
            disk_usage: mean(Metric::DiskUsage),
            network_in: mean(Metric::NetworkIn).round(),
            network_out: mean(Metric::NetworkOut).round(),
            gpu_usage: mean(Metric::GpuUsage),
            gpu_memory_usage: mean(Metric::GpuMemoryUsage),
            nodes: self.nodes,
            gpus: self.gpus,
            timestamp: Some(timestamp),
        }
    }
}

/// Two decimals: readings have no more.
fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}
