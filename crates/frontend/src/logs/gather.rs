//! Asks every worker, a bounded number at a time, each for a bounded time.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, future::BoxFuture};
use host::{
    membership::Members,
    net::{Channels, channel::NodeChannel},
};
use lambda_api::logs::{GroupId, LogsError, PAGE_BYTES, Position};
use model::{NodeName, Role};
use proto::internal::{self as pb, logs_client::LogsClient};
use tokio::{
    sync::{Semaphore, SemaphorePermit, watch},
    time::Instant,
};
use tonic::Status;

use super::merge::{Event, Merged};

/// Workers that are asked at a time by one call.
const ASKED: usize = 8;
/// How long a worker may take.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// How long all of them together may take.
const GATHER_MAX: Duration = Duration::from_secs(12);
/// Calls that gather at a time; with the largest answers they hold nine megabytes each.
const CALLS: usize = 16;
/// How long a call waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(2);
/// Sessions that follow logs at a time.
const SESSIONS: usize = 32;

/// The way to the logs of all workers.
pub(crate) struct Desk {
    members: watch::Receiver<Members>,
    channels: Arc<Channels>,
    calls: Semaphore,
    pub(super) sessions: Arc<Semaphore>,
}

/// Which events of a group.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selection {
    /// Of these streams; of all if there are none.
    pub(crate) streams: Vec<String>,
    /// Of streams that begin with one of these; of all if there are none.
    pub(crate) prefixes: Vec<String>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) after: Option<Position>,
    pub(crate) before: Option<Position>,
    pub(crate) newest: bool,
    pub(crate) pattern: String,
    pub(crate) limit: usize,
}

/// Events of a group, as far as workers answered.
pub(crate) struct Gathered {
    pub(crate) merged: Merged,
    pub(crate) found_group: bool,
    pub(crate) found_stream: bool,
    pub(crate) unreached: Vec<NodeName>,
}

type Asked<'a, A> = BoxFuture<'a, Result<A, Status>>;

impl Desk {
    pub(crate) fn new(members: watch::Receiver<Members>, channels: Arc<Channels>) -> Self {
        Self {
            members,
            channels,
            calls: Semaphore::new(CALLS),
            sessions: Arc::new(Semaphore::new(SESSIONS)),
        }
    }

    /// Events of a group.
    ///
    /// # Errors
    /// [`LogsError::Throttling`] if too many calls gather already.
    pub(super) async fn events(
        &self,
        group: &GroupId,
        selection: Selection,
    ) -> Result<Gathered, LogsError> {
        let mut gathered = Gathered {
            merged: Merged::new(selection.limit),
            found_group: false,
            found_stream: false,
            unreached: Vec::new(),
        };
        let request = selection.into_request(group);
        let ask = |mut client: LogsClient<NodeChannel>| -> Asked<'_, _> {
            let request = request.clone();
            Box::pin(async move { Ok(client.read_events(request).await?.into_inner()) })
        };
        let unreached = self.ask(ask, |answer: pb::ReadLogEventsResponse| {
            gathered.found_group |= answer.found_group;
            gathered.found_stream |= answer.found_stream;
            let events = answer.events.into_iter().map(event);
            gathered
                .merged
                .add(events.collect(), answer.until.map(position));
        });
        let unreached = unreached.await?;
        gathered.unreached = unreached;
        Ok(gathered)
    }

    /// Asks every worker, and takes what each answers. Gives the names of those that did not.
    ///
    /// # Errors
    /// As [`Desk::events`].
    pub(super) async fn ask<'a, A>(
        &'a self,
        ask: impl Fn(LogsClient<NodeChannel>) -> Asked<'a, A>,
        mut take: impl FnMut(A),
    ) -> Result<Vec<NodeName>, LogsError> {
        let _turn = self.turn().await?;
        let until = Instant::now() + GATHER_MAX;
        let workers = self.workers();
        let calls = workers.into_iter().map(|(name, address)| {
            let channel = self.channels.get_to(&address, Role::Worker);
            let call = ask(LogsClient::new(channel).max_decoding_message_size(MESSAGE_MAX));
            async move {
                let until = until.min(Instant::now() + ANSWER_MAX);
                let answer = match tokio::time::timeout_at(until, call).await {
                    Ok(answer) => answer,
                    Err(_) => Err(Status::deadline_exceeded("no answer in time")),
                };
                (name, answer)
            }
        });
        let mut answers = futures::stream::iter(calls).buffer_unordered(ASKED);
        let mut unreached = Vec::new();
        while let Some((name, answer)) = answers.next().await {
            match answer {
                Ok(answer) => take(answer),
                Err(status) => {
                    tracing::debug!(worker = %name, %status, "a worker did not give its logs");
                    unreached.push(name);
                }
            }
        }
        unreached.sort();
        Ok(unreached)
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, LogsError> {
        match tokio::time::timeout(TURN_MAX, self.calls.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            Ok(Err(_)) | Err(_) => Err(LogsError::Throttling),
        }
    }

    fn workers(&self) -> Vec<(NodeName, String)> {
        let members = self.members.borrow();
        let workers = members.values().filter(|m| m.roles.has(Role::Worker));
        workers
            .map(|member| (member.name.clone(), member.address.clone()))
            .collect()
    }
}

/// The longest answer that is read: a full one, with the frames around its events.
const MESSAGE_MAX: usize = 4 * PAGE_BYTES;

impl Selection {
    fn into_request(self, group: &GroupId) -> pb::ReadLogEventsRequest {
        pb::ReadLogEventsRequest {
            group: Some(named(group)),
            streams: self.streams,
            stream_prefixes: self.prefixes,
            start_ms: self.start,
            end_ms: self.end,
            after: self.after.map(told),
            before: self.before.map(told),
            newest: self.newest,
            filter: self.pattern,
            limit: number(self.limit),
            bytes_max: number(PAGE_BYTES),
        }
    }
}

pub(super) fn named(group: &GroupId) -> pb::LogGroupName {
    pb::LogGroupName {
        account: group.account.to_string(),
        region: group.region.to_string(),
        name: group.name.clone(),
    }
}

pub(super) fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn event(event: pb::LogEvent) -> Event {
    Event {
        position: event.position.map(position).unwrap_or_default(),
        message: event.message,
    }
}

fn position(position: pb::LogPosition) -> Position {
    Position {
        at: position.at_ms,
        stream: position.stream,
        number: position.number,
    }
}

fn told(position: Position) -> pb::LogPosition {
    pb::LogPosition {
        at_ms: position.at,
        stream: position.stream,
        number: position.number,
    }
}
