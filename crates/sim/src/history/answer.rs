use model::{RevisionId, Version};
use serde_json::Value;

use super::{Act, Listed, Op, Outcome, SeenAlias, SeenVersion};

/// What an HTTP answer tells of the fate of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reading {
    /// It was answered.
    Done(Outcome),
    /// It did certainly not happen.
    Refused,
    /// It may have happened, or happen yet.
    Unknown,
}

impl Reading {
    /// Reads an answer by its status and its body. A success that cannot be read, and every status of 500 and above, leaves
    /// a change unknown; a read without a result is as if it had never been made.
    #[must_use]
    pub fn of(op: &Op, status: u16, body: &Value) -> Self {
        match status {
            200..300 => outcome(op, body).map_or(Self::Unknown, Self::Done),
            404 => Self::Done(Outcome::NotFound),
            409 => Self::Done(Outcome::Conflict),
            412 => Self::Done(Outcome::PreconditionFailed),
            400..500 => Self::Refused,
            _ if op.is_read() => Self::Refused,
            _ => Self::Unknown,
        }
    }
}

impl Op {
    fn is_read(&self) -> bool {
        match self {
            Self::On { act, .. } => act.is_read(),
            Self::ListFunctions => true,
        }
    }
}

fn outcome(op: &Op, body: &Value) -> Option<Outcome> {
    let Op::On { act, .. } = op else {
        let shown = body.get("Functions")?.as_array()?.iter();
        let functions = shown.map(|one| Some((text(one, "FunctionName")?, version(one)?)));
        return Some(Outcome::Functions(Listed {
            functions: functions.collect::<Option<_>>()?,
            complete: text(body, "NextMarker").is_none(),
        }));
    };
    Some(match act {
        Act::Create { .. }
        | Act::UpdateConfiguration { .. }
        | Act::UpdateCode { .. }
        | Act::Publish { .. } => Outcome::Version(version(body)?),
        // GetFunction has the configuration inside, GetFunctionConfiguration is it.
        Act::Get { .. } => Outcome::Version(version(body.get("Configuration").unwrap_or(body))?),
        Act::Delete | Act::DeleteVersion { .. } | Act::DeleteAlias { .. } => Outcome::Nothing,
        Act::CreateAlias { .. } | Act::UpdateAlias { .. } | Act::GetAlias { .. } => {
            Outcome::Alias(alias(body)?)
        }
        Act::ListVersions => Outcome::Versions(whole(body, "Versions", version)?),
        Act::ListAliases => Outcome::Aliases(whole(body, "Aliases", alias)?),
    })
}

/// A list that is whole; one page of several shows no single moment.
fn whole<T>(body: &Value, name: &str, one: impl Fn(&Value) -> Option<T>) -> Option<Vec<T>> {
    if text(body, "NextMarker").is_some() {
        return None;
    }
    body.get(name)?.as_array()?.iter().map(one).collect()
}

fn version(shown: &Value) -> Option<SeenVersion> {
    let updating = text(shown, "LastUpdateStatus").is_some_and(|status| status == "InProgress");
    let settled = text(shown, "State").map(|state| state != "Pending" && !updating);
    Some(SeenVersion {
        version: text(shown, "Version")?.parse().ok()?,
        marker: text(shown, "Description").unwrap_or_default(),
        code: text(shown, "CodeSha256")?,
        revision: revision(shown)?,
        settled,
    })
}

fn alias(shown: &Value) -> Option<SeenAlias> {
    Some(SeenAlias {
        alias: text(shown, "Name")?,
        version: text(shown, "FunctionVersion")?.parse::<Version>().ok()?,
        marker: text(shown, "Description").unwrap_or_default(),
        revision: revision(shown)?,
    })
}

fn revision(shown: &Value) -> Option<RevisionId> {
    text(shown, "RevisionId")?.parse().ok()
}

fn text(shown: &Value, name: &str) -> Option<String> {
    shown.get(name)?.as_str().map(str::to_owned)
}
