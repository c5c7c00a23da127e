//! What extensions are told of their environment: lines of logs and records of the platform, in batches.
//!
//! Until the environment has initialised everything is kept, up to a limit, because who subscribes late in that phase gets
//! it from the start. If nobody has subscribed by then, nothing is kept any more, and telling costs a look at one flag.
//! [`batch`] decides what is in a batch and when it goes; [`deliver`] carries it. What does not fit is dropped, counted,
//! and told.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use host::{Clock, Tasks, task::Kind};
use model::{Timestamp, function::LogFormat};
use parking_lot::Mutex;
use runtime_api::subscription::{Api, Closed, Subscription, Subscriptions, Types};
use serde_json::Value;
use tokio::{
    sync::{Notify, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock},
    time::Instant,
};

mod batch;
mod deliver;

use batch::Batch;
pub(crate) use deliver::Inside;

/// What is kept for those who subscribe later, in bytes.
const BACKLOG_MAX: usize = 256 << 10;
/// The longest line that is one record; a longer one is several.
const LINE_MAX: usize = 256 << 10;

/// Whose record it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The platform, in this API only or in both.
    Platform(Only),
    Function,
    Extension,
}

/// In which API a record of the platform exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Only {
    Both,
    Telemetry,
    Logs,
}

impl Origin {
    fn is_wanted(self, by: Api, types: Types) -> bool {
        match self {
            Self::Platform(only) => {
                let there = match only {
                    Only::Both => true,
                    Only::Telemetry => by == Api::Telemetry,
                    Only::Logs => by == Api::Logs,
                };
                there && types.platform
            }
            Self::Function => types.function,
            Self::Extension => types.extension,
        }
    }
}

/// One record, as it is sent.
#[derive(Clone, Debug)]
struct Record {
    origin: Origin,
    json: Bytes,
}

/// The telemetry of one environment. Clones share it.
#[derive(Clone)]
pub(crate) struct Telemetry {
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
    /// Whether there is anybody to tell, or might be.
    listening: AtomicBool,
    clock: Arc<dyn Clock>,
    tasks: Tasks,
    inside: Arc<dyn Inside>,
    /// Held by who sends; taken whole while the processes are stopped.
    gate: Arc<RwLock<()>>,
}

#[derive(Default)]
struct State {
    /// What late subscribers get.
    backlog: Vec<Record>,
    backlog_bytes: usize,
    opened: bool,
    subscribers: Vec<Subscriber>,
    /// The beginning of a line of the function's.
    partial: Vec<u8>,
}

struct Subscriber {
    extension: String,
    subscription: Subscription,
    queue: Arc<Queue>,
}

/// What waits for one subscriber.
struct Queue {
    batch: Mutex<Batch>,
    /// Something is due, or may be.
    bell: Notify,
}

/// While this is held nothing is sent.
pub(crate) struct Paused(#[expect(dead_code, reason = "held, not read")] OwnedRwLockWriteGuard<()>);

impl Telemetry {
    /// For an environment whose ports are reached through `inside`.
    pub(crate) fn new(inside: Arc<dyn Inside>, clock: Arc<dyn Clock>, tasks: Tasks) -> Self {
        Self {
            shared: Arc::new(Shared {
                state: Mutex::default(),
                listening: AtomicBool::new(true),
                clock,
                tasks,
                inside,
                gate: Arc::default(),
            }),
        }
    }

    /// Whether anybody is told, or might be.
    pub(crate) fn is_listening(&self) -> bool {
        self.shared.listening.load(Ordering::Relaxed)
    }

    /// A record of the platform's.
    pub(crate) fn platform(&self, only: Only, kind: &str, record: &Value) {
        if self.is_listening() {
            let at = self.shared.clock.wall();
            let origin = Origin::Platform(only);
            self.shared.state.lock().tell(origin, at, kind, record);
        }
    }

    /// A line that an extension printed.
    pub(crate) fn extension_line(&self, line: &str) {
        if self.is_listening() {
            let at = self.shared.clock.wall();
            let mut state = self.shared.state.lock();
            state.tell(Origin::Extension, at, "extension", &line.into());
        }
    }

    /// What the function's processes printed.
    pub(crate) fn function_output(&self, bytes: &[u8], format: LogFormat) {
        if !self.is_listening() {
            return;
        }
        let at = self.shared.clock.wall();
        let mut state = self.shared.state.lock();
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|b| *b == b'\n') {
            let (line, after) = rest.split_at(end);
            state.partial.extend_from_slice(line);
            state.function_line(at, format);
            rest = after.get(1..).unwrap_or_default();
        }
        for part in rest.chunks(LINE_MAX) {
            state.partial.extend_from_slice(part);
            if state.partial.len() >= LINE_MAX {
                state.function_line(at, format);
            }
        }
    }

    /// The function's processes are done with a phase: what they printed without an end of line is a line.
    pub(crate) fn end_line(&self, format: LogFormat) {
        if self.is_listening() {
            let at = self.shared.clock.wall();
            let mut state = self.shared.state.lock();
            if !state.partial.is_empty() {
                state.function_line(at, format);
            }
        }
    }

    /// The environment has initialised: nobody can subscribe any more.
    pub(crate) fn opened(&self) {
        let mut state = self.shared.state.lock();
        state.opened = true;
        state.backlog = Vec::new();
        state.backlog_bytes = 0;
        if state.subscribers.is_empty() {
            state.partial = Vec::new();
            self.shared.listening.store(false, Ordering::Relaxed);
        }
    }

    /// Its processes are gone: whoever they were, nobody is told any more, and new ones may subscribe.
    pub(crate) fn reset(&self) {
        let mut state = self.shared.state.lock();
        for subscriber in std::mem::take(&mut state.subscribers) {
            subscriber.queue.batch.lock().close();
            subscriber.queue.bell.notify_one();
        }
        *state = State::default();
        self.shared.listening.store(true, Ordering::Relaxed);
    }

    /// Sends what is there at once, because the end is near.
    pub(crate) fn flush(&self) {
        for subscriber in &self.shared.state.lock().subscribers {
            subscriber.queue.batch.lock().hurry();
            subscriber.queue.bell.notify_one();
        }
    }

    /// Waits until nothing is on its way; nothing is sent until the answer is dropped.
    pub(crate) async fn pause(&self) -> Option<Paused> {
        if self.shared.state.lock().subscribers.is_empty() {
            return None;
        }
        Some(Paused(self.shared.gate.clone().write_owned().await))
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for subscriber in &self.state.get_mut().subscribers {
            subscriber.queue.batch.lock().close();
            subscriber.queue.bell.notify_one();
        }
    }
}

