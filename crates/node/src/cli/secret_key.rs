//! `dunlin secret-key`: a new master key.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use host::{Entropy, SystemEntropy};
use seal::Zeroizing;

use super::{Exit, print};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a new master key, which secrets in the catalog are sealed under
    New(New),
}

#[derive(Debug, Args)]
pub(crate) struct New {
    /// File to make; it must not be there yet. Without it the key is printed, for a store of secrets to take
    file: Option<PathBuf>,
}

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let Command::New(arguments) = command;
    let Some(file) = &arguments.file else {
        return print(out, &new_key());
    };
    make(file).with_context(|| {
        format!(
            "no key was made at {}; it must not be there yet and its directory must",
            file.display()
        )
    })?;
    print(
        out,
        &format!(
            "a new master key is in {0}\n\
             next: copy it to every frontend and to a safe place, and name it in [[secrets.master_keys]] of every frontend;\n\
             whoever loses it loses every environment that is sealed under it\n",
            file.display()
        ),
    )
}

/// Makes a file with a new key that only its owner can read.
pub(super) fn make(file: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)?;
    file.write_all(new_key().as_bytes())?;
    file.sync_all()
}

fn new_key() -> Zeroizing<String> {
    let entropy = SystemEntropy::new();
    let (high, low) = (entropy.next_u128(), entropy.next_u128());
    Zeroizing::new(format!("{high:032x}{low:032x}\n"))
}
