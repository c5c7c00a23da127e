//! The router: a network namespace between the host's and those of sandboxes with a policy.
//!
//! It is the namespace that the spawner lives in, so no code of a sandbox is ever in it, and no rights of a sandbox reach
//! it: its rules are those of [`crate::network::rules`], made once. One pair of devices leads to the host, one to each
//! sandbox with a policy. The kernel takes all of them away when the namespace or that of the sandbox ends, whatever the
//! spawner died of, once the node has let go of the sandboxes that died with it; only the host's own table of rules can stay
//! behind, about a device that is no more, until the next spawner claims the same link and replaces it.
//!
//! A sandbox is connected when its function is known; one without a policy has nothing of this.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd},
    path::Path,
    process::{Command, Stdio},
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, netlink},
    process::Pid,
};

use super::{
    netlink::{End, Route},
    slot,
    sys::{self, ns},
};
use crate::{
    driver::RESOLVER_ADDRESS,
    network::{
        plan::{Plan, Uplink},
        rules::{self, Router, UP},
    },
    wire::{At as _, StepError},
};

/// Where distributions put the program that reads rules.
const NFT: [&str; 4] = [
    "/usr/sbin/nft",
    "/sbin/nft",
    "/usr/bin/nft",
    "/usr/local/sbin/nft",
];

/// The number of the device that leads to the host; those of sandboxes follow.
const UP_INDEX: u32 = 2;
const FIRST_INDEX: u32 = 16;
/// The number and name of the device inside a sandbox.
const INSIDE_INDEX: u32 = 2;
const INSIDE: &str = "eth0";

/// How the whole does not work here, and what the operator can do.
pub(crate) struct Unfit {
    pub(crate) why: String,
    pub(crate) remedy: &'static str,
}

/// See the module.
pub(crate) struct Egress {
    plan: Plan,
    uplink: Uplink,
    host: OwnedFd,
    home: OwnedFd,
    route: Route,
    /// By policy: who is next, and who has an address.
    next: BTreeMap<u8, u32>,
    given: BTreeMap<Ipv4Addr, u32>,
    made: u32,
}

/// How one sandbox is connected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attached {
    pub(crate) address: Ipv4Addr,
    index: u32,
}

/// The sockets of the resolver inside a sandbox.
pub(crate) struct Sockets {
    pub(crate) datagrams: OwnedFd,
    pub(crate) connections: OwnedFd,
}

