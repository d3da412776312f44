//! Docker and the registry, seen beside the system: images to run, and what really runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::skip;

/// Its programs end as soon as they are asked: the first process of a container takes no notice of SIGTERM.
const DOCKERFILE: &str = r#"
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "/bin"]
STOPSIGNAL SIGKILL
CMD ["sleep", "3600"]
"#;

/// A Docker daemon that answers, and a registry it can pull from.
pub(crate) struct Docker {
    registry: String,
}

/// An image in the registry, which Docker has to pull. It is removed from Docker when dropped.
pub(crate) struct Image {
    pub(crate) name: String,
}

/// A container that runs, and since when: equal as long as nobody has touched it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) id: String,
    started_at: String,
}

impl Docker {
    /// None, said visibly, when the machine has no Docker, no registry or no static busybox.
    pub(crate) fn find() -> Option<Self> {
        let registry = std::env::var("UTOPIA_TEST_REGISTRY").unwrap_or_else(|_| "127.0.0.1:5000".to_owned());
        let missing = if docker(&["info"]).is_none() {
            "Docker does not answer"
        } else if std::net::TcpStream::connect(&registry).is_err() {
            "no registry answers"
        } else if !Path::new("/bin/busybox").exists() {
            "there is no static /bin/busybox"
        } else {
            return Some(Self { registry });
        };
        skip(missing);
        None
    }

    /// Builds an image with nothing but busybox in it under a name of its own, and leaves it in the registry only.
    pub(crate) fn image(&self) -> Image {
        let name = format!("{}/utopia-test/{}:1", self.registry, uuid::Uuid::new_v4().simple());
        let directory = tempfile::tempdir().unwrap();
        fs::copy("/bin/busybox", directory.path().join("busybox")).unwrap();
        fs::write(directory.path().join("Dockerfile"), DOCKERFILE).unwrap();
        must(&["build", "--quiet", "--tag", &name, directory.path().to_str().unwrap()]);
        must(&["push", "--quiet", &name]);
        must(&["rmi", "--no-prune", &name]);
        Image { name }
    }

    /// A name in the registry under which there is no image.
    pub(crate) fn missing_image(&self) -> String {
        format!("{}/utopia-test/missing:1", self.registry)
    }

    /// The containers of a claim, running or not, as `docker inspect` shows them.
    pub(crate) fn containers(&self, claim: &str) -> Vec<Value> {
        let ids = must(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &format!("label=utopia.claim={claim}")]);
        ids.lines().filter_map(Self::inspect).collect()
    }

    /// The only container of a claim, which runs.
    pub(crate) fn running(&self, claim: &str) -> Running {
        let [container] = self.containers(claim).try_into().unwrap();
        assert_eq!(container["State"]["Running"], true, "{container:#}");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        Running { id: text(&container["Id"]), started_at: text(&container["State"]["StartedAt"]) }
    }

    /// A container as `docker inspect` shows it; none when it is gone.
    pub(crate) fn inspect(container: &str) -> Option<Value> {
        let text = docker(&["container", "inspect", container])?;
        let mut found: Value = serde_json::from_str(&text).unwrap();
        Some(found[0].take())
    }

    /// Ends a container as if its program had crashed.
    pub(crate) fn kill(&self, container: &str) {
        must(&["kill", container]);
    }

    /// Removes every container of a node's agent, running or not.
    pub(crate) fn remove_containers_of_node(node: &str) {
        let ids = docker(&["ps", "--all", "--quiet", "--filter", &format!("label=utopia.node={node}")]).unwrap_or_default();
        for id in ids.lines() {
            docker(&["rm", "--force", "--volumes", id]);
        }
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        docker(&["rmi", "--force", &self.name]);
    }
}

/// What the command wrote; none when it failed.
fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn must(arguments: &[&str]) -> String {
    docker(arguments).unwrap_or_else(|| panic!("docker {} failed", arguments.join(" ")))
}
