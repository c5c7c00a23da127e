//! `dunlin secrets`: changes of the keys that secrets are sealed under.
//!
//! The master keys stay on this machine: data keys are fetched from the controllers, wrapped here, and proposed again.

use std::{io::Write, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, bail};
use async_trait::async_trait;
use catalog::{Controllers, ControllersOptions};
use clap::{Args, Subcommand};
use host::{
    Clock, Entropy, Membership, SystemClock, SystemEntropy, TlsNetwork,
    membership::Members,
    net::{Channels, TlsOptions},
};
use model::{
    AccountId, DataKey, Mutation, WrappedKey, capacity::Member, function::StoredEnvironment,
    mutation::Changed,
};
use seal::{KEY_BYTES, KeyRing, UnwrapError, Zeroizing};
use state::{Catalog, IdempotencyKey};
use tokio::sync::watch;

use super::{Exit, FAILED, print, serve, server};
use crate::{
    config::NodeConfig,
    material::{Material, key_ring},
};

/// How long the catalog may take to come.
const FETCH_MAX: Duration = Duration::from_secs(60);
/// How long one change may take.
const CHANGE_MAX: Duration = Duration::from_secs(10);

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Wrap every data key under the current master key, the first of the configuration. Nothing that is sealed changes.
    /// Once nothing is left under an older master key, that key can be taken out of every configuration
    Rewrap(Place),
    /// Give every account that has a data key a new one: what is written from now on is sealed with it, and what was
    /// written before still opens
    Rotate(Rotate),
}

#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Configuration of a frontend of the cluster, whose master keys and identity are used
    #[arg(long)]
    config: PathBuf,
    /// Internal address of a controller, if the configuration names none
    #[arg(long)]
    controller: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Only this account
    #[arg(long)]
    account: Option<AccountId>,
    #[command(flatten)]
    place: Place,
}

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let (Command::Rewrap(place) | Command::Rotate(Rotate { place, .. })) = command;
    let config = server::read(&place.config)?;
    let variable = |name: &str| std::env::var(name).ok();
    let material = Material::read(&config, &variable).map_err(Exit::misused)?;
    let ring = key_ring(&config.master_keys, &variable).map_err(Exit::misused)?;
    let runtime = serve::small_runtime()?;
    let _inside = runtime.enter();
    let desk = Desk {
        controllers: controllers(place, &config, &material)?,
        ring,
        entropy: SystemEntropy::new(),
    };
    let (text, code) = match command {
        Command::Rewrap(_) => {
            let report = runtime.block_on(desk.rewrap())?;
            (report.text(desk.ring.current()), report.code())
        }
        Command::Rotate(Rotate { account, .. }) => {
            let count = runtime.block_on(desk.rotate(*account))?;
            let accounts = if count == 1 {
                "account has"
            } else {
                "accounts have"
            };
            (
                format!("{count} {accounts} a new data key\n"),
                ExitCode::SUCCESS,
            )
        }
    };
    print(out, &text)?;
    Ok(code)
}

fn controllers(
    place: &Place,
    config: &NodeConfig,
    material: &Material,
) -> Result<Controllers, anyhow::Error> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let options = TlsOptions {
        cluster: config.cluster.name.clone(),
        credentials: material.credentials.clone(),
        public: None,
    };
    let channels = Arc::new(Channels::new(Arc::new(TlsNetwork::new(options, clock)?)));
    let named = config.cluster.initial_controllers.values().cloned();
    let initial: Vec<String> = place.controller.iter().cloned().chain(named).collect();
    if initial.is_empty() {
        bail!(
            "the configuration names no controller; say where one is with --controller HOST:PORT"
        );
    }
    let options = ControllersOptions { initial, own: None };
    Ok(Controllers::new(
        options,
        Arc::new(Nobody(watch::Sender::default())),
        channels,
    ))
}

/// Gossip that a command does not take part in.
struct Nobody(watch::Sender<Members>);

#[async_trait]
impl Membership for Nobody {
    fn watch(&self) -> watch::Receiver<Members> {
        self.0.subscribe()
    }

    fn publish(&self, _own: Member) {}

    async fn leave(&self) {}
}

/// What the commands work with.
struct Desk {
    controllers: Controllers,
    ring: KeyRing,
    entropy: SystemEntropy,
}

impl Desk {
    async fn rewrap(&self) -> Result<Report, anyhow::Error> {
        let catalog = self.catalog().await?;
        let plan = Plan::of(&catalog, &self.ring);
        let mut report = Report {
            current: plan.current,
            unreadable: plan.unreadable,
            clear: plan.clear,
            ..Report::default()
        };
        for (old, new) in plan.rewrap {
            let mutation = Mutation::RewrapDataKey {
                account: old.account,
                generation: old.generation,
                old: old.wrapped.clone(),
                new: new.clone(),
            };
            match self.change(&mutation).await? {
                Changed::DataKey(there) if there.wrapped == new => report.rewrapped += 1,
                // Somebody else wrapped it meanwhile.
                _ => report.moved += 1,
            }
        }
        Ok(report)
    }

