//! The name server of one sandbox: it asks those of the machine what the policy lets be asked.
//!
//! For a list of names it answers about those alone, and before it answers it lets the sandbox reach the addresses at the
//! ports of the list, for as long as the answer may be believed. Addresses that nobody reaches are left out of every answer:
//! a name under somebody else's control may stand for them.
//!
//! Bounds: questions at a time, connections, sizes, waits, and addresses that are reachable because of names.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{StreamExt as _, stream::FuturesUnordered};
use model::NetworkPolicyName;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    time::{Instant, timeout},
};

use super::{
    address::Cidr,
    egress::{Admitted, Egress},
    message::{Asked, DATAGRAM_BYTES_MAX, Found, MESSAGE_BYTES_MAX, Question, Said, read},
    rules::is_forbidden,
};
use crate::linux::gate::{Gate, Passage};

/// Questions and connections of one sandbox at a time; further ones wait in the kernel.
const AT_A_TIME: usize = 64;

/// How long one name server may take.
const SERVER_MAX: Duration = Duration::from_secs(2);

/// How many name servers are asked.
const SERVERS_MAX: usize = 3;

/// How long a connection from inside may be silent.
const CONNECTION_IDLE: Duration = Duration::from_secs(10);

/// The most addresses and ports that one sandbox reaches because of names.
const PASSAGES_MAX: usize = 1024;

/// For how long an address is reachable at least and at most: code may use an answer a little later than it was given.
const REACHABLE_MIN: Duration = Duration::from_secs(60);
const REACHABLE_MAX: Duration = Duration::from_secs(3600);

/// How often a sandbox is mentioned in the log because of names that it may not ask for.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// What all resolvers of a driver share.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) policy: NetworkPolicyName,
    pub(crate) egress: Egress,
    pub(crate) forbidden: Arc<[Cidr]>,
    pub(crate) servers: Vec<SocketAddr>,
}

/// The name server of one sandbox; see [`Resolver::serve`]. When it is dropped, its sandbox reaches nothing by names.
pub struct Resolver {
    sandbox: String,
    source: Ipv4Addr,
    datagrams: UdpSocket,
    connections: TcpListener,
    gate: Arc<Gate>,
    setting: Setting,
    open: Mutex<BTreeMap<Passage, Instant>>,
    refused: AtomicU64,
    logged: Mutex<Option<Instant>>,
}

impl std::fmt::Debug for Resolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Resolver")
            .field("sandbox", &self.sandbox)
            .field("policy", &self.setting.policy)
            .finish_non_exhaustive()
    }
}

impl Resolver {
    pub(crate) fn new(
        (sandbox, source): (String, Ipv4Addr),
        (datagrams, connections): (UdpSocket, TcpListener),
        gate: Arc<Gate>,
        setting: Setting,
    ) -> Self {
        Self {
            sandbox,
            source,
            datagrams,
            connections,
            gate,
            setting,
            open: Mutex::new(BTreeMap::new()),
            refused: AtomicU64::new(0),
            logged: Mutex::new(None),
        }
    }

