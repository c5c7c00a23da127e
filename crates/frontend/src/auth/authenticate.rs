//! From a signature to a caller.

use http::{HeaderMap, header::USER_AGENT};
use lambda_api::sigv4::{self, Rules, SigV4Error, SignedRequest};
use model::{AccountId, Region, Timestamp};
use policy::Principal;

use super::{
    Arrival, Caller, Who,
    keys::{self, Known, Presented},
};
use crate::{control::Control, error::OperationError, options::AuthMode, source::Source};

/// Characters of a user agent that conditions see.
const USER_AGENT_MAX: usize = 512;

/// A request, and how it came.
pub(crate) struct Arriving<'a> {
    /// What its signature covers.
    pub(crate) request: SignedRequest<'a>,
    /// What its signature must be.
    pub(crate) rules: Rules,
    /// The other end of the connection.
    pub(crate) source: &'a Source,
    /// Whether it was on no wire in clear.
    pub(crate) secure: bool,
    /// When it came.
    pub(crate) now: Timestamp,
}

/// Refuses a request that [`authenticate`] would refuse whatever its body is, before the body is read.
pub(crate) fn precheck(
    mode: &AuthMode,
    control: &Control,
    head: &http::request::Parts,
    now: Timestamp,
) -> Result<(), OperationError> {
    let AuthMode::SigV4(ring) = mode else {
        return Ok(());
    };
    let query = head.uri.query().unwrap_or_default();
    let scope = sigv4::scope_of(&head.headers, query).ok_or(SigV4Error::Missing)?;
    let token = sigv4::token_of(&head.headers, query);
    let presented = Presented {
        id: &scope.access_key_id,
        token: token.as_deref(),
        now,
    };
    if keys::is_known(ring, control, &presented)? {
        Ok(())
    } else {
        Err(SigV4Error::UnknownAccessKey.into())
    }
}

/// Finds out who sent a request.
pub(crate) fn authenticate(
    mode: &AuthMode,
    control: &Control,
    cluster_region: &Region,
    arriving: &Arriving<'_>,
) -> Result<Caller, OperationError> {
    let Arriving {
        request,
        rules,
        now,
        ..
    } = arriving;
    let presented = sigv4::scope_of(request.headers, request.query);
    let (identity, known) = match mode {
        AuthMode::Open { account } => {
            return Ok(open(*account, cluster_region, arriving, presented));
        }
        AuthMode::SigV4(ring) => {
            let presented = presented.ok_or(SigV4Error::Missing)?;
            let token = sigv4::token_of(request.headers, request.query);
            let key = Presented {
                id: &presented.access_key_id,
                token: token.as_deref(),
                now: *now,
            };
            let known = keys::find(ring, control, &key)?;
            let known = known.ok_or(SigV4Error::UnknownAccessKey)?;
            // What is verified is the key that was looked up, or nothing.
            let credential =
                |id: &str| (id == presented.access_key_id).then(|| known.credential.clone());
            let identity = sigv4::verify(request, rules, *now, credential)?;
            (identity, known)
        }
    };
    let Known { principal, who, .. } = known;
    Ok(Caller {
        account: identity.account,
        region: identity.region,
        access_key: identity.access_key_id,
        call_id: call_id(request.headers),
        principal,
        who,
        arrival: arrival(arriving),
    })
}

/// The id of a call, if it is one that an SDK would make: a UUID.
fn call_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("amz-sdk-invocation-id")?.to_str().ok()?;
    (id.len() == 36).then(|| id.to_owned())
}

fn arrival(arriving: &Arriving<'_>) -> Arrival {
    let agent = arriving.request.headers.get(USER_AGENT);
    let agent = agent.and_then(|agent| agent.to_str().ok());
    Arrival {
        at: arriving.now,
        source: arriving.source.ip().map(|ip| ip.to_canonical()),
        secure: arriving.secure,
        user_agent: agent.map(|agent| agent.chars().take(USER_AGENT_MAX).collect()),
    }
}

fn open(
    default: AccountId,
    region: &Region,
    arriving: &Arriving<'_>,
    presented: Option<sigv4::CredentialScope>,
) -> Caller {
    let headers = arriving.request.headers;
    // Code that runs here signs with the credentials of its role: what it makes should be where it is.
    let of_session = || {
        let token = sigv4::token_of(headers, arriving.request.query)?;
        Some(catalog::unproven_session(&token)?.role.account())
    };
    let (account, region, access_key) = match presented {
        Some(scope) => (
            (scope.access_key_id.parse().ok())
                .or_else(of_session)
                .unwrap_or(default),
            scope.region,
            scope.access_key_id,
        ),
        None => (default, region.clone(), String::new()),
    };
    Caller {
        account,
        region,
        access_key,
        call_id: call_id(headers),
        principal: Principal::root(account),
        who: Who::Operator,
        arrival: arrival(arriving),
    }
}
