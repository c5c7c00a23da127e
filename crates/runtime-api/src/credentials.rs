//! The credentials of an environment that does not find them among its variables.

use bytes::Bytes;

/// Where `AWS_CONTAINER_CREDENTIALS_FULL_URI` leads.
pub const CREDENTIALS_PATH: &str = "/2021-04-23/credentials";

/// Gives code inside an environment the credentials of its role.
pub trait Credentials: Send + Sync + 'static {
    /// `AccessKeyId`, `SecretAccessKey`, `Token` and `Expiration` in a JSON object, for whoever knows the token that only this
    /// environment was given; `None` for everybody else, and while there are none. It is asked for every call, must not
    /// wait, and renews them in time by itself.
    fn document(&self, authorization: &[u8]) -> Option<Bytes>;
}
