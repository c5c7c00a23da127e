//! The credential that a request presents, before any of it is believed.

use std::time::Duration;

use http::{HeaderMap, header::AUTHORIZATION};
use model::Region;

use super::{ALGORITHM, DATE, EXPIRES_MAX, TERMINATOR, TOKEN, date::Date, error::SigV4Error};
use crate::query::Query;

/// What a credential is good for: `AKID/20261124/eu-west-1/lambda/aws4_request`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialScope {
    /// The access key.
    pub access_key_id: String,
    /// The region.
    pub region: Region,
    pub(super) day: String,
    pub(super) service: String,
}

/// A credential and a signature.
pub(super) struct Presented {
    pub(super) source: Source,
    pub(super) scope: CredentialScope,
    pub(super) date: Date,
    /// Lower-case names, in the order in which they were signed.
    pub(super) signed_headers: Vec<String>,
    pub(super) signature: [u8; 32],
    pub(super) token: Option<String>,
}

/// Where a request carries its credential.
pub(super) enum Source {
    /// In its `Authorization`.
    Header,
    /// In its query.
    Query {
        /// How long the URL is valid.
        expires: Duration,
    },
}

/// The parameters of a presigned URL that decide anything; each at most once.
const PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Signature",
    "X-Amz-Security-Token",
];

/// Those that make a query a credential.
const MARKS: [&str; 3] = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature"];

impl Presented {
    /// Reads the one credential of a request.
    pub(super) fn find(headers: &HeaderMap, query: &Query) -> Result<Self, SigV4Error> {
        let in_query = MARKS.iter().any(|mark| query.get(mark).is_some());
        match (headers.get_all(AUTHORIZATION).iter().count(), in_query) {
            (0, false) => Err(SigV4Error::Missing),
            (1, false) => Self::from_headers(headers),
            (0, true) => Self::from_query(query),
            _ => Err(SigV4Error::Several),
        }
    }

    fn from_headers(headers: &HeaderMap) -> Result<Self, SigV4Error> {
        let authorization = single(headers, "authorization")?.unwrap_or_default();
        let parameters = authorization
            .strip_prefix(ALGORITHM)
            .filter(|p| p.starts_with(' '))
            .ok_or(SigV4Error::Algorithm)?;
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for parameter in parameters
            .split(',')
            .map(str::trim)
            .filter(|p| !p.is_empty())
        {
            let (name, value) = parameter.split_once('=').ok_or(SigV4Error::Malformed {
                part: "Authorization",
            })?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => {
                    return Err(SigV4Error::Malformed {
                        part: "Authorization",
                    });
                }
            };
            if slot.replace(value).is_some() {
                return Err(SigV4Error::Several);
            }
        }
        Ok(Self {
            source: Source::Header,
            scope: CredentialScope::parse(required(credential, "Credential")?)?,
            signed_headers: parse_signed_headers(required(signed_headers, "SignedHeaders")?)?,
            signature: parse_signature(required(signature, "Signature")?)?,
            date: header_date(headers)?,
            token: single(headers, TOKEN)?.map(str::to_owned),
        })
    }

    fn from_query(query: &Query) -> Result<Self, SigV4Error> {
        if PARAMETERS
            .iter()
            .any(|name| query.all(name).nth(1).is_some())
        {
            return Err(SigV4Error::Several);
        }
        let parameter = |name: &'static str| required(query.get(name), name);
        if parameter("X-Amz-Algorithm")? != ALGORITHM {
            return Err(SigV4Error::Algorithm);
        }
        let malformed = |part| SigV4Error::Malformed { part };
        let expires = parameter("X-Amz-Expires")?;
        let seconds = expires
            .parse()
            .ok()
            .filter(|_| expires.bytes().all(|b| b.is_ascii_digit()));
        let expires = seconds
            .map(Duration::from_secs)
            .filter(|d| (Duration::from_secs(1)..=EXPIRES_MAX).contains(d));
        Ok(Self {
            source: Source::Query {
                expires: expires.ok_or(malformed("X-Amz-Expires"))?,
            },
            scope: CredentialScope::parse(parameter("X-Amz-Credential")?)?,
            signed_headers: parse_signed_headers(parameter("X-Amz-SignedHeaders")?)?,
            signature: parse_signature(parameter("X-Amz-Signature")?)?,
            date: Date::parse(parameter("X-Amz-Date")?).ok_or(malformed("X-Amz-Date"))?,
            token: query.get("X-Amz-Security-Token").map(str::to_owned),
        })
    }
}

