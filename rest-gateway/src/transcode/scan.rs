//! Finds the end of the plain part of a JSON string, eight bytes at a time.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The length of the longest beginning without quotes, backslashes and control characters.
pub(super) fn plain_length(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (position, word) in words.iter().enumerate() {
        let found = special(u64::from_le_bytes(*word));
        if found != 0 {
            return position * 8 + found.trailing_zeros() as usize / 8;
        }
    }
    let plain = rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\');
    words.len() * 8 + plain.unwrap_or(rest.len())
}

/// The high bit of every special byte. A byte after the first special one may be marked in error, never one before it.
fn special(word: u64) -> u64 {
    let is_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
    control | is_zero(word ^ (ONES * b'"' as u64)) | is_zero(word ^ (ONES * b'\\' as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_judged_alike() {
        for length in 0..20 {
            for place in 0..length {
                for byte in 0..=255u8 {
                    let mut bytes = vec![b'a'; length];
                    bytes[place] = byte;
                    let expected = if byte < 0x20 || byte == b'"' || byte == b'\\' { place } else { length };
                    assert_eq!(plain_length(&bytes), expected, "{byte} at {place} of {length}");
                }
            }
        }
    }
}
