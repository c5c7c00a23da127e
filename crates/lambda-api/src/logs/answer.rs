//! What callers are answered.

use serde::Serialize;

use super::{
    GroupId,
    token::{self, Place, Position, StreamKey},
};
use crate::event_stream;

/// `DescribeLogGroups`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Groups {
    log_groups: Vec<Group>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    log_group_name: String,
    creation_time: u64,
    metric_filter_count: u32,
    arn: String,
    stored_bytes: u64,
    log_group_class: &'static str,
    log_group_arn: String,
}

impl Group {
    /// A group that was made at this time, in milliseconds since 1970.
    #[must_use]
    pub fn new(id: &GroupId, created: u64, stored: u64) -> Self {
        Self {
            log_group_name: id.name.clone(),
            creation_time: created,
            metric_filter_count: 0,
            arn: format!("{id}:*"),
            stored_bytes: stored,
            log_group_class: "STANDARD",
            log_group_arn: id.to_string(),
        }
    }
}

impl Groups {
    /// A page, and whether another one follows.
    #[must_use]
    pub fn new(log_groups: Vec<Group>, more: bool) -> Self {
        let last = log_groups.last().filter(|_| more);
        Self {
            next_token: last.map(|group| token::sealed(&group.log_group_name)),
            log_groups,
        }
    }
}

/// `DescribeLogStreams`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Streams {
    log_streams: Vec<Stream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// A stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stream {
    log_stream_name: String,
    creation_time: u64,
    first_event_timestamp: u64,
    last_event_timestamp: u64,
    last_ingestion_time: u64,
    upload_sequence_token: &'static str,
    arn: String,
    stored_bytes: u64,
}

impl Stream {
    /// A stream of a group, with the times of its first and its last event.
    #[must_use]
    pub fn new(group: &GroupId, name: String, first: u64, last: u64) -> Self {
        Self {
            creation_time: first,
            first_event_timestamp: first,
            last_event_timestamp: last,
            last_ingestion_time: last,
            upload_sequence_token: "1",
            arn: format!("{}{name}", group.resource()),
            log_stream_name: name,
            // What AWS says of every stream since 2019.
            stored_bytes: 0,
        }
    }
}

impl Streams {
    /// A page, and whether another one follows.
    #[must_use]
    pub fn new(log_streams: Vec<Stream>, more: bool) -> Self {
        let last = log_streams.last().filter(|_| more);
        let last = last.map(|stream| StreamKey {
            last: stream.last_event_timestamp,
            name: stream.log_stream_name.clone(),
        });
        Self {
            next_token: last.map(|key| token::sealed(&key)),
            log_streams,
        }
    }
}

/// `GetLogEvents`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputEvents {
    events: Vec<OutputEvent>,
    next_forward_token: String,
    next_backward_token: String,
}

/// An event of a stream.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputEvent {
    timestamp: u64,
    message: String,
    ingestion_time: u64,
}

impl OutputEvents {
    /// A page that began at this place. At the end of a stream its tokens are the ones that the caller has already.
    #[must_use]
    pub fn new(events: Vec<(Position, String)>, begun: Option<Place>) -> Self {
        let ends = events.first().zip(events.last()).map(|(first, last)| {
            let (first, last) = (&first.0, &last.0);
            ((first.at, first.number), (last.at, last.number))
        });
        let (forward, backward) = match (ends, begun) {
            (Some((first, last)), _) => (
                Place::Forward(Some(last)),
                Place::Backward(first.0, first.1),
            ),
            (None, None | Some(Place::Forward(None))) => {
                (Place::Forward(None), Place::Backward(0, 0))
            }
            (None, Some(Place::Forward(Some((at, number))))) => {
                let behind = Place::Backward(at, number.saturating_add(1));
                (Place::Forward(Some((at, number))), behind)
            }
            (None, Some(backward @ Place::Backward(..))) => (Place::Forward(None), backward),
        };
        Self {
            next_forward_token: forward.to_string(),
            next_backward_token: backward.to_string(),
            events: events
                .into_iter()
                .map(|(position, message)| OutputEvent {
                    timestamp: position.at,
                    message,
                    ingestion_time: position.at,
                })
                .collect(),
        }
    }
}

/// `FilterLogEvents`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Events {
    events: Vec<FilteredEvent>,
    searched_log_streams: [(); 0],
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

/// An event of a group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilteredEvent {
    log_stream_name: String,
    timestamp: u64,
    message: String,
    ingestion_time: u64,
    event_id: String,
}

