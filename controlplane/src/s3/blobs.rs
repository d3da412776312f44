//! Content in files that never change, each under a random name. Keys never become paths.
//!
//! A file is written whole and synchronized before anything refers to it. Whoever gives up removes it; what a crash leaves behind is
//! found by its age. Reading and writing keep a few buffers, however large the content.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::{Bytes, BytesMut};
use futures_util::{
    Stream, StreamExt as _,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::sums::{Summing, Sums};
use crate::model::storage::Segment;

/// How much is gathered before it is written.
const WRITE_BYTES: usize = 1 << 20;

/// How much is read at once.
const READ_BYTES: usize = 256 << 10;

/// How many pieces of a read may be on their way before one is worth no buffer of its own.
const BUFFERS: usize = 4;

/// Why content was not written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    /// It did not come whole, or not as it was signed.
    #[error("the content did not come: {0}")]
    Source(s3s::StdError),
    /// There is more of it than there may be.
    #[error("the content is too large")]
    TooLarge,
    /// The disk does not take it.
    #[error("the content cannot be written: {0}")]
    Disk(#[from] io::Error),
}

/// The files. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Blobs {
    root: Arc<Path>,
}

impl Blobs {
    /// The files under a directory, which is made when missing, for its owner only.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let root = root.join("blobs");
        for shard in 0..=u8::MAX {
            fs::create_dir_all(root.join(format!("{shard:02x}")))?;
        }
        Ok(Self { root: root.into() })
    }

    fn shard(&self, shard: u8) -> PathBuf {
        self.root.join(format!("{shard:02x}"))
    }

    fn path(&self, blob: Uuid) -> PathBuf {
        self.shard(blob.as_bytes()[0]).join(blob.simple().to_string())
    }

    /// Writes content to a new file, and sums it.
    pub(super) async fn write<S>(&self, content: S, limit: u64, summing: Summing) -> Result<Written, WriteError>
    where
        S: Stream<Item = Result<Bytes, s3s::StdError>>,
    {
        let id = Uuid::new_v4();
        let path = self.path(id);
        let opened = spawn_blocking(move || Ok((File::create_new(&path)?, NewBlob { id, path, kept: false })));
        let (file, blob): (File, NewBlob) = joined(opened.await)?;
        let mut state = Writing { file, summing, buffer: Vec::with_capacity(WRITE_BYTES) };
        let mut content = std::pin::pin!(content);
        let mut size = 0_u64;
        while let Some(chunk) = content.next().await {
            let chunk = chunk.map_err(WriteError::Source)?;
            size += chunk.len() as u64;
            if size > limit {
                return Err(WriteError::TooLarge);
            }
            for piece in chunk.chunks(WRITE_BYTES) {
                if state.buffer.len() + piece.len() > WRITE_BYTES {
                    state = joined(spawn_blocking(move || state.flush()).await)?;
                }
                state.buffer.extend_from_slice(piece);
            }
        }
        let shard = self.shard(id.as_bytes()[0]);
        let sums = joined(spawn_blocking(move || state.finish(&shard)).await)?;
        Ok(Written { blob, sums })
    }

    /// The bytes of a range of what the segments are together. The first file is opened before this answers.
    pub(super) async fn read(
        &self,
        segments: &[Segment],
        range: Range<u64>,
    ) -> io::Result<BoxStream<'static, io::Result<Bytes>>> {
        let mut stretches = stretches(segments, range).into_iter();
        let first = match stretches.next() {
            Some(stretch) => Some(self.open_stretch(stretch).await?),
            None => None,
        };
        let state = (self.clone(), stretches, first);
        let pieces = stream::try_unfold(
            state,
            |(blobs, mut stretches, mut current): (Self, std::vec::IntoIter<Stretch>, Option<Reading>)| async move {
                loop {
                    let Some(reading) = current.take() else { return Ok(None) };
                    if reading.left == 0 {
                        current = match stretches.next() {
                            Some(stretch) => Some(blobs.open_stretch(stretch).await?),
                            None => None,
                        };
                        continue;
                    }
                    let (bytes, reading) = joined(spawn_blocking(move || reading.next()).await)?;
                    return Ok(Some((bytes, (blobs, stretches, Some(reading)))));
                }
            },
        );
        Ok(pieces.boxed())
    }

    async fn open_stretch(&self, Stretch { blob, start, length }: Stretch) -> io::Result<Reading> {
        let path = self.path(blob);
        let opened = spawn_blocking(move || {
            let mut file = File::open(path)?;
            file.seek(SeekFrom::Start(start))?;
            Ok(Reading { file, left: length, buffers: Buffers::default() })
        });
        joined(opened.await)
    }

    /// Removes files. Those that are gone already are as good as removed.
    pub(super) async fn remove(&self, blobs: &[Uuid]) -> io::Result<()> {
        let paths = blobs.iter().map(|blob| self.path(*blob)).collect::<Vec<_>>();
        let removed = spawn_blocking(move || {
            paths.into_iter().try_for_each(|path| match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            })
        });
        joined(removed.await)
    }

    /// The files of one of 256 directories that were last written before then.
    pub(super) async fn written_before(&self, shard: u8, before: Timestamp) -> io::Result<Vec<Uuid>> {
        let directory = self.shard(shard);
        let found = spawn_blocking(move || {
            let mut found = Vec::new();
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let id = entry.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok());
                let written = Timestamp::try_from(entry.metadata()?.modified()?).unwrap_or(Timestamp::MAX);
                found.extend(id.filter(|_| written < before));
            }
            Ok(found)
        });
        joined(found.await)
    }
}

