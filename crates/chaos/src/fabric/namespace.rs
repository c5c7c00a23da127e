//! The namespaces of a fabric's hosts and the devices in them: made, entered, swept.
//!
//! A namespace is one of those that `ip netns` lists. Its device is made on a thread that has entered it, so that the
//! machine's own namespace never sees it; the end that the relay holds keeps it alive, and it goes with that.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use rustix::{
    process::{Pid, PidfdFlags, PidfdGetfdFlags, Signal},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use tokio::time::Instant;

use super::{FabricError, HostSpec};

/// Where `ip netns` keeps its names.
const NAMES: &str = "/var/run/netns";
/// What a device is called in its namespace.
const DEVICE: &str = "eth0";
/// How many packets a device holds for the relay.
const QUEUE: u16 = 2000;
/// How long processes may take to die of a SIGKILL.
const DEATH_MAX: Duration = Duration::from_secs(5);
const DEATH_POLL: Duration = Duration::from_millis(5);

/// One namespace. Dropping it takes the name away; the kernel takes the rest once nothing is in it.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

/// What is missing here, if anything.
pub(crate) fn possible() -> Result<(), FabricError> {
    if !rustix::process::geteuid().is_root() {
        return Err(FabricError::NotRoot);
    }
    for (tool, package) in [("ip", "iproute2"), ("nsenter", "util-linux")] {
        let asked = Command::new(tool)
            .arg("-V")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if asked.is_err() {
            return Err(FabricError::NoTool { tool, package });
        }
    }
    File::options()
        .read(true)
        .write(true)
        .open("/dev/net/tun")
        .map(drop)
        .map_err(FabricError::NoTun)
}

/// Takes away what a killed run of this prefix left: its namespaces, and the processes in them, which nobody can reach any
/// more.
pub(crate) fn sweep(prefix: &str) -> Result<(), FabricError> {
    let begins = format!("{prefix}-");
    let listed = ip(&["netns", "list"], "")?;
    let names = listed.lines().filter_map(|l| l.split_whitespace().next());
    for name in names.filter(|name| name.starts_with(&begins)) {
        let left = Namespace {
            name: name.to_owned(),
        };
        tracing::info!(namespace = name, "sweeping what an earlier fabric left");
        left.kill_all();
    }
    Ok(())
}

/// A device in the machine's own namespace, with a route to each of the others.
pub(crate) fn on_the_machine(
    prefix: &str,
    spec: &HostSpec,
    hosts: &[HostSpec],
    mtu: u16,
) -> Result<OwnedFd, FabricError> {
    let device = format!("{prefix}net");
    let fd = make_device(&device, spec)?;
    let address = spec.address;
    let mut batch = set_up(&device, spec, mtu);
    for host in hosts.iter().filter(|host| host.name != spec.name) {
        let other = host.address;
        batch.push_str(&format!(
            "route add {other}/32 dev {device} src {address}\n"
        ));
    }
    ip(&["-batch", "-"], &batch)?;
    Ok(fd)
}

