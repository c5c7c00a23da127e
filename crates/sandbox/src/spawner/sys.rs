//! The system calls that have no safe wrapper, each with a narrow signature.
//!
//! Everything here is meant for a process with a single thread: the spawner, and the init it clones.

use std::{
    ffi::CString,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
};

use rustix::{
    io::Errno,
    mount::MountAttrFlags,
    net::{AddressFamily, SocketFlags, SocketType},
    process::Pid,
};

/// Which side of a fork this is.
pub(crate) enum Forked {
    /// The new process.
    Child,
    /// The old one; the descriptor refers to the new process and is closed on exec.
    Parent(Pid, OwnedFd),
}

/// Namespace flags of clone, unshare and setns.
pub(crate) mod ns {
    pub(crate) const USER: i32 = libc::CLONE_NEWUSER;
    pub(crate) const PID: i32 = libc::CLONE_NEWPID;
    pub(crate) const MOUNT: i32 = libc::CLONE_NEWNS;
    pub(crate) const NET: i32 = libc::CLONE_NEWNET;
    pub(crate) const IPC: i32 = libc::CLONE_NEWIPC;
    pub(crate) const UTS: i32 = libc::CLONE_NEWUTS;
    pub(crate) const CGROUP: i32 = libc::CLONE_NEWCGROUP;
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// Forks into new namespaces.
///
/// # Safety
/// The process has one thread: then the child is a complete copy, and no lock is held by a thread it lacks.
pub(crate) unsafe fn fork_into(namespaces: i32) -> io::Result<Forked> {
    let mut pidfd: RawFd = -1;
    // SAFETY: all-zero is a valid clone_args (every member is an integer; zero means unused).
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from((namespaces | libc::CLONE_PIDFD).cast_unsigned());
    args.pidfd = (&raw mut pidfd).addr() as u64;
    args.exit_signal = u64::from(libc::SIGCHLD.cast_unsigned());
    // SAFETY: args lives over the call and has the size that is passed; without CLONE_VM the child runs on a copy of
    // this stack; the caller vouches for the single thread.
    let pid = check(unsafe {
        libc::syscall(
            libc::SYS_clone3,
            &raw mut args,
            size_of::<libc::clone_args>(),
        )
    })?;
    match i32::try_from(pid).ok().and_then(Pid::from_raw) {
        None => Ok(Forked::Child),
        // SAFETY: with CLONE_PIDFD the kernel stored a new descriptor that nobody else owns.
        Some(pid) => Ok(Forked::Parent(pid, unsafe { OwnedFd::from_raw_fd(pidfd) })),
    }
}

/// Runs `body` in a child in new namespaces and waits for it: an error comes back by its number.
pub(crate) fn trial(namespaces: i32, body: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
    // SAFETY: callers are the spawner before it serves, which has one thread.
    match unsafe { fork_into(namespaces) }? {
        Forked::Child => {
            let status = match body() {
                Ok(()) => 0,
                Err(e) => e
                    .raw_os_error()
                    .filter(|n| (1..=255).contains(n))
                    .unwrap_or(libc::EIO),
            };
            exit_now(status)
        }
        Forked::Parent(pid, _pidfd) => {
            let waited = rustix::io::retry_on_intr(|| {
                rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty())
            })?;
            match waited.and_then(|(_, status)| status.exit_status()) {
                Some(0) => Ok(()),
                Some(errno) => Err(io::Error::from_raw_os_error(errno)),
                None => Err(io::Error::from_raw_os_error(libc::EINTR)),
            }
        }
    }
}

/// Forks; the answer in the child is `None`. Usable under the system call filter, which refuses clone3.
///
/// # Safety
/// As [`fork_into`].
pub(crate) unsafe fn fork() -> io::Result<Option<Pid>> {
    // SAFETY: passed on to the caller.
    let pid = check(libc::c_long::from(unsafe { libc::fork() }))?;
    Ok(i32::try_from(pid).ok().and_then(Pid::from_raw))
}

/// Ends the process without running anything of it.
pub(crate) fn exit_now(status: i32) -> ! {
    // SAFETY: _exit takes no pointer and does not return.
    unsafe { libc::_exit(status) }
}

/// Replaces the process; returns only an error.
pub(crate) fn execute(program: &CString, argv: &[CString], env: &[CString]) -> io::Error {
    let pointers = |strings: &[CString]| -> Vec<*const libc::c_char> {
        strings
            .iter()
            .map(|s| s.as_ptr())
            .chain([std::ptr::null()])
            .collect()
    };
    let (argv, env) = (pointers(argv), pointers(env));
    // SAFETY: both vectors end with null and point into C strings that live over the call.
    unsafe { libc::execve(program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

/// Leaves the given namespaces for new ones.
pub(crate) fn unshare(namespaces: i32) -> io::Result<()> {
    // SAFETY: unshare takes no pointer; none of the flags used here splits file tables or memory.
    check(libc::c_long::from(unsafe { libc::unshare(namespaces) })).map(drop)
}

/// Enters a namespace.
pub(crate) fn enter(namespace: BorrowedFd<'_>, kind: i32) -> io::Result<()> {
    // SAFETY: setns takes no pointer and the descriptor is borrowed over the call.
    check(libc::c_long::from(unsafe {
        libc::setns(namespace.as_raw_fd(), kind)
    }))
    .map(drop)
}

/// Sets attributes of a whole mount tree, and makes it private.
pub(crate) fn set_mount_attributes(
    tree: BorrowedFd<'_>,
    attributes: MountAttrFlags,
    recursive: bool,
) -> io::Result<()> {
    let attr = libc::mount_attr {
        attr_set: u64::from(attributes.bits()),
        attr_clr: 0,
        propagation: libc::MS_PRIVATE,
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is an empty C string, attr lives over the call and has the size that is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    })
    .map(drop)
}

/// Makes every mount of this namespace receive changes from, but not send them to, where it was copied from.
pub(crate) fn make_all_mounts_slave() -> io::Result<()> {
    // SAFETY: source, type and data may be null when only the propagation changes; the target is a C string.
    let done = unsafe {
        libc::mount(
            std::ptr::null(),
            c"/".as_ptr(),
            std::ptr::null(),
            libc::MS_REC | libc::MS_SLAVE,
            std::ptr::null(),
        )
    };
    check(libc::c_long::from(done)).map(drop)
}

/// Brings up the loopback device of the current network namespace.
pub(crate) fn loopback_up() -> io::Result<()> {
    let socket = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: all-zero is a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_flags = i16::try_from(libc::IFF_UP | libc::IFF_RUNNING).unwrap_or(1);
    // SAFETY: SIOCSIFFLAGS reads one ifreq, which lives over the call.
    check(libc::c_long::from(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)
    }))
    .map(drop)
}

