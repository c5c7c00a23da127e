//! The search for an order of calls that explains their answers.
//!
//! The algorithm is Wing and Gong's (1993) in the form of Lowe, "Testing for linearizability" (2017): calls are ordered just
//! in time, when one of them ends and must have taken effect by then, and configurations that were seen are not looked at
//! again. Partitioning by key is Horn and Kroening's (2015), as porcupine does it. What is added is for calls that nobody
//! knows the outcome of, which stay open for ever and would double the work each:
//!
//! - a configuration that reached the same state with fewer of them stands for the one with more;
//! - one is tried only directly before a call that it can make a difference to, and only if it could not as well have come
//!   after that call;
//! - an open call that is right as things are and could never change anything is put in its place at once.

use std::collections::BTreeMap;

/// What calls do to a state.
pub(super) trait Model: Sized {
    type State: Clone + Ord;

    fn initial() -> Self::State;

    /// The state after this call, if it can have had the outcome that it had; for one without a known outcome, if it can
    /// have made a change.
    fn step(&self, state: &Self::State) -> Option<Self::State>;

    /// Whether this call, with the outcome that it had, can change nothing whatever the state is. A change that happens to
    /// change nothing now (to delete what is not there) is another matter: later it might. `false` is always right, and
    /// slow.
    fn only_looks(&self) -> bool {
        false
    }

    /// Whether this call can decide over the outcome of one that comes after it, or over what that one does. `true` is
    /// always right, and slow.
    fn concerns(&self, later: &Self) -> bool;
}

/// A call and when it was under way.
#[derive(Clone, Debug)]
pub(super) struct Span<C> {
    pub(super) call: C,
    /// Place of its beginning in the order of all beginnings and ends.
    pub(super) begun: usize,
    /// Place of its end: it took effect by then. `None` if it may take effect later, or never.
    pub(super) ended: Option<usize>,
}

/// What a search came to.
pub(super) struct Search<S> {
    pub(super) end: SearchEnd<S>,
    pub(super) steps: u64,
}

pub(super) enum SearchEnd<S> {
    /// There is an order.
    Explained,
    /// There was no end within the steps.
    GivenUp,
    /// There is none: this call cannot have ended so.
    Stuck {
        /// Its place among the calls.
        at: usize,
        /// The states that were possible until then.
        before: Vec<S>,
    },
}

/// Searches, in at most so many steps.
pub(super) fn search<M: Model>(spans: &[Span<M>], steps_max: u64) -> Search<M::State> {
    let mut searching = Searching {
        spans,
        helpers: Helpers::of(spans),
        steps: 0,
        steps_max,
    };
    let end = searching.run();
    Search {
        end,
        steps: searching.steps,
    }
}

/// What was ordered so far: open calls that are done, and calls of unknown outcome that were used.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Ordered {
    done: Vec<usize>,
    used: Vec<usize>,
}

/// Configurations, none of which stands for another.
struct Frontier<S>(BTreeMap<(S, Vec<usize>), Vec<Vec<usize>>>);

struct Searching<'a, M: Model> {
    spans: &'a [Span<M>],
    helpers: Helpers,
    steps: u64,
    steps_max: u64,
}

/// For each call the ones of unknown outcome that may matter before it, directly or by others of them.
struct Helpers(Vec<Vec<usize>>);

/// A way to do a call: the state after it, and the calls of unknown outcome that are used by then.
type Way<S> = (S, Vec<usize>);

/// The steps are used up.
struct GivenUp;

