//! The evaluator against a slow one that follows the guide step by step, on random documents and requests.
//!
//! `cargo run --release -p policy --example differential -- 10000000` does the same for as many decisions as one likes.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may give up"
)]

use std::collections::BTreeSet;

use proptest::prelude::*;

mod compare;
mod generate;
mod reference;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn both_evaluators_agree(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        if let Err(difference) = compare::run(&generate::case(&bytes)) {
            return Err(TestCaseError::fail(difference));
        }
    }
}

/// A generator that never denies would prove nothing about denying.
#[test]
fn the_generator_reaches_every_answer() {
    let mut seen = BTreeSet::new();
    for seed in 0..2000 {
        let bytes = generate::bytes(seed, 700);
        seen.extend(compare::run(&generate::case(&bytes)).unwrap());
    }
    let layers = ["identity", "boundary", "session", "resource", "trust"];
    let answers = layers
        .iter()
        .flat_map(|layer| [format!("denied by {layer}"), format!("lacks {layer}")]);
    let mut expected: BTreeSet<String> = answers.collect();
    expected.insert("allowed".to_owned());
    let seen: BTreeSet<String> = seen.into_iter().map(|answer| answer.to_string()).collect();
    assert_eq!(seen, expected);
}