    async fn rotate(&self, only: Option<AccountId>) -> Result<usize, anyhow::Error> {
        let catalog = self.catalog().await?;
        let mut accounts: Vec<AccountId> = catalog.data_keys().map(|key| key.account).collect();
        accounts.dedup();
        accounts.retain(|account| only.is_none_or(|only| only == *account));
        if let (Some(only), true) = (only, accounts.is_empty()) {
            bail!(
                "account {only} has no data key; it gets one with its first environment variables"
            );
        }
        for account in &accounts {
            let newest = catalog.newest_data_key(*account);
            let generation = newest.map_or(model::Generation::FIRST, |key| key.generation.next());
            let mutation = Mutation::PutDataKey {
                account: *account,
                generation,
                wrapped: self.ring.wrap(*account, generation, self.random_key())?,
            };
            self.change(&mutation).await?;
        }
        Ok(accounts.len())
    }

    async fn catalog(&self) -> Result<Catalog, anyhow::Error> {
        let catalog = self.controllers.snapshot(FETCH_MAX).await;
        catalog.context("the data keys cannot be read from the controllers")
    }

    async fn change(&self, mutation: &Mutation) -> Result<Changed, anyhow::Error> {
        let key = IdempotencyKey(self.entropy.next_u128());
        let (_, result) = self.controllers.mutate(key, mutation, CHANGE_MAX).await?;
        Ok(result?)
    }

    fn random_key(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        self.entropy.fill(&mut key[..]);
        key
    }
}

/// What is to be done about each data key.
#[derive(Debug, Default)]
struct Plan {
    rewrap: Vec<(Arc<DataKey>, WrappedKey)>,
    current: usize,
    unreadable: Vec<UnwrapError>,
    clear: usize,
}

impl Plan {
    fn of(catalog: &Catalog, ring: &KeyRing) -> Self {
        let mut plan = Self::default();
        for key in catalog.data_keys() {
            match ring.rewrap(key) {
                Ok(Some(new)) => plan.rewrap.push((key.clone(), new)),
                Ok(None) => plan.current += 1,
                Err(error) => plan.unreadable.push(error),
            }
        }
        let clear = |record: &state::Record| match record {
            state::Record::Version(version) => matches!(
                &version.config.environment,
                Some(StoredEnvironment::Clear(variables)) if !variables.0.is_empty()
            ),
            _ => false,
        };
        plan.clear = catalog.records().filter(clear).count();
        plan
    }
}

/// What became of it.
#[derive(Debug, Default)]
struct Report {
    rewrapped: usize,
    current: usize,
    moved: usize,
    unreadable: Vec<UnwrapError>,
    clear: usize,
}

impl Report {
    fn text(&self, current: &model::MasterKeyId) -> String {
        let Self {
            rewrapped,
            current: already,
            moved,
            unreadable,
            clear,
        } = self;
        let mut text = format!(
            "master key {current}: {rewrapped} data keys wrapped under it now, {already} were before\n"
        );
        if *moved > 0 {
            text.push_str(&format!("{moved} were changed meanwhile: run this again\n"));
        }
        for error in unreadable {
            text.push_str(&format!("left as it is: {error}\n"));
        }
        if *clear > 0 {
            text.push_str(&format!(
                "{clear} versions of functions hold environment variables in clear, from before there were master keys: set \
                 the variables of those functions again, and delete their old versions\n"
            ));
        }
        if unreadable.is_empty() && *moved == 0 {
            text.push_str("no data key needs another master key: older ones can be taken out of every configuration\n");
        }
        text
    }

    fn code(&self) -> ExitCode {
        if self.unreadable.is_empty() && self.moved == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::from(FAILED)
        }
    }
}

#[cfg(test)]
mod tests {
    use model::{Generation, Timestamp};
    use seal::MasterKey;
    use state::{Change, Record};

    use super::*;

    fn ring(keys: &[(&str, u8)]) -> KeyRing {
        let keys = keys
            .iter()
            .map(|(id, byte)| (id.parse().unwrap(), MasterKey::from_bytes([*byte; 32])));
        KeyRing::new(keys.collect()).unwrap()
    }

    fn key(ring: &KeyRing, generation: u32) -> Record {
        let (account, generation) = (AccountId::DEFAULT, Generation::new(generation).unwrap());
        Record::DataKey(Arc::new(DataKey {
            account,
            generation,
            wrapped: ring
                .wrap(account, generation, Zeroizing::new([9; 32]))
                .unwrap(),
            created: Timestamp(0),
        }))
    }

    #[test]
    fn only_what_is_under_an_older_key_is_wrapped_again() {
        let mut catalog = Catalog::default();
        for record in [
            key(&ring(&[("old", 1)]), 1),
            key(&ring(&[("new", 2)]), 2),
            key(&ring(&[("lost", 3)]), 3),
        ] {
            catalog.put(Change::Put(record));
        }
        let plan = Plan::of(&catalog, &ring(&[("new", 2), ("old", 1)]));
        assert_eq!(
            (plan.rewrap.len(), plan.current, plan.unreadable.len()),
            (1, 1, 1)
        );
        let report = Report {
            rewrapped: 1,
            current: 1,
            unreadable: plan.unreadable,
            ..Report::default()
        };
        let text = report.text(&"new".parse().unwrap());
        assert!(
            text.contains("1 data keys wrapped under it now, 1 were before"),
            "{text}"
        );
        assert!(text.contains("master key lost"), "{text}");
        assert!(!text.contains("can be taken out"), "{text}");
        let text = Report::default().text(&"new".parse().unwrap());
        assert!(text.contains("can be taken out"), "{text}");
    }
}
