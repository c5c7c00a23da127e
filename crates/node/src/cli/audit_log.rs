//! `dunlin audit`: what a frontend recorded, and whether it still is what was recorded.

mod show;
mod verify;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
    str::FromStr,
};

use anyhow::{Context, bail};
use audit::Head;
use clap::{Args, Subcommand};
use host::DirectorySegments;

use super::{Exit, fetch, print, serve};
use crate::{admin::status::Status, config::units::Span, real::AUDIT_FILES};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print records, the oldest first
    Show(show::Arguments),
    /// Print the last record's hash as HASH@SEQ, to be kept elsewhere
    Head(Source),
    /// Verify the chain of every record; exit 1 and the place if it is broken
    Verify(verify::Arguments),
}

/// Whose log.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Data directory of a node, or a directory with a copy of its audit files
    #[arg(long, conflicts_with = "endpoint")]
    data_dir: Option<PathBuf>,
    /// Admin address of a frontend
    #[arg(long, default_value = "127.0.0.1:9020")]
    endpoint: String,
}

/// The time from which on records are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Since {
    Ago(std::time::Duration),
    At(model::Timestamp),
}

impl FromStr for Since {
    type Err = String;

    fn from_str(s: &str) -> Result<Self, String> {
        if let Ok(Span(ago)) = s.parse() {
            return Ok(Self::Ago(ago));
        }
        s.parse().map(Self::At).map_err(|_| {
            format!("expected a duration such as \"2h\" or a time such as \"2026-01-02T03:04:05Z\", got {s:?}")
        })
    }
}

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let runtime = serve::small_runtime()?;
    match command {
        Command::Show(arguments) => runtime.block_on(show::run(arguments, out)),
        Command::Head(source) => {
            let head = runtime.block_on(head(source))?;
            print(out, &format!("{head}\n"))
        }
        Command::Verify(arguments) => runtime.block_on(verify::run(arguments, out)),
    }
}

async fn head(source: &Source) -> Result<Head, anyhow::Error> {
    let Some(data_dir) = &source.data_dir else {
        let answer = fetch::get(&source.endpoint, "/status").await?;
        let status: Status =
            serde_json::from_str(&answer).context("the answer is not the status of a node")?;
        let audit = status.node.audit.context("this node is no frontend")?;
        return Ok(audit.head.parse()?);
    };
    let report = audit::verify(&segments(data_dir)?, None).await?;
    if !report.is_sound() {
        bail!("the audit log does not verify; see `dunlin audit verify`");
    }
    Ok(report.head.unwrap_or(Head::NONE))
}

/// The segments of a data directory, or of the directory itself.
fn segments(directory: &Path) -> Result<DirectorySegments, anyhow::Error> {
    let within = directory.join("audit");
    let root = if within.is_dir() { &within } else { directory };
    if !root.is_dir() {
        bail!("{} is no directory", root.display());
    }
    Ok(DirectorySegments::new(root, AUDIT_FILES))
}

#[cfg(test)]
mod tests;