impl Subscriptions for Telemetry {
    fn subscribe(&self, extension: &str, subscription: Subscription) -> Result<(), Closed> {
        let queue = Arc::new(Queue {
            batch: Mutex::new(Batch::new(subscription.buffering)),
            bell: Notify::new(),
        });
        let at = self.shared.clock.wall();
        let mut state = self.shared.state.lock();
        if state.opened {
            return Err(Closed);
        }
        let of = |s: &Subscriber| s.extension == extension;
        if let Some(earlier) = state.subscribers.iter().position(of) {
            let earlier = state.subscribers.swap_remove(earlier);
            earlier.queue.batch.lock().close();
            earlier.queue.bell.notify_one();
        }
        for record in &state.backlog {
            if record
                .origin
                .is_wanted(subscription.api, subscription.types)
            {
                queue.push(record.json.clone());
            }
        }
        let (kind, only) = match subscription.api {
            Api::Telemetry => ("platform.telemetrySubscription", Only::Telemetry),
            Api::Logs => ("platform.logsSubscription", Only::Logs),
        };
        let told = serde_json::json!({
            "name": extension, "state": "Subscribed", "types": names(subscription.types),
        });
        let destination = subscription.destination.clone();
        state.subscribers.push(Subscriber {
            extension: extension.to_owned(),
            subscription,
            queue: queue.clone(),
        });
        state.tell(Origin::Platform(only), at, kind, &told);
        drop(state);
        let work = deliver::run(
            queue,
            destination,
            self.shared.inside.clone(),
            self.shared.clock.clone(),
            self.shared.gate.clone(),
        );
        self.shared
            .tasks
            .spawn(Kind::Environment, "telemetry", work);
        Ok(())
    }
}

fn names(types: Types) -> Vec<&'static str> {
    let all = [
        (types.platform, "platform"),
        (types.function, "function"),
        (types.extension, "extension"),
    ];
    all.iter().filter(|(is, _)| *is).map(|(_, n)| *n).collect()
}

impl State {
    fn function_line(&mut self, at: Timestamp, format: LogFormat) {
        let line = std::mem::take(&mut self.partial);
        let text = String::from_utf8_lossy(&line);
        let object = (format == LogFormat::Json && text.starts_with('{'))
            .then(|| serde_json::from_str::<Value>(&text).ok())
            .flatten();
        let record = object.unwrap_or_else(|| text.into_owned().into());
        self.tell(Origin::Function, at, "function", &record);
    }

    fn tell(&mut self, origin: Origin, at: Timestamp, kind: &str, record: &Value) {
        let json = serde_json::json!({"time": at.to_rfc3339(), "type": kind, "record": record});
        let json = Bytes::from(json.to_string());
        for subscriber in &self.subscribers {
            let Subscription { api, types, .. } = subscriber.subscription;
            if origin.is_wanted(api, types) {
                subscriber.queue.push(json.clone());
            }
        }
        if !self.opened && self.backlog_bytes + json.len() <= BACKLOG_MAX {
            self.backlog_bytes += json.len();
            self.backlog.push(Record { origin, json });
        }
    }
}

impl Queue {
    fn push(&self, json: Bytes) {
        let mut batch = self.batch.lock();
        let was_empty = batch.is_empty();
        batch.push(json, Instant::now());
        if was_empty || batch.is_full() {
            self.bell.notify_one();
        }
    }
}

/// A turn to send.
type Turn = OwnedRwLockReadGuard<()>;

#[cfg(test)]
mod tests;
