//! `aiinfra api`: any operation by its method and path, as curl would call it, but with the context's server and token.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _, Write as _};

use anyhow::{Context as _, bail};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, Response};
use serde_json::Value;

use super::Context;
use super::listing::listing;
use crate::args::{CallApi, CallMethod, Page};
use crate::client::{Client, opened};
use crate::output::{Output, printable};

/// More than any document that the API takes.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

pub(super) async fn run(context: &Context, call: CallApi) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    let body = call.data.as_deref().map(body).transpose()?;
    if call.all_pages {
        if call.method != CallMethod::Get || body.is_some() {
            bail!("only what GET answers has pages");
        }
        return all_pages(&client, output, &call.path.0, call.query).await;
    }
    let method = match call.method {
        CallMethod::Get => Method::GET,
        CallMethod::Post => Method::POST,
        CallMethod::Put => Method::PUT,
        CallMethod::Patch => Method::PATCH,
        CallMethod::Delete => Method::DELETE,
    };
    let response = client.raw(method, &call.path.0, &call.query, body).await?;
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_owned();
    if kind.starts_with("application/x-ndjson") {
        return messages(&client, output, response).await;
    }
    let text = whole(&client, response).await?;
    match serde_json::from_slice::<Value>(&text) {
        _ if text.is_empty() => Ok(()),
        Ok(answer) if kind.contains("json") => output.show(opened(answer), |answer: Value| format!("{answer:#}\n")),
        Ok(_) | Err(_) => Ok(as_it_is(&text)?),
    }
}

/// The body that was typed, or of the file that was.
fn body(data: &str) -> anyhow::Result<Value> {
    let (text, place) = match (data, data.strip_prefix('@')) {
        ("-", _) => {
            let mut text = Vec::new();
            io::stdin().lock().take(MOST_BYTES).read_to_end(&mut text).context("read the body from standard input")?;
            (text, "standard input")
        }
        (_, Some(file)) => (fs::read(file).with_context(|| format!("read the body from {file}"))?, file),
        (_, None) => (data.into(), "--data"),
    };
    serde_json::from_slice(&text).with_context(|| format!("{place} is no JSON"))
}

/// A list as one; what has no pages is shown as it is.
async fn all_pages(client: &Client, output: Output, path: &str, query: Vec<(String, String)>) -> anyhow::Result<()> {
    let (path, typed) = path.split_once('?').unwrap_or((path, ""));
    if !typed.is_empty() {
        bail!("with --all-pages the query is given with --query");
    }
    let path = path.split('/').collect::<Vec<_>>();
    let filters: Vec<_> = query.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let first = client.get(&path, &filters).await?;
    let list = first.as_object().into_iter().flatten().find(|(_, value)| value.is_array());
    let answer = match list {
        Some((items, _)) => {
            let filters = filters.into_iter().map(|(name, value)| (name, Some(value))).collect();
            listing(client, &path, items, filters, &Page { page: None, limit: None }).await?
        }
        None => first,
    };
    output.show(answer, |answer: Value| format!("{answer:#}\n"))
}

/// The messages of a stream, each as it comes.
async fn messages(client: &Client, output: Output, response: Response) -> anyhow::Result<()> {
    let mut lines = client.messages(response);
    while let Some(line) = futures_util::TryStreamExt::try_next(&mut lines).await? {
        output.show_line(&line, || format!("{line}\n"))?;
    }
    Ok(())
}

async fn whole(client: &Client, mut response: Response) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    while let Some(chunk) = client.chunk(&mut response).await? {
        text.extend_from_slice(&chunk);
    }
    Ok(text)
}

/// What is no JSON. On a terminal it has no control over it.
fn as_it_is(text: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        for line in String::from_utf8_lossy(text).lines() {
            writeln!(out, "{}", printable(line))?;
        }
        return out.flush();
    }
    out.write_all(text)?;
    out.flush()
}
