//! A record as a line, and the chain that lines make.
//!
//! ```text
//! {"v":1,"seq":7,"time":"…","node":"a","incarnation":"…","event":"call",…,"prev":"<hash of 6>","hash":"<hash of 7>"}
//! ```
//!
//! `hash` is the last member, and the SHA-256 of every byte of the line before `,"hash":"`. It is taken of the bytes as they
//! stand, so nothing has to agree on a canonical form of JSON to verify it:
//! `sed 's/,"hash":"[0-9a-f]*"}$//' | tr -d '\n' | sha256sum`. `prev` is the `hash` of the record before; 64 zeros in the
//! first one. Members may be added in later versions; `v` changes only if the chain is made otherwise.

use std::{fmt, str::FromStr};

use model::{Digest, Incarnation, NodeName, Timestamp};
use serde::{Deserialize, Serialize};

use crate::record::Event;

/// Lines of this length and more are not written, and not taken for records.
pub const LINE_MAX: usize = 64 << 10;
/// The form of a line.
const VERSION: u32 = 1;
/// What stands between the bytes that are hashed and the hash.
const SEAM: &str = ",\"hash\":\"";
/// The length of a hash in hexadecimal digits.
const DIGITS: usize = 64;

/// The end of a chain: what its next record links to. Written `HASH@SEQ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of its last record; 0 if there is none.
    pub sequence: u64,
    /// The hash of its last record.
    pub hash: Digest,
}

/// A text that is no head.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected HASH@SEQ, as `dunlin audit head` prints it, got {0:?}")]
pub struct InvalidHead(pub String);

/// Whose chain it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Writer {
    /// The node.
    pub node: NodeName,
    /// The life of its storage.
    pub incarnation: Incarnation,
}

/// A line whose hash is that of its content.
#[derive(Debug, PartialEq, Eq)]
pub struct Parsed {
    /// Its number and hash.
    pub head: Head,
    /// The hash of the record before it, as it says.
    pub prev: Digest,
    /// If it says that the oldest records were removed: the last of them.
    pub retired: Option<u64>,
}

/// Why a line is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoRecord {
    /// It has no such form.
    Form,
    /// Its hash does not fit its content.
    Hash,
}

#[derive(Serialize)]
struct Body<'a> {
    v: u32,
    seq: u64,
    time: String,
    node: &'a str,
    incarnation: String,
    #[serde(flatten)]
    event: &'a Event,
    prev: String,
}

#[derive(Deserialize)]
struct Links {
    seq: u64,
    event: String,
    prev: String,
    through: Option<u64>,
}

impl Head {
    /// Before the first record.
    pub const NONE: Self = Self {
        sequence: 0,
        hash: Digest::from_bytes([0; 32]),
    };
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.hash, self.sequence)
    }
}

