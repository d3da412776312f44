//! A cursor over JSON text: strict grammar (RFC 8259), no tree.
//!
//! A value of another type than expected is told apart from text that is no JSON at all.

use std::borrow::Cow;

use super::{super::scan::plain_length, Fault, MAX_DEPTH, RequestError, Result};

/// Reads tokens from the front of a text.
pub(super) struct Cursor<'j> {
    text: &'j str,
    at: usize,
}

impl<'j> Cursor<'j> {
    pub(super) fn new(bytes: &'j [u8]) -> Result<Self> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(error) => Err(malformed(bytes, error.valid_up_to(), "text that is UTF-8")),
        }
    }

    /// There is nothing but white space.
    pub(super) fn is_blank(&mut self) -> bool {
        self.peek().is_none()
    }

    /// The first byte of the next token.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blank = rest.iter().position(|byte| !matches!(byte, b' ' | b'\n' | b'\r' | b'\t'));
        self.at += blank.unwrap_or(rest.len());
        rest.get(blank?).copied()
    }

    pub(super) fn is_string(&mut self) -> bool {
        self.peek() == Some(b'"')
    }

    /// Takes a `null`, if one comes next.
    pub(super) fn null(&mut self) -> bool {
        self.word("null")
    }

    /// Requires that nothing follows.
    pub(super) fn end(&mut self) -> Result<()> {
        if self.peek().is_some() { Err(self.malformed("the end of the text")) } else { Ok(()) }
    }

    pub(super) fn open_object(&mut self, depth: u32) -> Result<u32> {
        self.open(b'{', "an object", depth)
    }

    pub(super) fn open_array(&mut self, depth: u32) -> Result<u32> {
        self.open(b'[', "an array", depth)
    }

    /// The name of the next member of an object, or its end.
    pub(super) fn member(&mut self, first: &mut bool) -> Result<Option<Cow<'j, str>>> {
        if !self.another(b'}', std::mem::take(first))? {
            return Ok(None);
        }
        if !self.is_string() {
            return Err(self.malformed("a member name in quotes"));
        }
        let name = self.string()?;
        if self.peek() != Some(b':') {
            return Err(self.malformed("`:`"));
        }
        self.at += 1;
        Ok(Some(name))
    }

    /// Whether another item of an array follows.
    pub(super) fn item(&mut self, first: bool) -> Result<bool> {
        self.another(b']', first)
    }

    pub(super) fn string_value(&mut self, expected: &'static str) -> Result<Cow<'j, str>> {
        if self.is_string() { self.string() } else { Err(self.mismatch(expected)) }
    }

    pub(super) fn bool_value(&mut self) -> Result<bool> {
        if self.word("true") {
            Ok(true)
        } else if self.word("false") {
            Ok(false)
        } else {
            Err(self.mismatch("true or false"))
        }
    }

    /// The text of a number.
    pub(super) fn number_value(&mut self, expected: &'static str) -> Result<&'j str> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.mismatch(expected)),
        }
    }

    /// Passes over a value of any type.
    pub(super) fn skip(&mut self, depth: u32) -> Result<()> {
        match self.peek() {
            Some(b'{') => {
                let depth = self.open_object(depth)?;
                let mut first = true;
                while self.member(&mut first)?.is_some() {
                    self.skip(depth)?;
                }
            }
            Some(b'[') => {
                let depth = self.open_array(depth)?;
                let mut first = true;
                while self.item(std::mem::take(&mut first))? {
                    self.skip(depth)?;
                }
            }
            Some(b'"') => drop(self.string()?),
            Some(b'-' | b'0'..=b'9') => drop(self.number()?),
            _ if self.word("true") || self.word("false") || self.word("null") => {}
            _ => return Err(self.malformed("a value")),
        }
        Ok(())
    }

    fn open(&mut self, bracket: u8, expected: &'static str, depth: u32) -> Result<u32> {
        if self.peek() != Some(bracket) {
            return Err(self.mismatch(expected));
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(self.malformed("fewer levels of arrays and objects"));
        };
        self.at += 1;
        Ok(depth)
    }

    fn another(&mut self, end: u8, first: bool) -> Result<bool> {
        match self.peek() {
            Some(byte) if byte == end => {
                self.at += 1;
                Ok(false)
            }
            _ if first => Ok(true),
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            _ => Err(self.malformed(if end == b'}' { "`,` or `}`" } else { "`,` or `]`" })),
        }
    }

    fn word(&mut self, word: &str) -> bool {
        self.peek();
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    /// A string whose opening quote is next.
    fn string(&mut self) -> Result<Cow<'j, str>> {
        let start = self.at + 1;
        let end = start + plain_length(&self.text.as_bytes()[start..]);
        let plain = &self.text[start..end];
        self.at = end;
        if self.text.as_bytes().get(end) == Some(&b'"') {
            self.at += 1;
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_owned();
        loop {
            match self.text.as_bytes().get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(Cow::Owned(text));
                }
                Some(b'\\') => text.push(self.escape()?),
                _ => return Err(self.malformed("the end of the string")),
            }
            let length = plain_length(&self.text.as_bytes()[self.at..]);
            text.push_str(&self.text[self.at..self.at + length]);
            self.at += length;
        }
    }

    fn escape(&mut self) -> Result<char> {
        let character = match self.text.as_bytes().get(self.at + 1) {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.malformed("an escape that JSON knows")),
        };
        self.at += 2;
        Ok(character)
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let unit = |at: usize| {
            let digits = self.text.as_bytes().get(at..at + 6)?.strip_prefix(b"\\u")?;
            let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            u32::from_str_radix(digits, 16).ok()
        };
        let first = unit(self.at);
        let (code, length) = match first {
            Some(high @ 0xd800..=0xdbff) => match unit(self.at + 6) {
                Some(low @ 0xdc00..=0xdfff) => (Some(0x1_0000 + ((high - 0xd800) << 10 | (low - 0xdc00))), 12),
                _ => (None, 6),
            },
            single => (single, 6),
        };
        let Some(character) = code.and_then(char::from_u32) else {
            return Err(self.malformed("four hexadecimal digits of a character"));
        };
        self.at += length;
        Ok(character)
    }

    /// A number whose first character is next.
    fn number(&mut self) -> Result<&'j str> {
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.malformed("a digit"));
        }
        self.at += length;
        Ok(())
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The next value is of another type, or no value at all.
    fn mismatch(&mut self, expected: &str) -> RequestError {
        let start = self.at;
        match self.skip(MAX_DEPTH) {
            Ok(()) => {
                self.at = start;
                RequestError::mismatch(format!("expected {expected}"))
            }
            Err(malformed) => malformed,
        }
    }

    fn malformed(&self, expected: &str) -> RequestError {
        malformed(self.text.as_bytes(), self.at, expected)
    }
}

fn malformed(text: &[u8], at: usize, expected: &str) -> RequestError {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    let column = String::from_utf8_lossy(&before[line_start..]).chars().count() + 1;
    let message = format!("malformed JSON at line {line}, column {column}: expected {expected}");
    RequestError { path: Vec::new(), message, fault: Fault::Malformed }
}
