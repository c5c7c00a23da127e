//! The stage: the parts of a sandbox's root that are the same for all, assembled once, copied by mount for each.
//!
//! It lives on a small tmpfs in the spawner's private mount namespace, so nobody else on the host sees it, and holds
//! `/usr` of the host, a synthetic `/etc`, a `/dev` of five harmless nodes and nothing else.

use std::{
    collections::VecDeque,
    fs, io,
    os::{fd::OwnedFd, unix::fs::symlink},
    path::{Path, PathBuf},
};

use super::mounts::{self, HOST_FILES};
use crate::wire::{At as _, StepError};

/// Name and both ids of the user inside.
pub(crate) const USER: (&str, u32) = ("sandbox", 993);

/// Device nodes inside.
const DEVICES: [&str; 5] = ["null", "zero", "full", "random", "urandom"];

/// Top-level names that hold programs and libraries, besides `usr`. Mostly symbolic links into it.
const PROGRAM_DIRS: [&str; 6] = ["bin", "sbin", "lib", "lib64", "lib32", "libx32"];

/// What of the host's `/etc` programs need: certificates, the loader's cache, links to alternatives. No secrets.
const HOST_ETC: [&str; 7] = [
    "alternatives",
    "ld.so.cache",
    "ssl/certs",
    "ssl/openssl.cnf",
    "pki/tls/certs",
    "pki/ca-trust",
    "mime.types",
];

/// Beginnings of names in the host's `/etc` of the same kind: configuration that runtimes in `/usr` link to.
const HOST_ETC_BEGINNINGS: [&str; 4] = ["java-", "python3", "dotnet", "crypto-policies"];

/// Runtime directories whose merge is kept; there are as many as runtimes.
const RUNTIMES_KEPT: usize = 16;

/// The assembled parts.
pub(crate) struct Stage {
    dir: PathBuf,
    in_user_namespace: bool,
    use_overlay: bool,
    links: Vec<(String, PathBuf)>,
    trees: Vec<&'static str>,
    runtimes: VecDeque<(PathBuf, PathBuf)>,
    runtimes_made: u64,
}

/// Copies of the parts for one sandbox.
#[derive(Default)]
pub(crate) struct Parts {
    /// Symbolic links in `/`: name and target.
    pub(crate) links: Vec<(String, PathBuf)>,
    /// Detached mounts for directories in `/`.
    pub(crate) trees: Vec<(&'static str, OwnedFd)>,
}

impl Stage {
    /// Assembles the stage over the directory `dir`. The process is in a mount namespace of its own.
    pub(crate) fn assemble(dir: &Path, in_user_namespace: bool) -> Result<Self, StepError> {
        let root = mounts::file_system(
            "tmpfs",
            &[("mode", "0755"), ("size", "4m")],
            mounts::SCRATCH_FILES,
        )?;
        mounts::attach(root, dir)?;
        let mut stage = Self {
            dir: dir.to_owned(),
            in_user_namespace,
            use_overlay: false,
            links: Vec::new(),
            trees: vec!["usr", "etc", "dev"],
            runtimes: VecDeque::new(),
            runtimes_made: 0,
        };
        for name in ["usr", "etc", "dev", "empty", "runtimes"] {
            let path = dir.join(name);
            fs::create_dir(&path).on("make", &path)?;
        }
        mounts::attach(
            mounts::copy(Path::new("/usr"), HOST_FILES)?,
            &dir.join("usr"),
        )?;
        stage.add_program_dirs()?;
        stage.write_etc().on("write", &dir.join("etc"))?;
        stage.bind_etc()?;
        stage.add_devices()?;
        Ok(stage)
    }

    /// From here on directories are merged instead of bound.
    pub(crate) fn use_overlay(&mut self) {
        self.use_overlay = true;
    }

    /// Tries to merge.
    pub(crate) fn try_overlay(&self) -> Result<(), StepError> {
        mounts::merge(&[Path::new("/usr")], &self.empty(), self.in_user_namespace).map(drop)
    }

    fn empty(&self) -> PathBuf {
        self.dir.join("empty")
    }

