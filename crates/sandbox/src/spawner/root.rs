//! The file tree of a sandbox, built by its init in two parts: what needs nothing but the stage, ahead of time; and
//! what the function brings, when it is known.

use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use rustix::mount::{MountAttrFlags, UnmountFlags, unmount};

use super::{
    image,
    mounts::{self, HOST_FILES, SCRATCH_FILES},
    stage::Parts,
    sys,
};
use crate::wire::{At as _, StepError};

/// Where the new root hangs until it becomes the root. Any directory that every host has.
const FOOTHOLD: &str = "/usr";

/// Directories of the root that are mount points, besides those of the parts.
const DIRECTORIES: [&str; 7] = [
    "proc",
    "tmp",
    "opt",
    "var",
    "var/task",
    "var/runtime",
    "var/empty",
];

/// Files of `/proc` that tell about the host or let it be poked: they read as empty.
const PROC_FILES_MASKED: [&str; 30] = [
    "buddyinfo",
    "cgroups",
    "cmdline",
    "config.gz",
    "consoles",
    "devices",
    "diskstats",
    "dma",
    "interrupts",
    "iomem",
    "ioports",
    "kallsyms",
    "kcore",
    "key-users",
    "keys",
    "kmsg",
    "kpagecgroup",
    "kpagecount",
    "kpageflags",
    "latency_stats",
    "locks",
    "modules",
    "mtrr",
    "pagetypeinfo",
    "partitions",
    "sched_debug",
    "schedstat",
    "slabinfo",
    "sysrq-trigger",
    "timer_list",
];

/// More of them, kept apart only because an array literal has its limits for a reader.
const PROC_FILES_MASKED_TOO: [&str; 7] = [
    "execdomains",
    "misc",
    "softirqs",
    "swaps",
    "vmallocinfo",
    "zoneinfo",
    "version_signature",
];

/// Directories of `/proc` of the same kind: they are empty.
const PROC_DIRS_MASKED: [&str; 9] = [
    "acpi", "asound", "bus", "driver", "fs", "irq", "pressure", "scsi", "tty",
];

/// Bytes of `/tmp` for each inode it may have.
const TMP_BYTES_PER_INODE: u64 = 8192;

/// Builds the part that needs no function, and makes it the root. Answers the root.
pub(crate) fn build(parts: Parts, fresh_proc: bool) -> Result<OwnedFd, StepError> {
    let root = mounts::file_system("tmpfs", &[("mode", "0755"), ("size", "1m")], SCRATCH_FILES)?;
    // The kernel gives a new /proc only to who can still see an old one.
    let proc = if fresh_proc {
        let attributes = SCRATCH_FILES | MountAttrFlags::MOUNT_ATTR_NOEXEC;
        Some(mounts::file_system("proc", &[], attributes)?)
    } else {
        None
    };
    mounts::attach(&root, Path::new(FOOTHOLD))?;
    rustix::process::fchdir(&root).at("enter the root")?;
    rustix::process::pivot_root(".", ".").at("change the root")?;
    unmount(".", UnmountFlags::DETACH).at("leave the host's root")?;
    rustix::process::chdir("/").at("enter the root")?;

    fill(&parts).at("fill the root")?;
    for (name, tree) in parts.trees {
        mounts::attach(tree, &Path::new("/").join(name))?;
    }
    if let Some(proc) = proc {
        mounts::attach(proc, Path::new("/proc"))?;
        mask_proc()?;
    }
    Ok(root)
}

fn fill(parts: &Parts) -> io::Result<()> {
    for name in DIRECTORIES
        .into_iter()
        .chain(parts.trees.iter().map(|(name, _)| *name))
    {
        fs::create_dir(Path::new("/").join(name))?;
    }
    parts
        .links
        .iter()
        .try_for_each(|(name, target)| symlink(target, Path::new("/").join(name)))
}

