use std::collections::BTreeMap;

use model::Digest;
use proptest::prelude::*;

use super::*;
use crate::{
    line::encode,
    record::Event,
    testing::{NOW, chain, writer},
};

fn walk(segments: &BTreeMap<u64, Vec<u8>>, wanted: Option<Head>) -> Report {
    let mut walk = Walk::new(wanted);
    for (number, bytes) in segments {
        walk.segment(*number, bytes);
    }
    walk.finish()
}

/// What is wrong, each as `SEGMENT:LINE: TEXT`.
fn told(report: &Report) -> Vec<String> {
    let told = report.breaks.iter().map(|found| match found.spot {
        Some(spot) => format!("{}:{}: {}", spot.segment, spot.line, found.flaw),
        None => found.flaw.to_string(),
    });
    told.collect()
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    lines.map(<[u8]>::to_vec).collect()
}

#[test]
fn a_chain_that_nobody_touched_is_sound() {
    for counts in [&[][..], &[1], &[3], &[2, 1, 5], &[3, 0]] {
        let (segments, head) = chain(counts);
        let report = walk(&segments, Some(head));
        assert_eq!(told(&report), [""; 0], "{counts:?}");
        assert_eq!(report.head.unwrap_or(Head::NONE), head);
        assert_eq!(report.records, head.sequence);
        assert_eq!(report.tail, Tail::Whole);
    }
}

#[test]
fn every_kind_of_tampering_is_named_with_its_place() {
    let check = |tamper: fn(&mut BTreeMap<u64, Vec<u8>>), expected: &[&str]| {
        let (mut segments, head) = chain(&[3, 3, 3]);
        tamper(&mut segments);
        assert_eq!(told(&walk(&segments, Some(head))), expected);
    };
    check(
        |s| {
            let text = String::from_utf8(s[&4].clone()).unwrap();
            s.insert(4, text.replacen("\"r5\"", "\"x5\"", 1).into_bytes());
        },
        &["4:2: the record was changed: its hash does not fit its content"],
    );
    check(
        |s| {
            let mut all = lines(&s[&4]);
            all.remove(1);
            s.insert(4, all.concat());
        },
        &["4:2: expected record 5, got record 6"],
    );
    check(
        |s| {
            let mut all = lines(&s[&4]);
            all.swap(1, 2);
            s.insert(4, all.concat());
        },
        &["4:2: expected record 5, got record 6"],
    );
    check(
        |s| {
            let mut all = lines(&s[&4]);
            all.insert(1, b"{}\n".to_vec());
            s.insert(4, all.concat());
        },
        &["4:2: the line is no record"],
    );
    check(
        |s| drop(s.remove(&4)),
        &["7:1: expected record 4, got record 7"],
    );
    check(
        |s| drop(s.remove(&1)),
        &[
            "records 1 to 3 are missing, and no later record says that they were removed for want of room",
        ],
    );
    check(
        |s| drop(s.remove(&7)),
        &["the log was cut off: it ends with record 6, and record 9 is known to have been there"],
    );
    check(
        |s| {
            let cut = lines(&s[&7])[..2].concat();
            s.insert(7, cut);
        },
        &["the log was cut off: it ends with record 8, and record 9 is known to have been there"],
    );
    check(
        |s| {
            let moved = s.remove(&4).unwrap();
            s.insert(5, moved);
        },
        &["5:1: the file is named after record 5, and begins with record 4"],
    );
    check(
        |s| {
            let cut = s[&4][..s[&4].len() - 1].to_vec();
            s.insert(4, cut);
        },
        &["the file before 00000000000000000007 ends within a line"],
    );
    check(
        |s| s.clear(),
        &["the log was cut off: it ends with record 0, and record 9 is known to have been there"],
    );
}

