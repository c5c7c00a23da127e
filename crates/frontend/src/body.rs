//! Reads request bodies, within limits of size, memory and time.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use lambda_api::Operation;
use model::Limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The memory budget is counted in these.
const UNIT: u64 = 4096;

/// Why a body was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The payload of an invocation is too large.
    #[error("expected a payload of at most {limit} bytes, got more")]
    PayloadTooLarge {
        /// The limit.
        limit: u64,
    },
    /// The body of another request is too large.
    #[error("expected a body of at most {} bytes, got more", limits.control_body.0)]
    ControlTooLarge {
        /// Whose body.
        operation: Operation,
        /// The limits.
        limits: Box<Limits>,
    },
    /// A body that belongs to no operation is too large.
    #[error("expected a body of at most {limit} bytes, got more")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// All bodies together are too large.
    #[error("the bodies of all requests together reach {limit} bytes, as many as they may")]
    NoMemory {
        /// The limit.
        limit: u64,
    },
    /// Nothing came for too long.
    #[error("the body made no progress within {0:?}")]
    Stalled(Duration),
    /// The connection broke.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
}

/// A body in memory. Its part of the budget is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct ReadBody {
    pub(crate) bytes: Bytes,
    _held: Held,
}

/// The memory that bodies may take, over all requests. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    free: Arc<Semaphore>,
    limit: u64,
}

#[derive(Debug, Default)]
struct Held {
    permit: Option<OwnedSemaphorePermit>,
    units: u64,
}

impl Budget {
    pub(crate) fn new(limit: u64) -> Self {
        let units = usize::try_from(limit.div_ceil(UNIT)).unwrap_or(usize::MAX);
        Self {
            free: Arc::new(Semaphore::new(units.min(Semaphore::MAX_PERMITS))),
            limit,
        }
    }

    /// Makes a holding as large as `bytes`.
    fn hold(&self, held: &mut Held, bytes: u64) -> Result<(), BodyError> {
        let more = bytes.div_ceil(UNIT).saturating_sub(held.units);
        if more == 0 {
            return Ok(());
        }
        let no_memory = || BodyError::NoMemory { limit: self.limit };
        let wanted = u32::try_from(more).map_err(|_| no_memory())?;
        let permit = self.free.clone().try_acquire_many_owned(wanted);
        let permit = permit.map_err(|_| no_memory())?;
        match &mut held.permit {
            Some(own) => own.merge(permit),
            none => *none = Some(permit),
        }
        held.units += more;
        Ok(())
    }
}

/// What bounds the size of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// What the operation takes.
    Operation(Operation),
    /// This many bytes.
    Bytes(u64),
}

/// What a body may be.
pub(crate) struct BodyLimits<'a> {
    pub(crate) bound: Bound,
    pub(crate) limits: &'a Limits,
    pub(crate) stall_max: Duration,
}

impl BodyLimits<'_> {
    fn max(&self) -> u64 {
        match self.bound {
            Bound::Operation(operation) if operation.is_invocation() => {
                self.limits.request_payload.0
            }
            Bound::Operation(_) => self.limits.control_body.0,
            Bound::Bytes(bytes) => bytes,
        }
    }

    fn too_large(&self) -> BodyError {
        match self.bound {
            Bound::Operation(operation) if operation.is_invocation() => {
                BodyError::PayloadTooLarge { limit: self.max() }
            }
            Bound::Bytes(limit) => BodyError::TooLarge { limit },
            Bound::Operation(operation) => BodyError::ControlTooLarge {
                operation,
                limits: Box::new(self.limits.clone()),
            },
        }
    }
}

/// Reads a whole body. A length that is announced is checked before the first byte.
pub(crate) async fn read(
    mut body: Incoming,
    limits: &BodyLimits<'_>,
    budget: &Budget,
) -> Result<ReadBody, BodyError> {
    let max = limits.max();
    let announced = body.size_hint().lower();
    if announced > max {
        return Err(limits.too_large());
    }
    let mut held = Held::default();
    budget.hold(&mut held, announced)?;
    let mut frames: Vec<Bytes> = Vec::new();
    let mut size = 0_u64;
    loop {
        let frame = tokio::time::timeout(limits.stall_max, body.frame())
            .await
            .map_err(|_| BodyError::Stalled(limits.stall_max))?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(BodyError::Broken)?;
        // Trailers mean nothing to any operation.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        size += u64::try_from(data.len()).unwrap_or(u64::MAX);
        if size > max {
            return Err(limits.too_large());
        }
        budget.hold(&mut held, size)?;
        frames.push(data);
    }
    Ok(ReadBody {
        bytes: join(frames),
        _held: held,
    })
}

fn join(mut frames: Vec<Bytes>) -> Bytes {
    if frames.len() <= 1 {
        return frames.pop().unwrap_or_default();
    }
    let size = frames.iter().map(Bytes::len).sum();
    let mut whole = BytesMut::with_capacity(size);
    for frame in frames {
        whole.extend_from_slice(&frame);
    }
    whole.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_is_shared_and_given_back() {
        let budget = Budget::new(10 * UNIT);
        let (mut first, mut second) = (Held::default(), Held::default());
        budget.hold(&mut first, 4 * UNIT).unwrap();
        budget.hold(&mut first, 6 * UNIT + 1).unwrap();
        budget.hold(&mut first, 6 * UNIT).unwrap();
        budget.hold(&mut second, 3 * UNIT).unwrap();
        assert!(matches!(
            budget.hold(&mut second, 4 * UNIT),
            Err(BodyError::NoMemory { .. })
        ));
        drop(first);
        budget.hold(&mut second, 10 * UNIT).unwrap();
        drop(second);
        assert_eq!(budget.free.available_permits(), 10);
    }

    #[test]
    fn frames_are_joined_in_order() {
        assert_eq!(join(Vec::new()), "");
        assert_eq!(join(vec!["a".into()]), "a");
        assert_eq!(join(vec!["a".into(), "bc".into(), "".into()]), "abc");
    }
}
