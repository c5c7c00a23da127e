//! What the service answers, in XML.

use std::fmt::{self, Write as _};

use model::{
    AccountId, Timestamp,
    iam::{AccessKeyId, Session},
};

use super::NAMESPACE;

/// Who a caller is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallerIdentity {
    /// Their ARN.
    pub arn: String,
    /// Their unique id; of a session, that of its role and its name.
    pub user_id: String,
    /// Their account.
    pub account: AccountId,
}

/// A role that somebody is for a while.
pub struct AssumedRole<'a> {
    /// The session.
    pub session: &'a Session,
    /// The unique id of the role.
    pub role_id: &'a str,
    /// The secret half of the access key.
    pub secret_access_key: &'a str,
    /// The token.
    pub session_token: &'a str,
}

impl CallerIdentity {
    /// The document.
    #[must_use]
    pub fn to_xml(&self, request_id: &str) -> String {
        document("GetCallerIdentity", request_id, |xml| {
            xml.text("Arn", &self.arn);
            xml.text("UserId", &self.user_id);
            xml.text("Account", self.account.as_str());
        })
    }
}

impl AssumedRole<'_> {
    /// The document.
    #[must_use]
    pub fn to_xml(&self, request_id: &str) -> String {
        let session = self.session;
        document("AssumeRole", request_id, |xml| {
            xml.within("AssumedRoleUser", |xml| {
                xml.text(
                    "AssumedRoleId",
                    &format!("{}:{}", self.role_id, session.name),
                );
                xml.text("Arn", &session.arn());
            });
            xml.within("Credentials", |xml| {
                self.credentials(xml, &session.access_key, session.expires);
            });
            if let Some(policy) = &session.policy {
                // In percent of what there may be.
                let size = policy.chars().count() * 100 / Session::POLICY_MAX;
                xml.text("PackedPolicySize", &size.to_string());
            }
        })
    }

    fn credentials(&self, xml: &mut Xml, access_key: &AccessKeyId, expires: Timestamp) {
        xml.text("AccessKeyId", access_key.as_str());
        xml.text("SecretAccessKey", self.secret_access_key);
        xml.text("SessionToken", self.session_token);
        xml.text("Expiration", &expires.format("%Y-%m-%dT%H:%M:%SZ"));
    }
}

fn document(action: &str, request_id: &str, result: impl FnOnce(&mut Xml)) -> String {
    let mut xml = Xml::default();
    xml.within(&format!("{action}Response xmlns=\"{NAMESPACE}\""), |xml| {
        xml.within(&format!("{action}Result"), result);
        xml.within("ResponseMetadata", |xml| xml.text("RequestId", request_id));
    });
    xml.into_text()
}

/// A document that grows.
#[derive(Default)]
pub(super) struct Xml(String);

impl Xml {
    /// An element with others in it. `tag`: its name, and its attributes if it has any.
    pub(super) fn within(&mut self, tag: &str, inside: impl FnOnce(&mut Self)) {
        let name = tag.split(' ').next().unwrap_or(tag);
        self.push(format_args!("<{tag}>"));
        inside(self);
        self.push(format_args!("</{name}>"));
    }

    /// An element with text in it.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        self.push(format_args!("<{name}>{}</{name}>", Escaped(text)));
    }

    pub(super) fn into_text(self) -> String {
        self.0
    }

    fn push(&mut self, piece: fmt::Arguments<'_>) {
        // A string takes everything.
        let _ = self.0.write_fmt(piece);
    }
}

struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\t' | '\n' | '\r' => f.write_char(letter)?,
                // XML 1.0 has no way to write them.
                letter if letter.is_control() => f.write_char('\u{fffd}')?,
                letter => f.write_char(letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use model::{Generation, iam::Hour};

    use super::*;

    #[test]
    fn an_identity_as_sdks_read_it() {
        let identity = CallerIdentity {
            arn: "arn:aws:iam::123456789012:user/alice".to_owned(),
            user_id: "AIDA2222222222222222".to_owned(),
            account: "123456789012".parse().unwrap(),
        };
        assert_eq!(
            identity.to_xml("id"),
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:iam::123456789012:user/alice</Arn><UserId>AIDA2222222222222222</UserId>\
             <Account>123456789012</Account></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        );
    }

    #[test]
    fn a_session_as_sdks_read_it() {
        let mut session = Session {
            role: "arn:aws:iam::123456789012:role/p/worker".parse().unwrap(),
            name: "me".parse().unwrap(),
            access_key: "ASIA2222222222222222".parse().unwrap(),
            generation: Generation::FIRST,
            hour: Hour(490_000),
            issued: Hour(490_000).start(),
            expires: Timestamp(1_764_003_600_999),
            policy: None,
            function: None,
        };
        let xml = |session: &Session| {
            let assumed = AssumedRole {
                session,
                role_id: "AROA2222222222222222",
                secret_access_key: "s3cret/+",
                session_token: "token==",
            };
            assumed.to_xml("id")
        };
        assert_eq!(
            xml(&session),
            "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><AssumedRoleUser>\
             <AssumedRoleId>AROA2222222222222222:me</AssumedRoleId>\
             <Arn>arn:aws:sts::123456789012:assumed-role/worker/me</Arn></AssumedRoleUser><Credentials>\
             <AccessKeyId>ASIA2222222222222222</AccessKeyId><SecretAccessKey>s3cret/+</SecretAccessKey>\
             <SessionToken>token==</SessionToken><Expiration>2025-11-24T17:00:00Z</Expiration></Credentials>\
             </AssumeRoleResult><ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></AssumeRoleResponse>"
        );
        session.policy = Some("p".repeat(1024));
        assert!(xml(&session).contains("</Credentials><PackedPolicySize>50</PackedPolicySize>"));
    }
}
