//! `dunlin gossip-key`: a new key for gossip.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;
use host::{Entropy, SystemEntropy};

use super::{Exit, print};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// File to make; it must not be there yet
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    make(arguments).with_context(|| {
        format!(
            "no key was made at {}; it must not be there yet and its directory must",
            arguments.file.display()
        )
    })?;
    print(
        out,
        &format!(
            "a new gossip key is in {}\nnext: name it in cluster.gossip_key_files of every node\n",
            arguments.file.display()
        ),
    )
}

fn make(arguments: &Arguments) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&arguments.file)?;
    let entropy = SystemEntropy::new();
    writeln!(
        file,
        "{:032x}{:032x}",
        entropy.next_u128(),
        entropy.next_u128()
    )?;
    file.sync_all()
}
