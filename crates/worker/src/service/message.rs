//! Between the messages of the service and the types of this crate.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use model::{Generation, Revision, RevisionId, VersionId, iam::Hour};
use proto::{
    InvalidMessage,
    internal::{self as pb, invoke_event::Part as Event, invoke_request::Part},
};
use seal::{RoleKey, TextKey};
use tonic::Status;

use crate::environment::invoke::{Figures, Payload, Request};

/// The largest chunk of a response.
const CHUNK_MAX: usize = 256 << 10;

/// The head of a request, in types.
pub(crate) struct Head {
    pub(crate) request: Request,
    pub(crate) revision: RevisionId,
    pub(crate) catalog: Revision,
    pub(crate) wait: Duration,
    pub(crate) wants_tail: bool,
    pub(crate) payload_size: u64,
    pub(crate) first: Bytes,
    pub(crate) environment_key: Option<TextKey>,
    pub(crate) role_key: Option<Arc<RoleKey>>,
}

/// A whole request.
pub(crate) struct Invoke {
    pub(crate) request: Request,
    pub(crate) revision: RevisionId,
    pub(crate) catalog: Revision,
    pub(crate) wait: Duration,
    pub(crate) wants_tail: bool,
    /// Opens the environment of this version, if it is sealed.
    pub(crate) environment_key: Option<TextKey>,
    /// Issues sessions of the function's role.
    pub(crate) role_key: Option<Arc<RoleKey>>,
}

impl Head {
    pub(crate) fn parse(message: pb::InvokeRequest) -> Result<Self, Status> {
        let Some(Part::Head(head)) = message.part else {
            return Err(Status::invalid_argument(
                "expected the head of an invocation first",
            ));
        };
        Self::convert(head).map_err(|error| Status::invalid_argument(error.to_string()))
    }

    fn convert(head: pb::InvokeHead) -> Result<Self, InvalidMessage> {
        let function = head
            .function
            .ok_or(InvalidMessage::Missing("head.function"))?;
        let version = VersionId {
            function: function.try_into()?,
            version: text("head.version", &head.version)?,
        };
        let tenant = match &*head.tenant_id {
            "" => None,
            id => Some(text("head.tenant_id", id)?),
        };
        let environment_key = match &*head.environment_key {
            [] => None,
            bytes => Some(environment_key(bytes)?),
        };
        let role_key = head.role_key.as_ref().map(role_key).transpose()?;
        Ok(Self {
            request: Request {
                id: text("head.request_id", &head.request_id)?,
                attempt: head.attempt,
                version,
                tenant,
                invoked_arn: head.invoked_arn,
                client_context: head.client_context,
                trace_id: head.trace_id,
                payload: Bytes::new(),
                stream_max: Some(head.stream_max).filter(|max| *max > 0),
            },
            revision: text("head.revision_id", &head.revision_id)?,
            catalog: Revision(head.catalog_revision),
            wait: Duration::from_millis(head.wait_ms),
            wants_tail: head.log_tail,
            payload_size: head.payload_size,
            first: head.payload,
            environment_key,
            role_key: role_key.map(Arc::new),
        })
    }

    pub(crate) fn complete(self, payload: Bytes) -> Invoke {
        Invoke {
            request: Request {
                payload,
                ..self.request
            },
            revision: self.revision,
            catalog: self.catalog,
            wait: self.wait,
            wants_tail: self.wants_tail,
            environment_key: self.environment_key,
            role_key: self.role_key,
        }
    }
}

fn environment_key(bytes: &[u8]) -> Result<TextKey, InvalidMessage> {
    TextKey::from_bytes(bytes).map_err(|error| InvalidMessage::Field {
        field: "head.environment_key",
        why: error.to_string(),
    })
}

fn role_key(key: &pb::RoleKey) -> Result<RoleKey, InvalidMessage> {
    let invalid = |why: String| InvalidMessage::Field {
        field: "head.role_key",
        why,
    };
    let generation = Generation::new(key.generation).map_err(|e| invalid(e.to_string()))?;
    RoleKey::from_bytes(generation, Hour(key.hour), &key.key).map_err(|e| invalid(e.to_string()))
}

fn text<T>(field: &'static str, s: &str) -> Result<T, InvalidMessage>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    s.parse().map_err(|error: T::Err| InvalidMessage::Field {
        field,
        why: error.to_string(),
    })
}

pub(crate) fn refused(refused: pb::Refused) -> pb::InvokeEvent {
    event(Event::Refused(refused))
}

pub(crate) fn accepted(cold: bool, environment: &str) -> pb::InvokeEvent {
    event(Event::Accepted(pb::Accepted {
        cold,
        environment_id: environment.to_owned(),
    }))
}

/// Everything after the acceptance: the payload in parts that fit, and the figures.
pub(crate) fn answer(
    payload: Payload,
    figures: Figures,
    init: Option<Duration>,
    wants_tail: bool,
) -> impl Iterator<Item = pb::InvokeEvent> {
    let micros = |d: Duration| u64::try_from(d.as_micros()).unwrap_or(u64::MAX);
    // A response that has begun is no place for an error document.
    let (body, error_document) = match (payload.begun, payload.is_error) {
        (true, true) => (Bytes::new(), payload.body),
        (true, false) | (false, _) => (payload.body, Bytes::new()),
    };
    let finished = event(Event::Finished(pb::Finished {
        function_error: if payload.is_error {
            "Unhandled".to_owned()
        } else {
            String::new()
        },
        content_type: payload.content_type,
        log_tail: if wants_tail {
            figures.log_tail
        } else {
            Bytes::new()
        },
        duration_us: micros(figures.duration),
        billed_ms: figures.billed_ms,
        init_us: init.map_or(0, micros),
        memory_used_mib: figures.memory_used_mib,
        error_document,
    }));
    chunks(body).chain([finished])
}

/// A response, or more of one, in messages that fit.
pub(crate) fn chunks(mut body: Bytes) -> impl Iterator<Item = pb::InvokeEvent> {
    std::iter::from_fn(move || {
        (!body.is_empty()).then(|| event(Event::Chunk(body.split_to(body.len().min(CHUNK_MAX)))))
    })
}

fn event(event: Event) -> pb::InvokeEvent {
    pb::InvokeEvent { part: Some(event) }
}
