//! GraphiQL, a page to write documents in, from the program itself. It asks no other host for anything, and may not.
//!
//! `graphiql/build.mjs` makes what is embedded here.

use axum::{
    Router,
    extract::Path,
    response::{Html, IntoResponse as _, Response},
    routing::get,
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

use crate::style::{Failure, Style};

/// What the page may load: itself. It sets styles from its script, and its icons are data.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const PAGE: &str = r#"<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>GraphiQL</title>
    <link rel="icon" href="data:,">
    <link rel="stylesheet" href="/api/graphql/assets/graphiql.css">
    <style>html, body, #graphiql { height: 100%; margin: 0 }</style>
  </head>
  <body>
    <div id="graphiql"></div>
    <script src="/api/graphql/assets/graphiql.js"></script>
  </body>
</html>
"#;

/// Name, type and compressed content of what the page loads.
const ASSETS: [(&str, &str, &[u8]); 2] = [
    ("graphiql.js", "text/javascript; charset=utf-8", include_bytes!("../../graphiql/dist/graphiql.js.gz")),
    ("graphiql.css", "text/css; charset=utf-8", include_bytes!("../../graphiql/dist/graphiql.css.gz")),
];

/// The route of what the page loads.
pub(super) fn router() -> Router {
    Router::new().route("/api/graphql/assets/{file}", get(|Path(file): Path<String>| std::future::ready(asset(&file))))
}

/// The page.
pub(super) fn page() -> Response {
    guarded(Html(PAGE).into_response())
}

fn asset(file: &str) -> Response {
    let Some((_, content_type, content)) = ASSETS.iter().find(|(name, _, _)| *name == file) else {
        let nothing = Failure::new(StatusCode::NOT_FOUND, "NotFound", "there is nothing at this path");
        return Style::Bare.failure(nothing);
    };
    let headers = [(header::CONTENT_TYPE, *content_type), (header::CONTENT_ENCODING, "gzip")];
    guarded((headers, Bytes::from_static(content)).into_response())
}

fn guarded(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
