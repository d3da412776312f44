//! A job to submit, in the shape of each version of the API.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::ApiVersion;

/// Jobs that are submitted here say so in their comment, and who did it: whatever happens between Slurm's answer and ours, the job is
/// known for what it is.
pub const MARKER: &str = "utopia:";

/// What `PATH` is where the caller does not say.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A job to submit, with everything checked. What is 0 or empty is left to Slurm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// Its name.
    pub name: String,
    /// The partition.
    pub partition: String,
    /// The account.
    pub account: String,
    /// How many nodes.
    pub nodes: i32,
    /// How many tasks.
    pub tasks: i32,
    /// CPUs of each task.
    pub cpus_per_task: i32,
    /// Memory on each node.
    pub memory_per_node_mib: i64,
    /// GPUs on each node.
    pub gpus_per_node: i32,
    /// Their type.
    pub gpu_type: String,
    /// The longest it may run.
    pub time_limit_minutes: i32,
    /// Where it runs.
    pub working_directory: String,
    /// Where its output goes.
    pub standard_output: String,
    /// Where its errors go.
    pub standard_error: String,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Its script.
    pub script: String,
    /// The comment; see [`MARKER`].
    pub comment: String,
}

impl Submission {
    /// The body of the request.
    pub(super) fn body(&self, version: ApiVersion) -> Value {
        let mut job = self.common();
        let count = |number: i64| {
            if version.has_set_numbers() { json!({"set": true, "infinite": false, "number": number}) } else { json!(number) }
        };
        if version.has_node_range() {
            // It takes a list of two numbers as well, and makes one node of it.
            job.insert("nodes".to_owned(), self.nodes.to_string().into());
        } else {
            job.insert("minimum_nodes".to_owned(), self.nodes.into());
            job.insert("maximum_nodes".to_owned(), self.nodes.into());
        }
        if self.memory_per_node_mib > 0 {
            job.insert("memory_per_node".to_owned(), count(self.memory_per_node_mib));
        }
        if self.time_limit_minutes > 0 {
            job.insert("time_limit".to_owned(), count(self.time_limit_minutes.into()));
        }
        if self.gpus_per_node > 0 {
            let kind = if self.gpu_type.is_empty() { String::new() } else { format!(":{}", self.gpu_type) };
            let (key, prefix) = version.gres();
            job.insert(key.to_owned(), format!("{prefix}gpu{kind}:{}", self.gpus_per_node).into());
        }
        let environment = self.environment();
        if version.has_environment_list() {
            let list = environment.into_iter().map(|(name, value)| format!("{name}={value}"));
            job.insert("environment".to_owned(), list.collect());
        } else {
            job.insert("environment".to_owned(), json!(environment));
        }
        if version.has_script_inside() {
            job.insert("script".to_owned(), self.script.clone().into());
            return json!({"job": job});
        }
        json!({"script": self.script, "job": job})
    }

    fn common(&self) -> Map<String, Value> {
        let texts = [
            ("name", &self.name),
            ("partition", &self.partition),
            ("account", &self.account),
            ("current_working_directory", &self.working_directory),
            ("standard_output", &self.standard_output),
            ("standard_error", &self.standard_error),
            ("comment", &self.comment),
        ];
        let texts = texts.into_iter().filter(|(_, text)| !text.is_empty()).map(|(key, text)| (key, Value::from(&**text)));
        let numbers = [("tasks", self.tasks), ("cpus_per_task", self.cpus_per_task)];
        let numbers = numbers.into_iter().filter(|(_, number)| *number > 0).map(|(key, number)| (key, Value::from(number)));
        texts.chain(numbers).map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// With a `PATH`, because Slurm takes no empty environment.
    fn environment(&self) -> BTreeMap<&str, &str> {
        let default = [("PATH", PATH)].into_iter();
        default.chain(self.environment.iter().map(|(name, value)| (&**name, &**value))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn submission() -> Submission {
        Submission {
            name: "$(reboot); `x`".into(),
            partition: "gpu".into(),
            nodes: 2,
            tasks: 4,
            memory_per_node_mib: 1024,
            gpus_per_node: 2,
            gpu_type: "h100".into(),
            time_limit_minutes: 10,
            working_directory: "/tmp".into(),
            environment: [("A".to_owned(), "b c".to_owned())].into(),
            script: "#!/bin/sh\n".into(),
            comment: "utopia:1".into(),
            ..Submission::default()
        }
    }

    #[test]
    fn the_old_shape() {
        let expected = json!({
            "script": "#!/bin/sh\n",
            "job": {
                "name": "$(reboot); `x`", "partition": "gpu", "nodes": "2", "tasks": 4, "memory_per_node": 1024,
                "gres": "gpu:h100:2", "time_limit": 10, "current_working_directory": "/tmp", "comment": "utopia:1",
                "environment": {"PATH": PATH, "A": "b c"},
            },
        });
        assert_eq!(submission().body(ApiVersion(38)), expected);
    }

    #[test]
    fn the_shape_between() {
        let body = submission().body(ApiVersion(39));
        assert_eq!(body["script"], "#!/bin/sh\n");
        let job = &body["job"];
        assert_eq!((&job["minimum_nodes"], &job["maximum_nodes"], &job["time_limit"]), (&json!(2), &json!(2), &json!(10)));
        assert_eq!((&job["tres_per_node"], &job["environment"]["A"]), (&json!("gres:gpu:h100:2"), &json!("b c")));
    }

    #[test]
    fn the_new_shape() {
        for version in [40, 41, 44] {
            let body = submission().body(ApiVersion(version));
            assert!(body.get("script").is_none());
            let job = &body["job"];
            assert_eq!(job["script"], "#!/bin/sh\n");
            assert_eq!(job["environment"], json!(["A=b c", format!("PATH={PATH}")]));
            assert_eq!(job["time_limit"], json!({"set": true, "infinite": false, "number": 10}));
            assert_eq!(job["memory_per_node"], json!({"set": true, "infinite": false, "number": 1024}));
            assert_eq!(job["tres_per_node"], "gres/gpu:h100:2");
        }
    }
}
