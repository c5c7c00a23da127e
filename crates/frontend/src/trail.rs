//! What a call leaves in the audit log.
//!
//! A [`Trail`] begins before a call is looked at and ends before it is answered; in between whoever learns something of the
//! call notes it there. A call that cannot be recorded is refused before it does anything. A trail that is dropped was left by
//! a caller who went away, and is recorded as that: what they asked for may have been done.
//!
//! What is promised: a call of somebody we know that changes something is answered after its record is on disk. All others
//! are answered once their record waits to be written, which it is within a moment.

mod parameters;

use std::sync::Arc;

use audit::{Api, Call, Event, Outcome, Place, Recorder, Unrecorded, clipped};
use http::{HeaderMap, header::USER_AGENT};
use lambda_api::{Operation, Request, logs, page::PageRequest, sigv4, sts};
use model::{
    AccountId, RequestId,
    iam::{AccessKeyId, Change, EntityId, EntityName},
};
use parking_lot::Mutex;
use tokio::time::Instant;

use crate::{auth::Caller, identity::Action, source::Source};

use parameters::{Parameters, identity};

/// Characters that are kept of what a caller writes.
const TEXT_MAX: usize = 256;

/// The audit log, as the public edges see it.
pub(crate) struct AuditLog {
    pub(crate) recorder: Recorder,
    /// Whether invocations are recorded.
    pub(crate) invocations: bool,
}

/// A call that has just come.
pub(crate) struct Arrival<'a> {
    pub(crate) request_id: RequestId,
    pub(crate) api: Api,
    pub(crate) asked: Asked,
    pub(crate) source: &'a Source,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) query: &'a str,
    /// The function as the path names it.
    pub(crate) target: Option<&'a str>,
}

/// What a call asks for, before it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An operation of the API.
    Operation(Operation),
    /// Something of the service that keeps identities.
    Identity(Action),
    /// Something of the service that tells who is who, once it is known what.
    Token(Option<sts::Action>),
    /// What functions have printed, once it is known how.
    Logs(Option<logs::Operation>),
    /// Code, by a URL that we signed.
    Code,
    /// What there is not.
    Unknown,
}

/// The record of one call, as far as it is known. Clones are of the same one. Empty for a call that leaves no record.
#[derive(Clone, Default)]
pub(crate) struct Trail(Option<Arc<Mutex<Open>>>);

struct Open {
    /// Taken when the trail ends.
    place: Option<Place>,
    call: Call,
    changes: bool,
    known: bool,
    began: Instant,
}

impl Asked {
    fn name(self) -> &'static str {
        match self {
            Self::Operation(operation) => operation.name(),
            Self::Identity(action) => action.name(),
            Self::Token(Some(sts::Action::GetCallerIdentity)) => "sts:GetCallerIdentity",
            Self::Token(Some(sts::Action::AssumeRole)) => "sts:AssumeRole",
            Self::Token(None) => "sts:Unknown",
            Self::Logs(operation) => operation.map_or("logs:Unknown", logs::Operation::action),
            Self::Code => "DownloadCode",
            Self::Unknown => "Unknown",
        }
    }

    fn is_invocation(self) -> bool {
        match self {
            Self::Operation(operation) => operation.is_invocation(),
            Self::Identity(_) | Self::Token(_) | Self::Logs(_) | Self::Code | Self::Unknown => {
                false
            }
        }
    }

    /// Whether its record must be on disk before it is answered.
    fn changes(self) -> bool {
        match self {
            Self::Operation(operation) => operation.is_mutation(),
            Self::Identity(action) => action.is_change(),
            // It changes nothing, and makes somebody somebody.
            Self::Token(action) => action == Some(sts::Action::AssumeRole),
            Self::Logs(_) | Self::Code | Self::Unknown => false,
        }
    }
}

impl AuditLog {
    /// Begins the record of a call.
    ///
    /// # Errors
    /// [`Unrecorded`]: it must be refused.
    pub(crate) fn begin(&self, arrival: &Arrival<'_>) -> Result<Trail, Unrecorded> {
        if arrival.asked.is_invocation() && !self.invocations {
            return Ok(Trail::default());
        }
        let agent = arrival.headers.get(USER_AGENT);
        let presented = sigv4::scope_of(arrival.headers, arrival.query);
        let call = Call {
            request_id: arrival.request_id.to_string(),
            api: arrival.api,
            operation: arrival.asked.name().to_owned(),
            account: None,
            caller: None,
            principal: None,
            access_key: presented.map(|scope| clipped(&scope.access_key_id, TEXT_MAX)),
            source: arrival.source.to_string(),
            user_agent: agent.map(|a| clipped(&String::from_utf8_lossy(a.as_bytes()), TEXT_MAX)),
            region: None,
            target: arrival.target.map(|target| clipped(target, TEXT_MAX)),
            resource: None,
            parameters: Default::default(),
            outcome: Outcome::Abandoned,
            status: None,
            error: None,
            took_ms: 0,
        };
        let open = Open {
            place: Some(self.recorder.admit()?),
            call,
            changes: arrival.asked.changes(),
            known: false,
            began: Instant::now(),
        };
        Ok(Trail(Some(Arc::new(Mutex::new(open)))))
    }
}