#[test]
fn a_chain_that_was_made_anew_is_found_out_by_a_hash_that_was_kept() {
    let (segments, head) = chain(&[3]);
    let other = Head {
        sequence: 2,
        hash: Digest::of(b"another"),
    };
    assert!(walk(&segments, Some(head)).is_sound());
    assert_eq!(
        told(&walk(&segments, Some(other))),
        ["1:2: record 2 is another one than the one that is known"]
    );
    // Without one, a whole new chain is as good as any.
    assert!(walk(&segments, None).is_sound());
}

#[test]
fn what_retention_removed_is_proven_by_its_record() {
    let (mut segments, mut head) = chain(&[3, 3]);
    let mut bytes = Vec::new();
    for event in [Event::Retired { through: 3 }, Event::Unlisted { calls: 1 }] {
        let (line, next) = encode(head, &writer(), NOW, &event).unwrap();
        bytes.extend(line);
        head = next;
    }
    segments.insert(7, bytes);
    // Said, and not done yet.
    assert!(walk(&segments, Some(head)).is_sound());
    segments.remove(&1);
    let report = walk(&segments, Some(head));
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.first, report.records), (Some(4), 5));
    let old = Head {
        sequence: 2,
        hash: Digest::of(b""),
    };
    assert_eq!(
        told(&walk(&segments, Some(old))),
        ["record 2 is not kept any more, so nothing can be proven by its hash; use a later one"]
    );
    // More than was said.
    segments.remove(&4);
    assert!(!walk(&segments, None).is_sound());
}

#[test]
fn the_beginning_of_a_record_at_the_end_is_no_break() {
    let (segments, head) = chain(&[2, 2]);
    let whole = &segments[&3];
    let second = lines(whole)[0].len();
    for cut in 1..whole.len() {
        let mut segments = segments.clone();
        segments.insert(3, whole[..cut].to_vec());
        let report = walk(&segments, None);
        assert!(report.is_sound(), "cut at {cut}: {report:?}");
        let begun = if cut < second { 0 } else { second };
        let expected = match cut {
            _ if cut == second => Tail::Whole,
            _ if cut == second - 1 || cut == whole.len() - 1 => Tail::Unended,
            _ => Tail::Unfinished {
                at: begun.try_into().unwrap(),
                bytes: (cut - begun).try_into().unwrap(),
            },
        };
        assert_eq!(report.tail, expected, "cut at {cut}");
        let known = walk(&segments, Some(head)).is_sound();
        assert_eq!(known, cut == whole.len() - 1, "cut at {cut}");
    }
    // What stands behind a whole record is none.
    let mut segments = segments.clone();
    segments.get_mut(&3).unwrap().extend(b"x");
    assert!(walk(&segments, None).is_sound());
    *segments.get_mut(&3).unwrap() = [&whole[..whole.len() - 1], b"x"].concat();
    assert!(!walk(&segments, None).is_sound());
}

#[test]
fn one_broken_segment_does_not_hide_the_next() {
    let (mut segments, _) = chain(&[2, 2, 2, 2]);
    for number in [3, 7] {
        segments.get_mut(&number).unwrap()[20] ^= 1;
    }
    let report = walk(&segments, None);
    let spots: Vec<_> = report
        .breaks
        .iter()
        .map(|b| b.spot.unwrap().segment)
        .collect();
    assert_eq!(spots, [3, 7]);
    assert_eq!(report.records, 4);
}

#[test]
fn breaks_are_told_apart_up_to_a_bound() {
    let counts = vec![1; BREAKS_MAX + 10];
    let (mut segments, _) = chain(&counts);
    for bytes in segments.values_mut() {
        bytes[20] ^= 1;
    }
    let report = walk(&segments, None);
    assert_eq!(report.breaks.len(), BREAKS_MAX);
    assert_eq!(report.more_breaks, 10);
}

/// One change of the files of a log.
#[derive(Clone, Debug)]
enum Tampering {
    Flip { at: usize, bit: u8 },
    Cut { at: usize },
    RemoveLine { at: usize },
    Swap { at: usize, with: usize },
    Duplicate { at: usize },
    RemoveSegment { at: usize },
}

