//! The platform's own log lines, as text or as JSON.

use std::{borrow::Cow, time::Duration};

use model::{MemoryMib, RequestId, TenantId, Timestamp, Version, VersionId, function::LogFormat};
use runtime_api::extensions::Extension;
use serde_json::Value;

use super::level::Level;
use crate::telemetry::Only;

/// How a phase ended, if not well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Timeout,
    Error(Cow<'static, str>),
}

/// What the platform says.
#[derive(Clone, Debug)]
pub(crate) enum Event<'a> {
    /// An environment begins to initialise.
    InitStart {
        runtime: &'a str,
        runtime_arn: &'a str,
        version: &'a VersionId,
        log_stream: &'a str,
        memory: MemoryMib,
    },
    /// The runtime has initialised, or will not.
    InitRuntimeDone {
        phase: &'static str,
        status: Option<Status>,
    },
    /// The end of an initialisation.
    InitReport {
        took: Duration,
        phase: &'static str,
        status: Option<Status>,
    },
    Start {
        id: RequestId,
        version: Version,
        tenant: Option<&'a TenantId>,
    },
    /// The runtime is done with an invocation.
    RuntimeDone(&'a RuntimeDone),
    End {
        id: RequestId,
    },
    Report(&'a Report),
    /// How far an extension is.
    Extension(&'a Extension),
}

/// An event as extensions are told of it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) only: Only,
    pub(crate) kind: &'static str,
    pub(crate) record: Value,
}

/// What the runtime did for an invocation.
#[derive(Clone, Debug)]
pub(crate) struct RuntimeDone {
    pub(crate) id: RequestId,
    /// Why there is no answer.
    pub(crate) status: Option<Status>,
    /// The answer is an error of the function's.
    pub(crate) failed: bool,
    pub(crate) duration: Duration,
    /// Bytes of the response.
    pub(crate) produced: u64,
}

/// What one invocation took.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) id: RequestId,
    pub(crate) duration: Duration,
    pub(crate) billed_ms: u64,
    pub(crate) memory: MemoryMib,
    pub(crate) memory_used_mib: u64,
    pub(crate) init: Option<Duration>,
    pub(crate) trace_id: String,
    pub(crate) status: Option<Status>,
}

impl Event<'_> {
    /// The line, without its end; `None` if this event is not part of this format.
    pub(crate) fn render(&self, format: LogFormat, now: Timestamp) -> Option<String> {
        match format {
            LogFormat::Text => self.text(),
            LogFormat::Json => self.json(now),
        }
    }

    /// Who wants to hear less than this does not get it.
    pub(crate) fn level(&self) -> Level {
        match self {
            Self::InitReport {
                status: Some(_), ..
            } => Level::Warn,
            Self::Report(report) if report.status.is_some() => Level::Warn,
            Self::InitStart { .. } | Self::Start { .. } | Self::End { .. } | Self::Report(_) => {
                Level::Info
            }
            Self::InitReport { status: None, .. }
            | Self::InitRuntimeDone { .. }
            | Self::RuntimeDone(_)
            | Self::Extension(_) => Level::Debug,
        }
    }

    fn text(&self) -> Option<String> {
        Some(match self {
            Self::InitStart {
                runtime,
                runtime_arn,
                ..
            } => {
                format!("INIT_START Runtime Version: {runtime}\tRuntime Version ARN: {runtime_arn}")
            }
            Self::InitReport {
                took,
                phase,
                status: Some(status),
            } => format!(
                "INIT_REPORT Init Duration: {} ms\tPhase: {phase}\t{}",
                millis(*took),
                status.text()
            ),
            Self::Start { id, version, .. } => format!("START RequestId: {id} Version: {version}"),
            Self::End { id } => format!("END RequestId: {id}"),
            Self::Report(report) => report.text(),
            Self::Extension(extension) => extension_text(extension),
            Self::InitReport { status: None, .. }
            | Self::InitRuntimeDone { .. }
            | Self::RuntimeDone(_) => return None,
        })
    }

    fn json(&self, now: Timestamp) -> Option<String> {
        let Record { only, kind, record } = self.record();
        if only == Only::Logs || matches!(self, Self::InitReport { status: None, .. }) {
            return None;
        }
        let line = serde_json::json!({"time": now.to_rfc3339(), "type": kind, "record": record});
        Some(line.to_string())
    }

    /// What extensions are told.
    pub(crate) fn record(&self) -> Record {
        let (only, kind, record) = match self {
            Self::InitStart {
                runtime,
                runtime_arn,
                version,
                log_stream,
                memory,
            } => (
                Only::Telemetry,
                "platform.initStart",
                serde_json::json!({
                    "initializationType": "on-demand", "phase": "init",
                    "runtimeVersion": runtime, "runtimeVersionArn": runtime_arn,
                    "functionName": version.function.name.as_str(),
                    "functionVersion": version.version.to_string(),
                    "instanceId": log_stream, "instanceMaxMemory": memory.bytes().0,
                }),
            ),
            Self::InitRuntimeDone { phase, status } => {
                let mut record = serde_json::json!({
                    "initializationType": "on-demand", "phase": phase, "status": "success",
                });
                add_status(&mut record, status.as_ref());
                (Only::Telemetry, "platform.initRuntimeDone", record)
            }
            Self::InitReport {
                took,
                phase,
                status,
            } => {
                let mut record = serde_json::json!({
                    "initializationType": "on-demand", "phase": phase, "status": "success",
                    "metrics": {"durationMs": number(*took)},
                });
                add_status(&mut record, status.as_ref());
                (Only::Telemetry, "platform.initReport", record)
            }
            Self::Start {
                id,
                version,
                tenant,
            } => {
                let mut record = serde_json::json!({
                    "requestId": id.to_string(), "version": version.to_string(),
                });
                if let (Some(tenant), Some(record)) = (tenant, record.as_object_mut()) {
                    record.insert("tenantId".to_owned(), tenant.as_str().into());
                }
                (Only::Both, "platform.start", record)
            }
            Self::RuntimeDone(done) => (Only::Both, "platform.runtimeDone", done.json()),
            Self::End { id } => (
                Only::Logs,
                "platform.end",
                serde_json::json!({"requestId": id.to_string()}),
            ),
            Self::Report(report) => (Only::Both, "platform.report", report.json()),
            Self::Extension(extension) => {
                let mut record = serde_json::json!({
                    "name": extension.name, "state": extension.state.as_str(),
                    "events": events(extension),
                });
                if let (Some(kind), Some(record)) = (&extension.error_type, record.as_object_mut())
                {
                    record.insert("errorType".to_owned(), kind.clone().into());
                }
                (Only::Both, "platform.extension", record)
            }
        };
        Record { only, kind, record }
    }
}

