//! Policies, read from their texts at most once in a while.
//!
//! The catalog keeps policies as texts, and every request is held against several. What was read is kept by its text: a
//! policy that changes has another text, so nothing here is ever out of date.

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;
use policy::{Document, Kind};

use crate::error::OperationError;

/// How many documents are kept. When there are more, all are forgotten: a cluster with that many has them in use, and
/// reading one takes some ten microseconds.
const KEPT: usize = 4096;
/// The longest document that is read. What is written is shorter.
const TEXT_MAX: usize = 64 << 10;

/// Documents by kind and text.
#[derive(Default)]
pub(crate) struct Documents(Mutex<Kept>);

type Kept = HashMap<(Kind, Box<str>), Arc<Document>>;

impl Documents {
    /// The document of a text.
    ///
    /// # Errors
    /// [`OperationError::Policy`] if this build cannot read it: it must not decide without.
    pub(super) fn read(&self, kind: Kind, text: &str) -> Result<Arc<Document>, OperationError> {
        let key = (kind, Box::from(text));
        if let Some(document) = self.0.lock().get(&key) {
            return Ok(document.clone());
        }
        let document = Arc::new(Document::parse(kind, text, TEXT_MAX)?);
        let mut kept = self.0.lock();
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(key, document.clone());
        Ok(document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_read_once_and_memory_is_bounded() {
        let documents = Documents::default();
        let text = |n: usize| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"a:{n}","Resource":"*"}}]}}"#
            )
        };
        let first = documents.read(Kind::Identity, &text(0)).unwrap();
        let again = documents.read(Kind::Identity, &text(0)).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        assert!(documents.read(Kind::Resource, &text(0)).is_err());
        assert!(documents.read(Kind::Identity, "{").is_err());
        for n in 0..=KEPT {
            documents.read(Kind::Identity, &text(n)).unwrap();
        }
        assert!(documents.0.lock().len() <= KEPT);
    }
}
