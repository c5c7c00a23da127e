//! Where the records of a mapping come from.

use super::words;
use crate::Timestamp;

/// A source of records. It never changes while its mapping lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// An SQS queue; one whose name ends with `.fifo` keeps the order of its messages.
    Sqs {
        /// Its ARN.
        arn: String,
    },
    /// A Kinesis stream, or a consumer of one.
    Kinesis {
        /// Its ARN.
        arn: String,
        /// Where reading begins.
        start: Start,
    },
    /// The stream of a DynamoDB table.
    DynamoDb {
        /// Its ARN.
        arn: String,
        /// Where reading begins.
        start: Start,
    },
    /// A topic of a cluster of Managed Streaming for Apache Kafka.
    Msk {
        /// The cluster's ARN.
        arn: String,
        /// The topic and how it is read.
        kafka: Kafka,
    },
    /// A topic of a Kafka cluster of one's own.
    SelfManagedKafka {
        /// Hosts and ports that know the cluster.
        bootstrap_servers: Vec<String>,
        /// The topic and how it is read.
        kafka: Kafka,
    },
    /// A queue of an ActiveMQ or RabbitMQ broker.
    Mq {
        /// The broker's ARN.
        arn: String,
        /// The queue.
        queue: String,
    },
    /// The change stream of a DocumentDB cluster; its settings name database and collection.
    DocumentDb {
        /// The cluster's ARN.
        arn: String,
        /// Where reading begins.
        start: Start,
    },
}

/// What every Kafka source has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kafka {
    /// The topic.
    pub topic: String,
    /// Where reading begins.
    pub start: Start,
    /// The consumer group, if its owner chose one.
    pub consumer_group: Option<String>,
}

/// Where reading begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// With the oldest record.
    TrimHorizon,
    /// With the next record.
    Latest,
    /// With the first record of this time or later.
    At(Timestamp),
}

/// The kinds of sources that differ in what they take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A queue whose messages have no order.
    Sqs,
    /// A queue that keeps the order of its messages.
    SqsFifo,
    /// See [`Source::Kinesis`].
    Kinesis,
    /// See [`Source::DynamoDb`].
    DynamoDb,
    /// See [`Source::Msk`].
    Msk,
    /// See [`Source::SelfManagedKafka`].
    SelfManagedKafka,
    /// See [`Source::Mq`].
    Mq,
    /// See [`Source::DocumentDb`].
    DocumentDb,
}

impl Source {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> SourceKind {
        match self {
            Self::Sqs { arn } if is_fifo(arn) => SourceKind::SqsFifo,
            Self::Sqs { .. } => SourceKind::Sqs,
            Self::Kinesis { .. } => SourceKind::Kinesis,
            Self::DynamoDb { .. } => SourceKind::DynamoDb,
            Self::Msk { .. } => SourceKind::Msk,
            Self::SelfManagedKafka { .. } => SourceKind::SelfManagedKafka,
            Self::Mq { .. } => SourceKind::Mq,
            Self::DocumentDb { .. } => SourceKind::DocumentDb,
        }
    }

    /// Its ARN; a Kafka cluster of one's own has none.
    #[must_use]
    pub fn arn(&self) -> Option<&str> {
        match self {
            Self::Sqs { arn }
            | Self::Kinesis { arn, .. }
            | Self::DynamoDb { arn, .. }
            | Self::Msk { arn, .. }
            | Self::Mq { arn, .. }
            | Self::DocumentDb { arn, .. } => Some(arn),
            Self::SelfManagedKafka { .. } => None,
        }
    }

