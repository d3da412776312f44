//! What nodes do now and did before, over HTTP.

use std::env;

use http::{Method, header::ACCEPT};
use http_body_util::Full;
use serde_json::{Value as Json, json};
use utopia_proto::link::v1::{GpuReading, Heartbeat, agent_frame::Frame as Say};

use crate::{
    agent::{Agent, heartbeat},
    databases::on_both_databases,
    http::Http,
    machine::{Machine, Node},
    plane::{Plane, text},
    wait::eventually,
};

on_both_databases!(
    metrics_are_the_mean_over_the_nodes_that_are_online,
    what_is_measured_is_listed,
    questions_that_make_no_sense_are_refused,
    gpus_that_fail_recover_come_and_go_are_told_of,
);

/// A busy machine, of whose GPUs the last cannot be read.
fn busy(node: &Node, cpu_usage_percent: f32) -> Say {
    let working = GpuReading {
        memory_used_bytes: 20 << 30,
        usage_percent: 80.0,
        temperature_c: 65,
        power_milliwatts: 412_500,
        has_ecc: true,
        ecc_errors: 2,
        ..GpuReading::default()
    };
    let mut gpus = vec![working; node.machine.gpus.len()];
    if let Some(last) = gpus.last_mut() {
        *last = GpuReading { faulty: true, xid: 79, ..GpuReading::default() };
    }
    Say::Heartbeat(Heartbeat {
        cpu_usage_percent,
        memory_used_bytes: 128 << 30,
        disk_usage_percent: 52.1,
        network_in: 1_024_000.0,
        network_out: 512_000.0,
        load_average: 3.5,
        gpus,
        ..heartbeat(node)
    })
}

/// The metrics, when they are these; the rest of the message does not matter.
async fn metrics(http: &Http, query: &str, expected: Json) {
    let what = format!("the metrics {expected} of {query:?}");
    let found = eventually(&what, async || {
        let metrics = http.get(&format!("/api/monitoring/metrics{query}")).await.expect(200);
        expected.as_object().unwrap().iter().all(|(key, value)| metrics[key] == *value).then_some(metrics)
    });
    assert!(found.await["timestamp"].as_str().unwrap().ends_with('Z'));
}

async fn metrics_are_the_mean_over_the_nodes_that_are_online(plane: &Plane) {
    let reader = plane.as_person(&plane.people.readonly);
    plane.http.get("/api/monitoring/metrics").await.expect_error(401, "MissingToken");
    metrics(&reader, "", json!({"cpu_usage": 0.0, "memory_usage": 0.0, "network_in": 0.0, "nodes": 0, "gpus": 0})).await;

    let (one, other) = (Machine::new("n1", 3).join(plane).await, Machine::new("n2", 0).join(plane).await);
    reader.get(&format!("/api/monitoring/metrics?node_id={}", one.id)).await.expect_error(409, "NodeNotOnline");
    for unknown in ["00000000-0000-4000-8000-000000000000", "no-uuid"] {
        reader.get(&format!("/api/monitoring/metrics?node_id={unknown}")).await.expect_error(404, "NotFound");
    }
    let agent = Agent::obedient(plane, &one).await;
    agent.say(busy(&one, 31.0)).await;
    let of_one = json!({
        "cpu_usage": 31.0, "memory_usage": 25.0, "disk_usage": 52.1, "network_in": 1_024_000.0, "network_out": 512_000.0,
        "gpu_usage": 80.0, "gpu_memory_usage": 25.0, "nodes": 1, "gpus": 2,
    });
    metrics(&reader, "", of_one.clone()).await;

    let idle = Agent::obedient(plane, &other).await;
    idle.say(Say::Heartbeat(Heartbeat { cpu_usage_percent: 12.0, ..heartbeat(&other) })).await;
    let of_both = json!({
        "cpu_usage": 21.5, "memory_usage": 12.5, "disk_usage": 26.05, "network_in": 512_000.0, "network_out": 256_000.0,
        "gpu_usage": 80.0, "nodes": 2, "gpus": 2,
    });
    metrics(&reader, "", of_both).await;
    metrics(&reader, &format!("?node_id={}", one.id), of_one.clone()).await;
    drop(idle);
    metrics(&reader, "", of_one).await;
}

