use super::*;

fn name(environment: &str) -> Name {
    Name {
        function: FunctionId {
            account: model::AccountId::DEFAULT,
            region: model::Region::default(),
            name: "hello".parse().unwrap(),
        },
        group: None,
        version: Version::Latest,
        least: None,
        at: Timestamp(1_767_323_045_123),
        environment: environment.into(),
    }
}

fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join("000000000000/us-east-1/hello").join(file)).unwrap()
}

#[test]
fn without_a_thread_lines_are_there_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention::default();
    let files = Files::start(dir.path().to_owned(), retention, &Tasks::in_place()).unwrap();
    let mut log = files.open(name("e1"));
    log.append(Timestamp(0), b"one\n");
    assert_eq!(
        read(dir.path(), "2026-01-02-LATEST-e1.log"),
        "1970-01-01T00:00:00.000Z\tone\n"
    );
    files.flush();
}

#[test]
fn lines_are_stamped_with_the_time_of_their_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let files = Files::start(dir.path().to_owned(), Retention::default(), &Tasks::new()).unwrap();
    let mut log = files.open(name("e1"));
    log.append(Timestamp(0), b"one\ntw");
    log.append(Timestamp(1000), b"o\nthree\nun");
    log.append(Timestamp(2000), b"finished");
    drop(log);
    files.flush();
    assert_eq!(
        read(dir.path(), "2026-01-02-LATEST-e1.log"),
        "1970-01-01T00:00:00.000Z\tone\n1970-01-01T00:00:00.000Z\ttwo\n1970-01-01T00:00:01.000Z\tthree\n\
         1970-01-01T00:00:01.000Z\tunfinished\n"
    );
}

#[test]
fn a_full_file_is_continued_and_an_endless_line_is_cut() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention {
        per_file: ByteCount(100),
        ..Retention::default()
    };
    let files = Files::start(dir.path().to_owned(), retention, &Tasks::new()).unwrap();
    let mut log = files.open(name("e1"));
    for n in 0..5 {
        log.append(Timestamp(0), format!("{n}{}\n", "x".repeat(40)).as_bytes());
    }
    files.flush();
    let current = read(dir.path(), "2026-01-02-LATEST-e1.log");
    let older = read(dir.path(), "2026-01-02-LATEST-e1.log.1");
    assert_eq!(
        (older.lines().count(), current.lines().count()),
        (2, 1),
        "{older}{current}"
    );
    let mut partial = Vec::new();
    let out = stamped(&mut partial, Timestamp(0), &vec![b'x'; LINE_MAX + 1], None);
    assert!(out.len() > LINE_MAX && partial.is_empty());
}

#[test]
fn the_oldest_files_of_a_function_go() {
    let dir = tempfile::tempdir().unwrap();
    let retention = Retention {
        files_per_function: 3,
        ..Retention::default()
    };
    let files = Files::start(dir.path().to_owned(), retention, &Tasks::new()).unwrap();
    for n in 0..6 {
        let mut log = files.open(name(&format!("e{n}")));
        log.append(Timestamp(0), b"x\n");
        files.flush();
    }
    let of = place::directory(dir.path(), &name(""));
    assert_eq!(fs::read_dir(of).unwrap().count(), 3);
}

#[test]
fn records_below_the_least_level_are_left_out() {
    let lines = concat!(
        r#"{"timestamp":"2026-01-02T03:04:05Z","level":"DEBUG","message":"a"}"#,
        "\n",
        r#"{"timestamp":"2026-01-02T03:04:05Z","level":"WARN","message":"b"}"#,
        "\nplain\n"
    );
    let kept = |least: Option<&str>| {
        let least = least.map(|least| least.parse().unwrap());
        let out = stamped(&mut Vec::new(), Timestamp(0), lines.as_bytes(), least);
        String::from_utf8(out).unwrap().lines().count()
    };
    assert_eq!([None, Some("INFO"), Some("ERROR")].map(kept), [3, 2, 1]);
}
