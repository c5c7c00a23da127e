//! The operations on durable executions and their callbacks.
//!
//! No execution can exist yet, so that what is parsed here is what an answer needs: which execution, function or callback a
//! request names, and that everything that is said about it is well formed.

mod updates;

use model::FunctionArn;
use serde::Deserialize;

use super::Input;
use crate::{
    error::ApiError,
    target::{self, Target},
};

/// Where the name of a function's version ends, and the name of an execution begins.
const SEPARATOR: &str = "/durable-execution/";

/// The runtime library whose spelling of a token's refusal differs from that of the others.
const JAVASCRIPT: &str = "aws-durable-execution-sdk-js/";
const JAVA: &str = "aws-durable-execution-sdk-java/";

/// A request about durable executions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Durable {
    /// Shows, stops, pauses, resumes or deletes an execution.
    Execution(Execution),
    /// Does what only the running invocation of an execution may, which proves itself by a token.
    Token(Execution, TokenRefusal),
    /// Completes, fails or keeps alive a callback.
    Callback(String),
    /// The executions of a function.
    OfFunction(Target),
}

/// An execution that a request names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// The version that it runs.
    pub function: FunctionArn,
}

/// How a token that is not the present one is refused. The runtime libraries know the sentence by its first words, and do not
/// agree on their letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRefusal {
    /// `Invalid checkpoint token`
    Lower,
    /// `Invalid Checkpoint Token`
    Title,
}

impl Durable {
    /// The function that a policy must allow; a callback does not say whose it is.
    #[must_use]
    pub fn resource(&self) -> Option<FunctionArn> {
        match self {
            Self::Execution(execution) | Self::Token(execution, _) => {
                Some(execution.function.clone())
            }
            Self::OfFunction(target) => Some(target.arn()),
            Self::Callback(_) => None,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Checkpoint {
    updates: Option<Vec<updates::Update>>,
}

pub(super) fn execution(input: &Input<'_>) -> Result<Durable, ApiError> {
    check_marker(input)?;
    named(input).map(Durable::Execution)
}

pub(super) fn checkpoint(input: &Input<'_>) -> Result<Durable, ApiError> {
    let execution = named(input)?;
    let checkpoint: Checkpoint = input.body()?;
    updates::check(&checkpoint.updates.unwrap_or_default())?;
    Ok(Durable::Token(execution, refusal(input)))
}

pub(super) fn state(input: &Input<'_>) -> Result<Durable, ApiError> {
    check_marker(input)?;
    Ok(Durable::Token(named(input)?, refusal(input)))
}

pub(super) fn callback(input: &Input<'_>) -> Durable {
    Durable::Callback(input.label("CallbackId").to_owned())
}

pub(super) fn of_function(input: &Input<'_>) -> Result<Durable, ApiError> {
    check_marker(input)?;
    let (name, qualifier) = (input.function_name(), input.query.get("Qualifier"));
    target::locate(name, qualifier, input.scope).map(Durable::OfFunction)
}

/// The execution in the path. Its region must be that of the request, as a function's.
fn named(input: &Input<'_>) -> Result<Execution, ApiError> {
    let arn = input.label("DurableExecutionArn");
    let function = arn.split(SEPARATOR).next().unwrap_or_default();
    let target = target::locate(function, None, input.scope)?;
    Ok(Execution {
        arn: arn.to_owned(),
        function: target.arn(),
    })
}

/// No page of such a list was ever followed by another one.
fn check_marker(input: &Input<'_>) -> Result<(), ApiError> {
    match input.query.get("Marker") {
        None | Some("") => Ok(()),
        Some(_) => Err(ApiError::invalid_marker()),
    }
}

fn refusal(input: &Input<'_>) -> TokenRefusal {
    let agent = input.headers.get(http::header::USER_AGENT);
    let agent = agent
        .and_then(|agent| agent.to_str().ok())
        .unwrap_or_default();
    if agent.contains(JAVASCRIPT) || agent.contains(JAVA) {
        TokenRefusal::Title
    } else {
        TokenRefusal::Lower
    }
}

#[cfg(test)]
mod tests;
