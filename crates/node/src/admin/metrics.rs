//! Figures of one node in the OpenMetrics text format.
//!
//! Each part of the node that counts something implements [`Figures`]; they are read when somebody asks. There is no
//! process-wide registry: two nodes in one process have two.

use std::{fmt, sync::Arc};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet, text::encode},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
    registry::Registry,
};

use super::process::Process;

/// The content type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One number.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Its name with its unit, without the prefix `dunlin` and without `_total`. Figures of one name stand together.
    pub name: &'static str,
    /// What it counts.
    pub help: &'static str,
    /// The number.
    pub measure: Measure,
    /// What tells it from others of the same name.
    pub labels: Vec<(&'static str, String)>,
}

/// A number and how it moves.
#[derive(Clone, Debug, PartialEq)]
pub enum Measure {
    /// Only ever grows.
    Counter(f64),
    /// Goes up and down.
    Gauge(f64),
    /// Counts by size.
    Histogram {
        /// Of everything counted.
        sum: f64,
        /// Upper bound and count of each bucket, from the smallest to infinity; a count is of its own bucket only.
        buckets: Vec<(f64, u64)>,
    },
}

/// A part of the node that counts something.
pub trait Figures: Send + Sync + 'static {
    /// The figures now. Called when somebody asks; must not block.
    fn figures(&self) -> Vec<Figure>;
}

/// All figures of a node.
pub struct Metrics {
    registry: Registry,
}

impl Metrics {
    /// The figures of these parts, and of the process itself.
    #[must_use]
    pub fn new(parts: Vec<Arc<dyn Figures>>) -> Self {
        let mut registry = Registry::with_prefix("dunlin");
        registry.register_collector(Box::new(Part(Arc::new(Process))));
        for part in parts {
            registry.register_collector(Box::new(Part(part)));
        }
        Self { registry }
    }

    /// The whole exposition.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => {
                tracing::error!(%error, "a figure could not be written");
                "# EOF\n".to_owned()
            }
        }
    }
}

impl Figure {
    /// A counter without labels.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str, value: u64) -> Self {
        Self {
            name,
            help,
            measure: Measure::Counter(approximate(value)),
            labels: Vec::new(),
        }
    }

    /// A gauge without labels.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str, value: u64) -> Self {
        Self {
            name,
            help,
            measure: Measure::Gauge(approximate(value)),
            labels: Vec::new(),
        }
    }

    /// The same with one more label.
    #[must_use]
    pub fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}

#[allow(
    clippy::cast_precision_loss,
    reason = "the text format holds floating point numbers; above 2^53 the last digits do not matter"
)]
fn approximate(value: u64) -> f64 {
    value as f64
}

struct Part(Arc<dyn Figures>);

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Part")
    }
}

impl Collector for Part {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let figures = self.0.figures();
        for family in figures.chunk_by(|a, b| a.name == b.name) {
            let Some(first) = family.first() else {
                continue;
            };
            let kind = match first.measure {
                Measure::Counter(_) => MetricType::Counter,
                Measure::Gauge(_) => MetricType::Gauge,
                Measure::Histogram { .. } => MetricType::Histogram,
            };
            let mut metric = encoder.encode_descriptor(first.name, first.help, None, kind)?;
            if first.labels.is_empty() {
                encode_one(metric, &first.measure)?;
                continue;
            }
            for figure in family {
                encode_one(metric.encode_family(&figure.labels)?, &figure.measure)?;
            }
        }
        Ok(())
    }
}

fn encode_one(mut sample: MetricEncoder<'_>, measure: &Measure) -> fmt::Result {
    match measure {
        Measure::Counter(value) => ConstCounter::new(*value).encode(sample),
        Measure::Gauge(value) => ConstGauge::new(*value).encode(sample),
        Measure::Histogram { sum, buckets } => {
            let count = buckets.iter().map(|(_, n)| n).sum();
            sample.encode_histogram::<NoLabelSet>(*sum, count, buckets, None)
        }
    }
}
