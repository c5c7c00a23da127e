//! One attempt at one worker.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use model::{
    Revision, Role,
    capacity::{Member, WarmKey},
    function::FunctionVersion,
};
use proto::internal::{
    self as pb, invoke_event::Part, invoke_request, refused::Reason, worker_client::WorkerClient,
};
use tokio::time::Instant;
use tonic::Streaming;

use super::{Accepted, Asked, Dispatched};
use crate::{Resolved, Router, RouterOptions};

/// Bytes of payload in one message.
const CHUNK: usize = 256 << 10;
/// The least pace of a payload between nodes: 8 MB a second.
const BYTES_PER_US: u64 = 8;
/// Largest message of a worker.
const EVENT_MAX: usize = 8 << 20;

/// Why a worker did not take an invocation, as far as this node heard.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// It said so.
    #[error("the worker refused: {reason:?} {detail}")]
    Refused {
        /// Why.
        reason: Reason,
        /// More of why.
        detail: String,
        /// The version as it is now, if the worker knows a newer revision of it than it was asked for.
        newer: Option<Box<Newer>>,
    },
    /// The connection could not be made or broke.
    #[error("the worker could not be reached")]
    Unreachable(#[source] Box<tonic::Status>),
    /// It closed the stream without a word.
    #[error("the worker closed the stream without an answer")]
    Closed,
    /// It did not open its answer in time.
    #[error("the worker did not answer within {0:?}")]
    Silent(Duration),
    /// It opened its answer, and no runtime had the invocation in time.
    #[error("no environment of the worker took the invocation within {0:?}")]
    Slow(Duration),
}

/// A version as a worker knows it, of which this node has an older revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newer {
    /// Its record.
    pub version: Arc<FunctionVersion>,
    /// A position of the catalog that has it.
    pub revision: Revision,
}

/// Whether another worker could be tried instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Others {
    Some,
    None,
}

impl AttemptError {
    /// The resolved version as the worker that refused knows it, if that is newer and can be invoked. Workers hold nothing
    /// but what the controllers have committed, so it is as good as what this node's own copy will say later.
    pub(super) fn newer_than(&self, resolved: &Resolved) -> Option<Resolved> {
        let Self::Refused {
            newer: Some(newer), ..
        } = self
        else {
            return None;
        };
        let Newer { version, revision } = &**newer;
        (*revision > resolved.revision)
            .then(|| resolved.at(version.clone(), *revision))
            .flatten()
    }

    /// Whether the function may have run: the request may have gone out, and no answer came.
    pub(super) fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Refused { .. } => false,
            Self::Unreachable(status) => !is_never_sent(status),
            Self::Closed | Self::Silent(_) | Self::Slow(_) => true,
        }
    }

    /// Whether the worker should be left in peace for a while. A refusal is an answer.
    pub(super) const fn is_the_workers_fault(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Closed | Self::Silent(_) | Self::Slow(_) => true,
            Self::Refused { reason, .. } => match reason {
                Reason::SandboxFailed => true,
                Reason::Unspecified
                | Reason::NoCapacity
                | Reason::Draining
                | Reason::UnknownVersion
                | Reason::CodeUnavailable
                | Reason::RuntimeMissing
                | Reason::Sealed
                | Reason::Tenant
                | Reason::EnvironmentLost => false,
            },
        }
    }
}

impl Router {
    pub(super) async fn attempt(
        &self,
        asked: &Asked<'_>,
        worker: &Member,
        number: u32,
        others: Others,
    ) -> Result<Box<Dispatched>, AttemptError> {
        let options = &self.shared.options;
        let Asked { resolved, call, .. } = asked;
        let key = WarmKey::of(&resolved.version.id, resolved.tenant.as_ref());
        let guard = self
            .shared
            .outstanding
            .begin(&worker.name, key, Instant::now());
        let answer_max = answer_max(options, call.payload.len(), others);
        let run = resolved.version.config.timeout.duration() + options.init_timeout + options.slack;
        let messages = messages(asked, number, options.accept_max);
        let mut client =
            WorkerClient::new(self.shared.channels.get_to(&worker.address, Role::Worker))
                .max_decoding_message_size(EVENT_MAX);
        let opened = client.invoke(futures::stream::iter(messages));
        let mut events = tokio::time::timeout(answer_max, opened)
            .await
            .map_err(|_| AttemptError::Silent(answer_max))?
            .map_err(|status| AttemptError::Unreachable(Box::new(status)))?
            .into_inner();
        let accepted = tokio::time::timeout(options.accept_max, verdict(&mut events))
            .await
            .map_err(|_| AttemptError::Slow(options.accept_max))??;
        self.shared.aside.lock().succeeded(&worker.name);
        Ok(Box::new(Dispatched {
            accepted: Accepted {
                worker: worker.name.clone(),
                cold: accepted.cold,
                environment_id: accepted.environment_id,
                attempts: number,
            },
            events,
            deadline: Instant::now() + run,
            patience: run,
            finished: false,
            guard,
        }))
    }
}

