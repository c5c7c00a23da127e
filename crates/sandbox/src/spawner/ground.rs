//! The ground a spawner stands on: what this host lets it do, found out by trying, and the resources it prepares for
//! all its sandboxes.

use std::{
    fs, io,
    os::fd::{AsFd as _, OwnedFd},
    path::Path,
};

use rustix::thread::CapabilitySet;

use super::{
    confine::Filters,
    egress::Egress,
    stage::Stage,
    sys::{self, ns},
};
use crate::{
    linux::{
        SUBUIDS,
        cgroup::{Hierarchy, Layout},
    },
    network::rules::Router,
    report::{Finding, Piece, Report},
    wire::{At as _, Configuration, StepError},
};

/// What all sandboxes share.
pub(crate) struct Ground {
    pub(crate) stage: Stage,
    pub(crate) layout: Layout,
    pub(crate) filters: Option<Filters>,
    pub(crate) network: OwnedFd,
    /// First host id for sandboxes; `None`: they run as the node's own user.
    pub(crate) subuid_base: Option<u32>,
    /// Flags of the namespaces that an init is born into.
    pub(crate) namespaces: i32,
    pub(crate) cgroup_namespace: bool,
    pub(crate) own_host_name: bool,
    pub(crate) fresh_proc: bool,
    pub(crate) landlock: bool,
    pub(crate) drop_groups: bool,
    /// Whether another process may enter the namespaces of an init, which shows itself only to who has rights over the
    /// whole machine's or container's processes.
    pub(crate) may_join: bool,
    /// What connects sandboxes to other machines; `None`: nothing does.
    pub(crate) egress: Option<Egress>,
}

impl Ground {
    /// Flags of all namespaces that a process inside has for itself.
    pub(crate) fn all_namespaces(&self) -> i32 {
        let cgroup = if self.cgroup_namespace { ns::CGROUP } else { 0 };
        self.namespaces | ns::NET | cgroup
    }
}

/// Tries every piece. Without the essential ones there is no ground.
///
/// The process has one thread. It leaves its mount namespace, and without privilege its user namespace.
pub(crate) fn survey(configuration: &Configuration) -> (Report, Layout, Option<Ground>) {
    let mut survey = Survey {
        report: Report::default(),
        in_user_namespace: false,
    };
    let ground = survey.run(configuration);
    let layout = ground
        .as_ref()
        .map(|g| g.layout.clone())
        .unwrap_or_default();
    for piece in Piece::ALL {
        let unwanted = piece == Piece::Egress && configuration.router.is_none();
        if survey.report.get(piece).is_none() && !unwanted {
            survey.missing(
                piece,
                "not tried, because an essential piece is missing",
                "fix that piece first",
            );
        }
    }
    (survey.report, layout, ground)
}

struct Survey {
    report: Report,
    in_user_namespace: bool,
}

impl Survey {
    fn enforced(&mut self, piece: Piece, detail: impl Into<String>) {
        self.report.set(
            piece,
            Finding::Enforced {
                detail: detail.into(),
            },
        );
    }

    fn missing(&mut self, piece: Piece, why: impl Into<String>, remedy: &str) {
        self.report.set(
            piece,
            Finding::Missing {
                why: why.into(),
                remedy: remedy.to_owned(),
            },
        );
    }

    /// Records a trial; answers whether it went well.
    fn tried(&mut self, piece: Piece, result: io::Result<()>, remedy: &str) -> bool {
        match result {
            Ok(()) => self.enforced(piece, ""),
            Err(error) => self.missing(piece, error.to_string(), remedy),
        }
        self.report.enforces(piece)
    }

    fn run(&mut self, configuration: &Configuration) -> Option<Ground> {
        let subuid_base = self.user_namespace(configuration.subuid_base)?;
        self.no_new_privs();
        let host = sys::current_network().ok();
        let network = self.namespaces();
        let filters = self.seccomp();
        self.landlock();
        self.fresh_proc();
        let layout = self.cgroups(&configuration.cgroup_parent);
        let mut stage = self.stage(&configuration.scratch)?;
        self.overlay(&mut stage);
        let network = network?;
        let egress = match (&configuration.router, host) {
            (Some(router), Some(host)) => self.egress(router, host, &network),
            _ => None,
        };
        let whole = Piece::ALL
            .into_iter()
            .filter(|p| p.is_essential())
            .all(|p| self.report.enforces(p));
        let has = |piece| self.report.enforces(piece);
        let optional = [
            (Piece::IpcNamespace, ns::IPC),
            (Piece::UtsNamespace, ns::UTS),
        ];
        let optional = optional
            .into_iter()
            .filter(|(piece, _)| has(*piece))
            .fold(0, |all, (_, flag)| all | flag);
        whole.then(|| Ground {
            stage,
            layout,
            filters,
            network,
            subuid_base,
            namespaces: ns::USER | ns::PID | ns::MOUNT | optional,
            cgroup_namespace: has(Piece::CgroupNamespace),
            own_host_name: has(Piece::UtsNamespace),
            fresh_proc: has(Piece::FreshProc),
            landlock: has(Piece::Landlock),
            drop_groups: subuid_base.is_some(),
            may_join: !self.in_user_namespace,
            egress,
        })
    }