    /// Its ARN, or its hosts with commas between them.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::SelfManagedKafka {
                bootstrap_servers, ..
            } => bootstrap_servers.join(","),
            other => other.arn().unwrap_or_default().to_owned(),
        }
    }

    /// What a Kafka source has and others have not.
    #[must_use]
    pub const fn kafka(&self) -> Option<&Kafka> {
        match self {
            Self::Msk { kafka, .. } | Self::SelfManagedKafka { kafka, .. } => Some(kafka),
            _ => None,
        }
    }

    /// Where reading begins; a queue has no such place.
    #[must_use]
    pub const fn start(&self) -> Option<Start> {
        match self {
            Self::Kinesis { start, .. }
            | Self::DynamoDb { start, .. }
            | Self::DocumentDb { start, .. } => Some(*start),
            Self::Msk { kafka, .. } | Self::SelfManagedKafka { kafka, .. } => Some(kafka.start),
            Self::Sqs { .. } | Self::Mq { .. } => None,
        }
    }

    /// Whether a record of the one can be a record of the other.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let topic = |source: &Self| source.kafka().map(|kafka| kafka.topic.clone());
        match (self, other) {
            (
                Self::SelfManagedKafka {
                    bootstrap_servers: ours,
                    ..
                },
                Self::SelfManagedKafka {
                    bootstrap_servers: theirs,
                    ..
                },
            ) => topic(self) == topic(other) && ours.iter().any(|host| theirs.contains(host)),
            (
                Self::Mq { arn, queue },
                Self::Mq {
                    arn: theirs,
                    queue: their_queue,
                },
            ) => arn == theirs && queue == their_queue,
            _ => self.arn().is_some() && self.arn() == other.arn() && topic(self) == topic(other),
        }
    }

    pub(super) fn text_bytes(&self) -> usize {
        let group = |kafka: &Kafka| kafka.consumer_group.as_ref().map_or(0, String::len);
        let kafka = self.kafka().map_or(0, |k| k.topic.len() + group(k));
        let queue = match self {
            Self::Mq { queue, .. } => queue.len(),
            _ => 0,
        };
        self.name().len() + kafka + queue
    }
}

impl SourceKind {
    pub(super) const NAMES: [(Self, &'static str); 8] = [
        (Self::Sqs, "sqs"),
        (Self::SqsFifo, "sqs-fifo"),
        (Self::Kinesis, "kinesis"),
        (Self::DynamoDb, "dynamodb"),
        (Self::Msk, "kafka"),
        (Self::SelfManagedKafka, "self-managed-kafka"),
        (Self::Mq, "mq"),
        (Self::DocumentDb, "documentdb"),
    ];

    /// A short name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        super::named(&Self::NAMES, self)
    }

    /// The kind of the source that an ARN names; `None` if it names none.
    #[must_use]
    pub fn of_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(_)) = (parts.next(), parts.next()) else {
            return None;
        };
        let service = parts.next()?;
        let resource = parts.nth(2)?;
        let below = |prefix: &str| resource.strip_prefix(prefix).is_some_and(|r| !r.is_empty());
        match service {
            "sqs" if is_fifo(arn) => Some(Self::SqsFifo),
            "sqs" => below("").then_some(Self::Sqs),
            "kinesis" => below("stream/").then_some(Self::Kinesis),
            "dynamodb" => {
                (below("table/") && resource.contains("/stream/")).then_some(Self::DynamoDb)
            }
            "kafka" => (below("cluster/") || below("vpc-connection/")).then_some(Self::Msk),
            "mq" => below("broker:").then_some(Self::Mq),
            "rds" => below("cluster:").then_some(Self::DocumentDb),
            _ => None,
        }
    }

    /// A queue of SQS.
    #[must_use]
    pub const fn is_queue(self) -> bool {
        matches!(self, Self::Sqs | Self::SqsFifo)
    }

    /// A stream of shards: Kinesis or DynamoDB.
    #[must_use]
    pub const fn is_stream(self) -> bool {
        matches!(self, Self::Kinesis | Self::DynamoDb)
    }

    /// A Kafka topic, whoever manages the cluster.
    #[must_use]
    pub const fn is_kafka(self) -> bool {
        matches!(self, Self::Msk | Self::SelfManagedKafka)
    }
}

words!(SourceKind);

fn is_fifo(arn: &str) -> bool {
    arn.ends_with(".fifo")
}
