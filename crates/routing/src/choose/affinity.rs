//! Hashes that must be the same on every frontend, whatever its build.

use model::{NodeName, capacity::WarmKey};

/// The weight of a worker for a version: the greatest one is preferred (rendezvous hashing). A worker that comes or goes
/// moves only the versions that prefer it.
pub(super) fn weight(key: WarmKey, worker: &NodeName) -> u64 {
    let name = worker
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)
        });
    mix(name ^ mix(u64::from(key.0)))
}

/// Spreads 32 random bits evenly over `0..bound`; zero if the bound is zero.
pub(super) fn below(bits: u64, bound: usize) -> usize {
    let wide = u128::from(bits & 0xffff_ffff) * u128::try_from(bound).unwrap_or(0);
    usize::try_from(wide >> 32).unwrap_or(0)
}

/// The finalizer of splitmix64: every bit of the input moves every bit of the output.
const fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_spread_over_workers() {
        let workers: Vec<NodeName> = (0..5).map(|i| format!("w{i}").parse().unwrap()).collect();
        let mut preferred = [0; 5];
        for key in 0..1000 {
            let best = (0..5)
                .max_by_key(|i| weight(WarmKey(key), &workers[*i]))
                .unwrap();
            preferred[best] += 1;
        }
        assert!(
            preferred.iter().all(|n| (150..250).contains(n)),
            "{preferred:?}"
        );
    }

    #[test]
    fn weights_are_frozen() {
        assert_eq!(
            weight(WarmKey(1), &"w1".parse().unwrap()),
            10_363_692_965_976_712_457
        );
    }

    #[test]
    fn below_stays_below() {
        assert_eq!(below(u64::MAX, 3), 2);
        assert_eq!(below(0, 3), 0);
        assert_eq!(below(7, 0), 0);
    }
}
