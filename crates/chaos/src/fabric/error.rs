//! What can be in the way of a fabric.

use std::{io, net::Ipv4Addr};

use super::UnknownHost;

/// Why there is no fabric, or no such host in it.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// The prefix cannot begin a name.
    #[error("expected a prefix of 1 to 8 of [a-z0-9], got {0:?}")]
    Prefix(String),
    /// The largest packet is no such size.
    #[error("expected an mtu of 576 to 65000 bytes, got {0}")]
    Mtu(u16),
    /// A host cannot have that name.
    #[error("expected a host name of 1 to 63 of [a-z0-9.-], got {0:?}")]
    HostName(String),
    /// Two hosts have the same name or address.
    #[error("expected every name and address once, got host {0} at {1} again")]
    Twice(String, Ipv4Addr),
    /// There are more hosts than a fabric holds.
    #[error("expected at most {most} hosts, got {got}")]
    TooManyHosts {
        /// How many there were.
        got: usize,
        /// How many there may be.
        most: usize,
    },
    /// Somebody else has a fabric of that prefix.
    #[error(
        "a fabric with the prefix {0:?} is up in another process; end that one or choose another prefix"
    )]
    InUse(String),
    /// The process may not make namespaces.
    #[error("network namespaces need root; run as root (sudo -E)")]
    NotRoot,
    /// A program that is needed is not there.
    #[error("the program `{tool}` is missing; install the package {package}")]
    NoTool {
        /// The program.
        tool: &'static str,
        /// Who ships it.
        package: &'static str,
    },
    /// There are no TUN devices.
    #[error(
        "/dev/net/tun cannot be opened; load the module (modprobe tun) or pass the device into this environment"
    )]
    NoTun(#[source] io::Error),
    /// A device could not be made.
    #[error("a TUN device for host {host} could not be made")]
    Device {
        /// Whose it would have been.
        host: String,
        /// Why.
        #[source]
        source: tun::Error,
    },
    /// `ip` refused.
    #[error("`ip {command}` failed: {stderr}")]
    Ip {
        /// What it was told.
        command: String,
        /// What it said.
        stderr: String,
    },
    /// The operating system refused.
    #[error("could not {doing}")]
    System {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// No host of that name.
    #[error(transparent)]
    UnknownHost(#[from] UnknownHost),
}
