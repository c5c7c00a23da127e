//! What a process may ask the kernel for: the system call filter, Landlock, capabilities, resource limits.
//!
//! All of it is applied to the init of a sandbox when its root is complete, and is inherited by everything it starts.
//! The filter lists what is refused: what remains must be safe in a namespace without privilege, and a list of what is
//! allowed would break programs that nobody here has seen.

use std::{collections::BTreeMap, io, os::fd::OwnedFd, path::PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd,
    Ruleset, RulesetAttr as _, RulesetCreatedAttr as _, RulesetStatus,
};
use rustix::{
    process::{Resource, Rlimit, setrlimit},
    thread::{CapabilitySet, CapabilitySets},
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::sys::ns;
use crate::wire::{At as _, StepError};

/// Landlock's interface up to which our rules are known to be right; older kernels get what they have.
const LANDLOCK_KNOWN: ABI = ABI::V6;

/// Filter programs, compiled once.
pub(crate) struct Filters(Vec<BpfProgram>);

impl Filters {
    /// Compiles the filters for the machine this runs on.
    pub(crate) fn compile() -> Result<Self, StepError> {
        let invalid = |e: seccompiler::BackendError| io::Error::new(io::ErrorKind::InvalidData, e);
        let arch = TargetArch::try_from(std::env::consts::ARCH)
            .map_err(invalid)
            .at("system call filter")?;
        let refused = SeccompFilter::new(
            refused_calls().map_err(invalid).at("system call filter")?,
            SeccompAction::Allow,
            SeccompAction::Errno(libc::EPERM.cast_unsigned()),
            arch,
        );
        // glibc falls back to clone, whose flags a filter can see, only if clone3 does not exist.
        let absent = SeccompFilter::new(
            BTreeMap::from([(libc::SYS_clone3, Vec::new())]),
            SeccompAction::Allow,
            SeccompAction::Errno(libc::ENOSYS.cast_unsigned()),
            arch,
        );
        let mut programs = Vec::new();
        for filter in [refused, absent] {
            let program: BpfProgram = filter
                .and_then(BpfProgram::try_from)
                .map_err(invalid)
                .at("system call filter")?;
            programs.push(program);
        }
        if let Some(first) = programs.first_mut() {
            first.splice(0..0, kill_second_abi());
        }
        Ok(Self(programs))
    }

    /// The programs as the kernel reads them, an instruction a word.
    pub(crate) fn words(&self) -> Vec<Vec<u64>> {
        let word = |i: &seccompiler::sock_filter| {
            let [a, b] = i.code.to_ne_bytes();
            let [e, f, g, h] = i.k.to_ne_bytes();
            u64::from_ne_bytes([a, b, i.jt, i.jf, e, f, g, h])
        };
        let programs = self.0.iter();
        programs.map(|p| p.iter().map(word).collect()).collect()
    }

    fn apply(&self) -> Result<(), StepError> {
        for program in &self.0 {
            seccompiler::apply_filter(program)
                .map_err(io::Error::other)
                .at("system call filter")?;
        }
        Ok(())
    }
}

/// On x86-64 the numbers from 0x4000_0000 on are the x32 calls: the same calls under the same architecture mark, so
/// a list of numbers would miss them. (Foreign architectures are killed by the filter's own prologue.)
fn kill_second_abi() -> Vec<seccompiler::sock_filter> {
    if cfg!(not(target_arch = "x86_64")) {
        return Vec::new();
    }
    let instruction = |code: u32, jt, jf, k| seccompiler::sock_filter {
        code: u16::try_from(code).unwrap_or_default(),
        jt,
        jf,
        k,
    };
    vec![
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(
            libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K,
            0,
            1,
            0x4000_0000,
        ),
        instruction(
            libc::BPF_RET | libc::BPF_K,
            0,
            0,
            libc::SECCOMP_RET_KILL_PROCESS,
        ),
    ]
}

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Calls refused with EPERM, some only for certain arguments.
fn refused_calls() -> Result<Rules, seccompiler::BackendError> {
    let mut rules: Rules = ALWAYS_REFUSED
        .iter()
        .chain(ALWAYS_REFUSED_HERE)
        .map(|call| (*call, Vec::new()))
        .collect();

    let namespaces = [
        ns::USER,
        ns::PID,
        ns::MOUNT,
        ns::NET,
        ns::IPC,
        ns::UTS,
        ns::CGROUP,
    ];
    let clone = namespaces
        .into_iter()
        .map(|flag| {
            let flag = u64::from(flag.cast_unsigned());
            SeccompRule::new(vec![argument(0, SeccompCmpOp::MaskedEq(flag), flag)?])
        })
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_clone, clone);

    let families = [
        libc::AF_UNIX,
        libc::AF_INET,
        libc::AF_INET6,
        libc::AF_NETLINK,
    ];
    let other_family = families
        .into_iter()
        .map(|family| argument(0, SeccompCmpOp::Ne, u64::from(family.cast_unsigned())))
        .collect::<Result<Vec<_>, _>>()?;
    let other_netlink = vec![
        argument(
            0,
            SeccompCmpOp::Eq,
            u64::from(libc::AF_NETLINK.cast_unsigned()),
        )?,
        argument(
            2,
            SeccompCmpOp::Ne,
            u64::from(libc::NETLINK_ROUTE.cast_unsigned()),
        )?,
    ];
    rules.insert(
        libc::SYS_socket,
        vec![
            SeccompRule::new(other_family)?,
            SeccompRule::new(other_netlink)?,
        ],
    );
    let not_unix = argument(
        0,
        SeccompCmpOp::Ne,
        u64::from(libc::AF_UNIX.cast_unsigned()),
    )?;
    rules.insert(
        libc::SYS_socketpair,
        vec![SeccompRule::new(vec![not_unix])?],
    );

    let terminal = [libc::TIOCSTI, libc::TIOCLINUX]
        .into_iter()
        .map(|request| SeccompRule::new(vec![argument(1, SeccompCmpOp::Eq, request)?]))
        .collect::<Result<Vec<_>, _>>()?;
    rules.insert(libc::SYS_ioctl, terminal);

    // Asking for the personality is harmless, changing it is not.
    let change = argument(0, SeccompCmpOp::Ne, 0xffff_ffff)?;
    rules.insert(libc::SYS_personality, vec![SeccompRule::new(vec![change])?]);
    Ok(rules)
}

