//! What an invocation brings along for the credentials of its function.

use std::sync::atomic::{AtomicBool, Ordering};

use catalog::SecretError;
use model::{
    FunctionId,
    iam::{Hour, RoleArn},
};
use seal::RoleKey;

use crate::{Resolved, Router};

/// Why an environment of a function will have no credentials.
#[derive(Debug, thiserror::Error)]
enum NoRoleKey {
    #[error("its role is not the ARN of a role")]
    NoRole,
    #[error("its role belongs to another account")]
    OtherAccount,
    #[error(
        "its account has no data key yet; the next change of a function of the account makes one"
    )]
    NoDataKey,
    #[error(transparent)]
    Secret(#[from] SecretError),
}

/// Whether this node has said already that functions go without credentials.
#[derive(Default)]
pub(crate) struct Told(AtomicBool);

impl Router {
    /// The key of the function's role in this hour, for the worker that may be this role. A function runs without: what is
    /// missing is a matter of its calls, not of the invocation.
    pub(super) fn role_key(&self, resolved: &Resolved) -> Option<RoleKey> {
        let function = &resolved.version.id.function;
        match self.find_role_key(function, &resolved.version.config.role) {
            Ok(key) => Some(key),
            Err(error) => {
                self.shared.told.say(function, &error);
                None
            }
        }
    }

    fn find_role_key(&self, function: &FunctionId, role: &str) -> Result<RoleKey, NoRoleKey> {
        let role: RoleArn = role.parse().map_err(|_| NoRoleKey::NoRole)?;
        if role.account() != function.account {
            return Err(NoRoleKey::OtherAccount);
        }
        let hour = Hour::of(self.shared.clock.wall());
        let key = self.shared.keys.role_key(&role, hour)?;
        key.ok_or(NoRoleKey::NoDataKey)
    }
}

impl Told {
    fn say(&self, function: &FunctionId, error: &NoRoleKey) {
        let (account, function) = (function.account, &function.name);
        if self.0.swap(true, Ordering::Relaxed) {
            tracing::debug!(%account, %function, %error, "a function has no credentials");
        } else {
            tracing::warn!(%account, %function, %error, "a function has no credentials; others are told at debug level");
        }
    }
}
