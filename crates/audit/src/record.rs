//! What a record says.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Somebody called.
    Call(Box<Call>),
    /// The process began to record.
    Started {
        /// The version of its program.
        version: String,
    },
    /// A crash left the beginning of a record, which was taken away. Nobody was answered on the strength of it, but for a
    /// read.
    Torn {
        /// How long it was.
        bytes: u64,
        /// How it began.
        text: String,
    },
    /// The records before do not verify. The chain goes on here.
    Broken {
        /// In which segment.
        segment: u64,
        /// On which line of it; 0 for the segment as a whole.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// The oldest segments were removed to keep the log within its bounds.
    Retired {
        /// The last record that went.
        through: u64,
    },
    /// Calls of callers who proved nothing were not recorded one by one: there were too many.
    Unlisted {
        /// How many.
        calls: u64,
    },
    /// Nothing could be written for a while. What was asked for meanwhile was refused.
    Interrupted {
        /// Why.
        reason: String,
        /// How many calls were refused.
        refused: u64,
    },
}

/// A call of one of the public APIs. Members that are not known are left out of the record.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    /// The id that the caller was told.
    pub request_id: String,
    /// Over which API it came.
    pub api: Api,
    /// The operation's name; `Unknown` if there is none.
    pub operation: String,
    /// The account that the caller was shown to act in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The caller, as far as that was proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    /// The ARN of the caller, who may have several keys, and of a session the key of an hour.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal: Option<String>,
    /// The access key that the request names, proven or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<String>,
    /// Where it came from.
    pub source: String,
    /// What the caller's program calls itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// The region that the request was sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The function as the caller named it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The resource that the request is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What else was asked for: no payloads, no code, no values of environment variables.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<&'static str, Value>,
    /// What became of it.
    pub outcome: Outcome,
    /// What the caller was told: HTTP's status, or gRPC's code on the gRPC API. Nothing if the caller went away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The name of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Over which API a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    /// AWS's.
    Aws,
    /// The gRPC API.
    Grpc,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Done,
    /// It was refused or failed: `error` says how.
    Failed,
    /// The caller went away before it was answered; it may have been done.
    Abandoned,
}

impl Event {
    /// The same without what may be long.
    pub(crate) fn shortened(self) -> Self {
        match self {
            Self::Call(mut call) => {
                call.parameters = [("Omitted", Value::Bool(true))].into();
                Self::Call(call)
            }
            other @ (Self::Started { .. }
            | Self::Torn { .. }
            | Self::Broken { .. }
            | Self::Retired { .. }
            | Self::Unlisted { .. }
            | Self::Interrupted { .. }) => other,
        }
    }
}

/// The beginning of a text, for a record: what callers write has no bound of its own.
#[must_use]
pub fn clipped(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_clipped_between_characters() {
        assert_eq!(clipped("", 3), "");
        assert_eq!(clipped("äöü", 3), "äöü");
        assert_eq!(clipped("äöüa", 3), "äöü…");
    }
}
