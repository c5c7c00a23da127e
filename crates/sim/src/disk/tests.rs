//! The contracts of the ports, and what is left after a crash, over many seeds.

mod contracts;
mod errors;
mod likeness;
mod losses;

use std::sync::Arc;

use host::{Entropy, SeededEntropy};

use super::Disk;

fn disk(seed: u64) -> Disk {
    let entropy: Arc<dyn Entropy> = Arc::new(SeededEntropy::new(seed));
    Disk::new("a1", entropy)
}
