//! The one task that writes a log.
//!
//! It takes whatever waits, numbers and links it, and appends it under one sync; whoever waits for a record is answered
//! after that. While a sync is under way the next batch gathers. Records that nobody waits for may gather for a moment
//! longer.
//!
//! A disk that fails is told to everybody who waits, and nothing is admitted until it works again. What was numbered
//! meanwhile is kept and written then, at the same place: of what was done while the disk failed, a record comes all the
//! same, unless the process ends before.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use host::segments::{Segment, SegmentError};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    batch::{Batch, surplus},
    record::Event,
    recorder::{Message, Options, Shared, Unrecorded, Waiting},
    resume::{self, End},
};

/// How long a disk that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// Writes until nobody can ask for it any more.
pub(crate) async fn run(options: Options, shared: Arc<Shared>, messages: mpsc::Receiver<Message>) {
    let mut queue = Queue {
        messages,
        backlog: VecDeque::new(),
        interruption: None,
    };
    let end = loop {
        match resume::find(&*shared.segments).await {
            Ok(end) => break end,
            Err(error) => {
                let why = queue.interrupted(&shared, error);
                queue.rest(&why).await;
            }
        }
    };
    shared.found_breaks(end.breaks);
    let mut writer = Writer {
        end,
        options,
        shared,
        queue,
    };
    writer.end.notices.push(Event::Started {
        version: writer.options.version.to_owned(),
    });
    while let Some(batch) = writer.gather().await {
        writer.commit(batch).await;
    }
}

struct Writer {
    options: Options,
    shared: Arc<Shared>,
    queue: Queue,
    end: End,
}

/// What waits to be written.
struct Queue {
    messages: mpsc::Receiver<Message>,
    /// What came while the disk failed; nobody waits for it any more. Bounded by the places that it holds.
    backlog: VecDeque<Waiting>,
    /// The disk fails, or did so until the last append.
    interruption: Option<Interruption>,
}

struct Interruption {
    reason: String,
    refused_before: u64,
}

impl Writer {
    /// What is to be written next; `None` if nobody is left to ask.
    async fn gather(&mut self) -> Option<Batch> {
        let mut batch = Batch::after(self.end.head);
        for notice in std::mem::take(&mut self.end.notices) {
            self.note(&mut batch, notice);
        }
        while !batch.is_full()
            && let Some(late) = self.queue.backlog.pop_front()
        {
            batch.add(&self.options.writer, late);
        }
        if batch.records == 0 {
            let first = self.queue.messages.recv().await?;
            self.add(&mut batch, first);
        }
        let until = Instant::now() + self.options.sync_delay;
        while !batch.is_full() {
            let next = match self.queue.messages.try_recv() {
                Ok(next) => next,
                Err(_) if batch.is_urgent() => break,
                Err(_) => match timeout_at(until, self.queue.messages.recv()).await {
                    Ok(Some(next)) => next,
                    Ok(None) | Err(_) => break,
                },
            };
            self.add(&mut batch, next);
        }
        let calls = self.shared.take_unlisted();
        if calls > 0 {
            self.note(&mut batch, Event::Unlisted { calls });
        }
        Some(batch)
    }

    fn add(&self, batch: &mut Batch, message: Message) {
        match message {
            Message::Record(waiting) => batch.add(&self.options.writer, waiting),
            Message::Flush(flush) => batch.answer(flush),
        }
    }

    /// Adds an event of the log itself.
    fn note(&self, batch: &mut Batch, event: Event) {
        let now = self.shared.clock.wall();
        if let Err(error) = batch.push(&self.options.writer, now, event) {
            tracing::error!(%error, "an event is not in the audit log");
        }
    }

    /// Brings a batch to disk, however long that takes.
    async fn commit(&mut self, mut batch: Batch) {
        if batch.records == 0 {
            batch.written();
            return;
        }
        let retired = self.turn_over(&mut batch);
        while let Err(error) = self.append(&batch).await {
            if let SegmentError::Changed { .. } = error {
                self.set_apart(&batch, &error);
            }
            let why = self.queue.interrupted(&self.shared, error);
            batch.failed(&why);
            self.queue.rest(&why).await;
        }
        self.end.head = batch.head;
        self.shared.written(batch.records, batch.head);
        batch.written();
        if let Some(notice) = self.queue.goes_on(&self.shared) {
            self.end.notices.push(notice);
        }
        self.remove(retired).await;
    }

