//! How long work goes on: one line that changes on a terminal, a line for each step elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::{Output, printable};

const TICK: Duration = Duration::from_millis(120);

/// Work that goes on until this is dropped.
pub(crate) struct Progress {
    output: Output,
    bar: Option<ProgressBar>,
}

impl Output {
    /// Begins to tell of long work.
    pub(crate) fn progress(self) -> Progress {
        let is_seen = self.is_for_people() && !self.quiet && io::stderr().is_terminal();
        Progress { output: self, bar: is_seen.then(spinner) }
    }
}

impl Progress {
    /// Says where it stands.
    pub(crate) fn say(&self, sentence: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(printable(sentence)),
            None => self.output.note(sentence),
        }
    }
}

fn spinner() -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}");
    let bar = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    bar.enable_steady_tick(TICK);
    bar
}
