//! What this frontend has under way at each worker.
//!
//! Gossip is about a second old. In that second this frontend's own calls are what it knows better: an environment that it
//! just sent a call to is not idle any more, one that just answered it is. Older calls are in the gossip already and
//! must not be subtracted twice.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use model::{NodeName, capacity::WarmKey};
use parking_lot::Mutex;
use tokio::time::Instant;

/// How old a call may be for gossip not to know of it.
const GOSSIP_AGE: Duration = Duration::from_secs(2);
/// Starts and returns that are remembered for one version at one worker.
const RECENT_MAX: usize = 1024;

/// Counts calls under way. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Outstanding {
    workers: Arc<Mutex<BTreeMap<NodeName, Worker>>>,
}

/// What is under way at one worker, as far as one version is concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Calls under way, of any version.
    pub outstanding: u32,
    /// Calls of the version that began lately and are under way.
    pub started: u32,
    /// Calls of the version that ended well lately: each left an idle environment, unless another took it.
    pub returned: u32,
}

#[derive(Debug, Default)]
struct Worker {
    outstanding: u32,
    recent: BTreeMap<WarmKey, Recent>,
}

/// The latest calls of one version. Both queues are in order of time.
#[derive(Debug, Default)]
struct Recent {
    started: VecDeque<(u64, Instant)>,
    returned: VecDeque<Instant>,
    next: u64,
}

/// One call under way at a worker. Dropping it takes it out of the count.
#[derive(Debug)]
#[must_use = "the call is counted until this is dropped"]
pub struct Guard {
    workers: Arc<Mutex<BTreeMap<NodeName, Worker>>>,
    worker: NodeName,
    key: WarmKey,
    number: u64,
    warm: bool,
}

impl Outstanding {
    /// Counts a call from now on.
    pub fn begin(&self, worker: &NodeName, key: WarmKey, now: Instant) -> Guard {
        let mut workers = self.workers.lock();
        let entry = workers.entry(worker.clone()).or_default();
        entry.outstanding += 1;
        let recent = entry.recent.entry(key).or_default();
        let number = recent.next;
        recent.next += 1;
        recent.started.push_back((number, now));
        recent.forget(now);
        Guard {
            workers: self.workers.clone(),
            worker: worker.clone(),
            key,
            number,
            warm: false,
        }
    }

    /// What is under way at every worker that anything is known of.
    #[must_use]
    pub fn loads(&self, key: WarmKey, now: Instant) -> BTreeMap<NodeName, Load> {
        let mut workers = self.workers.lock();
        workers.retain(|_, w| {
            w.recent.retain(|_, r| {
                r.forget(now);
                !r.started.is_empty() || !r.returned.is_empty()
            });
            w.outstanding > 0 || !w.recent.is_empty()
        });
        workers
            .iter()
            .map(|(name, w)| (name.clone(), w.load(key)))
            .collect()
    }
}

impl Guard {
    /// The call ended well: its environment is idle now.
    pub fn returned(&mut self) {
        self.warm = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let now = Instant::now();
        let mut workers = self.workers.lock();
        let Some(worker) = workers.get_mut(&self.worker) else {
            return;
        };
        worker.outstanding = worker.outstanding.saturating_sub(1);
        let recent = worker.recent.entry(self.key).or_default();
        if let Ok(at) = recent
            .started
            .binary_search_by_key(&self.number, |(number, _)| *number)
        {
            recent.started.remove(at);
        }
        if self.warm {
            recent.returned.push_back(now);
        }
        recent.forget(now);
    }
}

impl Worker {
    fn load(&self, key: WarmKey) -> Load {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let recent = self.recent.get(&key);
        Load {
            outstanding: self.outstanding,
            started: recent.map_or(0, |r| count(r.started.len())),
            returned: recent.map_or(0, |r| count(r.returned.len())),
        }
    }
}

impl Recent {
    fn forget(&mut self, now: Instant) {
        let old = |at: Instant| now.saturating_duration_since(at) >= GOSSIP_AGE;
        while self.started.front().is_some_and(|(_, at)| old(*at))
            || self.started.len() > RECENT_MAX
        {
            self.started.pop_front();
        }
        while self.returned.front().is_some_and(|at| old(*at)) || self.returned.len() > RECENT_MAX {
            self.returned.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: WarmKey = WarmKey(7);

    fn load(outstanding: &Outstanding, key: WarmKey) -> Load {
        let loads = outstanding.loads(key, Instant::now());
        loads
            .get(&"w1".parse::<NodeName>().unwrap())
            .copied()
            .unwrap_or_default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_counts_until_it_is_dropped() {
        let (outstanding, worker) = (Outstanding::default(), "w1".parse().unwrap());
        let first = outstanding.begin(&worker, KEY, Instant::now());
        let mut second = outstanding.begin(&worker, WarmKey(8), Instant::now());
        assert_eq!(
            load(&outstanding, KEY),
            Load {
                outstanding: 2,
                started: 1,
                returned: 0
            }
        );
        drop(first);
        assert_eq!(load(&outstanding, KEY).started, 0);
        second.returned();
        drop(second);
        assert_eq!(
            load(&outstanding, WarmKey(8)),
            Load {
                outstanding: 0,
                started: 0,
                returned: 1
            }
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_gossip_knows_by_now_is_forgotten() {
        let (outstanding, worker) = (Outstanding::default(), "w1".parse().unwrap());
        let long = outstanding.begin(&worker, KEY, Instant::now());
        let mut short = outstanding.begin(&worker, KEY, Instant::now());
        short.returned();
        drop(short);
        tokio::time::advance(GOSSIP_AGE).await;
        assert_eq!(
            load(&outstanding, KEY),
            Load {
                outstanding: 1,
                started: 0,
                returned: 0
            }
        );
        drop(long);
        assert_eq!(load(&outstanding, KEY), Load::default());
        assert!(outstanding.workers.lock().is_empty());
    }
}
