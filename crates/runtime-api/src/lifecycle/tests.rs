use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Next,
    PollLost,
    Undelivered(u8),
    Offer(u8),
    Withdraw(u8),
    Answer(u8),
    Begin(u8),
    End(u8),
    InitError,
    Reset,
}

fn id(n: u8) -> RequestId {
    RequestId::from_random(u128::from(n))
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => Just(Step::Next),
        1 => Just(Step::PollLost),
        1 => (0u8..4).prop_map(Step::Undelivered),
        4 => (0u8..4).prop_map(Step::Offer),
        1 => (0u8..4).prop_map(Step::Withdraw),
        4 => (0u8..4).prop_map(Step::Answer),
        2 => (0u8..4).prop_map(Step::Begin),
        3 => (0u8..4).prop_map(Step::End),
        1 => Just(Step::InitError),
        1 => Just(Step::Reset),
    ]
}

/// What an observer outside knows: which ids were offered, handed over and answered.
#[derive(Default)]
struct Observer {
    pending: Option<RequestId>,
    with_runtime: Option<RequestId>,
    /// Its response has begun.
    begun: bool,
    open_poll: bool,
}

impl Observer {
    fn delivered(&mut self, what: RequestId) {
        assert_eq!(
            self.pending.take(),
            Some(what),
            "only what was offered is handed over"
        );
        assert_eq!(
            self.with_runtime.replace(what),
            None,
            "one invocation at a time"
        );
        self.open_poll = false;
    }

    fn apply(&mut self, machine: &mut Lifecycle, step: &Step) {
        let before = machine.clone();
        match *step {
            Step::Next => match machine.poll() {
                Ok(Next::Deliver(got)) => self.delivered(got),
                Ok(Next::Hold) => {
                    assert_eq!((self.pending, self.with_runtime), (None, None));
                    self.open_poll = true;
                }
                Err(_) => assert_eq!(before, *machine, "a refusal changes nothing"),
            },
            Step::PollLost => {
                machine.poll_lost();
                self.open_poll = false;
            }
            Step::Undelivered(n) => {
                let begun = self.begun;
                let was = self
                    .with_runtime
                    .take_if(|held| *held == id(n) && !begun)
                    .is_some();
                assert_eq!(machine.undelivered(id(n)), was);
                if was {
                    self.pending = Some(id(n));
                }
            }
            Step::Offer(n) => match machine.offer(id(n)) {
                Ok(Offer::Deliver) => {
                    assert!(self.open_poll, "there is a poll to answer");
                    assert_eq!(self.pending.replace(id(n)), None);
                    self.delivered(id(n));
                }
                Ok(Offer::Wait) => {
                    assert!(!self.open_poll, "an open poll would have taken it");
                    assert_eq!(self.pending.replace(id(n)), None);
                }
                Err(OfferError::Occupied) => {
                    assert!(self.pending.is_some() || self.with_runtime.is_some());
                    assert_eq!(before, *machine);
                }
                Err(OfferError::InitFailed) => assert_eq!(machine.phase(), Phase::InitFailed),
            },
            Step::Withdraw(n) => {
                let was = self.pending.take_if(|p| *p == id(n)).is_some();
                assert_eq!(machine.withdraw(id(n)), was);
            }
            Step::Answer(n) => match machine.answer(id(n)) {
                Ok(()) => {
                    assert!(!self.begun, "one answer to an invocation");
                    assert_eq!(self.with_runtime.take(), Some(id(n)), "answers what it has");
                }
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::InvalidRequestId);
                    assert!(self.begun || self.with_runtime != Some(id(n)));
                    assert_eq!(before, *machine);
                }
            },
            Step::Begin(n) => match machine.begin_answer(id(n)) {
                Ok(()) => {
                    assert!(!self.begun, "one answer to an invocation");
                    assert_eq!(self.with_runtime, Some(id(n)), "answers what it has");
                    self.begun = true;
                }
                Err(refusal) => {
                    assert_eq!(refusal, Refusal::InvalidRequestId);
                    assert!(self.begun || self.with_runtime != Some(id(n)));
                    assert_eq!(before, *machine);
                }
            },
            Step::End(n) => {
                let was = self.begun && self.with_runtime == Some(id(n));
                assert_eq!(machine.end_answer(id(n)), was);
                if was {
                    self.with_runtime = None;
                    self.begun = false;
                }
            }
            Step::InitError => match machine.init_error() {
                Ok(()) => {
                    assert_eq!(before.phase(), Phase::Starting);
                    self.pending = None;
                }
                Err(_) => assert_eq!(before, *machine),
            },
            Step::Reset => {
                machine.reset();
                *self = Self::default();
            }
        }
        assert_eq!(machine.in_hand(), self.with_runtime);
    }
}

