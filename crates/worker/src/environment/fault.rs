//! How an invocation fails when the function itself gave no answer, and what the caller, the log and the report say of it.

use std::borrow::Cow;

use bytes::Bytes;
use model::{RequestId, TimeoutSeconds, Timestamp};
use runtime_api::{InitFailure, extensions};
use sandbox::Exit;

use crate::logs::platform::Status;

/// Why there is no answer of the function's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Its time was over.
    Timeout(TimeoutSeconds),
    /// The process ended.
    Exit(Exit),
    /// The runtime reported that it cannot initialise.
    Init(InitFailure),
    /// The program cannot be started: why.
    Entrypoint(String),
    /// There is no such directory to start it in: why.
    WorkingDirectory(String),
    /// The answer is larger than this.
    TooLarge(u64),
    /// The connection broke in the middle of a streamed response.
    Truncated,
    /// An extension is over before its time.
    Extension(extensions::Fault),
}

impl Fault {
    /// The payload that the caller gets.
    pub(crate) fn document(&self, id: RequestId) -> Bytes {
        match self {
            Self::Init(failure) if !failure.body.is_empty() => return failure.body.clone(),
            Self::TooLarge(limit) => {
                let message = format!(
                    "Response payload size exceeded maximum allowed payload size ({limit} bytes)."
                );
                let message = serde_json::Value::from(message);
                return format!(
                    "{{\"errorMessage\":{message},\"errorType\":\"{}\"}}",
                    self.kind()
                )
                .into();
            }
            Self::Init(_)
            | Self::Timeout(_)
            | Self::Exit(_)
            | Self::Entrypoint(_)
            | Self::WorkingDirectory(_)
            | Self::Truncated
            | Self::Extension(_) => {}
        }
        let message =
            serde_json::Value::from(format!("RequestId: {id} Error: {}", self.sentence()));
        format!(
            "{{\"errorType\":\"{}\",\"errorMessage\":{message}}}",
            self.kind()
        )
        .into()
    }

    /// What the log says, if the runtime did not say it itself.
    pub(crate) fn log_line(&self, id: RequestId, now: Timestamp) -> Option<String> {
        match self {
            Self::Timeout(_) => Some(format!("{} {id} {}\n", now.to_rfc3339(), self.sentence())),
            Self::Exit(_)
            | Self::Entrypoint(_)
            | Self::WorkingDirectory(_)
            | Self::Truncated
            | Self::Extension(_) => Some(format!(
                "RequestId: {id} Error: {}\n{}",
                self.sentence(),
                self.kind()
            )),
            Self::TooLarge(_) | Self::Init(_) => None,
        }
    }

    /// What the report says.
    pub(crate) fn status(&self) -> Status {
        match self {
            Self::Timeout(_) => Status::Timeout,
            Self::Exit(Exit::OutOfMemory) => Status::Error("Runtime.OutOfMemory".into()),
            Self::Exit(_)
            | Self::Init(_)
            | Self::Entrypoint(_)
            | Self::WorkingDirectory(_)
            | Self::TooLarge(_)
            | Self::Truncated
            | Self::Extension(_) => Status::Error(self.kind()),
        }
    }

    /// AWS's name of this failure.
    fn kind(&self) -> Cow<'static, str> {
        let name = match self {
            Self::Timeout(_) => "Sandbox.Timedout",
            Self::Exit(_) => "Runtime.ExitError",
            Self::Init(failure) => return init_error_type(failure),
            Self::Entrypoint(_) => "Runtime.InvalidEntrypoint",
            Self::WorkingDirectory(_) => "Runtime.InvalidWorkingDir",
            Self::TooLarge(_) => "Function.ResponseSizeTooLarge",
            Self::Truncated => "Runtime.TruncatedResponse",
            Self::Extension(fault) => fault.kind,
        };
        name.into()
    }

    fn sentence(&self) -> String {
        match self {
            Self::Timeout(limit) => format!("Task timed out after {}.00 seconds", limit.get()),
            Self::Exit(Exit::Code(0)) => "Runtime exited without providing a reason".to_owned(),
            Self::Exit(exit) => format!("Runtime exited with error: {}", exit_text(*exit)),
            Self::Init(_) => "Runtime failed to initialize".to_owned(),
            Self::Entrypoint(why) | Self::WorkingDirectory(why) => why.clone(),
            Self::TooLarge(limit) => format!("Response payload size exceeded {limit} bytes"),
            Self::Truncated => "Response was truncated".to_owned(),
            Self::Extension(fault) => fault.detail.clone(),
        }
    }
}

