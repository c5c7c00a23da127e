//! The bytes of one request.

use jiff::Timestamp;

use crate::signature::Signer;

/// What every request of a run has in common. `{n}` in path and body stands for the number of the request, `{c}` for
/// that of the connection.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) method: String,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) body: String,
}

impl Template {
    /// Request number `n` of connection `c`; signed if there is a signer.
    pub(crate) fn bytes(
        &self,
        n: u64,
        c: usize,
        signer: Option<&mut Signer>,
        now: Timestamp,
    ) -> Vec<u8> {
        let fill = |text: &str| {
            text.replace("{n}", &n.to_string())
                .replace("{c}", &c.to_string())
        };
        let (path, body) = (fill(&self.path), fill(&self.body));
        let Self { method, host, .. } = self;
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n",
            body.len()
        );
        if let Some(signer) = signer {
            let signed = signer.sign(method, host, &path, body.as_bytes(), now);
            text += &format!(
                "x-amz-date: {}\r\nauthorization: {}\r\n",
                signed.date, signed.authorization
            );
        }
        text += "\r\n";
        text += &body;
        text.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled() {
        let template = Template {
            method: "PUT".to_owned(),
            host: "h:1".to_owned(),
            path: "/a/{c}".to_owned(),
            body: "{\"n\":{n}}".to_owned(),
        };
        let bytes = template.bytes(7, 2, None, Timestamp::UNIX_EPOCH);
        assert_eq!(
            bytes,
            b"PUT /a/2 HTTP/1.1\r\nhost: h:1\r\ncontent-length: 7\r\n\r\n{\"n\":7}"
        );
    }
}
