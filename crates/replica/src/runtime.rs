//! The asynchronous runtime that the protocol's core runs on: tokio, with the node's own randomness.

use std::{convert::Infallible, future::Future, sync::Arc, time::Duration};

use host::Entropy;
use openraft::{AsyncRuntime, OptionalSend, TokioRuntime};

tokio::task_local! {
    static RANDOMNESS: Arc<dyn Entropy>;
}

/// Tokio, except that random draws (election timeouts) come from the node's [`Entropy`]: it follows every task that the
/// core spawns from the future given to [`Runtime::with_entropy`], so that several nodes in one process draw apart.
#[derive(Debug)]
pub(crate) struct Runtime(TokioRuntime);

impl Runtime {
    /// Runs a future whose tasks draw from this source.
    pub(crate) async fn with_entropy<F: Future>(entropy: Arc<dyn Entropy>, future: F) -> F::Output {
        RANDOMNESS.scope(entropy, future).await
    }
}

/// Draws from the node's source; from the thread's where a future runs outside of any node.
pub(crate) enum Draws {
    Node(Arc<dyn Entropy>),
    Thread(<TokioRuntime as AsyncRuntime>::ThreadLocalRng),
}

impl rand_core::TryRng for Draws {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        match self {
            Self::Node(entropy) => Ok(u32::try_from(entropy.next_u64() >> 32).unwrap_or(u32::MAX)),
            Self::Thread(rng) => rng.try_next_u32(),
        }
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        match self {
            Self::Node(entropy) => Ok(entropy.next_u64()),
            Self::Thread(rng) => rng.try_next_u64(),
        }
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let drawn = self.try_next_u64()?.to_le_bytes();
            for (to, from) in chunk.iter_mut().zip(drawn) {
                *to = from;
            }
        }
        Ok(())
    }
}

impl AsyncRuntime for Runtime {
    type JoinError = <TokioRuntime as AsyncRuntime>::JoinError;
    type JoinHandle<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::JoinHandle<T>;
    type Sleep = <TokioRuntime as AsyncRuntime>::Sleep;
    type Instant = <TokioRuntime as AsyncRuntime>::Instant;
    type TimeoutError = <TokioRuntime as AsyncRuntime>::TimeoutError;
    type Timeout<R, T: Future<Output = R> + OptionalSend> =
        <TokioRuntime as AsyncRuntime>::Timeout<R, T>;
    type ThreadLocalRng = Draws;
    type Mpsc = <TokioRuntime as AsyncRuntime>::Mpsc;
    type Watch = <TokioRuntime as AsyncRuntime>::Watch;
    type Oneshot = <TokioRuntime as AsyncRuntime>::Oneshot;
    type Mutex<T: OptionalSend + 'static> = <TokioRuntime as AsyncRuntime>::Mutex<T>;

    fn spawn<T>(future: T) -> Self::JoinHandle<T::Output>
    where
        T: Future + OptionalSend + 'static,
        T::Output: OptionalSend + 'static,
    {
        match RANDOMNESS.try_with(Arc::clone) {
            Ok(entropy) => TokioRuntime::spawn(RANDOMNESS.scope(entropy, future)),
            Err(_) => TokioRuntime::spawn(future),
        }
    }

    fn sleep(duration: Duration) -> Self::Sleep {
        TokioRuntime::sleep(duration)
    }

    fn sleep_until(deadline: Self::Instant) -> Self::Sleep {
        TokioRuntime::sleep_until(deadline)
    }

    fn timeout<R, F>(duration: Duration, future: F) -> Self::Timeout<R, F>
    where
        F: Future<Output = R> + OptionalSend,
    {
        TokioRuntime::timeout(duration, future)
    }

    fn timeout_at<R, F>(deadline: Self::Instant, future: F) -> Self::Timeout<R, F>
    where
        F: Future<Output = R> + OptionalSend,
    {
        TokioRuntime::timeout_at(deadline, future)
    }

    fn is_panic(join_error: &Self::JoinError) -> bool {
        TokioRuntime::is_panic(join_error)
    }

    fn thread_rng() -> Self::ThreadLocalRng {
        RANDOMNESS
            .try_with(|entropy| Draws::Node(entropy.clone()))
            .unwrap_or_else(|_| Draws::Thread(TokioRuntime::thread_rng()))
    }

    fn new(threads: usize) -> Self {
        Self(TokioRuntime::new(threads))
    }

    fn block_on<F, T>(&mut self, future: F) -> T
    where
        F: Future<Output = T>,
    {
        self.0.block_on(future)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use rand_core::TryRng as _;

    use super::*;

    struct Counter(AtomicU64);

    impl Entropy for Counter {
        fn next_u64(&self) -> u64 {
            self.0.fetch_add(1, Ordering::SeqCst)
        }

        fn fork(&self, _label: &str) -> Arc<dyn Entropy> {
            Arc::new(Self(AtomicU64::new(self.next_u64())))
        }
    }

    #[tokio::test]
    async fn spawned_tasks_draw_from_the_node_that_spawned_them() {
        let node = |first| Arc::new(Counter(AtomicU64::new(first))) as Arc<dyn Entropy>;
        let draw = || async {
            Runtime::spawn(async {
                Runtime::spawn(async { Runtime::thread_rng().try_next_u64() }).await
            })
            .await
            .unwrap()
            .unwrap()
        };
        assert_eq!(Runtime::with_entropy(node(7), draw()).await, Ok(7));
        assert_eq!(Runtime::with_entropy(node(100), draw()).await, Ok(100));
        // Outside of a node there is still randomness, and no panic.
        assert_ne!(draw().await, draw().await);
    }
}
