//! Control groups: the limits of a sandbox, its freezer and its meters, in version 1, version 2 or a mix of both.
//!
//! A [`Layout`] says for each piece which hierarchy serves it; it is found out once by the spawner. A [`Group`] is one
//! sandbox in all these hierarchies. All sandboxes of a node sit below one directory that only this node uses, so a
//! later life of the node finds what an earlier one left.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};

use crate::report::Piece;

/// One vCPU per this many MiB of memory, as AWS has it.
pub(crate) const MIB_PER_CPU: u64 = 1769;

const PERIOD_US: u64 = 100_000;
const QUOTA_US_MIN: u64 = 1_000;
const PAUSE: Duration = Duration::from_micros(200);

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

/// The limits of one sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_quota_us: Option<u64>,
    pub(crate) pids_max: u64,
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

    /// Makes the node's directory in every hierarchy, and lets version 2 pass its controllers down to it. A piece
    /// whose hierarchy refuses is taken out of the layout and answered with the reason.
    pub(crate) fn prepare(&mut self) -> Vec<(Piece, io::Error)> {
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
            if let Err(error) = hierarchy.prepare(controller) {
                refused.push((piece, error));
                *place = None;
            }
        }
        if self
            .usage
            .as_ref()
            .is_some_and(|usage| usage.prepare("").is_err())
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
        }
    }
}

/// The group that takes the node's own processes when version 2 demands that a parent has none.
const SUPERVISOR: &str = "supervisor";

impl Hierarchy {
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

/// One sandbox in every hierarchy.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    layout: Layout,
    name: String,
}

impl Group {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Which version of the freezer it has.
    pub(crate) fn freezer(&self) -> Option<Version> {
        self.layout.freezer.as_ref().map(|h| h.version)
    }

    fn file(&self, hierarchy: &Hierarchy, file: &str) -> PathBuf {
        hierarchy.dir.join(&self.name).join(file)
    }

    /// Makes the group.
    pub(crate) fn create(&self) -> io::Result<()> {
        self.layout
            .dirs()
            .into_iter()
            .try_for_each(|h| fs::create_dir(h.dir.join(&self.name)))
    }

    /// Moves a process into the group.
    pub(crate) fn attach(&self, pid: Pid) -> io::Result<()> {
        let pid = pid.as_raw_nonzero().to_string();
        self.layout
            .dirs()
            .into_iter()
            .try_for_each(|h| write(&self.file(h, "cgroup.procs"), &pid))
    }

    /// Sets all limits; swap is off.
    pub(crate) fn limit(&self, limits: &Limits) -> io::Result<()> {
        let memory = limits.memory_bytes.to_string();
        match &self.layout.memory {
            Some(h) if h.version == Version::V1 => {
                write(&self.file(h, "memory.limit_in_bytes"), &memory)?;
                ignore_absent(write(&self.file(h, "memory.memsw.limit_in_bytes"), &memory))?;
                ignore_absent(write(&self.file(h, "memory.swappiness"), "0"))?;
            }
            Some(h) => {
                write(&self.file(h, "memory.max"), &memory)?;
                ignore_absent(write(&self.file(h, "memory.swap.max"), "0"))?;
            }
            None => {}
        }
        if let Some(h) = &self.layout.pids {
            write(&self.file(h, "pids.max"), &limits.pids_max.to_string())?;
        }
        limits
            .cpu_quota_us
            .map_or(Ok(()), |quota| self.limit_cpu(quota))
    }

    /// Sets the CPU time per 100 ms.
    pub(crate) fn limit_cpu(&self, quota_us: u64) -> io::Result<()> {
        match &self.layout.cpu {
            Some(h) if h.version == Version::V1 => {
                write(&self.file(h, "cpu.cfs_period_us"), &PERIOD_US.to_string())?;
                write(&self.file(h, "cpu.cfs_quota_us"), &quota_us.to_string())
            }
            Some(h) => write(&self.file(h, "cpu.max"), &format!("{quota_us} {PERIOD_US}")),
            None => Ok(()),
        }
    }

    /// Asks the freezer, and waits until every process stands (or runs) again, for at most `limit`. Blocks.
    ///
    /// # Errors
    /// `TimedOut` after `limit`; `Unsupported` without a freezer.
    pub(crate) fn set_frozen(&self, frozen: bool, limit: Duration) -> io::Result<()> {
        let Some(h) = &self.layout.freezer else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let (file, order) = match (h.version, frozen) {
            (Version::V1, true) => ("freezer.state", "FROZEN"),
            (Version::V1, false) => ("freezer.state", "THAWED"),
            (Version::V2, true) => ("cgroup.freeze", "1"),
            (Version::V2, false) => ("cgroup.freeze", "0"),
        };
        write(&self.file(h, file), order)?;
        let mut left = limit;
        while !self.is_frozen_as(h, frozen)? {
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(PAUSE);
            left = left.saturating_sub(PAUSE);
        }
        Ok(())
    }

