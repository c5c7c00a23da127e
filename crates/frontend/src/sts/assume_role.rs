//! Somebody becomes a role for a while.

use std::time::Duration;

use lambda_api::{
    ApiError, Demand,
    sts::{AssumeRole, AssumedRole, StsError},
};
use model::{
    Timestamp,
    iam::{AccessKeyId, Hour, Role, RoleArn, Session},
};
use policy::{Document, Kind};
use prost::Message as _;
use proto::internal as pb;

use super::{Asking, role_id, told};
use crate::{auth, error::OperationError, options::AuthMode, stack::Edge};

const ACTION: &str = "sts:AssumeRole";
/// How long a session lasts if nobody says.
const DEFAULT: Duration = Duration::from_secs(3600);
/// The longest session of somebody who is a role already.
const CHAINED_MAX: Duration = Duration::from_secs(3600);

/// Issues the session, and shows it.
pub(super) async fn run(
    edge: &Edge,
    asking: &Asking<'_>,
    wanted: AssumeRole,
) -> Result<String, StsError> {
    asking.trail.assumes(&wanted);
    let role = find(edge, &wanted.role).await.map_err(told)?;
    let is_open = matches!(edge.options.auth, AuthMode::Open { .. });
    if !is_open {
        permit(edge, asking, role.as_ref(), &wanted).map_err(told)?;
    }
    let longest = role.as_ref().map_or(Session::LIFETIME_MAX, |role| {
        Duration::from_secs(role.session_max_s.into())
    });
    let duration = duration(wanted.duration, longest, asking.session.is_some())?;
    if let Some(policy) = &wanted.policy {
        check(policy)?;
    }
    let session = issue(edge, wanted, duration).await.map_err(told)?;
    asking.trail.new_key(&session.0.access_key);
    let (session, credentials) = &session;
    let assumed = AssumedRole {
        session,
        role_id: &role_id(edge, &session.role),
        secret_access_key: credentials.secret_access_key(),
        session_token: credentials.session_token(),
    };
    Ok(assumed.to_xml(&asking.request_id.to_string()))
}

/// The role of exactly this ARN. One that this node has not heard of may have been made a moment ago.
async fn find(edge: &Edge, arn: &RoleArn) -> Result<Option<Role>, OperationError> {
    let look = |catalog: &state::Catalog| catalog.role_of(arn).cloned();
    let control = &edge.bench.control;
    if let Some(role) = control.glance(look) {
        return Ok(Some(role));
    }
    control.read(look).await
}

fn permit(
    edge: &Edge,
    asking: &Asking<'_>,
    role: Option<&Role>,
    wanted: &AssumeRole,
) -> Result<(), OperationError> {
    let (caller, arn) = (&asking.caller, &wanted.role);
    let Some(role) = role else {
        // As if it were there and trusted nobody.
        let who = caller.principal.arn().unwrap_or_default();
        let why = format!("because no role trust policy allows the {ACTION} action");
        return Err(ApiError::denied(who, ACTION, arn.as_str(), &why).into());
    };
    let mut demand = Demand::new(ACTION, arn, arn.account());
    demand.keys.push((
        "sts:RoleSessionName".to_owned(),
        vec![wanted.session.to_string()],
    ));
    if let Some(id) = &wanted.external_id {
        demand
            .keys
            .push(("sts:ExternalId".to_owned(), vec![id.clone()]));
    }
    auth::permit_role(&edge.bench.control, caller, &demand, &role.trust)
}

/// How long the session is to last.
fn duration(
    wanted: Option<Duration>,
    longest: Duration,
    is_chained: bool,
) -> Result<Duration, StsError> {
    let refused = |why: &str| {
        Err(StsError::Validation(format!(
            "The requested DurationSeconds exceeds {why}"
        )))
    };
    match wanted {
        None => Ok(DEFAULT.min(longest)),
        Some(wanted) if is_chained && wanted > CHAINED_MAX => {
            refused("the 1 hour session limit for roles assumed by role chaining")
        }
        Some(wanted) if wanted > longest => refused("the MaxSessionDuration set for this role."),
        Some(wanted) => Ok(wanted),
    }
}

/// A policy that cannot be read would bound nothing.
fn check(policy: &str) -> Result<(), StsError> {
    Document::parse(Kind::Identity, policy, policy.len())
        .map(drop)
        .map_err(|error| StsError::MalformedPolicyDocument(error.to_string()))
}

async fn issue(
    edge: &Edge,
    wanted: AssumeRole,
    duration: Duration,
) -> Result<(Session, seal::SessionCredentials), OperationError> {
    let bench = &edge.bench;
    let issued: Timestamp = bench.clock.wall();
    let key = bench
        .control
        .role_key(&wanted.role, Hour::of(issued))
        .await?;
    let session = Session {
        role: wanted.role,
        name: wanted.session,
        access_key: AccessKeyId::of_session(bench.entropy.next_u128()),
        generation: key.generation(),
        hour: key.hour(),
        issued,
        expires: issued.plus(duration),
        policy: wanted.policy,
        function: None,
    };
    let claims = pb::Session::from(&session).encode_to_vec();
    let credentials = key.issue(&claims);
    Ok((session, credentials))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_session_lasts() {
        let (hour, twelve) = (3600, 12 * 3600);
        let check = |wanted: Option<u64>, longest: u64, chained, expected: Result<u64, &str>| {
            let got = duration(
                wanted.map(Duration::from_secs),
                Duration::from_secs(longest),
                chained,
            );
            let got = got.map(|d| d.as_secs()).map_err(|e| e.to_string());
            let expected =
                expected.map_err(|why| format!("The requested DurationSeconds exceeds {why}"));
            assert_eq!(got, expected);
        };
        let chained = "the 1 hour session limit for roles assumed by role chaining";
        let role = "the MaxSessionDuration set for this role.";
        check(None, twelve, false, Ok(hour));
        check(Some(900), hour, false, Ok(900));
        check(Some(hour), hour, true, Ok(hour));
        check(Some(twelve), twelve, false, Ok(twelve));
        check(Some(hour + 1), hour, false, Err(role));
        check(Some(hour + 1), twelve, true, Err(chained));
    }

    #[test]
    fn a_policy_that_cannot_be_read_is_refused() {
        let good = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
        assert_eq!(check(good), Ok(()));
        for bad in ["", "{", r#"{"Statement":[{"Effect":"Maybe"}]}"#] {
            let error = check(bad).unwrap_err();
            assert_eq!(error.code(), "MalformedPolicyDocument", "{bad}");
        }
    }
}
