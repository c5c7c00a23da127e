//! The operations on capacity providers: `/2025-11-30/capacity-providers`. They are records for clients that manage them:
//! no instance is ever started, which their state says.

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    page::{FunctionKey, Page},
    request::capacity_provider::{
        CreateCapacityProvider, ListCapacityProviders, ListFunctionVersionsByCapacityProvider,
        UpdateCapacityProvider,
    },
    response::{
        CAPACITY_STATE, CapacityProviderAnswer, CapacityProviderItem, CapacityProviders,
        CapacityVersion, CapacityVersions, to_body,
    },
};
use model::{
    CapacityProvider, CapacityProviderId, Mutation, capacity_provider::CapacityChange,
    mutation::Changed,
};

use super::Workbench;
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn create(
    bench: &Workbench,
    authorized: Authorized<CreateCapacityProvider>,
) -> Result<Arc<CapacityProvider>, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    provider(changed, Operation::CreateCapacityProvider)
}

pub(crate) async fn update(
    bench: &Workbench,
    authorized: Authorized<UpdateCapacityProvider>,
) -> Result<Arc<CapacityProvider>, OperationError> {
    let (request, grant) = authorized.take();
    let changed = bench.control.change(&grant, request.into()).await?;
    provider(changed, Operation::UpdateCapacityProvider)
}

pub(crate) async fn delete(
    bench: &Workbench,
    authorized: Authorized<CapacityProviderId>,
) -> Result<Arc<CapacityProvider>, OperationError> {
    let (id, grant) = authorized.take();
    let mutation = Mutation::Capacity(Box::new(CapacityChange::Delete { id }));
    let changed = bench.control.change(&grant, mutation).await?;
    provider(changed, Operation::DeleteCapacityProvider)
}

pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<CapacityProviderId>,
) -> Result<Arc<CapacityProvider>, OperationError> {
    let (id, _) = authorized.take();
    let found = bench
        .control
        .read(|catalog| catalog.capacity_provider(&id).cloned());
    Ok(found
        .await?
        .ok_or_else(|| ApiError::capacity_provider_not_found(&id))?)
}

pub(crate) async fn list(
    bench: &Workbench,
    authorized: Authorized<ListCapacityProviders>,
) -> Result<Page<Arc<CapacityProvider>>, OperationError> {
    let (request, grant) = authorized.take();
    let caller = grant.caller();
    let wanted = request.state.is_none_or(|state| state == CAPACITY_STATE);
    let page = request.page;
    let listed = bench.control.read(|catalog| {
        let all = catalog.capacity_providers(caller.account, &caller.region, page.after.as_ref());
        page.cut(all.filter(|_| wanted).cloned(), |p| p.id.name.clone())
    });
    listed.await
}

pub(crate) async fn versions(
    bench: &Workbench,
    authorized: Authorized<ListFunctionVersionsByCapacityProvider>,
) -> Result<CapacityVersions, OperationError> {
    let (request, _) = authorized.take();
    let listed = bench.control.read(|catalog| {
        catalog.capacity_provider(&request.id)?;
        let versions = catalog.versions_of_capacity_provider(&request.id);
        Some(request.page.cut(versions.cloned(), |version| FunctionKey {
            name: version.id.function.name.clone(),
            version: version.id.version,
        }))
    });
    let page = listed
        .await?
        .ok_or_else(|| ApiError::capacity_provider_not_found(&request.id))?;
    let page = page.map(|version| CapacityVersion::new(&version));
    Ok(CapacityVersions::new(&request.id, page))
}

fn provider(
    changed: Changed,
    operation: Operation,
) -> Result<Arc<CapacityProvider>, OperationError> {
    match changed {
        Changed::Capacity(provider) => Ok(provider),
        _ => Err(OperationError::WrongAnswer {
            operation: operation.name(),
        }),
    }
}

/// The answer of an operation that shows one provider.
pub(crate) fn answer(operation: Operation, provider: &CapacityProvider) -> Answer {
    let shape = match operation {
        Operation::DeleteCapacityProvider => CapacityProviderAnswer::deleted(provider),
        _ => CapacityProviderAnswer::new(provider),
    };
    Answer::json(operation.success(), to_body(&shape))
}

pub(crate) fn answer_list(page: Page<Arc<CapacityProvider>>) -> Answer {
    let shape = CapacityProviders::from(page.map(|provider| CapacityProviderItem::new(&provider)));
    Answer::json(Operation::ListCapacityProviders.success(), to_body(&shape))
}

pub(crate) fn answer_versions(versions: &CapacityVersions) -> Answer {
    let operation = Operation::ListFunctionVersionsByCapacityProvider;
    Answer::json(operation.success(), to_body(versions))
}
