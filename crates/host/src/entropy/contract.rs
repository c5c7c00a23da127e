//! What every [`Entropy`] must hold.

use std::collections::BTreeSet;

use super::Entropy;

/// Draws do not repeat, fill all 64 bits, and [`Entropy::below`] stays in range and reaches all of a small one evenly.
///
/// # Panics
/// If the adapter breaks the contract.
pub fn draws_differ_and_are_even(entropy: &dyn Entropy) {
    let draws: Vec<u64> = (0..1000).map(|_| entropy.next_u64()).collect();
    assert_eq!(draws.iter().collect::<BTreeSet<_>>().len(), draws.len());
    for bit in 0..64 {
        let set = draws.iter().filter(|d| *d >> bit & 1 == 1).count();
        assert!(
            (350..=650).contains(&set),
            "bit {bit} was set {set} of 1000 times"
        );
    }

    assert_eq!(entropy.below(0), 0);
    assert_eq!(entropy.below(1), 0);
    let mut hits = [0_u32; 10];
    for _ in 0..10_000 {
        let drawn = usize::try_from(entropy.below(10)).unwrap_or(usize::MAX);
        let hit = hits.get_mut(drawn);
        assert!(hit.is_some(), "{drawn} is not below 10");
        if let Some(hit) = hit {
            *hit += 1;
        }
    }
    assert!(hits.iter().all(|h| (800..=1200).contains(h)), "{hits:?}");
    assert_ne!(entropy.next_u128(), entropy.next_u128());
}

/// Forks under different labels, and the source itself, do not draw the same.
///
/// # Panics
/// If the adapter breaks the contract.
pub fn forks_are_independent(entropy: &dyn Entropy) {
    let (one, other) = (entropy.fork("one"), entropy.fork("other"));
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        assert!(seen.insert(one.next_u64()));
        assert!(seen.insert(other.next_u64()));
        assert!(seen.insert(entropy.next_u64()));
    }
}
