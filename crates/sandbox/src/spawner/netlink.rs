//! The few requests to the kernel's network configuration that sandboxes with a policy need.

use std::{io, net::Ipv4Addr, os::fd::OwnedFd};

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send};

use crate::linux::attributes::{Message, outcome};

const NLM_REQUEST: u16 = 0x1;
const NLM_ACK: u16 = 0x4;
const NLM_EXCL: u16 = 0x200;
const NLM_CREATE: u16 = 0x400;
const NEW: u16 = NLM_REQUEST | NLM_ACK | NLM_EXCL | NLM_CREATE;

/// Answers are an error code and the beginning of the request.
const ANSWER_BYTES_MAX: usize = 4096;

/// A socket by which the devices of one network namespace are changed: the one that it was made in.
pub(crate) struct Route(OwnedFd);

/// One end of a pair of devices.
pub(crate) struct End<'a> {
    pub(crate) name: &'a str,
    /// Its number in its namespace; 0: any that is free.
    pub(crate) index: u32,
}

impl Route {
    /// For the namespace that this process is in now.
    pub(crate) fn here() -> io::Result<Self> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            // That of routes and devices, which is number 0.
            None,
        )?;
        Ok(Self(socket))
    }

    fn ask(&self, message: Message) -> io::Result<()> {
        send(&self.0, &message.finish(), SendFlags::empty())?;
        let mut answer = [0_u8; ANSWER_BYTES_MAX];
        let (count, _) = recv(&self.0, &mut answer, RecvFlags::empty())?;
        outcome(answer.get(..count).unwrap_or_default())
    }

    /// Makes two devices that are each other's far end: one here, which is up, and one in the namespace `there`, which is not.
    pub(crate) fn pair(&self, near: &End<'_>, far: &End<'_>, there: i32) -> io::Result<()> {
        let mut message = link(libc::RTM_NEWLINK, NEW, near.index);
        message.text(libc::IFLA_IFNAME, near.name);
        message.nest(libc::IFLA_LINKINFO, |info| {
            const VETH_INFO_PEER: u16 = 1;
            info.text(libc::IFLA_INFO_KIND, "veth");
            info.nest(libc::IFLA_INFO_DATA, |data| {
                data.nest(VETH_INFO_PEER, |peer| {
                    header(peer, far.index, false);
                    peer.text(libc::IFLA_IFNAME, far.name);
                    peer.attribute(libc::IFLA_NET_NS_FD, &there.to_ne_bytes());
                });
            });
        });
        self.ask(message)
    }

    /// Lets a device be used.
    pub(crate) fn up(&self, index: u32) -> io::Result<()> {
        self.ask(link(libc::RTM_SETLINK, NLM_REQUEST | NLM_ACK, index))
    }

    /// Takes a device away, and its far end with it.
    pub(crate) fn remove(&self, index: u32) -> io::Result<()> {
        self.ask(link(libc::RTM_DELLINK, NLM_REQUEST | NLM_ACK, index))
    }

    /// Gives a device an address with the block around it.
    pub(crate) fn address(&self, index: u32, address: Ipv4Addr, length: u8) -> io::Result<()> {
        let mut message = Message::new(libc::RTM_NEWADDR, NEW);
        message.bytes(&[FAMILY, length, 0, 0]);
        message.bytes(&index.to_ne_bytes());
        message.attribute(libc::IFA_LOCAL, &address.octets());
        message.attribute(libc::IFA_ADDRESS, &address.octets());
        self.ask(message)
    }

    /// Sends what is meant for one address to a device.
    pub(crate) fn route_to(&self, address: Ipv4Addr, index: u32) -> io::Result<()> {
        let mut message = route(32, libc::RT_SCOPE_LINK, 0);
        message.attribute(libc::RTA_DST, &address.octets());
        message.attribute(libc::RTA_OIF, &index.to_ne_bytes());
        self.ask(message)
    }

    /// Sends everything else to this gateway, which is at the other end of the device.
    pub(crate) fn route_by(&self, gateway: Ipv4Addr, index: u32) -> io::Result<()> {
        const ON_LINK: u32 = 4;
        let mut message = route(0, libc::RT_SCOPE_UNIVERSE, ON_LINK);
        message.attribute(libc::RTA_GATEWAY, &gateway.octets());
        message.attribute(libc::RTA_OIF, &index.to_ne_bytes());
        self.ask(message)
    }
}

/// IPv4.
const FAMILY: u8 = 2;

fn link(kind: u16, flags: u16, index: u32) -> Message {
    let mut message = Message::new(kind, flags);
    header(&mut message, index, true);
    message
}

/// The fixed part of a message about a device; `up`: it is or comes up.
fn header(message: &mut Message, index: u32, up: bool) {
    let up = if up { libc::IFF_UP } else { 0 };
    let up = up.cast_unsigned().to_ne_bytes();
    message.bytes(&[0; 4]);
    message.bytes(&index.to_ne_bytes());
    message.bytes(&up);
    message.bytes(&up);
}

fn route(length: u8, scope: u8, flags: u32) -> Message {
    let mut message = Message::new(libc::RTM_NEWROUTE, NEW);
    let (table, protocol, kind) = (libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RTN_UNICAST);
    message.bytes(&[FAMILY, length, 0, 0, table, protocol, scope, kind]);
    message.bytes(&flags.to_ne_bytes());
    message
}
