//! The way of an operator to the controllers' group, with the identity of one of its controllers.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, bail};
use host::{
    Clock, SystemClock, TlsNetwork,
    net::{Channels, TlsOptions, channel::NodeChannel},
};
use model::Role;
use proto::internal::{NotLeader, catalog_client::CatalogClient};

use crate::{config::NodeConfig, material::Material};

/// How long one controller may take: the leader waits for its group.
const ATTEMPT_MAX: Duration = Duration::from_secs(15);
/// How often a hint at the leader is followed.
const HINTS_MAX: usize = 3;

/// What one controller answered.
pub(crate) enum Told<T> {
    /// What was asked for.
    Answer(T),
    /// Another one leads.
    Elsewhere(NotLeader),
}

/// Asks the controllers that a configuration names, one after the other and whom they hint at, until one answers.
///
/// # Errors
/// What each of them said instead.
pub(crate) async fn ask<T>(
    config: &NodeConfig,
    material: &Material,
    question: impl AsyncFn(CatalogClient<NodeChannel>) -> Result<Told<T>, tonic::Status>,
) -> Result<T, anyhow::Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = TlsOptions {
        cluster: config.cluster.name.clone(),
        credentials: material.credentials.clone(),
        public: None,
    };
    let channels = Channels::new(Arc::new(TlsNetwork::new(options, clock)?));
    let mut refusals = Vec::new();
    for known in config.cluster.initial_controllers.values() {
        match ask_one(&channels, known, &question).await {
            Ok(answer) => return Ok(answer),
            Err(refusal) => refusals.push(format!("{known}: {refusal}")),
        }
    }
    bail!("{}", refusals.join("; "))
}

async fn ask_one<T>(
    channels: &Channels,
    first: &str,
    question: &impl AsyncFn(CatalogClient<NodeChannel>) -> Result<Told<T>, tonic::Status>,
) -> Result<T, anyhow::Error> {
    let mut address = first.to_owned();
    for _ in 0..HINTS_MAX {
        let client = CatalogClient::new(channels.get_to(&address, Role::Controller));
        let told = tokio::time::timeout(ATTEMPT_MAX, question(client))
            .await
            .with_context(|| format!("no answer within {ATTEMPT_MAX:?}"))?
            .map_err(|status| anyhow::anyhow!("{}", status.message()))?;
        match told {
            Told::Answer(answer) => return Ok(answer),
            Told::Elsewhere(hint) if !hint.address.is_empty() => address = hint.address,
            Told::Elsewhere(_) => bail!("it knows no leader"),
        }
    }
    bail!("the leader changes too often; try again")
}
