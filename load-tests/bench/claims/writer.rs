//! Writers: each keeps one HTTP connection and makes one claim after the other. They do no more than they must, because they share the
//! machine with the server.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use anyhow::{Context as _, ensure};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// The largest answer.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// Lets so many writers make so many claims together; answers how many a second.
pub(crate) async fn rate(server: SocketAddr, token: &str, writers: u32, claims: u32) -> anyhow::Result<f64> {
    let request: Arc<[u8]> = request(server, token).into_bytes().into();
    let left = Arc::new(AtomicU32::new(claims));
    let mut connections = Vec::new();
    for _ in 0..writers {
        connections.push(TcpStream::connect(server).await?);
    }
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for connection in connections {
        tasks.spawn(write(connection, Arc::clone(&request), Arc::clone(&left)));
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(f64::from(claims) / begun.elapsed().as_secs_f64())
}

fn request(server: SocketAddr, token: &str) -> String {
    let spec = json!({"image": "train:1", "command": ["train", "--steps", "1000"], "resources": {"gpuCount": 1}});
    let body = json!({ "spec": spec }).to_string();
    format!(
        "POST /api/gpu-claims HTTP/1.1\r\nhost: {server}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

async fn write(mut connection: TcpStream, request: Arc<[u8]>, left: Arc<AtomicU32>) -> anyhow::Result<()> {
    connection.set_nodelay(true)?;
    let mut answer = Vec::with_capacity(MAX_ANSWER_BYTES);
    while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
        connection.write_all(&request).await?;
        answer.clear();
        while !is_whole(&answer)? {
            ensure!(answer.len() < MAX_ANSWER_BYTES, "an answer is too long");
            ensure!(connection.read_buf(&mut answer).await? > 0, "the server has hung up");
        }
    }
    Ok(())
}

/// Whether all of a successful answer is there.
fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(head) = answer.windows(4).position(|end| end == b"\r\n\r\n") else { return Ok(false) };
    let text = std::str::from_utf8(&answer[..head])?;
    ensure!(text.starts_with("HTTP/1.1 2"), "the server answers {}", String::from_utf8_lossy(answer));
    let lines = text.lines().filter_map(|line| line.split_once(':'));
    let length = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length")).map(|(_, value)| value.trim()).next();
    let length: usize = length.context("an answer has no length")?.parse()?;
    Ok(answer.len() >= head + 4 + length)
}
