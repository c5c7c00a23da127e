//! What node, spawner and the init of a sandbox say to each other.
//!
//! Three parties, three sockets (`SOCK_SEQPACKET`, one JSON message a packet, file descriptors beside it):
//! node ↔ spawner makes and destroys sandboxes; spawner → init hands over mounts; node ↔ init starts and resets
//! processes. Environment variables go over the last only, so the spawner, whose memory every init inherits, never
//! holds a tenant's secret. Both ends are the same build of the same binary: there is no version.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::Ipv4Addr,
    os::fd::{BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{linux::cgroup::Layout, network::rules::Router, report::Report};

/// The largest message in bytes; larger ones are refused by the sender.
pub(crate) const MESSAGE_BYTES_MAX: usize = 128 << 10;

/// The most file descriptors beside one message.
pub(crate) const MESSAGE_FDS_MAX: usize = 24;

/// What the spawner has to know before anything else.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Configuration {
    /// An existing directory; the spawner mounts over it, invisibly to everyone else.
    pub(crate) scratch: PathBuf,
    /// Path below each cgroup mount, such as `dunlin/node-1`.
    pub(crate) cgroup_parent: String,
    /// First host uid and gid for sandboxes, when running with privilege.
    pub(crate) subuid_base: u32,
    /// How many sandboxes to prepare ahead.
    pub(crate) pool: usize,
    /// What connects sandboxes to other machines, if anything does.
    pub(crate) router: Option<Router>,
}

/// The part of a spec that crosses to the spawner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Blueprint {
    pub(crate) memory_bytes: u64,
    pub(crate) tmp_bytes: u64,
    pub(crate) cpu_quota_us: u64,
    pub(crate) cpu_limited: bool,
    pub(crate) code_dir: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    pub(crate) layers: Vec<PathBuf>,
    pub(crate) extra_binds: Vec<PathBuf>,
    /// The layers of the image that is the root, the lowest first; then nothing of the above is used.
    pub(crate) image: Option<Vec<PathBuf>>,
    pub(crate) hostname: String,
    pub(crate) pids_max: u32,
    pub(crate) nofile_max: u32,
    /// Whose fork is welcome, if one waits in a prepared sandbox.
    pub(crate) zygote: Option<u64>,
    /// The number of its network policy; `None`: its own loopback only.
    pub(crate) network: Option<u8>,
}

/// Node → spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToSpawner {
    /// First message.
    Configure(Configuration),
    /// The report is accepted: prepare sandboxes.
    Begin,
    /// Make one. Answered by `Created` or `NotCreated`.
    Create { request: u64, blueprint: Blueprint },
    /// Destroy one; an unknown slot counts as destroyed. Answered by `Destroyed`.
    Destroy { slot: u64 },
    /// Start a zygote. Answered by `Raised` or `Fallen`.
    Raise {
        zygote: u64,
        plan: crate::driver::Zygote,
    },
    /// End one.
    Fell { zygote: u64 },
    /// Have it fork into a sandbox; beside this the socket of the fork. That the socket closes is the answer if it fails.
    Fork { zygote: u64, slot: u64 },
}

/// Spawner → node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromSpawner {
    /// Answer to `Configure`; beside it a socket for the sets of the router, if there is one.
    Hello {
        report: Report,
        layout: Layout,
        life: String,
    },
    /// Set-up goes on inside; beside it: listener, gateway, read end of the log, control socket of the init, and of one with
    /// an address the resolver's sockets for datagrams and for connections.
    Created {
        request: u64,
        slot: u64,
        cgroup: String,
        /// The init's process id, as the node sees it.
        init: u32,
        /// A fork of the zygote that was asked for waits inside.
        forked: bool,
        /// Its address in the router's network.
        address: Option<Ipv4Addr>,
    },
    /// Not made.
    NotCreated { request: u64, error: StepError },
    /// Every process of it is gone and its cgroups are removed.
    Destroyed { slot: u64 },
    /// A zygote can fork.
    Raised { zygote: u64 },
    /// A zygote is over, or never was.
    Fallen { zygote: u64 },
}