impl Egress {
    /// Makes the router of the namespace that this process is in now, its home, and connects it to that of the host.
    pub(crate) fn set_up(router: &Router, host: OwnedFd, home: OwnedFd) -> Result<Self, Unfit> {
        const ROOT: &str = "run the node as root with CAP_NET_ADMIN, on a kernel with veth devices";
        const NFT_REMEDY: &str = "install nftables (the program nft), on a kernel with nf_tables, its sets, fib, ct, reject and masq";
        let failed = |remedy: &'static str| {
            move |error: StepError| Unfit {
                why: error.to_string(),
                remedy,
            }
        };
        let forwards = in_network(home.as_fd(), host.as_fd(), || {
            let path = Path::new("/proc/sys/net/ipv4/ip_forward");
            std::fs::read_to_string(path).on("read", path)
        });
        if forwards.map_err(failed(ROOT))?.trim() != "1" {
            return Err(Unfit {
                why: "this machine forwards no packets (net.ipv4.ip_forward is 0)".to_owned(),
                remedy: "set it: sysctl -w net.ipv4.ip_forward=1, and for good in /etc/sysctl.d",
            });
        }
        let path = Path::new("/proc/sys/net/ipv4/ip_forward");
        let forward = std::fs::write(path, "1").on("write", path);
        forward.map_err(failed("give the node a /proc/sys that it can write to"))?;
        sys::loopback_up()
            .at("bring up loopback")
            .map_err(failed(ROOT))?;
        nft(&router.rules).map_err(failed(NFT_REMEDY))?;
        let route = Route::here()
            .at("open a netlink socket")
            .map_err(failed(ROOT))?;
        let uplink = claim(&route, router.plan, &host).map_err(failed(ROOT))?;
        let egress = Self {
            plan: router.plan,
            uplink,
            host,
            home,
            route,
            next: BTreeMap::new(),
            given: BTreeMap::new(),
            made: 0,
        };
        // First what guards the way, then the way.
        let guarded = egress.in_host(|| nft(&rules::host(uplink)));
        guarded.map_err(failed(NFT_REMEDY))?;
        egress.connect_host().map_err(failed(ROOT))?;
        Ok(egress)
    }

    /// In words, for the report.
    pub(crate) fn describe(&self) -> String {
        format!(
            "by {} with addresses of {}",
            self.uplink.device(),
            self.plan.range()
        )
    }

    fn in_host<T>(&self, body: impl FnOnce() -> Result<T, StepError>) -> Result<T, StepError> {
        in_network(self.home.as_fd(), self.host.as_fd(), body)
    }

    fn connect_host(&self) -> Result<(), StepError> {
        let Uplink { host, router, .. } = self.uplink;
        let device = self.uplink.device();
        self.in_host(|| {
            let any = rustix::net::socket(AddressFamily::INET, SocketType::DGRAM, None)
                .at("open a socket")?;
            let index = rustix::net::netdevice::name_to_index(&any, &device)
                .at("find the link to the router")?;
            let route = Route::here().at("open a netlink socket")?;
            route.up(index).at("bring up the link to the router")?;
            route
                .address(index, host, 31)
                .at("give the host's end an address")
        })?;
        let step = "give the router's end an address";
        self.route.address(UP_INDEX, router, 31).at(step)?;
        let lo = 1;
        self.route
            .address(lo, self.plan.gateway(), 32)
            .at("give the router its address")?;
        self.route.route_by(host, UP_INDEX).at("route to the host")
    }

    /// Connects a sandbox whose init is `init`, with an address of a policy.
    pub(crate) fn attach(
        &mut self,
        init: Pid,
        policy: u8,
    ) -> Result<(Attached, Sockets), StepError> {
        let address = self.take_address(policy)?;
        self.made = self.made.wrapping_add(1) & (u32::MAX >> 2);
        let index = FIRST_INDEX + self.made;
        let attached = Attached { address, index };
        match self.connect(init, attached) {
            Ok(sockets) => {
                self.given.insert(address, index);
                Ok((attached, sockets))
            }
            Err(error) => {
                self.detach(attached);
                Err(error)
            }
        }
    }

    fn connect(&self, init: Pid, attached: Attached) -> Result<Sockets, StepError> {
        let Attached { address, index } = attached;
        let path = format!("/proc/{}/ns/net", init.as_raw_nonzero());
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
        let inside = rustix::fs::open(&*path, flags, rustix::fs::Mode::empty())
            .on("open", Path::new(&path))?;
        let sockets = in_network(self.home.as_fd(), inside.as_fd(), || {
            // Nothing is routed by IPv6; without this a device has an address of it. Kernels without it need nothing.
            let path = "/proc/sys/net/ipv6/conf/default/disable_ipv6";
            let _ = std::fs::write(path, "1");
            let route = Route::here().at("open a netlink socket")?;
            let near = End {
                name: INSIDE,
                index: INSIDE_INDEX,
            };
            let name = format!("s{index}");
            let far = End { name: &name, index };
            route
                .pair(&near, &far, self.home.as_raw_fd())
                .at("connect to the router")?;
            route
                .address(INSIDE_INDEX, address, 32)
                .at("give the sandbox an address")?;
            route
                .route_by(self.plan.gateway(), INSIDE_INDEX)
                .at("route to the router")?;
            let connections = slot::listen(RESOLVER_ADDRESS).at("listen for names")?;
            let datagrams = datagrams(RESOLVER_ADDRESS).at("listen for names")?;
            Ok(Sockets {
                datagrams: datagrams.into(),
                connections: connections.into(),
            })
        })?;
        self.route.up(index).at("connect to the sandbox")?;
        self.route
            .route_to(address, index)
            .at("route to the sandbox")?;
        Ok(sockets)
    }

    /// Every address of a block is used before one is used again.
    fn take_address(&mut self, policy: u8) -> Result<Ipv4Addr, StepError> {
        let next = self.next.entry(policy).or_default();
        for _ in 0..self.plan.block_size() {
            let address = self.plan.address(policy, *next);
            *next = next.wrapping_add(1);
            if !self.given.contains_key(&address) {
                return Ok(address);
            }
        }
        Err(StepError::new(
            "find a free address for this policy",
            Errno::ADDRNOTAVAIL,
        ))
    }

    /// Takes the connection of a sandbox away, and gives its address back.
    pub(crate) fn detach(&mut self, attached: Attached) {
        // It may be gone with the sandbox's network already.
        let _ = self.route.remove(attached.index);
        self.given.remove(&attached.address);
    }

    /// A socket by which the node changes the sets of the router.
    pub(crate) fn sets(&self) -> Result<OwnedFd, StepError> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let kind = SocketType::RAW;
        rustix::net::socket_with(
            AddressFamily::NETLINK,
            kind,
            flags,
            Some(netlink::NETFILTER),
        )
        .at("open a netlink socket")
    }
}

impl Drop for Egress {
    fn drop(&mut self) {
        // First the way, then what guards it.
        let _ = self.route.remove(UP_INDEX);
        let _ = self.in_host(|| nft(&rules::no_host(self.uplink)));
    }
}

/// Takes the first link that no other node of this machine has.
fn claim(route: &Route, plan: Plan, host: &OwnedFd) -> Result<Uplink, StepError> {
    for uplink in plan.uplinks() {
        let near = End {
            name: UP,
            index: UP_INDEX,
        };
        let device = uplink.device();
        let far = End {
            name: &device,
            index: 0,
        };
        match route.pair(&near, &far, host.as_raw_fd()) {
            Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
            made => return made.at("connect to the host").map(|()| uplink),
        }
    }
    Err(StepError::new(
        "find a link that no other node has",
        Errno::ADDRINUSE,
    ))
}

/// Does something in another network, and comes back.
fn in_network<T>(
    home: BorrowedFd<'_>,
    there: BorrowedFd<'_>,
    body: impl FnOnce() -> Result<T, StepError>,
) -> Result<T, StepError> {
    sys::enter(there, ns::NET).at("enter a network namespace")?;
    let done = body();
    if sys::enter(home, ns::NET).is_err() {
        // Staying would take the next sandbox's network for the router.
        sys::exit_now(71);
    }
    done
}

/// Puts rules in place in the network that this process is in: all or none of them.
fn nft(rules: &str) -> Result<(), StepError> {
    let program = NFT.iter().find(|path| std::fs::metadata(path).is_ok());
    let program = program.ok_or_else(|| StepError::new("find the program nft", Errno::NOENT))?;
    let mut child = Command::new(program)
        .args(["-f", "-"])
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .at("start nft")?;
    if let Some(mut stdin) = child.stdin.take() {
        // If it does not read, its status says why.
        let _ = stdin.write_all(rules.as_bytes());
    }
    let output = child.wait_with_output().at("wait for nft")?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(300)
        .collect();
    Err(StepError::new(
        format!("set rules with nft ({said})"),
        Errno::INVAL,
    ))
}

fn datagrams(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    rustix::net::bind(&socket, &address)?;
    Ok(UdpSocket::from(socket))
}
