//! A state machine of texts: `set KEY VALUE`, `del KEY`; anything else is refused, `panic` panics, and
//! `newer` is of a newer build.

use std::collections::BTreeMap;

use crate::machine::{Applied, CorruptRow, RestoreError, RowChange, StateMachine, TooNew};

#[derive(Debug, Default)]
pub(crate) struct Kv(pub(crate) BTreeMap<String, String>);

impl StateMachine for Kv {
    fn apply(&mut self, _index: u64, command: &[u8]) -> Result<Applied, TooNew> {
        let command = String::from_utf8_lossy(command).into_owned();
        let mut words = command.splitn(3, ' ');
        Ok(match (words.next(), words.next(), words.next()) {
            (Some("set"), Some(key), Some(value)) => {
                let old = self.0.insert(key.to_owned(), value.to_owned());
                Applied {
                    reply: old.unwrap_or_default().into_bytes(),
                    changes: vec![RowChange {
                        key: key.as_bytes().to_vec(),
                        value: Some(value.as_bytes().to_vec()),
                    }],
                }
            }
            (Some("del"), Some(key), None) => Applied {
                reply: self.0.remove(key).unwrap_or_default().into_bytes(),
                changes: vec![RowChange {
                    key: key.as_bytes().to_vec(),
                    value: None,
                }],
            },
            (Some("panic"), ..) => panic!("asked to"),
            (Some("newer"), ..) => return Err(TooNew("asked to".to_owned())),
            _ => Applied {
                reply: b"refused".to_vec(),
                changes: Vec::new(),
            },
        })
    }

    fn restore(&mut self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), RestoreError> {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|e| CorruptRow::new(b"?", e));
        self.0 = rows
            .into_iter()
            .map(|(k, v)| Ok((text(k)?, text(v)?)))
            .collect::<Result<_, CorruptRow>>()?;
        Ok(())
    }
}
