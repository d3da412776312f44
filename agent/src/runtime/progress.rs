//! Adds up the progress that Docker reports layer by layer. No I/O.

use std::collections::HashMap;

use bollard::models::CreateImageInfo;

use super::PullProgress;

/// The layers of one pull.
#[derive(Debug, Default)]
pub(super) struct Layers(HashMap<String, PullProgress>);

impl Layers {
    /// Takes in one line of Docker's report and answers the sum. Only downloads count: unpacking reports the same bytes again.
    pub(super) fn add(&mut self, line: &CreateImageInfo) -> PullProgress {
        if let (Some(id), Some(status)) = (&line.id, &line.status) {
            match status.as_str() {
                "Downloading" => {
                    let detail = line.progress_detail.as_ref();
                    let bytes = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or_default();
                    let done_bytes = bytes(detail.and_then(|detail| detail.current));
                    let total_bytes = bytes(detail.and_then(|detail| detail.total)).max(done_bytes);
                    self.0.insert(id.clone(), PullProgress { done_bytes, total_bytes });
                }
                "Download complete" | "Pull complete" => {
                    if let Some(layer) = self.0.get_mut(id) {
                        layer.done_bytes = layer.total_bytes;
                    }
                }
                _ => {}
            }
        }
        self.sum()
    }

    fn sum(&self) -> PullProgress {
        self.0.values().fold(PullProgress::default(), |sum, layer| PullProgress {
            done_bytes: sum.done_bytes.saturating_add(layer.done_bytes),
            total_bytes: sum.total_bytes.saturating_add(layer.total_bytes),
        })
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ProgressDetail;

    use super::*;

    fn line(id: &str, status: &str, detail: Option<(i64, i64)>) -> CreateImageInfo {
        CreateImageInfo {
            id: Some(id.to_owned()),
            status: Some(status.to_owned()),
            progress_detail: detail.map(|(current, total)| ProgressDetail { current: Some(current), total: Some(total) }),
            ..CreateImageInfo::default()
        }
    }

    #[test]
    fn layers_add_up_and_unpacking_does_not_count() {
        let mut layers = Layers::default();
        let cases = [
            (line("latest", "Pulling from team/train", None), (0, 0)),
            (line("a", "Already exists", None), (0, 0)),
            (line("b", "Downloading", Some((10, 100))), (10, 100)),
            (line("c", "Downloading", Some((5, 50))), (15, 150)),
            (line("b", "Downloading", Some((60, 100))), (65, 150)),
            (line("b", "Download complete", None), (105, 150)),
            (line("b", "Extracting", Some((1, 100))), (105, 150)),
            (line("c", "Pull complete", None), (150, 150)),
        ];
        for (line, (done_bytes, total_bytes)) in cases {
            assert_eq!(layers.add(&line), PullProgress { done_bytes, total_bytes }, "{line:?}");
        }
    }

    #[test]
    fn nonsense_is_harmless() {
        let mut layers = Layers::default();
        assert_eq!(layers.add(&line("a", "Downloading", Some((-1, -1)))), PullProgress { done_bytes: 0, total_bytes: 0 },);
        assert_eq!(layers.add(&CreateImageInfo::default()), PullProgress::default());
    }
}
