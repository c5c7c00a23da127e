//! Tags. What carries them decides where they are kept.

use std::collections::BTreeMap;

use lambda_api::{
    ApiError, Operation,
    request::setting::tags::{TagResource, Tagged, UntagResource},
    response::{Tags, to_body},
};
use model::{FunctionId, Mutation, SettingChange};

use super::Workbench;
use crate::{
    auth::{Authorized, Grant},
    error::OperationError,
    respond::Answer,
};

/// `POST /2017-03-31/tags/{arn}`
pub(crate) async fn tag(
    bench: &Workbench,
    authorized: Authorized<TagResource>,
) -> Result<(), OperationError> {
    let (TagResource { resource, tags }, grant) = authorized.take();
    match resource {
        Tagged::Function(function) => {
            let tags_max = u32::try_from(bench.limits.tags).unwrap_or(u32::MAX);
            change(
                bench,
                &grant,
                function,
                SettingChange::Tag { tags, tags_max },
            )
            .await
        }
        other => Err(absent(&other).into()),
    }
}

/// `DELETE /2017-03-31/tags/{arn}`
pub(crate) async fn untag(
    bench: &Workbench,
    authorized: Authorized<UntagResource>,
) -> Result<(), OperationError> {
    let (UntagResource { resource, keys }, grant) = authorized.take();
    match resource {
        Tagged::Function(function) => {
            change(bench, &grant, function, SettingChange::Untag { keys }).await
        }
        other => Err(absent(&other).into()),
    }
}

/// `GET /2017-03-31/tags/{arn}`
pub(crate) async fn list(
    bench: &Workbench,
    authorized: Authorized<Tagged>,
) -> Result<BTreeMap<String, String>, OperationError> {
    let (resource, _) = authorized.take();
    match resource {
        Tagged::Function(function) => {
            let found = bench
                .control
                .read(|catalog| catalog.function(&function).map(|entry| entry.tags.clone()));
            let missing = || ApiError::function_not_found(&function.arn(None));
            Ok(found.await?.ok_or_else(missing)?)
        }
        other => Err(absent(&other).into()),
    }
}

async fn change(
    bench: &Workbench,
    grant: &Grant,
    function: FunctionId,
    change: SettingChange,
) -> Result<(), OperationError> {
    let configure = Mutation::Configure {
        function,
        qualifier: None,
        change: Box::new(change),
        expected: None,
    };
    bench.control.change(grant, configure).await.map(drop)
}

/// Nothing of the other kinds exists in this cluster.
fn absent(resource: &Tagged) -> ApiError {
    match resource {
        Tagged::Function(id) => ApiError::function_not_found(&id.arn(None)),
        Tagged::EventSourceMapping(_)
        | Tagged::CodeSigningConfig(_)
        | Tagged::CapacityProvider(_)
        | Tagged::NetworkConnector(_) => ApiError::nothing_there(),
    }
}

pub(crate) fn answer(tags: BTreeMap<String, String>) -> Answer {
    Answer::json(Operation::ListTags.success(), to_body(&Tags::new(tags)))
}
