//! The search against one that tries everything, on histories that are small enough for it.

use super::{
    super::linear::{Model, SearchEnd, Span, search},
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
fn can_be_explained(spans: &[Span<Toy>], state: (u8, u8), placed: &mut Vec<usize>) -> bool {
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
        if let Some(next) = spans[n].call.step(&state) {
            placed.push(n);
            if can_be_explained(spans, next, placed) {
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
        let expected = can_be_explained(&spans, Toy::initial(), &mut Vec::new());
        let found = matches!(search(&spans, 1_000_000).end, SearchEnd::Explained);
        assert_eq!(found, expected, "round {round}: {spans:?}");
        explained += u32::from(found);
    }
    // Both answers came often.
    assert!((1000..7000).contains(&explained), "{explained}");
}