fn mask_proc() -> Result<(), StepError> {
    let proc = Path::new("/proc");
    for path in PROC_FILES_MASKED
        .iter()
        .chain(&PROC_FILES_MASKED_TOO)
        .map(|name| proc.join(name))
    {
        if fs::symlink_metadata(&path).is_ok() {
            mounts::attach(mounts::device(Path::new("/dev/null"))?, &path)?;
        }
    }
    for path in PROC_DIRS_MASKED.iter().map(|name| proc.join(name)) {
        if fs::symlink_metadata(&path).is_ok() {
            mounts::attach(mounts::copy(Path::new("/var/empty"), HOST_FILES)?, &path)?;
        }
    }
    let sys = proc.join("sys");
    mounts::attach(
        mounts::copy(&sys, HOST_FILES | MountAttrFlags::MOUNT_ATTR_NOEXEC)?,
        &sys,
    )
}

/// What a function brings.
pub(crate) struct Belongings {
    /// Where each mount goes.
    pub(crate) mounts: Vec<(PathBuf, OwnedFd)>,
    /// `None`: the host's stays.
    pub(crate) hostname: Option<String>,
    /// What `/proc/meminfo` says.
    pub(crate) memory_bytes: u64,
    pub(crate) tmp_bytes: u64,
}

/// Completes the root: mounts, `/tmp`, names and sizes; then it is read-only. Answers a descriptor of `/tmp`.
pub(crate) fn complete(
    root: &OwnedFd,
    belongings: Belongings,
    fresh_proc: bool,
) -> Result<OwnedFd, StepError> {
    if let Some(name) = &belongings.hostname {
        rustix::system::sethostname(name.as_bytes()).at("set the host name")?;
        replace(
            "/etc/hosts",
            // Where extensions listen, as they are told to everywhere.
            &format!(
                "127.0.0.1 localhost {name} sandbox.localdomain sandbox\n::1 localhost {name}\n"
            ),
        )?;
    }
    if fresh_proc {
        replace("/proc/meminfo", &meminfo(belongings.memory_bytes))?;
    }
    let mut image = None;
    for (path, tree) in belongings.mounts {
        if path == Path::new(image::ROOT) {
            image::enter(&tree)?;
            image = Some(tree);
            continue;
        }
        fs::create_dir_all(&path).on("make", &path)?;
        mounts::attach(tree, &path)?;
    }
    let (size, inodes) = (
        belongings.tmp_bytes.to_string(),
        (belongings.tmp_bytes / TMP_BYTES_PER_INODE)
            .max(1024)
            .to_string(),
    );
    let options = [
        ("mode", "1777"),
        ("size", size.as_str()),
        ("nr_inodes", inodes.as_str()),
    ];
    mounts::attach(
        mounts::file_system("tmpfs", &options, SCRATCH_FILES)?,
        Path::new("/tmp"),
    )?;
    let root = image.as_ref().unwrap_or(root);
    sys::set_mount_attributes(root.as_fd(), HOST_FILES, false).at("protect the root")?;
    rustix::fs::open(
        "/tmp",
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
    .at("open /tmp")
}

/// Covers a file with one of this content.
fn replace(path: &str, content: &str) -> Result<(), StepError> {
    let (path, source) = (Path::new(path), Path::new("/.replacement"));
    fs::write(source, content).on("write", path)?;
    mounts::attach(mounts::copy(source, HOST_FILES)?, path)?;
    fs::remove_file(source).on("write", path)
}

fn meminfo(memory_bytes: u64) -> String {
    let kib = memory_bytes / 1024;
    let line = |name: &str, value: u64| format!("{:<16}{value:>8} kB\n", format!("{name}:"));
    [
        line("MemTotal", kib),
        line("MemFree", kib),
        line("MemAvailable", kib),
        line("Buffers", 0),
        line("Cached", 0),
        line("SwapCached", 0),
        line("SwapTotal", 0),
        line("SwapFree", 0),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn meminfo_has_the_form_that_programs_parse() {
        let text = meminfo(128 << 20);
        assert!(
            text.starts_with("MemTotal:         131072 kB\nMemFree:"),
            "{text}"
        );
        assert!(text.lines().all(|line| line.ends_with(" kB")));
    }
}
