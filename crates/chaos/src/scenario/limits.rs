//! What has to hold around a fault, with the promises of the product as defaults.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::fault::{Share, Span};

/// What has to hold around a fault, for clients outside of its blast radius.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// How long after its begin a fault may be felt. 3 s.
    pub grace: Duration,
    /// The least share of invocations that succeed in that time. 60 %.
    pub early: f64,
    /// The least share that succeeds after it. 99.9 %.
    pub success: f64,
    /// The least share that succeeds with the SDK's own retries, from the begin of the fault. 100 %.
    pub patient: f64,
    /// The longest time without an invocation that succeeds. 3 s.
    pub gap: Duration,
    /// The longest time without a control write that is acknowledged. 5 s.
    pub write_gap: Duration,
    /// How quickly a control write that cannot be made is refused. 1.5 s.
    pub refusal: Duration,
    /// How long after its end all is as before, through every frontend. 10 s.
    pub recovery: Duration,
    /// The 99th percentile of what an invocation takes, after the grace. 3 s.
    pub p99: Duration,
    /// What becomes of control writes.
    pub writes: Writes,
}

/// What becomes of control writes during a fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Writes {
    /// They go on, but for [`Limits::write_gap`].
    #[default]
    Continue,
    /// There is no quorum: they are refused, quickly.
    Refused,
    /// Anything: nothing is promised.
    Any,
}

/// Limits that are other than usual, as a scenario writes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct LimitsPatch {
    grace: Option<Span>,
    early: Option<Share>,
    success: Option<Share>,
    patient: Option<Share>,
    gap: Option<Span>,
    write_gap: Option<Span>,
    refusal: Option<Span>,
    recovery: Option<Span>,
    p99: Option<Span>,
    writes: Option<Writes>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(3),
            early: 0.6,
            success: 0.999,
            patient: 1.0,
            gap: Duration::from_secs(3),
            write_gap: Duration::from_secs(5),
            refusal: Duration::from_millis(1500),
            recovery: Duration::from_secs(10),
            p99: Duration::from_secs(3),
            writes: Writes::Continue,
        }
    }
}

impl Limits {
    /// These limits, but for those that are given.
    #[must_use]
    pub(super) fn with(&self, other: &LimitsPatch) -> Self {
        let span = |given: Option<Span>, else_: Duration| given.map_or(else_, |span| span.0);
        let share = |given: Option<Share>, else_: f64| given.map_or(else_, Share::get);
        Self {
            grace: span(other.grace, self.grace),
            early: share(other.early, self.early),
            success: share(other.success, self.success),
            patient: share(other.patient, self.patient),
            gap: span(other.gap, self.gap),
            write_gap: span(other.write_gap, self.write_gap),
            refusal: span(other.refusal, self.refusal),
            recovery: span(other.recovery, self.recovery),
            p99: span(other.p99, self.p99),
            writes: other.writes.unwrap_or(self.writes),
        }
    }
}
