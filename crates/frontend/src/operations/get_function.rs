//! `GET /2015-03-31/functions/{name}`: configuration, code location and tags of a function.

use std::collections::BTreeMap;

use lambda_api::{
    Operation,
    response::{CodeLocation, Detail, GetFunction, to_body},
    target::Target,
};

use super::{Shown, Workbench, images, versions};
use crate::{auth::Authorized, error::OperationError, respond::Answer};

/// A version, where its code can be downloaded for a while, and the tags and the reservation of its function.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) shown: Shown,
    pub(crate) location: Location,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) reserved: Option<u32>,
}

/// Where the code of a version is.
#[derive(Debug)]
pub(crate) enum Location {
    /// A package: a URL that opens it for a while.
    Package(String),
    /// An image: its URI, and the one with its digest.
    Image(String, Option<String>),
}

/// `origin` is where the caller will download the code from: scheme, host and port.
pub(crate) async fn run(
    bench: &Workbench,
    authorized: Authorized<Target>,
    origin: &str,
) -> Result<Got, OperationError> {
    let (target, grant) = authorized.take();
    let found = bench.control.read(|catalog| {
        let (entry, version) = versions::find(catalog, &target)?;
        Ok::<_, OperationError>((version, entry.tags.clone(), entry.reserved()))
    });
    let (version, tags, reserved) = found.await??;
    let location = match version.config.image() {
        Some(image) => {
            let digest = version.image_digest();
            let resolved = digest.and_then(|digest| images::resolved_uri(&image.uri, digest));
            Location::Image(image.uri.clone(), resolved)
        }
        None => Location::Package(bench.code_urls.url(
            origin,
            version.code.digest,
            grant.caller().account,
            bench.clock.wall(),
        )),
    };
    Ok(Got {
        shown: Shown::new(bench, version, target.qualifier),
        location,
        tags,
        reserved,
    })
}

pub(crate) fn answer(got: Got) -> Answer {
    let configuration = got.shown.configuration(Detail::Full);
    let code = match got.location {
        Location::Package(url) => CodeLocation::url(url, got.shown.version.config.origin()),
        Location::Image(uri, resolved) => CodeLocation::image(uri, resolved),
    };
    let shape = GetFunction::new(configuration, code, got.tags, got.reserved);
    Answer::json(Operation::GetFunction.success(), to_body(&shape))
}