/// Blocks SIGCHLD and answers a descriptor that is readable when a child changed state.
pub(crate) fn child_signals() -> io::Result<OwnedFd> {
    // SAFETY: all-zero is a valid sigset_t to be filled by sigemptyset; the set lives over all calls; signalfd with -1
    // answers a new descriptor that nobody else owns.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        check(libc::c_long::from(libc::sigprocmask(
            libc::SIG_BLOCK,
            &raw const set,
            std::ptr::null_mut(),
        )))?;
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(libc::c_long::from(fd))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Ignores the signals that a terminal or a service manager sends to a whole group: the node decides.
pub(crate) fn ignore_stop_signals() {
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGPIPE] {
        // SAFETY: SIG_IGN installs no function of ours.
        unsafe { libc::signal(signal, libc::SIG_IGN) };
    }
}

/// Puts every signal back to how a fresh process has it.
pub(crate) fn default_signals() {
    for signal in 1..=31 {
        // SAFETY: SIG_DFL installs no function of ours; SIGKILL and SIGSTOP are refused harmlessly.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // SAFETY: all-zero is a valid sigset_t to be filled by sigemptyset, and lives over both calls.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut());
    }
}

/// Sends a signal to every process of this pid namespace but the caller. No such process is no error.
pub(crate) fn signal_all(signal: i32) {
    // SAFETY: kill takes no pointer. Callers are pid 1 of their own namespace, so -1 reaches nobody else.
    unsafe { libc::kill(-1, signal) };
}

/// Closes every descriptor from 3 on that is not in `keep`.
pub(crate) fn close_from_3_except(keep: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut keep: Vec<u32> = keep
        .iter()
        .filter_map(|fd| u32::try_from(fd.as_raw_fd()).ok())
        .collect();
    keep.sort_unstable();
    let mut from = 3;
    for fd in keep {
        if fd > from {
            close_range(from, fd - 1, 0)?;
        }
        from = from.max(fd + 1);
    }
    close_range(from, u32::MAX, 0)
}

/// Lets exec close every descriptor from 3 on.
pub(crate) fn close_on_exec_from_3() -> io::Result<()> {
    close_range(3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC)
}

fn close_range(first: u32, last: u32, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: close_range takes no pointer. Callers are freshly forked children that own what they close: they
    // neither use nor drop any other descriptor afterwards (they end by exec or _exit).
    check(unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) }).map(drop)
}

/// Makes `fd` also be number `target` (0, 1 or 2), kept on exec.
pub(crate) fn duplicate_to(fd: BorrowedFd<'_>, target: RawFd) -> io::Result<()> {
    // SAFETY: dup2 takes no pointer; 0, 1 and 2 are not owned by any OwnedFd here.
    check(libc::c_long::from(unsafe {
        libc::dup2(fd.as_raw_fd(), target)
    }))
    .map(drop)
}

/// Takes standard input as a descriptor of one's own (number 3 or more, closed on exec).
pub(crate) fn take_stdin() -> rustix::io::Result<OwnedFd> {
    rustix::io::fcntl_dupfd_cloexec(std::io::stdin().as_fd(), 3)
}

/// The version of Landlock's interface, or an error if there is none.
pub(crate) fn landlock_abi() -> io::Result<i64> {
    const LANDLOCK_CREATE_RULESET_VERSION: libc::c_uint = 1;
    // SAFETY: with this flag the pointer must be null and the size zero; nothing is created.
    check(unsafe {
        libc::syscall(
            libc::SYS_landlock_create_ruleset,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    })
}

/// Whether the kernel can kill a process by a system call filter.
pub(crate) fn seccomp_available() -> io::Result<()> {
    let action: u32 = libc::SECCOMP_RET_KILL_PROCESS;
    // SAFETY: SECCOMP_GET_ACTION_AVAIL reads one u32, which lives over the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_GET_ACTION_AVAIL,
            0,
            &raw const action,
        )
    })
    .map(drop)
}

/// Whether this process has exactly one thread.
pub(crate) fn is_single_threaded() -> io::Result<bool> {
    Ok(std::fs::read_dir("/proc/self/task")?.count() == 1)
}

/// The network namespace this process is in.
pub(crate) fn current_network() -> Result<OwnedFd, Errno> {
    rustix::fs::open(
        "/proc/self/ns/net",
        rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    )
}
