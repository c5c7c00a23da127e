//! The search against one that tries everything, on histories that are small enough for it.

use super::{
    super::{
        compile::{self, Partition},
        linear::{Model, SearchEnd, Span, search},
        spec::Call,
    },
    generated::{Plan, valid},
    *,
};

/// A register and a counter of one digit each, with as many ways to depend on each other as fit.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Toy {
    Write(u8),
    /// What it was answered; `None` if that was lost.
    Read(u8),
    /// From this to that.
    Swap(u8, u8),
    /// One more, which the answer shows.
    Count(Option<u8>),
    /// The counter is put into the register.
    Copy,
    BothAre(u8, u8),
}

impl Model for Toy {
    type State = (u8, u8);

    fn initial() -> (u8, u8) {
        (0, 0)
    }

    fn step(&self, &(register, counter): &(u8, u8)) -> Option<(u8, u8)> {
        match *self {
            Self::Write(new) => Some((new, counter)),
            Self::Read(seen) => (seen == register).then_some((register, counter)),
            Self::Swap(old, new) => (old == register).then_some((new, counter)),
            Self::Count(seen) => {
                let next = counter + 1;
                seen.is_none_or(|seen| seen == next)
                    .then_some((register, next))
            }
            Self::Copy => Some((counter, counter)),
            Self::BothAre(a, b) => ((a, b) == (register, counter)).then_some((register, counter)),
        }
    }

    fn only_looks(&self) -> bool {
        matches!(self, Self::Read(_) | Self::BothAre(..))
    }

    fn concerns(&self, later: &Self) -> bool {
        match self {
            Self::Write(_) | Self::Swap(..) => !matches!(later, Self::Count(_)),
            Self::Count(_) => !matches!(later, Self::Read(_) | Self::Write(_) | Self::Swap(..)),
            Self::Copy => true,
            Self::Read(_) | Self::BothAre(..) => false,
        }
    }
}

/// Every order of every choice of what may be left out.
fn can_be_explained<M: Model>(
    spans: &[Span<M>],
    state: &M::State,
    placed: &mut Vec<usize>,
) -> bool {
    let missing = |n: &usize| !placed.contains(n);
    let left: Vec<usize> = (0..spans.len()).filter(missing).collect();
    let mut bounded = left.iter().filter_map(|n| spans[*n].ended);
    let first_end = bounded.clone().min();
    if bounded.next().is_none() {
        return true;
    }
    for n in left {
        // It comes first of those that are left only if none of them had ended before it began.
        if first_end.is_some_and(|end| end < spans[n].begun) {
            continue;
        }
        if let Some(next) = spans[n].call.step(state) {
            placed.push(n);
            if can_be_explained(spans, &next, placed) {
                return true;
            }
            placed.pop();
        }
    }
    false
}

fn spans(dice: &mut Dice) -> Vec<Span<Toy>> {
    let digit = |dice: &mut Dice, most: u64| u8::try_from(dice.below(most)).unwrap();
    let count = 3 + dice.below(5);
    let mut at = 0;
    let mut spans = Vec::new();
    let mut open: Vec<usize> = Vec::new();
    while spans.len() < usize::try_from(count).unwrap() || !open.is_empty() {
        at += 1;
        let is_full = spans.len() == usize::try_from(count).unwrap();
        if !open.is_empty() && (is_full || dice.below(2) == 0) {
            let which = dice.below(open.len() as u64);
            let n = open.remove(usize::try_from(which).unwrap());
            let span: &mut Span<Toy> = &mut spans[n];
            span.ended = Some(at);
            continue;
        }
        let is_lost = dice.below(4) == 0;
        let call = match dice.below(if is_lost { 4 } else { 6 }) {
            0 => Toy::Write(digit(dice, 3)),
            1 => Toy::Swap(digit(dice, 3), digit(dice, 3)),
            2 => Toy::Count((!is_lost).then(|| 1 + digit(dice, 3))),
            3 => Toy::Copy,
            4 => Toy::Read(digit(dice, 3)),
            _ => Toy::BothAre(digit(dice, 3), digit(dice, 3)),
        };
        if !is_lost {
            open.push(spans.len());
        }
        spans.push(Span {
            call,
            begun: at,
            ended: None,
        });
    }
    spans
}

#[test]
fn agrees_with_trying_everything() {
    let mut dice = Dice(7);
    let mut explained = 0;
    for round in 0..8000 {
        let spans = spans(&mut dice);
        let expected = can_be_explained(&spans, &Toy::initial(), &mut Vec::new());
        let found = matches!(search(&spans, 1_000_000).end, SearchEnd::Explained);
        assert_eq!(found, expected, "round {round}: {spans:?}");
        explained += u32::from(found);
    }
    // Both answers came often.
    assert!((1000..7000).contains(&explained), "{explained}");
}

/// Small histories of one function, some with answers that changed places.
fn of_a_function(seed: u64) -> Partition {
    let plan = Plan {
        seed,
        calls: 10,
        clients: 3,
        functions: 1,
        lost: 30,
    };
    let mut told = valid(plan);
    let mut dice = Dice(seed);
    let answered: Vec<usize> = (0..told.len())
        .filter(|n| told[*n].act().is_some() && told[*n].outcome().is_some())
        .collect();
    if dice.below(3) > 0
        && let (Some(a), Some(b)) = (dice.pick(&answered), dice.pick(&answered))
        && let (Some(first), Some(second)) =
            (told[*a].outcome().cloned(), told[*b].outcome().cloned())
    {
        for (n, outcome) in [(*a, second), (*b, first)] {
            if let Some((_, how)) = &mut told[n].end {
                *how = Ended::Done(outcome);
            }
        }
    }
    let records = history(&told).0.lock().records.clone();
    compile::partition(&records, "f0")
}

/// What the specification says of which calls concern which, and until when those must have happened whose traces were
/// seen, leaves out nothing.
#[test]
fn agrees_with_trying_everything_on_functions() {
    let mut explained = 0;
    for seed in 0..4000 {
        let part = of_a_function(seed);
        let mut spans: Vec<Span<Call>> = part.calls.clone();
        for (span, source) in spans.iter_mut().zip(&part.sources) {
            span.ended = source.answered.map(|(at, _)| at);
        }
        let expected = can_be_explained(&spans, &Call::initial(), &mut Vec::new());
        let found = matches!(search(&part.calls, 1_000_000).end, SearchEnd::Explained);
        assert_eq!(found, expected, "seed {seed}: {:#?}", part.sources);
        explained += u32::from(found);
    }
    assert!((1000..3500).contains(&explained), "{explained}");
}
