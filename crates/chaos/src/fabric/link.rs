//! What becomes of one packet on one direction of one link. Pure: time and chance come in as arguments.
//!
//! A packet first has to pass the cut and the loss, then it waits for its turn on the wire if the link has a rate, then it
//! travels for the delay. Packets keep their order however the delay varies; only those that are drawn for it fall
//! behind. Both queues, for the wire and on the way, are bounded and drop what comes last.

use std::time::Duration;

/// The most bytes on their way on one direction of a link: half a second of a gigabit.
pub(crate) const UNDER_WAY_MAX: usize = 64 << 20;
/// How long a packet may wait for its turn on a link with a rate: what a router of such a link would hold.
pub(crate) const TURN_MAX: Duration = Duration::from_millis(250);
/// How far a packet falls behind at least when it loses its place.
const BEHIND_MIN: Duration = Duration::from_millis(1);

/// How one direction of a link behaves. The default is a perfect link.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rule {
    /// The share of packets that vanish, 0 to 1.
    pub loss: f64,
    /// How long a packet travels.
    pub delay: Duration,
    /// How much that varies, evenly, to either side.
    pub jitter: Duration,
    /// How many bits pass a second; as many as this machine can if not given.
    pub rate: Option<u64>,
    /// The share of packets with one wrong bit: checksums see it, so it shows as loss, later.
    pub corrupt: f64,
    /// The share of packets with two wrong bits of payload that checksums do not see: what is left to cryptography.
    pub corrupt_unseen: f64,
    /// The share of packets that arrive twice.
    pub duplicate: f64,
    /// The share of packets that others overtake, by the delay but at least 1 ms.
    pub reorder: f64,
    /// Whether nothing passes. It takes what is under way, too.
    pub cut: bool,
}

/// One direction of one link, as it is now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lane {
    /// When the wire is free for the next packet.
    free_at: Duration,
    /// When the last packet arrives that kept its place.
    last_at: Duration,
    /// Bytes on their way.
    under_way: usize,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// It does not arrive.
    Dropped(Why),
    /// It arrives.
    Carried {
        /// When, on the clock that was passed in.
        at: Duration,
        /// Whether it arrives twice.
        twice: bool,
        /// Whether it fell behind others.
        behind: bool,
        /// What it suffers.
        damage: Option<Damage>,
    },
}

/// Why a packet does not arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// The link is cut.
    Cut,
    /// Chance.
    Lost,
    /// A queue is full.
    Full,
}

/// What a packet suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// One bit, which checksums see; chosen by these random bits.
    Seen(u64),
    /// Two bits that cancel each other out in a checksum; chosen by these random bits.
    Unseen(u64),
}

impl Rule {
    /// A link over which nothing passes.
    #[must_use]
    pub fn cut() -> Self {
        Self {
            cut: true,
            ..Self::default()
        }
    }

    /// A link over which this share of packets vanishes.
    #[must_use]
    pub fn lossy(loss: f64) -> Self {
        Self {
            loss,
            ..Self::default()
        }
    }

    /// A link over which packets take this long, give or take.
    #[must_use]
    pub fn slow(delay: Duration, jitter: Duration) -> Self {
        Self {
            delay,
            jitter,
            ..Self::default()
        }
    }

    /// A link with both troubles, one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let either = |a: f64, b: f64| 1.0 - (1.0 - a) * (1.0 - b);
        Self {
            loss: either(self.loss, other.loss),
            delay: self.delay.saturating_add(other.delay),
            jitter: self.jitter.saturating_add(other.jitter),
            rate: match (self.rate, other.rate) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            },
            corrupt: either(self.corrupt, other.corrupt),
            corrupt_unseen: either(self.corrupt_unseen, other.corrupt_unseen),
            duplicate: either(self.duplicate, other.duplicate),
            reorder: either(self.reorder, other.reorder),
            cut: self.cut || other.cut,
        }
    }
}

