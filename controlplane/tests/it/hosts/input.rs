//! What makes no sense is refused, and says where.

use http::Method;
use serde_json::json;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpStream,
};

use super::{beat, data, path, refused, register, shown};
use crate::{
    databases::on_both_databases,
    plane::{Plane, claim, text},
    wait::soon,
};

on_both_databases!(
    a_new_host_that_makes_no_sense_is_refused,
    a_change_that_makes_no_sense_is_refused,
    what_names_no_host_is_not_found,
    odd_names_are_taken,
);

async fn a_new_host_that_makes_no_sense_is_refused(plane: &Plane) {
    let admin = plane.as_admin();
    let long = "x".repeat(129);
    let many = (0..65).map(|at| (format!("k{at}"), json!(""))).collect::<serde_json::Map<_, _>>();
    for (field, bad) in [
        ("name", json!("")),
        ("name", json!(null)),
        ("name", json!(" a")),
        ("name", json!("a\u{7}b")),
        ("name", json!("a\u{0}b")),
        ("name", json!(long)),
        ("name", json!(7)),
        ("name", json!(["a"])),
        ("ip_address", json!("300.1.1.1")),
        ("ip_address", json!("example.com")),
        ("os_type", json!("plan9")),
        ("os_version", json!(long)),
        ("deployment_mode", json!("magic")),
        ("total_cpu", json!(-1)),
        ("total_cpu", json!(1.5)),
        ("total_cpu", json!(4_294_967_296_i64)),
        ("total_memory", json!(-1)),
        ("total_disk", json!(-1)),
        ("labels", json!({"a b": ""})),
        ("labels", json!({"a": "b c"})),
        ("labels", json!({"a": 1})),
        ("labels", json!(many)),
        ("labels", json!("a=b")),
    ] {
        let mut new = json!({"name": "h"});
        new[field] = bad.clone();
        let message = refused(admin.post("/api/v1/hosts", &new).await, 400);
        assert!(message.contains(field), "{field} {bad}: {message}");
    }
    for body in ["", "{", "[]", "7", "{\"name\": \"h\"} x"] {
        refused(admin.send_json(Method::POST, "/api/v1/hosts", body.to_owned()).await, 400);
    }
    assert_eq!(announce(plane, 10 << 20).await, "HTTP/1.1 413 Payload Too Large");
    assert_eq!(data(admin.get("/api/v1/hosts").await, 200)["pagination"]["total"], 0);
}

async fn a_change_that_makes_no_sense_is_refused(plane: &Plane) {
    let admin = plane.as_admin();
    let host = register(plane, "h").await;
    for (field, bad) in [
        ("name", json!("")),
        ("name", json!("a\nb")),
        ("ip_address", json!("x")),
        ("os_version", json!("\u{1b}[31m")),
        ("deployment_mode", json!("magic")),
        ("labels", json!({"a": 1})),
        ("labels", json!({"a": null})),
        ("labels", json!({"-": ""})),
        ("labels", json!([])),
    ] {
        let message = refused(admin.put(&path(&host), &json!({field: bad})).await, 400);
        assert!(message.contains(field), "{field} {bad}: {message}");
    }
    for (field, bad) in [
        ("used_cpu", json!(-1)),
        ("used_cpu", json!("NaN")),
        ("used_memory", json!(-1)),
        ("used_gpu", json!(-1)),
        ("used_gpu", json!(2.5)),
        ("health_status", json!("splendid")),
        ("status", json!("\u{0}")),
    ] {
        let message = refused(beat(plane, &host, &json!({field: bad})).await, 400);
        assert!(message.contains(field), "{field} {bad}: {message}");
    }
    let maintenance = format!("{}/maintenance", path(&host));
    for (field, bad) in [("claims", json!("throw")), ("reason", json!("x".repeat(201))), ("reason", json!("\u{7}"))] {
        let message = refused(admin.put(&maintenance, &json!({field: bad})).await, 400);
        assert!(message.contains(field), "{field} {bad}: {message}");
    }
    let same = shown(&admin, &host).await;
    assert_eq!((&same["name"], &same["status"]), (&json!("h"), &json!("offline")));
}

async fn what_names_no_host_is_not_found(plane: &Plane) {
    let admin = plane.as_admin();
    let claim = claim(&plane.as_user(), 0).await;
    for id in ["no-uuid", "00000000-0000-4000-8000-000000000000", "%00", text(&claim, "id"), "h"] {
        let host = format!("/api/v1/hosts/{id}");
        for answer in [
            admin.get(&host).await,
            admin.get(&format!("{host}/gpus")).await,
            admin.put(&host, &json!({"name": "x"})).await,
            admin.delete(&host).await,
            admin.post(&format!("{host}/agent-token"), &json!({})).await,
            admin.put(&format!("{host}/maintenance"), &json!({})).await,
            admin.delete(&format!("{host}/maintenance")).await,
        ] {
            refused(answer, 404);
        }
    }
}

/// Announces a body of so many bytes for a new host; answers the first line of the answer, which comes before the body.
async fn announce(plane: &Plane, bytes: usize) -> String {
    let mut stream = TcpStream::connect(plane.running.started.http_addr).await.unwrap();
    let token = &plane.people.admin.token;
    let head = format!(
        "POST /api/v1/hosts HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
         Content-Length: {bytes}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let line = soon("the answer", BufReader::new(stream).lines().next_line()).await;
    line.unwrap().unwrap_or_default()
}

async fn odd_names_are_taken(plane: &Plane) {
    for name in ["主机 01", "x", "a'b\"c\\d", "'; drop table nodes; --", &"ü".repeat(128)] {
        let host = register(plane, name).await;
        assert_eq!(shown(&plane.as_admin(), &host).await["name"], name);
        refused(plane.as_admin().post("/api/v1/hosts", &json!({"name": name})).await, 409);
    }
}
