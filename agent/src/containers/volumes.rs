//! Which paths of the machine a container may see.
//!
//! A path is resolved before it is compared, symbolic links included, and the resolved path is what the container gets: a
//! link cannot lead out of the allow-list.

use std::{
    ffi::OsString,
    io,
    path::{Component, Path, PathBuf},
};

use crate::{
    error::{Error, Result},
    runtime::Bind,
};

/// Reason of an error: the path is not under the allow-list.
pub const VOLUME_NOT_ALLOWED: &str = "VolumeNotAllowed";

/// Resolves the host side of every bind, or says which one is not allowed.
pub(super) async fn resolve(binds: &[Bind], allowed: &[PathBuf]) -> Result<Vec<Bind>> {
    if binds.is_empty() {
        return Ok(Vec::new());
    }
    let mut roots = Vec::with_capacity(allowed.len());
    for root in allowed {
        // A root that is not there allows nothing.
        roots.extend(tokio::fs::canonicalize(root).await.ok());
    }
    let mut resolved = Vec::with_capacity(binds.len());
    for bind in binds {
        let host = real_path(Path::new(&bind.host)).await.ok().filter(|path| is_under(path, &roots));
        // Docker takes binds as text with colons between the parts.
        let host = host.and_then(|path| path.into_os_string().into_string().ok()).filter(|path| !path.contains(':'));
        let Some(host) = host else {
            let message = format!("{} is not under a path that the agent of this machine allows", bind.host);
            return Err(Error::FailedPrecondition { reason: VOLUME_NOT_ALLOWED, message });
        };
        resolved.push(Bind { host, container: bind.container.clone() });
    }
    Ok(resolved)
}

/// The path without links. What does not exist yet keeps its name under the resolved part that does.
async fn real_path(path: &Path) -> io::Result<PathBuf> {
    let mut missing: Vec<OsString> = Vec::new();
    let mut existing = path;
    loop {
        match tokio::fs::canonicalize(existing).await {
            Ok(mut real) => {
                real.extend(missing.iter().rev());
                return Ok(real);
            }
            // A dangling link is there, but what it names is not: nobody can say where it will lead.
            Err(error) if error.kind() != io::ErrorKind::NotFound || existing.is_symlink() => return Err(error),
            Err(error) => {
                let (Some(parent), Some(name)) = (existing.parent(), existing.file_name()) else { return Err(error) };
                missing.push(name.to_owned());
                existing = parent;
            }
        }
    }
}

fn is_under(path: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().any(|root| path.starts_with(root))
}

/// Whether a path is absolute and has no `.` or `..` in it.
pub(super) fn is_normal(path: &str) -> bool {
    let path = Path::new(path);
    path.is_absolute() && path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn bind(host: &Path) -> Bind {
        Bind { host: host.to_str().unwrap().to_owned(), container: "/data".to_owned() }
    }

    async fn host_of(path: &Path, allowed: &[PathBuf]) -> Option<PathBuf> {
        resolve(&[bind(path)], allowed).await.ok().map(|binds| PathBuf::from(&binds[0].host))
    }

    #[tokio::test]
    async fn only_paths_under_the_allow_list_pass() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().canonicalize().unwrap();
        let (allowed, other) = (base.join("allowed"), base.join("other"));
        std::fs::create_dir_all(allowed.join("sub")).unwrap();
        std::fs::create_dir_all(&other).unwrap();
        std::fs::create_dir_all(base.join("allowed-not")).unwrap();
        symlink(&other, allowed.join("out")).unwrap();
        symlink(allowed.join("sub"), allowed.join("in")).unwrap();
        symlink(base.join("gone"), allowed.join("dangling")).unwrap();
        let list = [allowed.clone()];

        let cases = [
            (allowed.clone(), Some(allowed.clone())),
            (allowed.join("sub"), Some(allowed.join("sub"))),
            (allowed.join("new/deep"), Some(allowed.join("new/deep"))),
            (allowed.join("in"), Some(allowed.join("sub"))),
            (allowed.join("in/new"), Some(allowed.join("sub/new"))),
            (allowed.join("out"), None),
            (allowed.join("out/new"), None),
            (allowed.join("dangling"), None),
            (allowed.join("dangling/new"), None),
            (base.join("allowed-not"), None),
            (other, None),
            (PathBuf::from("/"), None),
        ];
        for (path, expected) in cases {
            assert_eq!(host_of(&path, &list).await, expected, "{}", path.display());
        }
        assert_eq!(host_of(&allowed, &[]).await, None, "an empty list allows nothing");
        assert_eq!(host_of(&allowed, &[base.join("missing")]).await, None, "a root that is not there allows nothing");
    }

    #[test]
    fn normal_paths() {
        for (path, expected) in [("/", true), ("/a/b", true), ("/a/../b", false), ("a", false), ("", false), ("/a/..", false)] {
            assert_eq!(is_normal(path), expected, "{path}");
        }
    }
}
