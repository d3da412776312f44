//! The API's own documents: the OpenAPI text at `/api/openapi.json`, and Swagger UI at `/api/docs/`.
//!
//! Everything is served from the program itself; the pages ask no other host for anything, and may not.

use std::{
    fmt::Display,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, LazyLock},
};

use axum::{
    Router,
    extract::Path,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use utoipa_swagger_ui::Config;

use crate::{
    RouteError,
    style::{Failure, Style},
};

const DOCUMENT: &str = "/api/openapi.json";
const PAGES: &str = "/api/docs";

/// What the pages may load: themselves. Swagger UI sets styles from its script, and its icons are data.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A text that is served as it is until the program ends.
#[derive(Debug)]
struct Document {
    text: Bytes,
    tag: HeaderValue,
}

/// Routes for the document and its pages. The document is made when it is first asked for.
pub(crate) fn router(make: impl FnOnce() -> Result<String, RouteError> + Send + 'static) -> Router {
    let make: Make = Box::new(move || make().map(Document::new));
    let document = Arc::new(LazyLock::new(make));
    let pages = Arc::new(pages());
    let index = Arc::clone(&pages);
    Router::new()
        .route(DOCUMENT, get(move |headers: HeaderMap| std::future::ready(answer(&document, &headers))))
        .route(PAGES, get(|| std::future::ready(Redirect::permanent("/api/docs/"))))
        .route("/api/docs/", get(move || std::future::ready(page("", &index))))
        .route("/api/docs/{file}", get(move |Path(file): Path<String>| std::future::ready(page(&file, &pages))))
}

type Make = Box<dyn FnOnce() -> Result<Document, RouteError> + Send>;

fn answer(document: &LazyLock<Result<Document, RouteError>, Make>, headers: &HeaderMap) -> Response {
    match &**document {
        Ok(document) => document.answer(headers),
        Err(error) => broken(error),
    }
}

fn broken(error: &dyn Display) -> Response {
    tracing::error!(%error, "the API's documents cannot be made");
    Style::Bare.failure(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal", "the document cannot be made"))
}

impl Document {
    fn new(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let tag = format!("\"{:016x}\"", hasher.finish());
        Self { text: text.into(), tag: HeaderValue::try_from(tag).expect("hexadecimal digits in quotes") }
    }

    fn answer(&self, headers: &HeaderMap) -> Response {
        let caching = [
            (header::ETAG, self.tag.clone()),
            // It may be kept, but another version of the program has another document.
            (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        ];
        if self.is_known(headers) {
            return (StatusCode::NOT_MODIFIED, caching).into_response();
        }
        let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        (caching, kind, self.text.clone()).into_response()
    }

    fn is_known(&self, headers: &HeaderMap) -> bool {
        let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = tags.flat_map(|value| value.split(',')).map(str::trim);
        tags.any(|tag| tag == "*" || tag.trim_start_matches("W/").as_bytes() == self.tag.as_bytes())
    }
}

fn pages() -> Config<'static> {
    Config::from(DOCUMENT)
        .use_base_layout()
        .deep_linking(true)
        .display_request_duration(true)
        .doc_expansion("none")
        .filter(true)
        .persist_authorization(false)
        .try_it_out_enabled(true)
        .default_models_expand_depth(0)
        // The validator is on another host.
        .validator_url("none")
}

fn page(file: &str, config: &Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(file, Arc::clone(config)) {
        Ok(Some(page)) => {
            let content_type = HeaderValue::try_from(&page.content_type);
            let headers = [
                (header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("application/octet-stream"))),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
                (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
                (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
                (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
            ];
            let mut response = (headers, Bytes::from(page.bytes.into_owned())).into_response();
            if page.gzpipped {
                response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            }
            response
        }
        Ok(None) => Style::Bare.failure(Failure::new(StatusCode::NOT_FOUND, "NotFound", "there is nothing at this path")),
        Err(error) => broken(&error),
    }
}
