//! How many environments a version has on a capacity provider.

use std::sync::Arc;

use lambda_api::{
    Operation,
    request::setting::Configure,
    response::{FunctionScalingConfig, ScalingState, to_body},
    target::Target,
};
use model::{
    FunctionArn, Setting, SettingKind,
    function::FunctionVersion,
    setting::{Scaling, place},
};

use super::{Workbench, configure};
use crate::{auth::Authorized, error::OperationError, operations::versions, respond::Answer};

/// `PUT /2025-11-30/functions/{name}/function-scaling-config`: what the version is like now.
pub(crate) async fn put(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<Arc<FunctionVersion>, OperationError> {
    let (request, grant) = authorized.take();
    let target = request.target.clone();
    configure(bench, grant.of(request)).await?;
    let found = bench
        .control
        .read(|catalog| versions::find(catalog, &target).map(|(_, version)| version));
    Ok(found.await??)
}

/// `GET /2025-11-30/functions/{name}/function-scaling-config`
pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<(FunctionArn, Option<Scaling>), OperationError> {
    let (target, _) = authorized.take();
    let found = bench.control.read(|catalog| {
        let entry = super::find(catalog, &target)?;
        let place = place(target.qualifier.clone());
        let setting = entry.setting(SettingKind::Scaling, place.as_ref());
        Ok::<_, OperationError>(match setting.map(|s| &**s) {
            Some(Setting::Scaling(scaling)) => Some(*scaling),
            _ => None,
        })
    });
    let scaling = found.await??;
    Ok((target.arn(), scaling))
}

pub(crate) fn answer_state(version: &FunctionVersion) -> Answer {
    let shape = ScalingState::new(&version.state);
    Answer::json(
        Operation::PutFunctionScalingConfig.success(),
        to_body(&shape),
    )
}

pub(crate) fn answer((version, scaling): &(FunctionArn, Option<Scaling>)) -> Answer {
    let shape = FunctionScalingConfig::new(version, *scaling);
    Answer::json(
        Operation::GetFunctionScalingConfig.success(),
        to_body(&shape),
    )
}
