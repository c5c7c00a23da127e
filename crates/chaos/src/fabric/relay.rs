//! The thread that carries packets: it reads what hosts send, lets the rules decide, and writes what arrives, at once or
//! when its time has come.
//!
//! One thread for all hosts: packets of one direction cannot overtake each other by accident, and no lock is on their
//! way. A host that sends without pause is left after a burst for the others. What a receiver's device does not take is
//! dropped, as a switch would.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    io,
    net::Ipv4Addr,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use host::{Entropy, SeededEntropy};
use rustix::{
    event::{EventfdFlags, Timespec, epoll, eventfd},
    io::Errno,
};
use tokio::time::Instant;

use super::{
    FabricError,
    link::{Lane, Passage, Rule, Why},
    links::Links,
    packet,
};

/// How many packets of one host are read before the others are looked after.
const BURST: usize = 64;
/// What wakes the relay to stop, among the devices' numbers.
const WAKER: u64 = u64::MAX;
/// How late a timer may be.
const SLACK: Duration = Duration::from_micros(1);
/// Before others that want to run: the network has to go on when the machine is busy.
const NICENESS: i32 = -15;
/// The most buffers that are kept for use again.
const SPARE_MAX: usize = 1024;

/// The running thread. Dropping it stops it and closes the devices.
#[derive(Debug)]
pub(crate) struct Relay {
    thread: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    waker: Arc<OwnedFd>,
}

struct Carrier {
    devices: Vec<Device>,
    by_address: BTreeMap<Ipv4Addr, usize>,
    links: Links,
    rules: Vec<Rule>,
    generation: u64,
    lanes: Vec<Lane>,
    under_way: BinaryHeap<Reverse<UnderWay>>,
    sent: u64,
    entropy: SeededEntropy,
    began: Instant,
    spare: Vec<Vec<u8>>,
}

struct Device {
    fd: OwnedFd,
    gone: bool,
}

/// A packet that has not arrived yet, ordered by when it does.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct UnderWay {
    at: Duration,
    /// Keeps the order of those that arrive together.
    number: u64,
    pair: usize,
    to: usize,
    packet: Vec<u8>,
}

impl Relay {
    /// Starts to carry among these devices, whose order is that of the hosts of `links`.
    pub(crate) fn start(
        devices: Vec<(Ipv4Addr, OwnedFd)>,
        links: Links,
        entropy: SeededEntropy,
        mtu: u16,
    ) -> Result<Self, FabricError> {
        let system = |doing| {
            move |source: Errno| FabricError::System {
                doing,
                source: source.into(),
            }
        };
        let waker = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map(Arc::new)
            .map_err(system("make the relay's waker"))?;
        let poll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system("make the relay's poll"))?;
        let watch = |fd: &OwnedFd, number| {
            epoll::add(
                &poll,
                fd,
                epoll::EventData::new_u64(number),
                epoll::EventFlags::IN,
            )
            .map_err(system("watch a device"))
        };
        watch(&waker, WAKER)?;
        for (number, (_, fd)) in (0..).zip(&devices) {
            watch(fd, number)?;
        }
        let mut carrier = Carrier::new(devices, links, entropy);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("fabric-relay".to_owned())
            .spawn(move || {
                prefer_this_thread();
                if let Err(error) = carrier.run(&poll, &stopped, usize::from(mtu)) {
                    tracing::error!(%error, "the relay of a fabric ended; its hosts are cut off");
                }
            })
            .map_err(|source| FabricError::System {
                doing: "start the relay",
                source,
            })?;
        Ok(Self {
            thread: Some(thread),
            stop,
            waker,
        })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let woken = rustix::io::write(&*self.waker, &1_u64.to_ne_bytes());
        let Some(thread) = self.thread.take() else {
            return;
        };
        if let Err(error) = woken {
            tracing::error!(%error, "the relay of a fabric cannot be woken and is left alone");
        } else if thread.join().is_err() {
            tracing::error!("the relay of a fabric panicked");
        }
    }
}

impl Carrier {
    fn new(devices: Vec<(Ipv4Addr, OwnedFd)>, links: Links, entropy: SeededEntropy) -> Self {
        let (rules, generation) = links.rules();
        Self {
            by_address: devices.iter().map(|(a, _)| *a).zip(0..).collect(),
            devices: devices
                .into_iter()
                .map(|(_, fd)| Device { fd, gone: false })
                .collect(),
            lanes: vec![Lane::default(); rules.len()],
            links,
            rules,
            generation,
            under_way: BinaryHeap::new(),
            sent: 0,
            entropy,
            began: Instant::now(),
            spare: Vec::new(),
        }
    }

