//! What the load tells: an attempt a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::moment::{Began, Moment};

/// Everything that the load told, in the order that it came.
#[derive(Clone, Debug, Default)]
pub struct Records {
    /// Its functions answer.
    pub is_ready: bool,
    /// It has read back.
    pub is_done: bool,
    /// Lines that were not understood; there must be none.
    pub not_understood: u64,
    /// What was deployed before it was ready: the first version of each function.
    pub deployed: Vec<Deployed>,
    /// Attempts to invoke.
    pub invokes: Vec<Invoke>,
    /// Attempts to write.
    pub writes: Vec<Write>,
    /// What each frontend says at the end.
    pub finals: Vec<Final>,
}

/// A line, as it comes.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Wire {
    /// A function was deployed.
    Deployed(Deployed),
    /// It works from now on.
    Ready,
    /// It tried to invoke.
    Invoke(InvokeLine),
    /// It tried to write.
    Write(WriteLine),
    /// It read back.
    Final(Final),
    /// It is over.
    Done,
}

/// A function that was deployed before the load began.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Deployed {
    /// Its name.
    pub function: String,
    /// Its first version.
    pub result: Version,
}

/// What a version is for ever.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// Its number.
    pub version: String,
    /// The word in its code; nothing if it is no code that the load made.
    pub word: Option<String>,
    /// Its setting.
    pub setting: Option<String>,
}

/// An attempt to invoke, as it comes: times in milliseconds of wall time.
#[derive(Clone, Debug, Deserialize)]
pub struct InvokeLine {
    id: String,
    via: String,
    function: String,
    #[serde(default)]
    patient: bool,
    start: f64,
    end: f64,
    outcome: Outcome,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    retries: u32,
    #[serde(default)]
    answer: Option<Answer>,
}

/// An attempt to write, as it comes.
#[derive(Clone, Debug, Deserialize)]
pub struct WriteLine {
    op: Operation,
    subject: String,
    value: String,
    via: String,
    start: f64,
    end: f64,
    outcome: Fate,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    result: Option<Version>,
}

/// An attempt to invoke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invoke {
    /// Which; the answer must carry it.
    pub id: String,
    /// Through which frontend.
    pub via: String,
    /// What.
    pub function: String,
    /// Whether the SDK's own retries stood behind it.
    pub patient: bool,
    /// When it began.
    pub start: Moment,
    /// When it was over.
    pub end: Moment,
    /// What became of it.
    pub outcome: Outcome,
    /// The status; 0 if nobody answered.
    pub status: u16,
    /// What was wrong.
    pub error: Option<String>,
    /// How many retries the SDK needed.
    pub retries: u32,
    /// What the function said.
    pub answer: Option<Answer>,
}

/// What became of an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The function answered.
    Ok,
    /// It was refused with a 429.
    Throttled,
    /// It was answered, with an error.
    Failed,
    /// Nobody answered in time, or the connection broke.
    Unanswered,
    /// The client was too busy to try; says nothing about the cluster.
    Skipped,
}

/// What a function said.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// The id that it was asked with.
    pub id: Option<String>,
    /// The word in its code.
    pub word: Option<String>,
    /// The version that it runs as.
    pub version: Option<String>,
    /// Its setting.
    pub setting: Option<String>,
}

/// An attempt to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// What was tried.
    pub op: Operation,
    /// On what.
    pub subject: String,
    /// What it should be.
    pub value: String,
    /// Through which frontend.
    pub via: String,
    /// When it began.
    pub start: Moment,
    /// When it was over.
    pub end: Moment,
    /// What became of it.
    pub fate: Fate,
    /// The status; 0 if nobody answered.
    pub status: u16,
    /// What was wrong.
    pub error: Option<String>,
    /// The version that came of it, of a publication.
    pub result: Option<Version>,
}

