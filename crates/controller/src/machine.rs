//! The catalog as Raft's state machine: bytes in, rows out.

use catalog::codec::{self, Row};
use model::Revision;
use replica::{Applied, CorruptRow, RowChange, StateMachine};
use state::Catalog;

/// [`state::Catalog`] behind the replica's bytes.
#[derive(Default)]
pub(crate) struct CatalogMachine {
    catalog: Catalog,
}

impl CatalogMachine {
    pub(crate) const fn catalog(&self) -> &Catalog {
        &self.catalog
    }
}

impl StateMachine for CatalogMachine {
    fn apply(&mut self, index: u64, command: &[u8]) -> Applied {
        let revision = Revision(index);
        let command = match codec::decode_command(command) {
            Ok(command) => command,
            Err(error) => {
                tracing::error!(
                    index,
                    error = &error as &dyn std::error::Error,
                    "a command that this build cannot read changes nothing"
                );
                return Applied {
                    reply: codec::encode_unknown_command(revision),
                    changes: Vec::new(),
                };
            }
        };
        let applied = self.catalog.apply(revision, &command);
        let changes = applied
            .changes
            .iter()
            .map(codec::encode_change)
            .map(into_change)
            .collect();
        Applied {
            reply: codec::encode_outcome(&applied),
            changes,
        }
    }

    fn restore(&mut self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), CorruptRow> {
        let mut catalog = Catalog::default();
        for (key, value) in rows {
            let row = Row {
                key,
                value: Some(value),
            };
            let change =
                codec::decode_row(&row).map_err(|error| CorruptRow::new(&row.key, error))?;
            catalog.put(change);
        }
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
        let mut machine = CatalogMachine::default();
        let applied = machine.apply(3, b"\xff\xff");
        assert_eq!(
            (applied.reply, applied.changes),
            (codec::encode_unknown_command(Revision(3)), vec![])
        );
    }

    #[test]
    fn a_restored_machine_answers_a_repeated_request_as_before() {
        let mut machine = CatalogMachine::default();
        let first = machine.apply(1, &command(9));
        let rows: BTreeMap<_, _> = first
            .changes
            .into_iter()
            .map(|c| (c.key, c.value.unwrap()))
            .collect();
        let mut restored = CatalogMachine::default();
        restored.restore(rows.into_iter().collect()).unwrap();
        assert_eq!(
            restored.apply(2, &command(9)),
            Applied {
                reply: first.reply,
                changes: vec![]
            }
        );
    }

    #[test]
    fn a_row_that_means_nothing_stops_the_member() {
        let corrupt = CatalogMachine::default()
            .restore(vec![(b"f/x".to_vec(), vec![])])
            .unwrap_err();
        assert_eq!(corrupt.key, "f/x");
    }
}
