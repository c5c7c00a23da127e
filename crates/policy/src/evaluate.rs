//! Whether a request is allowed.
//!
//! Pages *Policy evaluation logic*, *How AWS enforcement code logic evaluates requests to allow or deny access* and
//! *Cross-account policy evaluation logic*:
//!
//! 1. A statement that denies in any policy decides.
//! 2. Across accounts both sides must allow: the policy of the resource, and the policies of the principal (its own, its
//!    boundary, its session's). The root of an account needs no policy of its own.
//! 3. Within an account the root may do everything. For the others the policy of the resource counts as it names them:
//!    - themselves, or everybody: that is enough;
//!    - the role that their session is of: the boundary and the session's policies must allow too;
//!    - only their account, or not at all: their own policies must allow, the boundary and the session's too.
//! 4. Who has no account (a service, a federated or an anonymous caller) is allowed by the policy of the resource alone.
//!
//! The trust policy of a role stands in for the policy of a resource, and must allow even within an account, to the root
//! too: pages *Policy evaluation logic* ("IAM role trust policies and KMS key policies are exceptions") and *AWS JSON policy
//! elements: Principal*.

use std::{fmt, sync::Arc};

use model::AccountId;

use crate::{Context, Document, Effect, Kind, Principal, subject::Naming};

/// Somebody wants something.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// What, such as `lambda:InvokeFunction`.
    pub action: &'a str,
    /// On which resource, by its ARN.
    pub resource: &'a str,
    /// Whose resource it is; not every ARN says so.
    pub account: AccountId,
    /// What else is known.
    pub context: &'a Context,
}

/// The policies that apply to a request. Page *Policies and permissions in IAM*, "Policy types".
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// Those of the principal and of its groups.
    pub identity: &'a [Arc<Document>],
    /// The boundary of the user or role.
    pub boundary: Option<&'a Document>,
    /// Those that were passed for the session; without any, none limits it.
    pub session: &'a [Arc<Document>],
    /// That of the resource, or the trust policy of the role to be assumed.
    pub resource: Option<&'a Document>,
}

/// A kind of policy, as AWS's error texts name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Attached to the principal.
    Identity,
    /// The permissions boundary.
    Boundary,
    /// Passed for the session.
    Session,
    /// Attached to the resource.
    Resource,
    /// The trust policy of the role.
    Trust,
}

/// The answer. Page *Troubleshoot access denied error messages* has the sentences for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision<'a> {
    /// It may be done.
    Allowed,
    /// "With an explicit deny in …".
    Denied(Denial<'a>),
    /// "Because no … allows the … action".
    NotAllowed(Layer),
}

/// The statement that denied: the first one, in the order identity, boundary, session, resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Denial<'a> {
    /// The kind of policy.
    pub layer: Layer,
    /// Which of the policies of that kind, from 0.
    pub policy: usize,
    /// Which of its statements, from 0.
    pub statement: usize,
    /// The statement's id.
    pub sid: Option<&'a str>,
}

/// Decides whether a request is allowed.
///
/// A document of another [`Kind`] than its place asks for neither allows nor denies anything there: it is a mistake of
/// the caller.
#[must_use]
pub fn evaluate<'a>(request: &Request<'_>, policies: &Policies<'a>) -> Decision<'a> {
    match Findings::of(request, policies) {
        Err(denial) => Decision::Denied(denial),
        Ok(findings) => match findings.decide(request) {
            Ok(()) => Decision::Allowed,
            Err(layer) => Decision::NotAllowed(layer),
        },
    }
}

/// What the policies allow, if none denies.
struct Findings {
    identity: bool,
    boundary: bool,
    session: bool,
    resource: Option<Naming>,
    /// The policy that `resource` comes from.
    layer: Layer,
}

