//! How results are written: tables for people; the server's own answer as JSON or YAML, or names, for programs.
//!
//! Results go to standard output, everything said beside them to standard error. What comes from elsewhere is stripped of
//! control characters before it reaches a terminal; colours are taken out where they are not wanted (`NO_COLOR`, no terminal).

mod names;
mod page;
mod progress;
mod table;
mod text;

use std::io::{self, Write as _};

use serde::de::DeserializeOwned;
use serde_json::Value;

pub(crate) use self::page::Page;
use self::page::Turn;
pub(crate) use self::progress::Meter;
pub(crate) use self::table::{Table, fields};
pub(crate) use self::text::{age, ago, exact_bytes, labels, part_bytes, printable, remaining, short, size_bytes, size_mb};
use crate::api::PageInfo;
use crate::args::{Format, Global};

/// Writes results in the format that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
    quiet: bool,
    /// Where answers are shown again and again.
    page: Option<&'static Page>,
}

impl Output {
    pub(crate) fn new(global: &Global) -> Self {
        Self { format: global.output, quiet: global.quiet, page: None }
    }

    /// The same for answers that are shown again and again. Nothing is said beside them.
    pub(crate) fn onto(self, page: &'static Page) -> Self {
        Self { quiet: true, page: Some(page), ..self }
    }

    pub(crate) fn is_for_people(self) -> bool {
        self.format == Format::Table
    }

    /// Writes an answer of the server, for people as `human` puts it.
    pub(crate) fn show<T: DeserializeOwned>(self, answer: Value, human: impl FnOnce(T) -> String) -> anyhow::Result<()> {
        if let Some(page) = self.page {
            return self.show_on(page, answer, human);
        }
        match self.format {
            Format::Json => write(&format!("{answer:#}\n"))?,
            Format::Yaml => write(&serde_saphyr::to_string(&answer)?)?,
            Format::Name => write(&names::lines(&answer))?,
            Format::Table => write_styled(&human(serde_json::from_value(answer)?))?,
        }
        Ok(())
    }

    /// Writes an answer with a secret that is shown this once. Its name alone would lose it: in place of that comes what people are shown.
    pub(crate) fn show_once<T: DeserializeOwned>(self, answer: Value, human: impl FnOnce(T) -> String) -> anyhow::Result<()> {
        let format = if self.format == Format::Name { Format::Table } else { self.format };
        Self { format, ..self }.show(answer, human)
    }

    fn show_on<T: DeserializeOwned>(self, page: &Page, answer: Value, human: impl FnOnce(T) -> String) -> anyhow::Result<()> {
        match page.turn(&answer, self.is_for_people()) {
            Turn::Nothing => Ok(()),
            Turn::Redraw => Ok(page::redraw(&human(serde_json::from_value(answer)?))?),
            Turn::Append { part, is_first } if self.is_for_people() => {
                let is_list = page::list(&part).is_some();
                let text = human(serde_json::from_value(part)?);
                match text.split_once('\n') {
                    Some((_header, rows)) if is_list && !is_first => write_styled(rows)?,
                    _ if is_first => write_styled(&text)?,
                    _ => write_styled(&format!("\n{text}"))?,
                }
                Ok(())
            }
            Turn::Append { part, .. } => {
                let things = page::list(&part).map_or(std::slice::from_ref(&part), |(_, things)| things.as_slice());
                Ok(things.iter().try_for_each(|thing| self.show_line(thing, String::new))?)
            }
        }
    }

    /// Writes one of many messages: one line of JSON, one document of YAML, or as `human` puts it.
    pub(crate) fn show_line(self, message: &Value, human: impl FnOnce() -> String) -> io::Result<()> {
        match self.format {
            Format::Json => write(&format!("{message}\n")),
            Format::Yaml => write(&format!("---\n{}", serde_saphyr::to_string(message).map_err(io::Error::other)?)),
            Format::Name => write(&names::lines(message)),
            Format::Table => write_styled(&human()),
        }
    }

    /// Says to people that something was done that has no result.
    pub(crate) fn done(self, sentence: &str) -> io::Result<()> {
        if self.is_for_people() && !self.quiet { write(&format!("{sentence}\n")) } else { Ok(()) }
    }

    /// Says something to people beside the result.
    pub(crate) fn note(self, sentence: &str) {
        if self.is_for_people() && !self.quiet {
            say(sentence);
        }
    }

    /// Says which part of a list is shown, unless it is the whole.
    pub(crate) fn note_page(self, page: &PageInfo, shown: usize) {
        if page.total > shown as u64 {
            self.note(&format!("page {}: {shown} of {}; choose with --page and --limit", page.page.max(1), page.total));
        }
    }
}

/// Writes a line to standard error; there is nobody left to tell when that fails.
pub(crate) fn say(sentence: &str) {
    writeln!(anstream::stderr(), "{sentence}").ok();
}

/// Writes text that has no colours.
pub(crate) fn write(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn write_styled(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
