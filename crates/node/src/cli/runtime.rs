//! `dunlin runtime`: the runtimes of a worker, and the packs that add to them.

use std::{
    fmt::Write as _,
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Subcommand};
use worker::packs::{self, Name, Pack, Shelf};

use super::{Exit, print, scratch::Scratch, server};

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the runtimes that a worker on this machine offers, and what is wrong with its packs
    List(Place),
    /// Add a pack: a directory with a pack.toml, as docs/runtimes.md describes it
    Add(Add),
    /// Remove a pack
    Remove(Remove),
}

/// Whose packs.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Place {
    /// Configuration file of the worker's node
    #[arg(long)]
    config: Option<PathBuf>,
    /// Directory with packs
    #[arg(long)]
    packs: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Add {
    /// What the pack is called here
    name: Name,
    /// The directory, which is copied
    #[arg(long)]
    from: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// What the pack is called
    name: Name,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    match command {
        Command::List(place) => {
            let (shelf, interpreters) = place.open()?;
            let scratch = Scratch::new()?;
            print(out, &listing(&shelf, interpreters, scratch.path())?)
        }
        Command::Add(arguments) => {
            let (shelf, _) = arguments.place.open()?;
            print(out, &add(&shelf, &arguments.name, &arguments.from)?)
        }
        Command::Remove(arguments) => {
            let (shelf, _) = arguments.place.open()?;
            shelf.remove(arguments.name.clone())?;
            let text = "removed; a node that runs offers it until it starts again\n";
            print(out, text)
        }
    }
}

impl Place {
    /// The packs, and the directories with interpreters beside the usual ones.
    fn open(&self) -> Result<(Shelf, Vec<PathBuf>), Exit> {
        match (&self.config, &self.packs) {
            (Some(file), _) => {
                let config = server::read(file)?;
                Ok((
                    Shelf::new(config.pack_dir()),
                    config.worker.interpreter_dirs,
                ))
            }
            (None, packs) => {
                let dir = std::path::absolute(packs.clone().unwrap_or_default())?;
                Ok((Shelf::new(dir), Vec::new()))
            }
        }
    }
}

fn listing(
    shelf: &Shelf,
    interpreters: Vec<PathBuf>,
    scratch: &Path,
) -> Result<String, anyhow::Error> {
    let mut text = format!("{:<18} {:<24} FROM\n", "RUNTIME", "VERSION");
    let offered = packs::survey(shelf, interpreters, scratch)
        .context("the interpreters of this machine cannot be tried")?;
    for each in offered {
        let from = each
            .pack
            .map_or_else(|| "this machine".to_owned(), |name| format!("pack {name}"));
        let _ = writeln!(
            text,
            "{:<18} {:<24} {from}",
            each.runtime.as_str(),
            each.label
        );
    }
    for pack in shelf.all()? {
        let problem = match &pack {
            Ok(pack) => pack
                .fit()
                .err()
                .map(|error| format!("pack {} cannot be used here: {error}", pack.name)),
            Err(error) => Some(format!("a pack cannot be read: {}", chained(error))),
        };
        if let Some(problem) = problem {
            let _ = writeln!(text, "{problem}");
        }
    }
    Ok(text)
}

fn add(shelf: &Shelf, name: &Name, from: &Path) -> Result<String, anyhow::Error> {
    let pack = shelf
        .add(name.clone(), from)
        .with_context(|| format!("{} was not added", from.display()))?;
    let runtimes: Vec<&str> = pack.manifest.runtimes.iter().map(|r| r.as_str()).collect();
    let mut text = format!("added {name} for {}\n", runtimes.join(", "));
    if let Err(error) = pack.fit() {
        let _ = writeln!(text, "this machine cannot use it yet: {error}");
    }
    if let Some(other) = rival(shelf, &pack)? {
        let _ = writeln!(
            text,
            "{} is for one of them, too: the first in order of name runs it",
            other.name
        );
    }
    text.push_str("next: start the node again; then it offers them\n");
    Ok(text)
}

/// An error with its causes.
fn chained(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Another pack for the same runtime.
fn rival(shelf: &Shelf, pack: &Pack) -> Result<Option<Pack>, anyhow::Error> {
    let mut others = shelf
        .all()?
        .into_iter()
        .flatten()
        .filter(|other| other.name != pack.name);
    Ok(others.find(|other| pack.manifest.runtimes.iter().any(|r| other.serves(*r))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pack_is_added_listed_and_removed() {
        let place = tempfile::tempdir().unwrap();
        let from = place.path().join("from");
        std::fs::create_dir(&from).unwrap();
        let manifest = "runtimes = [\"java21\"]\nversion = \"21.0.1\"\ncommand = [\"/bin/sh\", \"{handler}\"]\n";
        std::fs::write(from.join("pack.toml"), manifest).unwrap();
        let shelf = || Place {
            config: None,
            packs: Some(place.path().join("packs")),
        };
        let name: Name = "java".parse().unwrap();
        let run = |command: Command| {
            let mut out = Vec::new();
            run(&command, &mut out)
                .map(|_| String::from_utf8(out).unwrap())
                .map_err(|exit| format!("{:#}", exit.cause))
        };
        let add = || {
            run(Command::Add(Add {
                name: name.clone(),
                from: from.clone(),
                place: shelf(),
            }))
        };
        let added = add().unwrap();
        assert!(added.starts_with("added java for java21\n"), "{added}");
        assert!(add().unwrap_err().contains("dunlin runtime remove java"));
        let line = |text: &str| {
            let line = text.lines().find(|line| line.starts_with("java21"));
            line.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        };
        let listed = run(Command::List(shelf())).unwrap();
        assert_eq!(
            line(&listed).as_deref(),
            Some("java21 java:21.0.1 pack java")
        );
        assert!(listed.contains("provided.al2023"), "{listed}");
        let manifest = manifest.replace("/bin/sh", "/nowhere/java");
        std::fs::write(place.path().join("packs/java/pack.toml"), manifest).unwrap();
        let listed = run(Command::List(shelf())).unwrap();
        assert!(
            line(&listed).is_none() && listed.contains("pack java cannot be used here"),
            "{listed}"
        );
        let remove = || {
            run(Command::Remove(Remove {
                name: name.clone(),
                place: shelf(),
            }))
        };
        assert!(remove().unwrap().starts_with("removed"));
        assert!(remove().unwrap_err().contains("there is no pack java"));
    }
}
