//! What nodes and GPUs did.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

const ID: &str = "0197a5b0-0000-7000-8000-000000000001";
const TIMES: [&str; 4] = ["--since", "2026-01-01T00:00:00Z", "--until", "2026-01-01T01:00:00Z"];

/// What is asked for an hour of a metric.
fn line(metric: &str, more: &str) -> String {
    let times = "start=2026-01-01T00%3A00%3A00Z&end=2026-01-01T01%3A00%3A00Z&step=75";
    format!("GET /api/monitoring/history?metric={metric}&{times}{more}")
}

fn history(metric: &str, unit: &str, values: &[(&str, f64)]) -> Value {
    let points: Vec<_> = values.iter().map(|(time, value)| json!({"timestamp": time, "value": value})).collect();
    json!({"metric": metric, "unit": unit, "step": 75, "points": points})
}

fn cpu() -> Value {
    let values = [("2026-01-01T00:00:00Z", 0.0), ("2026-01-01T00:01:15Z", 50.0), ("2026-01-01T00:03:45Z", 100.0)];
    history("cpu_usage", "percent", &values)
}

#[tokio::test]
async fn all_metrics_are_shown_with_their_last_hour() {
    let api = FakeApi::start().await;
    let names = json!({"metrics": [
        {"name": "cpu_usage", "unit": "percent", "per_gpu": false, "description": "Use."},
        {"name": "gpu_power", "unit": "watts", "per_gpu": true, "description": "Power."},
    ]});
    api.answer("GET /api/monitoring/metrics/names", 200, names).answer(&line("cpu_usage", ""), 200, cpu()).answer(
        &line("gpu_power", ""),
        200,
        history("gpu_power", "watts", &[]),
    );
    let shown = Shell::at(&api.url).run(&[&["metrics"], &TIMES[..]].concat()).await.ok();
    let expected = "\
METRIC     LAST     LOWEST  MEAN    HIGHEST  HISTORY
cpu_usage  100.0 %  0.0 %   50.0 %  100.0 %  ▁▅ █
gpu_power  -        -       -       -        -
";
    assert_eq!(shown, expected);
}

#[tokio::test]
async fn a_node_is_named_and_programs_get_the_servers_answer() {
    let api = FakeApi::start().await;
    let nodes = json!({"nodes": [{"id": ID, "hostname": "gpu-01"}], "total": 1, "page": 1, "limit": 100});
    api.answer("GET /api/nodes?page=1&limit=100", 200, nodes).answer(&line("cpu_usage", &format!("&node_id={ID}")), 200, cpu());
    let shell = Shell::at(&api.url);
    let arguments = [&["metrics", "--node", "GPU-01", "--metric", "cpu_usage", "-o", "json"], &TIMES[..]].concat();
    let shown = shell.run(&arguments).await.ok();
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), cpu());
    let said = shell.run(&["metrics", "--node", "gpu-02"]).await.failed(4);
    assert_eq!(said, "error: no node is called gpu-02\n");
}

#[tokio::test]
async fn a_gpu_has_metrics_of_its_own() {
    let api = FakeApi::start().await;
    let names = json!({"metrics": [{"name": "cpu_usage", "per_gpu": false}, {"name": "gpu_power", "per_gpu": true}]});
    let power = history("gpu_power", "watts", &[("2026-01-01T00:00:00Z", 412.5)]);
    api.answer("GET /api/monitoring/metrics/names", 200, names).answer(&line("gpu_power", "&gpu_uuid=GPU-1"), 200, &power);
    let shown = Shell::at(&api.url).run(&[&["metrics", "--gpu", "GPU-1", "-o", "json"], &TIMES[..]].concat()).await.ok();
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), json!([power]));
}
