//! The catalog as Raft's state machine: bytes in, rows out.

use catalog::codec::{self, CodecError, Row};
use model::Revision;
use proto::{InvalidMessage, TooOld};
use replica::{Applied, CorruptRow, RestoreError, RowChange, StateMachine, TooNew};
use state::Catalog;

/// [`state::Catalog`] behind the replica's bytes.
pub(crate) struct CatalogMachine {
    catalog: Catalog,
    /// The newest format that this node reads.
    newest: u32,
}

impl CatalogMachine {
    pub(crate) fn new(newest: u32) -> Self {
        Self {
            catalog: Catalog::default(),
            newest,
        }
    }

    fn check(&self, format: u32) -> Result<(), TooNew> {
        TooOld::check(self.newest, format).map_err(|error| TooNew(error.to_string()))
    }

    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }
}

impl StateMachine for CatalogMachine {
    fn apply(&mut self, index: u64, command: &[u8]) -> Result<Applied, TooNew> {
        let revision = Revision(index);
        let command = match codec::decode_command(command) {
            Ok(command) => {
                self.check(command.mutation.format())?;
                command
            }
            Err(error) => {
                if let CodecError::Message(InvalidMessage::Format(format)) = error {
                    self.check(format)?;
                }
                tracing::error!(
                    index,
                    error = &error as &dyn std::error::Error,
                    "a command that this build cannot read changes nothing"
                );
                return Ok(Applied {
                    reply: codec::encode_unknown_command(revision),
                    changes: Vec::new(),
                });
            }
        };
        let applied = self.catalog.apply(revision, &command);
        let changes = applied
            .changes
            .iter()
            .map(codec::encode_change)
            .map(into_change)
            .collect();
        Ok(Applied {
            reply: codec::encode_outcome(&applied),
            changes,
        })
    }

    fn restore(&mut self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), RestoreError> {
        let mut catalog = Catalog::default();
        for (key, value) in rows {
            let change = codec::decode_change(&key, Some(&value));
            if let Err(CodecError::Message(InvalidMessage::Format(format))) = change {
                self.check(format)?;
            }
            catalog.put(change.map_err(|error| CorruptRow::new(&key, error))?);
        }
        self.check(catalog.format())?;
        self.catalog = catalog;
        Ok(())
    }
}

fn into_change(row: Row) -> RowChange {
    RowChange {
        key: row.key,
        value: row.value,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::{AccountId, FunctionId, Mutation, Region, Timestamp};
    use proto::FORMATS;
    use state::{Command, IdempotencyKey, Stamp};

    use super::*;

    fn command(key: u128) -> Vec<u8> {
        let function = FunctionId {
            account: AccountId::DEFAULT,
            region: Region::default(),
            name: "f".parse().unwrap(),
        };
        let mutation = Mutation::DeleteFunction {
            function,
            version: None,
        };
        codec::encode_command(&Command {
            stamp: Stamp {
                at: Timestamp(1),
                seed: 2,
            },
            key: IdempotencyKey(key),
            mutation,
        })
    }

    #[test]
    fn unreadable_commands_change_nothing_and_say_so() {
        let mut machine = CatalogMachine::new(FORMATS.newest);
        let applied = machine.apply(3, b"\xff\xff").unwrap();
        assert_eq!(
            (applied.reply, applied.changes),
            (codec::encode_unknown_command(Revision(3)), vec![])
        );
    }

    #[test]
    fn a_restored_machine_answers_a_repeated_request_as_before() {
        let mut machine = CatalogMachine::new(FORMATS.newest);
        let first = machine.apply(1, &command(9)).unwrap();
        let rows: BTreeMap<_, _> = first
            .changes
            .into_iter()
            .map(|c| (c.key, c.value.unwrap()))
            .collect();
        let mut restored = CatalogMachine::new(FORMATS.newest);
        restored.restore(rows.into_iter().collect()).unwrap();
        assert_eq!(
            restored.apply(2, &command(9)),
            Ok(Applied {
                reply: first.reply,
                changes: vec![]
            })
        );
    }

    #[test]
    fn a_row_that_means_nothing_stops_the_member() {
        let corrupt = CatalogMachine::new(FORMATS.newest)
            .restore(vec![(b"f/x".to_vec(), vec![])])
            .unwrap_err();
        assert!(
            matches!(&corrupt, RestoreError::Corrupt(row) if row.key == "f/x"),
            "{corrupt}"
        );
    }

    fn finalize(format: u32) -> Vec<u8> {
        codec::encode_command(&Command {
            stamp: Stamp {
                at: Timestamp(1),
                seed: 2,
            },
            key: IdempotencyKey(0),
            mutation: Mutation::Finalize { format },
        })
    }

    #[test]
    fn a_member_stops_before_what_only_newer_builds_read() {
        let newest = FORMATS.newest;
        for (reads, format) in [(1, 2), (newest, newest + 1)] {
            let mut machine = CatalogMachine::new(reads);
            machine.apply(1, &command(9)).unwrap();
            let TooNew(text) = machine.apply(2, &finalize(format)).unwrap_err();
            assert!(text.contains(&format!("formats up to {reads}")), "{text}");
            assert!(text.contains("run the newer build"), "{text}");
            assert_eq!(machine.catalog().format(), 1);
        }
    }

    #[test]
    fn a_member_does_not_start_in_a_cluster_beyond_it() {
        let mut machine = CatalogMachine::new(2);
        let applied = machine.apply(1, &finalize(2)).unwrap();
        assert_eq!(machine.catalog().format(), 2);
        assert_eq!(machine.apply(2, &finalize(2)).unwrap().changes, vec![]);
        let rows: Vec<_> = applied
            .changes
            .into_iter()
            .map(|c| (c.key, c.value.unwrap()))
            .collect();
        let refused = CatalogMachine::new(1).restore(rows.clone()).unwrap_err();
        assert!(matches!(refused, RestoreError::TooNew(_)), "{refused}");
        let mut restored = CatalogMachine::new(2);
        restored.restore(rows).unwrap();
        assert_eq!(restored.catalog().format(), 2);
        // A kind of record, under a kind of key, that this build has never heard of.
        let newer = proto::internal::Record {
            format: FORMATS.newest + 1,
            record: None,
        };
        let row = (b"zz/1".to_vec(), prost::Message::encode_to_vec(&newer));
        let refused = restored.restore(vec![row]).unwrap_err();
        assert!(matches!(refused, RestoreError::TooNew(_)), "{refused}");
    }
}