    /// Answers for as long as it is polled. `draw` gives numbers that nobody can guess.
    ///
    /// # Cancel safety
    /// Cancel safe; questions under way are not answered.
    pub async fn serve(self, draw: impl Fn() -> u16 + Send + Sync) {
        let mut work: FuturesUnordered<Pin<Box<dyn Future<Output = ()> + Send + '_>>> =
            FuturesUnordered::new();
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let has_room = work.len() < AT_A_TIME;
            tokio::select! {
                received = self.datagrams.recv_from(&mut buffer), if has_room => match received {
                    Ok((count, asker)) => {
                        let message = buffer.get(..count).unwrap_or_default().to_vec();
                        work.push(Box::pin(self.datagram(message, asker, &draw)));
                    }
                    Err(error) => self.pause(&error).await,
                },
                accepted = self.connections.accept(), if has_room => match accepted {
                    Ok((stream, _)) => work.push(Box::pin(self.connection(stream, &draw))),
                    Err(error) => self.pause(&error).await,
                },
                Some(()) = work.next(), if !work.is_empty() => {}
            }
        }
    }

    async fn pause(&self, error: &io::Error) {
        tracing::debug!(sandbox = self.sandbox, %error, "a question about a name could not be taken");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    async fn datagram(
        &self,
        message: Vec<u8>,
        asker: SocketAddr,
        draw: &(impl Fn() -> u16 + Sync),
    ) {
        let answer = match read(&message) {
            Asked::Noise => return,
            Asked::Answer(answer) => Some(answer),
            Asked::Question(question) => {
                let answer = self.answer(&question, draw, false).await;
                match answer {
                    Some(long) if long.len() > question.datagram_max => question.too_long(),
                    other => other,
                }
            }
        };
        if let Some(answer) = answer {
            // Who does not get it asks again.
            let _ = self.datagrams.send_to(&answer, asker).await;
        }
    }

    async fn connection(&self, mut stream: TcpStream, draw: &(impl Fn() -> u16 + Sync)) {
        while let Ok(Ok(message)) = timeout(CONNECTION_IDLE, receive(&mut stream)).await {
            let answer = match read(&message) {
                Asked::Noise => return,
                Asked::Answer(answer) => Some(answer),
                Asked::Question(question) => self.answer(&question, draw, true).await,
            };
            let Some(answer) = answer else { return };
            let sent = timeout(CONNECTION_IDLE, send(&mut stream, &answer)).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    }

    async fn answer(
        &self,
        question: &Question,
        draw: &(impl Fn() -> u16 + Sync),
        connected: bool,
    ) -> Option<Vec<u8>> {
        let ports = match self.setting.egress.admits(&question.name) {
            Admitted::No => {
                self.note_refusal(&question.name);
                return question.refused();
            }
            Admitted::Freely => Vec::new(),
            Admitted::At(ports) => ports,
        };
        if question.is_for_other_addresses() {
            return question.nothing();
        }
        for server in self.setting.servers.iter().take(SERVERS_MAX) {
            let asked = timeout(SERVER_MAX, self.ask(question, *server, draw(), connected));
            match asked.await {
                Ok(Ok(Said::Answer {
                    answer,
                    found,
                    left_out,
                })) => {
                    if left_out > 0 {
                        self.note_rebinding(&question.name, left_out);
                    }
                    if !ports.is_empty() && !self.let_through(&found, &ports) {
                        return question.failed();
                    }
                    return Some(answer);
                }
                Ok(Ok(Said::TooLong)) => return question.too_long(),
                Ok(Ok(Said::Noise)) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%server, %error, "a name server does not answer");
                }
                Err(_) => tracing::debug!(%server, "a name server does not answer in time"),
            }
        }
        question.failed()
    }

    async fn ask(
        &self,
        question: &Question,
        server: SocketAddr,
        id: u16,
        connected: bool,
    ) -> io::Result<Said> {
        let forbidden = |address| {
            is_forbidden(&self.setting.forbidden, address) || self.gate.is_a_node(address)
        };
        let query = question.forward(id).ok_or(io::ErrorKind::InvalidInput)?;
        if connected {
            let mut stream = TcpStream::connect(server).await?;
            send(&mut stream, &query).await?;
            let message = receive(&mut stream).await?;
            return Ok(question.hear(id, &message, forbidden));
        }
        let any: SocketAddr = match server {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await?;
        socket.connect(server).await?;
        socket.send(&query).await?;
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let count = socket.recv(&mut buffer).await?;
            let message = buffer.get(..count).unwrap_or_default();
            match question.hear(id, message, forbidden) {
                // Perhaps somebody's guess; the true answer may yet come.
                Said::Noise => {}
                said => return Ok(said),
            }
        }
    }

    /// Lets the sandbox reach the addresses at these ports; whether it does from now on.
    fn let_through(&self, found: &[Found], ports: &[u16]) -> bool {
        let now = Instant::now();
        let mut open = self.open.lock();
        open.retain(|_, until| *until > now);
        for Found { address, ttl } in found {
            let reachable = (*ttl).clamp(REACHABLE_MIN, REACHABLE_MAX);
            for port in ports {
                let passage = Passage {
                    from: self.source,
                    to: *address,
                    port: *port,
                };
                if open.len() >= PASSAGES_MAX && !open.contains_key(&passage) {
                    tracing::warn!(sandbox = self.sandbox, policy = %self.setting.policy, most = PASSAGES_MAX, "a sandbox asks for names with too many addresses");
                    return false;
                }
                // The kernel's clock runs a little longer than this one: what is not here is not there for long.
                if let Err(error) = self
                    .gate
                    .open(passage, reachable, open.contains_key(&passage))
                {
                    tracing::error!(sandbox = self.sandbox, %error, "an address of a name could not be let through");
                    return false;
                }
                open.insert(passage, now + reachable);
            }
        }
        true
    }

    fn note_refusal(&self, name: &str) {
        let count = self.refused.fetch_add(1, Ordering::Relaxed) + 1;
        if self.may_log() {
            tracing::info!(sandbox = self.sandbox, policy = %self.setting.policy, name, count, "a name was refused that is not on the list of the network policy");
        }
    }

    fn note_rebinding(&self, name: &str, left_out: usize) {
        if self.may_log() {
            tracing::warn!(sandbox = self.sandbox, policy = %self.setting.policy, name, left_out, "a name stands for addresses that no sandbox reaches; they were left out");
        }
    }

    fn may_log(&self) -> bool {
        let now = Instant::now();
        let mut logged = self.logged.lock();
        let may = logged.is_none_or(|at| now - at >= LOG_EVERY);
        if may {
            *logged = Some(now);
        }
        may
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        for passage in self.open.get_mut().keys() {
            // It may be over already; the next one with this address must not find it.
            let _ = self.gate.close(*passage);
        }
    }
}

async fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if length > MESSAGE_BYTES_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(message)
}

async fn send(stream: &mut TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidData)?;
    let whole = [&length.to_be_bytes()[..], message].concat();
    stream.write_all(&whole).await
}

/// The name servers in the text of a `resolv.conf`.
pub(crate) fn servers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("nameserver")).then(|| words.next())?
    });
    let addresses = lines.filter_map(|word| word.parse::<std::net::IpAddr>().ok());
    addresses.map(|a| SocketAddr::new(a, 53)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers_are_read_off_the_machines_file() {
        let text = "# comment\nsearch a b\nnameserver 10.0.0.1\n nameserver\tfd00::1\nnameserver fe80::1%eth0\nnameserver\n";
        let expected: Vec<SocketAddr> = vec![
            "10.0.0.1:53".parse().unwrap(),
            "[fd00::1]:53".parse().unwrap(),
        ];
        assert_eq!(servers(text), expected);
    }
}
