//! When something was broken, and how far clients may have felt it.

use std::time::Duration;

use parking_lot::Mutex;

/// How long after its end a fault may still be felt.
const RECOVERY: Duration = Duration::from_secs(6);

/// How far a fault reaches, at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Anything may be felt.
    All,
    /// Controllers and nothing else, where roles are apart: what is known goes on being served.
    Controllers,
    /// What one worker makes of invocations, while it is alive: another one is asked, or it takes longer.
    Worker,
    /// The nodes of one zone, which are down: the other zones go on.
    Zone,
}

/// A time in which something was broken.
#[derive(Clone, Debug)]
struct Trouble {
    from: Duration,
    /// Open while it lasts.
    to: Option<Duration>,
    reach: Reach,
    /// Nodes that are down for as long as it lasts.
    lost: Vec<usize>,
}

/// All troubles of a run.
#[derive(Default)]
pub(crate) struct Troubles(Mutex<Vec<Trouble>>);

impl Trouble {
    /// Whether it may be felt at some time between two moments.
    fn is_felt(&self, from: Duration, to: Duration) -> bool {
        self.from <= to && self.to.is_none_or(|end| end + RECOVERY >= from)
    }
}

impl Troubles {
    /// Something is broken from now on. Answers its place, for its end.
    pub(crate) fn begin(&self, now: Duration, reach: Reach, lost: &[usize]) -> usize {
        let mut all = self.0.lock();
        all.push(Trouble {
            from: now,
            to: None,
            reach,
            lost: lost.to_vec(),
        });
        all.len() - 1
    }

    /// It is mended.
    pub(crate) fn end(&self, place: usize, now: Duration) {
        if let Some(trouble) = self.0.lock().get_mut(place) {
            trouble.to = Some(now);
        }
    }

    /// Whether nothing was broken from a while before until a moment, but what reaches only so far.
    pub(crate) fn was_calm(&self, from: Duration, to: Duration, despite: &[Reach]) -> bool {
        let all = self.0.lock();
        let mut felt = all.iter().filter(|t| t.is_felt(from, to));
        felt.all(|t| despite.contains(&t.reach))
    }

    /// The nodes of the zone that was down at a moment, if nothing else was broken from then until another moment, but what
    /// reaches only so far.
    pub(crate) fn lost_zone(
        &self,
        from: Duration,
        to: Duration,
        despite: &[Reach],
    ) -> Option<Vec<usize>> {
        let all = self.0.lock();
        let felt = all.iter().filter(|t| t.is_felt(from, to));
        let mut felt = felt.filter(|t| !despite.contains(&t.reach));
        let only = felt.next().filter(|t| t.reach == Reach::Zone)?;
        let is_down = only.from <= from && only.to.is_none_or(|end| end >= from);
        (is_down && felt.next().is_none()).then(|| only.lost.clone())
    }

    /// From when on nothing is felt any more of what was mended so far.
    pub(crate) fn calm_from(&self) -> Duration {
        let all = self.0.lock();
        let ends = all.iter().filter_map(|t| t.to);
        ends.max().map_or(Duration::ZERO, |end| end + RECOVERY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_trouble_is_felt_while_it_lasts_and_a_while_after() {
        let troubles = Troubles::default();
        let calm = |from, to| troubles.was_calm(s(from), s(to), &[]);
        assert!(calm(0, 100));
        let place = troubles.begin(s(10), Reach::All, &[]);
        assert!(calm(0, 9) && !calm(0, 10) && !calm(100, 101));
        troubles.end(place, s(20));
        assert!(!calm(26, 27) && calm(27, 28));
        assert_eq!(troubles.calm_from(), s(26));
    }

    #[test]
    fn what_reaches_less_far_can_be_left_out() {
        let troubles = Troubles::default();
        troubles.begin(s(10), Reach::Controllers, &[]);
        assert!(troubles.was_calm(s(11), s(12), &[Reach::Worker, Reach::Controllers]));
        troubles.begin(s(10), Reach::Worker, &[]);
        assert!(!troubles.was_calm(s(11), s(12), &[Reach::Controllers]));
    }

    #[test]
    fn a_lost_zone_counts_alone_and_while_it_is_down() {
        let troubles = Troubles::default();
        let lost = |from, to| troubles.lost_zone(s(from), s(to), &[Reach::Controllers]);
        let place = troubles.begin(s(10), Reach::Zone, &[1, 2]);
        troubles.begin(s(11), Reach::Controllers, &[]);
        assert_eq!(lost(9, 12), None);
        assert_eq!(lost(10, 12), Some(vec![1, 2]));
        troubles.end(place, s(20));
        assert_eq!(lost(20, 22), Some(vec![1, 2]));
        assert_eq!(lost(21, 22), None);
        troubles.begin(s(15), Reach::All, &[]);
        assert_eq!(lost(12, 14), Some(vec![1, 2]));
        assert_eq!(lost(12, 15), None);
    }
}
