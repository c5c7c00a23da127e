//! What every clock must keep.

use std::time::Duration;

use model::Timestamp;

use super::Clock;

/// The first millisecond of 2025: a clock that shows less was never set.
const SET: Timestamp = Timestamp(1_735_689_600_000);
/// Between two looks at it.
const WHILE: Duration = Duration::from_millis(50);

/// It was set, and it goes on: it shows more after a while, and not much more. (It may jump, though not here; nothing that
/// must be ordered relies on it.)
///
/// # Panics
/// If it does not.
pub async fn it_was_set_and_goes_on(clock: &dyn Clock) {
    let first = clock.wall();
    assert!(first >= SET, "the clock shows {}", first.to_rfc3339());
    tokio::time::sleep(WHILE).await;
    let second = clock.wall();
    let gone = second.as_millis().checked_sub(first.as_millis());
    assert!(
        gone.is_some_and(|ms| (1..60_000).contains(&ms)),
        "from {} to {} within {WHILE:?}",
        first.to_rfc3339(),
        second.to_rfc3339()
    );
}