impl Lane {
    /// Decides about a packet of `size` bytes that is sent `now`. `draw` gives 64 random bits a call; a perfect link draws
    /// nothing. `now` never runs backwards.
    pub(crate) fn pass(
        &mut self,
        rule: &Rule,
        now: Duration,
        size: usize,
        mut draw: impl FnMut() -> u64,
    ) -> Passage {
        if rule.cut {
            return Passage::Dropped(Why::Cut);
        }
        if hit(rule.loss, &mut draw) {
            return Passage::Dropped(Why::Lost);
        }
        let turn = self.free_at.saturating_sub(now);
        if turn > TURN_MAX || self.under_way.saturating_add(size) > UNDER_WAY_MAX {
            return Passage::Dropped(Why::Full);
        }
        let sent = rule.rate.map_or(now, |rate| {
            self.free_at = now + turn + on_the_wire(size, rate);
            self.free_at
        });
        let behind = hit(rule.reorder, &mut draw);
        let travelled = sent + travel(rule, &mut draw);
        let at = if behind {
            travelled + rule.delay.max(BEHIND_MIN)
        } else {
            self.last_at = self.last_at.max(travelled);
            self.last_at
        };
        let damage = if hit(rule.corrupt, &mut draw) {
            Some(Damage::Seen(draw()))
        } else if hit(rule.corrupt_unseen, &mut draw) {
            Some(Damage::Unseen(draw()))
        } else {
            None
        };
        let twice = hit(rule.duplicate, &mut draw);
        Passage::Carried {
            at,
            twice,
            behind,
            damage,
        }
    }

    /// A packet is kept until it arrives.
    pub(crate) fn keep(&mut self, size: usize) {
        self.under_way = self.under_way.saturating_add(size);
    }

    /// A packet that was kept has arrived, or never will.
    pub(crate) fn release(&mut self, size: usize) {
        self.under_way = self.under_way.saturating_sub(size);
    }

    /// The rule is another one: what is sent now waits no more for what was sent under the old one.
    pub(crate) fn renew(&mut self) {
        self.free_at = Duration::ZERO;
        self.last_at = Duration::ZERO;
    }
}

/// Whether a draw hits this share. A share of nothing draws nothing.
fn hit(share: f64, draw: &mut impl FnMut() -> u64) -> bool {
    share > 0.0 && unit(draw()) < share
}

/// An even number from 0 to 1, without 1.
#[expect(
    clippy::cast_precision_loss,
    reason = "53 bits fit an f64 without loss"
)]
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

fn travel(rule: &Rule, draw: &mut impl FnMut() -> u64) -> Duration {
    if rule.jitter.is_zero() {
        return rule.delay;
    }
    let varied = rule.delay + rule.jitter.mul_f64(2.0 * unit(draw()));
    varied.saturating_sub(rule.jitter)
}

