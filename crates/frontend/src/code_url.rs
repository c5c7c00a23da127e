//! URLs under which a caller can download the code of a version for ten minutes, without a credential.
//!
//! `GetFunction` answers with one. Whoever holds it can fetch this one blob: the URL carries an HMAC over the digest, the
//! account and the time at which it expires. Every frontend of a cluster has the same key, so any of them can serve it.

use std::time::Duration;

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::{HeaderValue, StatusCode, header};
use lambda_api::{ApiError, Query};
use model::{AccountId, Digest, Timestamp};
use sha2::Sha256;

use crate::respond::{Answer, Body};

/// The path that comes before the digest.
pub(crate) const PATH: &str = "/_dunlin/code/";

const VALID_FOR: Duration = Duration::from_secs(600);

/// The key that signs code URLs: 32 secret bytes.
#[derive(Clone)]
pub struct CodeUrlKey([u8; 32]);

impl CodeUrlKey {
    /// A key. The bytes must be secret, and the same on every frontend of a cluster.
    #[must_use]
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The URL of a blob. `origin` is scheme, host and port.
    pub(crate) fn url(
        &self,
        origin: &str,
        digest: Digest,
        account: AccountId,
        now: Timestamp,
    ) -> String {
        let expires = now.plus(VALID_FOR).as_millis() / 1000;
        let signature = hex::encode(self.mac(digest, account, expires).finalize().into_bytes());
        format!("{origin}{PATH}{digest}?account={account}&expires={expires}&signature={signature}")
    }

    /// The blob that a URL opens now.
    ///
    /// # Errors
    /// AccessDenied for anything but a URL of ours that has not expired.
    pub(crate) fn open(&self, path: &str, query: &str, now: Timestamp) -> Result<Digest, ApiError> {
        self.verify(path, query, now).ok_or_else(|| {
            ApiError::AccessDenied("Request has expired or is not signed.".to_owned())
        })
    }

    fn verify(&self, path: &str, query: &str, now: Timestamp) -> Option<Digest> {
        let digest = path.strip_prefix(PATH)?.parse().ok()?;
        let query = Query::parse(query).ok()?;
        let account = query.get("account")?.parse().ok()?;
        let expires: u64 = query.get("expires")?.parse().ok()?;
        let signature = hex::decode(query.get("signature")?).ok()?;
        // Compared in constant time.
        let genuine = self.mac(digest, account, expires).verify_slice(&signature);
        (genuine.is_ok() && now.as_millis() / 1000 <= expires).then_some(digest)
    }

    fn mac(&self, digest: Digest, account: AccountId, expires: u64) -> Hmac<Sha256> {
        // HMAC pads a short key with zeros to a whole block; done here, no length is left that could be wrong.
        let mut block = [0; 64];
        for (padded, byte) in block.iter_mut().zip(self.0) {
            *padded = byte;
        }
        let mut mac = <Hmac<Sha256> as hmac::digest::KeyInit>::new(&block.into());
        mac.update(b"dunlin code url 1\n");
        mac.update(digest.as_bytes());
        mac.update(account.as_str().as_bytes());
        mac.update(&expires.to_be_bytes());
        mac
    }
}

/// The answer that carries a package.
pub(crate) fn answer(zip: Bytes) -> Answer {
    let mut answer = Answer::empty(StatusCode::OK);
    let kind = HeaderValue::from_static("application/zip");
    answer.headers.insert(header::CONTENT_TYPE, kind);
    answer.body = Body::Whole(zip);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_764_000_000_000);

    fn url(key: &CodeUrlKey) -> (String, String) {
        let digest = Digest::of(b"zip");
        let url = key.url("http://localhost:1", digest, AccountId::DEFAULT, NOW);
        let rest = url.strip_prefix("http://localhost:1").unwrap();
        let (path, query) = rest.split_once('?').unwrap();
        (path.to_owned(), query.to_owned())
    }

    #[test]
    fn a_url_opens_its_blob_for_ten_minutes() {
        let key = CodeUrlKey::new([7; 32]);
        let (path, query) = url(&key);
        assert_eq!(key.open(&path, &query, NOW).unwrap(), Digest::of(b"zip"));
        let last = NOW.plus(Duration::from_secs(600));
        assert!(key.open(&path, &query, last).is_ok());
        assert!(
            key.open(&path, &query, last.plus(Duration::from_secs(1)))
                .is_err()
        );
    }

    #[test]
    fn a_changed_url_opens_nothing() {
        let key = CodeUrlKey::new([7; 32]);
        let (path, query) = url(&key);
        let other = format!("{PATH}{}", Digest::of(b"other"));
        assert!(key.open(&other, &query, NOW).is_err());
        assert!(CodeUrlKey::new([8; 32]).open(&path, &query, NOW).is_err());
        for (old, new) in [
            ("account=000000000000", "account=000000000001"),
            ("expires=1", "expires=9"),
            ("signature=", "signature=00"),
            ("signature=", "signed="),
        ] {
            let changed = query.replace(old, new);
            assert_ne!(changed, query);
            assert!(key.open(&path, &changed, NOW).is_err(), "{changed}");
        }
    }
}