    /// Begins a new segment if the last one is full, and says in the batch which old ones go for it: how many.
    fn turn_over(&mut self, batch: &mut Batch) -> usize {
        let full = self.end.segments.last().is_none_or(|last| {
            last.bytes > 0 && last.bytes.saturating_add(batch.len()) > self.options.segment_bytes.0
        });
        if !self.end.anew && (!full || self.end.unended) {
            return 0;
        }
        let segments = &self.end.segments;
        let retired = surplus(
            segments,
            self.options.keep_bytes,
            self.options.keep_segments,
        );
        if retired > 0 {
            let kept = segments.get(retired).map_or(batch.first, |s| s.number);
            let through = kept.saturating_sub(1);
            self.note(batch, Event::Retired { through });
        }
        self.begin(batch.first);
        retired
    }

    fn begin(&mut self, number: u64) {
        self.end.segments.push(Segment { number, bytes: 0 });
        self.end.anew = false;
        self.end.unended = false;
    }

    async fn append(&mut self, batch: &Batch) -> Result<(), SegmentError> {
        let Some(last) = self.end.segments.last_mut() else {
            return Ok(());
        };
        let before: &[u8] = if self.end.unended { b"\n" } else { b"" };
        let bytes = batch.bytes(before);
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let segments = &self.shared.segments;
        segments.append(last.number, last.bytes, bytes).await?;
        last.bytes = last.bytes.saturating_add(length);
        self.end.unended = false;
        Ok(())
    }

    /// The last segment is not as it was left: the batch goes into one of its own, and what follows says why.
    fn set_apart(&mut self, batch: &Batch, error: &SegmentError) {
        let changed = self.end.segments.last().map_or(0, |last| last.number);
        self.end.notices.push(Event::Broken {
            segment: changed,
            line: 0,
            reason: error.to_string(),
        });
        self.shared.found_breaks(1);
        if changed == batch.first {
            // It was the batch's own, and is made anew.
            self.end.segments.pop();
        }
        self.begin(batch.first);
    }

    /// Takes the oldest segments away. Those that cannot be are tried again with the next ones.
    async fn remove(&mut self, retired: usize) {
        for _ in 0..retired {
            let Some(oldest) = self.end.segments.first().copied() else {
                return;
            };
            if let Err(error) = self.shared.segments.remove(oldest.number).await {
                tracing::warn!(%error, "an old segment of the audit log could not be removed");
                return;
            }
            self.end.segments.remove(0);
        }
    }
}

impl Queue {
    /// The disk failed. Said once until it works again.
    fn interrupted(&mut self, shared: &Shared, error: SegmentError) -> Unrecorded {
        let source = std::error::Error::source(&error).map(ToString::to_string);
        let reason = [Some(error.to_string()), source];
        let reason = reason.into_iter().flatten().collect::<Vec<_>>().join(": ");
        let why = Unrecorded::Disk(shared.failed(error));
        if self.interruption.is_none() {
            tracing::error!(
                reason,
                "the audit log cannot be written: this frontend refuses control calls until it can; invocations go on"
            );
            self.interruption = Some(Interruption {
                reason,
                refused_before: shared.refused(),
            });
        }
        why
    }

    /// Leaves the disk alone for a while. Whoever asks for a record meanwhile is told why there is none yet.
    async fn rest(&mut self, why: &Unrecorded) {
        let until = Instant::now() + RETRY;
        while let Ok(message) = timeout_at(until, self.messages.recv()).await {
            match message {
                Some(Message::Record(mut waiting)) => {
                    if let Some(done) = waiting.done.take() {
                        let _gone = done.send(Err(why.clone()));
                    }
                    self.backlog.push_back(waiting);
                }
                Some(Message::Flush(flush)) => drop(flush),
                None => sleep_until(until).await,
            }
        }
    }

    /// The disk works. What is to be told of the time when it did not.
    fn goes_on(&mut self, shared: &Shared) -> Option<Event> {
        let Interruption {
            reason,
            refused_before,
        } = self.interruption.take()?;
        tracing::info!("the audit log can be written again");
        Some(Event::Interrupted {
            reason,
            refused: shared.refused().saturating_sub(refused_before),
        })
    }
}
