//! What callers say of a job that they submit.

use utopia_proto::slurm::v1::SubmitJobRequest;

use super::validate;
use crate::{
    backend::slurm::Submission,
    error::{Error, Result},
};

/// The longest script in bytes.
const MAX_SCRIPT: usize = 256 * 1024;

/// The largest environment: its entries, and their bytes in all.
const MAX_VARIABLES: usize = 256;
const MAX_ENVIRONMENT: usize = 64 * 1024;

/// The longest path in bytes.
const MAX_PATH: usize = 4096;

/// The job to submit.
///
/// # Errors
/// [`Error::Missing`], [`Error::Invalid`].
pub(super) fn submission(request: SubmitJobRequest) -> Result<Submission> {
    script(&request.script)?;
    validate::characters("job_name", &request.job_name, 128)?;
    word("partition", &request.partition, ",+")?;
    word("account", &request.account, "@:+")?;
    word("gpu_type", &request.gpu_type, "")?;
    count("nodes", request.nodes.into(), 65_536)?;
    count("ntasks", request.ntasks.into(), 10_000_000)?;
    count("cpus_per_task", request.cpus_per_task.into(), 65_535)?;
    count("memory_per_node_mb", request.memory_per_node_mb, 1 << 30)?;
    count("gpus_per_node", request.gpus_per_node.into(), 1024)?;
    count("time_limit_minutes", request.time_limit_minutes.into(), 10 * 366 * 24 * 60)?;
    if !request.gpu_type.is_empty() && request.gpus_per_node == 0 {
        return Err(Error::invalid("gpu_type", "needs `gpus_per_node`"));
    }
    if !request.working_directory.is_empty() && !request.working_directory.starts_with('/') {
        return Err(Error::invalid("working_directory", "must be an absolute path"));
    }
    validate::text("working_directory", &request.working_directory, MAX_PATH)?;
    validate::text("standard_output", &request.standard_output, MAX_PATH)?;
    validate::text("standard_error", &request.standard_error, MAX_PATH)?;
    environment(&request)?;
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    Ok(Submission {
        name: or(request.job_name, "job"),
        partition: request.partition,
        account: request.account,
        nodes: request.nodes.max(1),
        tasks: request.ntasks,
        cpus_per_task: request.cpus_per_task,
        memory_per_node_mib: request.memory_per_node_mb,
        gpus_per_node: request.gpus_per_node,
        gpu_type: request.gpu_type,
        time_limit_minutes: request.time_limit_minutes,
        working_directory: or(request.working_directory, "/tmp"),
        standard_output: request.standard_output,
        standard_error: request.standard_error,
        environment: request.environment,
        script: request.script,
        comment: String::new(),
    })
}

fn script(script: &str) -> Result<()> {
    let rule = if script.is_empty() {
        return Err(Error::missing("script"));
    } else if script.len() > MAX_SCRIPT {
        "must be at most 256 KiB"
    } else if script.contains('\0') {
        "must not contain NUL"
    } else if !script.starts_with("#!") {
        "must begin with a line such as `#!/bin/bash`"
    } else {
        return Ok(());
    };
    Err(Error::invalid("script", rule))
}

/// A name of Slurm: letters, digits, `.`, `_`, `-`, and these.
fn word(field: &'static str, value: &str, more: &str) -> Result<()> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') || more.contains(c);
    if value.len() <= 128 && value.chars().all(allowed) && !value.starts_with('-') {
        return Ok(());
    }
    let list = more.chars().map(|c| format!(", `{c}`")).collect::<String>();
    Err(Error::invalid(field, format!("must be at most 128 letters, digits, `.`, `_`, `-`{list}, and not begin with `-`")))
}

fn count(field: &'static str, value: i64, most: i64) -> Result<()> {
    if (0..=most).contains(&value) { Ok(()) } else { Err(Error::invalid(field, format!("must be 0 to {most}"))) }
}

fn environment(request: &SubmitJobRequest) -> Result<()> {
    let environment = &request.environment;
    let size = environment.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    if environment.len() > MAX_VARIABLES || size > MAX_ENVIRONMENT {
        return Err(Error::invalid("environment", "must be at most 256 variables and 64 KiB"));
    }
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    for (name, value) in environment {
        if !is_name(name) {
            return Err(Error::invalid("environment", "names must be letters, digits and `_`, and not begin with a digit"));
        }
        if value.contains('\0') {
            return Err(Error::invalid(format!("environment.{name}"), "must not contain NUL"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> SubmitJobRequest {
        SubmitJobRequest { script: "#!/bin/bash\nsleep 60".into(), ..SubmitJobRequest::default() }
    }

    /// The field that is refused; an asterisk before those that are missing.
    fn refused(request: SubmitJobRequest) -> String {
        match submission(request) {
            Ok(_) => String::new(),
            Err(Error::Invalid { field, .. }) => field.into_owned(),
            Err(Error::Missing { field }) => format!("*{field}"),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_has_a_default() {
        let submission = submission(request()).unwrap();
        assert_eq!((&*submission.name, submission.nodes, &*submission.working_directory), ("job", 1, "/tmp"));
    }

    #[test]
    fn a_refusal_names_the_field() {
        let environment = |name: &str, value: &str| [(name.to_owned(), value.to_owned())].into();
        let script = |script: String| SubmitJobRequest { script, ..request() };
        for (request, expected) in [
            (request(), ""),
            (SubmitJobRequest { job_name: "a `b` $(c); d".into(), ..request() }, ""),
            (script(String::new()), "*script"),
            (script("sleep 60".into()), "script"),
            (script("#!/bin/sh\0".into()), "script"),
            (script(format!("#!{}", "a".repeat(MAX_SCRIPT - 2))), ""),
            (script(format!("#!{}", "a".repeat(MAX_SCRIPT - 1))), "script"),
            (SubmitJobRequest { job_name: "a\nb".into(), ..request() }, "job_name"),
            (SubmitJobRequest { job_name: "a".repeat(129), ..request() }, "job_name"),
            (SubmitJobRequest { partition: "gpu; reboot".into(), ..request() }, "partition"),
            (SubmitJobRequest { partition: "-gpu".into(), ..request() }, "partition"),
            (SubmitJobRequest { account: "$(id)".into(), ..request() }, "account"),
            (SubmitJobRequest { nodes: -1, ..request() }, "nodes"),
            (SubmitJobRequest { ntasks: i32::MAX, ..request() }, "ntasks"),
            (SubmitJobRequest { gpu_type: "h100:8,gpu".into(), gpus_per_node: 1, ..request() }, "gpu_type"),
            (SubmitJobRequest { gpu_type: "h100".into(), ..request() }, "gpu_type"),
            (SubmitJobRequest { working_directory: "tmp".into(), ..request() }, "working_directory"),
            (SubmitJobRequest { standard_output: "a\0".into(), ..request() }, "standard_output"),
            (SubmitJobRequest { environment: environment("A B", "x"), ..request() }, "environment"),
            (SubmitJobRequest { environment: environment("A", "x\0"), ..request() }, "environment.A"),
            (SubmitJobRequest { environment: environment("A", "$(x); `y`\n"), ..request() }, ""),
        ] {
            let shown = format!("{:.200?}", request);
            assert_eq!(refused(request), expected, "{shown}");
        }
    }
}
