//! What the tests of whole workers share.
#![allow(dead_code, reason = "not every test uses everything")]
#![allow(unreachable_pub, reason = "included as a module")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test may"
)]

pub mod behaviour;
pub mod calling;
pub mod frontend;
pub mod harness;
pub mod node;
pub mod process_driver;
pub mod secrets;
pub mod zygotes;

use std::time::Duration;

use model::{
    AccountId, Architecture, Digest, EphemeralMib, FunctionId, MemoryMib, Region, RevisionId,
    TimeoutSeconds, Timestamp, Version, VersionId,
    function::{Code, Config, FunctionVersion, Logging, State, TracingMode},
};

/// How long anything in a test may take.
pub const WAIT: Duration = Duration::from_secs(30);

pub const HELLO: &str =
    "def handler(event, context):\n    print('saw', event)\n    return {'got': event}\n";

/// Sets the timeout of a function.
pub fn seconds(n: u64) -> impl FnOnce(&mut FunctionVersion) {
    move |v| v.config.timeout = TimeoutSeconds::new(n).unwrap()
}

/// `$LATEST` of a function named hello.
pub fn version(runtime: &str, handler: &str) -> FunctionVersion {
    FunctionVersion {
        id: VersionId {
            function: FunctionId {
                account: AccountId::DEFAULT,
                region: Region::default(),
                name: "hello".parse().unwrap(),
            },
            version: Version::Latest,
        },
        config: Config {
            runtime: runtime.parse().unwrap(),
            handler: Some(handler.to_owned()),
            role: "arn:aws:iam::000000000000:role/r".into(),
            description: String::new(),
            timeout: TimeoutSeconds::new(3).unwrap(),
            memory: MemoryMib::new(128).unwrap(),
            ephemeral: EphemeralMib::MIN,
            architecture: Architecture::of_this_binary().unwrap_or_default(),
            environment: None,
            tracing: TracingMode::PassThrough,
            logging: Logging::default(),
            optional: None,
        },
        code: Code {
            digest: Digest::of(b""),
            size: 0,
            unzipped: 0,
        },
        state: State::Active,
        last_update: None,
        last_modified: Timestamp(0),
        revision_id: RevisionId::from_random(1),
        touched: None,
    }
}