/// A condition on the low half of an argument: these are all ints, and the kernel ignores the rest.
fn argument(
    index: u8,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(index, SeccompCmpArgLen::Dword, operator, value)
}

const ALWAYS_REFUSED: &[i64] = &[
    // mounts and namespaces
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    SYS_STATMOUNT,
    SYS_LISTMOUNT,
    SYS_OPEN_TREE_ATTR,
    libc::SYS_unshare,
    libc::SYS_setns,
    // other processes
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // large kernel surfaces
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_fanotify_init,
    libc::SYS_move_pages,
    libc::SYS_migrate_pages,
    // files by handle go around every path
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    // the machine
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_acct,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_reboot,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

// The same numbers on every architecture; too new for the bindings.
const SYS_STATMOUNT: i64 = 457;
const SYS_LISTMOUNT: i64 = 458;
const SYS_OPEN_TREE_ATTR: i64 = 467;

#[cfg(target_arch = "x86_64")]
const ALWAYS_REFUSED_HERE: &[i64] = &[
    libc::SYS_kexec_file_load,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
    libc::SYS__sysctl,
    libc::SYS_nfsservctl,
    libc::SYS_lookup_dcookie,
];
#[cfg(not(target_arch = "x86_64"))]
const ALWAYS_REFUSED_HERE: &[i64] = &[];

/// Confines this process and all it will start. `readable` are further directories it may read. What comes after
/// this has no capability, gains none by exec, and passes the filter. Answers the rules about files, for a process that
/// joins later.
pub(crate) fn confine(
    filters: Option<&Filters>,
    landlock: bool,
    readable: &[PathBuf],
    pids_max: u32,
    nofile_max: u32,
) -> Result<Option<OwnedFd>, StepError> {
    set_limits(pids_max, nofile_max)?;
    drop_capabilities()?;
    rustix::thread::set_no_new_privs(true).at("no_new_privs")?;
    let rules = if landlock {
        restrict_files(readable)?
    } else {
        None
    };
    filters.map_or(Ok(()), Filters::apply)?;
    Ok(rules)
}

/// The resource limits of every process inside. The processes are counted in the sandbox's own user namespace: a second
/// bound beside the cgroup's. One more for the init.
pub(crate) fn limits(pids_max: u32, nofile_max: u32) -> [(Resource, &'static str, u64); 3] {
    [
        (Resource::Nofile, "nofile", u64::from(nofile_max)),
        (Resource::Core, "core", 0),
        (Resource::Nproc, "nproc", u64::from(pids_max) + 1),
    ]
}

fn set_limits(pids_max: u32, nofile_max: u32) -> Result<(), StepError> {
    for (resource, _, most) in limits(pids_max, nofile_max) {
        // A limit that the node itself has below ours cannot be raised again, and holds.
        let most = rustix::process::getrlimit(resource)
            .maximum
            .map_or(most, |hard| hard.min(most));
        setrlimit(
            resource,
            Rlimit {
                current: Some(most),
                maximum: Some(most),
            },
        )
        .at("resource limits")?;
    }
    Ok(())
}

fn drop_capabilities() -> Result<(), StepError> {
    rustix::thread::clear_ambient_capability_set().at("drop ambient capabilities")?;
    for bit in 0..64 {
        // The kernel ends the list with EINVAL.
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match rustix::thread::remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            Err(rustix::io::Errno::INVAL) => break,
            Err(errno) => {
                return Err(StepError::new(
                    "drop capabilities from the bounding set",
                    errno,
                ));
            }
        }
    }
    let none = CapabilitySet::empty();
    rustix::thread::set_capabilities(
        None,
        CapabilitySets {
            effective: none,
            permitted: none,
            inheritable: none,
        },
    )
    .at("drop capabilities")
}

/// The kernel's scopes for signals and abstract sockets are not used: namespaces are that wall already, and a process that
/// joins has a domain of its own, which its init could not signal.
fn restrict_files(readable: &[PathBuf]) -> Result<Option<OwnedFd>, StepError> {
    let read = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    let device = AccessFs::ReadFile
        | AccessFs::WriteFile
        | AccessFs::ReadDir
        | AccessFs::IoctlDev
        | AccessFs::Truncate;
    let process = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::ReadDir | AccessFs::Truncate;
    let all = AccessFs::from_all(LANDLOCK_KNOWN);

    let mut rules: Vec<(PathBuf, BitFlags<AccessFs>)> = vec![
        ("/".into(), AccessFs::ReadDir.into()),
        ("/dev".into(), device),
        ("/proc".into(), process),
        ("/tmp".into(), all),
    ];
    for name in [
        "usr", "bin", "sbin", "lib", "lib64", "lib32", "libx32", "etc", "var", "opt",
    ] {
        rules.push((PathBuf::from("/").join(name), read));
    }
    rules.extend(readable.iter().map(|path| (path.clone(), read)));

    let apply = || -> Result<(RulesetStatus, Option<OwnedFd>), landlock::RulesetError> {
        let mut ruleset = Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(all)?
            .create()?;
        for (path, access) in rules {
            // Not every distribution has every one of these directories.
            if let Ok(directory) = PathFd::new(path) {
                ruleset = ruleset.add_rule(PathBeneath::new(directory, access))?;
            }
        }
        let kept = ruleset.try_clone().ok().and_then(Into::into);
        Ok((ruleset.restrict_self()?.ruleset, kept))
    };
    match apply().map_err(io::Error::other).at("landlock")? {
        (RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced, rules) => Ok(rules),
        (RulesetStatus::NotEnforced, _) => {
            Err(StepError::new("landlock", rustix::io::Errno::NOSYS))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_compile_and_the_second_abi_is_checked_first() {
        let filters = Filters::compile().unwrap();
        assert_eq!(filters.0.len(), 2);
        for program in &filters.0 {
            assert!(
                program.len() < 4096,
                "the kernel takes at most 4096 instructions"
            );
        }
        if cfg!(target_arch = "x86_64") {
            assert_eq!(filters.0[0][1].k, 0x4000_0000);
        }
    }

    #[test]
    fn the_calls_with_conditions_are_not_refused_as_a_whole() {
        let rules = refused_calls().unwrap();
        for call in [
            libc::SYS_clone,
            libc::SYS_socket,
            libc::SYS_socketpair,
            libc::SYS_ioctl,
            libc::SYS_personality,
        ] {
            assert!(!rules[&call].is_empty());
        }
        assert!(rules[&libc::SYS_mount].is_empty());
        assert!(!rules.contains_key(&libc::SYS_execve));
    }
}
