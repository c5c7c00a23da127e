//! Control groups: the limits of a sandbox, its freezer and its meters, in version 1, version 2 or a mix of both.
//!
//! A [`Layout`] says for each piece which hierarchy serves it; it is found out once by the spawner. A [`Group`] is one
//! sandbox in all these hierarchies. All sandboxes of a node sit below one directory that only this node uses, so a
//! later life of the node finds what an earlier one left.

mod group;

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use model::size::MIB_PER_CPU;
use serde::{Deserialize, Serialize};

use self::group::write;
pub(crate) use self::group::{Group, Limits};
use crate::report::Piece;

const PERIOD_US: u64 = 100_000;
const QUOTA_US_MIN: u64 = 1_000;

/// The CPU time per period of 100 ms that a function of this memory gets.
pub(crate) fn cpu_quota_us(memory_mib: u32) -> u64 {
    (u64::from(memory_mib) * PERIOD_US / MIB_PER_CPU).max(QUOTA_US_MIN)
}

/// The two versions of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Version {
    V1,
    V2,
}

/// Where one piece is served: the node's directory in one mounted hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hierarchy {
    pub(crate) version: Version,
    pub(crate) dir: PathBuf,
}

/// Which hierarchy serves which piece.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Layout {
    pub(crate) memory: Option<Hierarchy>,
    pub(crate) cpu: Option<Hierarchy>,
    pub(crate) pids: Option<Hierarchy>,
    pub(crate) freezer: Option<Hierarchy>,
    pub(crate) usage: Option<Hierarchy>,
}