    /// The process is in the network `home`.
    fn egress(&mut self, router: &Router, host: OwnedFd, home: &OwnedFd) -> Option<Egress> {
        if self.in_user_namespace {
            self.missing(
                Piece::Egress,
                "only a node that is root connects sandboxes to other machines",
                "run the node as root",
            );
            return None;
        }
        if !self.report.enforces(Piece::NetNamespace) {
            return None;
        }
        let home = home.try_clone().ok()?;
        match Egress::set_up(router, host, home) {
            Ok(egress) => {
                self.enforced(Piece::Egress, egress.describe());
                Some(egress)
            }
            Err(unfit) => {
                self.missing(Piece::Egress, unfit.why, unfit.remedy);
                None
            }
        }
    }

    fn user_namespace(&mut self, base: u32) -> Option<Option<u32>> {
        const REMEDY: &str = "run the node as root, or allow unprivileged user namespaces (sysctl \
                              user.max_user_namespaces > 0, kernel.unprivileged_userns_clone = 1, \
                              kernel.apparmor_restrict_unprivileged_userns = 0)";
        let privileged = rustix::thread::capabilities(None).is_ok_and(|sets| {
            sets.effective
                .contains(CapabilitySet::SYS_ADMIN | CapabilitySet::SETUID | CapabilitySet::SETGID)
        });
        let entered = if privileged {
            sys::trial(ns::USER, || Ok(())).at("clone")
        } else {
            enter_user_namespace()
        };
        if let Err(error) = entered {
            self.missing(Piece::UserNamespace, error.to_string(), REMEDY);
            return None;
        }
        self.in_user_namespace = !privileged;
        if privileged
            && maps_ids(
                &fs::read_to_string("/proc/self/uid_map").unwrap_or_default(),
                base,
            )
        {
            self.enforced(
                Piece::UserNamespace,
                format!("one host uid per sandbox, from {base}"),
            );
            self.enforced(Piece::GroupsDropped, "");
            return Some(Some(base));
        }
        self.enforced(
            Piece::UserNamespace,
            "sandboxes share the node's own host uid",
        );
        let groups = rustix::process::getgroups().unwrap_or_default();
        let own = rustix::process::getegid();
        if privileged || groups.iter().all(|group| *group == own) {
            self.enforced(Piece::GroupsDropped, "");
        } else {
            self.missing(
                Piece::GroupsDropped,
                format!(
                    "without privilege {} supplementary groups cannot be dropped",
                    groups.len()
                ),
                "run the node as root, or as a user without supplementary groups",
            );
        }
        Some(None)
    }

    fn no_new_privs(&mut self) {
        let known = rustix::thread::no_new_privs()
            .map(drop)
            .map_err(io::Error::from);
        self.tried(Piece::NoNewPrivs, known, "use Linux 5.13 or newer");
    }

    /// Answers the network that the spawner lives in: an empty one of its own, because without privilege it may not
    /// return to the host's from the sandbox's.
    fn namespaces(&mut self) -> Option<OwnedFd> {
        const REMEDY: &str =
            "run the node as root, or lift the seccomp or AppArmor profile that forbids it";
        let own = sys::unshare(ns::MOUNT).and_then(|()| sys::make_all_mounts_slave());
        self.tried(Piece::MountNamespace, own, REMEDY);
        let home = sys::unshare(ns::NET).and_then(|()| Ok(sys::current_network()?));
        let net = home
            .as_ref()
            .map_err(|e| io::Error::from_raw_os_error(e.raw_os_error().unwrap_or(libc::EIO)));
        let net = net.and_then(|home| {
            sys::trial(0, || {
                sys::unshare(ns::NET)?;
                sys::loopback_up()?;
                sys::enter(home.as_fd(), ns::NET)
            })
        });
        self.tried(Piece::NetNamespace, net, REMEDY);
        let rest = [
            (Piece::PidNamespace, ns::PID),
            (Piece::IpcNamespace, ns::IPC),
            (Piece::UtsNamespace, ns::UTS),
            (Piece::CgroupNamespace, ns::CGROUP),
        ];
        for (piece, flag) in rest {
            self.tried(piece, sys::trial(ns::USER | flag, || Ok(())), REMEDY);
        }
        home.ok()
    }

    fn seccomp(&mut self) -> Option<Filters> {
        let compiled = sys::seccomp_available()
            .at("ask for seccomp")
            .and_then(|()| Filters::compile());
        match compiled {
            Ok(filters) => {
                self.enforced(Piece::Seccomp, "");
                Some(filters)
            }
            Err(error) => {
                self.missing(
                    Piece::Seccomp,
                    error.to_string(),
                    "use a kernel with CONFIG_SECCOMP_FILTER",
                );
                None
            }
        }
    }