/// Spawner → init of a sandbox.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ToInit {
    /// Ids are mapped and limits hold: build the empty sandbox.
    Go,
    /// Finish it; beside it one mount per element of `mounts`.
    Finish {
        mounts: Vec<PathBuf>,
        hostname: String,
        memory_bytes: u64,
        tmp_bytes: u64,
        pids_max: u32,
        nofile_max: u32,
        /// The fork of a zygote waits inside; beside this, last, the socket through which it speaks.
        forked: bool,
    },
}

/// Init of a sandbox → spawner.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum FromInit {
    /// The empty sandbox stands: others may come in.
    Built,
}

/// Node → init of a sandbox.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) sequence: u64,
    pub(crate) verb: Verb,
}

/// What an init does.
#[derive(Serialize, Deserialize)]
pub(crate) enum Verb {
    /// Start the runtime process.
    Start {
        argv: Vec<String>,
        env: Vec<(String, String)>,
        cwd: PathBuf,
    },
    /// Take in the fork of a zygote as the runtime process: the one that waits inside, or one that is on its way; then the
    /// socket through which it speaks is beside this.
    Adopt {
        env: Vec<(String, String)>,
        cwd: PathBuf,
    },
    /// Start a process beside it; beside this the write end of its log.
    StartBeside {
        argv: Vec<String>,
        env: Vec<(String, String)>,
        cwd: PathBuf,
    },
    /// Ask the runtime process to end.
    Terminate,
    /// Connect to a port of the loopback.
    Connect { port: u16 },
    /// Kill every process but itself.
    Reset,
    /// Stop every process but itself, by signal.
    Stop,
    /// Let them go on.
    Continue,
}

/// Init of a sandbox → node.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum News {
    /// The sandbox is complete; beside it a descriptor of its `/tmp`.
    Ready,
    /// The sandbox could not be completed; the init ends.
    Failed(StepError),
    /// An order was carried out.
    Done { sequence: u64 },
    /// An order was not carried out.
    Refused { sequence: u64, refusal: Refusal },
    /// The runtime process that the order `sequence` started is over.
    Exited { sequence: u64, exit: RawExit },
    /// The process beside it that the order `sequence` started is over.
    BesideExited { sequence: u64, exit: RawExit },
    /// An order to connect was carried out, or is about to be; beside this the socket.
    Connected { sequence: u64 },
}

/// Why an order was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Refusal {
    AlreadyRunning,
    Step(StepError),
}

/// How a process ended, as `wait` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RawExit {
    Code(i32),
    Signal(i32),
}

/// A step of a longer procedure, and what the kernel said to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{step}: {}", io::Error::from_raw_os_error(*errno))]
pub(crate) struct StepError {
    pub(crate) step: String,
    pub(crate) errno: i32,
}

impl StepError {
    pub(crate) fn new(step: impl Into<String>, errno: rustix::io::Errno) -> Self {
        Self {
            step: step.into(),
            errno: errno.raw_os_error(),
        }
    }

    /// The kernel's part.
    pub(crate) fn source(&self) -> io::Error {
        io::Error::from_raw_os_error(self.errno)
    }
}

/// Names the step at which a result failed.
pub(crate) trait At<T> {
    /// With a constant name.
    fn at(self, step: &str) -> Result<T, StepError>;

    /// With a name and the path it was about.
    fn on(self, step: &str, path: &Path) -> Result<T, StepError>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: &str) -> Result<T, StepError> {
        self.map_err(|e| step_error(step.to_owned(), &e.into()))
    }

    fn on(self, step: &str, path: &Path) -> Result<T, StepError> {
        self.map_err(|e| step_error(format!("{step} {}", path.display()), &e.into()))
    }
}

fn step_error(step: String, error: &io::Error) -> StepError {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    match error.raw_os_error() {
        Some(_) => StepError { step, errno },
        None => StepError {
            step: format!("{step} ({error})"),
            errno,
        },
    }
}

/// A connected pair of message sockets, closed on exec.
pub(crate) fn pair() -> rustix::io::Result<(OwnedFd, OwnedFd)> {
    socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )
}

