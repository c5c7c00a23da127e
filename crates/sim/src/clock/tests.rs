//! The contract of a clock, on a host of the simulator: there time goes on with its timers.

use host::clock::contract;

use super::*;

#[test]
fn a_clock_keeps_its_contract_and_does_so_after_a_jump() {
    let mut sim = turmoil::Builder::new().build();
    sim.client("node", async {
        let clock = SimClock::new(Elapsed::default());
        contract::it_was_set_and_goes_on(&clock).await;
        for ahead in [3_600_000, -3_600_000] {
            let before = clock.wall();
            clock.jump(ahead);
            assert!(clock.wall().as_millis().abs_diff(before.as_millis()) > 1_800_000);
            contract::it_was_set_and_goes_on(&clock).await;
        }
        Ok(())
    });
    sim.run().unwrap();
}