/// How long a packet occupies a wire of so many bits a second.
fn on_the_wire(size: usize, rate: u64) -> Duration {
    let bits = u128::try_from(size).unwrap_or(u128::MAX).saturating_mul(8);
    let nanos = bits.saturating_mul(1_000_000_000) / u128::from(rate.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use host::{Entropy, SeededEntropy};

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn no_draw() -> u64 {
        panic!("a perfect link draws nothing")
    }

    fn at(passage: Passage) -> Duration {
        match passage {
            Passage::Carried { at, .. } => at,
            Passage::Dropped(why) => panic!("dropped: {why:?}"),
        }
    }

    fn share(rule: Rule, is: impl Fn(Passage) -> bool) -> f64 {
        let entropy = SeededEntropy::new(7);
        let mut lane = Lane::default();
        let hits = (0..20_000)
            .filter(|i| is(lane.pass(&rule, MS * *i, 100, || entropy.next_u64())))
            .count();
        hits as f64 / 20_000.0
    }

    #[test]
    fn a_perfect_link_carries_at_once() {
        let passage = Lane::default().pass(&Rule::default(), MS * 5, 1500, no_draw);
        let whole = Passage::Carried {
            at: MS * 5,
            twice: false,
            behind: false,
            damage: None,
        };
        assert_eq!(passage, whole);
    }

    #[test]
    fn a_cut_link_carries_nothing() {
        let passage = Lane::default().pass(&Rule::cut(), MS, 1, no_draw);
        assert_eq!(passage, Passage::Dropped(Why::Cut));
    }

    #[test]
    fn chance_strikes_as_often_as_it_should() {
        let lost = |p| p == Passage::Dropped(Why::Lost);
        assert!((share(Rule::lossy(0.2), lost) - 0.2).abs() < 0.01);
        assert!((share(Rule::lossy(1.0), lost) - 1.0).abs() < f64::EPSILON);
        let damaged = |p| {
            matches!(
                p,
                Passage::Carried {
                    damage: Some(Damage::Seen(_)),
                    ..
                }
            )
        };
        let corrupt = Rule {
            corrupt: 0.05,
            ..Rule::default()
        };
        assert!((share(corrupt, damaged) - 0.05).abs() < 0.01);
        let unseen = Rule {
            corrupt_unseen: 0.05,
            ..Rule::default()
        };
        let forged = |p| {
            matches!(
                p,
                Passage::Carried {
                    damage: Some(Damage::Unseen(_)),
                    ..
                }
            )
        };
        assert!((share(unseen, forged) - 0.05).abs() < 0.01);
        let twice = Rule {
            duplicate: 0.5,
            ..Rule::default()
        };
        assert!(
            (share(twice, |p| matches!(p, Passage::Carried { twice: true, .. })) - 0.5).abs()
                < 0.02
        );
        let behind = Rule {
            reorder: 0.3,
            ..Rule::default()
        };
        assert!(
            (share(behind, |p| matches!(
                p,
                Passage::Carried { behind: true, .. }
            )) - 0.3)
                .abs()
                < 0.02
        );
    }

    #[test]
    fn jitter_stays_in_its_bounds_and_keeps_the_order() {
        let entropy = SeededEntropy::new(1);
        let rule = Rule::slow(MS * 10, MS * 5);
        let mut lane = Lane::default();
        let mut last = Duration::ZERO;
        let mut spread = Vec::new();
        for i in 0..2000_u32 {
            let now = MS * 20 * i;
            let arrives = at(lane.pass(&rule, now, 100, || entropy.next_u64()));
            spread.push(arrives - now);
            assert!(arrives >= last);
            last = arrives;
        }
        assert!(spread.iter().all(|d| (MS * 5..=MS * 15).contains(d)));
        assert!(spread.iter().any(|d| *d < MS * 6) && spread.iter().any(|d| *d > MS * 14));
        let mut lane = Lane::default();
        let mut last = Duration::ZERO;
        for _ in 0..2000 {
            let arrives = at(lane.pass(&rule, Duration::ZERO, 100, || entropy.next_u64()));
            assert!(arrives >= last, "sent together, they keep their order");
            last = arrives;
        }
    }

    #[test]
    fn a_packet_that_falls_behind_is_overtaken() {
        let rule = Rule {
            reorder: 0.5,
            ..Rule::default()
        };
        let mut lane = Lane::default();
        let behind = at(lane.pass(&rule, Duration::ZERO, 100, || 0));
        let ahead = at(lane.pass(&rule, Duration::from_micros(10), 100, || u64::MAX));
        assert_eq!(behind, MS);
        assert_eq!(ahead, Duration::from_micros(10));
    }

    #[test]
    fn a_rate_spaces_packets_and_drops_what_waits_too_long() {
        let rule = Rule {
            rate: Some(1_000_000),
            ..Rule::default()
        };
        let mut lane = Lane::default();
        let mut carried = 0_u32;
        let dropped = loop {
            match lane.pass(&rule, Duration::ZERO, 1250, no_draw) {
                Passage::Carried { at, .. } => {
                    carried += 1;
                    assert_eq!(at, MS * 10 * carried, "1250 bytes take 10 ms of 1 Mbit/s");
                }
                Passage::Dropped(why) => break why,
            }
        };
        assert_eq!(dropped, Why::Full);
        assert_eq!(carried, 26, "250 ms, and the one that fills them");
        assert_eq!(at(lane.pass(&rule, MS * 1000, 1250, no_draw)), MS * 1010);
        lane.pass(&rule, MS * 1000, 1250, no_draw);
        lane.renew();
        assert_eq!(at(lane.pass(&rule, MS * 1000, 1250, no_draw)), MS * 1010);
    }

    #[test]
    fn what_is_on_its_way_is_bounded() {
        let mut lane = Lane::default();
        lane.keep(UNDER_WAY_MAX);
        let rule = Rule::slow(MS, Duration::ZERO);
        let full = lane.pass(&rule, MS, 1, no_draw);
        assert_eq!(full, Passage::Dropped(Why::Full));
        lane.release(1);
        assert_eq!(at(lane.pass(&rule, MS, 1, no_draw)), MS * 2);
    }

    #[test]
    fn troubles_add_up() {
        let both = Rule::lossy(0.5)
            .and(Rule::lossy(0.5))
            .and(Rule::slow(MS, MS))
            .and(Rule {
                rate: Some(5),
                ..Rule::slow(MS, MS)
            })
            .and(Rule {
                rate: Some(9),
                ..Rule::default()
            });
        assert!((both.loss - 0.75).abs() < 1e-9);
        assert_eq!(
            (both.delay, both.jitter, both.rate),
            (MS * 2, MS * 2, Some(5))
        );
        assert!(!both.cut && both.and(Rule::cut()).cut);
    }
}
