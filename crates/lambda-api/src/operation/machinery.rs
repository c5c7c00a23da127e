//! Operations whose machinery is not built. This is the one place that says so: what a table of compatibility tells of them, it
//! takes from here.

use super::Operation;

/// What there is of an operation whose machinery is not built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Missing {
    /// What a request says is kept, shown and changed as it should be; nothing acts on it.
    Stored,
    /// A request is checked in full and answered as for something that does not exist, which is the truth. Nothing is kept.
    AnswersOnly,
    /// A request is checked and refused: to accept it would promise what nobody keeps.
    Refused,
}

/// Every operation whose machinery is not built.
pub const NOT_BUILT: &[(Operation, Missing)] = &[
    // No poller reads a source.
    (Operation::CreateEventSourceMapping, Missing::Stored),
    (Operation::UpdateEventSourceMapping, Missing::Stored),
    // No queue keeps events. `Invoke` with the invocation type `Event` is refused in the same way.
    (Operation::InvokeAsync, Missing::Refused),
    // No function can be durable, and no execution and no callback can exist.
    (Operation::CheckpointDurableExecution, Missing::AnswersOnly),
    (Operation::GetDurableExecution, Missing::AnswersOnly),
    (Operation::GetDurableExecutionHistory, Missing::AnswersOnly),
    (Operation::GetDurableExecutionState, Missing::AnswersOnly),
    (
        Operation::ListDurableExecutionsByFunction,
        Missing::AnswersOnly,
    ),
    (Operation::StopDurableExecution, Missing::AnswersOnly),
    (Operation::PauseDurableExecution, Missing::AnswersOnly),
    (Operation::ResumeDurableExecution, Missing::AnswersOnly),
    (Operation::DeleteDurableExecution, Missing::AnswersOnly),
    (
        Operation::SendDurableExecutionCallbackSuccess,
        Missing::AnswersOnly,
    ),
    (
        Operation::SendDurableExecutionCallbackFailure,
        Missing::AnswersOnly,
    ),
    (
        Operation::SendDurableExecutionCallbackHeartbeat,
        Missing::AnswersOnly,
    ),
];

impl Operation {
    /// What there is of it if its machinery is not built; `None` if nothing is missing.
    #[must_use]
    pub fn missing(self) -> Option<Missing> {
        let listed = NOT_BUILT.iter().find(|(operation, _)| *operation == self);
        listed.map(|(_, missing)| *missing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_listed_once() {
        for (i, (operation, missing)) in NOT_BUILT.iter().enumerate() {
            assert_eq!(operation.missing(), Some(*missing));
            let later = NOT_BUILT.iter().skip(i + 1);
            assert!(
                later.into_iter().all(|(other, _)| other != operation),
                "{operation:?}"
            );
        }
        assert_eq!(Operation::Invoke.missing(), None);
    }

    #[test]
    fn every_operation_on_durable_executions_is_listed() {
        for operation in Operation::ALL {
            let is_durable = operation.name().contains("DurableExecution");
            let answers_only = operation.missing() == Some(Missing::AnswersOnly);
            assert_eq!(answers_only, is_durable, "{operation:?}");
        }
    }
}
