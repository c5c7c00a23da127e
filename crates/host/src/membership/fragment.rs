//! Messages in pieces that no network splits again.
//!
//! A piece is `message number (4) | index (1) | count (1) | bytes`. Pieces are put together again in bounded memory; a
//! message that does not complete in time is forgotten, because gossip says everything again.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::seal::{self, Sender};

/// The largest datagram.
pub(super) const DATAGRAM_MAX: usize = 1200;
const HEADER: usize = 6;
const PIECE_MAX: usize = DATAGRAM_MAX - seal::OVERHEAD - HEADER;
/// Pieces of one message; chitchat's messages are at most 65,507 bytes.
const PIECES_MAX: usize = 64;
/// Messages in the making, and their bytes together.
const INCOMPLETE_MAX: usize = 64;
const BYTES_MAX: usize = 2 << 20;
/// How long a message may take to complete.
const PATIENCE: Duration = Duration::from_secs(2);

/// The pieces of a message; `None` if it is too large.
pub(super) fn split(number: u32, message: &[u8]) -> Option<Vec<Vec<u8>>> {
    let count = message.len().div_ceil(PIECE_MAX).max(1);
    if count > PIECES_MAX {
        return None;
    }
    let count = u8::try_from(count).ok()?;
    (0..count)
        .map(|index| {
            let from = usize::from(index) * PIECE_MAX;
            let bytes = message.get(from..message.len().min(from + PIECE_MAX))?;
            let mut piece = Vec::with_capacity(HEADER + bytes.len());
            piece.extend_from_slice(&number.to_be_bytes());
            piece.extend_from_slice(&[index, count]);
            piece.extend_from_slice(bytes);
            Some(piece)
        })
        .collect()
}

/// Puts pieces together again.
#[derive(Default)]
pub(super) struct Assembler {
    incomplete: HashMap<(Sender, u32), Incomplete>,
    bytes: usize,
}

struct Incomplete {
    since: Instant,
    pieces: Vec<Option<Vec<u8>>>,
    bytes: usize,
}

impl Assembler {
    /// Takes a piece; gives the message that it completes.
    pub(super) fn add(&mut self, sender: Sender, piece: &[u8], now: Instant) -> Option<Vec<u8>> {
        let (number, rest) = piece.split_first_chunk::<4>()?;
        let ([index, count], bytes) = rest.split_first_chunk::<2>()?;
        let (index, count) = (usize::from(*index), usize::from(*count));
        if index >= count || count > PIECES_MAX || bytes.len() > PIECE_MAX {
            return None;
        }
        if count == 1 {
            return Some(bytes.to_vec());
        }
        self.forget_old(now);
        let name = (sender, u32::from_be_bytes(*number));
        let incomplete = self.incomplete.entry(name).or_insert_with(|| Incomplete {
            since: now,
            pieces: vec![None; count],
            bytes: 0,
        });
        if incomplete.pieces.len() != count {
            return None;
        }
        let slot = incomplete.pieces.get_mut(index)?;
        if slot.is_none() {
            *slot = Some(bytes.to_vec());
            incomplete.bytes += bytes.len();
            self.bytes += bytes.len();
        }
        if incomplete.pieces.iter().all(Option::is_some) {
            let complete = self.forget(name)?;
            return Some(complete.pieces.into_iter().flatten().flatten().collect());
        }
        while self.incomplete.len() > INCOMPLETE_MAX || self.bytes > BYTES_MAX {
            let (oldest, _) = self.incomplete.iter().min_by_key(|(_, i)| i.since)?;
            self.forget(*oldest);
        }
        None
    }

    fn forget_old(&mut self, now: Instant) {
        let old = |incomplete: &Incomplete| now.duration_since(incomplete.since) > PATIENCE;
        let names: Vec<_> = self
            .incomplete
            .iter()
            .filter(|(_, incomplete)| old(incomplete))
            .map(|(name, _)| *name)
            .collect();
        for name in names {
            self.forget(name);
        }
    }

    fn forget(&mut self, name: (Sender, u32)) -> Option<Incomplete> {
        let gone = self.incomplete.remove(&name)?;
        self.bytes = self.bytes.saturating_sub(gone.bytes);
        Some(gone)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Sender = [1; 16];
    const B: Sender = [2; 16];

    proptest! {
        #[test]
        fn a_message_comes_together_in_any_order(
            size in 0_usize..65_507,
            (order, again) in (any::<u64>(), any::<bool>()),
        ) {
            let message: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
            let mut pieces = split(7, &message).unwrap();
            for piece in &pieces {
                prop_assert!(piece.len() + seal::OVERHEAD <= DATAGRAM_MAX);
            }
            let middle = usize::try_from(order % pieces.len() as u64).unwrap();
            pieces.rotate_left(middle);
            if order % 2 == 0 {
                pieces.reverse();
            }
            let last = pieces.pop().unwrap();
            if again && pieces.len() > 1 {
                pieces.push(pieces[0].clone());
            }
            let now = Instant::now();
            let mut assembler = Assembler::default();
            for piece in &pieces {
                prop_assert_eq!(assembler.add(A, piece, now), None);
            }
            prop_assert_eq!(assembler.add(A, &last, now), Some(message));
            prop_assert!(assembler.incomplete.is_empty());
            prop_assert_eq!(assembler.bytes, 0);
        }

        #[test]
        fn junk_is_harmless(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..200)) {
            let mut assembler = Assembler::default();
            for piece in &pieces {
                assembler.add(A, piece, Instant::now());
            }
            prop_assert!(assembler.incomplete.len() <= INCOMPLETE_MAX);
        }
    }

    #[test]
    fn senders_are_kept_apart() {
        let now = Instant::now();
        let (a, b) = (split(1, &[1; 2000]).unwrap(), split(1, &[2; 2000]).unwrap());
        let mut assembler = Assembler::default();
        assert_eq!(assembler.add(A, &a[0], now), None);
        assert_eq!(assembler.add(B, &b[1], now), None);
        assert_eq!(assembler.add(A, &a[1], now), Some(vec![1; 2000]));
        assert_eq!(assembler.add(B, &b[0], now), Some(vec![2; 2000]));
    }

    #[test]
    fn what_never_completes_is_forgotten() {
        let now = Instant::now();
        let mut assembler = Assembler::default();
        let pieces = split(1, &[1; 2000]).unwrap();
        assert_eq!(assembler.add(A, &pieces[0], now), None);
        let late = now + PATIENCE + Duration::from_millis(1);
        assert_eq!(assembler.add(A, &pieces[1], late), None);

        let large = vec![1; 60_000];
        for number in 0..1000 {
            for piece in split(number, &large).unwrap().iter().skip(1) {
                assert_eq!(assembler.add(A, piece, late), None);
                assert!(assembler.bytes <= BYTES_MAX + PIECE_MAX);
            }
        }
        assert!(assembler.incomplete.len() <= INCOMPLETE_MAX);
        assert!(split(1, &vec![0; PIECE_MAX * PIECES_MAX + 1]).is_none());
    }
}
