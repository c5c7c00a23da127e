//! When the runtime of a version is updated.

use lambda_api::{
    ApiError, Operation,
    request::setting::Configure,
    response::{RuntimeManagementConfig, runtime_version_arn, to_body},
    target::Target,
};
use model::{
    FunctionArn, Qualifier, Setting, SettingChange, SettingKind,
    setting::{RuntimeManagement, place},
};

use super::{Workbench, configure, wrong_answer};
use crate::{auth::Authorized, error::OperationError, operations::versions, respond::Answer};

/// A version, and when its runtime is updated.
#[derive(Debug)]
pub(crate) struct Managed {
    version: FunctionArn,
    management: RuntimeManagement,
}

/// `PUT /2021-07-20/functions/{name}/runtime-management-config`
pub(crate) async fn put(
    bench: &Workbench,
    authorized: Authorized<Configure>,
) -> Result<Managed, OperationError> {
    let (request, grant) = authorized.take();
    let SettingChange::ManageRuntime(management) = request.change.clone() else {
        return Err(wrong_answer(Operation::PutRuntimeManagementConfig));
    };
    if let RuntimeManagement::Manual(arn) = &management {
        check_available(bench, &request.target, arn).await?;
    }
    let target = request.target.clone();
    configure(bench, grant.of(request)).await?;
    Ok(Managed {
        version: qualified(&target),
        management,
    })
}

/// A cluster has one version of each runtime: nothing else can be chosen.
async fn check_available(
    bench: &Workbench,
    target: &Target,
    arn: &str,
) -> Result<(), OperationError> {
    let found = bench
        .control
        .read(|catalog| versions::find(catalog, target).map(|(_, version)| version));
    let version = found.await??;
    let known = runtime_version_arn(version.config.runtime, &target.function.region);
    if arn != known {
        return Err(ApiError::unknown_runtime_version(arn, &known).into());
    }
    Ok(())
}

/// `GET /2021-07-20/functions/{name}/runtime-management-config`
pub(crate) async fn get(
    bench: &Workbench,
    authorized: Authorized<Target>,
) -> Result<Managed, OperationError> {
    let (target, _) = authorized.take();
    let found = bench.control.read(|catalog| {
        let entry = super::find(catalog, &target)?;
        let place = place(target.qualifier.clone());
        let setting = entry.setting(SettingKind::RuntimeManagement, place.as_ref());
        Ok::<_, OperationError>(match setting.map(|s| &**s) {
            Some(Setting::RuntimeManagement(management)) => management.clone(),
            _ => RuntimeManagement::default(),
        })
    });
    Ok(Managed {
        management: found.await??,
        version: qualified(&target),
    })
}

/// The ARN of the version, also where the function itself was named.
fn qualified(target: &Target) -> FunctionArn {
    let latest = Qualifier::Version(model::Version::Latest);
    let qualifier = target.qualifier.clone().unwrap_or(latest);
    target.function.arn(Some(qualifier))
}

pub(crate) fn answer(operation: Operation, managed: &Managed) -> Answer {
    let shape = RuntimeManagementConfig::new(&managed.version, &managed.management);
    Answer::json(operation.success(), to_body(&shape))
}