/// Encodes a message.
///
/// # Errors
/// `InvalidInput` if it is larger than [`MESSAGE_BYTES_MAX`] or holds a path that is not UTF-8.
pub(crate) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let bytes =
        serde_json::to_vec(message).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
    if bytes.len() > MESSAGE_BYTES_MAX {
        let text = format!(
            "expected a message of at most {MESSAGE_BYTES_MAX} bytes, got {}",
            bytes.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    Ok(bytes)
}

/// Decodes a message.
pub(crate) fn decode<M: DeserializeOwned>(bytes: &[u8]) -> io::Result<M> {
    serde_json::from_slice(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

/// Sends one encoded message. Blocks if the socket does.
pub(crate) fn send_bytes(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> rustix::io::Result<()> {
    send_bytes_with(socket, bytes, fds, SendFlags::NOSIGNAL)
}

/// Sends one encoded message, or fails if it would have to wait.
pub(crate) fn send_bytes_now(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
) -> rustix::io::Result<()> {
    send_bytes_with(
        socket,
        bytes,
        fds,
        SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
    )
}

fn send_bytes_with(
    socket: BorrowedFd<'_>,
    bytes: &[u8],
    fds: &[BorrowedFd<'_>],
    flags: SendFlags,
) -> rustix::io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MESSAGE_FDS_MAX))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(rustix::io::Errno::INVAL);
    }
    rustix::io::retry_on_intr(|| sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, flags))
        .map(drop)
}

/// Sends one message. Blocks if the socket does.
pub(crate) fn send(
    socket: BorrowedFd<'_>,
    message: &impl Serialize,
    fds: &[BorrowedFd<'_>],
) -> io::Result<()> {
    Ok(send_bytes(socket, &encode(message)?, fds)?)
}

/// Receives one message; `None` when the other end is closed. Blocks if the socket does.
pub(crate) fn receive_bytes(socket: BorrowedFd<'_>) -> io::Result<Option<(Vec<u8>, Vec<OwnedFd>)>> {
    let mut bytes = vec![0_u8; MESSAGE_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MESSAGE_FDS_MAX))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::io::retry_on_intr(|| {
        recvmsg(
            socket,
            &mut [IoSliceMut::new(&mut bytes)],
            &mut ancillary,
            RecvFlags::CMSG_CLOEXEC,
        )
    });
    let received = match received {
        Ok(received) => received,
        Err(rustix::io::Errno::CONNRESET) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    };
    let mut fds = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(received) = message {
            fds.extend(received);
        }
    }
    if received.bytes == 0 {
        return Ok(None);
    }
    if received
        .flags
        .intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC)
    {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "message was cut off",
        ));
    }
    bytes.truncate(received.bytes);
    Ok(Some((bytes, fds)))
}

/// Receives and decodes one message; `None` when the other end is closed. Blocks if the socket does.
pub(crate) fn receive<M: DeserializeOwned>(
    socket: BorrowedFd<'_>,
) -> io::Result<Option<(M, Vec<OwnedFd>)>> {
    match receive_bytes(socket)? {
        Some((bytes, fds)) => Ok(Some((decode(&bytes)?, fds))),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use super::*;

    #[test]
    fn messages_and_descriptors_cross_and_the_end_is_seen() {
        let (a, b) = pair().unwrap();
        let (read, write) = rustix::pipe::pipe().unwrap();
        send(a.as_fd(), &ToSpawner::Destroy { slot: 7 }, &[write.as_fd()]).unwrap();
        drop(write);
        let (message, fds) = receive::<ToSpawner>(b.as_fd()).unwrap().unwrap();
        assert!(matches!(message, ToSpawner::Destroy { slot: 7 }));
        assert_eq!(fds.len(), 1);
        rustix::io::write(&fds[0], b"x").unwrap();
        let mut byte = [0_u8];
        assert_eq!(rustix::io::read(&read, &mut byte).unwrap(), 1);
        drop(a);
        assert!(receive::<ToSpawner>(b.as_fd()).unwrap().is_none());
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_by_the_sender() {
        let order = Order {
            sequence: 1,
            verb: Verb::Start {
                argv: vec!["x".repeat(MESSAGE_BYTES_MAX)],
                env: vec![],
                cwd: "/".into(),
            },
        };
        assert_eq!(
            encode(&order).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
