//! Generic resources in Slurm's notation, as far as they are GPUs: `gpu:h100:4(S:0-1),gpu:2`, `gpu:h100:2(IDX:0-1)`.

use std::collections::BTreeSet;

use utopia_proto::slurm::v1::SlurmGpus;

use super::hostlist::split_outside;

/// Some GPUs of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gpus {
    /// Empty when it has none.
    kind: String,
    count: i32,
    /// Which ones, where that is said.
    places: BTreeSet<i32>,
}

/// The GPUs of a node, and the numbers of those that are in use.
pub(super) fn node_gpus(gres: &str, gres_used: &str) -> (Vec<SlurmGpus>, BTreeSet<i32>) {
    let used = parse(gres_used);
    let mut gpus = Vec::<SlurmGpus>::new();
    let mut places = BTreeSet::new();
    let mut begin = 0;
    for Gpus { kind, count, .. } in parse(gres) {
        let in_use = used.iter().filter(|used| used.kind == kind).collect::<Vec<_>>();
        let used_count = in_use.iter().map(|used| used.count).sum::<i32>().min(count);
        if in_use.iter().all(|used| used.places.is_empty()) {
            // Which ones it does not say: the first stand for them.
            places.extend(begin..begin + used_count);
        } else {
            places.extend(in_use.iter().flat_map(|used| &used.places));
        }
        begin += count;
        gpus.push(SlurmGpus { r#type: kind, count, used: used_count });
    }
    (gpus, places)
}

/// How many GPUs a job has, by its details on each node; or asks for, by what it wants on each node, on so many nodes.
pub(super) fn job_gpus(details: &[String], tres: &str, per_node: &str, nodes: i32) -> i32 {
    let sum = |text: &str| parse(text).iter().map(|gpus| gpus.count).fold(0, i32::saturating_add);
    let detailed = details.iter().map(|detail| sum(detail)).fold(0, i32::saturating_add);
    if detailed > 0 {
        return detailed;
    }
    // With types there is one entry for all, and one for each type.
    let tracked = split_outside(tres, '(', ')').find_map(|entry| entry.strip_prefix("gres/gpu=")?.parse().ok());
    tracked.unwrap_or_else(|| sum(per_node).saturating_mul(nodes.max(1)))
}

fn parse(text: &str) -> Vec<Gpus> {
    split_outside(text, '(', ')').filter_map(parse_entry).collect()
}

fn parse_entry(entry: &str) -> Option<Gpus> {
    let entry = entry.strip_prefix("gres:").or_else(|| entry.strip_prefix("gres/")).unwrap_or(entry);
    let (entry, details) = entry.split_once('(').unwrap_or((entry, ""));
    let rest = match entry.strip_prefix("gpu")? {
        "" => return Some(Gpus { kind: String::new(), count: 1, places: BTreeSet::new() }),
        rest => rest.strip_prefix([':', '='])?,
    };
    let (kind, count) = match rest.rsplit_once([':', '=']) {
        Some((kind, count)) => (kind, count.parse().ok()?),
        None => rest.parse().map_or((rest, 1), |count| ("", count)),
    };
    let places = details.strip_suffix(')').and_then(|details| details.split_once("IDX:")).map_or("", |(_, places)| places);
    Some(Gpus { kind: kind.to_owned(), count: i32::max(count, 0).min(1024), places: places.split(',').flat_map(range).collect() })
}

fn range(text: &str) -> std::ops::Range<i32> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let place = |text: &str| text.parse::<i32>().ok().filter(|place| (0..1024).contains(place));
    place(first).zip(place(last)).map_or(0..0, |(first, last)| first..last + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(gres: &str, used: &str) -> (Vec<(String, i32, i32)>, Vec<i32>) {
        let (gpus, places) = node_gpus(gres, used);
        let gpus = gpus.into_iter().map(|SlurmGpus { r#type, count, used }| (r#type, count, used));
        (gpus.collect(), places.into_iter().collect())
    }

    #[test]
    fn gpus_of_nodes() {
        for (gres, used, gpus, places) in [
            ("", "", &[][..], &[][..]),
            ("(null)", "", &[], &[]),
            ("gpu:h100:4", "gpu:h100:2(IDX:0-1)", &[("h100", 4, 2)], &[0, 1]),
            ("gpu:h100:4", "gpu:h100:0(IDX:N/A)", &[("h100", 4, 0)], &[]),
            ("gpu:h100:4(S:0-1)", "gpu:h100:3(IDX:0,2-3)", &[("h100", 4, 3)], &[0, 2, 3]),
            ("gpu:2,shard:8", "gpu:1", &[("", 2, 1)], &[0]),
            ("gpu:a100:2,gpu:v100:2", "gpu:a100:0(IDX:N/A),gpu:v100:1(IDX:3)", &[("a100", 2, 0), ("v100", 2, 1)], &[3]),
            ("bandwidth:lustre:4G,gpu", "", &[("", 1, 0)], &[]),
        ] {
            let gpus = gpus.iter().map(|(kind, count, used): &(&str, i32, i32)| (kind.to_string(), *count, *used));
            assert_eq!(node(gres, used), (gpus.collect(), places.to_vec()), "{gres} {used}");
        }
    }

    #[test]
    fn gpus_of_jobs() {
        let details = |text: &str| vec![text.to_owned()];
        assert_eq!(job_gpus(&details("gpu:h100:2(IDX:0-1)"), "cpu=2", "gres:gpu:h100:2", 1), 2);
        assert_eq!(job_gpus(&["gpu:2(IDX:0-1)".to_owned(), "gpu:2(IDX:0-1)".to_owned()], "", "gres:gpu:2", 2), 4);
        assert_eq!(job_gpus(&[], "cpu=2,gres/gpu=8,gres/gpu:h100=8", "gres/gpu:h100:4", 1), 8);
        assert_eq!(job_gpus(&[], "cpu=2", "gres/gpu:h100:4", 2), 8);
        assert_eq!(job_gpus(&[], "", "gres/gpu:h100=4,gres/shard:2", 1), 4);
        assert_eq!(job_gpus(&[], "", "", 1), 0);
    }
}
