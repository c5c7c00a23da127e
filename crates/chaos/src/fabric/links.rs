//! The rules of all links, which may change while traffic flows, and what passed under them.
//!
//! A pair of hosts has a rule of its own in each direction. It is the sum of what was [set](Links::set) for good and of the
//! [layers](Links::lay) that lie on it now, so two faults on one link neither undo each other nor leave anything behind,
//! whichever ends first.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;

use super::{
    HostSpec,
    link::{Rule, Why},
};

/// The rules of a fabric's links. A cheap clone.
#[derive(Clone, Debug)]
pub struct Links {
    shared: Arc<Shared>,
}

/// Some of the hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// Every host.
    All,
    /// One host.
    Host(String),
    /// These hosts.
    Hosts(Vec<String>),
    /// Every host of a zone.
    Zone(String),
    /// Every host but these.
    Others(Box<Self>),
}

/// A name that no host and no zone has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no host and no zone of this fabric is called {0:?}")]
pub struct UnknownHost(pub String);

/// A rule that lies on some links until this is dropped.
#[derive(Debug)]
#[must_use = "the rule is taken off when this is dropped"]
pub struct Layer {
    links: Links,
    id: u64,
}

/// What passed from one host to another since the fabric was built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PairCounts {
    /// Who sent.
    pub from: String,
    /// For whom.
    pub to: String,
    /// Packets that arrived; one that arrives twice counts twice.
    pub delivered: u64,
    /// Bytes that arrived.
    pub delivered_bytes: u64,
    /// Packets that a cut took.
    pub cut: u64,
    /// Packets that chance took.
    pub lost: u64,
    /// Packets that found a queue full.
    pub full: u64,
    /// Packets that arrived with wrong bits.
    pub corrupted: u64,
    /// Packets that arrived once more.
    pub duplicated: u64,
    /// Packets that others overtook.
    pub reordered: u64,
    /// Packets that the receiver's device did not take.
    pub refused: u64,
}

#[derive(Debug)]
struct Shared {
    hosts: Vec<(String, String)>,
    table: Mutex<Table>,
    /// Counts the changes of the table, so that the relay can look without the lock.
    generation: AtomicU64,
    tallies: Vec<Tally>,
    /// Packets for addresses that no host has.
    strays: AtomicU64,
}

#[derive(Debug, Default)]
struct Table {
    base: Vec<Rule>,
    layers: BTreeMap<u64, (Vec<usize>, Rule)>,
    next_layer: u64,
}

/// The live counters of one direction.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    delivered: AtomicU64,
    delivered_bytes: AtomicU64,
    cut: AtomicU64,
    lost: AtomicU64,
    full: AtomicU64,
    corrupted: AtomicU64,
    duplicated: AtomicU64,
    reordered: AtomicU64,
    refused: AtomicU64,
}

impl Links {
    pub(crate) fn new(hosts: &[HostSpec]) -> Self {
        let pairs = hosts.len() * hosts.len();
        Self {
            shared: Arc::new(Shared {
                hosts: hosts
                    .iter()
                    .map(|h| (h.name.clone(), h.zone.clone()))
                    .collect(),
                table: Mutex::new(Table {
                    base: vec![Rule::default(); pairs],
                    ..Table::default()
                }),
                generation: AtomicU64::new(1),
                tallies: (0..pairs).map(|_| Tally::default()).collect(),
                strays: AtomicU64::new(0),
            }),
        }
    }

    /// Sets the rule from each of these to each of those, until it is set again or [cleared](Links::clear). Packets sent
    /// after this returns pass under it; a cut also takes what is under way.
    ///
    /// # Errors
    /// [`UnknownHost`], and nothing is changed.
    pub fn set(&self, from: &Select, to: &Select, rule: Rule) -> Result<(), UnknownHost> {
        let pairs = self.pairs(from, to)?;
        self.change(|table| {
            for pair in &pairs {
                if let Some(base) = table.base.get_mut(*pair) {
                    *base = rule;
                }
            }
        });
        Ok(())
    }

    /// Lays a rule over those that the links from each of these to each of those have already, until the layer is dropped.
    ///
    /// # Errors
    /// [`UnknownHost`], and nothing is changed.
    pub fn lay(&self, from: &Select, to: &Select, rule: Rule) -> Result<Layer, UnknownHost> {
        self.lay_all(&[(from, to)], rule)
    }

    /// As [`Links::lay`], in both directions.
    ///
    /// # Errors
    /// [`UnknownHost`], and nothing is changed.
    pub fn lay_both(
        &self,
        some: &Select,
        others: &Select,
        rule: Rule,
    ) -> Result<Layer, UnknownHost> {
        self.lay_all(&[(some, others), (others, some)], rule)
    }

    /// Takes every rule off: all links are perfect. Layers that are held still do nothing any more.
    pub fn clear(&self) {
        self.change(|table| {
            table.base.fill(Rule::default());
            table.layers.clear();
        });
    }

