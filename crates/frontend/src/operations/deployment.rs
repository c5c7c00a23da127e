//! What happens to a deployment package before a change may name it.

use bytes::Bytes;
use lambda_api::{ApiError, request::code::Archive};
use model::{
    AccountId, Digest, LayerVersionId, Limits, ObjectAddress, Region,
    function::{Code, UsedLayer},
};
use package::{PackageError, PackageLimits};

use super::Workbench;
use crate::{auth::Caller, error::OperationError, objects::ObjectError};

/// Gets a package if it did not come with the request, and checks every byte of it, on a thread of its own.
pub(super) async fn inspect(
    bench: &Workbench,
    caller: &Caller,
    archive: Archive,
) -> Result<Package, OperationError> {
    let limits = PackageLimits::from(&*bench.limits_of(caller.account));
    let (zip, object) = obtain(bench, archive, limits.zipped).await?;
    let inspected = bench.tasks.blocking(move || {
        let summary = package::inspect(&zip, &limits)?;
        let code = Code {
            digest: Digest::of(&zip),
            size: u64::try_from(zip.len()).unwrap_or(u64::MAX),
            unzipped: summary.unzipped,
        };
        Ok::<_, PackageError>(Package { code, zip, object })
    });
    Ok(inspected.await??)
}

/// The bytes, and the object that they are a reference to: the version that was there, if its bucket keeps several.
async fn obtain(
    bench: &Workbench,
    archive: Archive,
    limit: u64,
) -> Result<(Bytes, Option<ObjectAddress>), OperationError> {
    let (mut address, referenced) = match archive {
        Archive::Zip(zip) => return Ok((zip.into(), None)),
        Archive::Object {
            address,
            referenced,
        } => (address, referenced),
    };
    let fetched = match &bench.objects {
        Some(objects) => objects.get(&address, limit).await,
        None => Err(ObjectError::NotConfigured),
    };
    match fetched {
        Ok(object) => {
            address.version = address.version.or(object.version);
            Ok((object.content, referenced.then_some(address)))
        }
        Err(source) => Err(OperationError::Object {
            bucket: address.bucket,
            key: address.key,
            source,
        }),
    }
}

/// Layer versions with their archives, as a function will use them. Whether they are still there is for the catalog to
/// say when the change comes to it.
pub(super) async fn layers(
    bench: &Workbench,
    wanted: &[LayerVersionId],
) -> Result<Vec<UsedLayer>, OperationError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let found = bench.control.read(|catalog| {
        let used = wanted.iter().map(|id| {
            let version = catalog.layer_version(id);
            let version = version.ok_or_else(|| ApiError::layer_missing(id))?;
            Ok(UsedLayer {
                version: id.clone(),
                content: version.content,
            })
        });
        used.collect::<Result<Vec<_>, ApiError>>()
    });
    Ok(found.await??)
}

/// Whether a function and its layers are together not too large once they are unpacked.
pub(super) fn check_size(
    limits: &Limits,
    code: &Code,
    layers: &[UsedLayer],
) -> Result<(), ApiError> {
    let layers = layers.iter().map(|l| l.content.unzipped);
    let actual = layers.fold(code.unzipped, u64::saturating_add);
    let limit = limits.code_unzipped.0;
    if actual > limit {
        return Err(ApiError::layers_too_large(limit, actual));
    }
    Ok(())
}

/// A package that is acceptable.
pub(super) struct Package {
    pub(super) code: Code,
    zip: Bytes,
    object: Option<ObjectAddress>,
}

/// Code that a change may name, and the object that it is a reference to.
pub(super) struct Stored {
    pub(super) code: Code,
    pub(super) object: Option<ObjectAddress>,
}

/// Brings a package to a quorum of controllers, if the account has room for it. The room is judged by the local copy: the
/// limit is soft by what is under way.
pub(super) async fn store(
    bench: &Workbench,
    caller: &Caller,
    package: Package,
) -> Result<Stored, OperationError> {
    check_room(bench, caller.account, &caller.region, package.code.size)?;
    let Package { code, zip, object } = package;
    bench.control.put_code(code.digest, zip).await?;
    Ok(Stored { code, object })
}

fn check_room(
    bench: &Workbench,
    account: AccountId,
    region: &Region,
    more: u64,
) -> Result<(), ApiError> {
    let used = bench
        .control
        .glance(|catalog| catalog.code_bytes(account, region));
    let limit = bench.limits_of(account).code_storage.0;
    if used.saturating_add(more) > limit {
        return Err(ApiError::CodeStorageExceeded(format!(
            "Code storage limit exceeded. You have reached the maximum of {limit} bytes of code."
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_and_its_layers_share_one_limit() {
        let of = |unzipped| Code {
            digest: Digest::of(b""),
            size: 1,
            unzipped,
        };
        let limits = Limits::default();
        let layer = |unzipped| UsedLayer {
            version: "arn:aws:lambda:us-east-1:123456789012:layer:l:1"
                .parse()
                .unwrap(),
            content: of(unzipped),
        };
        let half = 131_072_000;
        check_size(&limits, &of(half), &[layer(half)]).unwrap();
        assert_eq!(
            check_size(&limits, &of(half), &[layer(half), layer(1)])
                .unwrap_err()
                .to_string(),
            "Function code combined with layers exceeds the maximum allowed size of 262144000 bytes. The actual size is 262144001 bytes."
        );
        // A size that was never counted does not overflow.
        assert!(check_size(&limits, &of(1), &[layer(u64::MAX)]).is_err());
    }
}