/// What a blocking task came to. A panic in it is ours.
fn joined<T>(result: Result<io::Result<T>, tokio::task::JoinError>) -> io::Result<T> {
    result.map_err(io::Error::other)?
}

/// A new file with its sums.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) blob: NewBlob,
    pub(super) sums: Sums,
}

impl Written {
    /// It as a segment.
    pub(super) fn segment(&self) -> Segment {
        Segment { blob: self.blob.id, size: self.sums.size }
    }
}

/// A file that nothing refers to yet. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct NewBlob {
    id: Uuid,
    path: PathBuf,
    kept: bool,
}

impl NewBlob {
    /// Something may refer to it now.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewBlob {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "an unfinished upload could not be removed");
        }
    }
}

struct Writing {
    file: File,
    summing: Summing,
    buffer: Vec<u8>,
}

impl Writing {
    fn flush(mut self) -> io::Result<Self> {
        self.summing.update(&self.buffer);
        self.file.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(self)
    }

    /// Writes the rest and sees that it stays, with its name.
    fn finish(self, directory: &Path) -> io::Result<Sums> {
        let done = self.flush()?;
        done.file.sync_all()?;
        File::open(directory)?.sync_all()?;
        Ok(done.summing.finish())
    }
}

struct Reading {
    file: File,
    left: u64,
    buffers: Buffers,
}

impl Reading {
    fn next(mut self) -> io::Result<(Bytes, Self)> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(READ_BYTES);
        let buffer = self.buffers.free();
        buffer.resize(length, 0);
        self.file.read_exact(buffer)?;
        self.left -= length as u64;
        Ok((buffer.split().freeze(), self))
    }
}

/// A few buffers that are used again when what was read into them has gone out. New ones for each piece would go back to the allocator as
/// fast as the disk reads, and it returns memory to the system by the second.
#[derive(Default)]
struct Buffers(Vec<BytesMut>);

impl Buffers {
    /// An empty buffer with room for a piece.
    fn free(&mut self) -> &mut BytesMut {
        let free = self.0.iter_mut().position(|buffer| buffer.try_reclaim(READ_BYTES));
        let at = free.unwrap_or_else(|| {
            if self.0.len() == BUFFERS {
                self.0.swap_remove(0);
            }
            self.0.push(BytesMut::with_capacity(READ_BYTES));
            self.0.len() - 1
        });
        &mut self.0[at]
    }
}

