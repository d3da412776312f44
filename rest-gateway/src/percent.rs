//! Percent-decoding of path segments and query parameters.

use std::borrow::Cow;

/// Decodes a path segment; none when it is not valid, or not UTF-8 afterwards.
pub(crate) fn segment(text: &str) -> Option<Cow<'_, str>> {
    decode(text, false)
}

/// The names and values of a query string; none where one cannot be decoded.
pub(crate) fn query(text: &str) -> impl Iterator<Item = Option<(Cow<'_, str>, Cow<'_, str>)>> {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name, true)?, decode(value, true)?))
    })
}

fn decode(text: &str, plus_is_space: bool) -> Option<Cow<'_, str>> {
    if !(text.contains('%') || plus_is_space && text.contains('+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            b'+' if plus_is_space => b' ',
            other => other,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_decoded() {
        for (text, expected) in [("a+b", Some("a+b")), ("a%20b%2Fc", Some("a b/c")), ("%c3%a9", Some("é"))] {
            assert_eq!(segment(text).as_deref(), expected, "{text}");
        }
        for text in ["%", "%4", "%zz", "%ff"] {
            assert_eq!(segment(text), None, "{text}");
        }
    }

    #[test]
    fn queries_are_split_and_decoded() {
        let pairs = query("a=1&&b=x+y%26&c").map(|pair| pair.unwrap()).collect::<Vec<_>>();
        let expected = [("a", "1"), ("b", "x y&"), ("c", "")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(pairs, expected);
    }
}
