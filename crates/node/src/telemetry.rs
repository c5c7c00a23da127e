//! The process's own log and spans.
//!
//! Log lines go to standard error. Spans go to an OTLP collector if one is configured; they are sent in batches by a
//! thread of the SDK, so [`Telemetry::flush`] must run before the process ends.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracerProvider},
};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::{
    Layer, filter::Targets, layer::SubscriberExt, registry::LookupSpan, util::SubscriberInitExt,
};

use crate::config::{Log, LogFormat, Tracing};

/// How long the last spans may take to be sent.
const FLUSH_LIMIT: Duration = Duration::from_secs(3);

/// Libraries that say much which only their authors need.
const QUIET: [(&str, LevelFilter); 7] = [
    ("openraft", LevelFilter::ERROR),
    // It calls an error what is told to its caller anyway, such as that a member has stopped.
    ("openraft::raft", LevelFilter::OFF),
    ("chitchat", LevelFilter::WARN),
    ("sled", LevelFilter::WARN),
    ("h2", LevelFilter::WARN),
    ("hyper", LevelFilter::WARN),
    ("opentelemetry", LevelFilter::WARN),
];

/// What must be ended in order.
#[must_use = "flush it before the process ends"]
#[derive(Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter was not read by `config`.
    #[error("log.level cannot be read")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The collector's address cannot be used.
    #[error("tracing.otlp_endpoint cannot be used")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Somebody else was first.
    #[error("a subscriber for traces is installed already")]
    Installed(#[from] tracing_subscriber::util::TryInitError),
}

/// Installs log and spans for the whole process, once. Must be called inside the runtime if spans are sent.
///
/// # Errors
/// [`TelemetryError`].
pub fn install(log: &Log, tracing: &Tracing, node: &str) -> Result<Telemetry, TelemetryError> {
    let filter = filter(&log.level)?;
    let provider = tracing
        .otlp_endpoint
        .as_deref()
        .map(|endpoint| provider(endpoint, tracing.sample_ratio, node))
        .transpose()?;
    let spans = provider.as_ref().map(|p| {
        tracing_opentelemetry::layer()
            .with_tracer(p.tracer("dunlin"))
            .with_filter(LevelFilter::INFO)
    });
    tracing_subscriber::registry()
        .with(lines(log.format).with_filter(filter))
        .with(spans)
        .try_init()?;
    Ok(Telemetry { provider })
}

/// What the operator asked for. A library says nothing below [`QUIET`] unless its name is in what was asked for.
fn filter(level: &str) -> Result<Targets, TelemetryError> {
    let asked: Targets = level.parse()?;
    let ceiling = asked.default_level().unwrap_or(LevelFilter::OFF);
    let unasked = QUIET
        .into_iter()
        .filter(|(library, _)| !level.contains(library.split(':').next().unwrap_or(library)));
    Ok(asked.with_targets(unasked.map(|(library, least)| (library, least.min(ceiling)))))
}

fn lines<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            layer.with_ansi(colours).boxed()
        }
        LogFormat::Json => layer.json().flatten_event(true).boxed(),
    }
}

fn provider(
    endpoint: &str,
    ratio: f64,
    node: &str,
) -> Result<SdkTracerProvider, opentelemetry_otlp::ExporterBuildError> {
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(FLUSH_LIMIT)
        .build()?;
    let resource = Resource::builder()
        .with_service_name("dunlin")
        .with_attribute(opentelemetry::KeyValue::new(
            "service.instance.id",
            node.to_owned(),
        ))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(
            ratio,
        ))))
        .with_resource(resource)
        .build())
}

impl Telemetry {
    /// Sends what is left, within a few seconds. Blocking work of the SDK runs on a thread for it.
    pub async fn flush(self) {
        let Some(provider) = self.provider else {
            return;
        };
        let sent = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(FLUSH_LIMIT));
        match tokio::time::timeout(FLUSH_LIMIT, sent).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "the last spans were not sent"),
            Ok(Err(error)) => tracing::warn!(%error, "the last spans were not sent"),
            Err(_) => tracing::warn!("the last spans were not sent in time"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn libraries_are_quiet_unless_they_are_asked_for() {
        let told =
            |level: &str, target: &str, of: Level| filter(level).unwrap().would_enable(target, &of);
        assert!(told("debug", "routing::dispatch", Level::DEBUG));
        assert!(!told("debug", "openraft::core", Level::WARN));
        assert!(told("info", "openraft::core", Level::ERROR));
        assert!(told("info,openraft=debug", "openraft::core", Level::DEBUG));
        assert!(!told("error", "chitchat", Level::WARN));
        assert!(told("warn", "chitchat", Level::WARN));
    }
}
