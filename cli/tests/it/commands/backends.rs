//! `aiinfra backends`.

use serde_json::{Value, json};

use crate::fake_api::FakeApi;
use crate::invoke::Shell;

#[tokio::test]
async fn backends_are_shown_with_what_is_wrong() {
    let api = FakeApi::start().await;
    let backend = |kind: &str, status: &str, version: &str, latency_ms: f64, last_error: &str| {
        let url = if status == "not_configured" { "" } else { "http://10.0.0.7/" };
        json!({"kind": kind, "name": kind, "url": url, "status": status, "version": version, "latency_ms": latency_ms,
            "last_error": last_error, "checked_at": null, "setting": format!("UTOPIA_{}", kind.to_uppercase())})
    };
    let list = json!({"backends": [
        backend("jupyterhub", "up", "6.1.1", 12.34, ""),
        backend("prometheus", "unknown", "", 0.0, ""),
        backend("salt", "not_configured", "", 0.0, ""),
        backend("slurm", "down", "", 3000.0, "connection refused"),
    ]});
    api.answer("GET /api/backends", 200, &list);
    let shell = Shell::at(&api.url);
    let expected = "\
KIND        NAME        URL               STATUS          VERSION  LATENCY    LAST ERROR
jupyterhub  jupyterhub  http://10.0.0.7/  up              6.1.1    12.3 ms    -
prometheus  prometheus  http://10.0.0.7/  unknown         -        -          -
salt        salt        see UTOPIA_SALT   not configured  -        -          -
slurm       slurm       http://10.0.0.7/  down            -        3000.0 ms  connection refused
";
    assert_eq!(shell.run(&["backends"]).await.ok(), expected);
    let printed = shell.run(&["backends", "-o", "json"]).await.ok();
    assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), list);
}
