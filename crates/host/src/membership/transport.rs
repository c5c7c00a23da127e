//! chitchat's messages in sealed datagrams.
//!
//! chitchat keeps the encoding of its messages to itself and to its own socket. So that socket is the encoder: a pair of
//! UDP sockets on the loopback interface, chitchat's at one end and ours at the other, turns messages into bytes and back.
//! Only those bytes, cut and sealed, leave the host; what reaches chitchat's end from anywhere but ours is dropped.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chitchat::{
    ChitchatEnvelope,
    transport::{RecvOutcome, SendOutcome, Socket, Transport, UdpSocket as Encoder},
};
use parking_lot::Mutex;
use tokio::{net::UdpSocket, time::Instant};

use super::{
    fragment::{self, Assembler},
    seal::Sealer,
};
use crate::Entropy;

/// chitchat's largest message.
const MESSAGE_MAX: usize = 65_536;
/// Within a host a datagram takes microseconds.
const LOOPBACK: Duration = Duration::from_millis(500);
/// A pause after a failed receive, so that a broken socket does not spin.
const RECEIVE_FAILED: Duration = Duration::from_millis(50);

/// What gossip did and met since the node started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GossipCounts {
    /// Messages sent.
    pub sent: u64,
    /// Messages received, whole and authentic.
    pub received: u64,
    /// Datagrams that no key of ours opened: another cluster, a stranger, or a node with an old key.
    pub refused: u64,
    /// Authentic messages that chitchat could not read.
    pub unreadable: u64,
    /// Messages or pieces that could not be sent.
    pub unsent: u64,
    /// Failed receives.
    pub receive_errors: u64,
}