    fn landlock(&mut self) {
        match sys::landlock_abi() {
            Ok(abi) => self.enforced(Piece::Landlock, format!("ABI {abi}")),
            Err(error) => self.missing(
                Piece::Landlock,
                error.to_string(),
                "use Linux 5.13 or newer with CONFIG_SECURITY_LANDLOCK, and `landlock` in the lsm= boot parameter",
            ),
        }
    }

    fn fresh_proc(&mut self) {
        let mounted = sys::trial(ns::USER | ns::PID | ns::MOUNT, || {
            super::mounts::file_system("proc", &[], super::mounts::SCRATCH_FILES)
                .map(drop)
                .map_err(|e| e.source())
        });
        self.tried(
            Piece::FreshProc,
            mounted,
            "the node's own /proc is partly hidden: run it with an unmasked /proc (Kubernetes: procMount: Unmasked)",
        );
    }

    fn cgroups(&mut self, parent: &str) -> Layout {
        const REMEDY: &str = "run the node as root with a writable /sys/fs/cgroup, or start it in a cgroup that is \
                              delegated to its user (systemd: Delegate=yes) and name that one in sandbox.cgroup_parent";
        let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        let mut layout = Layout::detect(&mountinfo, parent);
        for (piece, error) in layout.prepare(try_entering) {
            self.missing(piece, error.to_string(), REMEDY);
        }
        for piece in [
            Piece::CgroupMemory,
            Piece::CgroupCpu,
            Piece::CgroupPids,
            Piece::CgroupFreezer,
        ] {
            match layout.of(piece) {
                Some(hierarchy) => {
                    let mut detail = format!("cgroup {:?}", hierarchy.version).to_lowercase();
                    if piece == Piece::CgroupMemory && !layout.keeps_peak() {
                        detail.push_str(
                            ", of a kernel before 5.19 that keeps no peak: reports tell the processes' own",
                        );
                    }
                    self.enforced(piece, detail);
                }
                None if self.report.get(piece).is_none() => {
                    self.missing(
                        piece,
                        "no mounted cgroup hierarchy offers it",
                        "mount cgroup2 with this controller",
                    );
                }
                None => {}
            }
        }
        layout
    }

    fn stage(&mut self, scratch: &Path) -> Option<Stage> {
        if !self.report.enforces(Piece::MountNamespace) {
            return None;
        }
        match Stage::assemble(scratch, self.in_user_namespace) {
            Ok(stage) => Some(stage),
            Err(error) => {
                self.missing(
                    Piece::MountNamespace,
                    error.to_string(),
                    "let the node mount in its own namespace: lift the seccomp or AppArmor profile that forbids it",
                );
                None
            }
        }
    }

    fn overlay(&mut self, stage: &mut Stage) {
        match stage.try_overlay() {
            Ok(()) => {
                stage.use_overlay();
                self.enforced(Piece::Overlay, "");
            }
            Err(error) => self.missing(
                Piece::Overlay,
                error.to_string(),
                "load the overlay module; without privilege use Linux 5.11 or newer",
            ),
        }
    }
}

/// Whether a process of this spawner gets into a group of this hierarchy.
fn try_entering(hierarchy: &Hierarchy) -> io::Result<()> {
    let group = hierarchy.group(&format!("trial-{}", std::process::id()));
    group.create()?;
    let entered = sys::trial(0, || group.attach(rustix::process::getpid()));
    group.remove()?;
    entered.map_err(|error| {
        let why = format!("no process of this node gets into a group there: {error}");
        io::Error::new(error.kind(), why)
    })
}

/// Becomes root of a user namespace of its own, in which the node's user is the only one.
fn enter_user_namespace() -> Result<(), StepError> {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    sys::unshare(ns::USER).at("unshare")?;
    fs::write("/proc/self/setgroups", "deny").at("deny setgroups")?;
    fs::write("/proc/self/uid_map", format!("0 {} 1", uid.as_raw())).at("map the uid")?;
    fs::write("/proc/self/gid_map", format!("0 {} 1", gid.as_raw())).at("map the gid")
}

/// Whether the text of a `uid_map` file covers all ids from `base` on that sandboxes may get.
fn maps_ids(uid_map: &str, base: u32) -> bool {
    uid_map.lines().any(|line| {
        let mut fields = line
            .split_whitespace()
            .map_while(|field| field.parse::<u64>().ok());
        let (Some(first), Some(_), Some(count)) = (fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        first <= u64::from(base) && u64::from(base) + u64::from(SUBUIDS) <= first + count
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_mapped_only_if_the_whole_range_is() {
        assert!(maps_ids(
            "         0          0 4294967295\n",
            1_879_048_192
        ));
        assert!(!maps_ids(
            "         0     100000      65536\n",
            1_879_048_192
        ));
        assert!(!maps_ids("0 0 1879048193\n", 1_879_048_192));
        assert!(!maps_ids("", 0));
    }
}