/// A stretch of a file.
#[derive(Debug, PartialEq, Eq)]
struct Stretch {
    blob: Uuid,
    start: u64,
    length: u64,
}

fn stretches(segments: &[Segment], range: Range<u64>) -> Vec<Stretch> {
    let mut before = 0;
    let mut found = Vec::new();
    for Segment { blob, size } in segments {
        let start = range.start.max(before);
        let end = range.end.min(before + size);
        if start < end {
            found.push(Stretch { blob: *blob, start: start - before, length: end - start });
        }
        before += size;
    }
    found
}

#[cfg(test)]
mod tests {
    use futures_util::TryStreamExt as _;

    use super::{super::sums::Promise, *};

    fn content(pieces: &[&'static [u8]]) -> impl Stream<Item = Result<Bytes, s3s::StdError>> {
        stream::iter(pieces.iter().map(|piece| Ok(Bytes::from_static(piece))).collect::<Vec<_>>())
    }

    fn files(blobs: &Blobs) -> usize {
        (0..=u8::MAX).map(|shard| fs::read_dir(blobs.shard(shard)).unwrap().count()).sum()
    }

    #[tokio::test]
    async fn what_was_written_is_read_in_any_range() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(directory.path()).unwrap();
        let mut segments = Vec::new();
        for pieces in [&[&b"ab"[..], b"cd"][..], &[], &[b"efg"]] {
            let written = blobs.write(content(pieces), 10, Promise::default().summing()).await.unwrap();
            segments.push(written.segment());
            written.blob.keep();
        }
        for start in 0..=7 {
            for end in start..=7 {
                let read = blobs.read(&segments, start as u64..end as u64).await.unwrap();
                let read = read.try_collect::<Vec<_>>().await.unwrap().concat();
                assert_eq!(read, b"abcdefg"[start..end], "{start}..{end}");
            }
        }
        let ids = segments.iter().map(|segment| segment.blob).collect::<Vec<_>>();
        blobs.remove(&ids).await.unwrap();
        blobs.remove(&ids).await.unwrap();
        assert_eq!(files(&blobs), 0);
        assert!(blobs.read(&segments, 0..1).await.is_err());
    }

    #[test]
    fn buffers_are_used_again_when_what_was_in_them_has_gone() {
        let mut buffers = Buffers::default();
        let mut read = || {
            let buffer = buffers.free();
            buffer.resize(READ_BYTES, 0);
            buffer.split().freeze()
        };
        let (first, second) = (read(), read());
        let place = first.as_ptr();
        assert_ne!(place, second.as_ptr());
        drop(first);
        assert_eq!(read().as_ptr(), place);
        let held = (0..2 * BUFFERS).map(|_| read()).collect::<Vec<_>>();
        assert!(held.iter().all(|piece| piece.as_ptr() != second.as_ptr()));
        assert!(buffers.0.len() <= BUFFERS);
    }

    #[tokio::test]
    async fn what_comes_only_in_part_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(directory.path()).unwrap();
        let broken = stream::iter([Ok(Bytes::from_static(b"half")), Err("the client went away".into())]);
        let error = blobs.write(broken, 10, Promise::default().summing()).await.unwrap_err();
        assert!(matches!(error, WriteError::Source(_)));
        let error = blobs.write(content(&[b"abc", b"def"]), 5, Promise::default().summing()).await.unwrap_err();
        assert!(matches!(error, WriteError::TooLarge));
        drop(blobs.write(content(&[b"abc"]), 5, Promise::default().summing()).await.unwrap());
        assert_eq!(files(&blobs), 0);
    }

    #[tokio::test]
    async fn old_files_are_told_from_new_ones() {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(directory.path()).unwrap();
        let written = blobs.write(content(&[b"a"]), 10, Promise::default().summing()).await.unwrap();
        let (id, shard) = (written.segment().blob, written.segment().blob.as_bytes()[0]);
        assert_eq!(blobs.written_before(shard, Timestamp::MAX).await.unwrap(), [id]);
        assert!(blobs.written_before(shard, Timestamp::UNIX_EPOCH).await.unwrap().is_empty());
    }
}
