//! What happens to a deployment package before a change may name it.

use bytes::Bytes;
use lambda_api::ApiError;
use model::{AccountId, Digest, Region, function::Code};
use package::{PackageError, PackageLimits};

use super::Workbench;
use crate::{auth::Caller, error::OperationError};

/// Checks every byte of a package, on a thread of its own.
pub(super) async fn inspect(bench: &Workbench, zip: Vec<u8>) -> Result<Package, OperationError> {
    let limits = PackageLimits::from(&bench.limits);
    let inspected = bench.tasks.blocking(move || {
        package::inspect(&zip, &limits)?;
        let code = Code {
            digest: Digest::of(&zip),
            size: u64::try_from(zip.len()).unwrap_or(u64::MAX),
        };
        Ok::<_, PackageError>(Package {
            code,
            zip: zip.into(),
        })
    });
    Ok(inspected.await??)
}

/// A package that is acceptable.
pub(super) struct Package {
    pub(super) code: Code,
    zip: Bytes,
}

/// Brings a package to a quorum of controllers, if the account has room for it. The room is judged by the local copy: the
/// limit is soft by what is under way.
pub(super) async fn store(
    bench: &Workbench,
    caller: &Caller,
    package: Package,
) -> Result<Code, OperationError> {
    check_room(bench, caller.account, &caller.region, package.code.size)?;
    let Package { code, zip } = package;
    bench.control.put_code(code.digest, zip).await?;
    Ok(code)
}

fn check_room(
    bench: &Workbench,
    account: AccountId,
    region: &Region,
    more: u64,
) -> Result<(), ApiError> {
    let used = bench
        .control
        .glance(|catalog| catalog.usage(account, region).code);
    let limit = bench.limits.code_storage.0;
    if used.saturating_add(more) > limit {
        return Err(ApiError::CodeStorageExceeded(format!(
            "Code storage limit exceeded. You have reached the maximum of {limit} bytes of code."
        )));
    }
    Ok(())
}
