//! Policies in files.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use serde_json::json;

/// Bytes of a file that a policy may have, white space included.
const FILE_MAX: u64 = 128 << 10;

/// Reads a policy from a file, or from standard input if the file is `-`. What is in it, the frontend judges.
pub(super) fn read(path: &Path) -> Result<String, anyhow::Error> {
    let failed = || format!("{} cannot be read", path.display());
    let text = if path == Path::new("-") {
        take(io::stdin().lock())
    } else {
        File::open(path).and_then(take)
    };
    let text = text.with_context(failed)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > FILE_MAX {
        bail!("{} is longer than any policy", path.display());
    }
    Ok(text)
}

fn take(from: impl Read) -> io::Result<String> {
    let mut text = String::new();
    from.take(FILE_MAX + 1).read_to_string(&mut text)?;
    Ok(text)
}

/// The trust policy of a role: from a file, or the one that lets a service be it.
pub(super) fn trust(
    file: Option<&PathBuf>,
    service: Option<&String>,
) -> Result<Option<String>, anyhow::Error> {
    match (file, service) {
        (Some(file), _) => read(file).map(Some),
        (None, Some(service)) => Ok(Some(of_service(service))),
        (None, None) => Ok(None),
    }
}

fn of_service(service: &str) -> String {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "Service": service },
            "Action": "sts:AssumeRole",
        }],
    })
    .to_string()
}
