//! Directories that go away.

use std::{
    fs::DirBuilder,
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use host::{Entropy, SystemEntropy};

/// A directory that goes away with the value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new directory of our own below the system's one for such.
    pub(crate) fn new() -> Result<Self, anyhow::Error> {
        let name = format!("dunlin-{:016x}", SystemEntropy::new().next_u64());
        let path = std::env::temp_dir().join(name);
        DirBuilder::new()
            .mode(0o711)
            .create(&path)
            .with_context(|| format!("no directory could be made at {}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        match std::fs::remove_dir_all(&self.0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(path = %self.0.display(), %error, "a directory could not be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scratch_directory_goes_away_with_what_is_in_it() {
        let made = Scratch::new().unwrap();
        let path = made.path().to_owned();
        std::fs::write(path.join("file"), "x").unwrap();
        drop(made);
        assert!(!path.try_exists().unwrap());
    }
}
