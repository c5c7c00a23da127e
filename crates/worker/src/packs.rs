//! Packs: runtimes that an operator adds to a worker.
//!
//! A pack is a directory with a manifest, `pack.toml`, and whatever the runtime needs beside what the machine has; functions
//! see the directory as `/var/runtime`. A worker reads the packs of one directory when it starts. `docs/runtimes.md` says how
//! to make one.

mod command;
mod manifest;
mod shelf;

use std::{
    io,
    path::{Path, PathBuf},
};

use model::{Architecture, Digest, Runtime};

pub(crate) use command::Template;
pub use command::TemplateError;
pub use manifest::{Manifest, ManifestError};
pub use shelf::{Name, NameError, Shelf, ShelfError};

use crate::runtimes::{Place, RUNTIME_DIR, Runtimes, Search, beside_usr};

/// The name of the manifest in the directory of a pack.
pub const MANIFEST: &str = "pack.toml";

/// A pack that lies in its directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// What it is called.
    pub name: Name,
    /// What it says of itself.
    pub manifest: Manifest,
    dir: PathBuf,
    fingerprint: Digest,
}

/// Why a pack cannot be used on this machine.
#[derive(Debug, thiserror::Error)]
pub enum UnfitError {
    /// It is for other machines.
    #[error("expected a pack for {expected}, got one for {got}")]
    Architecture {
        /// What this machine is.
        expected: &'static str,
        /// What it is for.
        got: Architecture,
    },
    /// What it starts is not there.
    #[error("its program is missing: expected an executable file at {0:?}")]
    Program(PathBuf),
    /// A directory that it wants to see is not there, or has another purpose inside.
    #[error(
        "{0:?} cannot be shown to a sandbox: expected a directory that exists and is none of the sandbox's own"
    )]
    Bind(PathBuf),
}

impl Pack {
    /// What the directories beside `/usr` are that a sandbox must be shown, if all that it needs is on this machine.
    ///
    /// # Errors
    /// [`UnfitError`] says what is missing.
    pub fn fit(&self) -> Result<Vec<PathBuf>, UnfitError> {
        let own = Architecture::of_this_binary();
        if let Some(got) = self.manifest.architecture
            && own != Some(got)
        {
            let expected = own.map_or("no architecture that functions know", Architecture::as_str);
            return Err(UnfitError::Architecture { expected, got });
        }
        let program = PathBuf::from(self.manifest.command.program());
        let is_executable = |path: &Path| {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::metadata(path)
                .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
        };
        let mut dirs = Vec::new();
        if let Ok(within) = program.strip_prefix(RUNTIME_DIR) {
            if !is_executable(&self.dir.join(within)) {
                return Err(UnfitError::Program(program));
            }
        } else {
            let real = std::fs::canonicalize(&program)
                .ok()
                .filter(|p| is_executable(p));
            let Some(real) = real else {
                return Err(UnfitError::Program(program));
            };
            // Where the name is, and where it leads.
            dirs.extend(
                [&program, &real]
                    .into_iter()
                    .filter_map(|p| p.parent())
                    .map(Path::to_owned),
            );
        }
        for bind in &self.manifest.binds {
            let real = std::fs::canonicalize(bind).ok().filter(|p| p.is_dir());
            dirs.push(real.ok_or_else(|| UnfitError::Bind(bind.clone()))?);
        }
        // What the sandbox has of `/usr`, `/bin` leads into on every system of today.
        dirs.retain(|d| !["/bin", "/sbin"].iter().any(|own| d.starts_with(own)));
        beside_usr(&dirs).map_err(|Place(dir)| UnfitError::Bind(dir))
    }

    /// Whether it is for this runtime.
    #[must_use]
    pub fn serves(&self, runtime: Runtime) -> bool {
        self.manifest.runtimes.contains(&runtime)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Changes with the manifest and with the files beside it.
    pub(crate) fn fingerprint(&self) -> Digest {
        self.fingerprint
    }
}

/// One runtime that a worker on this machine would offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offered {
    /// Its identifier.
    pub runtime: Runtime,
    /// Language and version, as logs print them.
    pub label: String,
    /// The pack that runs it; `None` if the machine itself does.
    pub pack: Option<String>,
}

/// What a worker with these packs would offer. Runs every interpreter that it finds once, and writes to `scratch`.
///
/// # Errors
/// [`io::Error`] if nothing can be written there.
pub fn survey(
    shelf: &Shelf,
    interpreter_dirs: Vec<PathBuf>,
    scratch: &Path,
) -> io::Result<Vec<Offered>> {
    let search = Search::of_process(interpreter_dirs, false);
    let all = Runtimes::detect(&search, shelf, scratch)?;
    let offered = all.startable().map(|(runtime, launch)| Offered {
        runtime,
        pack: all.pack_of(&launch),
        label: launch.label,
    });
    Ok(offered.collect())
}