    /// The rule that holds from one host to another.
    ///
    /// # Errors
    /// [`UnknownHost`].
    pub fn rule(&self, from: &str, to: &str) -> Result<Rule, UnknownHost> {
        let pair = self.index(from)? * self.shared.hosts.len() + self.index(to)?;
        let rules = self.rules().0;
        rules
            .get(pair)
            .copied()
            .ok_or_else(|| UnknownHost(to.to_owned()))
    }

    /// What passed, for every ordered pair of hosts.
    #[must_use]
    pub fn counts(&self) -> Vec<PairCounts> {
        let hosts = &self.shared.hosts;
        let pairs = hosts
            .iter()
            .flat_map(|(from, _)| hosts.iter().map(move |(to, _)| (from, to)));
        pairs
            .zip(&self.shared.tallies)
            .filter(|((from, to), _)| from != to)
            .map(|((from, to), tally)| tally.read(from, to))
            .collect()
    }

    /// How many packets were for an address that no host has.
    #[must_use]
    pub fn strays(&self) -> u64 {
        self.shared.strays.load(Ordering::Relaxed)
    }

    /// The names of the hosts, in the order they were given.
    #[must_use]
    pub fn hosts(&self) -> Vec<String> {
        self.shared.hosts.iter().map(|(n, _)| n.clone()).collect()
    }

    /// The number of the last change.
    pub(crate) fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    /// Every pair's rule as it is now, row by row, and the change it is of.
    pub(crate) fn rules(&self) -> (Vec<Rule>, u64) {
        let table = self.shared.table.lock();
        let mut rules = table.base.clone();
        for (pairs, rule) in table.layers.values() {
            for pair in pairs {
                if let Some(sum) = rules.get_mut(*pair) {
                    *sum = sum.and(*rule);
                }
            }
        }
        (rules, self.generation())
    }

    /// The counters of a pair, by its place in [`Links::rules`].
    pub(crate) fn tally(&self, pair: usize) -> Option<&Tally> {
        self.shared.tallies.get(pair)
    }

    pub(crate) fn count_stray(&self) {
        self.shared.strays.fetch_add(1, Ordering::Relaxed);
    }

    fn lay_all(&self, sides: &[(&Select, &Select)], rule: Rule) -> Result<Layer, UnknownHost> {
        let mut pairs = Vec::new();
        for (from, to) in sides {
            pairs.extend(self.pairs(from, to)?);
        }
        pairs.sort_unstable();
        pairs.dedup();
        let mut id = 0;
        self.change(|table| {
            id = table.next_layer;
            table.next_layer += 1;
            table.layers.insert(id, (pairs, rule));
        });
        Ok(Layer {
            links: self.clone(),
            id,
        })
    }

    /// Changes the table and says so before the lock is given back: who sees the number sees the rules.
    fn change(&self, how: impl FnOnce(&mut Table)) {
        let mut table = self.shared.table.lock();
        how(&mut table);
        self.shared.generation.fetch_add(1, Ordering::Release);
    }

    fn pairs(&self, from: &Select, to: &Select) -> Result<Vec<usize>, UnknownHost> {
        let (from, to) = (self.members(from)?, self.members(to)?);
        let count = self.shared.hosts.len();
        Ok(from
            .iter()
            .flat_map(|f| {
                to.iter()
                    .filter(move |t| *t != f)
                    .map(move |t| f * count + t)
            })
            .collect())
    }

    fn members(&self, select: &Select) -> Result<Vec<usize>, UnknownHost> {
        let all = || 0..self.shared.hosts.len();
        match select {
            Select::All => Ok(all().collect()),
            Select::Host(name) => Ok(vec![self.index(name)?]),
            Select::Hosts(names) => names.iter().map(|name| self.index(name)).collect(),
            Select::Zone(zone) => {
                let hosts = self.shared.hosts.iter().enumerate();
                let members: Vec<_> = hosts
                    .filter(|(_, (_, z))| z == zone)
                    .map(|(i, _)| i)
                    .collect();
                if members.is_empty() {
                    return Err(UnknownHost(zone.clone()));
                }
                Ok(members)
            }
            Select::Others(these) => {
                let these = self.members(these)?;
                Ok(all().filter(|i| !these.contains(i)).collect())
            }
        }
    }

    fn index(&self, name: &str) -> Result<usize, UnknownHost> {
        self.shared
            .hosts
            .iter()
            .position(|(host, _)| host == name)
            .ok_or_else(|| UnknownHost(name.to_owned()))
    }
}

impl Select {
    /// Every host but these.
    #[must_use]
    pub fn others(self) -> Self {
        Self::Others(Box::new(self))
    }
}

impl Layer {
    /// Makes the rule of this layer another one.
    pub fn change(&self, rule: Rule) {
        self.links.change(|table| {
            if let Some((_, lies)) = table.layers.get_mut(&self.id) {
                *lies = rule;
            }
        });
    }
}

impl Drop for Layer {
    fn drop(&mut self) {
        self.links.change(|table| {
            table.layers.remove(&self.id);
        });
    }
}

