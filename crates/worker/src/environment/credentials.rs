//! The credentials of the role that code in an environment acts as.
//!
//! An invocation brings the key of its function's role (ADR 12); with it the worker issues sessions by itself. Most
//! environments get one session for their whole life, among their variables. One that is started from a snapshot would
//! share such variables with others: it gets an address to ask for them and a token of its own, and is told new ones in
//! time. None of it is ever logged, and nothing here has `Debug`.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use host::{Clock, Entropy};
use model::{
    Digest, FunctionArn, Timestamp, Version,
    function::FunctionVersion,
    iam::{AccessKeyId, RoleArn, Session, SessionName},
};
use parking_lot::Mutex;
use prost::Message as _;
use proto::internal as pb;
use seal::{RoleKey, SessionCredentials};

/// What credentials among variables must be good for when their environment is given an invocation: more than any may take.
const LEFT_AT_LEAST: Duration = Duration::from_secs(3600);
/// What credentials that are asked for are good for at least, if there was an invocation in their time.
const RENEWED_BEFORE: Duration = Duration::from_secs(900);

/// How an environment gets credentials.
pub(crate) enum Credentials {
    /// There is no key for its role.
    None,
    /// Among its variables.
    Variables(Issued),
    /// At an address that it is told.
    Endpoint(Arc<Endpoint>),
}

/// A session, and what belongs to it.
pub(crate) struct Issued {
    pub(crate) access_key: AccessKeyId,
    pub(crate) credentials: SessionCredentials,
    expires: Timestamp,
}

/// What issues the sessions of one environment.
struct Issuer {
    role: RoleArn,
    name: SessionName,
    function: FunctionArn,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// Credentials for whoever asks with the right token.
pub(crate) struct Endpoint {
    issuer: Issuer,
    token: String,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The newest that an invocation brought.
    key: Option<Arc<RoleKey>>,
    issued: Option<Issued>,
}

impl Credentials {
    /// Those of a new environment of this version.
    pub(crate) fn new(
        version: &FunctionVersion,
        key: Option<&Arc<RoleKey>>,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Self {
        let Some(issuer) = Issuer::of(version, clock, entropy) else {
            return Self::None;
        };
        if is_from_snapshot(version) {
            return Self::Endpoint(Arc::new(Endpoint::new(issuer, key.cloned())));
        }
        key.map_or(Self::None, |key| Self::Variables(issuer.issue(key)))
    }

    /// Until when an environment that has them may be given invocations; `None`: for as long as it lives.
    pub(crate) fn good_until(&self) -> Option<Timestamp> {
        let Self::Variables(issued) = self else {
            return None;
        };
        let left = u64::try_from(LEFT_AT_LEAST.as_millis()).unwrap_or(u64::MAX);
        Some(Timestamp(issued.expires.as_millis().saturating_sub(left)))
    }

    /// What answers those who ask, if it is not the variables.
    pub(crate) const fn endpoint(&self) -> Option<&Arc<Endpoint>> {
        match self {
            Self::Endpoint(endpoint) => Some(endpoint),
            Self::None | Self::Variables(_) => None,
        }
    }
}

/// Whether environments of a version share a snapshot of their memory, and with it their variables.
fn is_from_snapshot(version: &FunctionVersion) -> bool {
    let optional = version.config.optional.as_ref();
    version.id.version != Version::Latest && optional.is_some_and(|o| o.snap_start)
}

impl Issuer {
    fn of(
        version: &FunctionVersion,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
    ) -> Option<Self> {
        let function = &version.id.function;
        Some(Self {
            role: version.config.role.parse().ok()?,
            name: function.name.as_str().parse().ok()?,
            function: function.arn(None),
            clock: clock.clone(),
            entropy: entropy.clone(),
        })
    }

    fn issue(&self, key: &RoleKey) -> Issued {
        let issued = key.hour().nearest(self.clock.wall());
        let session = Session {
            role: self.role.clone(),
            name: self.name.clone(),
            access_key: AccessKeyId::of_session(self.entropy.next_u128()),
            generation: key.generation(),
            hour: key.hour(),
            issued,
            expires: issued.plus(Session::LIFETIME_MAX),
            policy: None,
            function: Some(self.function.clone()),
        };
        let claims = pb::Session::from(&session).encode_to_vec();
        Issued {
            credentials: key.issue(&claims),
            access_key: session.access_key,
            expires: session.expires,
        }
    }
}

impl Endpoint {
    fn new(issuer: Issuer, key: Option<Arc<RoleKey>>) -> Self {
        let (one, other) = (issuer.entropy.next_u128(), issuer.entropy.next_u128());
        let state = State { key, issued: None };
        Self {
            issuer,
            token: format!("{one:032x}{other:032x}"),
            state: Mutex::new(state),
        }
    }

    /// What code inside must say to be answered.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// An invocation brought a key: what is issued next is issued with it.
    pub(crate) fn renew(&self, key: Arc<RoleKey>) {
        self.state.lock().key = Some(key);
    }

    fn current(&self) -> Option<Bytes> {
        let mut state = self.state.lock();
        let soon = self.issuer.clock.wall().plus(RENEWED_BEFORE);
        if state.issued.as_ref().is_none_or(|i| i.expires < soon) {
            let key = state.key.clone()?;
            state.issued = Some(self.issuer.issue(&key));
        }
        state.issued.as_ref().map(document)
    }
}

impl runtime_api::Credentials for Endpoint {
    fn document(&self, authorization: &[u8]) -> Option<Bytes> {
        // Compared by their digests: how long that takes tells nothing of the token.
        if Digest::of(authorization) != Digest::of(self.token.as_bytes()) {
            return None;
        }
        self.current()
    }
}

/// Ids, keys and tokens hold nothing that JSON would escape.
fn document(issued: &Issued) -> Bytes {
    let Issued {
        access_key,
        credentials,
        expires,
    } = issued;
    let (secret, token) = (credentials.secret_access_key(), credentials.session_token());
    let expires = expires.format("%Y-%m-%dT%H:%M:%SZ");
    format!(
        r#"{{"AccessKeyId":"{access_key}","SecretAccessKey":"{secret}","Token":"{token}","Expiration":"{expires}"}}"#
    )
    .into()
}

#[cfg(test)]
mod tests;
