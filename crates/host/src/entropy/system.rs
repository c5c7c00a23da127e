//! The operating system's randomness.

use std::{fmt, sync::Arc};

use parking_lot::Mutex;
use ring::rand::{SecureRandom, SystemRandom};

use super::Entropy;

/// How many bytes one system call brings.
const BUFFER: usize = 512;

/// Draws from the operating system, some at a time. Fit for keys and nonces: what was drawn is wiped and never given twice.
///
/// If the operating system cannot give randomness the process is aborted: everything that would follow is unsafe.
pub struct SystemEntropy {
    source: SystemRandom,
    buffer: Mutex<Buffer>,
}

struct Buffer {
    bytes: [u8; BUFFER],
    left: usize,
}

impl SystemEntropy {
    /// A source with an empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self {
            source: SystemRandom::new(),
            buffer: Mutex::new(Buffer {
                bytes: [0; BUFFER],
                left: 0,
            }),
        }
    }
}

impl Default for SystemEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for SystemEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SystemEntropy")
    }
}

impl Entropy for SystemEntropy {
    fn next_u64(&self) -> u64 {
        let mut buffer = self.buffer.lock();
        loop {
            let Buffer { bytes, left } = &mut *buffer;
            let (rest, _) = bytes.split_at_mut(*left);
            if let Some(last) = rest.last_chunk_mut::<8>() {
                let drawn = u64::from_ne_bytes(std::mem::take(last));
                *left -= 8;
                return drawn;
            }
            if self.source.fill(bytes).is_err() {
                tracing::error!(
                    "the operating system gives no randomness; this process ends here, check getrandom(2) and seccomp filters"
                );
                std::process::abort();
            }
            *left = BUFFER;
        }
    }

    fn fork(&self, _label: &str) -> Arc<dyn Entropy> {
        Arc::new(Self::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::contract;

    #[test]
    fn keeps_the_contract() {
        contract::draws_differ_and_are_even(&SystemEntropy::new());
        contract::forks_are_independent(&SystemEntropy::new());
    }

    #[test]
    fn no_draw_comes_twice_over_refills() {
        let entropy = SystemEntropy::new();
        let draws: std::collections::BTreeSet<u64> =
            (0..10_000).map(|_| entropy.next_u64()).collect();
        assert_eq!(draws.len(), 10_000);
    }
}
