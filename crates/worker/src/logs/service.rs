//! The service by which frontends read the logs that this worker has.

use std::{io, sync::Arc, time::Duration};

use host::{Tasks, net::serve::require_role};
use model::{AccountId, Region, Role};
use pattern::LogFilter;
use proto::internal::{self as pb, logs_server};
use tokio::sync::Semaphore;
use tonic::{Request, Response, Status};

use super::{
    files::Files,
    scan::{Event, Position, Wanted},
    shelf::{Chosen, Group, Groups, Listing, Shelf},
};

/// Calls that read at a time: what they do must leave the disk and the processors to functions.
const READS: usize = 4;
/// How long a call waits for its turn.
const TURN_MAX: Duration = Duration::from_secs(1);
/// Most events of an answer, whatever is asked for.
const EVENTS_MAX: usize = 10_000;
/// Most bytes of events of an answer. One event may be larger.
const BYTES_MAX: usize = 1 << 20;
/// Most groups or streams of an answer.
const NAMES_MAX: usize = 1000;

/// The gRPC service. Clones share it.
#[derive(Clone)]
pub struct LogService {
    shelf: Shelf,
    files: Files,
    tasks: Tasks,
    reads: Arc<Semaphore>,
}

impl LogService {
    pub(crate) fn new(shelf: Shelf, files: Files, tasks: Tasks) -> Self {
        Self {
            shelf,
            files,
            tasks,
            reads: Arc::new(Semaphore::new(READS)),
        }
    }

    /// Reads, after everything that was written so far.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Shelf) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Status> {
        let turn = tokio::time::timeout(TURN_MAX, self.reads.clone().acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            return Err(Status::resource_exhausted(format!(
                "this worker reads {READS} logs, as many as it may"
            )));
        };
        let (shelf, files) = (self.shelf.clone(), self.files.clone());
        let work = move || {
            // A caller that went away does not free it sooner.
            let _turn = turn;
            files.flush();
            read(&shelf)
        };
        let done = self.tasks.blocking(work).await;
        let done = done.map_err(|error| Status::internal(error.to_string()))?;
        done.map_err(|error| {
            tracing::warn!(%error, "the logs of functions cannot be read; check the disk");
            Status::internal("the logs of this worker cannot be read")
        })
    }
}

#[tonic::async_trait]
impl logs_server::Logs for LogService {
    async fn list_groups(
        &self,
        request: Request<pb::ListLogGroupsRequest>,
    ) -> Result<Response<pb::ListLogGroupsResponse>, Status> {
        require_role(request.extensions(), &[Role::Frontend])?;
        let request = request.into_inner();
        let (account, region) = whose(&request.account, &request.region)?;
        let wanted = Groups {
            prefix: request.prefix,
            pattern: request.pattern,
            after: request.after,
            limit: at_most(request.limit, NAMES_MAX),
        };
        let read = self.read(move |shelf| shelf.groups(account, &region, &wanted));
        let (groups, more) = read.await?;
        let groups = groups.into_iter().map(|group| pb::LogGroup {
            name: group.name,
            created_ms: group.created,
            stored_bytes: group.stored,
        });
        Ok(Response::new(pb::ListLogGroupsResponse {
            groups: groups.collect(),
            more,
        }))
    }

    async fn list_streams(
        &self,
        request: Request<pb::ListLogStreamsRequest>,
    ) -> Result<Response<pb::ListLogStreamsResponse>, Status> {
        require_role(request.extensions(), &[Role::Frontend])?;
        let request = request.into_inner();
        let group = group(request.group)?;
        let chosen = Chosen {
            prefixes: Some(request.prefix)
                .filter(|p| !p.is_empty())
                .into_iter()
                .collect(),
            ..Chosen::default()
        };
        let listing = Listing {
            by_last_event: request.by_last_event,
            descending: request.descending,
            after: request.after.map(|after| (after.last_event_ms, after.name)),
            limit: at_most(request.limit, NAMES_MAX),
        };
        let read = self.read(move |shelf| shelf.streams(&group, &chosen, &listing));
        let found = read.await?;
        let is_found = found.is_some();
        let (streams, more) = found.unwrap_or_default();
        let streams = streams.into_iter().map(|stream| pb::LogStream {
            name: stream.name,
            first_event_ms: stream.first,
            last_event_ms: stream.last,
            stored_bytes: stream.stored,
        });
        Ok(Response::new(pb::ListLogStreamsResponse {
            found: is_found,
            streams: streams.collect(),
            more,
        }))
    }

    async fn read_events(
        &self,
        request: Request<pb::ReadLogEventsRequest>,
    ) -> Result<Response<pb::ReadLogEventsResponse>, Status> {
        require_role(request.extensions(), &[Role::Frontend])?;
        let request = request.into_inner();
        let group = group(request.group)?;
        let filter = Some(request.filter).filter(|filter| !filter.is_empty());
        let filter = filter.map(|filter| LogFilter::parse(&filter)).transpose();
        let chosen = Chosen {
            names: request.streams,
            prefixes: request.stream_prefixes,
        };
        if request.newest && chosen.names.len() != 1 {
            return Err(Status::invalid_argument(
                "expected one stream where the newest events are wanted",
            ));
        }
        let wanted = Wanted {
            start: request.start_ms,
            end: request.end_ms,
            after: request.after.map(position),
            before: request.before.map(position),
            newest: request.newest,
            filter: filter.map_err(|error| Status::invalid_argument(error.to_string()))?,
            limit: at_most(request.limit, EVENTS_MAX),
            bytes: at_most(request.bytes_max, BYTES_MAX),
        };
        let read = self.read(move |shelf| shelf.events(&group, &chosen, &wanted));
        let Some((found, found_stream)) = read.await? else {
            return Ok(Response::new(pb::ReadLogEventsResponse::default()));
        };
        Ok(Response::new(pb::ReadLogEventsResponse {
            found_group: true,
            found_stream,
            events: found.events.into_iter().map(event).collect(),
            until: found.until.map(told),
        }))
    }
}

/// What was asked for, at least one and at most this.
fn at_most(asked: u32, most: usize) -> usize {
    usize::try_from(asked).unwrap_or(most).clamp(1, most)
}

#[allow(
    clippy::result_large_err,
    reason = "tonic's services return this error anyway"
)]
fn whose(account: &str, region: &str) -> Result<(AccountId, Region), Status> {
    let invalid = |error: String| Status::invalid_argument(error);
    let account = account.parse::<AccountId>();
    let region = region.parse::<Region>();
    Ok((
        account.map_err(|error| invalid(error.to_string()))?,
        region.map_err(|error| invalid(error.to_string()))?,
    ))
}

#[allow(
    clippy::result_large_err,
    reason = "tonic's services return this error anyway"
)]
fn group(name: Option<pb::LogGroupName>) -> Result<Group, Status> {
    let name = name.ok_or_else(|| Status::invalid_argument("expected a group"))?;
    let (account, region) = whose(&name.account, &name.region)?;
    Ok(Group {
        account,
        region,
        name: name.name,
    })
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

fn event(event: Event) -> pb::LogEvent {
    pb::LogEvent {
        position: Some(told(event.position)),
        message: event.message,
    }
}
