//! `aiinfra s3 cp`.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::pin::pin;

use anyhow::{Context as _, anyhow};
use futures_util::{StreamExt as _, stream};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use utopia_gateway::process;

use super::super::Context;
use crate::args::CopyObjects;
use crate::failure::Failure;
use crate::objects::{AT_ONCE, Depth, End, Input, Place, Store, Target, interrupted};
use crate::output::{Meter, Output, exact_bytes, printable};

/// One file or object to copy.
#[derive(Debug, PartialEq, Eq)]
enum Job {
    Up { from: Input, to: Place },
    Down { from: Place, to: Target },
}

/// What is to be done, and how many bytes it is, if that is known.
struct Plan {
    jobs: Vec<Job>,
    bytes: Option<u64>,
}

pub(super) async fn run(context: &Context, copy: CopyObjects) -> anyhow::Result<()> {
    let (store, stop) = (context.store()?, CancellationToken::new());
    let mut work = pin!(work(&store, context.output, copy, &stop));
    tokio::select! {
        done = &mut work => return done,
        signal = process::cancel_on_signal(stop.clone()) => signal.context("wait for signals")?,
    }
    work.await
}

async fn work(store: &Store, output: Output, copy: CopyObjects, stop: &CancellationToken) -> anyhow::Result<()> {
    let Plan { jobs, bytes } = stop.run_until_cancelled(plan(store, copy)).await.ok_or_else(interrupted)??;
    let meter = output.meter(bytes);
    let running = stream::iter(jobs).map(|job| {
        let meter = &meter;
        async move {
            // One that failed ends those that have not begun.
            if stop.is_cancelled() {
                return Err(interrupted());
            }
            meter.name(&job.to());
            let bytes = Box::pin(job.run(store, meter, stop)).await?;
            meter.aside(|| job.report(output, bytes))
        }
    });
    let mut running = pin!(running.buffer_unordered(AT_ONCE));
    let mut failed = None;
    while let Some(done) = running.next().await {
        if let Err(error) = done {
            // The others take back what they have sent before this ends.
            stop.cancel();
            failed.get_or_insert(error);
        }
    }
    meter.end();
    failed.map_or(Ok(()), Err)
}

impl Job {
    async fn run(&self, store: &Store, meter: &Meter, stop: &CancellationToken) -> anyhow::Result<u64> {
        match self {
            Self::Up { from, to } => store.upload(from, to, meter, stop).await.with_context(|| to.to_string()),
            Self::Down { from, to } => {
                if let Target::File(path) = to
                    && let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty())
                {
                    fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
                }
                store.download(from, to, meter, stop).await
            }
        }
    }

    fn from(&self) -> String {
        match self {
            Self::Up { from: Input::Standard, .. } => "-".to_owned(),
            Self::Up { from: Input::File(path), .. } => path.display().to_string(),
            Self::Down { from, .. } => from.to_string(),
        }
    }

    fn to(&self) -> String {
        match self {
            Self::Up { to, .. } => to.to_string(),
            Self::Down { to: Target::Standard, .. } => "-".to_owned(),
            Self::Down { to: Target::File(path), .. } => path.display().to_string(),
        }
    }

    /// Says that it is done, unless the content itself is the output.
    fn report(&self, output: Output, bytes: u64) -> anyhow::Result<()> {
        if matches!(self, Self::Down { to: Target::Standard, .. }) {
            return Ok(());
        }
        let (from, to) = (self.from(), self.to());
        let sentence = format!("{} is copied to {} ({})", printable(&from), printable(&to), exact_bytes(bytes));
        if output.is_for_people() {
            return Ok(output.done(&sentence)?);
        }
        Ok(output.show_line(&json!({"name": to, "source": from, "bytes": bytes}), String::new)?)
    }
}

async fn plan(store: &Store, CopyObjects { source, destination, recursive }: CopyObjects) -> anyhow::Result<Plan> {
    match (source, destination) {
        (End::Object(_), End::Object(_)) => Err(usage("one of the two must be here: from bucket to bucket nothing is copied")),
        (End::Standard | End::Path(_), End::Standard | End::Path(_)) => Err(usage("one of the two must be s3://BUCKET/KEY")),
        (End::Standard, End::Object(to)) if recursive || !to.is_object() => {
            Err(usage("standard input is one object: name its key, and leave --recursive out"))
        }
        (End::Object(from), End::Standard) if recursive || !from.is_object() => {
            Err(usage("standard output is one object: name its key, and leave --recursive out"))
        }
        (End::Standard, End::Object(to)) => {
            store.check(&to).await.with_context(|| to.to_string())?;
            Ok(Plan { jobs: vec![Job::Up { from: Input::Standard, to }], bytes: None })
        }
        (End::Object(from), End::Standard) => Ok(Plan { jobs: vec![Job::Down { from, to: Target::Standard }], bytes: None }),
        (End::Path(from), End::Object(to)) => {
            let plan = upload(&from, &to, recursive)?;
            store.check(&to).await.with_context(|| to.to_string())?;
            Ok(plan)
        }
        (End::Object(from), End::Path(to)) if recursive => download_all(store, &from.as_directory(), &to).await,
        (End::Object(from), End::Path(to)) => {
            if !from.is_object() {
                return Err(usage("name one object, or copy all below it with --recursive"));
            }
            let is_directory = to.is_dir() || to.as_os_str().to_string_lossy().ends_with('/');
            let to = if is_directory { to.join(file_below("", last_step(&from.key))?) } else { to };
            Ok(Plan { jobs: vec![Job::Down { from, to: Target::File(to) }], bytes: None })
        }
    }
}

