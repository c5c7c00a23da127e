//! What a cut of the power lets through of the operations that nobody synced.

use std::{fmt, str::FromStr};

use crate::{
    dice::Dice,
    journal::{Op, close},
};

/// What a disk writes at once or not at all, in bytes.
const SECTOR: usize = 512;

/// What happens to the unsynced operations. The same seed makes the same choice of the same operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Survival {
    /// None arrives.
    Nothing,
    /// All arrive.
    Everything,
    /// Any of them arrive, each by the toss of a coin.
    Some(u64),
    /// The newest arrive and the oldest do not: the disk worked its queue from the other end.
    Reordered(u64),
    /// One write arrives in some of its sectors only; the older operations arrive, the newer ones may.
    Torn(u64),
}

impl Survival {
    pub(crate) fn choose(self, pending: &[Op]) -> Vec<Op> {
        let mut torn = None;
        let mut chosen: Vec<bool> = match self {
            Self::Nothing => return Vec::new(),
            Self::Everything => return pending.to_vec(),
            Self::Some(seed) => {
                let mut dice = Dice::new(seed);
                pending.iter().map(|_| dice.coin()).collect()
            }
            Self::Reordered(seed) => {
                let first = Dice::new(seed).below(pending.len());
                (0..pending.len()).map(|at| at > first).collect()
            }
            Self::Torn(seed) => {
                let mut dice = Dice::new(seed);
                torn = pick_write(pending, &mut dice).map(|at| (at, dice.next()));
                let until = torn.map_or(pending.len(), |(at, _)| at);
                (0..pending.len())
                    .map(|at| at <= until || dice.coin())
                    .collect()
            }
        };
        close(pending, &mut chosen);
        let mut survivors = Vec::new();
        for (at, (op, is_chosen)) in pending.iter().zip(chosen).enumerate() {
            match torn {
                Some((victim, seed)) if victim == at => survivors.extend(tear(op, seed)),
                Some(_) | None if is_chosen => survivors.push(op.clone()),
                Some(_) | None => {}
            }
        }
        survivors
    }
}

fn pick_write(pending: &[Op], dice: &mut Dice) -> Option<usize> {
    let writes = pending.iter().enumerate().filter_map(|(at, op)| match op {
        Op::Write { .. } => Some(at),
        Op::SetLen { .. } | Op::Link { .. } | Op::Unlink { .. } | Op::Rename { .. } => None,
    });
    let writes: Vec<usize> = writes.collect();
    writes.get(dice.below(writes.len())).copied()
}

/// The sectors of a write that arrive; at least one does not.
fn tear(op: &Op, seed: u64) -> Vec<Op> {
    let Op::Write { ino, offset, bytes } = op else {
        return Vec::new();
    };
    let into = usize::try_from(*offset).map_or(0, |offset| offset % SECTOR);
    let mut sectors: Vec<(usize, &[u8])> = Vec::new();
    let (head, rest) = bytes.split_at(bytes.len().min(SECTOR - into));
    sectors.push((0, head));
    for (number, sector) in rest.chunks(SECTOR).enumerate() {
        sectors.push((head.len() + number * SECTOR, sector));
    }
    let mut dice = Dice::new(seed);
    let lost = dice.below(sectors.len());
    let survive = |(number, (from, sector)): (usize, (usize, &[u8]))| {
        if number == lost || dice.coin() {
            return None;
        }
        Some(Op::Write {
            ino: *ino,
            offset: offset + u64::try_from(from).ok()?,
            bytes: sector.into(),
        })
    };
    sectors
        .into_iter()
        .enumerate()
        .filter_map(survive)
        .collect()
}

impl fmt::Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Everything => f.write_str("everything"),
            Self::Some(seed) => write!(f, "some-{seed}"),
            Self::Reordered(seed) => write!(f, "reordered-{seed}"),
            Self::Torn(seed) => write!(f, "torn-{seed}"),
        }
    }
}

impl FromStr for Survival {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || {
            format!(
                "expected nothing, everything, some-SEED, reordered-SEED or torn-SEED, got {text}"
            )
        };
        let (name, seed) = text.split_once('-').unwrap_or((text, "0"));
        let seed = seed.parse().map_err(|_| unknown())?;
        match name {
            "nothing" => Ok(Self::Nothing),
            "everything" => Ok(Self::Everything),
            "some" => Ok(Self::Some(seed)),
            "reordered" => Ok(Self::Reordered(seed)),
            "torn" => Ok(Self::Torn(seed)),
            _ => Err(unknown()),
        }
    }
}
