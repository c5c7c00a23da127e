//! Wall time. Timers and monotonic time stay `tokio::time`, which tests and a simulator pause.

pub mod contract;

use model::Timestamp;

/// A source of wall time. It may jump; nothing that must be ordered may rely on it.
pub trait Clock: Send + Sync + 'static {
    /// Now, in milliseconds since the Unix epoch.
    fn wall(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(
        clippy::disallowed_methods,
        reason = "this is the one adapter that reads it"
    )]
    fn wall(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_system_clock_keeps_the_contract() {
        contract::it_was_set_and_goes_on(&SystemClock).await;
    }

    #[tokio::test]
    #[should_panic(expected = "within 50ms")]
    async fn a_clock_that_stands_does_not() {
        struct Standing;
        impl Clock for Standing {
            fn wall(&self) -> Timestamp {
                Timestamp(1_800_000_000_000)
            }
        }
        contract::it_was_set_and_goes_on(&Standing).await;
    }
}