impl Tally {
    pub(crate) fn delivered(&self, bytes: usize) {
        add(&self.delivered, 1);
        add(&self.delivered_bytes, u64::try_from(bytes).unwrap_or(0));
    }

    pub(crate) fn dropped(&self, why: Why) {
        match why {
            Why::Cut => add(&self.cut, 1),
            Why::Lost => add(&self.lost, 1),
            Why::Full => add(&self.full, 1),
        }
    }

    pub(crate) fn corrupted(&self) {
        add(&self.corrupted, 1);
    }

    pub(crate) fn duplicated(&self) {
        add(&self.duplicated, 1);
    }

    pub(crate) fn reordered(&self) {
        add(&self.reordered, 1);
    }

    pub(crate) fn refused(&self) {
        add(&self.refused, 1);
    }

    fn read(&self, from: &str, to: &str) -> PairCounts {
        let now = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        PairCounts {
            from: from.to_owned(),
            to: to.to_owned(),
            delivered: now(&self.delivered),
            delivered_bytes: now(&self.delivered_bytes),
            cut: now(&self.cut),
            lost: now(&self.lost),
            full: now(&self.full),
            corrupted: now(&self.corrupted),
            duplicated: now(&self.duplicated),
            reordered: now(&self.reordered),
            refused: now(&self.refused),
        }
    }
}

fn add(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use super::*;

    fn links() -> Links {
        let spec =
            |n: u8, name: &str, zone: &str| HostSpec::new(name, zone, Ipv4Addr::new(10, 0, 0, n));
        Links::new(&[
            spec(1, "n1", "a"),
            spec(2, "n2", "b"),
            spec(3, "n3", "c"),
            spec(4, "client", "outside"),
        ])
    }

    fn host(name: &str) -> Select {
        Select::Host(name.to_owned())
    }

    fn cut_pairs(links: &Links) -> Vec<(String, String)> {
        let hosts = links.hosts();
        let pairs = hosts.iter().flat_map(|a| hosts.iter().map(move |b| (a, b)));
        pairs
            .filter(|(a, b)| links.rule(a, b).unwrap().cut)
            .map(|(a, b)| (a.clone(), b.clone()))
            .collect()
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn a_rule_holds_in_one_direction_for_whom_it_names() {
        let links = links();
        links.set(&host("n1"), &host("n2"), Rule::cut()).unwrap();
        assert_eq!(cut_pairs(&links), [pair("n1", "n2")]);
        links.clear();
        let zone = Select::Zone("a".to_owned());
        links
            .set(&zone, &zone.clone().others(), Rule::cut())
            .unwrap();
        let out = [pair("n1", "n2"), pair("n1", "n3"), pair("n1", "client")];
        assert_eq!(cut_pairs(&links), out);
        links.clear();
        links.set(&Select::All, &Select::All, Rule::cut()).unwrap();
        assert_eq!(cut_pairs(&links).len(), 12, "nobody is cut from itself");
    }

    #[test]
    fn a_name_that_nobody_has_changes_nothing() {
        let links = links();
        let wrong = links.set(&host("n1"), &host("n9"), Rule::cut());
        assert_eq!(wrong, Err(UnknownHost("n9".to_owned())));
        let wrong = links.set(&Select::Zone("d".to_owned()), &Select::All, Rule::cut());
        assert_eq!(wrong, Err(UnknownHost("d".to_owned())));
        assert!(cut_pairs(&links).is_empty());
    }

    #[test]
    fn layers_add_up_and_come_off_in_any_order() {
        let links = links();
        let second = Duration::from_secs(1);
        let slow = Rule::slow(second, Duration::ZERO);
        links.set(&host("n1"), &host("n2"), slow).unwrap();
        let first = links
            .lay_both(&host("n1"), &host("n2"), Rule::cut())
            .unwrap();
        let other = links.lay(&host("n1"), &host("n2"), slow).unwrap();
        assert_eq!(
            links.rule("n1", "n2").unwrap(),
            slow.and(slow).and(Rule::cut())
        );
        assert!(links.rule("n2", "n1").unwrap().cut);
        first.change(Rule::default());
        assert!(cut_pairs(&links).is_empty());
        first.change(Rule::cut());
        drop(first);
        assert_eq!(links.rule("n1", "n2").unwrap(), slow.and(slow));
        drop(other);
        assert_eq!(links.rule("n1", "n2").unwrap(), slow);
        let held = links.lay(&Select::All, &Select::All, Rule::cut()).unwrap();
        links.clear();
        assert!(cut_pairs(&links).is_empty());
        held.change(Rule::cut());
        assert!(cut_pairs(&links).is_empty());
    }

    #[test]
    fn every_change_has_a_number() {
        let links = links();
        let before = links.generation();
        links.clear();
        assert!(links.generation() > before);
        assert_eq!(links.rules().1, links.generation());
        assert_eq!(links.counts().len(), 12);
    }
}
