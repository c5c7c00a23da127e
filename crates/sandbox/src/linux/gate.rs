//! What the node changes in the router of its sandboxes: elements of two sets.
//!
//! The socket was made in the router's namespace by the spawner. The kernel has done what it is told when the message is
//! sent, so that an answer is there at once and nothing waits.

use std::{collections::BTreeSet, io, net::Ipv4Addr, os::fd::OwnedFd, time::Duration};

use parking_lot::Mutex;
use rustix::{
    io::Errno,
    net::{RecvFlags, SendFlags, recv, send},
};

use super::attributes::{Message, outcome};
use crate::network::rules::{NODES, NODES_MAX, RESOLVED, TABLE};

const SUBSYSTEM: u16 = 10;
const NEW_ELEMENTS: u16 = SUBSYSTEM << 8 | 12;
const DELETE_ELEMENTS: u16 = SUBSYSTEM << 8 | 14;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;

const NLM_REQUEST: u16 = 0x1;
const NLM_ACK: u16 = 0x4;
const NLM_CREATE: u16 = 0x400;

/// How much longer the kernel keeps an element than it is told of here.
const GRACE: Duration = Duration::from_secs(5);

/// Elements of one message.
const ELEMENTS_MAX: usize = 512;

/// A way that one sandbox may go because of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Passage {
    pub(crate) from: Ipv4Addr,
    pub(crate) to: Ipv4Addr,
    pub(crate) port: u16,
}

impl Passage {
    fn key(self) -> Vec<u8> {
        let port = self.port.to_be_bytes();
        [&self.from.octets()[..], &self.to.octets(), &port, &[0, 0]].concat()
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Gate {
    /// `None` once it is shut: the socket would keep the router of a spawner that is gone.
    socket: Mutex<Option<OwnedFd>>,
    nodes: Mutex<BTreeSet<Ipv4Addr>>,
}

impl Gate {
    pub(crate) fn new(socket: OwnedFd) -> Self {
        Self {
            socket: Mutex::new(Some(socket)),
            nodes: Mutex::new(BTreeSet::new()),
        }
    }

    /// Lets go of the router. From here on nothing can be changed in it.
    pub(crate) fn shut(&self) {
        *self.socket.lock() = None;
    }

    /// Lets packets through for this long; `known`: it may be let through already.
    pub(crate) fn open(&self, passage: Passage, time: Duration, known: bool) -> io::Result<()> {
        let key = passage.key();
        let time = Some(time + GRACE);
        let add = || elements(NEW_ELEMENTS, RESOLVED, std::slice::from_ref(&key), time);
        if known {
            // Older kernels leave the time of an element that is there as it is.
            let delete = elements(DELETE_ELEMENTS, RESOLVED, std::slice::from_ref(&key), None);
            match self.tell(vec![delete, add()]) {
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                done => return done,
            }
        }
        self.tell(vec![add()])
    }

    /// Lets nothing more through.
    pub(crate) fn close(&self, passage: Passage) -> io::Result<()> {
        let key = passage.key();
        self.tell(vec![elements(DELETE_ELEMENTS, RESOLVED, &[key], None)])
    }

    /// Forbids addresses to everybody, also to connections that are there. They stay forbidden.
    pub(crate) fn forbid(&self, addresses: &BTreeSet<Ipv4Addr>) -> io::Result<()> {
        let mut nodes = self.nodes.lock();
        let new: Vec<Ipv4Addr> = addresses.difference(&nodes).copied().collect();
        if nodes.len() + new.len() > NODES_MAX {
            let text =
                format!("expected at most {NODES_MAX} addresses of nodes in the life of a spawner");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        for some in new.chunks(ELEMENTS_MAX) {
            let keys: Vec<Vec<u8>> = some.iter().map(|a| a.octets().to_vec()).collect();
            self.tell(vec![elements(NEW_ELEMENTS, NODES, &keys, None)])?;
            nodes.extend(some);
        }
        Ok(())
    }

    /// Whether an address was forbidden here.
    pub(crate) fn is_a_node(&self, address: Ipv4Addr) -> bool {
        self.nodes.lock().contains(&address)
    }

    fn tell(&self, messages: Vec<Message>) -> io::Result<()> {
        let around = |kind| {
            let mut message = Message::new(kind, NLM_REQUEST);
            message.bytes(&[0, 0, 0, SUBSYSTEM.to_be_bytes()[1]]);
            message.finish()
        };
        let mut batch = around(BATCH_BEGIN);
        let count = messages.len();
        for message in messages {
            batch.extend(message.finish());
        }
        batch.extend(around(BATCH_END));
        let socket = self.socket.lock();
        let socket = socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        send(socket, &batch, SendFlags::empty())?;
        let mut result = Ok(());
        let mut buffer = [0_u8; 8192];
        let mut heard = 0;
        loop {
            match recv(socket, &mut buffer, RecvFlags::empty()) {
                Ok((count, _)) => {
                    heard += 1;
                    let answer = outcome(buffer.get(..count).unwrap_or_default());
                    result = result.and(answer);
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if heard < count && result.is_ok() => {
                    let text = "the kernel did not answer about its rules";
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                }
                Err(Errno::AGAIN) => return result,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// A message that adds elements to a set, or takes them away.
fn elements(kind: u16, set: &str, keys: &[Vec<u8>], time: Option<Duration>) -> Message {
    const TABLE_NAME: u16 = 1;
    const SET_NAME: u16 = 2;
    const ELEMENTS: u16 = 3;
    const ELEMENT: u16 = 1;
    const KEY: u16 = 1;
    const TIMEOUT: u16 = 4;
    const VALUE: u16 = 1;
    /// IPv4 and IPv6 together.
    const INET: u8 = 1;
    let create = if kind == NEW_ELEMENTS { NLM_CREATE } else { 0 };
    let mut message = Message::new(kind, NLM_REQUEST | NLM_ACK | create);
    message.bytes(&[INET, 0, 0, 0]);
    message.text(TABLE_NAME, TABLE);
    message.text(SET_NAME, set);
    message.nest(ELEMENTS, |list| {
        for key in keys {
            list.nest(ELEMENT, |element| {
                element.nest(KEY, |k| k.attribute(VALUE, key));
                if let Some(time) = time {
                    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                    element.attribute(TIMEOUT, &millis.to_be_bytes());
                }
            });
        }
    });
    message
}
