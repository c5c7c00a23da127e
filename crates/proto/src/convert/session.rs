use model::{
    Timestamp,
    iam::{Hour, Session},
};

use super::{InvalidMessage, data_key::generation, text};
use crate::internal as pb;

/// The format of the claims in tokens.
const FORMAT: u32 = 1;

impl From<&Session> for pb::Session {
    fn from(s: &Session) -> Self {
        Self {
            format: FORMAT,
            generation: s.generation.get(),
            role: s.role.to_string(),
            name: s.name.to_string(),
            access_key: s.access_key.to_string(),
            issued_ms: s.issued.as_millis(),
            expires_ms: s.expires.as_millis(),
            hour: s.hour.0,
            policy: s.policy.clone().unwrap_or_default(),
            function: s
                .function
                .as_ref()
                .map_or_else(String::new, ToString::to_string),
        }
    }
}

impl TryFrom<pb::Session> for Session {
    type Error = InvalidMessage;

    fn try_from(m: pb::Session) -> Result<Self, InvalidMessage> {
        if m.format != FORMAT {
            return Err(InvalidMessage::Field {
                field: "session.format",
                why: format!("expected {FORMAT}, got {}", m.format),
            });
        }
        Ok(Self {
            role: text("session.role", &m.role)?,
            name: text("session.name", &m.name)?,
            access_key: text("session.access_key", &m.access_key)?,
            generation: generation(m.generation)?,
            hour: Hour(m.hour),
            issued: Timestamp(m.issued_ms),
            expires: Timestamp(m.expires_ms),
            policy: policy(m.policy)?,
            function: match &*m.function {
                "" => None,
                arn => Some(text("session.function", arn)?),
            },
        })
    }
}

fn policy(text: String) -> Result<Option<String>, InvalidMessage> {
    let length = text.chars().count();
    if length > Session::POLICY_MAX {
        let limit = Session::POLICY_MAX;
        return Err(InvalidMessage::Field {
            field: "session.policy",
            why: format!("expected at most {limit} characters, got {length}"),
        });
    }
    Ok((!text.is_empty()).then_some(text))
}

#[cfg(test)]
mod tests {
    use model::Generation;
    use prost::Message as _;

    use super::*;

    fn session() -> Session {
        Session {
            role: "arn:aws:iam::123456789012:role/r".parse().unwrap(),
            name: "hello".parse().unwrap(),
            access_key: "ASIA2222222222222222".parse().unwrap(),
            generation: Generation::FIRST,
            hour: Hour(490_000),
            issued: Hour(490_000).start(),
            expires: Hour(490_012).start(),
            policy: Some("{}".to_owned()),
            function: Some(
                "arn:aws:lambda:us-east-1:123456789012:function:hello:1"
                    .parse()
                    .unwrap(),
            ),
        }
    }

    fn read(message: pb::Session) -> Result<Session, String> {
        message
            .try_into()
            .map_err(|e: InvalidMessage| e.to_string())
    }

    #[test]
    fn sessions_come_back_as_they_went() {
        let bare = Session {
            policy: None,
            function: None,
            ..session()
        };
        for session in [session(), bare] {
            let message = pb::Session::from(&session);
            assert_eq!(read(message), Ok(session));
        }
    }

    #[test]
    fn what_is_no_session_is_refused() {
        let check = |change: fn(&mut pb::Session), expected: &str| {
            let mut message = pb::Session::from(&session());
            change(&mut message);
            let error = read(message).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        };
        check(|m| m.format = 2, "session.format: expected 1, got 2");
        check(|m| m.format = 0, "session.format");
        check(|m| m.generation = 0, "generation");
        check(|m| m.role = "r".to_owned(), "session.role");
        check(|m| m.name = String::new(), "session.name");
        check(|m| m.access_key = String::new(), "session.access_key");
        check(|m| m.policy = "ä".repeat(2049), "session.policy");
        check(|m| m.function = "f".to_owned(), "session.function");
        let mut longest = pb::Session::from(&session());
        longest.policy = "ä".repeat(2048);
        assert!(read(longest).is_ok());
    }

    /// Tokens hold these bytes for hours, over an upgrade of the frontends that read them.
    #[test]
    fn sessions_of_this_format_stay_readable() {
        let golden = "080110011a2061726e3a6177733a69616d3a3a3132333435363738393031323a726f6c652f72220568656c6c6f2a1441534941323232323232323232323232323232323080d0dfb4ab333880acacc9ab334090f41d4a027b7d523661726e3a6177733a6c616d6264613a75732d656173742d313a3132333435363738393031323a66756e6374696f6e3a68656c6c6f3a31";
        let bytes = pb::Session::from(&session()).encode_to_vec();
        assert_eq!(hex(&bytes), golden);
        let again = pb::Session::decode(bytes.as_slice()).unwrap();
        assert_eq!(read(again), Ok(session()));
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
}
