//! Accounts, users, roles, policies and access keys: what callers can ask of them.
//!
//! A [`Desk`] serves one caller on one account. A change is made of what they wrote ([`parse`], [`document`]), says itself
//! what it demands ([`Demand`]), is noted in the audit log and held against the caller's policies, and is proposed. A look
//! demands something in the same way. Nothing here knows a wire: the gRPC edge brings and shows what stands here.
//!
//! Two things no policy gives: to act on another account than one's own, and to change accounts. Both are for the keys of a
//! node's configuration alone. And keys of an account's root are for the root and for those.

mod access_key;
mod action;
mod arn;
mod demand;
mod desk;
mod document;
mod error;
pub(crate) mod parse;
mod secret;

pub(crate) use access_key::{NewKey, key_of};
pub(crate) use action::Action;
pub(crate) use desk::{Desk, Listed, Permit};
pub(crate) use document::{identity_document, trust_document};
pub(crate) use error::IdentityError;
pub(crate) use secret::NewSecret;

use demand::{Demand, Subject};
