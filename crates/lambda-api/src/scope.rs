//! Whose functions a request speaks about when it does not say so itself.

use model::{AccountId, FunctionId, FunctionName, Region};

/// The account of the caller and the region that the request was signed for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The caller's account.
    pub account: AccountId,
    /// The region.
    pub region: Region,
}

impl Scope {
    /// The function of this name in this scope.
    #[must_use]
    pub fn function(&self, name: FunctionName) -> FunctionId {
        FunctionId {
            account: self.account,
            region: self.region.clone(),
            name,
        }
    }
}
