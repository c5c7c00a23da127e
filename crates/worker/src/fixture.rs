//! What several tests of this crate need.

use model::{
    AccountId, Architecture, Digest, EphemeralMib, FunctionId, MemoryMib, Region, RevisionId,
    TimeoutSeconds, Timestamp, Version, VersionId,
    function::{Code, Config, FunctionVersion, Logging, State, TracingMode},
};

/// `$LATEST` of a function named hello.
pub(crate) fn version(runtime: &str, handler: &str) -> FunctionVersion {
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

/// An inside that cannot be reached.
pub(crate) struct Nowhere;

#[async_trait::async_trait]
impl crate::telemetry::Inside for Nowhere {
    async fn connect(&self, _: u16) -> std::io::Result<Box<dyn sandbox::Connection>> {
        Err(std::io::ErrorKind::ConnectionRefused.into())
    }
}
