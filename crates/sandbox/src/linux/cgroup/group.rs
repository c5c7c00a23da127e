//! One sandbox in every hierarchy: its limits, its freezer, its meters, its end.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal};

use super::{Hierarchy, Layout, PERIOD_US, Version};

/// How long to wait before looking again.
const PAUSE: Duration = Duration::from_micros(200);
/// After how many pauses an order to freeze that has not come through is given again.
const SHAKE: u32 = 100;

/// The limits of one sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) memory_bytes: u64,
    pub(crate) cpu_quota_us: Option<u64>,
    pub(crate) pids_max: u64,
}

/// One sandbox in every hierarchy.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(super) layout: Layout,
    pub(super) name: String,
    /// What tells the peak of its memory, opened once: it is asked after every invocation.
    pub(super) peak: Arc<OnceLock<File>>,
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

    /// Its doors: what a process writes `0` to, to move itself into the group.
    pub(crate) fn doors(&self) -> io::Result<Vec<File>> {
        let open = |h| {
            File::options()
                .write(true)
                .open(self.file(h, "cgroup.procs"))
        };
        self.layout.dirs().into_iter().map(open).collect()
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
            .map_or(Ok(()), |quota| self.limit_cpu(Some(quota)))
    }

    /// Sets the CPU time per 100 ms; `None`: as much as there is.
    pub(crate) fn limit_cpu(&self, quota_us: Option<u64>) -> io::Result<()> {
        match &self.layout.cpu {
            Some(h) if h.version == Version::V1 => {
                write(&self.file(h, "cpu.cfs_period_us"), &PERIOD_US.to_string())?;
                let quota = quota_us.map_or_else(|| "-1".to_owned(), |q| q.to_string());
                write(&self.file(h, "cpu.cfs_quota_us"), &quota)
            }
            Some(h) => {
                let quota = quota_us.map_or_else(|| "max".to_owned(), |q| q.to_string());
                write(&self.file(h, "cpu.max"), &format!("{quota} {PERIOD_US}"))
            }
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
        let (file, [thaw, freeze]) = match h.version {
            Version::V1 => ("freezer.state", ["THAWED", "FROZEN"]),
            Version::V2 => ("cgroup.freeze", ["0", "1"]),
        };
        let file = self.file(h, file);
        write(&file, if frozen { freeze } else { thaw })?;
        let mut left = limit;
        for pause in 1_u32.. {
            if self.is_frozen_as(h, frozen)? {
                break;
            }
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            thread::sleep(PAUSE);
            left = left.saturating_sub(PAUSE);
            // A process that forks or waits for its child's exec can slip past an order and hold the state half way for
            // good: let go and order again.
            if frozen && pause % SHAKE == 0 {
                write(&file, thaw)?;
                thread::sleep(PAUSE);
                write(&file, freeze)?;
            }
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
        let told = match self.peak.get() {
            Some(told) => told,
            None => {
                let h = self.layout.memory.as_ref()?;
                let file = match h.version {
                    Version::V1 => "memory.max_usage_in_bytes",
                    Version::V2 => "memory.peak",
                };
                let opened = File::open(self.file(h, file)).ok()?;
                self.peak.get_or_init(|| opened)
            }
        };
        let mut text = [0; 24];
        let length = told.read_at(&mut text, 0).ok()?;
        str::from_utf8(text.get(..length)?)
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// Memory of the processes themselves, in bytes: neither files in `/tmp` nor caches.
    pub(crate) fn memory_of_processes(&self) -> Option<u64> {
        let h = self.layout.memory.as_ref()?;
        let key = match h.version {
            Version::V1 => "total_rss",
            Version::V2 => "anon",
        };
        keyed(&fs::read_to_string(self.file(h, "memory.stat")).ok()?, key)
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
pub(super) fn write(path: &Path, value: &str) -> io::Result<()> {
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
