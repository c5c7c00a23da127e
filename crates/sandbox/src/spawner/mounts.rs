//! Mounts as descriptors: made detached, given their attributes, handed over, attached where they belong.
//!
//! The spawner makes them with its own rights; the init of a sandbox, which may not even look at the host's
//! directories, only attaches them.

use std::{
    ffi::CString,
    os::fd::{AsRawFd as _, OwnedFd},
    os::{fd::AsFd, unix::ffi::OsStrExt as _},
    path::Path,
};

use rustix::{
    fs::{CWD, Mode, OFlags},
    mount::{
        FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
        fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
    },
};

use super::sys;
use crate::wire::{At as _, StepError};

/// Attributes of everything that comes from the host: read-only, no devices, no setuid.
pub(crate) const HOST_FILES: MountAttrFlags = MountAttrFlags::from_bits_retain(
    MountAttrFlags::MOUNT_ATTR_RDONLY.bits()
        | MountAttrFlags::MOUNT_ATTR_NOSUID.bits()
        | MountAttrFlags::MOUNT_ATTR_NODEV.bits(),
);

/// Attributes of what a sandbox may write.
pub(crate) const SCRATCH_FILES: MountAttrFlags = MountAttrFlags::from_bits_retain(
    MountAttrFlags::MOUNT_ATTR_NOSUID.bits() | MountAttrFlags::MOUNT_ATTR_NODEV.bits(),
);

/// Attributes of a device node: it stays usable.
const DEVICE: MountAttrFlags = MountAttrFlags::from_bits_retain(
    MountAttrFlags::MOUNT_ATTR_RDONLY.bits()
        | MountAttrFlags::MOUNT_ATTR_NOSUID.bits()
        | MountAttrFlags::MOUNT_ATTR_NOEXEC.bits(),
);

/// A new file system, not attached anywhere.
pub(crate) fn file_system(
    kind: &str,
    options: &[(&str, &str)],
    attributes: MountAttrFlags,
) -> Result<OwnedFd, StepError> {
    let step = format!("make a {kind}");
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC).at(&step)?;
    for (name, value) in options {
        if value.is_empty() {
            fsconfig_set_flag(&context, *name).at(&step)?;
        } else {
            fsconfig_set_string(&context, *name, *value).at(&step)?;
        }
    }
    fsconfig_create(&context).at(&step)?;
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes).at(&step)
}

/// A copy of the mount tree at `path`, with everything mounted below it, not attached anywhere.
pub(crate) fn copy(path: &Path, attributes: MountAttrFlags) -> Result<OwnedFd, StepError> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    let tree = open_tree(CWD, path, flags).on("copy mount", path)?;
    sys::set_mount_attributes(tree.as_fd(), attributes, true).on("protect mount", path)?;
    Ok(tree)
}

/// A copy of a device node.
pub(crate) fn device(path: &Path) -> Result<OwnedFd, StepError> {
    copy(path, DEVICE)
}

/// A read-only merge of directories: a file in a later one covers one in an earlier one. Its mount entry names no
/// host path. `empty` is an empty directory, which a merge of one needs as a second.
pub(crate) fn merge(
    dirs: &[&Path],
    empty: &Path,
    in_user_namespace: bool,
) -> Result<OwnedFd, StepError> {
    let opened = dirs
        .iter()
        .rev()
        .chain([&empty])
        .map(|dir| {
            rustix::fs::open(
                *dir,
                OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            )
            .on("open", dir)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let lowers: Vec<String> = opened
        .iter()
        .map(|fd| format!("/proc/self/fd/{}", fd.as_raw_fd()))
        .collect();
    let lowers = lowers.join(":");
    let options = [("lowerdir", lowers.as_str()), ("userxattr", "")];
    let count = if in_user_namespace { 2 } else { 1 };
    file_system(
        "overlay",
        options.get(..count).unwrap_or_default(),
        HOST_FILES,
    )
}

/// Attaches a detached mount at `path`.
pub(crate) fn attach(tree: impl AsFd, path: &Path) -> Result<(), StepError> {
    let path_c = CString::new(path.as_os_str().as_bytes())
        .map_err(std::io::Error::from)
        .on("mount", path)?;
    move_mount(
        tree,
        c"",
        CWD,
        path_c.as_c_str(),
        MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH,
    )
    .on("mount", path)
}
