//! `aiinfra backends`.

use super::Context;
use crate::api::{Backend, BackendList};
use crate::output::Table;

pub(super) async fn run(context: &Context) -> anyhow::Result<()> {
    let answer = context.client()?.get(&["api", "backends"], &[]).await?;
    context.output.show(answer, |list: BackendList| table(&list.backends))
}

fn table(backends: &[Backend]) -> String {
    let mut table = Table::new(["KIND", "NAME", "URL", "STATUS", "VERSION", "LATENCY", "LAST ERROR"]);
    for backend in backends {
        let (status, url) = match &*backend.status {
            // What to do about it is the setting's name.
            "not_configured" => ("not configured".to_owned(), format!("see {}", backend.setting)),
            status => (status.to_owned(), backend.url.clone()),
        };
        table.row([
            backend.kind.clone(),
            backend.name.clone(),
            url,
            status,
            backend.version.clone(),
            if backend.latency_ms > 0.0 { format!("{:.1} ms", backend.latency_ms) } else { String::new() },
            backend.last_error.clone(),
        ]);
    }
    table.render()
}