fn tampering() -> impl Strategy<Value = Tampering> {
    let any = any::<usize>;
    prop_oneof![
        4 => (any(), 0..8_u8).prop_map(|(at, bit)| Tampering::Flip { at, bit }),
        1 => any().prop_map(|at| Tampering::Cut { at }),
        1 => any().prop_map(|at| Tampering::RemoveLine { at }),
        1 => (any(), any()).prop_map(|(at, with)| Tampering::Swap { at, with }),
        1 => any().prop_map(|at| Tampering::Duplicate { at }),
        1 => any().prop_map(|at| Tampering::RemoveSegment { at }),
    ]
}

fn tamper(segments: &mut BTreeMap<u64, Vec<u8>>, tampering: &Tampering) {
    let numbers: Vec<u64> = segments.keys().copied().collect();
    let of = |at: usize| numbers[at % numbers.len()];
    match *tampering {
        Tampering::Flip { at, bit } => {
            let bytes = segments.get_mut(&of(at)).unwrap();
            let at = at / numbers.len() % bytes.len();
            bytes[at] ^= 1 << bit;
        }
        Tampering::Cut { at } => {
            let bytes = segments.get_mut(&of(at)).unwrap();
            bytes.truncate(at / numbers.len() % bytes.len());
        }
        Tampering::RemoveLine { at } => {
            let mut all = lines(&segments[&of(at)]);
            all.remove(at / numbers.len() % all.len());
            segments.insert(of(at), all.concat());
        }
        Tampering::Swap { at, with } => {
            let (from, to) = (of(at), of(with));
            let (mut a, mut b) = (lines(&segments[&from]), lines(&segments[&to]));
            let (i, j) = (at / numbers.len() % a.len(), with / numbers.len() % b.len());
            if from == to {
                a.swap(i, j);
            } else {
                std::mem::swap(&mut a[i], &mut b[j]);
                segments.insert(to, b.concat());
            }
            segments.insert(from, a.concat());
        }
        Tampering::Duplicate { at } => {
            let mut all = lines(&segments[&of(at)]);
            let i = at / numbers.len() % all.len();
            all.insert(i, all[i].clone());
            segments.insert(of(at), all.concat());
        }
        Tampering::RemoveSegment { at } => drop(segments.remove(&of(at))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Whoever knows the head of a chain finds every change of it, except that the last end of line may be missing.
    #[test]
    fn any_tampering_is_found(
        counts in prop::collection::vec(1..6_usize, 1..5),
        tampering in tampering(),
    ) {
        let (segments, head) = chain(&counts);
        let mut other = segments.clone();
        tamper(&mut other, &tampering);
        let last = *segments.keys().last().unwrap();
        let mut unended = segments.clone();
        unended.get_mut(&last).unwrap().pop();
        prop_assume!(other != segments && other != unended);
        prop_assert!(!walk(&other, Some(head)).is_sound());
    }

    /// A record that was changed, moved or taken out of the middle is found without knowing anything.
    #[test]
    fn tampering_before_the_end_is_found_without_a_head(
        counts in prop::collection::vec(2..6_usize, 1..5),
        tampering in tampering(),
    ) {
        let (segments, _) = chain(&counts);
        let mut other = segments.clone();
        tamper(&mut other, &tampering);
        // What only cuts off the end is the one thing that needs a head.
        let whole: Vec<u8> = segments.values().flatten().copied().collect();
        let left: Vec<u8> = other.values().flatten().copied().collect();
        prop_assume!(!whole.starts_with(&left));
        prop_assert!(!walk(&other, None).is_sound());
    }

    /// Whatever lies on a disk, it is told and does not end the process.
    #[test]
    fn any_bytes_are_taken(segments in prop::collection::btree_map(0..9_u64, prop::collection::vec(any::<u8>(), 0..200), 0..4)) {
        let report = walk(&segments, None);
        prop_assert_eq!(report.records, 0);
    }
}
