//! Randomness.
//!
//! [`SystemEntropy`] is what production draws from; [`SeededEntropy`] repeats itself for the same seed and is what tests and
//! a simulator pass instead. Neither may be used where the other is meant: keys and nonces need the first.

pub mod contract;
mod seeded;
mod system;

use std::sync::Arc;

pub use seeded::SeededEntropy;
pub use system::SystemEntropy;

/// A source of random numbers. Production draws from the operating system; a simulator derives everything from a seed.
pub trait Entropy: Send + Sync + 'static {
    /// 64 random bits.
    fn next_u64(&self) -> u64;

    /// A source of its own for one component, so that its draws do not shift anybody else's.
    fn fork(&self, label: &str) -> Arc<dyn Entropy>;

    /// 128 random bits.
    fn next_u128(&self) -> u128 {
        (u128::from(self.next_u64()) << 64) | u128::from(self.next_u64())
    }

    /// Fills bytes with random ones.
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.next_u64().to_be_bytes();
            for (byte, drawn) in chunk.iter_mut().zip(drawn) {
                *byte = drawn;
            }
        }
    }

    /// An even draw from `0..bound`; zero if the bound is zero.
    fn below(&self, bound: u64) -> u64 {
        // Multiply-shift (Lemire 2019) without the rejection step: the bias is below 2^-32 for bounds under 2^32.
        u64::try_from((u128::from(self.next_u64()) * u128::from(bound)) >> 64).unwrap_or(0)
    }
}
