//! What the steps of routing share, in one place.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use catalog::{Controllers, DataKeys, LocalCopy};
use host::{Clock, Entropy, Membership, membership::Members, net::Channels};
use model::{FunctionId, NodeName, Qualifier, Role, TenantId, Zone};
use parking_lot::Mutex;
use tokio::{sync::watch, time::Instant};

use crate::{
    admission::{Admission, Bound, Permit, Throttled},
    aside::Aside,
    choose::{self, Explanation, View, Wanted},
    dispatch::Told,
    outstanding::{Load, Outstanding},
    resolve::{ResolveError, Resolved, Resolver},
};

/// What routing may take and how long it may wait.
#[derive(Clone, Debug)]
pub struct RouterOptions {
    /// The zone of this node: its workers are preferred.
    pub zone: Zone,
    /// Invocations that one account may have in flight in the whole cluster, if it has no limit of its own.
    pub account_concurrency: u32,
    /// Invocations that this node may have in flight over all accounts.
    pub in_flight_max: u32,
    /// How long a worker may take to answer at all, beside the travel of the payload. It answers a request before it looks
    /// for an environment, so this is a matter of the network, not of cold starts; a worker that is silent for longer is
    /// taken for dead, if another one is left to try.
    pub answer_max: Duration,
    /// How long a worker that answered may take until the runtime has the invocation: the start of a sandbox, the fetch of
    /// the code, the initialisation. A worker that dies in this time is noticed by HTTP/2 keep-alive, not by this.
    pub accept_max: Duration,
    /// How long an invocation waits for capacity when every worker that was asked is full. Short: overload is told at once.
    pub capacity_wait: Duration,
    /// How long it waits for a worker when none can be reached: as long as gossip takes to notice that nodes left and came.
    pub worker_wait: Duration,
    /// The limit of initialisation, which an invocation may have to wait for once more after it was accepted.
    pub init_timeout: Duration,
    /// What is granted beyond the function's own timeout before an accepted invocation is given up for lost.
    pub slack: Duration,
}

impl Default for RouterOptions {
    fn default() -> Self {
        let limits = model::Limits::default();
        Self {
            zone: default_zone(),
            account_concurrency: limits.concurrent_executions,
            in_flight_max: 4096,
            answer_max: Duration::from_millis(800),
            accept_max: limits.init_timeout + Duration::from_secs(30),
            capacity_wait: Duration::from_millis(35),
            worker_wait: Duration::from_secs(3),
            init_timeout: limits.init_timeout,
            slack: Duration::from_secs(5),
        }
    }
}

/// What a router gets from its node.
pub struct RouterPorts {
    /// The node's copy of the catalog.
    pub copy: LocalCopy,
    /// The way to the controllers.
    pub controllers: Controllers,
    /// What opens environment variables and issues sessions.
    pub keys: DataKeys,
    /// Who is there.
    pub membership: Arc<dyn Membership>,
    /// The way to the workers.
    pub channels: Arc<Channels>,
    /// Wall time: the hour that role keys are of.
    pub clock: Arc<dyn Clock>,
    /// Randomness: draws between candidates.
    pub entropy: Arc<dyn Entropy>,
}

#[allow(clippy::expect_used, reason = "the literal is a zone")]
fn default_zone() -> Zone {
    "local".parse().expect("a literal zone parses")
}

/// Routes the invocations of one node. Clones share everything.
#[derive(Clone)]
pub struct Router {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) options: RouterOptions,
    pub(crate) resolver: Resolver,
    pub(crate) keys: DataKeys,
    pub(crate) channels: Arc<Channels>,
    pub(crate) outstanding: Outstanding,
    pub(crate) aside: Mutex<Aside>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) told: Told,
    members: watch::Receiver<Members>,
    admission: Admission,
}

impl Router {
    /// A router over these ports.
    #[must_use]
    pub fn new(options: RouterOptions, ports: RouterPorts) -> Self {
        let shared = Shared {
            resolver: Resolver::new(ports.copy, ports.controllers),
            keys: ports.keys,
            channels: ports.channels,
            outstanding: Outstanding::default(),
            aside: Mutex::default(),
            clock: ports.clock,
            entropy: ports.entropy.fork("routing"),
            told: Told::default(),
            members: ports.membership.watch(),
            admission: Admission::new(options.in_flight_max),
            options,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Finds the version to run, for a tenant if the invocation names one.
    ///
    /// # Errors
    /// [`ResolveError`] if there is none that can run.
    pub async fn resolve(
        &self,
        function: &FunctionId,
        qualifier: Option<&Qualifier>,
        tenant: Option<&TenantId>,
    ) -> Result<Resolved, ResolveError> {
        let drawn = u32::try_from(self.shared.entropy.below(1_000_000)).unwrap_or(0);
        self.shared
            .resolver
            .resolve(function, qualifier, tenant, drawn)
            .await
    }

    /// Takes a place for one invocation; hold the permit until its response has ended. It counts for the account of the
    /// function, whoever calls.
    ///
    /// # Errors
    /// [`Throttled`] at once.
    pub fn admit(&self, resolved: &Resolved) -> Result<Permit, Throttled> {
        let account = resolved.version.id.function.account;
        let members = self.members();
        let frontends = members
            .values()
            .filter(|m| m.roles.has(Role::Frontend))
            .count();
        let own = self.shared.resolver.concurrency_of(account);
        let limit = own.unwrap_or(self.shared.options.account_concurrency);
        let bound = resolved.reserved.map(|executions| Bound {
            function: &resolved.version.id.function,
            executions,
        });
        self.shared
            .admission
            .admit(account, limit, frontends, bound)
    }

    /// Invocations in flight.
    #[must_use]
    pub fn in_flight(&self) -> u32 {
        self.shared.admission.in_flight()
    }

    /// The ranking that an invocation of this version would get now.
    #[must_use]
    pub fn explain(&self, resolved: &Resolved) -> Explanation {
        let wanted = Wanted::of(&resolved.version, resolved.tenant.as_ref());
        self.choose(&wanted, &BTreeSet::new())
    }

    pub(crate) fn members(&self) -> Members {
        self.shared.members.borrow().clone()
    }

    pub(crate) fn members_changed(&self) -> watch::Receiver<Members> {
        let mut members = self.shared.members.clone();
        members.mark_unchanged();
        members
    }

    pub(crate) fn choose(&self, wanted: &Wanted, excluded: &BTreeSet<NodeName>) -> Explanation {
        let now = Instant::now();
        let members = self.members();
        let loads: BTreeMap<NodeName, Load> = self.shared.outstanding.loads(wanted.key, now);
        let aside = self.shared.aside.lock().now(now);
        let view = View {
            members: &members,
            loads: &loads,
            aside: &aside,
            excluded,
            zone: &self.shared.options.zone,
        };
        choose::choose(wanted, &view, self.shared.entropy.next_u64())
    }
}
