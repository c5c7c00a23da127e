//! What every clock must keep.

use model::Timestamp;

use super::Clock;

/// The first millisecond of 2025: a clock that shows less was never set.
const SET: Timestamp = Timestamp(1_735_689_600_000);

/// It was set, and two looks in a row are not a minute apart. (It may jump; nothing that must be ordered relies on it.)
///
/// # Panics
/// If it does not.
pub fn it_was_set_and_goes_on(clock: &dyn Clock) {
    let first = clock.wall();
    assert!(first >= SET, "the clock shows {}", first.to_rfc3339());
    let second = clock.wall();
    let apart = second.as_millis().abs_diff(first.as_millis());
    assert!(
        apart < 60_000,
        "from {} to {}",
        first.to_rfc3339(),
        second.to_rfc3339()
    );
}
