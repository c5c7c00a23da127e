//! A root that is the file system of a container image, instead of the host's programs.
//!
//! The spawner stacks the image's layers, and over them a frame: the places where every sandbox has something of its own,
//! whatever the image has there. The init, whose root is built ahead of time, carries what it has in those places over and
//! then leaves that root.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags},
    io::Errno,
    mount::{
        FsMountFlags, FsOpenFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
        fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
    },
};

use super::mounts::{self, HOST_FILES};
use crate::wire::{At as _, StepError};

/// Where the mount of an image goes, among the mounts of a function.
pub(crate) const ROOT: &str = "/";

/// Mounts that are carried over, and directories of the frame.
const CARRIED: [&str; 2] = ["proc", "dev"];
/// Files that are carried over, and of the frame.
const FILES: [&str; 2] = ["etc/hosts", "etc/resolv.conf"];
/// Where the image hangs until it becomes the root.
const FOOTHOLD: &str = "/image";
/// The longest value that the kernel takes for one option of a mount.
const OPTION_MAX: usize = 255;

/// The frame, made once, in a directory of the stage.
fn frame(stage: &Path) -> Result<PathBuf, StepError> {
    let frame = stage.join("frame");
    if fs::symlink_metadata(&frame).is_ok() {
        return Ok(frame);
    }
    for name in CARRIED.into_iter().chain(["tmp", "etc"]) {
        let path = frame.join(name);
        fs::create_dir_all(&path).on("make", &path)?;
    }
    for name in FILES {
        let path = frame.join(name);
        fs::write(&path, "").on("make", &path)?;
    }
    Ok(frame)
}

/// A mount of an image: its layers, the lowest first, below the frame. Whiteouts are those of a mount with `userxattr`.
pub(crate) fn stack(stage: &Path, layers: &[PathBuf]) -> Result<OwnedFd, StepError> {
    const STEP: &str = "stack the layers of an image";
    let frame = frame(stage)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = [&frame]
        .into_iter()
        .chain(layers.iter().rev())
        .map(|dir| rustix::fs::open(dir, flags, Mode::empty()).on("open", dir))
        .collect::<Result<Vec<_>, _>>()?;
    // Its mount entry names no host path.
    let names: Vec<String> = opened
        .iter()
        .map(|fd| format!("/proc/self/fd/{}", fd.as_raw_fd()))
        .collect();
    let joined = names.join(":");
    let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).at(STEP)?;
    fsconfig_set_flag(&context, "userxattr").at(STEP)?;
    if joined.len() <= OPTION_MAX && names.len() > 1 {
        fsconfig_set_string(&context, "lowerdir", joined.as_str()).at(STEP)?;
    } else {
        for name in &names {
            match fsconfig_set_string(&context, "lowerdir+", name.as_str()) {
                Err(Errno::INVAL) => {
                    let step = format!("{STEP}: {} of them need Linux 6.7", layers.len());
                    return Err(StepError::new(step, Errno::NOTSUP));
                }
                done => done.at(STEP)?,
            }
        }
    }
    fsconfig_create(&context).at(STEP)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, HOST_FILES).at(STEP)
}

/// In the init: makes the image the root, and leaves what was the root until now.
pub(crate) fn enter(image: &OwnedFd) -> Result<(), StepError> {
    let foothold = Path::new(FOOTHOLD);
    fs::create_dir(foothold).on("make", foothold)?;
    mounts::attach(image, foothold)?;
    for name in CARRIED {
        let from = Path::new("/").join(name);
        move_mount(
            CWD,
            &from,
            CWD,
            foothold.join(name),
            MoveMountFlags::empty(),
        )
        .on("carry over", &from)?;
    }
    for (number, name) in FILES.iter().enumerate() {
        // As a file of its own: what covers it here may have no name any more, and then cannot be mounted again.
        let (from, copy) = (
            Path::new("/").join(name),
            PathBuf::from(format!("/.carried-{number}")),
        );
        let content = fs::read(&from).on("read", &from)?;
        fs::write(&copy, content).on("write", &copy)?;
        mounts::attach(mounts::copy(&copy, HOST_FILES)?, &foothold.join(name))?;
    }
    rustix::process::chdir(foothold).at("enter the image")?;
    rustix::process::pivot_root(".", ".").at("change the root to the image")?;
    unmount(".", UnmountFlags::DETACH).at("leave the root of before")?;
    rustix::process::chdir("/").at("enter the image")
}

/// What of an image code inside may read: everything but the places that have rules of their own.
pub(crate) fn readable() -> Result<Vec<PathBuf>, StepError> {
    let root = Path::new("/");
    let own = CARRIED.into_iter().chain(["tmp"]).collect::<Vec<_>>();
    let mut paths = Vec::new();
    for entry in fs::read_dir(root).on("list", root)? {
        let entry = entry.on("list", root)?;
        let is_link = entry.file_type().on("list", root)?.is_symlink();
        if !is_link && !own.iter().any(|name| entry.file_name() == *name) {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}
