//! Signature Version 4, as cheap as a client can have it: the key of a day is derived once.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

const SIGNED_HEADERS: &str = "host;x-amz-date";

/// Signs requests of one access key to one region.
pub(crate) struct Signer {
    access_key: String,
    secret_key: String,
    region: String,
    /// The day that `key` is of, as `20260131`.
    day: String,
    key: [u8; 32],
}

/// What a signed request carries.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// `x-amz-date`.
    pub(crate) date: String,
    /// `authorization`.
    pub(crate) authorization: String,
}

impl Signer {
    pub(crate) fn new(access_key: String, secret_key: String, region: String) -> Self {
        let day = String::new();
        Self {
            access_key,
            secret_key,
            region,
            day,
            key: [0; 32],
        }
    }

    /// Signs a request without a query. `path` is percent-encoded.
    pub(crate) fn sign(
        &mut self,
        method: &str,
        host: &str,
        path: &str,
        body: &[u8],
        now: Timestamp,
    ) -> Signed {
        let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
        self.derive(date.get(..8).unwrap_or_default());
        // The path counts as encoded once more.
        let path = path.replace('%', "%25");
        let payload = hex::encode(Sha256::digest(body));
        let canonical = format!(
            "{method}\n{path}\n\nhost:{host}\nx-amz-date:{date}\n\n{SIGNED_HEADERS}\n{payload}"
        );
        let scope = format!("{}/{}/lambda/aws4_request", self.day, self.region);
        let digest = hex::encode(Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}");
        let signature = hex::encode(hmac(&self.key, &to_sign));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}",
            self.access_key
        );
        Signed {
            date,
            authorization,
        }
    }

    fn derive(&mut self, day: &str) {
        if self.day == day {
            return;
        }
        day.clone_into(&mut self.day);
        let start = hmac(format!("AWS4{}", self.secret_key).as_bytes(), day);
        self.key = [self.region.as_str(), "lambda", "aws4_request"]
            .iter()
            .fold(start, |key, part| hmac(&key, part));
    }
}

fn hmac(key: &[u8], text: &str) -> [u8; 32] {
    // An HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What botocore signs for the same request.
    #[test]
    fn signs_as_the_sdk_does() {
        let mut signer = Signer::new(
            "AKIDEXAMPLE".to_owned(),
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            "us-east-1".to_owned(),
        );
        let now: Timestamp = "2026-01-31T12:34:56Z".parse().unwrap();
        let path = "/2015-03-31/functions/f%3A1/invocations";
        let signed = signer.sign("POST", "127.0.0.1:9000", path, b"{}", now);
        assert_eq!(signed.date, "20260131T123456Z");
        assert_eq!(
            signed.authorization,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/us-east-1/lambda/aws4_request, SignedHeaders=host;x-amz-date, Signature=af0fa30e17616f84eb3b81f123414187c6f9fa75f9d9ec2a2744a96554e05d57"
        );
    }

    #[test]
    fn a_new_day_has_a_new_key() {
        let mut signer = Signer::new(
            "AKID".to_owned(),
            "secret".to_owned(),
            "us-east-1".to_owned(),
        );
        let mut at = |when: &str| {
            signer
                .sign("GET", "h", "/", b"", when.parse().unwrap())
                .authorization
        };
        let (first, second) = (at("2026-01-31T00:00:00Z"), at("2026-02-01T00:00:00Z"));
        assert_ne!(first, second);
        assert_eq!(first, at("2026-01-31T00:00:00Z"));
    }
}