/// How a process ended, as AWS's own runtime supervisor prints it.
pub(super) fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit status {code}"),
        Exit::Signal(number) => format!("signal: {}", signal(number)),
        Exit::OutOfMemory | Exit::SandboxLost => "signal: killed".to_owned(),
    }
}

/// The type in the runtime's header, if it is one that the platform lets through.
fn init_error_type(failure: &InitFailure) -> Cow<'static, str> {
    let known = |name: &&String| {
        let rest = name
            .strip_prefix("Runtime.")
            .or_else(|| name.strip_prefix("Function."));
        rest.is_some_and(|r| {
            r.len() <= 64
                && r.starts_with(|c: char| c.is_ascii_uppercase())
                && r.bytes().all(|b| b.is_ascii_alphabetic())
        })
    };
    match failure.error_type.as_ref().filter(known) {
        Some(name) => name.clone().into(),
        None => "Runtime.Unknown".into(),
    }
}

/// A signal as AWS's own runtime supervisor prints it.
fn signal(number: i32) -> String {
    let known = match number {
        1 => "hangup",
        2 => "interrupt",
        3 => "quit",
        4 => "illegal instruction",
        5 => "trace/breakpoint trap",
        6 => "aborted",
        7 => "bus error",
        8 => "floating point exception",
        9 => "killed",
        10 => "user defined signal 1",
        11 => "segmentation fault",
        12 => "user defined signal 2",
        13 => "broken pipe",
        14 => "alarm clock",
        15 => "terminated",
        31 => "bad system call",
        _ => return format!("signal {number}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_as_aws_words_it() {
        let id: RequestId = "0f8fad5b-d9cb-469f-a165-70867728950e".parse().unwrap();
        let check = |fault: Fault, document: &str, line: Option<&str>, status: Status| {
            assert_eq!(fault.document(id), document);
            assert_eq!(fault.log_line(id, Timestamp(0)).as_deref(), line);
            assert_eq!(fault.status(), status);
        };
        check(
            Fault::Timeout(TimeoutSeconds::new(1).unwrap()),
            r#"{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: Task timed out after 1.00 seconds"}"#,
            Some(
                "1970-01-01T00:00:00.000Z 0f8fad5b-d9cb-469f-a165-70867728950e Task timed out after 1.00 seconds\n",
            ),
            Status::Timeout,
        );
        check(
            Fault::Exit(Exit::Code(1)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: Runtime exited with error: exit status 1"}"#,
            Some(
                "RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: Runtime exited with error: exit status 1\nRuntime.ExitError",
            ),
            Status::Error("Runtime.ExitError".into()),
        );
        check(
            Fault::Exit(Exit::Code(0)),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: Runtime exited without providing a reason"}"#,
            Some(
                "RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: Runtime exited without providing a reason\nRuntime.ExitError",
            ),
            Status::Error("Runtime.ExitError".into()),
        );
        check(
            Fault::Exit(Exit::OutOfMemory),
            r#"{"errorType":"Runtime.ExitError","errorMessage":"RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: Runtime exited with error: signal: killed"}"#,
            Some(
                "RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: Runtime exited with error: signal: killed\nRuntime.ExitError",
            ),
            Status::Error("Runtime.OutOfMemory".into()),
        );
        check(
            Fault::TooLarge(6_291_556),
            r#"{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}"#,
            None,
            Status::Error("Function.ResponseSizeTooLarge".into()),
        );
        let crashed = extensions::Fault {
            name: "watcher".into(),
            kind: "Extension.Crash",
            detail: exit_text(Exit::Code(3)),
        };
        check(
            Fault::Extension(crashed),
            r#"{"errorType":"Extension.Crash","errorMessage":"RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: exit status 3"}"#,
            Some(
                "RequestId: 0f8fad5b-d9cb-469f-a165-70867728950e Error: exit status 3\nExtension.Crash",
            ),
            Status::Error("Extension.Crash".into()),
        );
        let init = |header: &str| {
            Fault::Init(InitFailure {
                body: Bytes::from_static(b"{}"),
                error_type: Some(header.to_owned()),
            })
        };
        for (header, kind) in [
            ("Runtime.ImportModuleError", "Runtime.ImportModuleError"),
            ("KeyError", "Runtime.Unknown"),
            ("Runtime.x\ty", "Runtime.Unknown"),
        ] {
            check(init(header), "{}", None, Status::Error(kind.into()));
        }
        assert!(
            String::from_utf8_lossy(&Fault::Exit(Exit::Signal(11)).document(id))
                .contains("signal: segmentation fault")
        );
    }
}
