//! Cgroups of an ordinary user's own, as a service manager would give it some.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A directory of one name in every hierarchy, which belongs to one user. Removed when dropped.
pub struct Delegation {
    name: String,
    dirs: Vec<PathBuf>,
}

impl Delegation {
    /// Makes it in every hierarchy that a driver might use, with all controllers passed down that version 2 has. Needs
    /// root.
    pub fn to(user: u32, name: &str) -> io::Result<Self> {
        let mut made = Self {
            name: name.to_owned(),
            dirs: Vec::new(),
        };
        for (mount, is_version_2) in hierarchies()? {
            if is_version_2 {
                let offered = fs::read_to_string(mount.join("cgroup.controllers"))?;
                for controller in ["memory", "cpu", "pids"] {
                    if offered.split_whitespace().any(|c| c == controller) {
                        fs::write(
                            mount.join("cgroup.subtree_control"),
                            format!("+{controller}"),
                        )?;
                    }
                }
            }
            let dir = mount.join(name);
            fs::create_dir(&dir)?;
            for place in [
                dir.clone(),
                dir.join("cgroup.procs"),
                dir.join("cgroup.subtree_control"),
            ] {
                if place.try_exists()? {
                    std::os::unix::fs::chown(place, Some(user), Some(user))?;
                }
            }
            made.dirs.push(dir);
        }
        Ok(made)
    }

    /// The name, as a driver is told it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Shell that moves whoever runs it into it: version 2 lets a process be moved only by whoever may take it from where it
    /// is.
    pub fn enter(&self) -> String {
        let into = |dir: &PathBuf| format!("echo $$ > {}/cgroup.procs\n", dir.display());
        self.dirs.iter().map(into).collect()
    }
}

impl Drop for Delegation {
    fn drop(&mut self) {
        for dir in &self.dirs {
            remove(dir);
        }
    }
}

/// Removes a group and those below it; its files go with it.
fn remove(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(dir);
}

/// The mounts of cgroups, and whether they are of version 2.
fn hierarchies() -> io::Result<Vec<(PathBuf, bool)>> {
    let used = ["memory", "cpu", "cpuacct", "pids", "freezer"];
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let mut found = Vec::new();
    for line in mounts.lines() {
        let Some((left, right)) = line.split_once(" - ") else {
            continue;
        };
        let (mount, mut right) = (left.split(' ').nth(4).unwrap_or(""), right.split(' '));
        let (kind, options) = (right.next(), right.nth(1).unwrap_or(""));
        match kind {
            Some("cgroup2") => found.push((mount.into(), true)),
            Some("cgroup") if options.split(',').any(|o| used.contains(&o)) => {
                found.push((mount.into(), false));
            }
            _ => {}
        }
    }
    Ok(found)
}
