//! Puts a frontend together.

use std::sync::Arc;

use audit::{Recorder, line::Writer};
use catalog::DataKeys;
use frontend::{
    AuthMode, CodeUrlKey, Frontend, FrontendOptions, KeyRing, Objects, Ports, S3, S3Options,
    TrustError,
};
use host::Host;
use model::AccountId;
use routing::{Router, RouterOptions, RouterPorts};

use super::{Shared, StartError};
use crate::{
    config::{self, NodeConfig},
    material::Material,
};

/// A frontend that listens nowhere yet.
///
/// # Errors
/// [`StartError::NoMasterKey`], and [`StartError::ObjectStore`] if nobody could prove to be the object store.
pub(super) fn make(
    shared: &Shared,
    material: &Material,
    host: &Host,
) -> Result<Frontend, StartError> {
    let ring = material
        .master_keys
        .clone()
        .ok_or(StartError::NoMasterKey)?;
    let keys = DataKeys::new(shared.copy.clone(), ring);
    Ok(Frontend::new(
        options(&shared.config, material),
        Ports {
            clock: host.clock.clone(),
            entropy: host.entropy.clone(),
            tasks: host.tasks.clone(),
            copy: shared.copy.clone(),
            controllers: shared.controllers.clone(),
            keys: keys.clone(),
            router: router(shared, keys, host),
            membership: host.membership.clone(),
            channels: shared.channels.clone(),
            audit: recorder(shared, host),
            objects: objects(shared.config.s3.as_ref(), material, host)?,
            images: super::images(material, host)?.map(Arc::new),
        },
    ))
}

fn objects(
    config: Option<&config::S3>,
    material: &Material,
    host: &Host,
) -> Result<Option<Arc<dyn Objects>>, TrustError> {
    let (Some(config), Some(secret)) = (config, &material.object_store) else {
        return Ok(None);
    };
    let options = S3Options {
        endpoint: config.endpoint.clone(),
        region: config.region.clone(),
        access_key_id: config.access_key_id.clone(),
        secret: secret.clone(),
        path_style: config.path_style,
        ca_file: config.ca_file.clone(),
    };
    let store = S3::new(options, host.clock.clone(), host.tasks.clone())?;
    Ok(Some(Arc::new(store)))
}

/// Begins the audit log.
fn recorder(shared: &Shared, host: &Host) -> Recorder {
    let (config, told) = (&shared.config, &shared.config.audit);
    let writer = Writer {
        node: config.node.name.clone(),
        incarnation: shared.incarnation,
    };
    let options = audit::Options {
        segment_bytes: told.segment_size,
        keep_bytes: told.keep_size,
        keep_segments: told.keep_files,
        ..audit::Options::new(writer, env!("CARGO_PKG_VERSION"))
    };
    let (segments, clock) = (host.segments.clone(), host.clock.clone());
    Recorder::start(options, segments, clock, &host.tasks)
}

fn router(shared: &Shared, keys: DataKeys, host: &Host) -> Router {
    let limits = &shared.config.limits;
    let options = RouterOptions {
        zone: shared.config.node.zone.clone(),
        account_concurrency: limits.concurrent_executions,
        init_timeout: limits.init_timeout,
        ..RouterOptions::default()
    };
    let ports = RouterPorts {
        copy: shared.copy.clone(),
        controllers: shared.controllers.clone(),
        keys,
        membership: host.membership.clone(),
        channels: shared.channels.clone(),
        clock: host.clock.clone(),
        entropy: host.entropy.clone(),
    };
    Router::new(options, ports)
}

fn options(config: &NodeConfig, material: &Material) -> FrontendOptions {
    let key = CodeUrlKey::new(material.derive("code urls"));
    FrontendOptions {
        region: config.cluster.region.clone(),
        auth: match &material.access_keys {
            None => AuthMode::Open {
                account: AccountId::DEFAULT,
            },
            Some(keys) => AuthMode::SigV4(keys.iter().cloned().collect::<KeyRing>()),
        },
        audit_invocations: config.audit.invocations,
        limits: config.limits.clone(),
        public_tls: material.public.is_some(),
        public_address: config.listen.advertise_public.clone(),
        url_suffix: config.listen.url_suffix.clone(),
        ..FrontendOptions::open(key)
    }
}