impl Findings {
    fn of<'a>(request: &Request<'_>, policies: &Policies<'a>) -> Result<Self, Denial<'a>> {
        let identity = own(Layer::Identity, documents(policies.identity), request)?;
        let boundary = own(Layer::Boundary, policies.boundary.into_iter(), request)?;
        let session = own(Layer::Session, documents(policies.session), request)?;
        let layer = match policies.resource.map(Document::kind) {
            Some(Kind::Trust) => Layer::Trust,
            Some(Kind::Resource | Kind::Identity) | None => Layer::Resource,
        };
        let bounded = policies.boundary.is_some();
        Ok(Self {
            identity,
            boundary: boundary || !bounded,
            session: session || policies.session.is_empty(),
            resource: match policies.resource {
                Some(document) => foreign(layer, document, request, bounded)?,
                None => None,
            },
            layer,
        })
    }

    fn decide(&self, request: &Request<'_>) -> Result<(), Layer> {
        let root = request.principal.is_root();
        let named = self.resource.ok_or(self.layer);
        match request.principal.account() {
            None => named.map(drop),
            Some(account) if account != request.account => {
                if !root {
                    self.own()?;
                }
                named.map(drop)
            }
            Some(_) if self.layer == Layer::Trust => match named? {
                Naming::Itself => Ok(()),
                Naming::Role => self.limits(),
                Naming::Account => self.own(),
            },
            Some(_) if root => Ok(()),
            Some(_) => match self.resource {
                Some(Naming::Itself) => Ok(()),
                Some(Naming::Role) => self.limits(),
                Some(Naming::Account) | None => self.own(),
            },
        }
    }

    /// The principal's own policies, within their limits.
    fn own(&self) -> Result<(), Layer> {
        if !self.identity {
            return Err(Layer::Identity);
        }
        self.limits()
    }

    fn limits(&self) -> Result<(), Layer> {
        if !self.boundary {
            return Err(Layer::Boundary);
        }
        if !self.session {
            return Err(Layer::Session);
        }
        Ok(())
    }
}

fn documents(shared: &[Arc<Document>]) -> impl Iterator<Item = &Document> {
    shared.iter().map(|document| &**document)
}

/// Whether any of the principal's policies allows.
fn own<'a>(
    layer: Layer,
    documents: impl Iterator<Item = &'a Document>,
    request: &Request<'_>,
) -> Result<bool, Denial<'a>> {
    let mut allowed = false;
    for (policy, document) in documents.enumerate() {
        debug_assert_eq!(document.kind(), Kind::Identity, "a policy of a principal");
        for (place, statement) in document.statements().iter().enumerate() {
            match statement.effect() {
                // One that allows is enough.
                Effect::Allow => allowed = allowed || statement.applies(request),
                Effect::Deny if statement.applies(request) => {
                    return Err(Denial {
                        layer,
                        policy,
                        statement: place,
                        sid: statement.sid(),
                    });
                }
                Effect::Deny => {}
            }
        }
    }
    Ok(allowed)
}

/// How the policy of a resource names the principal in what it allows, the strongest way.
fn foreign<'a>(
    layer: Layer,
    document: &'a Document,
    request: &Request<'_>,
    bounded: bool,
) -> Result<Option<Naming>, Denial<'a>> {
    debug_assert_ne!(document.kind(), Kind::Identity, "the policy of a resource");
    let mut allowed = None;
    for (place, statement) in document.statements().iter().enumerate() {
        match statement.effect() {
            Effect::Allow if allowed == Some(Naming::Itself) => {}
            Effect::Allow => allowed = allowed.max(statement.names(request, bounded)),
            Effect::Deny if statement.names(request, bounded).is_some() => {
                return Err(Denial {
                    layer,
                    policy: 0,
                    statement: place,
                    sid: statement.sid(),
                });
            }
            Effect::Deny => {}
        }
    }
    Ok(allowed)
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Identity => "identity-based policy",
            Self::Boundary => "permissions boundary",
            Self::Session => "session policy",
            Self::Resource => "resource-based policy",
            Self::Trust => "role trust policy",
        })
    }
}