impl Trail {
    /// Notes who calls, once that is proven.
    pub(crate) fn known(&self, caller: &Caller) {
        self.note(|open| {
            open.known = true;
            open.call.account = Some(caller.account.to_string());
            open.call.caller = Some(clipped(&caller.to_string(), TEXT_MAX));
            open.call.principal = caller.principal.arn().map(str::to_owned);
            open.call.region = Some(caller.region.to_string());
        });
    }

    /// Notes what a call asks for that is known by its body alone.
    pub(crate) fn is(&self, asked: Asked) {
        self.note(|open| {
            asked.name().clone_into(&mut open.call.operation);
            open.changes = asked.changes();
        });
    }

    /// Notes which role somebody wants to be.
    pub(crate) fn assumes(&self, wanted: &sts::AssumeRole) {
        self.note(|open| {
            open.call.resource = Some(wanted.role.to_string());
            open.call.parameters = identity::of_session(wanted);
        });
    }

    /// Notes the function as the caller names it.
    pub(crate) fn target(&self, name: Option<&str>) {
        self.note(|open| open.call.target = name.map(|name| clipped(name, TEXT_MAX)));
    }

    /// Notes what is asked for.
    pub(crate) fn asked(&self, request: &Request) {
        self.note(|open| {
            open.call.resource = request.resource().map(|arn| arn.to_string());
            open.call.parameters = parameters::of(request);
        });
    }

    /// Notes a change to identities that is asked for.
    pub(crate) fn change(&self, change: &Change) {
        self.about(&change.about(), identity::of(change));
    }

    /// Notes which user, role, policy or account is asked for.
    pub(crate) fn identity(&self, id: &EntityId) {
        self.about(id, identity::of_one(id));
    }

    /// Notes which page of a list is asked for.
    pub(crate) fn page<K: ToString>(&self, page: &PageRequest<K>) {
        self.note(|open| open.call.parameters = identity::of_page(page));
    }

    /// Notes whose access keys are asked for.
    pub(crate) fn keys_of(&self, account: AccountId, user: Option<&EntityName>) {
        let about = match user {
            Some(user) => EntityId::User(account, user.clone()),
            None => EntityId::Account(account),
        };
        self.about(&about, identity::of_keys(user));
    }

    /// Notes the public half of an access key that is made.
    pub(crate) fn new_key(&self, id: &AccessKeyId) {
        self.note(|open| open.call.parameters.extend(identity::of_key(id)));
    }

    /// Notes the ARN of what is asked for.
    pub(crate) fn on(&self, arn: &str) {
        self.note(|open| open.call.resource = Some(arn.to_owned()));
    }

    fn about(&self, what: &EntityId, parameters: Parameters) {
        self.note(|open| {
            open.call.target = Some(what.to_string());
            open.call.parameters = parameters;
        });
    }

    /// Notes the package that came with a request.
    pub(crate) fn code(&self, zip: &[u8]) {
        self.note(|open| open.call.parameters.extend(parameters::of_code(zip)));
    }

    /// Notes a download of code by a URL that opens it: whoever holds it is known by nothing else.
    pub(crate) fn downloaded(&self, code: model::Digest) {
        self.note(|open| {
            open.known = true;
            let digest = code.to_base64().into();
            open.call.parameters.insert("CodeSha256", digest);
        });
    }

    /// Records how the call ends. `error` is the name of the error that the caller is about to be told.
    ///
    /// # Errors
    /// [`Unrecorded`]: they must be told that instead.
    pub(crate) async fn end(&self, status: u16, error: Option<&str>) -> Result<(), Unrecorded> {
        let Some(open) = &self.0 else {
            return Ok(());
        };
        let (durable, ended) = {
            let mut open = open.lock();
            open.call.outcome = match error {
                None => Outcome::Done,
                Some(_) => Outcome::Failed,
            };
            open.call.status = Some(status);
            open.call.error = error.map(str::to_owned);
            (open.known && open.changes, open.close())
        };
        match ended {
            None => Ok(()),
            Some((place, event)) if durable => place.write(event).await,
            Some((place, event)) => open.lock().leave(place, event),
        }
    }

    fn note(&self, note: impl FnOnce(&mut Open)) {
        if let Some(open) = &self.0 {
            note(&mut open.lock());
        }
    }
}

impl Open {
    /// The record, the first time.
    fn close(&mut self) -> Option<(Place, Event)> {
        let place = self.place.take()?;
        let took = self.began.elapsed().as_millis();
        self.call.took_ms = u64::try_from(took).unwrap_or(u64::MAX);
        Some((place, Event::Call(Box::new(self.call.clone()))))
    }

    fn leave(&self, place: Place, event: Event) -> Result<(), Unrecorded> {
        if self.known {
            place.leave(event)
        } else {
            place.leave_for_stranger(event)
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some((place, event)) = self.close()
            && let Err(error) = self.leave(place, event)
        {
            tracing::warn!(%error, "a call that its caller left is not in the audit log");
        }
    }
}

impl std::fmt::Debug for Trail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Trail")
    }
}
