//! IAM policy documents and their evaluation: who may do what.
//!
//! A [`Document`] is parsed once, where it is written, and everything in it that can be decided then is: patterns are
//! split into tokens, numbers, dates and networks are read, unknown members and operators are refused. [`evaluate`]
//! holds documents against a [`Request`] and says [`Decision::Allowed`], or which policy denied, or which kind of policy
//! was missing. A [`Permission`] is what Lambda's `AddPermission` makes a [`Statement`] from.
//!
//! It is *not* a store, and it knows no users, roles or groups: the caller finds the documents that apply to a principal
//! and brings them. It sets no condition keys either: `aws:PrincipalArn`, `aws:SourceIp` and all the others are in the
//! [`Context`] that the caller fills. It writes no sentence of AWS's error texts. Service and resource control policies,
//! access control lists and the sessions of `GetFederationToken` do not exist here.
//!
//! Invariants:
//! - An explicit deny wins, whatever policy it stands in.
//! - What no policy allows is not allowed; only the root of an account needs no policy, in its own account.
//! - A negated operator is exactly the negation of its positive form, a missing key and a missing variable included.
//! - The value of a variable is text: a `*` in it is not a wildcard, and a colon in it does not begin a segment.
//! - Evaluating allocates nothing, and its time is bounded by the product of the lengths of patterns and texts.
//! - `Display` of a document is compact JSON in AWS's order of members, and parses into an equal document.
//!
//! The rules are those of the AWS IAM User Guide; each item names the page that it follows. Where the guide is silent, the
//! item says what is done here.

mod condition;
mod context;
mod document;
mod error;
mod evaluate;
mod pattern;
mod permission;
mod principal;
mod statement;
mod subject;

pub use context::Context;
pub use document::{Document, Kind, Version};
pub use error::{DuplicateSid, InvalidDocument, InvalidPermission, InvalidPrincipal};
pub use evaluate::{Decision, Denial, Layer, Policies, Request, evaluate};
pub use permission::Permission;
pub use principal::Principal;
pub use statement::{Effect, Statement};
