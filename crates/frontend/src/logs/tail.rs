//! `StartLiveTail`: a session that tells what comes, once a second, until its caller goes away.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures::stream;
use http::{HeaderMap, HeaderValue, header};
use lambda_api::{
    event_stream,
    logs::{self, GroupId, LogsError, SessionStart, StartLiveTail, TailedEvent},
};
use model::RequestId;
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{Desk, Selection, follow::Follow, merge::Event};
use crate::{
    auth::Authorized,
    respond::{Answer, Body},
    stack::Edge,
};

/// How often there is something to tell.
const PERIOD: Duration = Duration::from_secs(1);
/// Most events of one message; those before are left out, and the message says so.
const EVENTS_MAX: usize = 500;
/// Pages that are read of a group each time. What is behind them is left out.
const PAGES_MAX: usize = 4;
/// Events of such a page.
const PAGE: usize = 5_000;
/// How long a session lasts.
const SESSION_MAX: Duration = Duration::from_secs(3 * 60 * 60);

struct Session {
    desk: Arc<Desk>,
    clock: Arc<dyn host::Clock>,
    wanted: StartLiveTail,
    groups: Vec<(GroupId, Follow)>,
    next: Instant,
    ends: Instant,
    draining: CancellationToken,
    beginning: Option<Vec<u8>>,
    _place: OwnedSemaphorePermit,
}

/// Begins a session.
pub(super) fn start(
    edge: &Edge,
    authorized: Authorized<StartLiveTail>,
    request_id: RequestId,
) -> Result<Answer, LogsError> {
    let (wanted, _grant) = authorized.take();
    let place = edge.logs.sessions.clone().try_acquire_owned();
    let place = place.map_err(|_| {
        LogsError::LimitExceeded(
            "This frontend has as many live tail sessions as it may.".to_owned(),
        )
    })?;
    let now = edge.bench.clock.wall().as_millis();
    let groups = wanted.groups.iter();
    let session = Session {
        desk: edge.logs.clone(),
        clock: edge.bench.clock.clone(),
        groups: groups
            .map(|(id, _)| (id.clone(), Follow::new(now)))
            .collect(),
        next: Instant::now(),
        ends: Instant::now() + SESSION_MAX,
        draining: edge.bench.tasks.draining(),
        beginning: Some(beginning(&wanted, request_id)),
        wanted,
        _place: place,
    };
    let mut headers = HeaderMap::new();
    let kind = HeaderValue::from_static(event_stream::CONTENT_TYPE);
    headers.insert(header::CONTENT_TYPE, kind);
    Ok(Answer {
        status: http::StatusCode::OK,
        headers,
        body: Body::Pieces(Box::pin(stream::unfold(Some(session), Session::next))),
        refusal: None,
    })
}

fn beginning(wanted: &StartLiveTail, request_id: RequestId) -> Vec<u8> {
    let id = request_id.to_string();
    let groups = wanted.groups.iter();
    let start = SessionStart {
        request_id: &id,
        session_id: &id,
        log_group_identifiers: groups.map(|(_, named)| named.as_str()).collect(),
        log_stream_names: &wanted.streams,
        log_stream_name_prefixes: &wanted.prefixes,
        log_event_filter_pattern: &wanted.pattern,
    };
    [logs::initial_response(), logs::session_start(&start)].concat()
}

impl Session {
    /// The next message, and what makes those after it.
    async fn next(session: Option<Self>) -> Option<(Bytes, Option<Self>)> {
        let mut session = session?;
        if let Some(beginning) = session.beginning.take() {
            return Some((beginning.into(), Some(session)));
        }
        let draining = session.draining.clone();
        tokio::select! {
            biased;
            // Its caller asks another frontend.
            () = draining.cancelled() => return None,
            () = tokio::time::sleep_until(session.next) => {}
        }
        if Instant::now() >= session.ends {
            let text = "The session has reached the longest time that it may last.";
            let end = logs::session_exception("SessionTimeoutException", text);
            return Some((end.into(), None));
        }
        session.next = Instant::now() + PERIOD;
        let update = session.update().await;
        Some((update.into(), Some(session)))
    }

    async fn update(&mut self) -> Vec<u8> {
        let (mut all, mut sampled) = (Vec::new(), false);
        let now = self.clock.wall().as_millis();
        for (group, follow) in &mut self.groups {
            let (new, whole) = read(&self.desk, &self.wanted, group, follow).await;
            sampled |= !whole;
            if !whole {
                follow.skip_to(now);
            }
            all.extend(new.into_iter().map(|event| (group.clone(), event)));
        }
        all.sort_by(|(_, a), (_, b)| a.position.cmp(&b.position));
        let surplus = all.len().saturating_sub(EVENTS_MAX);
        sampled |= surplus > 0;
        let told = all.into_iter().skip(surplus);
        let told: Vec<TailedEvent> = told
            .map(|(group, event)| TailedEvent::new(&group, event.position, event.message))
            .collect();
        logs::session_update(&told, sampled)
    }
}

/// What is new of a group, and whether that is all of it.
async fn read(
    desk: &Desk,
    wanted: &StartLiveTail,
    group: &GroupId,
    follow: &mut Follow,
) -> (Vec<Event>, bool) {
    let mut new = Vec::new();
    let mut after = Some(follow.floor().clone());
    for _ in 0..PAGES_MAX {
        let selection = Selection {
            streams: wanted.streams.clone(),
            prefixes: wanted.prefixes.clone(),
            end: u64::MAX,
            after,
            pattern: wanted.pattern.clone(),
            limit: PAGE,
            ..Selection::default()
        };
        // A call that finds no room now is made again in a second.
        let Ok(found) = desk.events(group, selection).await else {
            return (new, true);
        };
        new.extend(follow.take(found.merged.events));
        // Only the last ones can be told: what is in memory has a bound.
        let surplus = new.len().saturating_sub(EVENTS_MAX + 1);
        new.drain(..surplus);
        after = found.merged.until;
        if after.is_none() {
            follow.settle();
            return (new, true);
        }
    }
    follow.settle();
    (new, false)
}
