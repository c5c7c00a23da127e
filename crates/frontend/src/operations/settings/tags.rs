//! Tags. What carries them decides where they are kept.

use std::collections::BTreeMap;

use lambda_api::{
    ApiError, Operation,
    request::setting::tags::{TagResource, Tagged, UntagResource},
    response::{Tags, to_body},
};
use model::{
    CapacityProviderId, CodeSigningId, FunctionId, Mutation, SettingChange,
    capacity_provider::CapacityChange,
    code_signing::CodeSigningChange,
    mapping::{MappingChange, MappingId},
};
use state::Catalog;

use super::Workbench;
use crate::{
    auth::{Authorized, Caller},
    error::OperationError,
    respond::Answer,
};

/// `POST /2017-03-31/tags/{arn}`
pub(crate) async fn tag(
    bench: &Workbench,
    authorized: Authorized<TagResource>,
) -> Result<(), OperationError> {
    let (TagResource { resource, tags }, grant) = authorized.take();
    let mutation = match resource {
        Tagged::Function(function) => {
            let tags_max = narrowed(bench.limits_of(function.account).tags);
            configure(function, SettingChange::Tag { tags, tags_max })
        }
        other => retag(bench, grant.caller(), &other, tags, Vec::new())?,
    };
    bench.control.change(&grant, mutation).await.map(drop)
}

/// `DELETE /2017-03-31/tags/{arn}`
pub(crate) async fn untag(
    bench: &Workbench,
    authorized: Authorized<UntagResource>,
) -> Result<(), OperationError> {
    let (UntagResource { resource, keys }, grant) = authorized.take();
    let mutation = match resource {
        Tagged::Function(function) => configure(function, SettingChange::Untag { keys }),
        other => {
            let keys = keys.into_iter().collect();
            retag(bench, grant.caller(), &other, BTreeMap::new(), keys)?
        }
    };
    bench.control.change(&grant, mutation).await.map(drop)
}

/// `GET /2017-03-31/tags/{arn}`
pub(crate) async fn list(
    bench: &Workbench,
    authorized: Authorized<Tagged>,
) -> Result<BTreeMap<String, String>, OperationError> {
    let (resource, grant) = authorized.take();
    let caller = grant.caller();
    let found = bench
        .control
        .read(|catalog| tags_of(catalog, caller, &resource));
    Ok(found.await??)
}

fn tags_of(
    catalog: &Catalog,
    caller: &Caller,
    resource: &Tagged,
) -> Result<BTreeMap<String, String>, ApiError> {
    let tags = match resource {
        Tagged::Function(id) => catalog.function(id).map(|entry| &entry.tags),
        Tagged::EventSourceMapping(uuid) => {
            let mapping = catalog.mapping(&mapping(caller, uuid)?);
            mapping.map(|mapping| &mapping.tags)
        }
        Tagged::CodeSigningConfig(name) => {
            let config = catalog.code_signing(&code_signing(caller, name)?);
            config.map(|config| &config.tags)
        }
        Tagged::CapacityProvider(name) => {
            let provider = catalog.capacity_provider(&capacity_provider(caller, name)?);
            provider.map(|provider| &provider.tags)
        }
        Tagged::NetworkConnector(_) => None,
    };
    tags.cloned().ok_or_else(|| match resource {
        Tagged::Function(id) => ApiError::function_not_found(&id.arn(None)),
        _ => ApiError::nothing_there(),
    })
}

fn configure(function: FunctionId, change: SettingChange) -> Mutation {
    Mutation::Configure {
        function,
        qualifier: None,
        change: Box::new(change),
        expected: None,
    }
}

/// Tags of something that is no function.
fn retag(
    bench: &Workbench,
    caller: &Caller,
    resource: &Tagged,
    set: BTreeMap<String, String>,
    unset: Vec<String>,
) -> Result<Mutation, ApiError> {
    let limit = bench.limits_of(caller.account).tags;
    let at_most = narrowed(limit);
    Ok(match resource {
        Tagged::EventSourceMapping(uuid) => Mutation::UpdateEventSourceMapping {
            mapping: mapping(caller, uuid)?,
            change: Box::new(MappingChange::Tag {
                set,
                unset,
                at_most: limit,
            }),
        },
        Tagged::CodeSigningConfig(name) => {
            Mutation::CodeSigning(Box::new(CodeSigningChange::Tag {
                id: code_signing(caller, name)?,
                set,
                unset,
                at_most,
            }))
        }
        Tagged::CapacityProvider(name) => Mutation::Capacity(Box::new(CapacityChange::Tag {
            id: capacity_provider(caller, name)?,
            set,
            unset,
            at_most,
        })),
        // There are no network connectors in this cluster.
        Tagged::Function(_) | Tagged::NetworkConnector(_) => return Err(ApiError::nothing_there()),
    })
}

/// A limit as most changes carry it.
fn narrowed(limit: usize) -> u32 {
    u32::try_from(limit).unwrap_or(u32::MAX)
}

fn mapping(caller: &Caller, uuid: &str) -> Result<MappingId, ApiError> {
    Ok(MappingId {
        account: caller.account,
        region: caller.region.clone(),
        uuid: uuid.parse().map_err(|_| ApiError::nothing_there())?,
    })
}

fn code_signing(caller: &Caller, name: &str) -> Result<CodeSigningId, ApiError> {
    Ok(CodeSigningId {
        account: caller.account,
        region: caller.region.clone(),
        name: name.parse().map_err(|_| ApiError::nothing_there())?,
    })
}

fn capacity_provider(caller: &Caller, name: &str) -> Result<CapacityProviderId, ApiError> {
    Ok(CapacityProviderId {
        account: caller.account,
        region: caller.region.clone(),
        name: name.parse().map_err(|_| ApiError::nothing_there())?,
    })
}

pub(crate) fn answer(tags: BTreeMap<String, String>) -> Answer {
    Answer::json(Operation::ListTags.success(), to_body(&Tags::new(tags)))
}
