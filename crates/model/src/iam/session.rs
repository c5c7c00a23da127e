//! Being a role for a while, without anything that is kept about it.
//!
//! A [`Session`] is the whole of what a session token says. Who made one can prove it with the key of that role in that
//! [`Hour`] (`seal`), so nothing has to be looked up and nothing be stored: an hour bounds what such a key is good for, and
//! [`Session::LIFETIME_MAX`] what is made with it.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use super::{AccessKeyId, EntityName, InvalidIam, SessionName, role_of};
use crate::{AccountId, FunctionArn, Generation, Timestamp};

/// The ARN of a role: whose it is, and what it is called.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RoleArn {
    text: Arc<str>,
    account: AccountId,
    name: EntityName,
}

/// An hour, counted from the Unix epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hour(pub u32);

/// A session of a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The role.
    pub role: RoleArn,
    /// Its name, which its maker chose: of a function's environment, the function's.
    pub name: SessionName,
    /// The public half of its access key.
    pub access_key: AccessKeyId,
    /// Which of the account's data keys it hangs on.
    pub generation: Generation,
    /// The hour that it was made in.
    pub hour: Hour,
    /// When it was made.
    pub issued: Timestamp,
    /// When it is over.
    pub expires: Timestamp,
    /// A policy in JSON that bounds what the role may.
    pub policy: Option<String>,
    /// The function whose environment it was made for.
    pub function: Option<FunctionArn>,
}

/// A session that was made by somebody who could, and does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSession {
    /// It came with another access key.
    #[error("the session is of another access key")]
    OtherKey,
    /// What its maker had does not cover that time.
    #[error("the session was not made in its hour")]
    OtherHour,
    /// By the clock that looks at it.
    #[error("the session was made in the future")]
    Future,
    /// Longer than sessions last.
    #[error("the session is longer than sessions last")]
    Long,
    /// Over.
    #[error("the session is over")]
    Over,
}

impl Hour {
    const MILLIS: u64 = 3_600_000;

    /// The hour that this moment lies in.
    #[must_use]
    pub fn of(moment: Timestamp) -> Self {
        Self(u32::try_from(moment.as_millis() / Self::MILLIS).unwrap_or(u32::MAX))
    }

    /// Its first moment.
    #[must_use]
    pub fn start(self) -> Timestamp {
        Timestamp(u64::from(self.0) * Self::MILLIS)
    }

    /// Its last moment.
    #[must_use]
    pub fn end(self) -> Timestamp {
        Timestamp(self.start().as_millis() + Self::MILLIS - 1)
    }

    /// The moment of it that is the nearest to this one. Clocks differ a little, and invocations wait a little: who has the
    /// key of an hour may be in the next one by now.
    #[must_use]
    pub fn nearest(self, moment: Timestamp) -> Timestamp {
        moment.clamp(self.start(), self.end())
    }
}

impl Session {
    /// The longest that a session lasts.
    pub const LIFETIME_MAX: Duration = Duration::from_secs(12 * 3600);
    /// The longest policy of a session, in characters.
    pub const POLICY_MAX: usize = 2048;
    /// How far the clocks of two nodes may differ.
    pub const SKEW: Duration = Duration::from_secs(300);

    /// Whether it counts, now and with this access key. That it was not forged is another question, to be asked first.
    ///
    /// # Errors
    /// [`InvalidSession`].
    pub fn check(&self, access_key: &str, now: Timestamp) -> Result<(), InvalidSession> {
        if self.access_key.as_str() != access_key {
            return Err(InvalidSession::OtherKey);
        }
        if Hour::of(self.issued) != self.hour {
            return Err(InvalidSession::OtherHour);
        }
        if self.issued > now.plus(Self::SKEW) {
            return Err(InvalidSession::Future);
        }
        if self.expires > self.issued.plus(Self::LIFETIME_MAX) {
            return Err(InvalidSession::Long);
        }
        if now >= self.expires {
            return Err(InvalidSession::Over);
        }
        Ok(())
    }

