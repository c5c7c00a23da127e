//! Whether a function may have a role: Lambda must be allowed to become it.

use lambda_api::ApiError;
use model::{FunctionId, Timestamp, iam::RoleArn};
use policy::{Context, Decision, Kind, Policies, Principal, evaluate};

use crate::{control::Control, error::OperationError};

/// Holds the role that a function is to have against the role's trust policy, by the local copy. A role that is not kept
/// here trusts whom it likes: whoever acts as it may do nothing on this cluster.
///
/// # Errors
/// InvalidParameterValue in AWS's words, on which deployment tools wait and try again.
pub(crate) fn check_execution_role(
    control: &Control,
    function: &FunctionId,
    role: &str,
    now: Timestamp,
) -> Result<(), OperationError> {
    let Some(arn) = role.parse::<RoleArn>().ok() else {
        return Ok(());
    };
    let Some(trust) = control.glance(|catalog| Some(catalog.role_of(&arn)?.trust.clone())) else {
        return Ok(());
    };
    let trust = control.documents().read(Kind::Trust, &trust)?;
    let context = context(function, now);
    let request = policy::Request {
        principal: &Principal::lambda(),
        action: "sts:AssumeRole",
        resource: role,
        account: arn.account(),
        context: &context,
    };
    let policies = Policies {
        resource: Some(&trust),
        ..Policies::default()
    };
    match evaluate(&request, &policies) {
        Decision::Allowed => Ok(()),
        Decision::Denied(_) | Decision::NotAllowed(_) => Err(ApiError::InvalidParameterValue(
            "The role defined for the function cannot be assumed by Lambda.".to_owned(),
        )
        .into()),
    }
}

/// What conditions of a trust policy can ask for when a service becomes a role.
fn context(function: &FunctionId, now: Timestamp) -> Context {
    let mut context = Context::new();
    context.set("aws:CurrentTime", now.to_rfc3339());
    context.set("aws:EpochTime", (now.as_millis() / 1000).to_string());
    context.set("aws:PrincipalIsAWSService", "true");
    context.set("aws:PrincipalServiceName", "lambda.amazonaws.com");
    context.set("aws:SecureTransport", "true");
    context.set("aws:SourceAccount", function.account.to_string());
    context.set("aws:SourceArn", function.arn(None).to_string());
    context.set("sts:RoleSessionName", function.name.to_string());
    context
}
