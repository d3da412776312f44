//! What goes on beside requests: used keys are noted, usage is summed up, and what nobody refers to any more is removed.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use super::{blobs::Blobs, keys::Keys, meters::Meters};
use crate::{clock::Clock, store::Store};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_secs(30);

/// How long a blob stays after its last reference went, so that who reads it can finish.
const GARBAGE_AFTER: SignedDuration = SignedDuration::from_mins(2);

/// How long a file may lie without anything that refers to it: an upload writes to it, or a crash left it behind.
const ORPHAN_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// How often it is looked for such files.
const ORPHAN_INTERVAL: SignedDuration = SignedDuration::from_hours(6);

/// Who does it.
pub(super) struct Upkeep {
    pub(super) keys: Keys,
    pub(super) store: Store,
    pub(super) clock: Clock,
    /// None when another server keeps the objects.
    pub(super) blobs: Option<Blobs>,
    pub(super) meters: Meters,
    pub(super) upload_lifetime: SignedDuration,
}

impl Upkeep {
    /// Runs until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        let mut interval = tokio::time::interval(INTERVAL);
        let mut look_for_orphans_at = self.clock.now();
        while cancel.run_until_cancelled(interval.tick()).await.is_some() {
            let now = self.clock.now();
            self.pass(now).await;
            if now >= look_for_orphans_at {
                self.collect_orphans(now, &cancel).await;
                look_for_orphans_at = now + ORPHAN_INTERVAL;
            }
        }
        self.keys.note_use().await;
    }

    async fn pass(&self, now: Timestamp) {
        self.keys.note_use().await;
        match self.store.usage_by_owner().await {
            Ok(usage) => self.meters.observe_usage(usage),
            Err(error) => tracing::warn!(%error, "object storage could not be summed up"),
        }
        if let Some(blobs) = &self.blobs {
            self.give_up_uploads(now).await;
            self.collect(blobs, now).await;
        }
    }

    async fn give_up_uploads(&self, now: Timestamp) {
        let old = match self.store.uploads_before(now - self.upload_lifetime).await {
            Ok(old) => old,
            Err(error) => return tracing::warn!(%error, "old uploads could not be looked for"),
        };
        for (bucket, id) in old {
            match self.store.abort_upload(&bucket, id, now).await {
                Ok(_) => tracing::info!(bucket, upload = %id, "an upload that was never completed is given up"),
                Err(error) => tracing::warn!(%error, "an old upload could not be given up"),
            }
        }
    }

    /// Removes blobs that lost their last reference a while ago. Files go first, so that none is forgotten.
    async fn collect(&self, blobs: &Blobs, now: Timestamp) {
        loop {
            let garbage = match self.store.garbage(now - GARBAGE_AFTER).await {
                Ok(garbage) if garbage.is_empty() => return,
                Ok(garbage) => garbage,
                Err(error) => return tracing::warn!(%error, "unused blobs could not be looked for"),
            };
            if let Err(error) = blobs.remove(&garbage).await {
                return tracing::warn!(%error, "unused blobs could not be removed");
            }
            if let Err(error) = self.store.forget_garbage(&garbage).await {
                return tracing::warn!(%error, "removed blobs could not be forgotten");
            }
            tracing::debug!(count = garbage.len(), "unused blobs are removed");
        }
    }

    /// Removes old files that nothing refers to.
    async fn collect_orphans(&self, now: Timestamp, cancel: &CancellationToken) {
        let Some(blobs) = &self.blobs else { return };
        for shard in 0..=u8::MAX {
            if cancel.is_cancelled() {
                return;
            }
            let old = match blobs.written_before(shard, now - ORPHAN_AFTER).await {
                Ok(old) => old,
                Err(error) => return tracing::warn!(%error, "files of object storage could not be listed"),
            };
            match self.store.unknown_blobs(&old).await {
                Ok(unknown) if unknown.is_empty() => {}
                Ok(unknown) => match blobs.remove(&unknown).await {
                    Ok(()) => tracing::info!(count = unknown.len(), "files of uploads that never ended are removed"),
                    Err(error) => tracing::warn!(%error, "files of uploads that never ended could not be removed"),
                },
                Err(error) => return tracing::warn!(%error, "files of object storage could not be looked up"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;
    use futures_util::stream;
    use uuid::Uuid;

    use super::{super::sums::Promise, *};
    use crate::{
        model::{
            Role,
            storage::{Attributes, Condition, Part, Segment, Upload},
        },
        seal::Sealer,
        store::{NewObject, testing},
    };

    testing::on_both_databases!(what_nobody_refers_to_goes_when_its_time_has_come);

    /// A new file, as an upload leaves it before its row is written.
    async fn file(blobs: &Blobs) -> Segment {
        let content = stream::iter([Ok(Bytes::from_static(b"content"))]);
        let written = blobs.write(content, 100, Promise::default().summing()).await.unwrap();
        let segment = written.segment();
        written.blob.keep();
        segment
    }

    fn is_there(root: &Path, segment: Segment) -> bool {
        let name = segment.blob.simple().to_string();
        root.join("blobs").join(&name[..2]).join(&name).exists()
    }

    async fn what_nobody_refers_to_goes_when_its_time_has_come(store: Store) {
        let directory = tempfile::tempdir().unwrap();
        let blobs = Blobs::open(directory.path()).unwrap();
        let keys = Keys::new(store.clone(), Sealer::new([7; 32]), Clock::system());
        let upkeep = Upkeep {
            keys,
            store: store.clone(),
            clock: Clock::system(),
            blobs: Some(blobs.clone()),
            meters: Meters::default(),
            upload_lifetime: SignedDuration::from_hours(7 * 24),
        };
        // Files tell the time by the machine's clock.
        let start = Timestamp::now();
        let ada = testing::user(&store, "ada", Role::User).await;
        assert!(store.create_bucket("b", ada.id, start).await.unwrap());

        let (replaced, kept, orphan) = (file(&blobs).await, file(&blobs).await, file(&blobs).await);
        let (attributes, always) = (Attributes::default(), Condition::default());
        for segment in [replaced, kept] {
            let new = NewObject { bucket: "b", key: "k", id: Uuid::new_v4(), etag: "e", attributes: &attributes };
            store.put_object(new, &[segment], &always, start).await.unwrap().unwrap();
        }
        let upload = Upload { id: Uuid::new_v4(), key: "u".to_owned(), attributes: Attributes::default(), created_at: start };
        assert!(store.create_upload("b", &upload).await.unwrap());
        let part = Part { number: 1, segment: file(&blobs).await, etag: "e".to_owned(), checksum: None, modified_at: start };
        store.put_part("b", upload.id, &part).await.unwrap().unwrap();

        let minute = SignedDuration::from_mins(1);
        let (day, never) = (SignedDuration::from_hours(24), CancellationToken::new());
        for (after, replaced_is_there, part_is_there, orphan_is_there) in [
            (minute, true, true, true),
            (minute * 3, false, true, true),
            (day + minute, false, true, false),
            // The upload is given up now, and its parts are removed a while later.
            (day * 7 + minute, false, true, false),
            (day * 7 + minute * 4, false, false, false),
        ] {
            upkeep.pass(start + after).await;
            upkeep.collect_orphans(start + after, &never).await;
            let found = [replaced, part.segment, orphan, kept].map(|segment| is_there(directory.path(), segment));
            assert_eq!(found, [replaced_is_there, part_is_there, orphan_is_there, true], "after {after}");
        }
        assert!(store.upload("b", "u", upload.id).await.unwrap().is_none());
    }
}
