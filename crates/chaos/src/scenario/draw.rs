//! The steps that fit a duration.

use std::time::Duration;

use host::Entropy;

use super::Step;

/// The most steps of one run.
const STEPS_MAX: usize = 20_000;
/// What recovery and the move into and out of a fault take, for a plan's sake.
const AROUND: Duration = Duration::from_secs(6);

/// These steps again and again, whole rounds, until the duration is used up.
pub(super) fn repeat(steps: &[Step], duration: Duration, settle: Duration) -> Vec<Step> {
    let mut chosen: Vec<Step> = steps.to_vec();
    let round: Duration = steps.iter().map(|step| takes(step, settle)).sum();
    let mut used = round;
    while used + round <= duration && chosen.len() + steps.len() <= STEPS_MAX {
        chosen.extend_from_slice(steps);
        used += round;
    }
    chosen
}

/// Steps by weight, until the duration is used up.
pub(super) fn draw(
    draws: &[(u32, Step)],
    duration: Duration,
    settle: Duration,
    entropy: &dyn Entropy,
) -> Vec<Step> {
    let total: u64 = draws.iter().map(|(weight, _)| u64::from(*weight)).sum();
    let mut chosen = Vec::new();
    let mut used = Duration::ZERO;
    while (used < duration || chosen.is_empty()) && chosen.len() < STEPS_MAX {
        let mut at = entropy.below(total);
        let hit = draws.iter().find(|(weight, _)| {
            let weight = u64::from(*weight);
            let hit = at < weight;
            at = at.saturating_sub(weight);
            hit
        });
        let Some((_, step)) = hit else { break };
        used += takes(step, settle);
        chosen.push(step.clone());
    }
    chosen
}

fn takes(step: &Step, settle: Duration) -> Duration {
    step.fault.lasts() + AROUND + settle
}