async fn what_is_measured_is_listed(plane: &Plane) {
    let listed = plane.as_user().get("/api/monitoring/metrics/names").await.expect(200);
    let metrics = listed["metrics"].as_array().unwrap();
    for (name, unit, per_gpu) in [
        ("cpu_usage", "percent", false),
        ("memory_usage", "percent", false),
        ("disk_usage", "percent", false),
        ("network_in", "bytes_per_second", false),
        ("network_out", "bytes_per_second", false),
        ("gpu_usage", "percent", true),
        ("gpu_memory_usage", "percent", true),
        ("gpu_temperature", "celsius", true),
        ("gpu_power", "watts", true),
        ("gpu_ecc_errors", "count", true),
        ("gpu_xid", "", true),
    ] {
        let metric = metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("{name} is not in {listed}"));
        assert_eq!((&metric["unit"], &metric["per_gpu"]), (&json!(unit), &json!(per_gpu)));
        assert!(metric["description"].as_str().unwrap().ends_with('.'));
    }
}

async fn questions_that_make_no_sense_are_refused(plane: &Plane) {
    let reader = plane.as_person(&plane.people.readonly);
    let node = Machine::new("n1", 1).join(plane).await;
    let times = "start=2025-11-18T00:00:00Z&end=2025-11-18T23:59:59Z";
    let documented = reader.get(&format!("/api/monitoring/history?metric=cpu_usage&{times}")).await.expect(200);
    assert_eq!(
        (&documented["metric"], &documented["unit"], &documented["points"]),
        (&json!("cpu_usage"), &json!("percent"), &json!([]))
    );
    assert!(documented["step"].as_i64().unwrap() > 0);
    for (query, status, reason) in [
        (times.to_owned(), 400, "MissingField"),
        (format!("metric=&{times}"), 400, "MissingField"),
        (format!("metric=cpu&{times}"), 400, "InvalidField"),
        ("metric=cpu_usage&start=2025-11-18T00:00:00Z&end=2025-11-18T00:00:00Z".to_owned(), 400, "InvalidField"),
        ("metric=cpu_usage&start=2025-11-19T00:00:00Z&end=2025-11-18T00:00:00Z".to_owned(), 400, "InvalidField"),
        ("metric=cpu_usage&start=yesterday".to_owned(), 400, "InvalidField"),
        (format!("metric=cpu_usage&step=-1&{times}"), 400, "InvalidField"),
        (format!("metric=cpu_usage&gpu_uuid=GPU-n1-0&{times}"), 400, "InvalidField"),
        (format!("metric=gpu_usage&gpu_uuid=GPU-n2-0&{times}"), 404, "NotFound"),
        (format!("metric=cpu_usage&node_id=no-uuid&{times}"), 404, "NotFound"),
        (format!("metric=cpu_usage&node_id=00000000-0000-4000-8000-000000000000&{times}"), 404, "NotFound"),
    ] {
        reader.get(&format!("/api/monitoring/history?{query}")).await.expect_error(status, reason);
    }
    for query in
        [format!("metric=cpu_usage&node_id={}", node.id), format!("metric=gpu_usage&node_id={}&gpu_uuid=GPU-n1-0", node.id)]
    {
        let history = reader.get(&format!("/api/monitoring/history?{query}")).await.expect(200);
        assert_eq!((&history["points"], &history["step"]), (&json!([]), &json!(10)));
    }
}

/// The events of GPUs so far: what, which, and its last Xid if that is told.
async fn gpu_events(http: &Http) -> Vec<(String, String, Json)> {
    let request = http.request(Method::GET, "/api/events?cursor=0&once=true&types=gpu.*").header(ACCEPT, "application/x-ndjson");
    let events = http.send(request.body(Full::default()).unwrap()).await.text;
    let events =
        events.lines().map(|line| serde_json::from_str::<Json>(line).unwrap()).filter(|event| event["type"] != "bookmark");
    let event = |event: Json| {
        assert_eq!(event["resource"], "gpu");
        assert_eq!(event["data"]["uuid"], event["resource_id"]);
        assert_eq!(event["data"]["hostname"], "n1");
        (text(&event, "type").to_owned(), text(&event, "resource_id").to_owned(), event["data"]["xid"].clone())
    };
    events.map(event).collect()
}

async fn gpus_that_fail_recover_come_and_go_are_told_of(plane: &Plane) {
    let reader = plane.as_person(&plane.people.readonly);
    let mut node = Machine::new("n1", 2).join(plane).await;
    let told = async |expected: &[(&str, &str, Json)]| {
        let expected: Vec<_> =
            expected.iter().map(|(kind, gpu, xid)| ((*kind).to_owned(), (*gpu).to_owned(), xid.clone())).collect();
        eventually(&format!("the events {expected:?}"), async || (gpu_events(&reader).await == expected).then_some(())).await;
    };
    let agent = Agent::obedient(plane, &node).await;
    agent.say(busy(&node, 10.0)).await;
    let faulty = ("gpu.faulty", "GPU-n1-1", json!(79));
    told(std::slice::from_ref(&faulty)).await;
    agent.say(Say::Heartbeat(heartbeat(&node))).await;
    let recovered = ("gpu.recovered", "GPU-n1-1", json!(0));
    told(&[faulty.clone(), recovered.clone()]).await;
    drop(agent);

    // One is pulled and another put in, of which a new session tells.
    node.machine.gpus.remove(0);
    node.machine.gpus.push(Machine::new("n1", 3).gpus.remove(2));
    let agent = Agent::obedient(plane, &node).await;
    let changed = [faulty, recovered, ("gpu.added", "GPU-n1-2", json!(null)), ("gpu.removed", "GPU-n1-0", json!(null))];
    told(&changed).await;
    drop(agent);
}

