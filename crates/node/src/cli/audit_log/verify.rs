//! `dunlin audit verify`

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, anyhow};
use audit::{Head, Report, Tail};
use clap::Args;

use super::segments;
use crate::cli::{Exit, FAILED, print};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Data directories of nodes, or directories with copies of their audit files
    #[arg(long, required = true, num_args = 1..)]
    data_dir: Vec<PathBuf>,
    /// A head that was seen before: proves that nothing up to it was changed, and that it was not cut off
    #[arg(long, value_name = "HASH@SEQ")]
    head: Option<Head>,
}

pub(super) async fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    if arguments.head.is_some() && arguments.data_dir.len() > 1 {
        return Err(Exit::misused(anyhow!(
            "--head is the head of one log: give one --data-dir with it"
        )));
    }
    let mut sound = true;
    for directory in &arguments.data_dir {
        let report = audit::verify(&segments(directory)?, arguments.head)
            .await
            .with_context(|| format!("{} cannot be read", directory.display()))?;
        sound &= is_proven(&report);
        print(out, &text(directory, &report, arguments.head))?;
    }
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

/// A log of which nothing is left proves nothing: every frontend records that it started.
pub(super) fn is_proven(report: &Report) -> bool {
    report.is_sound() && report.head.is_some()
}

pub(super) fn text(directory: &Path, report: &Report, wanted: Option<Head>) -> String {
    let mut text = String::new();
    let name = directory.display();
    for found in &report.breaks {
        let at = found.spot.map_or_else(String::new, |spot| {
            let (file, line, byte) = (spot.segment, spot.line, spot.byte);
            format!("file {file:020}, line {line}, byte {byte}: ")
        });
        let _ = writeln!(text, "{name}: BROKEN: {at}{}", found.flaw);
    }
    if report.more_breaks > 0 {
        let _ = writeln!(text, "{name}: BROKEN: {} more breaks", report.more_breaks);
    }
    if let Tail::Unfinished { bytes, .. } = report.tail {
        let _ = writeln!(
            text,
            "{name}: ends with {bytes} bytes of a record that is being written, or was cut short by a crash"
        );
    }
    let (Some(first), Some(head)) = (report.first, report.head) else {
        let _ = writeln!(
            text,
            "{name}: no records: no frontend wrote here, or all of it is gone"
        );
        return text;
    };
    if report.is_sound() {
        let records = report.records;
        let _ = writeln!(
            text,
            "{name}: {records} records, {first} to {}, verified; head {head}",
            head.sequence
        );
        if let Some(wanted) = wanted {
            let _ = writeln!(
                text,
                "{name}: record {} is the one that is known",
                wanted.sequence
            );
        }
    }
    text
}
