//! Every type of events: when one is written, and what it tells. The book's reference is made from this table (docs/generate/events.py),
//! and debug builds append no event that it does not declare.

use serde_json::Value;

/// A type of events.
#[derive(Debug)]
pub struct Type {
    /// Its name.
    pub name: &'static str,
    /// When such an event is written.
    pub when: &'static str,
    /// What its data has: names and what they mean.
    pub members: Members,
}

/// Names and meanings.
pub type Members = &'static [(&'static str, &'static str)];

/// All types, by kind of resource.
pub const TYPES: &[Type] = &[
    Type { name: "claim.pending", when: "A claim was accepted, or waits again.", members: CLAIM },
    Type { name: "claim.scheduled", when: "A claim has a machine.", members: CLAIM },
    Type { name: "claim.running", when: "The container of a claim runs.", members: CLAIM },
    Type { name: "claim.completed", when: "The container of a claim ended with exit code 0.", members: CLAIM },
    Type { name: "claim.failed", when: "A claim ended with an error.", members: CLAIM },
    Type {
        name: "claim.updated",
        when: "The reason, message or container of a claim changed, and its phase stayed.",
        members: CLAIM,
    },
    Type { name: "claim.deleted", when: "A claim was deleted.", members: CLAIM },
    Type { name: "node.up", when: "A machine connected, and stayed for a second.", members: NODE },
    Type { name: "node.down", when: "A machine has lost its connection for a second.", members: NODE },
    Type { name: "node.deleted", when: "A machine was deleted.", members: NODE },
    Type { name: "host.created", when: "A host was registered.", members: HOST },
    Type { name: "host.updated", when: "A host was changed.", members: HOST },
    Type { name: "host.deleted", when: "A host was deleted; only `id` and `hostname` are told.", members: HOST },
    Type { name: "host.maintenance_started", when: "A maintenance began, or another one took its place.", members: HOST },
    Type { name: "host.maintenance_ended", when: "A maintenance ended.", members: HOST },
    Type { name: "gpu.added", when: "A machine has a GPU that it did not have.", members: GPU },
    Type { name: "gpu.removed", when: "A machine has a GPU no more.", members: GPU },
    Type { name: "gpu.faulty", when: "A GPU cannot be read, or reports errors; it takes no claims.", members: GPU },
    Type { name: "gpu.recovered", when: "A GPU that was faulty can be read again.", members: GPU },
    Type { name: "job.pending", when: "A Slurm job was seen that waits.", members: JOB },
    Type { name: "job.running", when: "A Slurm job runs.", members: JOB },
    Type { name: "job.completed", when: "A Slurm job ended well.", members: JOB },
    Type { name: "job.failed", when: "A Slurm job ended with an error.", members: JOB },
    Type { name: "job.cancelled", when: "A Slurm job was cancelled.", members: JOB },
    Type { name: "job.timeout", when: "A Slurm job ran into its time limit.", members: JOB },
    Type { name: "job.lost", when: "Slurm has forgotten a job of which the end was not seen.", members: JOB },
];

const CLAIM: Members = &[
    ("id", "The claim's id."),
    ("user_id", "Its owner."),
    ("phase", "`Pending`, `Scheduled`, `Running`, `Completed` or `Failed`."),
    ("reason", "Why it is in this phase, as a word; empty for no reason."),
    ("message", "The same as a sentence."),
    ("node_id", "Its machine; empty while it has none."),
    ("epoch", "How often it was placed."),
    ("container_id", "Its container; empty while it has none."),
    ("gpu_count", "How many GPUs it asks for."),
];

const NODE: Members = &[("id", "The machine's id."), ("hostname", "Its name.")];

const HOST: Members = &[
    ("id", "The host's id, which is that of the node."),
    ("hostname", "Its name, when it was deleted."),
    ("name", "Its name."),
    ("ip_address", "Its address."),
    ("os_type", "Its operating system."),
    ("os_version", "The version of that."),
    ("deployment_mode", "How it is run."),
    ("total_cpu", "Its cores."),
    ("total_memory", "Its memory in bytes."),
    ("total_disk", "Its disks in bytes."),
    ("labels", "Its labels, an object."),
    ("maintenance", "While there is one: `reason`, `claims` (`keep` or `move`) and `since`."),
];

const GPU: Members = &[
    ("uuid", "The GPU's UUID."),
    ("name", "Its product name."),
    ("index", "Its number on the machine."),
    ("node_id", "The machine's id."),
    ("hostname", "The machine's name."),
    ("xid", "Of `gpu.faulty` and `gpu.recovered`: the last error that the driver told (XID), 0 for none."),
];

const JOB: Members = &[
    ("cluster", "The name of the Slurm cluster."),
    ("job_id", "The job's number there."),
    ("job_name", "Its name."),
    ("user", "Its user in Slurm."),
    ("partition", "Its partition."),
    ("status", "`pending`, `running`, `completed`, `failed`, `cancelled`, `timeout` or `lost`."),
    ("slurm_state", "The state in Slurm's words."),
    ("reason", "Why it waits or failed, in Slurm's word."),
    ("exit_code", "The exit code."),
    ("nodes", "Names of the nodes it runs on."),
    ("gpus", "How many GPUs it has."),
    ("submit_time", "When it was submitted."),
    ("start_time", "When it started, or will; `null` when that is not known."),
    ("end_time", "When it ended, or will at the latest; `null` when that is not known."),
];

/// Whether events may be of this type and tell this.
#[must_use]
pub fn is_declared(name: &str, data: &Value) -> bool {
    let declared = TYPES.iter().find(|declared| declared.name == name);
    let told = data.as_object().map(|data| data.keys());
    declared.zip(told).is_some_and(|(declared, mut told)| told.all(|key| declared.members.iter().any(|(name, _)| name == key)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_in_the_table_is_not_declared() {
        assert!(is_declared("node.up", &json!({"id": "n", "hostname": "gpu-01"})));
        assert!(!is_declared("node.up", &json!({"id": "n", "colour": "green"})));
        assert!(!is_declared("node.sideways", &json!({"id": "n"})));
        assert!(!is_declared("node.up", &json!(["n"])));
    }

    #[test]
    fn each_type_is_there_once_and_could_be_asked_for() {
        for (place, declared) in TYPES.iter().enumerate() {
            assert!(super::super::Kinds::is_pattern(declared.name), "{}", declared.name);
            assert!(TYPES[..place].iter().all(|earlier| earlier.name != declared.name), "{}", declared.name);
        }
    }
}