/// Whether there was no connection to send anything over.
fn is_never_sent(status: &tonic::Status) -> bool {
    let first = std::error::Error::source(status);
    let mut causes = std::iter::successors(first, |error| error.source());
    causes.any(|error| error.is::<tonic::ConnectError>())
}

/// How long this worker may be silent: longer for a payload that has to travel first, and as long as an invocation may
/// wait for a worker at all if giving up on this one would help nobody.
fn answer_max(options: &RouterOptions, payload: usize, others: Others) -> Duration {
    let travel = Duration::from_micros(u64::try_from(payload).unwrap_or(u64::MAX) / BYTES_PER_US);
    match others {
        Others::Some => options.answer_max + travel,
        Others::None => options.answer_max.max(options.worker_wait) + travel,
    }
}

/// Waits for the worker's decision.
async fn verdict(events: &mut Streaming<pb::InvokeEvent>) -> Result<pb::Accepted, AttemptError> {
    loop {
        let message = events
            .message()
            .await
            .map_err(|status| AttemptError::Unreachable(Box::new(status)))?
            .ok_or(AttemptError::Closed)?;
        match message.part {
            Some(Part::Accepted(accepted)) => return Ok(accepted),
            Some(Part::Refused(refused)) => {
                return Err(AttemptError::Refused {
                    reason: refused.reason(),
                    newer: newer(refused.newer, refused.newer_catalog_revision).map(Box::new),
                    detail: refused.detail,
                });
            }
            // A worker of a newer version may say more than this build understands.
            None => {}
            Some(Part::Chunk(_) | Part::Finished(_)) => return Err(AttemptError::Closed),
        }
    }
}

/// What a refusal says of a newer revision. What cannot be read says nothing: the refusal stands without it.
fn newer(version: Option<pb::FunctionVersion>, revision: u64) -> Option<Newer> {
    Some(Newer {
        version: Arc::new(version?.try_into().ok()?),
        revision: Revision(revision),
    })
}

/// The request as messages: the head with the beginning of the payload, then the rest of it.
fn messages(asked: &Asked<'_>, attempt: u32, wait: Duration) -> Vec<pb::InvokeRequest> {
    let Asked {
        resolved,
        call,
        key,
        role_key,
    } = asked;
    let version = &resolved.version;
    let Bounds { first, rest } = bounds(&call.payload);
    let head = pb::InvokeHead {
        request_id: call.request_id.to_string(),
        attempt,
        function: Some((&version.id.function).into()),
        version: version.id.version.to_string(),
        revision_id: version.revision_id.to_string(),
        catalog_revision: resolved.revision.0,
        invoked_arn: resolved.invoked.to_string(),
        wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        client_context: call.client_context.clone(),
        trace_id: call.trace_id.clone(),
        log_tail: call.log_tail,
        payload_size: u64::try_from(call.payload.len()).unwrap_or(u64::MAX),
        payload: first,
        environment_key: key.map_or_else(Bytes::new, |k| Bytes::copy_from_slice(k.expose())),
        role_key: role_key.map(|key| pb::RoleKey {
            generation: key.generation().get(),
            hour: key.hour().0,
            key: Bytes::copy_from_slice(key.expose()),
        }),
        tenant_id: resolved
            .tenant
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        stream_max: call.stream_max.unwrap_or(0),
    };
    let parts = std::iter::once(invoke_request::Part::Head(head))
        .chain(rest.into_iter().map(invoke_request::Part::Payload));
    parts
        .map(|part| pb::InvokeRequest { part: Some(part) })
        .collect()
}

struct Bounds {
    first: Bytes,
    rest: Vec<Bytes>,
}

/// Cuts a payload into messages without copying it.
fn bounds(payload: &Bytes) -> Bounds {
    let end = |at: usize| payload.len().min(at + CHUNK);
    Bounds {
        first: payload.slice(..end(0)),
        rest: (CHUNK..payload.len())
            .step_by(CHUNK)
            .map(|at| payload.slice(at..end(at)))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lone_worker_and_a_large_payload_get_more_time() {
        let options = RouterOptions::default();
        let millis = |payload, others| answer_max(&options, payload, others).as_millis();
        assert_eq!(millis(0, Others::Some), 800);
        assert_eq!(millis(6_000_000, Others::Some), 1550);
        assert_eq!(millis(0, Others::None), 3000);
    }

    #[test]
    fn a_payload_is_cut_without_loss() {
        for size in [0, 1, CHUNK, CHUNK + 1, 3 * CHUNK + 7] {
            let payload: Bytes = (0..size)
                .map(|i| u8::try_from(i % 251).unwrap())
                .collect::<Vec<_>>()
                .into();
            let Bounds { first, rest } = bounds(&payload);
            let whole: Vec<u8> = [first]
                .into_iter()
                .chain(rest)
                .flat_map(|b| b.to_vec())
                .collect();
            assert_eq!(whole, payload, "{size}");
        }
    }
}
