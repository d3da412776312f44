//! A server that answers as told, and what its client makes of it.

use std::{
    future::IntoFuture as _,
    sync::atomic::{AtomicUsize, Ordering},
};

use axum::{
    Router,
    response::{IntoResponse, Response},
};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

fn backend(url: &str) -> Backend {
    let place = Place { product: "Slurm", name: "default".into(), setting: "UTOPIA_SLURM", url: url.parse().unwrap() };
    Backend::new(place, http_client().unwrap(), Clock::system())
}

/// A server that is asked for the nth time, from 0, answers what `answer` makes of n.
async fn server(answer: impl Fn(usize) -> Response + Clone + Send + Sync + 'static) -> (Backend, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let answer = move || std::future::ready(answer(count.fetch_add(1, Ordering::SeqCst)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    TaskTracker::new().spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    (backend(&url), asked)
}

async fn get(backend: &Backend, deadline: Duration, repeat: Repeat) -> Result<Answer> {
    let url = backend.place().url.clone();
    backend.call(deadline, repeat, |http| http.get(url.clone())).await
}

/// The code, reason and sentence that a client would see.
fn shown(error: Error) -> (Code, String, String) {
    let status = tonic::Status::from(error);
    let reason = utopia_proto::status::reason(&status);
    (status.code(), reason, status.message().to_owned())
}

#[tokio::test]
async fn what_may_be_repeated_is_asked_again_while_the_server_is_starting() {
    let (backend, asked) = server(|turn| match turn {
        0 | 1 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        _ => "there".into_response(),
    })
    .await;
    let answer = get(&backend, DEADLINE, Repeat::Allowed).await.unwrap();
    assert_eq!((answer.status, &answer.body[..], asked.load(Ordering::SeqCst)), (StatusCode::OK, &b"there"[..], 3));
    assert_eq!((backend.health().is_up, backend.health().last_error), (Some(true), String::new()));
}

#[tokio::test]
async fn what_may_not_be_repeated_is_asked_once() {
    let (backend, asked) = server(|_| StatusCode::BAD_GATEWAY.into_response()).await;
    let (code, reason, message) = shown(get(&backend, DEADLINE, Repeat::Never).await.unwrap_err());
    assert_eq!((code, reason.as_str()), (Code::Unavailable, "SlurmUnreachable"));
    assert!(message.contains("502") && message.ends_with("see UTOPIA_SLURM"), "{message}");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert_eq!(backend.health().is_up, Some(false));
}

#[tokio::test]
async fn other_errors_of_the_server_are_answers() {
    let (backend, asked) = server(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response()).await;
    let answer = get(&backend, DEADLINE, Repeat::Allowed).await.unwrap();
    assert_eq!((answer.status, asked.load(Ordering::SeqCst)), (StatusCode::INTERNAL_SERVER_ERROR, 1));
}

#[tokio::test]
async fn a_server_that_does_not_answer_ends_with_the_deadline() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let backend = backend(&format!("http://{}", listener.local_addr().unwrap()));
    let (code, _, message) = shown(get(&backend, Duration::from_millis(50), Repeat::Allowed).await.unwrap_err());
    assert_eq!(code, Code::DeadlineExceeded);
    assert!(message.contains("did not answer within 50ms"), "{message}");
}

#[tokio::test]
async fn a_server_that_fails_again_and_again_is_left_alone() {
    let (backend, asked) = server(|_| StatusCode::SERVICE_UNAVAILABLE.into_response()).await;
    for _ in 0..20 {
        get(&backend, DEADLINE, Repeat::Never).await.unwrap_err();
    }
    let asked = asked.load(Ordering::SeqCst);
    assert!(asked < 20, "{asked}");
    let (code, _, message) = shown(get(&backend, DEADLINE, Repeat::Never).await.unwrap_err());
    assert_eq!(code, Code::Unavailable);
    assert!(message.contains("left alone for a moment") && message.contains("503"), "{message}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let endless = |_| {
        let chunks = std::iter::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 1 << 20])));
        axum::body::Body::from_stream(tokio_stream::iter(chunks)).into_response()
    };
    let (backend, _) = server(endless).await;
    let (_, _, message) = shown(get(&backend, DEADLINE, Repeat::Allowed).await.unwrap_err());
    assert!(message.contains("larger than"), "{message}");
}

#[tokio::test]
async fn html_is_told_from_json() {
    let (backend, _) = server(|_| axum::response::Html("<html>log in</html>").into_response()).await;
    let answer = get(&backend, DEADLINE, Repeat::Allowed).await.unwrap();
    let cause = answer.json::<serde_json::Value>().unwrap_err();
    let (_, reason, message) = shown(backend.unintelligible(&answer, &cause));
    assert_eq!(reason, "SlurmUnreachable");
    assert!(message.contains("text/html") && message.contains("page of HTML"), "{message}");
}