mod history {
    use crate::databases::on_both_databases;

    on_both_databases!(urls: what_agents_report_is_read_back, a_prometheus_that_is_away_is_named);

    use super::*;

    async fn what_agents_report_is_read_back(url: &str) {
        let plane = Plane::start_as(url, &["--metrics-interval-ms", "200"]).await;
        read_back(&plane).await;
        // What was sampled last is not lost by a restart in order.
        let plane = plane.restart().await;
        let kept = plane.as_user().get("/api/monitoring/history?metric=cpu_usage&step=1").await.expect(200);
        assert!(!kept["points"].as_array().unwrap().is_empty());
        plane.stop().await;
    }

    async fn a_prometheus_that_is_away_is_named(url: &str) {
        let plane = Plane::start_as(url, &["--prometheus-url", "http://127.0.0.1:9"]).await;
        let said = plane.as_user().get("/api/monitoring/history?metric=cpu_usage").await;
        let message = said.expect_error(503, "PrometheusUnreachable");
        assert!(message.contains("UTOPIA_PROMETHEUS_URL"), "{message}");
        // What is measured now does not need it.
        plane.as_user().get("/api/monitoring/metrics").await.expect(200);
        plane.stop().await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_agents_report_is_read_back_from_prometheus() {
        let Ok(prometheus) = env::var("UTOPIA_TEST_PROMETHEUS_URL") else {
            assert!(env::var("CI").as_deref() != Ok("true"), "there is no Prometheus to test with");
            return eprintln!("SKIPPED: there is no Prometheus to test with");
        };
        // Settings live as long as the tests.
        let settings = vec!["--metrics-interval-ms", "200", "--prometheus-url", prometheus.leak()].leak();
        crate::databases::with_sqlite(async |url| {
            let plane = Plane::start_as(url, settings).await;
            read_back(&plane).await;
            plane.stop().await;
        })
        .await;
    }

    /// Reports for some seconds, and reads in steps of three lengths.
    async fn read_back(plane: &Plane) {
        let (user, start) = (plane.as_user(), jiff::Timestamp::now());
        let node = Machine::new(&format!("n{}", uuid::Uuid::new_v4().simple()), 2).join(plane).await;
        let agent = Agent::obedient(plane, &node).await;
        agent.say(busy(&node, 31.25)).await;
        let (id, uuids) = (&node.id, node.gpu_uuids());
        for (query, expected) in [
            (format!("metric=cpu_usage&node_id={id}"), 31.25),
            (format!("metric=memory_usage&node_id={id}"), 25.0),
            (format!("metric=network_in&node_id={id}"), 1_024_000.0),
            (format!("metric=gpu_power&node_id={id}"), 412.5),
            (format!("metric=gpu_ecc_errors&gpu_uuid={}", uuids[0]), 2.0),
            (format!("metric=gpu_xid&gpu_uuid={}", uuids[1]), 79.0),
        ] {
            for step in [1, 2, 5] {
                let points = eventually(&format!("two steps of {step} s of {query}"), async || {
                    let history =
                        user.get(&format!("/api/monitoring/history?{query}&step={step}&start={start}")).await.expect(200);
                    assert_eq!(history["step"], step);
                    let points = history["points"].as_array().unwrap().clone();
                    // The first holds what the agent said before.
                    (points.len() >= 3).then(|| points[1..].to_vec())
                })
                .await;
                for point in points {
                    assert_eq!(point["value"].as_f64(), Some(expected), "{query}");
                    assert!(point["timestamp"].as_str().unwrap().ends_with('Z'));
                }
            }
        }
        let faulty = user
            .get(&format!("/api/monitoring/history?metric=gpu_usage&start={start}&step=1&gpu_uuid={}", uuids[1]))
            .await
            .expect(200);
        // Before it was told to be faulty it may have been sampled.
        assert!(faulty["points"].as_array().unwrap().len() <= 1, "{faulty}");
    }
}
