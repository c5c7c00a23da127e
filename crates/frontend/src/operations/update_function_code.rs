//! `PUT /2015-03-31/functions/{name}/code`: gives `$LATEST` new code, or says what that would give.

use std::sync::Arc;

use lambda_api::{
    ApiError, Operation,
    request::{code::Source, update_function_code::UpdateFunctionCode},
};
use model::{
    function::{Code, FunctionVersion, LastUpdate, State},
    mutation::Rejection,
};

use super::{
    Shown, Workbench,
    deployment::{self, Package, Stored},
    images, versions,
};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<UpdateFunctionCode>,
) -> Result<Shown, OperationError> {
    let (mut request, grant) = authorized.take();
    let package = match &mut request.source {
        Source::Image(uri) => {
            let known = bench.control.glance(|catalog| {
                let latest = catalog.function(&request.function)?.latest()?;
                let config = &latest.config;
                Some((config.architecture, config.image().is_some()))
            });
            if let Some((_, false)) = known {
                return Err(Rejection::WrongPackage { image: false }.into());
            }
            let architecture = request.architecture.or(known.map(|(of, _)| of));
            let architecture = architecture.unwrap_or_default();
            Prepared::Image(images::resolve(bench, uri, architecture).await?)
        }
        Source::Archive(archive) => {
            let package = deployment::inspect(bench, grant.caller(), archive.take()).await?;
            check_size(bench, &request, &package.code)?;
            Prepared::Package(package)
        }
    };
    if request.dry_run {
        return dry_run(bench, &request, package.code()).await;
    }
    let Stored { code, object } = match package {
        Prepared::Image(code) => Stored { code, object: None },
        Prepared::Package(package) => deployment::store(bench, grant.caller(), package).await?,
    };
    let mutation = request.into_mutation(code, object);
    let changed = bench.control.change(&grant, mutation).await?;
    let version = versions::changed(changed, Operation::UpdateFunctionCode)?;
    Ok(Shown::published(bench, version))
}

/// What an update brings, before anything of it is stored.
enum Prepared {
    Image(Code),
    Package(Package),
}

impl Prepared {
    const fn code(&self) -> Code {
        match self {
            Self::Image(code) => *code,
            Self::Package(package) => package.code,
        }
    }
}

/// Together with the layers that the function has, by the local copy: the limit is soft by what is under way.
fn check_size(
    bench: &Workbench,
    request: &UpdateFunctionCode,
    code: &Code,
) -> Result<(), ApiError> {
    let limits = bench.limits_of(request.function.account);
    bench.control.glance(|catalog| {
        let entry = catalog.function(&request.function);
        let latest = entry.and_then(|e| e.latest());
        let layers = latest.map_or(&[][..], |v| v.config.layers());
        deployment::check_size(&limits, code, layers)
    })
}

/// What the update would give, and every refusal that it would meet.
async fn dry_run(
    bench: &Workbench,
    request: &UpdateFunctionCode,
    code: Code,
) -> Result<Shown, OperationError> {
    let arn = request.function.arn(None);
    let latest = bench.control.read(|catalog| {
        let entry = catalog.function(&request.function);
        entry.and_then(|e| e.latest().cloned())
    });
    let latest = latest
        .await?
        .ok_or_else(|| ApiError::function_not_found(&arn))?;
    if request
        .expected
        .is_some_and(|revision| revision != latest.lock())
    {
        return Err(Rejection::RevisionMismatch { alias: false }.into());
    }
    if latest.state == State::Pending {
        return Err(Rejection::Pending(arn).into());
    }
    if latest.last_update == Some(LastUpdate::InProgress) {
        return Err(Rejection::UpdateInProgress(arn).into());
    }
    let is_image = latest.config.image().is_some();
    let by_image = matches!(request.source, Source::Image(_));
    if is_image != by_image {
        return Err(Rejection::WrongPackage { image: is_image }.into());
    }
    let mut updated = FunctionVersion {
        code,
        ..(*latest).clone()
    };
    updated.config.architecture = request.architecture.unwrap_or(updated.config.architecture);
    Ok(Shown::bare(bench, Arc::new(updated)))
}

pub(crate) fn answer(updated: &Shown) -> Answer {
    updated.answer(Operation::UpdateFunctionCode)
}
