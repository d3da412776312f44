//! How long work goes on: one line that changes on a terminal, a line for each step elsewhere.

use std::io::{self, IsTerminal as _};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use super::{Output, printable};

const TICK: Duration = Duration::from_millis(120);

/// A whole step, in thousandths.
const WHOLE: u32 = 1000;

/// Work that goes on until this is dropped.
pub(crate) struct Progress {
    output: Output,
    bar: Option<ProgressBar>,
}

/// Bytes on their way, shown on a terminal and nowhere else. Clones count together.
#[derive(Debug, Clone)]
pub(crate) struct Meter {
    bar: Option<ProgressBar>,
}

impl Output {
    /// Begins to tell of long work.
    pub(crate) fn progress(self) -> Progress {
        Progress { output: self, bar: self.shows_progress().then(spinner) }
    }

    /// Begins to count bytes, of which there will be so many, if that is known.
    pub(crate) fn meter(self, total: Option<u64>) -> Meter {
        Meter { bar: self.shows_progress().then(|| bytes(total)) }
    }

    fn shows_progress(self) -> bool {
        self.is_for_people() && !self.quiet && io::stderr().is_terminal()
    }
}

impl Progress {
    /// Says where it stands.
    pub(crate) fn say(&self, sentence: &str) {
        self.say_share(sentence, None);
    }

    /// Says where it stands, and which share of the present step is done, if that is known.
    pub(crate) fn say_share(&self, sentence: &str, share: Option<f64>) {
        let Some(bar) = &self.bar else { return self.output.note(sentence) };
        match share {
            Some(share) => {
                bar.set_style(part_style());
                bar.set_length(WHOLE.into());
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and the whole")]
                bar.set_position((share.clamp(0.0, 1.0) * f64::from(WHOLE)) as u64);
            }
            None => bar.set_style(spinner_style()),
        }
        bar.set_message(printable(sentence));
    }
}

impl Meter {
    pub(crate) fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.inc(bytes);
        }
    }

    /// Counts again what has to go once more.
    pub(crate) fn take_back(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.dec(bytes);
        }
    }

    /// Says how many there will be, if nobody has.
    pub(crate) fn expect(&self, total: u64) {
        if let Some(bar) = self.bar.as_ref().filter(|bar| bar.length().is_none()) {
            bar.set_style(style(true));
            bar.set_length(total);
        }
    }

    /// Says what they are.
    pub(crate) fn name(&self, name: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(printable(name));
        }
    }

    /// Writes something else meanwhile.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_finish(ProgressFinish::AndClear);
    bar.set_style(spinner_style());
    bar.enable_steady_tick(TICK);
    bar
}

fn spinner_style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {elapsed:>4} {wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

fn part_style() -> ProgressStyle {
    let style = ProgressStyle::with_template("{spinner} {elapsed:>4} [{bar:24}] {percent:>3}% {wide_msg}");
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> ")
}

fn bytes(total: Option<u64>) -> ProgressBar {
    let bar = total.map_or_else(ProgressBar::no_length, ProgressBar::new).with_finish(ProgressFinish::AndClear);
    bar.set_style(style(total.is_some()));
    bar.enable_steady_tick(TICK);
    bar
}

/// Without colours, so that there are none to take out.
fn style(has_total: bool) -> ProgressStyle {
    let template = if has_total {
        "{spinner} [{bar:24}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta} {wide_msg}"
    } else {
        "{spinner} {binary_bytes} {binary_bytes_per_sec} {wide_msg}"
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("=> ")
}
