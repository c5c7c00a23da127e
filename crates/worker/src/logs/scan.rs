//! Reads lines of many files in one order.
//!
//! Events of a group are ordered by their [`Position`]: by time, then by stream, then by number. A stream's events stand in
//! its files in the order in which they came; where the clock was set back meanwhile they keep that order, at the time of the
//! event before. A scan goes through all streams at once, the earliest event first, so that it can stop anywhere and say how
//! far it came. It opens a stream when it comes to its first event, and closes it behind its last: what is open at a time is
//! what ran at the same time.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    os::unix::fs::MetadataExt,
    path::PathBuf,
    time::Duration,
};

use model::Timestamp;
use pattern::LogFilter;
use tokio::time::Instant;

use super::files::LINE_MAX;

/// What is read of a file at a time.
const CHUNK: usize = 16 << 10;
/// Bytes of files that one scan goes through.
pub(super) const SCAN_MAX: u64 = 32 << 20;
/// How long one scan takes, if it found the first event.
const SCAN_TIME: Duration = Duration::from_millis(1500);
/// What an event takes in an answer besides its text and the name of its stream.
pub(super) const EVENT_BYTES: usize = 26;
/// How long the time in front of a line is: `2026-01-02T03:04:05.123Z`.
const STAMP: usize = 24;
/// Where the search for a time in a file becomes a walk.
const STEP: u64 = 16 << 10;

/// Where an event stands among all of its group.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) at: u64,
    pub(crate) stream: String,
    pub(crate) number: u64,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) position: Position,
    pub(crate) message: String,
}

/// The files of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stream {
    pub(crate) name: String,
    pub(crate) current: Option<PathBuf>,
    pub(crate) older: Option<PathBuf>,
}

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// From this time on.
    pub(crate) start: u64,
    /// Before this time.
    pub(crate) end: u64,
    pub(crate) after: Option<Position>,
    pub(crate) before: Option<Position>,
    /// The last ones rather than the first ones: then all that there is is gone through.
    pub(crate) newest: bool,
    pub(crate) filter: Option<LogFilter>,
    pub(crate) limit: usize,
    pub(crate) bytes: usize,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) events: Vec<Event>,
    /// If it stopped early: everything up to this was looked at.
    pub(crate) until: Option<Position>,
}

/// Goes through streams, which are in the order of their names.
pub(crate) fn scan(streams: &[Stream], wanted: &Wanted) -> io::Result<Found> {
    let from = wanted.after.as_ref().map_or(0, |after| after.at);
    let from = from.max(wanted.start);
    let mut heap = BinaryHeap::new();
    for (n, stream) in streams.iter().enumerate() {
        if let Some(first) = stream.first_at() {
            heap.push(Reverse((first.max(from), n)));
        }
    }
    let mut open: Vec<Option<Cursor>> = streams.iter().map(|_| None).collect();
    let mut taken = Taken::new(wanted);
    let began = Instant::now();
    let mut read = 0;
    while let Some(Reverse((at, n))) = heap.pop() {
        if at >= wanted.end {
            break;
        }
        let (Some(stream), Some(slot)) = (streams.get(n), open.get_mut(n)) else {
            continue;
        };
        let Some(cursor) = slot else {
            // When its first line came was a guess; now it is known.
            let cursor = slot.insert(Cursor::open(stream, from)?);
            if let Some(line) = &cursor.line {
                heap.push(Reverse((line.at, n)));
            }
            continue;
        };
        if let Some(line) = cursor.line.take() {
            let position = Position {
                at: line.at,
                stream: stream.name.clone(),
                number: line.number,
            };
            if taken.take(position, line.text) == Room::None {
                break;
            }
            let too_long = read >= SCAN_MAX || began.elapsed() >= SCAN_TIME;
            // Whoever asks must come further each time, on the slowest disk too.
            if too_long && !wanted.newest && taken.last.is_some() {
                taken.stopped = true;
                break;
            }
        }
        read += cursor.advance()?;
        match &cursor.line {
            Some(line) => heap.push(Reverse((line.at, n))),
            None => *slot = None,
        }
    }
    Ok(taken.found())
}

/// What was taken so far.
struct Taken<'w> {
    wanted: &'w Wanted,
    events: VecDeque<Event>,
    bytes: usize,
    last: Option<Position>,
    stopped: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    Some,
    None,
}

impl<'w> Taken<'w> {
    const fn new(wanted: &'w Wanted) -> Self {
        Self {
            wanted,
            events: VecDeque::new(),
            bytes: 0,
            last: None,
            stopped: false,
        }
    }

    fn take(&mut self, position: Position, text: Vec<u8>) -> Room {
        let wanted = self.wanted;
        let is_shown = wanted
            .after
            .as_ref()
            .is_some_and(|after| position <= *after);
        if is_shown || position.at < wanted.start {
            return Room::Some;
        }
        if wanted
            .before
            .as_ref()
            .is_some_and(|before| position >= *before)
        {
            return Room::None;
        }
        let message = lossy(text);
        if wanted.filter.as_ref().is_some_and(|f| !f.matches(&message)) {
            self.last = Some(position);
            return Room::Some;
        }
        let event = Event { position, message };
        if wanted.newest {
            self.bytes += event.size();
            self.events.push_back(event);
            while self.events.len() > wanted.limit
                || (self.bytes > wanted.bytes && self.events.len() > 1)
            {
                self.bytes -= self.events.pop_front().map_or(0, |event| event.size());
            }
            return Room::Some;
        }
        let is_full = self.events.len() >= wanted.limit
            || (self.bytes + event.size() > wanted.bytes && !self.events.is_empty());
        if is_full {
            self.stopped = true;
            return Room::None;
        }
        self.bytes += event.size();
        self.last = Some(event.position.clone());
        self.events.push_back(event);
        Room::Some
    }