proptest! {
    #[test]
    fn no_order_of_calls_answers_the_wrong_invocation(steps in prop::collection::vec(step(), 0..200)) {
        let mut machine = Lifecycle::default();
        let mut observer = Observer::default();
        for step in &steps {
            observer.apply(&mut machine, step);
        }
    }

    #[test]
    fn no_order_of_calls_wedges_it(steps in prop::collection::vec(step(), 0..200)) {
        let mut machine = Lifecycle::default();
        let mut observer = Observer::default();
        for step in &steps {
            observer.apply(&mut machine, step);
        }
        // From wherever it is: finish what is there (or start anew, where only that is left), then one whole round works.
        if machine.phase() == Phase::InitFailed {
            observer.apply(&mut machine, &Step::Reset);
        }
        if machine.phase() != Phase::Busy {
            observer.apply(&mut machine, &Step::Next);
        }
        if let Some(held) = machine.in_hand() {
            if !machine.end_answer(held) {
                prop_assert_eq!(machine.answer(held), Ok(()));
            }
            prop_assert!(machine.poll().is_ok());
        }
        prop_assert_eq!(machine.offer(id(9)), Ok(Offer::Deliver));
        prop_assert_eq!(machine.answer(id(9)), Ok(()));
    }
}

#[test]
fn an_answer_is_taken_once() {
    let mut machine = Lifecycle::default();
    assert_eq!(machine.poll(), Ok(Next::Hold));
    assert_eq!(machine.offer(id(1)), Ok(Offer::Deliver));
    assert_eq!(machine.answer(id(2)), Err(Refusal::InvalidRequestId));
    assert_eq!(machine.answer(id(1)), Ok(()));
    assert_eq!(machine.answer(id(1)), Err(Refusal::InvalidRequestId));
}

#[test]
fn an_invocation_offered_while_it_starts_is_handed_over_by_the_first_poll() {
    let mut machine = Lifecycle::default();
    assert_eq!(machine.offer(id(1)), Ok(Offer::Wait));
    assert_eq!(machine.offer(id(2)), Err(OfferError::Occupied));
    assert_eq!(machine.poll(), Ok(Next::Deliver(id(1))));
}

#[test]
fn a_lost_poll_takes_no_invocation() {
    let mut machine = Lifecycle::default();
    assert_eq!(machine.poll(), Ok(Next::Hold));
    machine.poll_lost();
    assert_eq!(machine.offer(id(1)), Ok(Offer::Wait));
    assert_eq!(machine.poll(), Ok(Next::Deliver(id(1))));
}

#[test]
fn refusals_name_both_states() {
    let mut machine = Lifecycle::default();
    assert_eq!(machine.poll(), Ok(Next::Hold));
    assert_eq!(
        machine.init_error(),
        Err(Refusal::InvalidTransition {
            from: "Ready",
            to: "InitError"
        })
    );
    assert_eq!(machine.offer(id(1)), Ok(Offer::Deliver));
    assert_eq!(
        machine.poll(),
        Err(Refusal::InvalidTransition {
            from: "Running",
            to: "Ready"
        })
    );
}
