//! Callers for tests.

use super::*;

/// The root of an account, from nowhere in particular.
pub(crate) fn root(account: AccountId) -> Caller {
    Caller {
        account,
        region: Region::default(),
        access_key: "k".to_owned(),
        call_id: None,
        principal: Principal::root(account),
        who: Who::Root,
        arrival: Arrival {
            at: Timestamp(1_764_000_000_000),
            source: Some([127, 0, 0, 1].into()),
            secure: false,
            user_agent: None,
        },
    }
}