fn add_status(record: &mut Value, status: Option<&Status>) {
    if let Some(status) = status {
        status.json(record);
    }
}

fn events(extension: &Extension) -> Vec<&'static str> {
    let all = [
        (extension.events.invoke, "INVOKE"),
        (extension.events.shutdown, "SHUTDOWN"),
    ];
    all.iter().filter(|(is, _)| *is).map(|(_, e)| *e).collect()
}

fn extension_text(extension: &Extension) -> String {
    let mut line = format!(
        "EXTENSION\tName: {}\tState: {}\tEvents: [{}]",
        extension.name,
        extension.state.as_str(),
        events(extension).join(", ")
    );
    if let Some(kind) = &extension.error_type {
        line.push_str(&format!("\tError Type: {kind}"));
    }
    line
}

impl RuntimeDone {
    fn json(&self) -> Value {
        let mut record = serde_json::json!({
            "requestId": self.id.to_string(),
            "status": if self.failed { "failure" } else { "success" },
            "metrics": {"durationMs": number(self.duration), "producedBytes": self.produced},
        });
        add_status(&mut record, self.status.as_ref());
        record
    }
}

impl Report {
    fn text(&self) -> String {
        let mut line = format!(
            "REPORT RequestId: {}\tDuration: {} ms\tBilled Duration: {} ms\tMemory Size: {} MB\tMax Memory Used: {} MB\t",
            self.id,
            millis(self.duration),
            self.billed_ms,
            self.memory.get(),
            self.memory_used_mib,
        );
        if let Some(init) = self.init {
            line.push_str(&format!("Init Duration: {} ms\t", millis(init)));
        }
        if let Some(root) = trace_root(&self.trace_id) {
            line.push_str(&format!("XRAY TraceId: {root}\t"));
        }
        if let Some(status) = &self.status {
            line.push_str(&status.text());
        }
        line
    }

    fn json(&self) -> serde_json::Value {
        let mut metrics = serde_json::json!({
            "durationMs": number(self.duration), "billedDurationMs": self.billed_ms,
            "memorySizeMB": self.memory.get(), "maxMemoryUsedMB": self.memory_used_mib,
        });
        if let (Some(init), Some(members)) = (self.init, metrics.as_object_mut()) {
            members.insert("initDurationMs".into(), number(init));
        }
        let mut record = serde_json::json!({
            "requestId": self.id.to_string(), "metrics": metrics, "status": "success",
        });
        if let Some(status) = &self.status {
            status.json(&mut record);
        }
        record
    }
}

impl Status {
    fn text(&self) -> String {
        match self {
            Self::Timeout => "Status: timeout".to_owned(),
            Self::Error(kind) => format!("Status: error\tError Type: {kind}"),
        }
    }

    fn json(&self, record: &mut serde_json::Value) {
        let Some(members) = record.as_object_mut() else {
            return;
        };
        match self {
            Self::Timeout => {
                members.insert("status".into(), "timeout".into());
            }
            Self::Error(kind) => {
                members.insert("status".into(), "error".into());
                members.insert("errorType".into(), kind.as_ref().into());
            }
        }
    }
}

