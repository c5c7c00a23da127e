//! Putting a disk at a directory.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use fuser::{BackgroundSession, Config, MountOption, SessionACL};

use crate::{
    control::Control,
    filesystem::FaultFilesystem,
    image::{Image, ROOT},
    state::Disk,
};

/// How long files may stay open when a disk is taken down.
const CLOSING: Duration = Duration::from_secs(2);
const POLL: Duration = Duration::from_millis(5);

/// What a disk begins with.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many bytes go on it.
    pub capacity: u64,
    /// A directory of the machine that the disk is filled from when it is mounted, and that takes what is on it when it is
    /// unmounted. Nothing: the disk begins empty and ends with its mount.
    pub backing: Option<PathBuf>,
}

/// A mounted disk. Its content lives in memory. Dropping it unmounts; use [`Mount::unmount`] to hear of errors.
pub struct Mount {
    control: Control,
    disk: Arc<Disk>,
    session: Option<BackgroundSession>,
    backing: Option<PathBuf>,
}

/// Why a disk could not be mounted or taken down.
#[derive(Debug, thiserror::Error)]
pub enum MountError {
    /// The kernel did not let us.
    #[error(
        "could not mount a disk at {at}: it takes root, Linux with FUSE, and an existing directory"
    )]
    Mount {
        /// Where.
        at: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The backing directory could not be read or written.
    #[error("could not read or write the backing directory {path}; check its permissions and room")]
    Backing {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

impl Default for Options {
    /// 2 GiB, no backing.
    fn default() -> Self {
        Self {
            capacity: 2 << 30,
            backing: None,
        }
    }
}

impl Mount {
    /// Mounts a disk at an existing directory.
    ///
    /// # Errors
    /// [`MountError`].
    pub fn new(at: &Path, options: Options) -> Result<Self, MountError> {
        let mut next = ROOT + 1;
        let image = match &options.backing {
            None => Image::default(),
            Some(path) => Image::load(path, &mut next).map_err(|source| MountError::Backing {
                path: path.clone(),
                source,
            })?,
        };
        let disk = Arc::new(Disk::new(image, next, options.capacity));
        let mut config = Config::default();
        config.acl = SessionACL::All;
        config.mount_options = vec![
            MountOption::FSName("faultfs".to_owned()),
            MountOption::DefaultPermissions,
        ];
        let filesystem = FaultFilesystem { disk: disk.clone() };
        let session = fuser::spawn_mount(filesystem, at, &config);
        let session = session.map_err(|source| MountError::Mount {
            at: at.to_owned(),
            source,
        })?;
        let control = Control::new(disk.clone(), session.notifier(), at.to_owned());
        Ok(Self {
            control,
            disk,
            session: Some(session),
            backing: options.backing,
        })
    }

    /// The hand on this disk.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Takes the disk down: faults are taken off, files that are still open after a moment answer errors from here on. Its
    /// content goes back to the backing directory, if it has one, which is emptied first; a disk without power gives back
    /// what it kept.
    ///
    /// # Errors
    /// [`MountError::Backing`].
    pub fn unmount(mut self) -> Result<(), MountError> {
        self.detach();
        let Some(path) = self.backing.take() else {
            return Ok(());
        };
        let image = {
            let state = self.disk.lock();
            state.kept.clone().unwrap_or_else(|| state.now.clone())
        };
        empty(&path)
            .and_then(|()| image.materialise(&path))
            .map_err(|source| MountError::Backing { path, source })
    }

    fn detach(&mut self) {
        let Some(session) = self.session.take() else {
            return;
        };
        self.control.heal();
        self.disk.wait_until_idle(CLOSING);
        let at = self.control.mounted_at();
        let detached = rustix::mount::unmount(at, rustix::mount::UnmountFlags::DETACH);
        if let Err(error) = detached {
            tracing::warn!(at = %at.display(), %error, "could not unmount a disk");
            return;
        }
        if self.disk.lock().is_idle() && ends(&session) {
            if let Err(error) = session.join() {
                tracing::debug!(%error, "the session of a disk ended with an error");
            }
        } else {
            self.disk.lock().gate.is_off = true;
        }
    }
}

impl std::fmt::Debug for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount")
            .field("control", &self.control)
            .field("backing", &self.backing)
            .finish_non_exhaustive()
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        self.detach();
    }
}

/// Whether the kernel ends a session whose mount was taken away. It does so with the last use, which may be a copy of the
/// mount in a namespace that somebody made meanwhile: that is not ours to wait for.
fn ends(session: &BackgroundSession) -> bool {
    let mut looks = CLOSING.as_millis() / POLL.as_millis();
    while !session.guard.is_finished() && looks > 0 {
        std::thread::sleep(POLL);
        looks -= 1;
    }
    session.guard.is_finished()
}

fn empty(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
