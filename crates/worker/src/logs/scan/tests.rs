use std::{fs, io::Write, path::Path};

use proptest::prelude::*;

use super::*;

fn line(at: u64, text: &str) -> String {
    format!("{}\t{text}\n", Timestamp(at).to_rfc3339())
}

fn stream(dir: &Path, name: &str, older: Option<&str>, current: Option<&str>) -> Stream {
    let write = |suffix: &str, text: &str| {
        let path = dir.join(format!("{name}{suffix}"));
        fs::write(&path, text).unwrap();
        path
    };
    Stream {
        name: name.to_owned(),
        older: older.map(|text| write(".1", text)),
        current: current.map(|text| write("", text)),
    }
}

fn everything() -> Wanted {
    Wanted {
        start: 0,
        end: u64::MAX,
        after: None,
        before: None,
        newest: false,
        filter: None,
        limit: 10_000,
        bytes: 1 << 20,
    }
}

fn texts(found: &Found) -> Vec<&str> {
    let texts = found.events.iter().map(|event| event.message.trim_end());
    texts.collect()
}

#[test]
fn streams_are_read_in_the_order_of_time() {
    let dir = tempfile::tempdir().unwrap();
    let a = stream(
        dir.path(),
        "a",
        Some(&line(1, "a1")),
        Some(
            &[
                line(5, "a5"),
                line(5, "a5 too"),
                "no time\n".to_owned(),
                line(9, "a9"),
            ]
            .concat(),
        ),
    );
    let b = stream(
        dir.path(),
        "b",
        None,
        Some(&[line(2, "b2"), line(5, "b5")].concat()),
    );
    let gone = Stream {
        name: "c".to_owned(),
        current: Some(dir.path().join("gone")),
        older: None,
    };
    let streams = [a, b, gone];
    let found = scan(&streams, &everything()).unwrap();
    let expected = ["a1", "b2", "a5", "a5 too", "no time", "b5", "a9"];
    assert_eq!(texts(&found), expected);
    assert_eq!(found.until, None);

    let some = |change: &dyn Fn(&mut Wanted)| {
        let mut wanted = everything();
        change(&mut wanted);
        scan(&streams, &wanted).unwrap()
    };
    let found = some(&|w| (w.start, w.end) = (2, 9));
    assert_eq!(texts(&found), expected[1..6]);
    let found = some(&|w| w.limit = 4);
    assert_eq!(texts(&found), expected[..4]);
    let until = found.until.unwrap();
    assert_eq!((until.at, until.stream.as_str(), until.number), (5, "a", 1));
    let found = some(&|w| w.after = Some(until.clone()));
    assert_eq!(texts(&found), expected[4..]);
    let found = some(&|w| w.before = Some(until.clone()));
    assert_eq!(
        (texts(&found), found.until.clone()),
        (expected[..3].to_vec(), None)
    );
    let found = some(&|w| w.filter = Some(LogFilter::parse("a5").unwrap()));
    assert_eq!(texts(&found), ["a5", "a5 too"]);
    let found = some(&|w| (w.newest, w.limit) = (true, 2));
    assert_eq!(texts(&found), ["b5", "a9"]);
    // One event at least, however large.
    let found = some(&|w| w.bytes = 1);
    assert_eq!(texts(&found), ["a1"]);
}

#[test]
fn what_does_not_pass_a_filter_counts_as_seen() {
    let dir = tempfile::tempdir().unwrap();
    let lines: String = (0..10)
        .map(|n| line(n, "no"))
        .chain([line(10, "yes"), line(11, "yes")])
        .collect();
    let streams = [stream(dir.path(), "a", None, Some(&lines))];
    let mut wanted = everything();
    wanted.filter = Some(LogFilter::parse("yes").unwrap());
    wanted.limit = 1;
    let found = scan(&streams, &wanted).unwrap();
    assert_eq!(
        (texts(&found), found.until.clone().unwrap().at),
        (vec!["yes"], 10)
    );
}

#[test]
fn a_line_that_is_being_written_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let streams = [stream(
        dir.path(),
        "a",
        None,
        Some(&(line(1, "whole") + "1970-01-01T00:00:00.002Z\thal")),
    )];
    assert_eq!(texts(&scan(&streams, &everything()).unwrap()), ["whole"]);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(dir.path().join("a"))
        .unwrap();
    file.write_all(b"f\n").unwrap();
    assert_eq!(
        texts(&scan(&streams, &everything()).unwrap()),
        ["whole", "half"]
    );
}

#[test]
fn a_file_that_became_the_older_half_is_read_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, line(1, "one")).unwrap();
    let stream = Stream {
        name: "a".to_owned(),
        current: Some(path.clone()),
        older: Some(path),
    };
    assert_eq!(texts(&scan(&[stream], &everything()).unwrap()), ["one"]);
}

#[test]
fn a_clock_that_was_set_back_changes_no_order() {
    let dir = tempfile::tempdir().unwrap();
    let lines = [line(5, "one"), line(3, "two"), line(6, "three")].concat();
    let streams = [stream(dir.path(), "a", None, Some(&lines))];
    let found = scan(&streams, &everything()).unwrap();
    let at = found
        .events
        .iter()
        .map(|event| (event.position.at, event.position.number));
    assert_eq!(at.collect::<Vec<_>>(), [(5, 0), (5, 1), (6, 0)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Page after page gives what one page gives, wherever the search in the files begins.
    #[test]
    fn pages_are_whole(
        gaps in prop::collection::vec((0u64..3, 0usize..3), 1..200),
        width in prop::sample::select(vec![1usize, 300]),
        limit in 1usize..40,
        start in 0u64..100,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut files = [String::new(), String::new(), String::new()];
        let mut at = 0;
        for (n, (gap, which)) in gaps.iter().enumerate() {
            at += gap;
            let second_half = n > gaps.len() / 2;
            let file = if *which == 2 { 2 } else { usize::from(second_half) };
            files[file].push_str(&line(at, &format!("{n} {}", "x".repeat(width))));
        }
        let streams = [
            stream(dir.path(), "a", Some(&files[0]), Some(&files[1])),
            stream(dir.path(), "b", None, Some(&files[2])),
        ];
        let wanted = Wanted { start, ..everything() };
        let whole = scan(&streams, &wanted).unwrap().events;
        prop_assert!(whole.windows(2).all(|w| w[0].position < w[1].position));
        let mut paged = Vec::new();
        let mut wanted = Wanted { limit, ..wanted };
        loop {
            let found = scan(&streams, &wanted).unwrap();
            prop_assert!(found.events.len() <= limit);
            paged.extend(found.events);
            match found.until {
                Some(until) => wanted.after = Some(until),
                None => break,
            }
        }
        prop_assert_eq!(paged, whole);
    }
}
