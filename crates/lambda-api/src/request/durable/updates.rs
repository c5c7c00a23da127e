//! What the updates of one checkpoint must be, whatever the state of the execution is.

use serde::Deserialize;

use crate::{error::ApiError, request::absent::Unsupported};

/// One update of a checkpoint.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Update {
    id: String,
    parent_id: Option<String>,
    name: Option<String>,
    r#type: String,
    sub_type: Option<String>,
    action: String,
    payload: Option<Present>,
    error: Option<Present>,
    step_options: Option<Present>,
}

/// Something that is there; what it is does not matter.
type Present = Unsupported;

/// Looks whether the updates can be of one checkpoint.
///
/// # Errors
/// [`ApiError::InvalidParameterValue`] with the first rule that one of them breaks.
pub(super) fn check(updates: &[Update]) -> Result<(), ApiError> {
    let broken = whole(updates).or_else(|| updates.iter().find_map(one));
    match broken {
        Some(rule) => Err(ApiError::InvalidParameterValue(rule.to_owned())),
        None => Ok(()),
    }
}

/// The rule about all updates that these break.
fn whole(updates: &[Update]) -> Option<&'static str> {
    let is_end = |update: &Update| update.r#type == "EXECUTION";
    if updates.iter().filter(|update| is_end(update)).count() > 1 {
        return Some("Cannot checkpoint multiple EXECUTION updates.");
    }
    let before_last = updates.split_last().map_or(&[][..], |(_, before)| before);
    if before_last.iter().any(is_end) {
        return Some("EXECUTION checkpoint must be the last update.");
    }
    updates.iter().enumerate().find_map(|(i, update)| {
        let mut earlier = updates.iter().take(i).filter(|other| other.id == update.id);
        let first = earlier.next()?;
        if earlier.next().is_some() || !first.may_go_on() {
            return Some("Cannot checkpoint multiple operations with the same ID.");
        }
        first.disagrees_with(update)
    })
}

/// The rule about a single update that this one breaks.
fn one(update: &Update) -> Option<&'static str> {
    let action = update.action.as_str();
    let actions: &[&str] = match update.r#type.as_str() {
        "EXECUTION" => &["SUCCEED", "FAIL"],
        "STEP" => &["START", "SUCCEED", "FAIL", "RETRY"],
        "WAIT" => &["START", "CANCEL"],
        "CONTEXT" => &["START", "SUCCEED", "FAIL"],
        _ => &["START"],
    };
    if !actions.contains(&action) {
        return Some("Invalid action for the given operation type.");
    }
    if update.r#type == "STEP" && update.step_options.is_some() != (action == "RETRY") {
        return Some("Invalid StepOptions for the given action.");
    }
    match (action, update.payload.is_some(), update.error.is_some()) {
        ("FAIL", true, _) => Some("Cannot provide a Payload for FAIL action."),
        ("SUCCEED", _, true) => Some("Cannot provide an Error for SUCCEED action."),
        ("RETRY", true, true) => Some("Cannot provide both error and payload to RETRY a STEP."),
        _ => None,
    }
}

impl Update {
    /// Whether another update of the same operation may follow in the same checkpoint.
    fn may_go_on(&self) -> bool {
        self.action == "START" && matches!(self.r#type.as_str(), "STEP" | "CONTEXT")
    }

    /// The member in which an update of the same operation differs from what was said before.
    fn disagrees_with(&self, later: &Self) -> Option<&'static str> {
        if self.r#type != later.r#type {
            return Some("Inconsistent operation type.");
        }
        if self.sub_type != later.sub_type {
            return Some("Inconsistent operation subtype.");
        }
        if self.name != later.name {
            return Some("Inconsistent operation name.");
        }
        if self.parent_id != later.parent_id {
            return Some("Inconsistent parent operation id.");
        }
        None
    }
}
