//! Sums of content: MD5 for entity tags, and whichever sum the client asks for, which is verified and kept.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use crc_fast::CrcAlgorithm;
use http::HeaderMap;
use s3s::{
    S3Result, TrailingHeaders,
    crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256},
    dto::{self, ChecksumType},
    s3_error,
};

use crate::model::storage::{Algorithm, Checksum, Part};

/// All ways to sum, in the order of their fields in messages.
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

impl Algorithm {
    /// As S3 calls it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The one that S3 calls so.
    pub(super) fn named(name: &str) -> Option<Self> {
        ALGORITHMS.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }
}

/// The sums in a message, one field for each way to sum.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) crc32: Option<String>,
    pub(super) crc32c: Option<String>,
    pub(super) crc64nvme: Option<String>,
    pub(super) sha1: Option<String>,
    pub(super) sha256: Option<String>,
}

impl Fields {
    /// The first one that is there.
    pub(super) fn first(self) -> Option<Checksum> {
        let values = [self.crc32, self.crc32c, self.crc64nvme, self.sha1, self.sha256];
        let mut pairs = ALGORITHMS.into_iter().zip(values);
        pairs.find_map(|(algorithm, value)| value.map(|value| Checksum { algorithm, value }))
    }
}

impl From<Option<&Checksum>> for Fields {
    fn from(checksum: Option<&Checksum>) -> Self {
        let mut fields = Self::default();
        if let Some(Checksum { algorithm, value }) = checksum {
            let field = match algorithm {
                Algorithm::Crc32 => &mut fields.crc32,
                Algorithm::Crc32c => &mut fields.crc32c,
                Algorithm::Crc64Nvme => &mut fields.crc64nvme,
                Algorithm::Sha1 => &mut fields.sha1,
                Algorithm::Sha256 => &mut fields.sha256,
            };
            *field = Some(value.clone());
        }
        fields
    }
}

/// Whether a sum is of all content, or of the sums of its parts.
pub(super) fn kind(checksum: &Checksum) -> ChecksumType {
    let word = if checksum.value.contains('-') { ChecksumType::COMPOSITE } else { ChecksumType::FULL_OBJECT };
    ChecksumType::from_static(word)
}

/// What a client says of the content it sends.
#[derive(Debug, Clone, Default)]
pub(super) struct Promise {
    md5: Option<Vec<u8>>,
    algorithm: Option<Algorithm>,
    value: Option<String>,
    trailers: Option<TrailingHeaders>,
}

impl Promise {
    /// Reads it: the fields and headers of the request, and what comes after the content.
    pub(super) fn read(
        fields: Fields,
        md5: Option<&str>,
        asked: Option<&dto::ChecksumAlgorithm>,
        headers: &HeaderMap,
        extensions: &http::Extensions,
    ) -> S3Result<Self> {
        let md5 = md5.map(|md5| STANDARD.decode(md5).ok().filter(|md5| md5.len() == 16));
        let md5 = md5.map(|md5| md5.ok_or_else(|| s3_error!(InvalidDigest, "Content-MD5 is not valid"))).transpose()?;
        let trailer = headers.get("x-amz-trailer").and_then(|name| name.to_str().ok());
        let trailing = trailer.and_then(|name| Algorithm::named(name.trim().strip_prefix("x-amz-checksum-")?));
        let given = fields.first();
        let asked = asked.and_then(|algorithm| Algorithm::named(algorithm.as_str()));
        Ok(Self {
            md5,
            algorithm: given.as_ref().map(|given| given.algorithm).or(trailing).or(asked),
            value: given.map(|given| given.value),
            trailers: trailing.and_then(|_| extensions.get().cloned()),
        })
    }

    /// A promise to be summed in a way, whatever comes of it.
    pub(super) fn or_summed(mut self, algorithm: Option<Algorithm>) -> Self {
        self.algorithm = self.algorithm.or(algorithm);
        self
    }

    /// What sums the content.
    pub(super) fn summing(&self) -> Summing {
        Summing { md5: Md5::new(), size: 0, sum: self.algorithm.map(|algorithm| (algorithm, Sum::new(algorithm))) }
    }