    fn run(&mut self, poll: &OwnedFd, stop: &AtomicBool, mtu: usize) -> io::Result<()> {
        let mut events = Vec::with_capacity(self.devices.len() + 1);
        let mut buffer = vec![0; mtu];
        while !stop.load(Ordering::Acquire) {
            let next = self.deliver_due();
            events.clear();
            let timeout = next.map(timespec);
            match epoll::wait(
                poll,
                rustix::buffer::spare_capacity(&mut events),
                timeout.as_ref(),
            ) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                if let Ok(from) = usize::try_from(event.data.u64())
                    && event.data.u64() != WAKER
                {
                    self.take_from(from, poll, &mut buffer);
                    self.deliver_due();
                }
            }
        }
        Ok(())
    }

    /// Reads a burst of what a host sends.
    fn take_from(&mut self, from: usize, poll: &OwnedFd, buffer: &mut [u8]) {
        for _ in 0..BURST {
            let Some(device) = self.devices.get_mut(from).filter(|d| !d.gone) else {
                return;
            };
            match rustix::io::read(&device.fd, &mut *buffer) {
                Ok(len) => {
                    if let Some(packet) = buffer.get_mut(..len) {
                        self.carry(from, packet);
                    }
                }
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(error) => {
                    tracing::warn!(host = from, %error, "a host's device is gone");
                    device.gone = true;
                    if let Err(error) = epoll::delete(poll, &device.fd) {
                        tracing::debug!(%error, "it was not watched any more");
                    }
                    return;
                }
            }
        }
    }

    /// Decides about one packet, and lets it arrive if it does so at once.
    fn carry(&mut self, from: usize, packet: &mut [u8]) {
        let to = packet::destination(packet).and_then(|a| self.by_address.get(&a));
        let Some(&to) = to else {
            self.links.count_stray();
            return;
        };
        self.look_at_rules();
        let pair = from * self.devices.len() + to;
        let now = self.began.elapsed();
        let (Some(rule), Some(lane)) = (self.rules.get(pair), self.lanes.get_mut(pair)) else {
            return;
        };
        let passage = lane.pass(rule, now, packet.len(), || self.entropy.next_u64());
        let Some(tally) = self.links.tally(pair) else {
            return;
        };
        let (at, twice) = match passage {
            Passage::Dropped(why) => return tally.dropped(why),
            Passage::Carried {
                at,
                twice,
                behind,
                damage,
            } => {
                if behind {
                    tally.reordered();
                }
                if twice {
                    tally.duplicated();
                }
                if damage.is_some_and(|damage| packet::spoil(packet, damage)) {
                    tally.corrupted();
                }
                (at, twice)
            }
        };
        for _ in 0..=u8::from(twice) {
            if at <= now {
                self.arrive(pair, to, packet);
            } else {
                self.keep(at, pair, to, packet);
            }
        }
    }

    fn keep(&mut self, at: Duration, pair: usize, to: usize, packet: &[u8]) {
        if let Some(lane) = self.lanes.get_mut(pair) {
            lane.keep(packet.len());
        }
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.clear();
        copy.extend_from_slice(packet);
        self.sent += 1;
        self.under_way.push(Reverse(UnderWay {
            at,
            number: self.sent,
            pair,
            to,
            packet: copy,
        }));
    }

    /// Lets everything arrive whose time has come. Answers how long the next one takes.
    fn deliver_due(&mut self) -> Option<Duration> {
        loop {
            let now = self.began.elapsed();
            let next = self.under_way.peek().map(|Reverse(next)| next.at)?;
            if next > now {
                return Some(next - now);
            }
            self.look_at_rules();
            let Reverse(arrives) = self.under_way.pop()?;
            if let Some(lane) = self.lanes.get_mut(arrives.pair) {
                lane.release(arrives.packet.len());
            }
            if self.rules.get(arrives.pair).is_some_and(|rule| rule.cut) {
                if let Some(tally) = self.links.tally(arrives.pair) {
                    tally.dropped(Why::Cut);
                }
            } else {
                self.arrive(arrives.pair, arrives.to, &arrives.packet);
            }
            if self.spare.len() < SPARE_MAX {
                self.spare.push(arrives.packet);
            }
        }
    }

    fn arrive(&self, pair: usize, to: usize, packet: &[u8]) {
        let (Some(device), Some(tally)) = (self.devices.get(to), self.links.tally(pair)) else {
            return;
        };
        match rustix::io::write(&device.fd, packet) {
            Ok(_) => tally.delivered(packet.len()),
            Err(_) => tally.refused(),
        }
    }

    fn look_at_rules(&mut self) {
        if self.links.generation() == self.generation {
            return;
        }
        let (rules, generation) = self.links.rules();
        for ((lane, old), new) in self.lanes.iter_mut().zip(&self.rules).zip(&rules) {
            if old != new {
                lane.renew();
            }
        }
        self.rules = rules;
        self.generation = generation;
    }
}

/// Lets this thread run first and its timers be exact. A machine that does not allow it has a slower network.
fn prefer_this_thread() {
    let me = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(me), NICENESS) {
        tracing::debug!(%error, "the relay runs with ordinary priority");
    }
    let slack = u64::try_from(SLACK.as_nanos()).unwrap_or(1);
    if let Err(error) = rustix::thread::set_current_timer_slack(std::num::NonZeroU64::new(slack)) {
        tracing::debug!(%error, "the relay's timers have ordinary slack");
    }
}

fn timespec(wait: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: wait.subsec_nanos().into(),
    }
}
