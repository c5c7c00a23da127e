//! The floor of a durable write: an append and a barrier, shared by the writers that wait for it together.

use std::{
    fs::{File, OpenOptions},
    io::Write,
    path::PathBuf,
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
    time::Duration,
};

use anyhow::{Context, anyhow};
use tokio::time::Instant;

use crate::summary::Summary;

/// Writers, each of which waits until its record is durable before it writes the next one.
#[derive(clap::Args)]
pub(crate) struct Fsync {
    /// Where the file is made; it is removed at the end.
    #[arg(long)]
    directory: PathBuf,
    #[arg(long, default_value_t = 1)]
    writers: usize,
    /// Size of a record in bytes.
    #[arg(long, default_value_t = 512)]
    size: usize,
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
}

/// A record that waits, and how its writer learns that it is durable.
struct Waiting {
    record: Vec<u8>,
    durable: SyncSender<()>,
}

impl Fsync {
    /// Writes until the time is over.
    pub(crate) fn run(&self) -> anyhow::Result<Summary> {
        let path = self
            .directory
            .join(format!("fsync-floor-{}", std::process::id()));
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("no file in {}", self.directory.display()))?;
        let measured = self.write(file);
        std::fs::remove_file(&path)?;
        measured
    }

    fn write(&self, file: File) -> anyhow::Result<Summary> {
        let began = Instant::now();
        let until = began + Duration::from_secs_f64(self.seconds);
        let (queue, waiting) = sync_channel(self.writers.max(1));
        let times = thread::scope(|scope| {
            let log = scope.spawn(move || commit(file, &waiting));
            let writers: Vec<_> = (0..self.writers)
                .map(|_| {
                    let queue = queue.clone();
                    scope.spawn(move || self.writer(&queue, until))
                })
                .collect();
            drop(queue);
            let mut times = Vec::new();
            for writer in writers {
                times.extend(writer.join().map_err(|_| anyhow!("a writer panicked"))?);
            }
            log.join().map_err(|_| anyhow!("the log panicked"))??;
            anyhow::Ok(times)
        })?;
        Ok(Summary::of(times, 0, began.elapsed()))
    }

    fn writer(&self, queue: &SyncSender<Waiting>, until: Instant) -> Vec<Duration> {
        let mut times = Vec::new();
        while Instant::now() < until {
            let sent = Instant::now();
            let (durable, done) = sync_channel(1);
            let record = vec![b'x'; self.size];
            if queue.send(Waiting { record, durable }).is_err() || done.recv().is_err() {
                break;
            }
            times.push(sent.elapsed());
        }
        times
    }
}

/// Writes what waits, in batches of whatever has gathered meanwhile.
fn commit(mut file: File, waiting: &Receiver<Waiting>) -> anyhow::Result<()> {
    while let Ok(first) = waiting.recv() {
        let mut batch = vec![first];
        batch.extend(waiting.try_iter());
        let bytes: Vec<u8> = batch
            .iter()
            .flat_map(|w| w.record.iter().copied())
            .collect();
        file.write_all(&bytes)?;
        file.sync_data()?;
        for each in batch {
            // A writer that gave up needs no answer.
            let _gone = each.durable.send(());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writers_wait_for_their_own_records_and_nothing_stays() {
        let directory = tempfile::tempdir().unwrap();
        for writers in [1, 4] {
            let floor = Fsync {
                directory: directory.path().to_owned(),
                writers,
                size: 100,
                seconds: 0.05,
            };
            let summary = floor.run().unwrap();
            assert!(summary.count >= writers);
            assert!(summary.p50_us > 0.0);
        }
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
