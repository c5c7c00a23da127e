use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::{
    testing::{Memory, Stopped, call, chain, writer},
    walk::{Report, Walk},
};

struct Desk {
    recorder: Recorder,
    memory: Memory,
    tasks: Tasks,
}

impl Desk {
    fn open(memory: &Memory) -> Self {
        Self::open_with(memory, |_| {})
    }

    fn open_with(memory: &Memory, adjust: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(writer(), "0.1.0");
        adjust(&mut options);
        let tasks = Tasks::new();
        let segments = Arc::new(memory.clone());
        let recorder = Recorder::start(options, segments, Arc::new(Stopped), &tasks);
        Self {
            recorder,
            memory: memory.clone(),
            tasks,
        }
    }

    async fn write(&self, id: &str) -> Result<(), Unrecorded> {
        self.recorder
            .admit()?
            .write(call(id, "CreateFunction"))
            .await
    }

    fn leave(&self, id: &str) {
        let place = self.recorder.admit().unwrap();
        place.leave(call(id, "GetFunction")).unwrap();
    }

    /// Ends the process as a crash does.
    async fn crash(self) -> Memory {
        self.tasks.stop().await;
        self.memory
    }
}

fn walked(segments: &BTreeMap<u64, Vec<u8>>, wanted: Option<Head>) -> Report {
    let mut walk = Walk::new(wanted);
    for (number, bytes) in segments {
        walk.segment(*number, bytes);
    }
    walk.finish()
}

/// Every record: the request's id, or what else happened.
fn told(memory: &Memory) -> Vec<String> {
    let content = memory.content();
    let text: Vec<u8> = content.into_values().flatten().collect();
    let text = String::from_utf8(text).unwrap();
    let told = text.lines().map(|line| {
        let record: Value = serde_json::from_str(line).unwrap();
        let id = record["request_id"].as_str();
        id.unwrap_or_else(|| record["event"].as_str().unwrap())
            .to_owned()
    });
    told.collect()
}

#[tokio::test(start_paused = true)]
async fn records_are_on_disk_when_their_writer_is_answered() {
    let desk = Desk::open(&Memory::default());
    for id in ["a", "b"] {
        desk.write(id).await.unwrap();
        assert!(told(&desk.memory).contains(&id.to_owned()));
    }
    assert_eq!(told(&desk.memory), ["started", "a", "b"]);
    let figures = desk.recorder.figures();
    assert_eq!((figures.head.sequence, figures.records), (3, 3));
    assert!(figures.writable);
    let report = walked(&desk.memory.content(), Some(figures.head));
    assert!(report.is_sound(), "{report:?}");
}

