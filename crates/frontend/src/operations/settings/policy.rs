//! Policies: who else may use a function, a version or an alias.

use lambda_api::{
    ApiError, Operation,
    request::setting::{AddPermission, Configure, PutResourcePolicy},
    response::{AddedPermission, Policy, to_body},
    target::Target,
};
use model::{
    Qualifier, RevisionId, Version,
    mutation::{Changed, Rejection},
    setting::{ResourcePolicy, place},
};
use state::FunctionEntry;

use super::{Workbench, configure, wrong_answer};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// `POST /2015-03-31/functions/{name}/policy`
pub(crate) async fn add(
    bench: &Workbench,
    authorized: Authorized<AddPermission>,
) -> Result<AddedPermission, OperationError> {
    let (request, grant) = authorized.take();
    configure(bench, grant.of(request.configure)).await?;
    Ok(AddedPermission::new(request.statement))
}

/// `DELETE /2015-03-31/functions/{name}/policy/{sid}`
pub(crate) async fn remove(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<(), OperationError> {
    match configure(bench, authorized).await {
        // Of a version or alias that is not there, AWS says it otherwise.
        Err(OperationError::Rejected(Rejection::FunctionNotFound(arn)))
            if arn.qualifier.is_none() =>
        {
            Err(ApiError::no_policy_of(&arn).into())
        }
        done => done.map(drop),
    }
}

/// `GET /2015-03-31/functions/{name}/policy` and `GET /2026-07-09/resource-policy/{arn}`
pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<Policy, OperationError> {
    let (target, _) = authorized.take();
    let found = bench.control.read(|catalog| {
        let missing = || ApiError::function_not_found(&target.function.arn(None));
        let entry = catalog.function(&target.function).ok_or_else(missing)?;
        let (policy, lock) = policy(entry, &target).ok_or_else(ApiError::nothing_there)?;
        Ok::<_, OperationError>(Policy::of(policy, lock))
    });
    found.await?
}

fn policy<'e>(
    entry: &'e FunctionEntry,
    target: &Target,
) -> Option<(&'e ResourcePolicy, RevisionId)> {
    let place = place(target.qualifier.clone());
    let lock = match &place {
        None => entry.versions.get(&Version::Latest)?.lock(),
        Some(Qualifier::Version(version)) => entry.versions.get(version)?.lock(),
        Some(Qualifier::Alias(name)) => entry.aliases.get(name)?.revision_id,
    };
    Some((entry.policy(place.as_ref())?, lock))
}

/// `PUT /2026-07-09/resource-policy/{arn}`
pub(crate) async fn put(
    bench: &Workbench,
    authorized: Authorized<PutResourcePolicy>,
) -> Result<Policy, OperationError> {
    let (request, grant) = authorized.take();
    match configure(bench, grant.of(request.configure)).await? {
        Changed::Lock(lock) => Ok(Policy::new(request.policy, lock)),
        _ => Err(wrong_answer(Operation::PutResourcePolicy)),
    }
}

/// `DELETE /2026-07-09/resource-policy/{arn}`
pub(crate) async fn delete(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<(), OperationError> {
    configure(bench, authorized).await.map(drop)
}

pub(crate) fn answer_added(shape: &AddedPermission) -> Answer {
    Answer::json(Operation::AddPermission.success(), to_body(shape))
}

pub(crate) fn answer(operation: Operation, shape: &Policy) -> Answer {
    Answer::json(operation.success(), to_body(shape))
}
