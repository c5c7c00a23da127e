//! Randomness that repeats.

use std::sync::Arc;

use model::Digest;
use parking_lot::Mutex;

use super::Entropy;

/// Draws that follow from a seed alone (xoshiro256**, seeded through splitmix64). Never fit for keys.
///
/// A fork follows from the seed and its label only, not from what was drawn before; so two forks with one label draw the
/// same, and a component that draws more does not shift the others.
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    state: Mutex<[u64; 4]>,
}

impl SeededEntropy {
    /// The source of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut walk = seed;
        let state = std::array::from_fn(|_| splitmix(&mut walk));
        Self {
            seed,
            state: Mutex::new(state),
        }
    }
}

impl Entropy for SeededEntropy {
    fn next_u64(&self) -> u64 {
        let mut state = self.state.lock();
        let [a, b, c, d] = *state;
        let drawn = b.wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let c2 = c ^ a;
        let d2 = d ^ b;
        *state = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        drawn
    }

    fn fork(&self, label: &str) -> Arc<dyn Entropy> {
        let mut bytes = self.seed.to_be_bytes().to_vec();
        bytes.extend_from_slice(label.as_bytes());
        let digest = Digest::of(&bytes);
        let seed = digest
            .as_bytes()
            .first_chunk::<8>()
            .map_or(self.seed, |head| u64::from_be_bytes(*head));
        Arc::new(Self::new(seed))
    }
}

fn splitmix(walk: &mut u64) -> u64 {
    *walk = walk.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *walk;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::contract;

    fn draws(entropy: &dyn Entropy) -> Vec<u64> {
        (0..16).map(|_| entropy.next_u64()).collect()
    }

    #[test]
    fn keeps_the_contract() {
        contract::draws_differ_and_are_even(&SeededEntropy::new(0));
        contract::forks_are_independent(&SeededEntropy::new(0));
    }

    #[test]
    fn a_seed_repeats_and_another_differs() {
        assert_eq!(draws(&SeededEntropy::new(7)), draws(&SeededEntropy::new(7)));
        assert_ne!(draws(&SeededEntropy::new(7)), draws(&SeededEntropy::new(8)));
    }

    #[test]
    fn a_fork_does_not_depend_on_earlier_draws() {
        let fresh = SeededEntropy::new(7);
        let used = SeededEntropy::new(7);
        used.next_u64();
        assert_eq!(draws(&*fresh.fork("gossip")), draws(&*used.fork("gossip")));
        assert_ne!(draws(&*fresh.fork("gossip")), draws(&*fresh.fork("raft")));
    }

    #[test]
    fn the_generator_is_the_published_one() {
        // First outputs of splitmix64 for seed 0 and of xoshiro256** for the state 1, 2, 3, 4, as published.
        let mut walk = 0;
        assert_eq!(splitmix(&mut walk), 0xe220_a839_7b1d_cdaf);
        let entropy = SeededEntropy {
            seed: 0,
            state: Mutex::new([1, 2, 3, 4]),
        };
        assert_eq!(
            [entropy.next_u64(), entropy.next_u64(), entropy.next_u64()],
            [11520, 0, 1_509_978_240]
        );
    }
}