impl Events {
    /// A page, and up to where it looked if another one follows.
    #[must_use]
    pub fn new(events: Vec<(Position, String)>, until: Option<&Position>) -> Self {
        let events = events.into_iter().map(|(position, message)| FilteredEvent {
            event_id: event_id(&position),
            timestamp: position.at,
            ingestion_time: position.at,
            log_stream_name: position.stream,
            message,
        });
        Self {
            events: events.collect(),
            searched_log_streams: [],
            next_token: until.map(token::sealed),
        }
    }
}

/// What an event is called: 56 digits, the same whenever and wherever it is asked for, and in the order of time.
#[must_use]
pub fn event_id(position: &Position) -> String {
    let bytes = position.stream.bytes();
    let stream = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{:014}{stream:020}{:022}", position.at, position.number)
}

/// How a session of `StartLiveTail` begins.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionStart<'a> {
    /// The id of the request.
    pub request_id: &'a str,
    /// The id of the session.
    pub session_id: &'a str,
    /// The groups, as the caller named them.
    pub log_group_identifiers: Vec<&'a str>,
    /// The streams.
    pub log_stream_names: &'a [String],
    /// What streams begin with.
    pub log_stream_name_prefixes: &'a [String],
    /// The filter pattern.
    pub log_event_filter_pattern: &'a str,
}

/// An event of a session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TailedEvent {
    log_group_identifier: String,
    log_stream_name: String,
    message: String,
    timestamp: u64,
    ingestion_time: u64,
}

impl TailedEvent {
    /// An event of a group.
    #[must_use]
    pub fn new(group: &GroupId, position: Position, message: String) -> Self {
        Self {
            log_group_identifier: format!("{}:{}", group.account, group.name),
            log_stream_name: position.stream,
            message,
            timestamp: position.at,
            ingestion_time: position.at,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SessionUpdate<'a> {
    session_metadata: SessionMetadata,
    session_results: &'a [TailedEvent],
}

#[derive(Serialize)]
struct SessionMetadata {
    sampled: bool,
}

/// The message in front of a session: what the protocol has where other operations have their answer.
#[must_use]
pub fn initial_response() -> Vec<u8> {
    event_stream::json_event("initial-response", b"{}")
}

/// The message that begins a session.
#[must_use]
pub fn session_start(start: &SessionStart<'_>) -> Vec<u8> {
    event_stream::json_event("sessionStart", &body(start))
}

/// A message with what came since the one before; `sampled` if not all of it is in it.
#[must_use]
pub fn session_update(events: &[TailedEvent], sampled: bool) -> Vec<u8> {
    let update = SessionUpdate {
        session_metadata: SessionMetadata { sampled },
        session_results: events,
    };
    event_stream::json_event("sessionUpdate", &body(&update))
}

/// The message that ends a session with an error.
#[must_use]
pub fn session_exception(name: &str, message: &str) -> Vec<u8> {
    event_stream::exception(name, message)
}

fn body(shape: &impl Serialize) -> Vec<u8> {
    crate::response::to_body(shape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(at: u64, number: u64) -> Position {
        Position {
            at,
            stream: "s".into(),
            number,
        }
    }

    #[test]
    fn tokens_of_a_stream_lead_on_and_back() {
        let tokens = |events: &[(u64, u64)], begun| {
            let events = events
                .iter()
                .map(|(at, n)| (position(*at, *n), String::new()));
            let page = OutputEvents::new(events.collect(), begun);
            let read = |token: &str| token.parse::<Place>().unwrap();
            (
                read(&page.next_forward_token),
                read(&page.next_backward_token),
            )
        };
        let (forward, backward) = tokens(&[(5, 0), (6, 2)], None);
        assert_eq!(forward, Place::Forward(Some((6, 2))));
        assert_eq!(backward, Place::Backward(5, 0));
        // At either end the same token comes back, by which callers know it.
        assert_eq!(tokens(&[], Some(forward)).0, forward);
        assert_eq!(tokens(&[], Some(backward)).1, backward);
        let (start, _) = tokens(&[], None);
        assert_eq!(tokens(&[], Some(start)).0, start);
    }

    #[test]
    fn ids_are_digits_in_the_order_of_time() {
        let ids = [(1, 0), (1, 1), (2, 0)].map(|(at, n)| event_id(&position(at, n)));
        assert!(ids.is_sorted());
        assert!(
            ids.iter()
                .all(|id| id.len() == 56 && id.bytes().all(|b| b.is_ascii_digit()))
        );
    }
}
