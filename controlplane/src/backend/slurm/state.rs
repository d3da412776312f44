//! Slurm's states of jobs and nodes, in its words, and what they are here. Older versions say one word, newer ones a state and its flags.

use utopia_proto::slurm::v1::JobStatus;

/// What a job's words mean, and the one that says most.
pub(super) fn job(words: &[String]) -> (JobStatus, &str) {
    // A flag that says what happens now says more than the state that it modifies.
    let flag = words.iter().find_map(|word| Some((flag(word)?, &**word)));
    let state = words.first().map(|word| (state(word), &**word));
    flag.or(state).unwrap_or((JobStatus::Unspecified, ""))
}

fn flag(word: &str) -> Option<JobStatus> {
    match word {
        "COMPLETING" | "STAGE_OUT" | "STOPPED" | "SIGNALING" | "RESIZING" => Some(JobStatus::Running),
        "CONFIGURING" | "POWER_UP_NODE" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "SPECIAL_EXIT" | "RESV_DEL_HOLD" => {
            Some(JobStatus::Pending)
        }
        "REVOKED" => Some(JobStatus::Cancelled),
        "LAUNCH_FAILED" | "RECONFIG_FAIL" => Some(JobStatus::Failed),
        _ => None,
    }
}

fn state(word: &str) -> JobStatus {
    match word {
        "PENDING" => JobStatus::Pending,
        "RUNNING" | "SUSPENDED" => JobStatus::Running,
        "COMPLETED" => JobStatus::Completed,
        "CANCELLED" | "PREEMPTED" => JobStatus::Cancelled,
        "TIMEOUT" | "DEADLINE" => JobStatus::Timeout,
        "FAILED" | "NODE_FAIL" | "BOOT_FAIL" | "OUT_OF_MEMORY" => JobStatus::Failed,
        _ => JobStatus::Unspecified,
    }
}

/// The one word for a node, as Slurm's own tools show it, and whether the node is there.
pub(super) fn node(words: &[String]) -> (String, bool) {
    let words = words.iter().map(|word| word.to_ascii_lowercase()).collect::<Vec<_>>();
    let has = |flag: &str| words.iter().any(|word| word == flag);
    let base = words.first().map_or("unknown", |word| word);
    let is_busy = has("allocated") || has("mixed") || has("completing");
    let word = match base {
        "down" | "error" | "future" | "unknown" => base,
        _ if has("drain") || has("drained") || has("draining") => {
            if is_busy {
                "draining"
            } else {
                "drained"
            }
        }
        _ if has("fail") => {
            if is_busy {
                "failing"
            } else {
                "fail"
            }
        }
        _ if has("powered_down") => "powered_down",
        _ if has("maintenance") => "maint",
        _ if has("reserved") && !is_busy => "reserved",
        _ => base,
    };
    let is_away = matches!(base, "down" | "error" | "future" | "unknown")
        || ["not_responding", "powered_down", "powering_down", "fail"].iter().any(|flag| has(flag));
    (word.to_owned(), !is_away)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    #[test]
    fn every_state_of_a_job_is_one_of_ours() {
        for (text, status, word) in [
            ("PENDING", JobStatus::Pending, "PENDING"),
            ("CONFIGURING", JobStatus::Pending, "CONFIGURING"),
            ("RUNNING CONFIGURING", JobStatus::Pending, "CONFIGURING"),
            ("PENDING REQUEUED", JobStatus::Pending, "REQUEUED"),
            ("REQUEUE_HOLD", JobStatus::Pending, "REQUEUE_HOLD"),
            ("REQUEUE_FED", JobStatus::Pending, "REQUEUE_FED"),
            ("SPECIAL_EXIT", JobStatus::Pending, "SPECIAL_EXIT"),
            ("RESV_DEL_HOLD", JobStatus::Pending, "RESV_DEL_HOLD"),
            ("RUNNING", JobStatus::Running, "RUNNING"),
            ("SUSPENDED", JobStatus::Running, "SUSPENDED"),
            ("COMPLETING", JobStatus::Running, "COMPLETING"),
            ("CANCELLED COMPLETING", JobStatus::Running, "COMPLETING"),
            ("STAGE_OUT", JobStatus::Running, "STAGE_OUT"),
            ("STOPPED", JobStatus::Running, "STOPPED"),
            ("SIGNALING", JobStatus::Running, "SIGNALING"),
            ("RESIZING", JobStatus::Running, "RESIZING"),
            ("COMPLETED", JobStatus::Completed, "COMPLETED"),
            ("FAILED", JobStatus::Failed, "FAILED"),
            ("NODE_FAIL", JobStatus::Failed, "NODE_FAIL"),
            ("BOOT_FAIL", JobStatus::Failed, "BOOT_FAIL"),
            ("OUT_OF_MEMORY", JobStatus::Failed, "OUT_OF_MEMORY"),
            ("LAUNCH_FAILED", JobStatus::Failed, "LAUNCH_FAILED"),
            ("CANCELLED", JobStatus::Cancelled, "CANCELLED"),
            ("PREEMPTED", JobStatus::Cancelled, "PREEMPTED"),
            ("REVOKED", JobStatus::Cancelled, "REVOKED"),
            ("TIMEOUT", JobStatus::Timeout, "TIMEOUT"),
            ("DEADLINE", JobStatus::Timeout, "DEADLINE"),
            ("SOMETHING_NEW", JobStatus::Unspecified, "SOMETHING_NEW"),
            ("", JobStatus::Unspecified, ""),
        ] {
            assert_eq!(job(&words(text)), (status, word), "{text}");
        }
    }

    #[test]
    fn nodes_have_the_word_of_slurms_own_tools() {
        for (text, word, is_there) in [
            ("idle", "idle", true),
            ("IDLE DRAIN", "drained", true),
            ("MIXED DRAIN", "draining", true),
            ("allocated", "allocated", true),
            ("DOWN", "down", false),
            ("DOWN DRAIN", "down", false),
            ("DOWN NOT_RESPONDING", "down", false),
            ("IDLE NOT_RESPONDING", "idle", false),
            ("IDLE POWERED_DOWN", "powered_down", false),
            ("IDLE RESERVED", "reserved", true),
            ("IDLE MAINTENANCE", "maint", true),
            ("", "unknown", false),
        ] {
            assert_eq!(node(&words(text)), (word.to_owned(), is_there), "{text}");
        }
    }
}
