//! Who calls, and the proof that they may.
//!
//! [`authenticate`] turns a signature into a [`Caller`]: by a key of the node's configuration, which is the root of its
//! account, or by a key of the catalog, which is the root's or a user's. [`authorize`] turns a caller and a parsed request
//! into an [`Authorized`], which nothing else can make and every operation demands: every [`lambda_api::Demand`] of the
//! request is held against the policies of the caller and of the function. [`permit`] does the same for one action, where
//! there is no operation of Lambda's API, [`authorize_on`] for a request of another service, [`permit_role`] for somebody who wants to be a role, and [`check_execution_role`] for
//! Lambda, which wants to be the role of a function.
//!
//! Nothing here waits: keys, users and policies are read from the local copy of the catalog, as an invocation is (ADR 1). What
//! was changed a moment ago through another frontend may count a moment later, as with IAM.

mod authenticate;
mod context;
mod decide;
mod documents;
mod execution_role;
mod granted;
mod keys;

use std::{fmt, net::IpAddr, sync::Arc};

use lambda_api::Scope;
use model::{
    AccountId, Region, Timestamp,
    iam::{EntityName, Session},
};
use policy::Principal;

pub(crate) use authenticate::{Arriving, authenticate, precheck};
pub(crate) use decide::{authorize, authorize_on, permit, permit_role};
pub(crate) use documents::Documents;
pub(crate) use execution_role::check_execution_role;

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The account that they act in.
    pub(crate) account: AccountId,
    /// The region that the request was sent to.
    pub(crate) region: Region,
    /// The access key; empty for an anonymous caller of an open cluster.
    pub(crate) access_key: String,
    /// What an SDK calls all attempts of one call (`amz-sdk-invocation-id`).
    pub(crate) call_id: Option<String>,
    /// Who they are to policies.
    pub(crate) principal: Principal,
    /// Who they are to us.
    pub(crate) who: Who,
    /// How their request came.
    pub(crate) arrival: Arrival,
}

/// Whose the key is that a request was signed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// That of a node's configuration: the root of its account, who may also act on accounts.
    Operator,
    /// The root of its account.
    Root,
    /// A user.
    User {
        /// Their name.
        name: EntityName,
        /// An id that no other user ever has.
        unique_id: String,
    },
    /// Somebody who is a role for a while, a function above all.
    Session(Arc<Session>),
}

/// What conditions may ask of how a request came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// When.
    pub(crate) at: Timestamp,
    /// The address at the other end of the connection; code in an environment has none.
    pub(crate) source: Option<IpAddr>,
    /// Whether it was on no wire in clear.
    pub(crate) secure: bool,
    /// What the caller's client calls itself.
    pub(crate) user_agent: Option<String>,
}

/// A request that its caller may make. Only [`authorize`] and what follows from its answer make one.
#[derive(Debug)]
pub(crate) struct Authorized<T> {
    caller: Caller,
    request: T,
}

/// The proof of an [`Authorized`] whose request was taken out, to be put on a part of it.
#[derive(Debug)]
pub(crate) struct Grant(Caller);

impl Caller {
    /// What an unqualified name of theirs means.
    pub(crate) fn scope(&self) -> Scope {
        Scope {
            account: self.account,
            region: self.region.clone(),
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.access_key)
    }
}

impl<T> Authorized<T> {
    pub(crate) fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Takes the request out.
    pub(crate) fn take(self) -> (T, Grant) {
        (self.request, Grant(self.caller))
    }
}

impl Grant {
    pub(crate) const fn caller(&self) -> &Caller {
        &self.0
    }

    /// The proof for what the request was made of.
    pub(crate) fn of<T>(self, request: T) -> Authorized<T> {
        Authorized {
            caller: self.0,
            request,
        }
    }
}

#[cfg(test)]
pub(crate) mod testing;