    fn found(self) -> Found {
        Found {
            events: self.events.into(),
            until: self.last.filter(|_| self.stopped),
        }
    }
}

impl Event {
    fn size(&self) -> usize {
        self.message.len() + self.position.stream.len() + EVENT_BYTES
    }
}

fn lossy(text: Vec<u8>) -> String {
    String::from_utf8(text)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

impl Stream {
    /// The time of its first line, if it has one.
    pub(crate) fn first_at(&self) -> Option<u64> {
        let mut files = self.older.iter().chain(&self.current);
        files.find_map(|path| {
            let mut stamp = [0; STAMP];
            // A file that went away meanwhile has no lines.
            File::open(path).ok()?.read_exact(&mut stamp).ok()?;
            time(&stamp)
        })
    }
}

struct Line {
    at: u64,
    number: u64,
    text: Vec<u8>,
}

/// Where a scan is in one stream.
struct Cursor {
    files: VecDeque<BufReader<File>>,
    /// The line that comes next.
    line: Option<Line>,
    /// When the line before came, and its number.
    last: Option<(u64, u64)>,
}

impl Cursor {
    /// In front of the first line that is not older than this.
    fn open(stream: &Stream, from: u64) -> io::Result<Self> {
        // The newer half first: it becomes the older one when it is full. Opened twice it would be read twice.
        let current = opened(stream.current.as_ref())?;
        let older = opened(stream.older.as_ref())?;
        let mut files: Vec<File> = older.into_iter().chain(current).collect();
        if let [a, b] = files.as_slice()
            && a.metadata()?.ino() == b.metadata()?.ino()
        {
            files.pop();
        }
        let mut readers = VecDeque::new();
        for file in files {
            let mut reader = BufReader::with_capacity(CHUNK, file);
            seek(&mut reader, from)?;
            readers.push_back(reader);
        }
        let mut cursor = Self {
            files: readers,
            line: None,
            last: None,
        };
        while cursor.line.as_ref().is_none_or(|line| line.at < from) {
            cursor.advance()?;
            if cursor.line.is_none() {
                break;
            }
        }
        Ok(cursor)
    }

    /// Goes to the next line; answers how many bytes that took.
    fn advance(&mut self) -> io::Result<u64> {
        self.line = None;
        let mut taken = 0;
        while let Some(file) = self.files.front_mut() {
            let mut bytes = Vec::new();
            let most = u64::try_from(LINE_MAX * 2).unwrap_or(u64::MAX);
            let n = file.by_ref().take(most).read_until(b'\n', &mut bytes)?;
            taken += u64::try_from(n).unwrap_or(u64::MAX);
            // A line without an end is being written.
            if bytes.last() != Some(&b'\n') {
                self.files.pop_front();
                continue;
            }
            let at = bytes.get(..STAMP).and_then(time);
            let text = match at {
                Some(_) => bytes.split_off(STAMP + 1),
                None => bytes,
            };
            let (before, count) = self.last.unzip();
            let at = at.max(before).unwrap_or(0);
            let number = count.filter(|_| before == Some(at)).map_or(0, |n| n + 1);
            self.last = Some((at, number));
            self.line = Some(Line { at, number, text });
            return Ok(taken);
        }
        Ok(taken)
    }
}

fn opened(path: Option<&PathBuf>) -> io::Result<Option<File>> {
    match path.map(File::open).transpose() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        opened => opened,
    }
}

/// Goes to the beginning of a line in front of the first one that is not older than this, and near it.
fn seek(reader: &mut BufReader<File>, from: u64) -> io::Result<()> {
    let (mut low, mut high) = (0, reader.get_ref().metadata()?.len());
    while high - low > STEP {
        let middle = low + (high - low) / 2;
        match next_line(reader, middle)? {
            Some((begin, at)) if at < from && begin < high => low = begin,
            _ => high = middle,
        }
    }
    reader.seek(SeekFrom::Start(low))?;
    Ok(())
}

/// The first line that begins behind this place and has a time.
fn next_line(reader: &mut BufReader<File>, place: u64) -> io::Result<Option<(u64, u64)>> {
    reader.seek(SeekFrom::Start(place))?;
    let most = u64::try_from(LINE_MAX * 2).unwrap_or(u64::MAX);
    let skipped = reader.by_ref().take(most).skip_until(b'\n')?;
    let begin = place + u64::try_from(skipped).unwrap_or(u64::MAX);
    let mut stamp = Vec::with_capacity(STAMP);
    let most = u64::try_from(STAMP).unwrap_or(u64::MAX);
    reader.by_ref().take(most).read_to_end(&mut stamp)?;
    Ok(time(&stamp).map(|at| (begin, at)))
}

/// The time in front of a line.
fn time(stamp: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(stamp).ok()?;
    let time: Timestamp = (text.len() == STAMP).then(|| text.parse().ok())??;
    Some(time.as_millis())
}

#[cfg(test)]
mod tests;
