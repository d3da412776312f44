//! `aiinfra metrics`: what nodes and GPUs did, a line for each metric.

use jiff::Timestamp;
use serde_json::Value;

use super::Context;
use super::listing::id_of;
use crate::api::{History, MetricList, Readings};
use crate::args::ShowMetrics;
use crate::client::Client;
use crate::output::{Table, ago, fields};

/// Characters of a sparkline.
const WIDTH: i64 = 48;

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

pub(super) async fn run(context: &Context, show: ShowMetrics) -> anyhow::Result<()> {
    let (client, now) = (context.client()?, Timestamp::now());
    let node = match &show.node {
        Some(node) => Some(("node_id", id_of(&client, &["api", "nodes"], "nodes", "node", node).await?)),
        None => None,
    };
    if show.now {
        let answer = client.get(&["api", "monitoring", "metrics"], node.as_slice()).await?;
        return context.output.show(answer, |metrics: Readings| present(&metrics, now));
    }
    let ShowMetrics { gpu, metric, since, until, .. } = show;
    let start = since.before(now);
    let end = until.map_or(now, |until| until.before(now));
    let step = ((end.as_second() - start.as_second()).max(1) - 1) / WIDTH + 1;
    let mut query = vec![("start", start.to_string()), ("end", end.to_string()), ("step", step.to_string())];
    query.extend(node);
    let is_of_gpu = gpu.is_some();
    query.extend(gpu.map(|uuid| ("gpu_uuid", uuid)));
    let one = metric.is_some();
    let names = match metric {
        Some(name) => vec![name],
        None => all(&client, is_of_gpu).await?,
    };
    let mut histories = Vec::with_capacity(names.len());
    for name in names {
        let query: Vec<_> = [("metric", name)].into_iter().chain(query.iter().cloned()).collect();
        histories.push(client.get(&["api", "monitoring", "history"], &query).await?);
    }
    // Programs get one answer for one question.
    let answer = match <[Value; 1]>::try_from(histories) {
        Ok([history]) if one => history,
        Ok([history]) => Value::Array(vec![history]),
        Err(histories) => Value::Array(histories),
    };
    context.output.show(answer, |histories: Several| table(&histories.into(), start, end))
}

fn present(metrics: &Readings, now: Timestamp) -> String {
    let percent = |value| quantity(value, "percent");
    fields([
        ("Nodes", metrics.nodes.to_string()),
        ("CPUs", percent(metrics.cpu_usage)),
        ("Memory", percent(metrics.memory_usage)),
        ("Disk", percent(metrics.disk_usage)),
        ("Received", quantity(metrics.network_in, "bytes_per_second")),
        ("Sent", quantity(metrics.network_out, "bytes_per_second")),
        ("GPUs", metrics.gpus.to_string()),
        ("GPU use", percent(metrics.gpu_usage)),
        ("GPU memory", percent(metrics.gpu_memory_usage)),
        ("Measured", ago(metrics.timestamp, now)),
    ])
}

/// One history or several.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum Several {
    Many(Vec<History>),
    One(History),
}

impl From<Several> for Vec<History> {
    fn from(several: Several) -> Self {
        match several {
            Several::Many(histories) => histories,
            Several::One(history) => vec![history],
        }
    }
}

async fn all(client: &Client, of_gpus_only: bool) -> anyhow::Result<Vec<String>> {
    let list: MetricList = serde_json::from_value(client.get(&["api", "monitoring", "metrics", "names"], &[]).await?)?;
    let wanted = list.metrics.into_iter().filter(|metric| metric.per_gpu || !of_gpus_only);
    Ok(wanted.map(|metric| metric.name).collect())
}

fn table(histories: &Vec<History>, start: Timestamp, end: Timestamp) -> String {
    let mut table = Table::new(["METRIC", "LAST", "LOWEST", "MEAN", "HIGHEST", "HISTORY"]);
    for history in histories {
        let values = || history.points.iter().map(|point| point.value);
        let shown = |value: Option<f64>| value.map(|value| quantity(value, &history.unit)).unwrap_or_default();
        #[expect(clippy::cast_precision_loss, reason = "a list is never so long")]
        let mean = values().reduce(|a, b| a + b).map(|sum| sum / history.points.len() as f64);
        table.row([
            history.metric.clone(),
            shown(history.points.last().map(|point| point.value)),
            shown(values().reduce(f64::min)),
            shown(mean),
            shown(values().reduce(f64::max)),
            sparkline(history, start, end),
        ]);
    }
    table.render()
}