#[derive(Default)]
pub(super) struct Counters {
    sent: AtomicU64,
    received: AtomicU64,
    refused: AtomicU64,
    unreadable: AtomicU64,
    unsent: AtomicU64,
    receive_errors: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> GossipCounts {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        GossipCounts {
            sent: of(&self.sent),
            received: of(&self.received),
            refused: of(&self.refused),
            unreadable: of(&self.unreadable),
            unsent: of(&self.unsent),
            receive_errors: of(&self.receive_errors),
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// Opens sealed sockets for chitchat.
pub(super) struct SealedTransport {
    pub(super) cluster: Arc<str>,
    pub(super) keys: Vec<[u8; 32]>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) counters: Arc<Counters>,
    /// A socket that was bound before, to learn its port; the first one to be opened.
    pub(super) bound: Mutex<Option<UdpSocket>>,
}

#[async_trait]
impl Transport for SealedTransport {
    async fn open(&self, address: SocketAddr) -> anyhow::Result<Box<dyn Socket>> {
        let bound = self.bound.lock().take();
        let socket = match bound {
            Some(socket) => socket,
            None => UdpSocket::bind(address).await?,
        };
        let sealer = Sealer::new(self.cluster.clone(), &self.keys, &*self.entropy)
            .ok_or_else(|| anyhow::anyhow!("expected a key of the cluster"))?;
        Ok(Box::new(SealedSocket {
            socket,
            sealer,
            assembler: Assembler::default(),
            codec: Codec::open().await?,
            number: 0,
            buffer: vec![0; fragment::DATAGRAM_MAX + 1],
            counters: self.counters.clone(),
        }))
    }
}

struct SealedSocket {
    socket: UdpSocket,
    sealer: Sealer,
    assembler: Assembler,
    codec: Codec,
    number: u32,
    buffer: Vec<u8>,
    counters: Arc<Counters>,
}

#[async_trait]
impl Socket for SealedSocket {
    fn local_addr(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    async fn send(
        &mut self,
        to: SocketAddr,
        envelope: ChitchatEnvelope,
    ) -> anyhow::Result<SendOutcome> {
        let message = self.codec.encode(envelope).await?;
        self.number = self.number.wrapping_add(1);
        let mut bytes = 0;
        let Some(pieces) = fragment::split(self.number, &message) else {
            count(&self.counters.unsent);
            tracing::warn!(%to, size = message.len(), "a gossip message is too large to be sent");
            return Ok(SendOutcome { num_bytes_sent: 0 });
        };
        for piece in pieces {
            let Some(datagram) = self.sealer.seal(&piece) else {
                count(&self.counters.unsent);
                continue;
            };
            match self.socket.send_to(&datagram, to).await {
                Ok(sent) => bytes += sent,
                // One peer that cannot be reached is no reason to stop; the failure detector deals with it.
                Err(error) => {
                    count(&self.counters.unsent);
                    tracing::debug!(%to, %error, "a gossip datagram was not sent");
                }
            }
        }
        count(&self.counters.sent);
        Ok(SendOutcome {
            num_bytes_sent: bytes,
        })
    }

    /// # Cancel safety
    /// Safe: a message that is being decoded is finished by the next call.
    async fn recv(&mut self) -> anyhow::Result<RecvOutcome> {
        loop {
            if !self.codec.is_decoding() {
                let (from, message) = self.receive().await;
                count(&self.counters.received);
                self.codec.begin_decoding(from, &message).await?;
            }
            match self.codec.finish_decoding().await? {
                Some(outcome) => return Ok(outcome),
                None => count(&self.counters.unreadable),
            }
        }
    }
}

impl SealedSocket {
    /// The next whole, authentic message. Never fails: a receive that does is tried again.
    async fn receive(&mut self) -> (SocketAddr, Vec<u8>) {
        loop {
            let (size, from) = match self.socket.recv_from(&mut self.buffer).await {
                Ok(received) => received,
                Err(error) => {
                    count(&self.counters.receive_errors);
                    tracing::debug!(%error, "a gossip datagram was not received");
                    tokio::time::sleep(RECEIVE_FAILED).await;
                    continue;
                }
            };
            let datagram = self.buffer.get(..size).unwrap_or_default();
            let Some((sender, piece)) = self.sealer.open(datagram) else {
                count(&self.counters.refused);
                tracing::debug!(%from, size, "a datagram that is no gossip of ours");
                continue;
            };
            if let Some(message) = self.assembler.add(sender, &piece, Instant::now()) {
                return (from, message);
            }
        }
    }
}

/// Turns messages into bytes and back by sending them through the loopback interface.
struct Codec {
    /// chitchat's end.
    encoder: Encoder,
    /// Our end, connected to chitchat's.
    raw: UdpSocket,
    raw_address: SocketAddr,
    buffer: Vec<u8>,
    /// Whom the message that is being decoded came from, its size, and when it is given up.
    decoding: Option<(SocketAddr, usize, Instant)>,
}

impl Codec {
    async fn open() -> anyhow::Result<Self> {
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let encoder = Encoder::open(loopback).await?;
        let raw = UdpSocket::bind(loopback).await?;
        raw.connect(encoder.local_addr()?).await?;
        Ok(Self {
            raw_address: raw.local_addr()?,
            encoder,
            raw,
            buffer: vec![0; MESSAGE_MAX],
            decoding: None,
        })
    }

    async fn encode(&mut self, envelope: ChitchatEnvelope) -> anyhow::Result<Vec<u8>> {
        self.encoder.send(self.raw_address, envelope).await?;
        let received = tokio::time::timeout(LOOPBACK, self.raw.recv(&mut self.buffer)).await;
        match received {
            Ok(size) => Ok(self.buffer.get(..size?).unwrap_or_default().to_vec()),
            Err(late) => {
                // What comes later must not be taken for the answer to another question.
                *self = Self::open().await?;
                Err(late.into())
            }
        }
    }

    fn is_decoding(&self) -> bool {
        self.decoding.is_some()
    }

    async fn begin_decoding(&mut self, from: SocketAddr, message: &[u8]) -> io::Result<()> {
        self.raw.send(message).await?;
        self.decoding = Some((from, message.len(), Instant::now() + LOOPBACK));
        Ok(())
    }

    /// The message; `None` if chitchat could not read it.
    async fn finish_decoding(&mut self) -> anyhow::Result<Option<RecvOutcome>> {
        let Some((from, size, late)) = self.decoding else {
            return Ok(None);
        };
        let raw_address = self.raw_address;
        let encoder = &mut self.encoder;
        let ours = async {
            loop {
                let outcome = encoder.recv().await?;
                if outcome.from_addr == raw_address {
                    return anyhow::Ok(outcome.envelope);
                }
            }
        };
        let decoded = tokio::time::timeout_at(late, ours).await;
        self.decoding = None;
        match decoded {
            Ok(envelope) => Ok(Some(RecvOutcome {
                from_addr: from,
                envelope: envelope?,
                num_bytes_received: size,
            })),
            Err(_) => {
                *self = Self::open().await?;
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod tests;