impl Layout {
    /// Finds the hierarchies in the text of a `mountinfo` file. `parent` is the path of the node's directory below
    /// each mount. A version 1 hierarchy wins for a controller (the same controller cannot be in both); freezing goes
    /// to version 2 when it is mounted, because what it froze can still be killed.
    pub(crate) fn detect(mountinfo: &str, parent: &str) -> Self {
        let mut layout = Self::default();
        let mut unified = None;
        for line in mountinfo.lines() {
            let Some((left, right)) = line.split_once(" - ") else {
                continue;
            };
            let (Some(mount), mut right) = (left.split(' ').nth(4), right.split(' ')) else {
                continue;
            };
            let (kind, options) = (
                right.next().unwrap_or_default(),
                right.nth(1).unwrap_or_default(),
            );
            let at = |version| {
                Some(Hierarchy {
                    version,
                    dir: Path::new(mount).join(parent),
                })
            };
            match kind {
                "cgroup2" => unified = Some(PathBuf::from(mount)),
                "cgroup" => {
                    for option in options.split(',') {
                        match option {
                            "memory" => layout.memory = at(Version::V1),
                            "cpu" => layout.cpu = at(Version::V1),
                            "pids" => layout.pids = at(Version::V1),
                            "freezer" => layout.freezer = at(Version::V1),
                            "cpuacct" => layout.usage = at(Version::V1),
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(mount) = unified {
            layout.add_unified(&mount, parent);
        }
        layout
    }

    fn add_unified(&mut self, mount: &Path, parent: &str) {
        let controllers = fs::read_to_string(mount.join("cgroup.controllers")).unwrap_or_default();
        let here = Hierarchy {
            version: Version::V2,
            dir: mount.join(parent),
        };
        let offers = |name: &str| controllers.split_whitespace().any(|c| c == name);
        for (name, place) in [
            ("memory", &mut self.memory),
            ("cpu", &mut self.cpu),
            ("pids", &mut self.pids),
        ] {
            if place.is_none() && offers(name) {
                *place = Some(here.clone());
            }
        }
        self.freezer = Some(here.clone());
        self.usage = Some(here);
    }

    /// The hierarchy behind a piece.
    pub(crate) fn of(&self, piece: Piece) -> Option<&Hierarchy> {
        match piece {
            Piece::CgroupMemory => self.memory.as_ref(),
            Piece::CgroupCpu => self.cpu.as_ref(),
            Piece::CgroupPids => self.pids.as_ref(),
            Piece::CgroupFreezer => self.freezer.as_ref(),
            _ => None,
        }
    }

    /// Whether it can be asked afterwards how much memory was in use at most: version 2 keeps that since Linux 5.19.
    /// To be asked of a layout that is prepared.
    pub(crate) fn keeps_peak(&self) -> bool {
        self.memory.as_ref().is_some_and(|memory| {
            memory.version == Version::V1
                || memory.dir.join("memory.peak").try_exists().unwrap_or(false)
        })
    }

    /// Makes the node's directory in every hierarchy, lets version 2 pass its controllers down to it, and has `enter`
    /// try whether a process gets into a group below it, which is more than a right to write there: version 2 also
    /// minds where the process comes from. A piece whose hierarchy refuses is taken out of the layout and answered with
    /// the reason.
    pub(crate) fn prepare(
        &mut self,
        enter: impl Fn(&Hierarchy) -> io::Result<()>,
    ) -> Vec<(Piece, io::Error)> {
        let mut refused = Vec::new();
        let pieces = [
            (Piece::CgroupMemory, "memory", &mut self.memory),
            (Piece::CgroupCpu, "cpu", &mut self.cpu),
            (Piece::CgroupPids, "pids", &mut self.pids),
            (Piece::CgroupFreezer, "", &mut self.freezer),
        ];
        for (piece, controller, place) in pieces {
            let Some(hierarchy) = place.as_ref() else {
                continue;
            };
            let prepared = hierarchy.prepare(controller);
            if let Err(error) = prepared.and_then(|()| enter(hierarchy)) {
                refused.push((piece, error));
                *place = None;
            }
        }
        if self
            .usage
            .as_ref()
            .is_some_and(|usage| usage.prepare("").and_then(|()| enter(usage)).is_err())
        {
            self.usage = None;
        }
        refused
    }

    /// The distinct directories of the node.
    fn dirs(&self) -> Vec<&Hierarchy> {
        let mut dirs: Vec<&Hierarchy> = Vec::new();
        for hierarchy in [
            &self.memory,
            &self.cpu,
            &self.pids,
            &self.freezer,
            &self.usage,
        ]
        .into_iter()
        .flatten()
        {
            if !dirs.iter().any(|d| d.dir == hierarchy.dir) {
                dirs.push(hierarchy);
            }
        }
        dirs
    }

    /// The names of all groups that exist in any hierarchy.
    pub(crate) fn names(&self) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        for hierarchy in self.dirs() {
            let Ok(entries) = fs::read_dir(&hierarchy.dir) else {
                continue;
            };
            for entry in entries.flatten() {
                if entry.file_type().is_ok_and(|t| t.is_dir()) {
                    names.extend(entry.file_name().into_string());
                }
            }
        }
        names.remove(SUPERVISOR);
        names
    }

    /// Removes the node's own directories, if they are empty.
    pub(crate) fn remove(&self) {
        for hierarchy in self.dirs() {
            let _ = fs::remove_dir(&hierarchy.dir);
        }
    }

    /// One sandbox.
    pub(crate) fn group(&self, name: &str) -> Group {
        Group {
            layout: self.clone(),
            name: name.to_owned(),
            peak: Arc::default(),
        }
    }
}

/// The group that takes the node's own processes when version 2 demands that a parent has none.
const SUPERVISOR: &str = "supervisor";

impl Hierarchy {
    /// A group of this name in this hierarchy alone.
    pub(crate) fn group(&self, name: &str) -> Group {
        Group {
            layout: Layout {
                freezer: Some(self.clone()),
                ..Layout::default()
            },
            name: name.to_owned(),
            peak: Arc::default(),
        }
    }

    /// Makes the directory; version 2: enables `controller` (if not empty) on the way from the mount to it.
    fn prepare(&self, controller: &str) -> io::Result<()> {
        fs::create_dir_all(&self.dir)?;
        if self.version == Version::V1 {
            return rustix::fs::access(self.dir.join("cgroup.procs"), rustix::fs::Access::WRITE_OK)
                .map_err(Into::into);
        }
        if controller.is_empty() {
            return rustix::fs::access(self.dir.join("cgroup.procs"), rustix::fs::Access::WRITE_OK)
                .map_err(Into::into);
        }
        let path: Vec<&Path> = self.dir.ancestors().take_while(|d| is_cgroup(d)).collect();
        for dir in path.into_iter().rev() {
            enable(dir, controller, &self.dir)?;
        }
        Ok(())
    }
}

fn is_cgroup(dir: &Path) -> bool {
    dir.join("cgroup.procs").try_exists().unwrap_or(false)
}

/// Passes a controller of version 2 down to the children of `dir`. If processes are in the way, they move to the
/// node's supervisor group: this is the case when the node is the root of a cgroup namespace.
fn enable(dir: &Path, controller: &str, node: &Path) -> io::Result<()> {
    let control = dir.join("cgroup.subtree_control");
    let enabled = fs::read_to_string(&control)?;
    if enabled.split_whitespace().any(|c| c == controller) {
        return Ok(());
    }
    let request = format!("+{controller}");
    match write(&control, &request) {
        Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
            let supervisor = node.join(SUPERVISOR);
            fs::create_dir_all(&supervisor)?;
            for pid in fs::read_to_string(dir.join("cgroup.procs"))?.lines() {
                write(&supervisor.join("cgroup.procs"), pid)?;
            }
            write(&control, &request)
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