/// Milliseconds with two decimals.
pub(crate) fn millis(d: Duration) -> String {
    let hundredths = (d.as_nanos() + 5_000) / 10_000;
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

fn number(d: Duration) -> serde_json::Value {
    millis(d)
        .parse::<f64>()
        .map_or(serde_json::Value::Null, Into::into)
}

/// The root of a sampled trace: others are not worth a mention.
fn trace_root(header: &str) -> Option<&str> {
    let part = |name: &str| header.split(';').find_map(|p| p.trim().strip_prefix(name));
    (part("Sampled=") == Some("1")).then(|| part("Root="))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn report() -> Report {
        Report {
            id: "0f8fad5b-d9cb-469f-a165-70867728950e".parse().unwrap(),
            duration: Duration::from_micros(3009),
            billed_ms: 4,
            memory: MemoryMib::new(128).unwrap(),
            memory_used_mib: 36,
            init: None,
            trace_id: String::new(),
            status: None,
        }
    }

    fn check(event: &Event<'_>, text: &str, json: Option<&str>) {
        let now = Timestamp(1_767_323_045_123);
        assert_eq!(event.render(LogFormat::Text, now).as_deref(), Some(text));
        let parsed = |s: &str| serde_json::from_str::<serde_json::Value>(s).unwrap();
        assert_eq!(
            event.render(LogFormat::Json, now).map(|s| parsed(&s)),
            json.map(parsed)
        );
    }

    #[test]
    fn every_line() {
        let id = report().id;
        check(
            &Event::InitStart {
                runtime: "python:3.11.v2",
                runtime_arn: "arn:aws:lambda:us-east-1::runtime:00",
                version: &fixture::version("python3.11", "app.handler").id,
                log_stream: "2026/01/02/[$LATEST]00",
                memory: MemoryMib::new(128).unwrap(),
            },
            "INIT_START Runtime Version: python:3.11.v2\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:00",
            Some(
                r#"{"time":"2026-01-02T03:04:05.123Z","type":"platform.initStart","record":{"initializationType":"on-demand",
                "phase":"init","runtimeVersion":"python:3.11.v2","runtimeVersionArn":"arn:aws:lambda:us-east-1::runtime:00",
                "functionName":"hello","functionVersion":"$LATEST","instanceId":"2026/01/02/[$LATEST]00","instanceMaxMemory":134217728}}"#,
            ),
        );
        check(
            &Event::Start {
                id,
                version: Version::Latest,
                tenant: Some(&"blue".parse().unwrap()),
            },
            "START RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Version: $LATEST",
            Some(
                r#"{"time":"2026-01-02T03:04:05.123Z","type":"platform.start",
                "record":{"requestId":"0f8fad5b-d9cb-469f-a165-70867728950e","version":"$LATEST","tenantId":"blue"}}"#,
            ),
        );
        check(
            &Event::Start {
                id,
                version: Version::Latest,
                tenant: None,
            },
            "START RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Version: $LATEST",
            Some(
                r#"{"time":"2026-01-02T03:04:05.123Z","type":"platform.start",
                "record":{"requestId":"0f8fad5b-d9cb-469f-a165-70867728950e","version":"$LATEST"}}"#,
            ),
        );
        check(
            &Event::End { id },
            "END RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e",
            None,
        );
        check(
            &Event::InitReport {
                took: Duration::from_micros(10_007_330),
                phase: "init",
                status: Some(Status::Timeout),
            },
            "INIT_REPORT Init Duration: 10007.33 ms\tPhase: init\tStatus: timeout",
            Some(
                r#"{"time":"2026-01-02T03:04:05.123Z","type":"platform.initReport","record":{"initializationType":"on-demand",
                "phase":"init","metrics":{"durationMs":10007.33},"status":"timeout"}}"#,
            ),
        );
    }

    #[test]
    fn reports() {
        check(
            &Event::Report(&report()),
            "REPORT RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e\tDuration: 3.01 ms\tBilled Duration: 4 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 36 MB\t",
            Some(
                r#"{"time":"2026-01-02T03:04:05.123Z","type":"platform.report","record":{"status":"success",
                "requestId":"0f8fad5b-d9cb-469f-a165-70867728950e","metrics":{"durationMs":3.01,"billedDurationMs":4,
                "memorySizeMB":128,"maxMemoryUsedMB":36}}}"#,
            ),
        );
        let cold = Report {
            init: Some(Duration::from_micros(110_100)),
            trace_id: "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
                .into(),
            status: Some(Status::Error("Runtime.ExitError".into())),
            ..report()
        };
        assert_eq!(
            Event::Report(&cold)
                .render(LogFormat::Text, Timestamp(0))
                .unwrap(),
            "REPORT RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e\tDuration: 3.01 ms\tBilled Duration: 4 ms\t\
             Memory Size: 128 MB\tMax Memory Used: 36 MB\tInit Duration: 110.10 ms\t\
             XRAY TraceId: 1-5759e988-bd862e3fe1be46a994272793\tStatus: error\tError Type: Runtime.ExitError"
        );
    }
}
