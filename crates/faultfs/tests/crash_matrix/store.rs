//! The store: a prefix of the batches of each table, which holds all that was flushed.

use std::{collections::BTreeMap, path::Path};

use host::{
    SledStore, Store as _,
    store::{StoreError, Write},
};

use crate::{
    model::{Ledger, Progress, bytes, check},
    subject::{Found, Subject},
};

const TABLES: [&str; 3] = ["a", "b", "c"];

enum Act {
    Apply(&'static str, Vec<Write>),
    Clear(&'static str),
    Flush,
}

type Table = BTreeMap<Vec<u8>, Vec<u8>>;

pub(crate) struct Tables;

impl Subject for Tables {
    fn name(&self) -> &'static str {
        "store"
    }

    /// sled 0.34 waits for ever for a flush when one of its threads has met an error.
    fn meets_errors(&self) -> bool {
        false
    }

    async fn work(&self, directory: &Path, ledger: &Ledger) -> Result<(), String> {
        let store = open(directory).await?;
        // A batch is acknowledged by the flush after it.
        let mut waiting = Vec::new();
        for act in script() {
            if !matches!(act, Act::Flush) {
                waiting.push(ledger.begin(1));
            }
            let is_flush = matches!(act, Act::Flush);
            let outcome = match act {
                Act::Apply(table, batch) => store.apply(table, batch).await,
                Act::Clear(table) => store.clear(table).await,
                Act::Flush => store.flush().await,
            };
            if let Err(error) = outcome {
                let later = store.flush().await;
                assert!(later.is_err(), "a store answered after an error");
                return Err(format!("{error:?}"));
            }
            if is_flush {
                for step in waiting.drain(..) {
                    ledger.acknowledge(step);
                }
            }
        }
        Ok(())
    }

    async fn verify(&self, directory: &Path, progress: Progress) -> Result<Found, String> {
        let opened = SledStore::open_or_begin_anew(&directory.join("store")).await;
        let store = match opened {
            Ok((store, None)) => store,
            Ok((store, Some(_))) => {
                let left = read(&store, TABLES[0]).await;
                let left = left.map_err(|e| format!("a new store does not read: {e:?}"))?;
                if !left.is_empty() {
                    return Err("a new store is not empty".to_owned());
                }
                write(&store, b"works").await?;
                return Ok(Found::Anew);
            }
            Err(error) => return Err(format!("does not open: {error:?}")),
        };
        for table in TABLES {
            let found = read(&store, table)
                .await
                .map_err(|e| format!("{table} does not read: {e:?}"))?;
            check(table, &states(table), &found, progress)?;
        }
        write(&store, b"works").await?;
        Ok(Found::Whole)
    }

    async fn go_on(&self, directory: &Path) -> Result<(), String> {
        write(&open(directory).await?, b"the error").await
    }

    async fn went_on(&self, directory: &Path) -> Result<(), String> {
        let store = open(directory).await?;
        match store.get("after", b"after").await {
            Ok(Some(value)) if value == b"the error" => Ok(()),
            other => Err(format!(
                "what was flushed after a restart is lost: {other:?}"
            )),
        }
    }
}

async fn open(directory: &Path) -> Result<SledStore, String> {
    let store = SledStore::open(&directory.join("store")).await;
    store.map_err(|e| format!("does not open: {e:?}"))
}

async fn write(store: &SledStore, value: &[u8]) -> Result<(), String> {
    let failed = |e: StoreError| format!("does not go on: {e:?}");
    let write = put("after", value.to_vec());
    store.apply("after", vec![write]).await.map_err(failed)?;
    store.flush().await.map_err(failed)
}

fn put(key: &str, value: Vec<u8>) -> Write {
    Write::Put {
        key: key.as_bytes().to_vec(),
        value,
    }
}

fn delete(key: &str) -> Write {
    Write::Delete {
        key: key.as_bytes().to_vec(),
    }
}

/// What a state machine does: rows with a header in every batch, a flush now and then, a table that is replaced.
fn script() -> Vec<Act> {
    let mut script = Vec::new();
    for round in 0..24_usize {
        let len = [10, 300, 3000, 20_000][round % 4];
        let mut batch = vec![
            put("header", bytes(round, 16)),
            put(&format!("row{}", round % 7), bytes(1000 + round, len)),
            put(&format!("once{round}"), bytes(2000 + round, 100)),
        ];
        if round > 3 {
            batch.push(delete(&format!("once{}", round - 3)));
        }
        script.push(Act::Apply("a", batch));
        if round % 2 == 0 {
            script.push(Act::Apply(
                "b",
                vec![put(&format!("{round}"), bytes(round, 700))],
            ));
        }
        if round % 3 == 2 {
            script.push(Act::Flush);
        }
        if round % 8 == 3 {
            let rows = (0..20).map(|row| put(&format!("{row}"), bytes(round * 100 + row, 80)));
            script.push(Act::Apply("c", rows.collect()));
            script.push(Act::Flush);
            script.push(Act::Clear("c"));
            script.push(Act::Apply("c", vec![put("header", bytes(round, 10))]));
            script.push(Act::Flush);
        }
    }
    script.push(Act::Flush);
    script
}

/// One table before the first step and after each.
fn states(of: &str) -> Vec<Table> {
    let mut states = vec![Table::new()];
    let mut state = Table::new();
    for act in script() {
        match act {
            Act::Flush => continue,
            Act::Clear(table) if table == of => state.clear(),
            Act::Apply(table, batch) if table == of => {
                for write in batch {
                    match write {
                        Write::Put { key, value } => drop(state.insert(key, value)),
                        Write::Delete { key } => drop(state.remove(&key)),
                    }
                }
            }
            Act::Clear(_) | Act::Apply(..) => {}
        }
        states.push(state.clone());
    }
    states
}

async fn read(store: &SledStore, table: &str) -> Result<Table, StoreError> {
    let records = store.range(table, b"", 10_000).await?;
    Ok(records.into_iter().collect())
}
