//! `GET /2016-08-19/account-settings`: the limits of the account and what the account uses in this region.

use lambda_api::{
    Operation,
    response::{AccountSettings, Usage, to_body},
};
use model::Limits;

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: &Authorized<()>,
) -> Result<Usage, OperationError> {
    let caller = authorized.caller();
    let usage = bench
        .control
        .read(|catalog| catalog.usage(caller.account, &caller.region))
        .await?;
    Ok(Usage {
        code_bytes: usage.code,
        functions: usage.functions,
        reserved_concurrency: u32::try_from(usage.reserved).unwrap_or(u32::MAX),
    })
}

pub(crate) fn answer(limits: &Limits, usage: Usage) -> Answer {
    let shape = AccountSettings::new(limits, usage);
    Answer::json(Operation::GetAccountSettings.success(), to_body(&shape))
}
