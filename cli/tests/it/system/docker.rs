//! Docker and the registry, seen beside the system: images to run, and what really runs.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::skip;

const BUSYBOX: &str = "/bin/busybox";

/// What containers run: a program that ends when it is asked to, which `sleep` as a first process does not.
const PROGRAM: &str = r#"CMD ["sh", "-c", "trap exit TERM; sleep 3600 & wait"]"#;

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
        } else if !Path::new(BUSYBOX).exists() {
            "there is no static /bin/busybox"
        } else {
            return Some(Self { registry });
        };
        skip(missing);
        None
    }

    /// Makes an image with nothing but busybox in it, and leaves it in the registry only. It is imported, not built: images
    /// from one build share what other tests remove meanwhile.
    pub(crate) fn image(&self) -> Image {
        let image = Image { name: format!("{}/utopia-test/{}:1", self.registry, uuid::Uuid::new_v4().simple()) };
        let directory = tempfile::tempdir().unwrap();
        let bin = directory.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
        let applets = output(Command::new(BUSYBOX).arg("--list"));
        for applet in applets.lines().filter(|applet| *applet != "busybox") {
            symlink("busybox", bin.join(applet)).unwrap();
        }
        let archive = directory.path().join("root.tar");
        output(Command::new("tar").arg("-C").arg(directory.path()).arg("-cf").arg(&archive).arg("bin"));
        must(&["import", "--change", PROGRAM, archive.to_str().unwrap(), &image.name]);
        must(&["push", "--quiet", &image.name]);
        must(&["rmi", &image.name]);
        image
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

    /// What a container wrote so far, as Docker tells it.
    pub(crate) fn logs(&self, container: &str) -> String {
        must(&["logs", container])
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

/// What docker wrote; none when it failed.
fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().ok()?;
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

fn must(arguments: &[&str]) -> String {
    output(Command::new("docker").args(arguments))
}

/// What the command wrote; it must succeed.
fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
