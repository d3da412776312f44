//! The labels of a container are the agent's ledger: what it was made for, by whom, and from which specification. No I/O.
//!
//! A container without the own node's label is foreign: it is never listed, changed or removed.

use std::{collections::BTreeMap, fmt};

use prost::Message;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::runtime::Observed;

/// Label: the node whose agent made the container. Two agents may share one runtime.
pub const NODE: &str = "utopia.node";
/// Label: what it is for.
pub const CLAIM: &str = "utopia.claim";
/// Label: the placement; 0 for the node API.
pub const EPOCH: &str = "utopia.epoch";
/// Label: SHA-256 of the specification.
pub const SPEC_HASH: &str = "utopia.spec-hash";
/// Label: UUIDs of its GPUs, separated by commas.
pub const GPUS: &str = "utopia.gpus";

/// The epoch of containers made through the node API. They are no placements: the control plane's claims neither
/// supersede nor release them, even where somebody chose a claim's id as theirs.
pub const LOCAL: u64 = 0;

/// What a container belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placement {
    /// The claim, or the key given to the node API.
    pub claim_id: String,
    /// The placement of the claim; [`LOCAL`] for the node API.
    pub epoch: u64,
}

impl Placement {
    /// The name of its container. It is the same after every crash, so that making it twice is a name conflict.
    #[must_use]
    pub fn container_name(&self, node: Uuid) -> String {
        let node = node.simple().to_string();
        format!("utopia-{}-{}-{}", self.claim_id, &node[..8], self.epoch)
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.claim_id, self.epoch)
    }
}

/// What the labels of a container say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it belongs to.
    pub placement: Placement,
    /// Which specification it was made from.
    pub spec_hash: String,
    /// Its GPUs.
    pub gpu_uuids: Vec<String>,
}

impl Record {
    /// The labels to put on the container.
    #[must_use]
    pub fn labels(&self, node: Uuid) -> BTreeMap<String, String> {
        BTreeMap::from([
            (NODE.to_owned(), node.to_string()),
            (CLAIM.to_owned(), self.placement.claim_id.clone()),
            (EPOCH.to_owned(), self.placement.epoch.to_string()),
            (SPEC_HASH.to_owned(), self.spec_hash.clone()),
            (GPUS.to_owned(), self.gpu_uuids.join(",")),
        ])
    }

    /// Reads a container's labels; none when it is not this node's, or not made by an agent.
    #[must_use]
    pub fn read(node: Uuid, container: &Observed) -> Option<Self> {
        let label = |name: &str| container.labels.get(name).map(String::as_str);
        if label(NODE)? != node.to_string() {
            return None;
        }
        let placement = Placement { claim_id: label(CLAIM)?.to_owned(), epoch: label(EPOCH)?.parse().ok()? };
        let gpus = label(GPUS).unwrap_or_default().split(',').filter(|uuid| !uuid.is_empty());
        Some(Self {
            placement,
            spec_hash: label(SPEC_HASH).unwrap_or_default().to_owned(),
            gpu_uuids: gpus.map(str::to_owned).collect(),
        })
    }
}

/// The hash of a specification. Maps are ordered, so equal messages have equal bytes.
pub(super) fn hash(spec: &impl Message) -> String {
    let digest = Sha256::digest(spec.encode_to_vec());
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        use std::fmt::Write as _;
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Status;

    const NODE_ID: Uuid = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);

    fn container(labels: BTreeMap<String, String>) -> Observed {
        Observed {
            id: "id".to_owned(),
            name: "name".to_owned(),
            image: "a:1".to_owned(),
            status: Status::Running,
            exit_code: 0,
            out_of_memory: false,
            created_s: 0,
            started_s: 0,
            ports: BTreeMap::new(),
            labels,
        }
    }

    fn record(gpu_uuids: &[&str]) -> Record {
        Record {
            placement: Placement { claim_id: "train-1".to_owned(), epoch: 7 },
            spec_hash: "abc".to_owned(),
            gpu_uuids: gpu_uuids.iter().map(|&uuid| uuid.to_owned()).collect(),
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for record in [record(&[]), record(&["GPU-1"]), record(&["GPU-1", "GPU-2"])] {
            assert_eq!(Record::read(NODE_ID, &container(record.labels(NODE_ID))), Some(record));
        }
    }

    #[test]
    fn foreign_containers_are_nobodys() {
        let labels = record(&[]).labels(NODE_ID);
        assert_eq!(Record::read(Uuid::nil(), &container(labels.clone())), None, "another node's");
        for missing in [NODE, CLAIM, EPOCH] {
            let mut labels = labels.clone();
            labels.remove(missing);
            assert_eq!(Record::read(NODE_ID, &container(labels)), None, "without {missing}");
        }
        let mut labels = labels;
        labels.insert(EPOCH.to_owned(), "new".to_owned());
        assert_eq!(Record::read(NODE_ID, &container(labels)), None, "an epoch that is no number");
    }

    #[test]
    fn the_name_tells_placements_apart() {
        assert_eq!(record(&[]).placement.container_name(NODE_ID), "utopia-train-1-01234567-7");
    }
}
