use std::io::Write;

use host::clock::SystemClock;
use model::Version;

use super::{files::*, *};

fn log(dir: &std::path::Path) -> (Log, Files) {
    let files = Files::start(dir.to_owned(), Retention::default(), &Tasks::new()).unwrap();
    let name = Name {
        function: model::FunctionId {
            account: model::AccountId::DEFAULT,
            region: model::Region::default(),
            name: "f".parse().unwrap(),
        },
        group: None,
        version: Version::Latest,
        least: None,
        at: model::Timestamp(0),
        environment: "e".into(),
    };
    let tasks = Tasks::new();
    let clock = Arc::new(SystemClock);
    let telemetry = Telemetry::new(Arc::new(crate::fixture::Nowhere), clock, tasks);
    let tap = (telemetry, LogFormat::Text);
    let log = Log::new(files.open(name), 4096, Arc::new(SystemClock), tap);
    (log, files)
}

fn pipe() -> (Box<dyn Output>, std::io::PipeWriter) {
    let (read, write) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&read, true).unwrap();
    let read = tokio::net::unix::pipe::Receiver::from_owned_fd(read.into()).unwrap();
    (Box::new(read), write)
}

#[tokio::test]
async fn what_was_printed_before_the_end_is_in_front_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _files) = log(dir.path());
    let (read, mut write) = pipe();
    let tasks = Tasks::new();
    log.follow(read, &tasks);
    log.line("START");
    for n in 0..100 {
        writeln!(write, "line {n}").unwrap();
    }
    write!(write, "no newline").unwrap();
    log.drain();
    log.line("END");
    let tail = String::from_utf8(log.take_tail()).unwrap();
    assert!(tail.starts_with("START\nline 0\nline 1\n"), "{tail}");
    assert!(tail.ends_with("line 99\nno newline\nEND\n"), "{tail}");
    assert!(log.take_tail().is_empty());
    drop(write);
    let ended = async {
        while log.shared.inner.lock().output.is_some() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let ended = tokio::time::timeout(Duration::from_secs(10), ended).await;
    assert!(ended.is_ok(), "the reader ends with the pipe");
}

#[tokio::test]
async fn a_flood_is_read_at_a_bounded_pace() {
    let dir = tempfile::tempdir().unwrap();
    let (log, _files) = log(dir.path());
    let (read, mut write) = pipe();
    let tasks = Tasks::new();
    log.follow(read, &tasks);
    let total = PACE_BYTES * 3;
    let writer = std::thread::spawn(move || {
        let chunk = vec![b'x'; CHUNK];
        for _ in 0..total / CHUNK {
            write.write_all(&chunk).unwrap();
        }
    });
    let before = tokio::time::Instant::now();
    while !writer.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    writer.join().unwrap();
    assert!(
        before.elapsed() >= PACE_WINDOW * 2,
        "{:?}",
        before.elapsed()
    );
}
