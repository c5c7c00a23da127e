//! How a member starts.

use std::{collections::BTreeSet, sync::Arc};

use host::task::Kind;
use openraft::{
    Config, Raft, SnapshotPolicy, async_runtime::WatchReceiver as _, error::Fatal as CoreFatal,
};
use tokio::sync::Semaphore;

use super::{Ports, Replica, Shared, is_leader, membership::is_joint};
use crate::{
    client::Peers,
    cluster::Cluster,
    error::{Fatal, StartError},
    failure::Failed,
    identity::Identity,
    log_store::LogStore,
    machine::StateMachine,
    marker::Marker,
    options::Options,
    runtime::Runtime,
    snapshot::Snapshots,
    state::{self, Adapter, State, Table},
};

/// Group numbers above are used for other things in the same log.
const GROUP_MAX: u64 = (1 << 62) - 1;

impl<M: StateMachine> Replica<M> {
    /// Starts a member: reads its storage, replays what the rows lack, and takes part in the group if it is in one.
    /// `machine` must be empty; it is restored from the rows.
    ///
    /// # Errors
    /// [`StartError`]; its texts say what to do.
    pub async fn start(
        options: Options,
        identity: Identity,
        machine: M,
        ports: Ports,
    ) -> Result<Self, StartError> {
        let group = options.group;
        let config = config(&options)?;
        let marker = Marker::open(
            ports.log.clone(),
            ports.store.clone(),
            &identity.name,
            || identity.incarnation,
        )
        .await?;
        if marker.incarnation() != identity.incarnation {
            return Err(StartError::Options {
                expected: "the incarnation that marker::open returned",
                got: format!("{:?}", identity.incarnation),
            });
        }
        let failed = Failed::new();
        let (state, table, snapshots) = open_state(&options, machine, &ports).await?;
        let log = LogStore::open(
            group,
            ports.log.clone(),
            ports.store.clone(),
            &ports.tasks,
            failed.clone(),
        )
        .await?;
        check_gap(group, &log, &state, &snapshots)?;

        let cluster = Arc::new(Cluster::new(group, identity.id, marker, failed.clone()));
        let peers = Peers {
            id: identity.id,
            cluster: cluster.clone(),
            channels: ports.channels.clone(),
            append_timeout: options.append_timeout,
        };
        let adapter = Adapter {
            group,
            state: state.clone(),
            table,
            snapshots: snapshots.clone(),
            failed: failed.clone(),
        };
        let entropy = ports.entropy.fork(&format!("raft-group-{group}"));
        let log_store = log.clone();
        let raft = Runtime::with_entropy(entropy, async {
            let raft = Raft::build(identity.id, config, peers, log_store, adapter).await?;
            raft.run();
            Ok::<_, CoreFatal<_>>(raft)
        })
        .await
        .map_err(|error| match failed.get() {
            Some(fatal) => StartError::Failed(fatal),
            None => StartError::Core {
                group,
                why: error.to_string(),
            },
        })?;
        let replica = Self {
            shared: Arc::new(Shared {
                proposals: Semaphore::new(options.proposals_max),
                options,
                identity,
                raft,
                state,
                log,
                snapshots,
                store: ports.store,
                cluster,
                failed,
                change: tokio::sync::Mutex::new(()),
            }),
        };
        replica.stand_alone().await;
        ports
            .tasks
            .spawn(Kind::Background, "raft-watch", replica.clone().watch());
        Ok(replica)
    }

    /// A group of one need not wait for a leader that cannot be.
    async fn stand_alone(&self) {
        let voters: BTreeSet<u64> = self.shared.state.position().1.voter_ids().collect();
        if voters == BTreeSet::from([self.shared.identity.id]) {
            // An error means that the core has stopped; the watch says so.
            let _ = self.shared.raft.trigger().elect(false).await;
        }
    }

    /// Notices when the core stops by itself, and finishes changes of the membership that a former leader left half done.
    async fn watch(self) {
        let mut watch = self.metrics_watch();
        loop {
            let (stopped, is_unfinished) = {
                let metrics = watch.borrow_watched();
                let stopped = metrics.running_state.as_ref().err().cloned();
                (stopped, is_leader(&metrics) && is_joint(&metrics))
            };
            match stopped {
                None => {}
                Some(CoreFatal::Stopped) => return,
                Some(fatal) => {
                    // If a storage failed it was noted before, with more detail.
                    self.shared.failed.set(Fatal::Core {
                        group: self.shared.options.group,
                        why: fatal.to_string(),
                    });
                    return;
                }
            }
            if is_unfinished {
                self.finish_change().await;
            }
            if watch.changed().await.is_err() {
                return;
            }
        }
    }
}

async fn open_state<M: StateMachine>(
    options: &Options,
    machine: M,
    ports: &Ports,
) -> Result<(Arc<State<M>>, Table, Arc<Snapshots>), StartError> {
    let group = options.group;
    let table = Table::new(ports.store.clone(), group);
    let loaded = table.load().await.map_err(|error| match error {
        state::LoadError::Store(error) => StartError::Store(error),
        error => StartError::Damaged {
            group,
            what: error.to_string(),
        },
    })?;
    let state = Arc::new(State::new(machine, options));
    let meta = loaded.meta;
    state.restore(loaded.rows, meta.last_log_id, meta.last_membership)?;
    state.publish();
    let snapshots = Arc::new(Snapshots::open(group, ports.log.clone()).await?);
    Ok((state, table, snapshots))
}

/// The rows, or a snapshot in their stead, must reach to where the log begins.
fn check_gap<M: StateMachine>(
    group: u64,
    log: &LogStore,
    state: &State<M>,
    snapshots: &Snapshots,
) -> Result<(), StartError> {
    let (applied, _) = state.position();
    let snapshot = snapshots.current().and_then(|(meta, _)| meta.last_log_id);
    let reached = applied.max(snapshot);
    if log.purged() > reached {
        return Err(StartError::StateLost {
            group,
            applied: state::index(reached),
            purged: state::index(log.purged()),
        });
    }
    Ok(())
}

fn config(options: &Options) -> Result<Arc<Config>, StartError> {
    let refuse = |expected, got: String| Err(StartError::Options { expected, got });
    if options.group > GROUP_MAX {
        return refuse("a group below 2^62", options.group.to_string());
    }
    let millis = |d: std::time::Duration| u64::try_from(d.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        cluster_name: format!("group-{}", options.group),
        heartbeat_interval: millis(options.heartbeat),
        election_timeout_min: millis(options.election_min),
        election_timeout_max: millis(options.election_max),
        max_payload_entries: 128,
        max_append_entries: Some(1_024),
        api_channel_size: Some(4_096),
        notification_channel_size: Some(4_096),
        // Followers get entries as long as there are any; only who is behind the log needs a snapshot.
        replication_lag_threshold: options.snapshot_every.saturating_add(options.snapshot_keep),
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.snapshot_every),
        max_in_snapshot_log_to_keep: options.snapshot_keep,
        enable_pre_vote: Some(true),
        // A leader that restarts stands for election: the first entry of its new term tells it what is committed.
        enable_leader_restore: Some(false),
        allow_log_reversion: Some(false),
        backoff: "100ms 200ms ...500ms".to_owned(),
        ..Config::default()
    };
    match config.validate() {
        Ok(config) => Ok(Arc::new(config)),
        Err(error) => refuse(
            "heartbeat < election_min < election_max, in milliseconds",
            error.to_string(),
        ),
    }
}