    fn is_frozen_as(&self, h: &Hierarchy, frozen: bool) -> io::Result<bool> {
        let now = match h.version {
            Version::V1 => fs::read_to_string(self.file(h, "freezer.state"))?.trim() == "FROZEN",
            Version::V2 => {
                keyed(
                    &fs::read_to_string(self.file(h, "cgroup.events"))?,
                    "frozen",
                ) == Some(1)
            }
        };
        Ok(now == frozen)
    }

    /// Kills every process of the group and removes it; waits for at most `limit`. Blocks. A group that does not exist
    /// is fine.
    pub(crate) fn destroy(&self, limit: Duration) -> io::Result<()> {
        let mut left = limit;
        loop {
            self.kill();
            match self.remove() {
                Ok(()) => return Ok(()),
                Err(error) if left.is_zero() => return Err(error),
                Err(_) => {}
            }
            thread::sleep(PAUSE * 5);
            left = left.saturating_sub(PAUSE * 5);
        }
    }

    /// Sends SIGKILL to everything inside. Version 1 freezes first, so that nothing forks away, and thaws to let the
    /// signal through.
    fn kill(&self) {
        let v1_freezer = self
            .layout
            .freezer
            .as_ref()
            .filter(|h| h.version == Version::V1);
        if let Some(h) = v1_freezer {
            let _ = write(&self.file(h, "freezer.state"), "FROZEN");
        }
        for h in self.layout.dirs() {
            if h.version == Version::V2 && write(&self.file(h, "cgroup.kill"), "1").is_ok() {
                continue;
            }
            let Ok(pids) = fs::read_to_string(self.file(h, "cgroup.procs")) else {
                continue;
            };
            for pid in pids
                .lines()
                .filter_map(|line| line.parse().ok())
                .filter_map(Pid::from_raw)
            {
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        if let Some(h) = v1_freezer {
            let _ = write(&self.file(h, "freezer.state"), "THAWED");
        }
    }

    /// Removes the group; it must have no process left.
    pub(crate) fn remove(&self) -> io::Result<()> {
        for h in self.layout.dirs() {
            match fs::remove_dir(h.dir.join(&self.name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// How many processes were killed for want of memory.
    pub(crate) fn oom_kills(&self) -> Option<u64> {
        let h = self.layout.memory.as_ref()?;
        let file = match h.version {
            Version::V1 => "memory.oom_control",
            Version::V2 => "memory.events",
        };
        keyed(&fs::read_to_string(self.file(h, file)).ok()?, "oom_kill")
    }

    /// Memory in use now, in bytes.
    pub(crate) fn memory_now(&self) -> Option<u64> {
        self.number(
            self.layout.memory.as_ref()?,
            "memory.usage_in_bytes",
            "memory.current",
        )
    }

    /// The most memory that was in use, in bytes.
    pub(crate) fn memory_peak(&self) -> Option<u64> {
        self.number(
            self.layout.memory.as_ref()?,
            "memory.max_usage_in_bytes",
            "memory.peak",
        )
    }

    /// Processes and threads.
    pub(crate) fn pids(&self) -> Option<u64> {
        self.number(self.layout.pids.as_ref()?, "pids.current", "pids.current")
    }

    /// CPU time used.
    pub(crate) fn cpu_usage(&self) -> Option<Duration> {
        let h = self.layout.usage.as_ref()?;
        match h.version {
            Version::V1 => self
                .number(h, "cpuacct.usage", "")
                .map(Duration::from_nanos),
            Version::V2 => keyed(
                &fs::read_to_string(self.file(h, "cpu.stat")).ok()?,
                "usage_usec",
            )
            .map(Duration::from_micros),
        }
    }

    fn number(&self, h: &Hierarchy, v1: &str, v2: &str) -> Option<u64> {
        let file = if h.version == Version::V1 { v1 } else { v2 };
        fs::read_to_string(self.file(h, file))
            .ok()?
            .trim()
            .parse()
            .ok()
    }
}

/// The number after a key in a file of `key number` lines.
fn keyed(text: &str, key: &str) -> Option<u64> {
    text.lines()
        .find_map(|line| line.split_once(' ').filter(|(k, _)| *k == key))?
        .1
        .trim()
        .parse()
        .ok()
}

/// Writes to a file that exists; the kernel takes it as one order.
fn write(path: &Path, value: &str) -> io::Result<()> {
    use io::Write as _;
    fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(path)?
        .write_all(value.as_bytes())
}

fn ignore_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A knob that this kernel has but no longer lets be turned.
        Err(error)
            if error.raw_os_error() == Some(libc::EOPNOTSUPP)
                || error.raw_os_error() == Some(libc::EINVAL) =>
        {
            Ok(())
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;
