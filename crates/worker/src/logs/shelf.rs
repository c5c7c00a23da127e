//! What a worker has of the logs of functions: groups, their streams, and what stands in them.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use model::{AccountId, Region};

use super::{
    place,
    scan::{self, Found, Stream, Wanted},
};

/// Streams of one group that are looked at; beyond that the oldest are not seen.
const STREAMS_MAX: usize = 20_000;

/// How far the clock of the file system may be from that of the lines, in milliseconds.
const SKEW_MAX: u64 = 600_000;

/// A group, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) account: AccountId,
    pub(crate) region: Region,
    pub(crate) name: String,
}

/// Which groups are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Groups {
    pub(crate) prefix: String,
    pub(crate) pattern: String,
    pub(crate) after: String,
    pub(crate) limit: usize,
}

/// What there is of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GroupSummary {
    pub(crate) name: String,
    pub(crate) created: u64,
    pub(crate) stored: u64,
}

/// Which streams of a group are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chosen {
    /// These, or all if there are none.
    pub(crate) names: Vec<String>,
    /// Those that begin with one of these, or all if there are none.
    pub(crate) prefixes: Vec<String>,
}

/// A stream, and what there is of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamSummary {
    pub(crate) name: String,
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) stored: u64,
}

/// In which order streams are wanted, and from where on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    pub(crate) by_last_event: bool,
    pub(crate) descending: bool,
    /// Time of the last event, and name.
    pub(crate) after: Option<(u64, String)>,
    pub(crate) limit: usize,
}

/// The logs of a worker. It only reads.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    root: PathBuf,
}

/// The files of a stream, with what the file system says of them.
struct Shelved {
    stream: Stream,
    last: u64,
    stored: u64,
}

impl Shelf {
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Groups by name, and whether there are further ones.
    pub(crate) fn groups(
        &self,
        account: AccountId,
        region: &Region,
        wanted: &Groups,
    ) -> io::Result<(Vec<GroupSummary>, bool)> {
        let region = place::region(&self.root, account, region);
        let mut names = std::collections::BTreeSet::new();
        for entry in place::listed(&region)? {
            let name = place::group_of(&entry.path())?;
            names.extend(name.filter(|name| wanted.has(name)));
        }
        let more = names.len() > wanted.limit;
        let names = names.into_iter().take(wanted.limit);
        let groups = names.map(|name| summary(&region, name));
        Ok((groups.collect::<io::Result<_>>()?, more))
    }

    /// Streams of a group, and whether there are further ones; `None` if there is nothing of the group.
    pub(crate) fn streams(
        &self,
        group: &Group,
        chosen: &Chosen,
        listing: &Listing,
    ) -> io::Result<Option<(Vec<StreamSummary>, bool)>> {
        let Some(shelved) = self.shelved(group, chosen)? else {
            return Ok(None);
        };
        let mut keyed: Vec<((u64, String), Shelved)> = shelved
            .into_iter()
            .map(|shelved| (listing.key(&shelved), shelved))
            .collect();
        keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
        if listing.descending {
            keyed.reverse();
        }
        let mut behind = keyed.into_iter().filter(|(key, _)| listing.is_behind(key));
        let streams = behind.by_ref().take(listing.limit);
        let streams = streams.map(|(_, shelved)| StreamSummary {
            first: shelved.stream.first_at().unwrap_or(shelved.last),
            name: shelved.stream.name,
            last: shelved.last,
            stored: shelved.stored,
        });
        let streams = streams.collect();
        Ok(Some((streams, behind.next().is_some())))
    }

