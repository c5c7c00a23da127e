//! What a group replicates.

/// A replicated state machine. All members apply the same commands in the same order and must end with the same rows.
///
/// A state is a set of *rows* (key, value). The machine may keep any view of them in memory, but whatever it knows must
/// come from its rows: they are what is persisted, what a snapshot holds and what watchers are sent.
pub trait StateMachine: Send + Sync + 'static {
    /// Applies the command at a log index. Deterministic (no clock, no randomness, no IO) and total: a command that makes
    /// no sense changes nothing and says so in its reply. A panic takes this member out of service.
    ///
    /// The changes are in the order in which they happened; the last one for a key counts.
    ///
    /// # Errors
    /// [`TooNew`] if a newer build wrote the command: to pass over it would let this member differ from the others, so it
    /// stops before it.
    fn apply(&mut self, index: u64, command: &[u8]) -> Result<Applied, TooNew>;

    /// Replaces everything by these rows, which come in key order.
    ///
    /// # Errors
    /// [`RestoreError`] if this build does not understand them; the member stops.
    fn restore(&mut self, rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), RestoreError>;
}

/// A newer build wrote what this member would have to read; the text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TooNew(pub String);

/// Why a state was not taken over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// A row means nothing.
    #[error(transparent)]
    Corrupt(#[from] CorruptRow),
    /// The state is of a newer build.
    #[error(transparent)]
    TooNew(#[from] TooNew),
}

/// What one command did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// For the proposer.
    pub reply: Vec<u8>,
    /// For the disk and for watchers.
    pub changes: Vec<RowChange>,
}

/// One row set or taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// Which row.
    pub key: Vec<u8>,
    /// Its new value; `None` if it is gone.
    pub value: Option<Vec<u8>>,
}

/// A row that a state machine cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a row that this build can read at key {key:?}, got: {why}")]
pub struct CorruptRow {
    /// Its key, as far as it is text.
    pub key: String,
    /// What is wrong with it.
    pub why: String,
}

impl CorruptRow {
    /// For the row at `key`.
    #[must_use]
    pub fn new(key: &[u8], why: impl std::fmt::Display) -> Self {
        Self {
            key: String::from_utf8_lossy(key).into_owned(),
            why: why.to_string(),
        }
    }
}