    /// Refuses content that is not what was promised.
    pub(super) fn verify(&self, sums: &Sums) -> S3Result<()> {
        if self.md5.as_ref().is_some_and(|md5| *md5 != sums.md5) {
            return Err(s3_error!(BadDigest, "The Content-MD5 you specified did not match what we received"));
        }
        let Some(Checksum { algorithm, value }) = &sums.checksum else { return Ok(()) };
        let name = format!("x-amz-checksum-{}", algorithm.name().to_ascii_lowercase());
        let trailing = self.trailers.as_ref().and_then(|trailers| {
            trailers.read(|trailers| trailers.get(&name).and_then(|value| value.to_str().ok().map(str::to_owned))).flatten()
        });
        match self.value.as_ref().or(trailing.as_ref()) {
            Some(promised) if promised != value => {
                Err(s3_error!(BadDigest, "The {} you specified did not match the calculated checksum", algorithm.name()))
            }
            None if self.trailers.is_some() => Err(s3_error!(InvalidRequest, "The trailing checksum is missing")),
            _ => Ok(()),
        }
    }
}

/// Sums content as it comes.
pub(super) struct Summing {
    md5: Md5,
    size: u64,
    sum: Option<(Algorithm, Sum)>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) size: u64,
    pub(super) md5: [u8; 16],
    pub(super) checksum: Option<Checksum>,
}

impl Sums {
    /// The entity tag of the content.
    pub(super) fn etag(&self) -> String {
        hex(&self.md5)
    }
}

impl Summing {
    pub(super) fn update(&mut self, data: &[u8]) {
        self.size += data.len() as u64;
        self.md5.update(data);
        if let Some((_, sum)) = &mut self.sum {
            sum.update(data);
        }
    }

    pub(super) fn finish(self) -> Sums {
        let checksum = self.sum.map(|(algorithm, sum)| Checksum { algorithm, value: STANDARD.encode(sum.finish()) });
        Sums { size: self.size, md5: self.md5.finalize(), checksum }
    }
}

enum Sum {
    Crc32(Crc32),
    Crc32c(Crc32c),
    Crc64Nvme(Crc64Nvme),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Sum {
    fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Crc32 => Self::Crc32(Crc32::new()),
            Algorithm::Crc32c => Self::Crc32c(Crc32c::new()),
            Algorithm::Crc64Nvme => Self::Crc64Nvme(Crc64Nvme::new()),
            Algorithm::Sha1 => Self::Sha1(Sha1::new()),
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Crc32(sum) => sum.update(data),
            Self::Crc32c(sum) => sum.update(data),
            Self::Crc64Nvme(sum) => sum.update(data),
            Self::Sha1(sum) => sum.update(data),
            Self::Sha256(sum) => sum.update(data),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Crc32(sum) => sum.finalize().to_vec(),
            Self::Crc32c(sum) => sum.finalize().to_vec(),
            Self::Crc64Nvme(sum) => sum.finalize().to_vec(),
            Self::Sha1(sum) => sum.finalize().to_vec(),
            Self::Sha256(sum) => sum.finalize().to_vec(),
        }
    }
}

/// The entity tag of parts: the MD5 of their MD5s, and how many they are. None when a tag is no MD5.
pub(super) fn etag_of_parts<'a>(etags: impl ExactSizeIterator<Item = &'a str>) -> Option<String> {
    let (count, mut md5) = (etags.len(), Md5::new());
    for etag in etags {
        md5.update(&unhex(etag)?);
    }
    Some(format!("{}-{count}", hex(&md5.finalize())))
}

/// The sum of the sums of parts; none when one has none.
pub(super) fn checksum_of_parts(algorithm: Algorithm, parts: &[Part]) -> Option<Checksum> {
    let mut sum = Sum::new(algorithm);
    for part in parts {
        sum.update(&part_sum(algorithm, part)?);
    }
    Some(Checksum { algorithm, value: format!("{}-{}", STANDARD.encode(sum.finish()), parts.len()) })
}