    /// Its own ARN, which says the role without its path.
    #[must_use]
    pub fn arn(&self) -> String {
        let (account, role) = (self.role.account, &self.role.name);
        let partition = self.role.partition();
        format!(
            "arn:{partition}:sts::{account}:assumed-role/{role}/{}",
            self.name
        )
    }
}

impl RoleArn {
    /// The account whose role it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// What the role is called in its account.
    #[must_use]
    pub const fn name(&self) -> &EntityName {
        &self.name
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn partition(&self) -> &str {
        self.text.split(':').nth(1).unwrap_or("aws")
    }
}

impl FromStr for RoleArn {
    type Err = InvalidIam;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let (account, name) = role_of(s)?;
        if !s.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(InvalidIam::new("the ARN of a role", s));
        }
        Ok(Self {
            text: s.into(),
            account,
            name,
        })
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ASIA2222222222222222";
    const NOW: Timestamp = Timestamp(1_764_000_000_000);

    fn session() -> Session {
        Session {
            role: "arn:aws:iam::123456789012:role/p/worker".parse().unwrap(),
            name: "hello".parse().unwrap(),
            access_key: KEY.parse().unwrap(),
            generation: Generation::FIRST,
            hour: Hour::of(NOW),
            issued: NOW,
            expires: NOW.plus(Session::LIFETIME_MAX),
            policy: None,
            function: None,
        }
    }

    #[test]
    fn what_a_session_must_be_to_count() {
        use InvalidSession as No;
        let check = |session: &Session, key: &str, now: u64, expected: Result<(), No>| {
            let (at, now) = (now, Timestamp(NOW.as_millis() + now));
            assert_eq!(session.check(key, now), expected, "{session:?} at +{at}");
        };
        let (whole, hours) = (session(), 3_600_000);
        check(&whole, KEY, 0, Ok(()));
        check(&whole, KEY, 12 * hours - 1, Ok(()));
        check(&whole, KEY, 12 * hours, Err(No::Over));
        check(&whole, "ASIA3333333333333333", 0, Err(No::OtherKey));
        let of = |change: fn(&mut Session)| {
            let mut session = session();
            change(&mut session);
            session
        };
        check(
            &of(|s| s.hour = Hour(s.hour.0 + 1)),
            KEY,
            0,
            Err(No::OtherHour),
        );
        check(
            &of(|s| s.hour = Hour(s.hour.0 - 1)),
            KEY,
            0,
            Err(No::OtherHour),
        );
        check(
            &of(|s| s.expires = s.expires.plus(Duration::from_millis(1))),
            KEY,
            0,
            Err(No::Long),
        );
        check(&of(|s| s.expires = s.issued), KEY, 0, Err(No::Over));
        let early = Timestamp(NOW.as_millis() - 300_000);
        assert_eq!(whole.check(KEY, early), Ok(()));
        let too_early = Timestamp(NOW.as_millis() - 300_001);
        assert_eq!(whole.check(KEY, too_early), Err(No::Future));
    }

    #[test]
    fn an_hour_has_moments_of_its_own() {
        let hour = Hour::of(NOW);
        assert_eq!(Hour::of(hour.start()), hour);
        assert_eq!(Hour::of(hour.end()), hour);
        assert_eq!(Hour::of(Timestamp(hour.end().0 + 1)), Hour(hour.0 + 1));
        assert_eq!(hour.nearest(NOW), NOW);
        assert_eq!(hour.nearest(Timestamp(0)), hour.start());
        assert_eq!(hour.nearest(Timestamp(u64::MAX)), hour.end());
    }

    #[test]
    fn a_session_is_called_by_role_and_name() {
        assert_eq!(
            session().arn(),
            "arn:aws:sts::123456789012:assumed-role/worker/hello"
        );
        let role: RoleArn = "arn:aws-cn:iam::123456789012:role/r".parse().unwrap();
        assert_eq!(role.to_string(), "arn:aws-cn:iam::123456789012:role/r");
        for bad in [
            "arn:aws:iam::123456789012:user/u",
            "arn:aws:iam::123456789012:role/p q/r",
        ] {
            assert!(bad.parse::<RoleArn>().is_err(), "{bad}");
        }
    }
}