#[tokio::test(start_paused = true)]
async fn those_who_wait_share_one_sync_and_those_who_do_not_wait_gather() {
    let desk = Desk::open(&Memory::default());
    desk.write("first").await.unwrap();
    let before = desk.memory.appends();
    let writes = (0..50).map(|n| desk.write(if n % 2 == 0 { "x" } else { "y" }));
    for written in futures(writes).await {
        written.unwrap();
    }
    assert!(
        desk.memory.appends() <= before + 2,
        "{}",
        desk.memory.appends() - before
    );

    let before = desk.memory.appends();
    for _ in 0..20 {
        desk.leave("read");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(desk.memory.appends(), before);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(desk.memory.appends(), before + 1);
    desk.leave("flushed");
    desk.recorder.flush().await;
    assert_eq!(told(&desk.memory).last().unwrap(), "flushed");
}

/// Runs futures side by side.
async fn futures<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.into_iter().map(|f| (Box::pin(f), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (future, outcome) in &mut all {
            if outcome.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(done) => *outcome = Some(done),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
    all.into_iter()
        .map(|(_, outcome)| outcome.unwrap())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn the_chain_goes_on_after_a_restart() {
    let mut memory = Memory::default();
    for round in ["a", "b", "c"] {
        let desk = Desk::open(&memory);
        desk.write(round).await.unwrap();
        memory = desk.crash().await;
    }
    assert_eq!(
        told(&memory),
        ["started", "a", "started", "b", "started", "c"]
    );
    assert!(walked(&memory.content(), None).is_sound());
    assert_eq!(memory.content().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_of_a_record_is_told_wherever_it_was_cut() {
    let (segments, _) = chain(&[2, 2]);
    let whole = segments[&3].clone();
    for cut in 0..=whole.len() {
        let mut left = segments.clone();
        left.insert(3, whole[..cut].to_vec());
        let desk = Desk::open(&Memory::holding(left));
        desk.write("next").await.unwrap();
        let figures = desk.recorder.figures();
        assert_eq!(figures.breaks, 0, "cut at {cut}");
        let memory = desk.crash().await;
        let report = walked(&memory.content(), Some(figures.head));
        assert!(report.is_sound(), "cut at {cut}: {report:?}");
        let told = told(&memory);
        let torn = told.iter().filter(|t| *t == "torn").count();
        let whole_lines = cut == 0
            || [whole.len() / 2 - 1, whole.len() / 2].contains(&cut)
            || cut + 1 >= whole.len();
        assert_eq!(torn, usize::from(!whole_lines), "cut at {cut}: {told:?}");
        assert_eq!(told.last().unwrap(), "next");
    }
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_was_tampered_with_is_named_and_a_new_segment_begins() {
    type Tamper = fn(&mut BTreeMap<u64, Vec<u8>>);
    let tampers: [(Tamper, u64); 4] = [
        (|s| s.get_mut(&3).unwrap()[20] ^= 1, 3),
        (|s| drop(s.remove(&3)), 5),
        (|s| drop(s.insert(9, Vec::new())), 9),
        (|s| drop(s.insert(5, b"{}\n".to_vec())), 5),
    ];
    for (tamper, segment) in tampers {
        let (mut segments, _) = chain(&[2, 2, 2]);
        tamper(&mut segments);
        let before = segments.clone();
        let desk = Desk::open(&Memory::holding(segments));
        desk.write("next").await.unwrap();
        assert!(desk.recorder.figures().breaks > 0);
        let memory = desk.crash().await;
        let mut after = memory.content();
        let (number, new) = after.pop_last().unwrap();
        assert_eq!(after, before, "what is broken is not touched");
        assert!(number > *before.keys().last().unwrap());
        let first: Value =
            serde_json::from_slice(new.split(|b| *b == b'\n').next().unwrap()).unwrap();
        assert_eq!(first["event"], "broken");
        assert_eq!(first["segment"], segment);
        // It stays broken for whoever verifies, and the new segment can be continued.
        let report = walked(&memory.content(), None);
        assert!(!report.is_sound());
        let desk = Desk::open(&memory);
        desk.write("later").await.unwrap();
        assert_eq!(
            told(&Memory::holding([(
                1,
                desk.memory.content().pop_last().unwrap().1
            )]))
            .last()
            .unwrap(),
            "later"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_refuses_calls_until_it_works_and_no_record_is_lost() {
    let desk = Desk::open(&Memory::default());
    desk.write("before").await.unwrap();
    desk.memory.fail(true);
    // One that was let in before it was known.
    let refused = desk.write("meanwhile").await.unwrap_err();
    assert!(matches!(refused, Unrecorded::Disk(_)), "{refused}");
    assert!(!desk.recorder.figures().writable);
    let in_flight = Place {
        permit: desk
            .recorder
            .shared
            .places
            .clone()
            .try_acquire_owned()
            .unwrap(),
        recorder: desk.recorder.clone(),
        began: Timestamp(0),
    };
    let refused = in_flight.write(call("in flight", "CreateFunction")).await;
    assert!(matches!(refused, Err(Unrecorded::Disk(_))));
    for _ in 0..3 {
        assert!(desk.recorder.admit().is_err());
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    desk.memory.fail(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    desk.write("after").await.unwrap();
    assert_eq!(
        told(&desk.memory),
        [
            "started",
            "before",
            "meanwhile",
            "interrupted",
            "in flight",
            "after"
        ]
    );
    let figures = desk.recorder.figures();
    assert!(figures.writable);
    assert_eq!(figures.refused, 3);
    assert!(walked(&desk.memory.content(), Some(figures.head)).is_sound());
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_fails_at_the_start_is_tried_again() {
    let memory = Memory::default();
    memory.fail(true);
    let desk = Desk::open(&memory);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(matches!(desk.recorder.admit(), Err(Unrecorded::Disk(_))));
    memory.fail(false);
    tokio::time::sleep(Duration::from_secs(2)).await;
    desk.write("after").await.unwrap();
    assert_eq!(told(&memory), ["started", "interrupted", "after"]);
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_somebody_cuts_off_is_set_apart() {
    let desk = Desk::open(&Memory::default());
    desk.write("before").await.unwrap();
    desk.memory.change(|s| s.get_mut(&1).unwrap().truncate(10));
    desk.write("meanwhile").await.unwrap_err();
    tokio::time::sleep(Duration::from_secs(2)).await;
    desk.write("after").await.unwrap();
    let content = desk.memory.content();
    assert_eq!(content.keys().copied().collect::<Vec<_>>(), [1, 3]);
    let new = Memory::holding([(3, content[&3].clone())]);
    assert_eq!(told(&new), ["meanwhile", "broken", "interrupted", "after"]);
    assert!(!walked(&content, None).is_sound());
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_slow_disk_has_a_bound() {
    let desk = Desk::open_with(&Memory::default(), |o| o.waiting_max = 3);
    desk.write("before").await.unwrap();
    desk.memory.slow(true);
    let slow = desk.write("slow").await.unwrap_err();
    assert!(matches!(slow, Unrecorded::Slow(_)), "{slow}");
    let places: Vec<_> = (0..2).map(|_| desk.recorder.admit().unwrap()).collect();
    let full = desk.recorder.admit().map(drop).unwrap_err();
    assert!(matches!(full, Unrecorded::Full { limit: 3 }), "{full}");
    drop(places);
    desk.memory.slow(false);
    desk.write("after").await.unwrap();
    assert_eq!(told(&desk.memory), ["started", "before", "slow", "after"]);
    assert_eq!(desk.recorder.shared.places.available_permits(), 3);
}

#[tokio::test(start_paused = true)]
async fn segments_turn_over_and_the_oldest_go() {
    let desk = Desk::open_with(&Memory::default(), |o| {
        o.segment_bytes = ByteCount(2000);
        o.keep_segments = 3;
    });
    let mut head = None;
    for n in 0..40 {
        desk.write(&format!("r{n}")).await.unwrap();
        let content = desk.memory.content();
        assert!(content.len() <= 3, "{n}");
        assert!(content.values().all(|bytes| bytes.len() <= 2700), "{n}");
        let now = desk.recorder.figures().head;
        let report = walked(&content, head.or(Some(now)));
        assert!(report.is_sound(), "{n}: {report:?}");
        head = Some(now);
    }
    let (first, _) = desk.memory.content().pop_first().unwrap();
    assert!(first > 1);
    let memory = desk.crash().await;
    let desk = Desk::open_with(&memory, |o| o.keep_bytes = ByteCount(1));
    desk.write("last").await.unwrap();
    assert!(walked(&desk.memory.content(), None).is_sound());
}

#[tokio::test(start_paused = true)]
async fn strangers_cannot_fill_the_log() {
    let desk = Desk::open_with(&Memory::default(), |o| o.waiting_max = 5000);
    for _ in 0..STRANGERS_BURST + 500 {
        let place = desk.recorder.admit().unwrap();
        place
            .leave_for_stranger(call("stranger", "GetFunction"))
            .unwrap();
    }
    desk.write("known").await.unwrap();
    desk.recorder.flush().await;
    let all = told(&desk.memory);
    let strangers = all.iter().filter(|t| *t == "stranger").count();
    assert_eq!(strangers, usize::try_from(STRANGERS_BURST).unwrap());
    assert_eq!(all.iter().filter(|t| *t == "unlisted").count(), 1);
    assert_eq!(desk.recorder.figures().unlisted, 500);
    tokio::time::sleep(STRANGERS_PAUSE * 3).await;
    for _ in 0..5 {
        let place = desk.recorder.admit().unwrap();
        place
            .leave_for_stranger(call("later", "GetFunction"))
            .unwrap();
    }
    desk.recorder.flush().await;
    let later = told(&desk.memory).iter().filter(|t| *t == "later").count();
    assert_eq!(later, 3);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_too_long_is_written_without_its_parameters() {
    let desk = Desk::open(&Memory::default());
    let Event::Call(mut long) = call("long", "CreateFunction") else {
        panic!("a call");
    };
    long.parameters = [("Handler", "x".repeat(70_000).into())].into();
    let place = desk.recorder.admit().unwrap();
    place.write(Event::Call(long.clone())).await.unwrap();
    long.source = "x".repeat(70_000);
    let place = desk.recorder.admit().unwrap();
    let refused = place.write(Event::Call(long)).await.unwrap_err();
    assert!(matches!(refused, Unrecorded::TooLong), "{refused}");
    desk.write("next").await.unwrap();
    assert_eq!(told(&desk.memory), ["started", "long", "next"]);
    assert!(walked(&desk.memory.content(), None).is_sound());
}
