//! The words of the API among the settings.

use crate::mapping::words;

/// What opens a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the words of the API")]
pub enum AccessKind {
    BasicAuth,
    VpcSubnet,
    VpcSecurityGroup,
    SaslScram512Auth,
    SaslScram256Auth,
    VirtualHost,
    ClientCertificateTlsAuth,
    ServerRootCaCertificate,
    OauthBearerAuth,
    OauthBearerScope,
    OauthBearerAudience,
    OauthBearerLogicalCluster,
    OauthBearerIdentityPool,
    IamAuth,
    IamOauthBearerAuth,
}

/// A metric that a mapping can give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Metric {
    /// How many records were read, filtered, invoked with and dropped.
    EventCount,
    /// How many records failed.
    ErrorCount,
    /// How far behind the readers of a topic are.
    KafkaMetrics,
}

/// What is logged about a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens.
    Info,
    /// What goes wrong.
    Warn,
}

/// How a topic is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConsumptionMode {
    /// In the order of its partitions.
    #[default]
    Stream,
    /// Each record for itself.
    Queue,
}

/// What the function is given of a record with a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordFormat {
    /// JSON, whatever the record was encoded in.
    Json,
    /// The record as it was encoded.
    Source,
}

/// What an update of a document brings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FullDocument {
    /// What changed.
    #[default]
    Default,
    /// The whole document, too.
    UpdateLookup,
}

impl AccessKind {
    pub(in crate::mapping) const NAMES: [(Self, &'static str); 15] = [
        (Self::BasicAuth, "BASIC_AUTH"),
        (Self::VpcSubnet, "VPC_SUBNET"),
        (Self::VpcSecurityGroup, "VPC_SECURITY_GROUP"),
        (Self::SaslScram512Auth, "SASL_SCRAM_512_AUTH"),
        (Self::SaslScram256Auth, "SASL_SCRAM_256_AUTH"),
        (Self::VirtualHost, "VIRTUAL_HOST"),
        (
            Self::ClientCertificateTlsAuth,
            "CLIENT_CERTIFICATE_TLS_AUTH",
        ),
        (Self::ServerRootCaCertificate, "SERVER_ROOT_CA_CERTIFICATE"),
        (Self::OauthBearerAuth, "OAUTHBEARER_AUTH"),
        (Self::OauthBearerScope, "OAUTHBEARER_SCOPE"),
        (Self::OauthBearerAudience, "OAUTHBEARER_AUDIENCE"),
        (
            Self::OauthBearerLogicalCluster,
            "OAUTHBEARER_LOGICAL_CLUSTER",
        ),
        (Self::OauthBearerIdentityPool, "OAUTHBEARER_IDENTITY_POOL"),
        (Self::IamAuth, "IAM_AUTH"),
        (Self::IamOauthBearerAuth, "IAM_OAUTHBEARER_AUTH"),
    ];
}

impl Metric {
    pub(in crate::mapping) const NAMES: [(Self, &'static str); 3] = [
        (Self::EventCount, "EventCount"),
        (Self::ErrorCount, "ErrorCount"),
        (Self::KafkaMetrics, "KafkaMetrics"),
    ];
}

impl LogLevel {
    pub(in crate::mapping) const NAMES: [(Self, &'static str); 3] = [
        (Self::Debug, "DEBUG"),
        (Self::Info, "INFO"),
        (Self::Warn, "WARN"),
    ];
}

impl ConsumptionMode {
    pub(in crate::mapping) const NAMES: [(Self, &'static str); 2] =
        [(Self::Stream, "Stream"), (Self::Queue, "Queue")];
}

impl RecordFormat {
    pub(in crate::mapping) const NAMES: [(Self, &'static str); 2] =
        [(Self::Json, "JSON"), (Self::Source, "SOURCE")];
}

impl FullDocument {
    pub(in crate::mapping) const NAMES: [(Self, &'static str); 2] = [
        (Self::Default, "Default"),
        (Self::UpdateLookup, "UpdateLookup"),
    ];
}

macro_rules! as_words {
    ($($name:ty),*) => {$(
        impl $name {
            /// The word of the API.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                crate::mapping::named(&Self::NAMES, self)
            }
        }
    )*};
}

as_words!(
    AccessKind,
    Metric,
    LogLevel,
    ConsumptionMode,
    RecordFormat,
    FullDocument
);
words!(
    AccessKind,
    Metric,
    LogLevel,
    ConsumptionMode,
    RecordFormat,
    FullDocument
);
