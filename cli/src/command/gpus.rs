//! `aiinfra gpus`.

use super::listing::listing;
use super::{Context, word};
use crate::api::{FleetGpu, FleetGpuList};
use crate::args::ListGpus;
use crate::output::{Table, printable, size_mb};

const GPUS: [&str; 2] = ["api", "gpus"];

pub(super) async fn run(context: &Context, list: ListGpus) -> anyhow::Result<()> {
    let (client, output) = (context.client()?, context.output);
    let filters = vec![("source", list.source.map(word)), ("status", list.status.map(word)), ("node", list.node)];
    let answer = listing(&client, &GPUS, "gpus", filters, &list.page).await?;
    output.show(answer, |list: FleetGpuList| {
        for warning in &list.warnings {
            output.note(&format!("warning: {}", printable(warning)));
        }
        output.note_page(&list.page, list.gpus.len());
        table(&list.gpus)
    })
}

fn table(gpus: &[FleetGpu]) -> String {
    let mut table = Table::new(["NODE", "INDEX", "MODEL", "MEMORY", "STATUS", "SOURCE", "CLUSTER", "CLAIM", "UUID"]);
    for gpu in gpus {
        table.row([
            gpu.node_name.clone(),
            gpu.index.to_string(),
            gpu.model.clone(),
            if gpu.memory_mb > 0 { size_mb(gpu.memory_mb) } else { String::new() },
            gpu.status.clone(),
            gpu.source.clone(),
            gpu.cluster.clone(),
            gpu.claim_id.clone(),
            gpu.uuid.clone(),
        ]);
    }
    table.render()
}