impl FromStr for Head {
    type Err = InvalidHead;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let parsed = s.split_once('@').and_then(|(hash, sequence)| {
            Some(Self {
                sequence: sequence.parse().ok()?,
                hash: hash.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| InvalidHead(s.chars().take(100).collect()))
    }
}

/// The line of the record after `head`, and the head that it makes.
///
/// # Errors
/// If an event cannot be written as JSON.
pub fn encode(
    head: Head,
    writer: &Writer,
    time: Timestamp,
    event: &Event,
) -> Result<(Vec<u8>, Head), serde_json::Error> {
    let sequence = head.sequence.saturating_add(1);
    let body = Body {
        v: VERSION,
        seq: sequence,
        time: time.to_rfc3339(),
        node: writer.node.as_str(),
        // A text: not every reader of JSON keeps 64 bits.
        incarnation: writer.incarnation.0.to_string(),
        event,
        prev: head.hash.to_string(),
    };
    let mut line = serde_json::to_vec(&body)?;
    // The brace is put behind the hash.
    line.pop();
    let hash = Digest::of(&line);
    line.extend_from_slice(format!("{SEAM}{hash}\"}}\n").as_bytes());
    Ok((line, Head { sequence, hash }))
}

/// Reads a line without its end.
///
/// # Errors
/// [`NoRecord`]
pub fn parse(line: &[u8]) -> Result<Parsed, NoRecord> {
    let at = seam(line).ok_or(NoRecord::Form)?;
    let (body, rest) = line.split_at_checked(at).ok_or(NoRecord::Form)?;
    let hash = Digest::of(body);
    // Compared as text: another way to write the same hash is another line.
    if rest != format!("{SEAM}{hash}\"}}").as_bytes() {
        return Err(NoRecord::Hash);
    }
    let json = [body, b"}"].concat();
    let links: Links = serde_json::from_slice(&json).map_err(|_| NoRecord::Form)?;
    Ok(Parsed {
        head: Head {
            sequence: links.seq,
            hash,
        },
        prev: links.prev.parse().map_err(|_| NoRecord::Form)?,
        retired: links.through.filter(|_| links.event == "retired"),
    })
}

/// How long a record is that begins here, its end of line aside; `None` if that cannot be seen yet.
#[must_use]
pub fn length(bytes: &[u8]) -> Option<usize> {
    let length = seam(bytes)? + SEAM.len() + DIGITS + "\"}".len();
    (length <= bytes.len()).then_some(length)
}

/// Where the hash begins: a quote inside of a text of JSON never stands alone, so this is found nowhere else.
fn seam(line: &[u8]) -> Option<usize> {
    let seam = SEAM.as_bytes();
    line.windows(seam.len()).position(|window| window == seam)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::testing::{NOW, call, writer};

    /// These bytes are on disks: what changes them breaks every log there is.
    #[test]
    fn the_form_of_a_line_is_fixed() {
        let (line, head) = encode(Head::NONE, &writer(), NOW, &call("r1", "GetFunction")).unwrap();
        let text = String::from_utf8(line.clone()).unwrap();
        expect![[r#"
            {"v":1,"seq":1,"time":"2026-01-02T03:04:05.123Z","node":"a","incarnation":"18446744073709551615","event":"call","request_id":"r1","api":"aws","operation":"GetFunction","account":"123456789012","caller":"123456789012/AKID","principal":"arn:aws:iam::123456789012:user/a","access_key":"AKID","source":"127.0.0.1:1","user_agent":"a \",\"hash\":\"\n😀","region":"us-east-1","parameters":{"MemorySize":128},"outcome":"failed","status":404,"error":"ResourceNotFoundException","took_ms":3,"prev":"0000000000000000000000000000000000000000000000000000000000000000","hash":"2cc2f4e4a1170766d7ec98d1ed51e55cfd74a490e2c8671cbdf891e78ef7517d"}
        "#]].assert_eq(&text);
        let parsed = parse(line.strip_suffix(b"\n").unwrap()).unwrap();
        assert_eq!((parsed.head, parsed.prev), (head, Head::NONE.hash));
        assert_eq!(parsed.retired, None);
        assert_eq!(length(&line), Some(line.len() - 1));
    }

    /// A line of before there was `principal`.
    #[test]
    fn a_line_with_fewer_members_is_read() {
        let line = r#"{"v":1,"seq":1,"time":"2026-01-02T03:04:05.123Z","node":"a","incarnation":"18446744073709551615","event":"call","request_id":"r1","api":"aws","operation":"GetFunction","account":"123456789012","caller":"123456789012/AKID","access_key":"AKID","source":"127.0.0.1:1","user_agent":"a \",\"hash\":\"\n😀","region":"us-east-1","parameters":{"MemorySize":128},"outcome":"failed","status":404,"error":"ResourceNotFoundException","took_ms":3,"prev":"0000000000000000000000000000000000000000000000000000000000000000","hash":"f98b5ab1a15aa096222c3f2e4c13c9baa109c0826fbb0640936e9347689ac5d0"}"#;
        let parsed = parse(line.as_bytes()).unwrap();
        assert_eq!(parsed.head.sequence, 1);
        assert_eq!(parsed.prev, Head::NONE.hash);
        assert_eq!(length(line.as_bytes()), Some(line.len()));
    }

    #[test]
    fn what_was_removed_is_read() {
        let retired = Event::Retired { through: 9 };
        let (line, _) = encode(Head::NONE, &writer(), NOW, &retired).unwrap();
        assert_eq!(parse(line.trim_ascii_end()).unwrap().retired, Some(9));
    }

    #[test]
    fn no_byte_of_a_line_may_change() {
        let (line, _) = encode(Head::NONE, &writer(), NOW, &call("r1", "GetFunction")).unwrap();
        let line = line.trim_ascii_end();
        for at in 0..line.len() {
            for bit in 0..8 {
                let mut other = line.to_vec();
                other[at] ^= 1 << bit;
                assert!(parse(&other).is_err(), "bit {bit} of byte {at}");
            }
            assert!(parse(&line[..at]).is_err(), "cut at {at}");
            assert!(parse(&line[at + 1..]).is_err(), "from {at}");
        }
        assert_eq!(parse(b""), Err(NoRecord::Form));
    }

    #[test]
    fn heads_are_read_as_they_are_written() {
        let head = Head {
            sequence: 12,
            hash: Digest::of(b"x"),
        };
        assert_eq!(head.to_string().parse(), Ok(head));
        for text in ["", "12", "@12", "00@12", "zz@1"] {
            assert!(text.parse::<Head>().is_err(), "{text}");
        }
    }
}