impl CredentialScope {
    pub(super) fn new(access_key_id: &str, date: &Date, region: &Region, service: &str) -> Self {
        Self {
            access_key_id: access_key_id.to_owned(),
            region: region.clone(),
            day: date.day(),
            service: service.to_owned(),
        }
    }

    fn parse(credential: &str) -> Result<Self, SigV4Error> {
        let malformed = SigV4Error::Malformed { part: "Credential" };
        let parts: Vec<&str> = credential.split('/').collect();
        let [access_key_id, day, region, service, TERMINATOR] = parts.as_slice() else {
            return Err(malformed);
        };
        if access_key_id.is_empty() || access_key_id.len() > 128 {
            return Err(malformed);
        }
        Ok(Self {
            access_key_id: (*access_key_id).to_owned(),
            region: region.parse().map_err(|_| malformed)?,
            day: (*day).to_owned(),
            service: (*service).to_owned(),
        })
    }

    /// The scope without its access key, as a signature covers it.
    pub(super) fn to_text(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.day, self.region, self.service)
    }
}

/// The scope of a request's credential, whether or not the rest of it can be read.
pub(super) fn scope_of(headers: &HeaderMap, query: &Query) -> Option<CredentialScope> {
    let credential = match single(headers, "authorization").ok()? {
        Some(authorization) => {
            let parameters = authorization.strip_prefix(ALGORITHM)?;
            parameters
                .split(',')
                .find_map(|p| p.trim().strip_prefix("Credential="))?
        }
        None => query.get("X-Amz-Credential")?,
    };
    CredentialScope::parse(credential).ok()
}

/// The one value of a header; two values leave open which one is meant.
fn single<'h>(headers: &'h HeaderMap, name: &'static str) -> Result<Option<&'h str>, SigV4Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(SigV4Error::Several);
    }
    value
        .to_str()
        .map(|v| Some(v.trim()))
        .map_err(|_| SigV4Error::Malformed { part: name })
}

fn header_date(headers: &HeaderMap) -> Result<Date, SigV4Error> {
    const PART: &str = "X-Amz-Date";
    if let Some(date) = single(headers, DATE)? {
        return Date::parse(date).ok_or(SigV4Error::Malformed { part: PART });
    }
    // Only then: a proxy may have added a date of its own, in any form.
    match single(headers, "date")? {
        Some(date) => Date::parse(date)
            .or_else(|| Date::parse_http(date))
            .ok_or(SigV4Error::Malformed { part: "Date" }),
        None => Err(SigV4Error::Incomplete { part: PART }),
    }
}

fn required<'v>(value: Option<&'v str>, part: &'static str) -> Result<&'v str, SigV4Error> {
    value
        .filter(|v| !v.is_empty())
        .ok_or(SigV4Error::Incomplete { part })
}

fn parse_signed_headers(text: &str) -> Result<Vec<String>, SigV4Error> {
    let names: Vec<String> = text.split(';').map(str::to_owned).collect();
    let legal = |name: &String| {
        !name.is_empty()
            && !name
                .bytes()
                .any(|b| b.is_ascii_uppercase() || b.is_ascii_whitespace())
    };
    let sorted = names.is_sorted_by(|a, b| a < b);
    if sorted && names.iter().all(legal) {
        Ok(names)
    } else {
        Err(SigV4Error::Malformed {
            part: "SignedHeaders",
        })
    }
}

fn parse_signature(text: &str) -> Result<[u8; 32], SigV4Error> {
    let mut signature = [0; 32];
    hex::decode_to_slice(text, &mut signature)
        .map_err(|_| SigV4Error::Malformed { part: "Signature" })?;
    Ok(signature)
}