impl<M: Model> Searching<'_, M> {
    fn run(&mut self) -> SearchEnd<M::State> {
        let mut events: Vec<(usize, usize, bool)> = Vec::new();
        for (n, span) in self.spans.iter().enumerate() {
            events.push((span.begun, n, false));
            if let Some(ended) = span.ended {
                events.push((ended, n, true));
            }
        }
        events.sort_unstable();
        let mut open: Vec<usize> = Vec::new();
        let mut current = Frontier::start(M::initial());
        for (_, n, is_end) in events {
            let next = if is_end {
                let next = self.end(n, &open, &current);
                open.retain(|o| *o != n);
                next
            } else {
                if self.is_bounded(n) {
                    open.push(n);
                }
                self.begin(n, &current)
            };
            match next {
                Err(GivenUp) => return SearchEnd::GivenUp,
                Ok(next) if next.0.is_empty() => {
                    return SearchEnd::Stuck {
                        at: n,
                        before: current.states(),
                    };
                }
                Ok(next) => current = next,
            }
        }
        SearchEnd::Explained
    }

    fn is_bounded(&self, n: usize) -> bool {
        self.spans.get(n).is_some_and(|span| span.ended.is_some())
    }

    /// A call has begun: where it is right and only looks it is done.
    fn begin(
        &mut self,
        n: usize,
        current: &Frontier<M::State>,
    ) -> Result<Frontier<M::State>, GivenUp> {
        let mut next = Frontier::default();
        for (state, mut ordered) in current.iter() {
            if self.is_bounded(n) && self.is_right(n, state)? {
                insert(&mut ordered.done, n);
            }
            next.add(state.clone(), ordered);
        }
        Ok(next)
    }

    /// A call has ended: all ways to have it in the order by now.
    fn end(
        &mut self,
        n: usize,
        open: &[usize],
        current: &Frontier<M::State>,
    ) -> Result<Frontier<M::State>, GivenUp> {
        let mut next = Frontier::default();
        let mut seen = Frontier::default();
        let mut todo = Vec::new();
        for (state, ordered) in current.iter() {
            if seen.add(state.clone(), ordered.clone()) {
                todo.push((state.clone(), ordered));
            }
        }
        while let Some((state, mut ordered)) = todo.pop() {
            if remove(&mut ordered.done, n) {
                next.add(state, ordered);
                continue;
            }
            for x in open.iter().copied() {
                if ordered.done.contains(&x) {
                    continue;
                }
                for (after, used) in self.ways(x, n, &state, &ordered.used)? {
                    let mut reached = Ordered {
                        done: ordered.done.clone(),
                        used,
                    };
                    insert(&mut reached.done, x);
                    self.settle(open, &after, &mut reached.done)?;
                    if seen.add(after.clone(), reached.clone()) {
                        todo.push((after, reached));
                    }
                }
            }
        }
        Ok(next)
    }

    /// Does every open call that is right as things are and only looks.
    fn settle(
        &mut self,
        open: &[usize],
        state: &M::State,
        done: &mut Vec<usize>,
    ) -> Result<(), GivenUp> {
        for x in open.iter().copied() {
            if !done.contains(&x) && self.is_right(x, state)? {
                insert(done, x);
            }
        }
        Ok(())
    }

    /// All ways to do a call, with calls of unknown outcome before it that it needs.
    fn ways(
        &mut self,
        x: usize,
        ending: usize,
        state: &M::State,
        used: &[usize],
    ) -> Result<Vec<Way<M::State>>, GivenUp> {
        let now = self.spans.get(ending).and_then(|span| span.ended);
        let helpers: Vec<usize> = self
            .helpers
            .0
            .get(x)
            .into_iter()
            .flatten()
            .copied()
            .collect();
        let helpers: Vec<usize> = helpers
            .into_iter()
            .filter(|u| !used.contains(u))
            .filter(|u| self.spans.get(*u).map(|span| span.begun) < now)
            .collect();
        let mut ways = Vec::new();
        let mut seen = Frontier::start(state.clone());
        let mut todo = vec![(state.clone(), Vec::new())];
        while let Some((at, chain)) = todo.pop() {
            if let Some(after) = self.step(x, &at)?
                && !self.can_wait(state, &chain, x, &after)?
            {
                let mut used = used.to_vec();
                for u in &chain {
                    insert(&mut used, *u);
                }
                ways.push((after, used));
            }
            for u in helpers.iter().copied() {
                if chain.contains(&u) {
                    continue;
                }
                let Some(after) = self.step(u, &at)?.filter(|after| *after != at) else {
                    continue;
                };
                let mut longer = chain.clone();
                longer.push(u);
                let mut set = longer.clone();
                set.sort_unstable();
                let ordered = Ordered {
                    done: Vec::new(),
                    used: set,
                };
                if seen.add(after.clone(), ordered) {
                    todo.push((after, longer));
                }
            }
        }
        Ok(ways)
    }

    /// Whether one call of the chain before `x` could as well come after it. Then that order, or none, is looked at later.
    fn can_wait(
        &mut self,
        from: &M::State,
        chain: &[usize],
        x: usize,
        to: &M::State,
    ) -> Result<bool, GivenUp> {
        for late in chain {
            let mut state = Some(from.clone());
            let others = chain.iter().filter(|u| *u != late);
            for n in others.chain([&x, late]) {
                let Some(at) = state.take() else { break };
                state = self.step(*n, &at)?;
            }
            if state.as_ref() == Some(to) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a call only looks, and saw what is so.
    fn is_right(&mut self, n: usize, state: &M::State) -> Result<bool, GivenUp> {
        let looks = self.spans.get(n).is_some_and(|span| span.call.only_looks());
        Ok(looks && self.step(n, state)?.as_ref() == Some(state))
    }

    fn step(&mut self, n: usize, state: &M::State) -> Result<Option<M::State>, GivenUp> {
        self.steps += 1;
        if self.steps > self.steps_max {
            return Err(GivenUp);
        }
        Ok(self.spans.get(n).and_then(|span| span.call.step(state)))
    }
}

impl Helpers {
    fn of<M: Model>(spans: &[Span<M>]) -> Self {
        let unknown: Vec<(usize, &Span<M>)> = spans
            .iter()
            .enumerate()
            .filter(|(_, span)| span.ended.is_none())
            .collect();
        let concerning = |later: &Span<M>| -> Vec<usize> {
            let before = unknown.iter().filter(|(_, u)| u.call.concerns(&later.call));
            before.map(|(n, _)| *n).collect()
        };
        let among: BTreeMap<usize, Vec<usize>> = unknown
            .iter()
            .map(|(n, span)| (*n, concerning(span)))
            .collect();
        let all = spans.iter().map(|span| {
            let mut found = Vec::new();
            if span.ended.is_some() {
                let mut todo = concerning(span);
                while let Some(n) = todo.pop() {
                    if insert(&mut found, n) {
                        todo.extend(among.get(&n).into_iter().flatten());
                    }
                }
            }
            found
        });
        Self(all.collect())
    }
}

impl<S> Default for Frontier<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: Clone + Ord> Frontier<S> {
    fn start(state: S) -> Self {
        let mut frontier = Self::default();
        frontier.add(state, Ordered::default());
        frontier
    }

    /// Adds a configuration, unless another one stands for it.
    fn add(&mut self, state: S, ordered: Ordered) -> bool {
        let sets = self.0.entry((state, ordered.done)).or_default();
        if sets.iter().any(|set| is_subset(set, &ordered.used)) {
            return false;
        }
        sets.retain(|set| !is_subset(&ordered.used, set));
        sets.push(ordered.used);
        true
    }

    fn iter(&self) -> impl Iterator<Item = (&S, Ordered)> {
        self.0.iter().flat_map(|((state, done), sets)| {
            sets.iter().map(move |used| {
                let ordered = Ordered {
                    done: done.clone(),
                    used: used.clone(),
                };
                (state, ordered)
            })
        })
    }

    fn states(&self) -> Vec<S> {
        let mut states: Vec<S> = self.0.keys().map(|(state, _)| state.clone()).collect();
        states.dedup();
        states
    }
}

/// Puts into a sorted list, once.
fn insert(sorted: &mut Vec<usize>, n: usize) -> bool {
    match sorted.binary_search(&n) {
        Ok(_) => false,
        Err(at) => {
            sorted.insert(at, n);
            true
        }
    }
}

fn remove(sorted: &mut Vec<usize>, n: usize) -> bool {
    let found = sorted.binary_search(&n);
    found.is_ok_and(|at| sorted.remove(at) == n)
}

/// Both sorted.
fn is_subset(small: &[usize], large: &[usize]) -> bool {
    small.iter().all(|n| large.binary_search(n).is_ok())
}
