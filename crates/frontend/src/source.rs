//! Where a request comes from.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use model::NodeName;

/// What is at the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// Somebody at an address.
    Address(SocketAddr),
    /// Code in an environment of a worker, which carries its bytes.
    Environment {
        /// The worker, proven by its certificate.
        worker: NodeName,
        /// The environment, as the worker names it.
        environment: Arc<str>,
    },
}

impl Source {
    /// The address, of whoever has one.
    pub(crate) const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Address(address) => Some(address.ip()),
            Self::Environment { .. } => None,
        }
    }

    /// Whether the bytes come from inside the cluster: they were on no wire in clear.
    pub(crate) const fn is_inside(&self) -> bool {
        matches!(self, Self::Environment { .. })
    }
}

impl From<SocketAddr> for Source {
    fn from(address: SocketAddr) -> Self {
        Self::Address(address)
    }
}

/// `192.0.2.1:1234`, or `worker/environment`.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Environment {
                worker,
                environment,
            } => write!(f, "{worker}/{environment}"),
        }
    }
}
