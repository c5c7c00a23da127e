//! Puts a frontend together.

use std::sync::Arc;

use catalog::DataKeys;
use frontend::{AuthMode, CodeUrlKey, Frontend, FrontendOptions, KeyRing, Ports};
use host::{Host, net::Listener};
use model::AccountId;
use routing::{Router, RouterOptions};

use super::{Shared, StartError};
use crate::{config::NodeConfig, material::Material};

/// Starts a frontend on two bound listeners.
///
/// # Errors
/// [`StartError::NoMasterKey`].
pub(super) fn start(
    shared: &Shared,
    material: &Material,
    host: &Host,
    public: Arc<dyn Listener>,
    grpc: Arc<dyn Listener>,
) -> Result<Frontend, StartError> {
    let ring = material
        .master_keys
        .clone()
        .ok_or(StartError::NoMasterKey)?;
    let keys = DataKeys::new(shared.copy.clone(), ring);
    let frontend = Frontend::new(
        options(&shared.config, material),
        Ports {
            clock: host.clock.clone(),
            entropy: host.entropy.clone(),
            tasks: host.tasks.clone(),
            copy: shared.copy.clone(),
            controllers: shared.controllers.clone(),
            keys: keys.clone(),
            router: router(shared, keys, host),
        },
    );
    frontend.serve(public);
    frontend.serve_grpc(grpc);
    Ok(frontend)
}

fn router(shared: &Shared, keys: DataKeys, host: &Host) -> Router {
    let limits = &shared.config.limits;
    let options = RouterOptions {
        zone: shared.config.node.zone.clone(),
        account_concurrency: limits.concurrent_executions,
        init_timeout: limits.init_timeout,
        ..RouterOptions::default()
    };
    Router::new(
        options,
        shared.copy.clone(),
        shared.controllers.clone(),
        keys,
        &*host.membership,
        shared.channels.clone(),
        &*host.entropy,
    )
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
        limits: config.limits.clone(),
        public_tls: material.public.is_some(),
        public_address: config.listen.advertise_public.clone(),
        ..FrontendOptions::open(key)
    }
}
