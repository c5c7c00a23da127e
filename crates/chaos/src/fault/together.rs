//! Several steps at once, in one task.

use std::{future::Future, pin::Pin, task::Poll};

use super::FaultError;

/// Runs all of these to their ends, whatever becomes of each. Answers the first error, in their order.
pub(crate) async fn together<F>(steps: impl IntoIterator<Item = F>) -> Result<(), FaultError>
where
    F: Future<Output = Result<(), FaultError>> + Send,
{
    enum Step<F> {
        Runs(Pin<Box<F>>),
        Done(Result<(), FaultError>),
    }
    let mut steps: Vec<_> = steps.into_iter().map(|s| Step::Runs(Box::pin(s))).collect();
    std::future::poll_fn(|context| {
        let mut all_done = true;
        for step in &mut steps {
            if let Step::Runs(future) = step {
                match future.as_mut().poll(context) {
                    Poll::Ready(done) => *step = Step::Done(done),
                    Poll::Pending => all_done = false,
                }
            }
        }
        if all_done {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    steps.into_iter().try_for_each(|step| match step {
        Step::Done(done) => done,
        Step::Runs(_) => Ok(()),
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn all_run_at_once_and_to_their_ends() {
        let (sender, mut heard) = tokio::sync::mpsc::channel(3);
        let barrier = tokio::sync::Barrier::new(3);
        let steps = (0..3).map(|number| {
            let (sender, barrier) = (sender.clone(), &barrier);
            async move {
                if number == 0 {
                    sender.send(number).await.unwrap();
                    barrier.wait().await;
                    return Err(FaultError::Late);
                }
                barrier.wait().await;
                sender.send(number).await.unwrap();
                Ok(())
            }
        });
        let all = tokio::time::timeout(Duration::from_secs(5), together(steps));
        assert!(matches!(all.await, Ok(Err(FaultError::Late))));
        drop(sender);
        let mut said = Vec::new();
        while let Some(number) = heard.recv().await {
            said.push(number);
        }
        assert_eq!(said.len(), 3);
    }
}