    /// Events of a group; `None` if there is nothing of the group. Also whether there are such streams.
    pub(crate) fn events(
        &self,
        group: &Group,
        chosen: &Chosen,
        wanted: &Wanted,
    ) -> io::Result<Option<(Found, bool)>> {
        let Some(shelved) = self.shelved(group, chosen)? else {
            return Ok(None);
        };
        let is_there = !shelved.is_empty();
        let from = wanted.after.as_ref().map_or(0, |after| after.at);
        let from = from.max(wanted.start);
        // Nothing was written to the others since.
        let recent = |shelved: &Shelved| shelved.last.saturating_add(SKEW_MAX) >= from;
        let recent = shelved.into_iter().filter(recent);
        let mut streams: Vec<Stream> = recent.map(|shelved| shelved.stream).collect();
        streams.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some((scan::scan(&streams, wanted)?, is_there)))
    }

    fn shelved(&self, group: &Group, chosen: &Chosen) -> io::Result<Option<Vec<Shelved>>> {
        let region = place::region(&self.root, group.account, &group.region);
        let directories = place::of_group(&region, &group.name)?;
        if directories.is_empty() {
            return Ok(None);
        }
        let mut found: BTreeMap<String, Shelved> = BTreeMap::new();
        for directory in directories {
            for entry in place::listed(&directory.path)? {
                let file = entry.file_name();
                let function = directory.function.as_deref();
                let stream = file.to_str().and_then(|f| place::stream_of(f, function));
                let Some((name, is_older)) = stream.filter(|(name, _)| chosen.has(name)) else {
                    continue;
                };
                // It may have become the older half, or have made room.
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                let shelved = found.entry(name).or_insert_with_key(|name| Shelved {
                    stream: Stream {
                        name: name.clone(),
                        current: None,
                        older: None,
                    },
                    last: 0,
                    stored: 0,
                });
                let slot = match is_older {
                    true => &mut shelved.stream.older,
                    false => &mut shelved.stream.current,
                };
                *slot = Some(entry.path());
                shelved.last = shelved.last.max(modified(&metadata));
                shelved.stored += metadata.len();
            }
        }
        let mut found: Vec<Shelved> = found.into_values().collect();
        if found.len() > STREAMS_MAX {
            found.sort_by_key(|shelved| std::cmp::Reverse(shelved.last));
            found.truncate(STREAMS_MAX);
        }
        Ok(Some(found))
    }
}

impl Groups {
    fn has(&self, name: &str) -> bool {
        name.starts_with(&self.prefix)
            && name.contains(&self.pattern)
            && (self.after.is_empty() || name > self.after.as_str())
    }
}

impl Chosen {
    fn has(&self, name: &str) -> bool {
        (self.names.is_empty() || self.names.iter().any(|n| n == name))
            && (self.prefixes.is_empty() || self.prefixes.iter().any(|p| name.starts_with(p)))
    }
}

impl Listing {
    fn key(&self, shelved: &Shelved) -> (u64, String) {
        let last = if self.by_last_event { shelved.last } else { 0 };
        (last, shelved.stream.name.clone())
    }

    fn is_behind(&self, key: &(u64, String)) -> bool {
        self.after.as_ref().is_none_or(|(last, name)| {
            let last = if self.by_last_event { *last } else { 0 };
            let order = (key.0, key.1.as_str()).cmp(&(last, name.as_str()));
            if self.descending {
                order.is_lt()
            } else {
                order.is_gt()
            }
        })
    }
}

fn summary(region: &Path, name: String) -> io::Result<GroupSummary> {
    let (mut created, mut stored) = (u64::MAX, 0);
    for directory in place::of_group(region, &name)? {
        if let Ok(metadata) = fs::metadata(&directory.path) {
            created = created.min(made(&metadata));
        }
        for entry in place::listed(&directory.path)? {
            stored += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    Ok(GroupSummary {
        name,
        created,
        stored,
    })
}

fn modified(metadata: &fs::Metadata) -> u64 {
    metadata.modified().map_or(0, millis)
}

/// When it was made, or last changed where the file system does not know.
fn made(metadata: &fs::Metadata) -> u64 {
    metadata
        .created()
        .map_or_else(|_| modified(metadata), millis)
}

fn millis(time: std::time::SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
