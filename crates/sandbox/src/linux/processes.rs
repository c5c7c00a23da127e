//! What `/proc` tells of the memory of one sandbox's processes: the meter where there is no memory cgroup, or where the
//! kernel's keeps no peak (Linux before 5.19).
//!
//! Whatever runs inside descends from the sandbox's init, which inherits orphans, so a walk over children finds it all.
//! The init itself is the driver's and does not count. Everything is read from outside; code inside cannot lie about it.
//! A process that comes and goes between two looks is not seen.

use std::{
    fs::{self, File},
    io::Read as _,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::fs::{Mode, OFlags};

/// The processes of one sandbox. It remembers the most that it ever saw.
#[derive(Debug)]
pub(crate) struct Processes {
    /// The init's directory in `/proc`: it is empty when the init is over, and never another process's.
    init: Option<OwnedFd>,
    pid: u32,
    peak: AtomicU64,
}

/// The memory of one process, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Resident {
    /// Now, without files and shared memory.
    anonymous: u64,
    /// The most that was ever in use, whatever it was.
    peak: u64,
}

impl Processes {
    /// Those below an init of this host's process id.
    pub(crate) fn of(init: u32) -> Self {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self {
            init: rustix::fs::open(directory(init), flags, Mode::empty()).ok(),
            pid: init,
            peak: AtomicU64::new(0),
        }
    }

    /// The most memory of all processes together that was ever seen, in bytes: the sum of what each had at its own
    /// most. What several share counts for each of them.
    pub(crate) fn peak(&self) -> Option<u64> {
        self.look();
        Some(self.peak.load(Ordering::Relaxed)).filter(|peak| *peak > 0)
    }

    /// Memory of the processes now, in bytes, without files and what lies in `/tmp`. What several share counts once.
    pub(crate) fn anonymous(&self) -> Option<u64> {
        let seen = self.look()?;
        let sum = seen.iter().map(|(_, resident)| resident.anonymous).sum();
        if seen.len() < 2 {
            return Some(sum);
        }
        let parts: Option<Vec<u64>> = seen.iter().map(|(pid, _)| own_part(*pid)).collect();
        // Who may not see the parts knows at least that the largest one is no sum of others.
        let largest = seen.iter().map(|(_, resident)| resident.anonymous).max();
        Some(parts.map_or(largest.unwrap_or(0), |parts| parts.iter().sum()))
    }

    /// All processes now. `None` if the init is over or hidden.
    fn look(&self) -> Option<Vec<(u32, Resident)>> {
        let own = format!("task/{}/children", self.pid);
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::openat(self.init.as_ref()?, own, flags, Mode::empty()).ok()?;
        let mut text = String::new();
        File::from(file).read_to_string(&mut text).ok()?;
        let mut next = numbers(&text);
        let mut seen = Vec::new();
        while let Some(pid) = next.pop() {
            // Whoever is over by now has no children any more: the init has.
            let status = fs::read_to_string(directory(pid).join("status")).unwrap_or_default();
            seen.push((pid, resident(&status)));
            next.extend(children(pid));
        }
        let peak = seen.iter().map(|(_, resident)| resident.peak).sum();
        self.peak.fetch_max(peak, Ordering::Relaxed);
        Some(seen)
    }
}

fn directory(pid: u32) -> PathBuf {
    Path::new("/proc").join(pid.to_string())
}

/// The processes that any thread of this one has started.
fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(directory(pid).join("task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| numbers(&text))
        .collect()
}

fn numbers(text: &str) -> Vec<u32> {
    text.split_whitespace()
        .filter_map(|n| n.parse().ok())
        .collect()
}

/// Reads a `status` file. A process that is over, but not yet waited for, has no memory.
fn resident(status: &str) -> Resident {
    Resident {
        anonymous: kibibytes(status, "RssAnon:").unwrap_or(0),
        peak: kibibytes(status, "VmHWM:").unwrap_or(0),
    }
}

/// Memory of a process in which every page that others have too counts by its part.
fn own_part(pid: u32) -> Option<u64> {
    match fs::read_to_string(directory(pid).join("smaps_rollup")) {
        Ok(text) => kibibytes(&text, "Pss_Anon:").or_else(|| kibibytes(&text, "Pss:")),
        // It is over.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Some(0),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(0),
        Err(_) => None,
    }
}

/// The bytes behind a key in a file of `key number kB` lines.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    number.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_tells_what_is_in_use_and_what_was() {
        let status = "Name:\tpython3\nVmPeak:\t   99999 kB\nVmHWM:\t   20480 kB\nVmRSS:\t   18432 kB\nRssAnon:\t   \
                      10240 kB\nRssFile:\t    8192 kB\n";
        assert_eq!(
            resident(status),
            Resident {
                anonymous: 10 << 20,
                peak: 20 << 20
            }
        );
        assert_eq!(
            resident("Name:\tsh\nState:\tZ (zombie)\n"),
            Resident::default()
        );
        assert_eq!(kibibytes("Pss_Anon: 7 MB\n", "Pss_Anon:"), None);
    }

    #[test]
    fn what_runs_below_a_process_is_found_and_remembered() {
        // A shell, its child and its grandchild; the shell stands for the init.
        let mut init = std::process::Command::new("/bin/sh")
            .args(["-c", "sh -c 'sleep 1000 & echo up; wait' & wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut up = [0; 3];
        let mut said = init.stdout.take().unwrap();
        said.read_exact(&mut up).unwrap();
        let processes = Processes::of(init.id());
        let seen = processes.look().unwrap();
        assert_eq!(seen.len(), 2, "{seen:?}");
        assert!(seen.iter().all(|(_, r)| r.peak > 0), "{seen:?}");
        assert!(processes.anonymous().is_some_and(|now| now > 0));
        let peak = processes.peak();
        assert!(peak.is_some_and(|peak| peak > 0));

        for (pid, _) in seen {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        init.kill().unwrap();
        init.wait().unwrap();
        assert_eq!(processes.anonymous(), None, "the init is over");
        assert_eq!(processes.peak(), peak, "what was is remembered");
    }
}