    fn add_program_dirs(&mut self) -> Result<(), StepError> {
        for name in PROGRAM_DIRS {
            let host = Path::new("/").join(name);
            match fs::symlink_metadata(&host) {
                Ok(found) if found.is_symlink() => {
                    let target = fs::read_link(&host).on("read link", &host)?;
                    self.links.push((name.to_owned(), target));
                }
                Ok(found) if found.is_dir() => {
                    let path = self.dir.join(name);
                    fs::create_dir(&path).on("make", &path)?;
                    mounts::attach(mounts::copy(&host, HOST_FILES)?, &path)?;
                    self.trees.push(name);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn write_etc(&self) -> io::Result<()> {
        let etc = self.dir.join("etc");
        let (user, id) = USER;
        let files = [
            (
                "passwd",
                format!("root:x:0:0:root:/:/usr/sbin/nologin\n{user}:x:{id}:{id}::/tmp:/bin/sh\n"),
            ),
            ("group", format!("root:x:0:\n{user}:x:{id}:\n")),
            (
                "hosts",
                "127.0.0.1 localhost sandbox.localdomain sandbox\n::1 localhost\n".to_owned(),
            ),
            (
                "resolv.conf",
                // Whoever has a network policy has a name server there; the others are told at once that there is none.
                "nameserver 127.0.0.1\n".to_owned(),
            ),
            (
                "nsswitch.conf",
                "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n".to_owned(),
            ),
            ("timezone", "Etc/UTC\n".to_owned()),
        ];
        for (name, text) in files {
            fs::write(etc.join(name), text)?;
        }
        symlink("/usr/share/zoneinfo/Etc/UTC", etc.join("localtime"))?;
        symlink("/proc/mounts", etc.join("mtab"))
    }

    fn bind_etc(&self) -> Result<(), StepError> {
        let mut names: Vec<String> = HOST_ETC.map(str::to_owned).to_vec();
        for entry in fs::read_dir("/etc")
            .on("list", Path::new("/etc"))?
            .flatten()
        {
            let name = entry.file_name().into_string().unwrap_or_default();
            if HOST_ETC_BEGINNINGS
                .iter()
                .any(|beginning| name.starts_with(beginning))
            {
                names.push(name);
            }
        }
        for name in names {
            let host = Path::new("/etc").join(&name);
            let Ok(found) = fs::metadata(&host) else {
                continue;
            };
            self.place(
                &host,
                &self.dir.join("etc").join(&name),
                found.is_dir(),
                HOST_FILES,
            )?;
        }
        Ok(())
    }

    fn place(
        &self,
        host: &Path,
        path: &Path,
        is_dir: bool,
        attributes: rustix::mount::MountAttrFlags,
    ) -> Result<(), StepError> {
        debug_assert!(
            path.starts_with(&self.dir),
            "the stage only mounts on itself"
        );
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).on("make", parent)?;
        }
        let made = if is_dir {
            fs::create_dir(path)
        } else {
            fs::write(path, "")
        };
        made.on("make", path)?;
        mounts::attach(mounts::copy(host, attributes)?, path)
    }

    fn add_devices(&self) -> Result<(), StepError> {
        let dev = self.dir.join("dev");
        for name in DEVICES {
            let path = dev.join(name);
            fs::write(&path, "").on("make", &path)?;
            mounts::attach(mounts::device(&Path::new("/dev").join(name))?, &path)?;
        }
        let links = [
            ("fd", ""),
            ("stdin", "/0"),
            ("stdout", "/1"),
            ("stderr", "/2"),
        ];
        for (name, end) in links {
            symlink(format!("/proc/self/fd{end}"), dev.join(name)).on("make", &dev)?;
        }
        Ok(())
    }

    /// Copies of all parts.
    pub(crate) fn parts(&self) -> Result<Parts, StepError> {
        let mut trees = Vec::with_capacity(self.trees.len());
        for name in &self.trees {
            let flags = rustix::mount::OpenTreeFlags::OPEN_TREE_CLONE
                | rustix::mount::OpenTreeFlags::OPEN_TREE_CLOEXEC
                | rustix::mount::OpenTreeFlags::AT_RECURSIVE;
            let path = self.dir.join(name);
            let tree =
                rustix::mount::open_tree(rustix::fs::CWD, &path, flags).on("copy mount", &path)?;
            super::sys::set_mount_attributes(
                std::os::fd::AsFd::as_fd(&tree),
                rustix::mount::MountAttrFlags::MOUNT_ATTR_RDONLY
                    | rustix::mount::MountAttrFlags::MOUNT_ATTR_NOSUID,
                true,
            )
            .on("protect mount", &path)?;
            trees.push((*name, tree));
        }
        Ok(Parts {
            links: self.links.clone(),
            trees,
        })
    }

    /// A mount of host directories for one sandbox; `None` if there are none.
    pub(crate) fn directories(&self, dirs: &[PathBuf]) -> Result<Option<OwnedFd>, StepError> {
        let dirs: Vec<&Path> = dirs.iter().map(PathBuf::as_path).collect();
        match dirs.as_slice() {
            [] => Ok(None),
            dirs if self.use_overlay => {
                mounts::merge(dirs, &self.empty(), self.in_user_namespace).map(Some)
            }
            [dir] => mounts::copy(dir, HOST_FILES).map(Some),
            [_, ..] => Err(StepError::new(
                "merge layers without overlay",
                rustix::io::Errno::NOTSUP,
            )),
        }
    }

    /// A mount of an image; its layers begin with the lowest one.
    pub(crate) fn image(&self, layers: &[PathBuf]) -> Result<OwnedFd, StepError> {
        if !self.use_overlay {
            return Err(StepError::new(
                "stack the layers of an image without overlay",
                rustix::io::Errno::NOTSUP,
            ));
        }
        super::image::stack(&self.dir, layers)
    }

    /// A mount of a runtime directory. The merge is made once and then copied: there are few, and they do not change
    /// while the node lives.
    pub(crate) fn runtime(&mut self, dir: &Path) -> Result<OwnedFd, StepError> {
        if let Some((_, kept)) = self.runtimes.iter().find(|(of, _)| of == dir) {
            return mounts::copy(kept, HOST_FILES);
        }
        if !self.use_overlay {
            return mounts::copy(dir, HOST_FILES);
        }
        let merged = mounts::merge(&[dir], &self.empty(), self.in_user_namespace)?;
        let kept = self
            .dir
            .join("runtimes")
            .join(self.runtimes_made.to_string());
        self.runtimes_made += 1;
        fs::create_dir(&kept).on("make", &kept)?;
        mounts::attach(merged, &kept)?;
        if self.runtimes.len() == RUNTIMES_KEPT
            && let Some((_, oldest)) = self.runtimes.pop_front()
        {
            let _ = rustix::mount::unmount(&oldest, rustix::mount::UnmountFlags::DETACH);
            let _ = fs::remove_dir(&oldest);
        }
        self.runtimes.push_back((dir.to_owned(), kept.clone()));
        mounts::copy(&kept, HOST_FILES)
    }
}