impl Namespace {
    /// A namespace with its loopback up and a device that everything else goes through.
    pub(crate) fn make(
        prefix: &str,
        spec: &HostSpec,
        mtu: u16,
    ) -> Result<(Self, OwnedFd), FabricError> {
        let name = format!("{prefix}-{}", spec.name);
        ip(&["netns", "add", &name], "")?;
        let namespace = Self { name };
        let fd = namespace.enter(|| {
            // Nothing here speaks IPv6; a kernel without it has no such file.
            if let Err(error) = std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1") {
                tracing::debug!(%error, "IPv6 stays as it is");
            }
            make_device(DEVICE, spec)
        })??;
        let mut batch = "link set lo up\n".to_owned();
        batch.push_str(&set_up(DEVICE, spec, mtu));
        batch.push_str(&format!("route add default dev {DEVICE}\n"));
        ip(&["-n", &namespace.name, "-batch", "-"], &batch)?;
        Ok((namespace, fd))
    }

    /// A command that runs a program in here. `ip netns exec` would also hide the machine's `/sys`, and cgroups with it.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path().display()))
            .arg("--")
            .arg(program);
        command
    }

    /// Runs `work` on a thread in here.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, FabricError> {
        let refused = |source| FabricError::System {
            doing: "enter a namespace",
            source,
        };
        let door = File::open(self.path()).map_err(refused)?;
        let entered = std::thread::scope(|scope| {
            let inside = scope.spawn(move || -> io::Result<T> {
                move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))?;
                Ok(work())
            });
            inside.join()
        });
        match entered {
            Ok(done) => done.map_err(refused),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Kills every process in here and waits, not for ever, until it is gone.
    pub(crate) fn kill_all(&self) {
        let deadline = Instant::now() + DEATH_MAX;
        loop {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                tracing::warn!(namespace = self.name, ?left, "processes do not die");
                return;
            }
            for pid in left {
                // One that is gone meanwhile is what was wanted.
                let _gone = rustix::process::kill_process(pid, Signal::KILL);
            }
            std::thread::sleep(DEATH_POLL);
        }
    }

    fn processes(&self) -> Vec<Pid> {
        let me = rustix::process::getpid();
        match ip(&["netns", "pids", &self.name], "") {
            Ok(listed) => listed
                .lines()
                .filter_map(|line| Pid::from_raw(line.trim().parse().ok()?))
                .filter(|pid| *pid != me)
                .collect(),
            Err(error) => {
                tracing::warn!(%error, "what runs in a namespace is not known");
                Vec::new()
            }
        }
    }

    fn path(&self) -> PathBuf {
        Path::new(NAMES).join(&self.name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if let Err(error) = ip(&["netns", "del", &self.name], "") {
            tracing::warn!(%error, "a namespace is left; the next fabric of its prefix sweeps it");
        }
    }
}

/// A TUN device in the calling thread's namespace, as the end that packets are read from and written to. Without offloads,
/// so every packet is one that could be on a wire, with its checksums.
fn make_device(name: &str, spec: &HostSpec) -> Result<OwnedFd, FabricError> {
    let device = || -> Result<tun::Device, tun::Error> {
        let mut wanted = tun::Configuration::default();
        wanted.tun_name(name);
        // It would set an address and a mask that are not wanted.
        wanted.platform_config(|platform| {
            platform.ensure_root_privileges(false);
        });
        let device = tun::create(&wanted)?;
        device.set_nonblock()?;
        Ok(device)
    };
    let device = device().map_err(|source| FabricError::Device {
        host: spec.name.clone(),
        source,
    })?;
    own(&device).map_err(|source| FabricError::System {
        doing: "own a device's descriptor",
        source,
    })
}

/// A descriptor of the device that can be polled without trusting a bare number; the device's own closes with it.
fn own(device: &tun::Device) -> io::Result<OwnedFd> {
    let me = rustix::process::pidfd_open(rustix::process::getpid(), PidfdFlags::empty())?;
    Ok(rustix::process::pidfd_getfd(
        me,
        device.as_raw_fd(),
        PidfdGetfdFlags::empty(),
    )?)
}

fn set_up(device: &str, spec: &HostSpec, mtu: u16) -> String {
    let address = spec.address;
    format!(
        "link set dev {device} mtu {mtu} txqueuelen {QUEUE} up\naddress add {address}/32 dev {device}\n"
    )
}

/// Runs `ip` with this on its standard input. Answers what it printed.
fn ip(arguments: &[&str], stdin: &str) -> Result<String, FabricError> {
    let run = || -> io::Result<std::process::Output> {
        let mut child = Command::new("ip")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(stdin.as_bytes())?;
        }
        child.wait_with_output()
    };
    let output = run().map_err(|source| FabricError::System {
        doing: "run `ip`",
        source,
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(FabricError::Ip {
        command: format!("{} {}", arguments.join(" "), stdin.replace('\n', "; ")),
        stderr: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}