/// The sum of all content, from those of its parts; none when one has none, or sums of this kind do not combine.
pub(super) fn checksum_of_whole(algorithm: Algorithm, parts: &[Part]) -> Option<Checksum> {
    let (kind, width) = crc(algorithm)?;
    let number = |sum: Vec<u8>| sum.into_iter().fold(0_u64, |number, byte| number << 8 | u64::from(byte));
    let (first, rest) = parts.split_first()?;
    let mut whole = number(part_sum(algorithm, first)?);
    for part in rest {
        whole = crc_fast::checksum_combine(kind, whole, number(part_sum(algorithm, part)?), part.segment.size);
    }
    Some(Checksum { algorithm, value: STANDARD.encode(&whole.to_be_bytes()[8 - width..]) })
}

/// Whether the sum of all content can be had from those of its parts.
pub(super) fn combines(algorithm: Algorithm) -> bool {
    crc(algorithm).is_some()
}

/// What the combining library calls a sum, and how many bytes it has.
fn crc(algorithm: Algorithm) -> Option<(CrcAlgorithm, usize)> {
    match algorithm {
        Algorithm::Crc32 => Some((CrcAlgorithm::Crc32IsoHdlc, 4)),
        Algorithm::Crc32c => Some((CrcAlgorithm::Crc32Iscsi, 4)),
        Algorithm::Crc64Nvme => Some((CrcAlgorithm::Crc64Nvme, 8)),
        Algorithm::Sha1 | Algorithm::Sha256 => None,
    }
}

fn part_sum(algorithm: Algorithm, part: &Part) -> Option<Vec<u8>> {
    let sum = part.checksum.as_ref().filter(|sum| sum.algorithm == algorithm)?;
    STANDARD.decode(&sum.value).ok()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::model::storage::Segment;

    #[test]
    fn content_is_summed_as_s3_does() {
        for (algorithm, expected) in [
            (Algorithm::Crc32, "DUoRhQ=="),
            (Algorithm::Crc32c, "yZRlqg=="),
            (Algorithm::Crc64Nvme, "jSnVw/bqjr4="),
            (Algorithm::Sha1, "Kq5sNclPz7QV2+lfQIuc6R7oRu0="),
            (Algorithm::Sha256, "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="),
        ] {
            let mut summing = Promise::default().or_summed(Some(algorithm)).summing();
            summing.update(b"hello ");
            summing.update(b"world");
            let sums = summing.finish();
            assert_eq!((sums.size, sums.etag().as_str()), (11, "5eb63bbbe01eeed093cb22bb8f5acdc3"));
            assert_eq!(sums.checksum, Some(Checksum { algorithm, value: expected.to_owned() }));
        }
    }

    #[test]
    fn sums_of_parts_combine_to_that_of_the_whole() {
        let sums = |algorithm, data: &[u8]| {
            let mut summing = Promise::default().or_summed(Some(algorithm)).summing();
            summing.update(data);
            summing.finish()
        };
        for algorithm in ALGORITHMS {
            let parts = [&b"hello "[..], b"", b"world"].map(|data| {
                let sums = sums(algorithm, data);
                let segment = Segment { blob: Uuid::nil(), size: sums.size };
                let (etag, checksum) = (sums.etag(), sums.checksum);
                Part { number: 1, segment, etag, checksum, modified_at: jiff::Timestamp::UNIX_EPOCH }
            });
            let whole = combines(algorithm).then(|| sums(algorithm, b"hello world").checksum).flatten();
            assert_eq!(checksum_of_whole(algorithm, &parts), whole, "{algorithm:?}");
            assert!(checksum_of_parts(algorithm, &parts).unwrap().value.ends_with("-3"));
            let other = if algorithm == Algorithm::Sha1 { Algorithm::Sha256 } else { Algorithm::Sha1 };
            assert_eq!(checksum_of_parts(other, &parts), None);
        }
    }

    #[test]
    fn parts_have_a_tag_of_their_tags() {
        let part = "5eb63bbbe01eeed093cb22bb8f5acdc3";
        assert_eq!(etag_of_parts([part, part].into_iter()).unwrap(), "f057f37734d5fb132a69d44a61780026-2");
        assert_eq!(etag_of_parts(["not hexadecimal"].into_iter()), None);
    }
}
