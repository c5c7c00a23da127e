//! What the roles of a node count, in the form of `/metrics`.

use std::{sync::Arc, time::Duration};

use frontend::{DURATION_BOUNDS, Frontend};
use worker::Worker;

use crate::admin::metrics::{Figure, Figures, Measure};

/// What a frontend counts.
pub(super) struct Edge(pub(super) Frontend);

impl Figures for Edge {
    fn figures(&self) -> Vec<Figure> {
        let f = self.0.figures();
        let audit = self.0.audit().figures();
        let requests = "Requests over both public APIs, by the class of their answer.";
        let done = f
            .requests
            .saturating_sub(f.requests_refused)
            .saturating_sub(f.requests_throttled)
            .saturating_sub(f.requests_failed);
        let answered =
            |class: &str, n| Figure::counter("requests", requests, n).with("answer", class);
        let bounds = DURATION_BOUNDS
            .into_iter()
            .map(|ms| Duration::from_millis(ms).as_secs_f64())
            .chain([f64::INFINITY]);
        vec![
            answered("done", done),
            answered("refused", f.requests_refused),
            answered("throttled", f.requests_throttled),
            answered("failed", f.requests_failed),
            Figure::gauge(
                "requests_in_flight",
                "Requests being served.",
                f.requests_in_flight,
            ),
            Figure::counter(
                "invocations",
                "Invocations that a runtime took.",
                f.invocations,
            ),
            Figure::counter(
                "cold_starts",
                "Invocations in a new environment.",
                f.cold_starts,
            ),
            Figure::counter(
                "function_errors",
                "Invocations that ended with a function error.",
                f.function_errors,
            ),
            Figure::counter(
                "invocations_lost",
                "Invocations whose response was lost on its way.",
                f.invocations_lost,
            ),
            Figure::counter(
                "invocations_throttled",
                "Invocations refused for want of concurrency or capacity.",
                f.invocations_throttled,
            ),
            Figure::gauge(
                "invocations_in_flight",
                "Invocations in flight.",
                f.invocations_in_flight,
            ),
            Figure::counter(
                "routing_attempts_failed",
                "Workers that were asked and did not take an invocation.",
                f.attempts_failed,
            ),
            Figure::gauge(
                "audit_writable",
                "Whether control calls can be recorded; they are refused while they cannot.",
                u64::from(audit.writable),
            ),
            Figure::gauge(
                "audit_sequence",
                "The last record of the audit log; /status has its hash.",
                audit.head.sequence,
            ),
            Figure::counter(
                "audit_records",
                "Records written to the audit log.",
                audit.records,
            ),
            Figure::counter(
                "audit_refused",
                "Calls refused because they could not be recorded.",
                audit.refused,
            ),
            Figure::counter(
                "audit_unlisted",
                "Calls of unknown callers that were counted and not recorded one by one.",
                audit.unlisted,
            ),
            Figure::gauge(
                "audit_breaks",
                "Breaks found in the audit log since the process began.",
                audit.breaks,
            ),
            Figure {
                name: "invocation_duration_seconds",
                help: "Time from a request's acceptance to the end of its response.",
                measure: Measure::Histogram {
                    sum: Duration::from_micros(f.invocation_duration_sum_us).as_secs_f64(),
                    buckets: bounds.zip(f.invocation_durations).collect(),
                },
                labels: Vec::new(),
            },
        ]
    }
}

/// What a worker counts.
pub(super) struct Works(pub(super) Arc<Worker>);

impl Figures for Works {
    fn figures(&self) -> Vec<Figure> {
        let f = self.0.figures();
        let seconds = |name, help, took: Duration| Figure {
            name,
            help,
            measure: Measure::Counter(took.as_secs_f64()),
            labels: Vec::new(),
        };
        vec![
            Figure::counter(
                "worker_invocations",
                "Invocations that a runtime here took.",
                f.invocations,
            ),
            Figure::counter(
                "worker_function_errors",
                "Invocations here that ended with a function error.",
                f.function_errors,
            ),
            Figure::counter(
                "worker_refused",
                "Invocations refused here before anything ran.",
                f.refused,
            ),
            Figure::counter(
                "worker_environments_started",
                "Environments made.",
                f.environments_started,
            ),
            Figure::counter(
                "worker_inits_failed",
                "Initialisations that did not end well.",
                f.inits_failed,
            ),
            Figure::counter(
                "worker_environments_lost",
                "Environments lost while an invocation was handed to them.",
                f.environments_lost,
            ),
            Figure::gauge("worker_environments", "Environments now.", f.environments),
            Figure::gauge(
                "worker_environments_warm",
                "Idle environments now whose runtime is up.",
                f.environments_warm,
            ),
            seconds(
                "worker_billed_seconds",
                "Time that functions ran, as billed.",
                Duration::from_millis(f.billed_ms),
            ),
            seconds(
                "worker_init_seconds",
                "Time that first starts of runtimes took.",
                Duration::from_micros(f.init_us),
            ),
        ]
    }
}
