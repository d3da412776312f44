//! Sums of content. What is sent is summed with CRC-64/NVME, of which parts make the sum of the whole; what comes is compared with the
//! sum that the server keeps, if it is one of all content.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crc_fast::{CrcAlgorithm, Digest};
use reqwest::header::HeaderMap;

/// The header for the sum of what is sent.
pub(super) const HEADER: &str = "x-amz-checksum-crc64nvme";

/// What it is called.
pub(super) const ALGORITHM: &str = "CRC64NVME";

/// Read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// The sums that servers keep, by their headers, with how many bytes they have.
const KEPT: [(&str, CrcAlgorithm, usize); 3] = [
    (HEADER, CrcAlgorithm::Crc64Nvme, 8),
    ("x-amz-checksum-crc32c", CrcAlgorithm::Crc32Iscsi, 4),
    ("x-amz-checksum-crc32", CrcAlgorithm::Crc32IsoHdlc, 4),
];

/// The sum of bytes.
pub(super) fn of(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Nvme, bytes)
}

/// The sum of a stretch of a file, which must be there to its end.
pub(super) fn of_file(path: &Path, range: Range<u64>) -> io::Result<u64> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let mut rest = file.take(range.end - range.start);
    let (mut digest, mut buffer) = (Digest::new(CrcAlgorithm::Crc64Nvme), vec![0; BUFFER_BYTES]);
    loop {
        match rest.read(&mut buffer)? {
            0 if rest.limit() > 0 => return Err(io::Error::other("it has become shorter")),
            0 => return Ok(digest.finalize()),
            length => digest.update(&buffer[..length]),
        }
    }
}

/// The sum of two stretches of which the second has this length.
pub(super) fn combined(first: u64, second: u64, second_length: u64) -> u64 {
    crc_fast::checksum_combine(CrcAlgorithm::Crc64Nvme, first, second, second_length)
}

/// A sum as headers have it.
pub(super) fn text(sum: u64) -> String {
    STANDARD.encode(sum.to_be_bytes())
}

/// The sum that content must have, while it comes.
pub(super) struct Expected {
    digest: Digest,
    width: usize,
    wanted: String,
}

impl Expected {
    /// What the server says of all content, if it says anything that can be told from the content alone.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let value = |name| headers.get(name).and_then(|value| value.to_str().ok());
        if value("x-amz-checksum-type").is_some_and(|kind| kind.eq_ignore_ascii_case("COMPOSITE")) {
            return None;
        }
        KEPT.into_iter().find_map(|(name, algorithm, width)| {
            // A sum of sums says of how many.
            let wanted = value(name).filter(|value| !value.contains('-'))?.to_owned();
            Some(Self { digest: Digest::new(algorithm), width, wanted })
        })
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// Whether it is what the server said.
    pub(super) fn holds(&self) -> bool {
        STANDARD.encode(&self.digest.finalize().to_be_bytes()[8 - self.width..]) == self.wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_sum_up_to_the_whole() {
        let whole = of(b"123456789");
        assert_eq!(whole, 0xae8b_1486_0a79_9888);
        assert_eq!(combined(of(b"1234"), of(b"56789"), 5), whole);
        assert_eq!(text(whole), "rosUhgp5mIg=");
    }

    #[test]
    fn a_stretch_of_a_file_is_summed_and_must_be_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("f");
        std::fs::write(&path, b"0123456789").unwrap();
        assert_eq!(of_file(&path, 1..10).unwrap(), of(b"123456789"));
        assert!(of_file(&path, 1..11).is_err());
    }

    #[test]
    fn what_comes_is_compared_with_what_is_kept() {
        for (header, value, is_whole) in [
            (HEADER, "rosUhgp5mIg=", true),
            ("x-amz-checksum-crc32", "y/Q5Jg==", true),
            ("x-amz-checksum-crc32c", "4waSgw==", true),
            (HEADER, "rosUhgp5mIg=-2", false),
        ] {
            let headers = [(header.parse().unwrap(), value.parse().unwrap())].into_iter().collect::<HeaderMap>();
            let Some(mut expected) = Expected::of(&headers) else {
                assert!(!is_whole, "{header}");
                continue;
            };
            expected.update(b"12345");
            assert!(!expected.holds());
            expected.update(b"6789");
            assert!(is_whole && expected.holds(), "{header}");
        }
        assert!(Expected::of(&HeaderMap::new()).is_none());
    }
}