/// A kind of write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// An alias that nobody else makes.
    CreateAlias,
    /// One of those is deleted.
    DeleteAlias,
    /// The alias that is invoked points to another version.
    UpdateAlias,
    /// Another setting.
    UpdateConfiguration,
    /// Other code.
    UpdateCode,
    /// A version of what there is.
    Publish,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It was acknowledged, and is there from now on.
    Acked,
    /// It was refused, and did not happen.
    Refused,
    /// It may have happened, or happen yet.
    Unknown,
}

/// What one frontend says at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Final {
    /// Which.
    pub via: String,
    /// Why it could not be asked.
    pub error: Option<String>,
    /// The aliases that the load made, and their versions.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// The published versions.
    #[serde(default)]
    pub versions: Vec<Version>,
    /// The version that the live alias points to.
    pub live: Option<String>,
    /// The setting that the next version would have.
    pub setting: Option<String>,
    /// The word in the code that the next version would have.
    pub word: Option<String>,
}

impl Records {
    pub(crate) fn add(&mut self, told: Wire, began: Began) {
        match told {
            Wire::Ready => self.is_ready = true,
            Wire::Done => self.is_done = true,
            Wire::Deployed(deployed) => self.deployed.push(deployed),
            Wire::Final(last) => self.finals.push(last),
            Wire::Invoke(line) => self.invokes.push(Invoke {
                id: line.id,
                via: line.via,
                function: line.function,
                patient: line.patient,
                start: began.of_wall_ms(line.start),
                end: began.of_wall_ms(line.end),
                outcome: line.outcome,
                status: line.status,
                error: line.error,
                retries: line.retries,
                answer: line.answer,
            }),
            Wire::Write(line) => self.writes.push(Write {
                op: line.op,
                subject: line.subject,
                value: line.value,
                via: line.via,
                start: began.of_wall_ms(line.start),
                end: began.of_wall_ms(line.end),
                fate: line.outcome,
                status: line.status,
                error: line.error,
                result: line.result.filter(|_| line.op == Operation::Publish),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_load_are_understood() {
        let mut records = Records::default();
        for line in [
            r#"{"kind":"deployed","function":"f","result":{"version":"1","word":"w0","setting":"c0"}}"#,
            r#"{"kind":"ready"}"#,
            r#"{"kind":"invoke","id":"i1","via":"a2","function":"f","patient":false,"start":1500.25,"end":1512.0,"status":200,"retries":0,"outcome":"ok","answer":{"id":"i1","word":"w0","version":"1","setting":"c0"}}"#,
            r#"{"kind":"invoke","id":"i2","via":"a2","function":"f","start":1500.25,"end":1512.0,"outcome":"unanswered","status":0,"error":"ReadTimeoutError"}"#,
            r#"{"kind":"write","op":"publish","subject":"f","value":"w1","via":"b2","start":2000,"end":2100,"outcome":"acked","status":200,"result":{"version":"2","word":"w1","setting":"c1"}}"#,
            r#"{"kind":"write","op":"create-alias","subject":"a1","value":"1","via":"b2","start":2000,"end":2100,"outcome":"unknown","status":503,"error":"x"}"#,
            r#"{"kind":"final","via":"a2","aliases":{"a1":"1"},"versions":[],"live":"2","setting":"c1","word":"w1"}"#,
            r#"{"kind":"final","via":"b2","error":"gone"}"#,
            r#"{"kind":"done"}"#,
        ] {
            let told = serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
            records.add(told, Began::at_wall_ms(1000));
        }
        assert!(records.is_ready && records.is_done);
        assert_eq!(records.invokes[0].start, Moment(500));
        assert_eq!(records.invokes[0].end, Moment(512));
        assert_eq!(records.invokes[1].outcome, Outcome::Unanswered);
        assert_eq!(records.writes[0].result.as_ref().unwrap().version, "2");
        assert_eq!(records.writes[1].fate, Fate::Unknown);
        assert_eq!(records.finals[1].error.as_deref(), Some("gone"));
    }
}
