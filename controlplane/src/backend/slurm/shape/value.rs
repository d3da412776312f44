//! Values whose shape differs between versions.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// What Slurm has for "no limit" and "not set" in 32 bits.
const NO_VALUES: [i64; 2] = [0xffff_ffff, 0xffff_fffe];

/// A number; none when it is null, not set, or no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Number(pub(in super::super) Option<i64>);

/// A text; empty when it is null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Text(pub(in super::super) String);

/// One word or several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Words(pub(in super::super) Vec<String>);

impl Number {
    /// As a count that fits; 0 for none.
    pub(super) fn small(self) -> i32 {
        self.0.map_or(0, |number| i32::try_from(number.max(0)).unwrap_or(i32::MAX))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::deserialize(deserializer)?.unwrap_or_default()))
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WordsVisitor)
    }
}

struct NumberVisitor;

impl<'de> Visitor<'de> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E>(self, number: i64) -> Result<Number, E> {
        Ok(Number(Some(number).filter(|number| !NO_VALUES.contains(number))))
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Number, E> {
        // What does not fit is "not set" in 64 bits.
        i64::try_from(number).map_or(Ok(Number(None)), |number| self.visit_i64(number))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Number, E> {
        #[expect(clippy::cast_possible_truncation, reason = "casts saturate, and Slurm has no such large numbers")]
        self.visit_i64(number as i64)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
        text.parse().map_or(Ok(Number(None)), |number| self.visit_i64(number))
    }

    fn visit_unit<E>(self) -> Result<Number, E> {
        Ok(Number(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Number, A::Error> {
        let (mut is_set, mut is_infinite, mut number) = (true, false, Number(None));
        while let Some(key) = map.next_key::<String>()? {
            match &*key {
                "set" => is_set = map.next_value()?,
                "infinite" => is_infinite = map.next_value()?,
                "number" => number = map.next_value()?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(if is_set && !is_infinite { number } else { Number(None) })
    }
}

struct WordsVisitor;

impl<'de> Visitor<'de> for WordsVisitor {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a word or a list of words")
    }

    fn visit_str<E>(self, word: &str) -> Result<Words, E> {
        // A node that does not answer has an asterisk behind its state in some versions.
        let (word, is_silent) = word.strip_suffix('*').map_or((word, false), |word| (word, true));
        let words = [word, if is_silent { "NOT_RESPONDING" } else { "" }];
        Ok(Words(words.into_iter().filter(|word| !word.is_empty()).map(str::to_owned).collect()))
    }

    fn visit_unit<E>(self) -> Result<Words, E> {
        Ok(Words::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Words, A::Error> {
        let mut words = Vec::new();
        while let Some(word) = seq.next_element()? {
            words.push(word);
        }
        Ok(Words(words))
    }
}
