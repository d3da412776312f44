//! The protobuf wire format, as far as both directions need it.
//!
//! Reading borrows from the input and checks every length. Groups are refused.

/// Wire bytes that are not protobuf, or not of this message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the message ends within a field")]
    Truncated,
    #[error("a varint is longer than ten bytes")]
    Varint,
    #[error("a field number is out of range")]
    Tag,
    #[error("a field has a wire type that does not exist or is not supported")]
    WireType,
    #[error("field {0} has another wire type than the contract says")]
    Mismatch(u32),
    #[error("a string is not UTF-8")]
    Utf8,
    #[error("messages are nested too deeply")]
    Depth,
    #[error("a time is out of range")]
    Time,
}

pub(crate) const VARINT: u8 = 0;
pub(crate) const FIXED64: u8 = 1;
pub(crate) const LENGTH: u8 = 2;
pub(crate) const FIXED32: u8 = 5;

/// The value of one field as it stands on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Raw<'a> {
    Varint(u64),
    Fixed64(u64),
    Length(&'a [u8]),
    Fixed32(u32),
}

/// Reads fields from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next field: its number and value.
    pub(crate) fn field(&mut self) -> Result<(u32, Raw<'a>), WireError> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).map_err(|_| WireError::Tag)?;
        if number == 0 || number > 0x1fff_ffff {
            return Err(WireError::Tag);
        }
        let raw = match (tag & 7) as u8 {
            VARINT => Raw::Varint(self.varint()?),
            FIXED64 => Raw::Fixed64(self.fixed64()?),
            LENGTH => Raw::Length(self.length_delimited()?),
            FIXED32 => Raw::Fixed32(self.fixed32()?),
            _ => return Err(WireError::WireType),
        };
        Ok((number, raw))
    }

    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        if let [first, rest @ ..] = self.0
            && *first < 0x80
        {
            self.0 = rest;
            return Ok(u64::from(*first));
        }
        let mut value = 0u64;
        for (position, byte) in self.0.iter().take(10).enumerate() {
            let bits = u64::from(byte & 0x7f);
            if position == 9 && bits > 1 {
                return Err(WireError::Varint);
            }
            value |= bits << (7 * position);
            if *byte < 0x80 {
                self.0 = &self.0[position + 1..];
                return Ok(value);
            }
        }
        Err(if self.0.len() < 10 { WireError::Truncated } else { WireError::Varint })
    }

    pub(crate) fn fixed32(&mut self) -> Result<u32, WireError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    pub(crate) fn fixed64(&mut self) -> Result<u64, WireError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    fn length_delimited(&mut self) -> Result<&'a [u8], WireError> {
        let length = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(WireError::Truncated)?;
        self.0 = rest;
        Ok(bytes)
    }
}

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire_type: u8) {
    put_varint(out, u64::from(number) << 3 | u64::from(wire_type));
}

/// Begins a length-delimited value; what is written until [`end_length`] belongs to it.
pub(crate) fn begin_length(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Ends what [`begin_length`] began. One byte is reserved for the length; longer values are moved.
pub(crate) fn end_length(out: &mut Vec<u8>, start: usize) {
    let length = out.len() - start;
    if length < 0x80 {
        out[start - 1] = length as u8;
        return;
    }
    let mut prefix = Vec::with_capacity(5);
    put_varint(&mut prefix, length as u64);
    out.splice(start - 1..start, prefix);
}

pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(Reader::new(&out).varint(), Ok(value));
        }
        for value in [0, -1, 1, i64::MIN, i64::MAX] {
            assert_eq!(unzigzag(zigzag(value)), value);
        }
    }

    #[test]
    fn lengths_are_filled_in_afterwards() {
        for length in [0, 1, 127, 128, 20_000] {
            let mut out = vec![7];
            let start = begin_length(&mut out);
            out.resize(out.len() + length, 1);
            end_length(&mut out, start);
            let mut reader = Reader::new(&out[1..]);
            assert_eq!(reader.length_delimited().map(<[u8]>::len), Ok(length));
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn malformed_bytes_are_errors() {
        let cases: [(&[u8], WireError); 7] = [
            (&[0x80], WireError::Truncated),
            (&[0x08, 0x80], WireError::Truncated),
            (&[0x0a, 0x05, 0x00], WireError::Truncated),
            (&[0x0b], WireError::WireType),
            (&[0x0f, 0x00], WireError::WireType),
            (&[0x00, 0x00], WireError::Tag),
            (&[0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], WireError::Varint),
        ];
        for (bytes, error) in cases {
            assert_eq!(Reader::new(bytes).field(), Err(error), "{bytes:x?}");
        }
    }
}