fn usage(sentence: &str) -> anyhow::Error {
    Failure::Usage(sentence.to_owned()).into()
}

/// What uploads a file, or all in a directory.
fn upload(from: &Path, to: &Place, recursive: bool) -> anyhow::Result<Plan> {
    if !from.exists() {
        return Err(Failure::NotFound(format!("there is no file {}", from.display())).into());
    }
    let metadata = fs::metadata(from).with_context(|| from.display().to_string())?;
    if metadata.is_dir() {
        if !recursive {
            return Err(usage(&format!("{} is a directory: copy it with --recursive", from.display())));
        }
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        walk(from, &to.as_directory(), &mut jobs, &mut bytes)?;
        return Ok(Plan { jobs, bytes: Some(bytes) });
    }
    let to = if to.is_object() {
        to.clone()
    } else {
        let name = from.file_name().context("the source has no name: name the key")?;
        to.at(format!("{}{}", to.key, text(name)?))
    };
    // A pipe or a device has no length to be cut by, and cannot be read twice.
    if !metadata.is_file() {
        return Err(usage(&format!("{} is no file: pass it on standard input", from.display())));
    }
    Ok(Plan { jobs: vec![Job::Up { from: Input::File(from.to_owned()), to }], bytes: Some(metadata.len()) })
}

/// Adds what is in a directory, in the order of names.
fn walk(directory: &Path, to: &Place, jobs: &mut Vec<Job>, bytes: &mut u64) -> anyhow::Result<()> {
    let context = || directory.display().to_string();
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.with_context(context)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let key = format!("{}{}", to.key, text(&name)?);
        if entry.file_type().with_context(context)?.is_dir() {
            walk(&path, &to.at(format!("{key}/")), jobs, bytes)?;
            continue;
        }
        // Behind a link.
        let metadata = fs::metadata(&path).with_context(|| path.display().to_string())?;
        if metadata.is_file() {
            *bytes += metadata.len();
            jobs.push(Job::Up { from: Input::File(path), to: to.at(key) });
        }
    }
    Ok(())
}

fn text(name: &std::ffi::OsStr) -> anyhow::Result<&str> {
    name.to_str().with_context(|| format!("{} cannot be a key: it is no UTF-8", name.display()))
}

/// What downloads all below a prefix.
async fn download_all(store: &Store, from: &Place, to: &Path) -> anyhow::Result<Plan> {
    let listing = store.list(from, Depth::Everything).await.with_context(|| from.to_string())?;
    let (mut jobs, mut bytes) = (Vec::new(), 0);
    // Some clients make empty objects in place of directories.
    for object in listing.objects.into_iter().filter(|object| !object.name.ends_with('/')) {
        let path = to.join(file_below(&from.key, &object.name)?);
        bytes += object.size;
        jobs.push(Job::Down { from: from.at(object.name), to: Target::File(path) });
    }
    if jobs.is_empty() {
        return Err(Failure::NotFound(format!("there is nothing below {from}")).into());
    }
    Ok(Plan { jobs, bytes: Some(bytes) })
}

fn last_step(key: &str) -> &str {
    key.rsplit('/').next().unwrap_or(key)
}

/// The path of a key below a prefix. A key that would lead out of the directory is refused, whoever has made it.
fn file_below(prefix: &str, key: &str) -> anyhow::Result<PathBuf> {
    let rest = key.strip_prefix(prefix).unwrap_or(key);
    let path = PathBuf::from(rest);
    let mut steps = path.components();
    let is_below = steps.all(|step| matches!(step, Component::Normal(_))) && !rest.is_empty() && !rest.contains('\0');
    // Empty steps would be left out, and two keys be one file.
    let is_plain = rest.split('/').all(|step| !matches!(step, "" | "." | ".."));
    if is_below && is_plain { Ok(path) } else { Err(anyhow!("the key {key:?} cannot be a file's path")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stay_in_their_directory() {
        for (prefix, key, path) in [("", "a", "a"), ("a/", "a/b/c", "b/c"), ("", "..a/b.", "..a/b.")] {
            assert_eq!(file_below(prefix, key).unwrap(), PathBuf::from(path));
        }
        for (prefix, key) in [
            ("", "../a"),
            ("a/", "a//etc/passwd"),
            ("", "/etc/passwd"),
            ("a/", "a/b/../../c"),
            ("a/", "a/"),
            ("", "a/./b"),
            ("", "a//b"),
        ] {
            assert!(file_below(prefix, key).is_err(), "{key}");
        }
    }

    #[test]
    fn a_directory_goes_below_its_prefix_in_order() {
        let directory = tempfile::tempdir().unwrap();
        for file in ["b", "a/2", "a/1"] {
            let path = directory.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, file).unwrap();
        }
        std::os::unix::fs::symlink(directory.path(), directory.path().join("a/round")).unwrap();
        let plan = upload(directory.path(), &"s3://x/runs".parse().unwrap(), true).unwrap();
        let keys = plan.jobs.iter().map(Job::to).collect::<Vec<_>>();
        assert_eq!(keys, ["s3://x/runs/a/1", "s3://x/runs/a/2", "s3://x/runs/b"]);
        assert_eq!(plan.bytes, Some(7));
        assert!(upload(directory.path(), &"s3://x/runs".parse().unwrap(), false).is_err());
        let one = upload(&directory.path().join("b"), &"s3://x/runs/".parse().unwrap(), false).unwrap();
        assert_eq!(one.jobs[0].to(), "s3://x/runs/b");
    }
}
