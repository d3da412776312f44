//! `aiinfra man`: the manual pages, made from what `--help` says.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use crate::args;
use crate::output::Output;

/// Writes a page for each command.
pub(super) fn write_pages(output: Output, directory: &Path) -> anyhow::Result<()> {
    let write = || {
        fs::create_dir_all(directory)?;
        clap_mangen::generate_to(args::command(), directory)
    };
    write().with_context(|| format!("write manual pages to {}", directory.display()))?;
    Ok(output.done(&format!("the manual pages are in {}; read one with `man -l FILE`", directory.display()))?)
}