/// A bar for each step, of which the highest is full; percentages are of the whole. Where nothing was measured there is none.
fn sparkline(history: &History, start: Timestamp, end: Timestamp) -> String {
    let step = history.step.max(1);
    let first = start.as_second().div_euclid(step) * step;
    let steps = usize::try_from((end.as_second() - first + step - 1) / step).unwrap_or_default();
    let highest = history.points.iter().map(|point| point.value).fold(0.0, f64::max);
    let whole = if history.unit == "percent" { 100.0 } else { highest };
    // An answer has no more than a thousand points.
    let mut bars = vec![' '; steps.min(1000)];
    for point in &history.points {
        let place = usize::try_from((point.timestamp.as_second() - first) / step).ok();
        if let Some(bar) = place.and_then(|place| bars.get_mut(place)) {
            *bar = bar_of(point.value, whole);
        }
    }
    bars.iter().collect::<String>().trim_end().to_owned()
}

fn bar_of(value: f64, whole: f64) -> char {
    let share = if whole > 0.0 { (value / whole).clamp(0.0, 1.0) } else { 0.0 };
    let reached = BARS.iter().enumerate().rev().find(|(place, _)| {
        // Each bar begins half a step below its own height.
        let least = (f64::from(u32::try_from(*place).unwrap_or_default()) - 0.5) / 7.0;
        share >= least
    });
    reached.map_or(BARS[0], |(_, bar)| *bar)
}

/// A value with its unit.
fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "percent" => format!("{value:.1} %"),
        "celsius" => format!("{value:.0} °C"),
        "watts" => format!("{value:.1} W"),
        "bytes_per_second" => format!("{}/s", size(value)),
        "bytes" => size(value),
        _ if (value - value.round()).abs() < 0.005 => format!("{value:.0}"),
        _ => format!("{value:.2}"),
    }
}

fn size(bytes: f64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut amount, mut unit) = (bytes, 0);
    while amount >= 999.95 && unit + 1 < UNITS.len() {
        amount /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{amount:.0} B") } else { format!("{amount:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn history(unit: &str, values: &[(i64, f64)]) -> History {
        let points = values.iter().map(|(second, value)| json!({"timestamp": at(*second).to_string(), "value": value}));
        let points = points.collect::<Vec<_>>();
        serde_json::from_value(json!({"metric": "m", "unit": unit, "step": 10, "points": points})).unwrap()
    }

    #[test]
    fn sparklines_show_heights_and_gaps() {
        let of = |unit, values: &[(i64, f64)]| sparkline(&history(unit, values), at(103), at(160));
        assert_eq!(of("percent", &[(100, 0.0), (110, 50.0), (130, 100.0), (140, 3.0)]), "▁▅ █▁");
        assert_eq!(of("count", &[(100, 1.0), (110, 2.0), (120, 4.0)]), "▃▅█");
        assert_eq!(of("count", &[(100, 0.0), (150, 0.0)]), "▁    ▁");
        assert_eq!(of("count", &[(50, 1.0), (500, 1.0)]), "");
    }

    #[test]
    fn quantities_have_units() {
        for (value, unit, text) in [
            (45.55, "percent", "45.5 %"),
            (64.6, "celsius", "65 °C"),
            (412.5, "watts", "412.5 W"),
            (1_024_000.0, "bytes_per_second", "1.0 MB/s"),
            (512.0, "bytes_per_second", "512 B/s"),
            (999_960.0, "bytes", "1.0 MB"),
            (2.0, "count", "2"),
            (3.456, "count", "3.46"),
            (79.0, "", "79"),
        ] {
            assert_eq!(quantity(value, unit), text);
        }
    }
}
