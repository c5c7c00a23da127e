//! What is asked of one repository: who asks is proven once, redirects are followed.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, LOCATION, RANGE, WWW_AUTHENTICATE},
};
use hyper::body::Incoming;
use serde::Deserialize;

use super::{
    Client,
    wire::{self, Broken, Target, read_whole},
};
use crate::{ImageError, Reference, registries::Way};

/// Requests for one answer: redirects, and the proof of who asks.
const HOPS_MAX: u32 = 6;
/// The longest error document and the longest token that is read.
const ANSWER_MAX: u64 = 64 << 10;

pub(crate) struct Session<'a> {
    client: &'a Client,
    way: Way,
    registry: String,
    repository: String,
    /// What proves who asks, once the registry has said how it wants to have it.
    authorization: parking_lot::Mutex<Option<HeaderValue>>,
}

impl<'a> Session<'a> {
    pub(super) fn new(client: &'a Client, way: Way, reference: &Reference) -> Self {
        Self {
            client,
            way,
            registry: reference.registry.clone(),
            repository: reference.repository.clone(),
            authorization: parking_lot::Mutex::new(None),
        }
    }

    pub(super) fn broken(&self, source: impl Into<Broken>) -> ImageError {
        ImageError::Unreachable {
            registry: self.registry.clone(),
            source: source.into(),
        }
    }

    /// GETs `/v2/REPOSITORY/path` from byte `from` on, wherever the registry sends for it.
    pub(super) async fn ask(
        &self,
        path: &str,
        accept: Option<&'static str>,
        from: u64,
    ) -> Result<Response<Incoming>, ImageError> {
        let home = Target {
            authority: self.registry.clone(),
            path: format!("/v2/{}/{path}", self.repository),
            plain: self.way.plain,
        };
        let (mut target, mut is_challenged) = (home.clone(), false);
        for _ in 0..HOPS_MAX {
            let at_home = target.authority == home.authority;
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(ACCEPT, HeaderValue::from_static(accept));
            }
            if from > 0 {
                let range = HeaderValue::try_from(format!("bytes={from}-"));
                headers.insert(RANGE, range.map_err(|e| self.broken(e))?);
            }
            // Nobody else gets to see what proves who we are.
            if at_home && let Some(proof) = &*self.authorization.lock() {
                headers.insert(AUTHORIZATION, proof.clone());
            }
            let way = if at_home {
                self.way.clone()
            } else {
                self.client.ways.elsewhere(&target.authority)
            };
            let response = wire::get(&self.client.tasks, &way, &target, headers)
                .await
                .map_err(|e| self.broken(e))?;
            let status = response.status();
            if status.is_success() {
                return Ok(response);
            }
            if status == StatusCode::UNAUTHORIZED && at_home && !is_challenged {
                is_challenged = true;
                let challenge = Challenge::read(response.headers());
                let proof = self.prove(challenge, &home, path).await?;
                *self.authorization.lock() = Some(proof);
                continue;
            }
            if status.is_redirection() {
                target = self.follow(&response, &target)?;
                continue;
            }
            return Err(self.refusal(response, path).await);
        }
        Err(self.broken(format!(
            "expected an answer after {HOPS_MAX} requests, got another redirect"
        )))
    }

    fn follow(&self, response: &Response<Incoming>, from: &Target) -> Result<Target, ImageError> {
        let location = response
            .headers()
            .get(LOCATION)
            .and_then(|l| l.to_str().ok());
        let target = location.and_then(|l| Target::of(l, from));
        let target = target.ok_or_else(|| self.broken("a redirect leads nowhere"))?;
        self.may_go(&target)?;
        Ok(target)
    }

    /// A registry may not send where nothing proves who answers, unless the operator says so.
    fn may_go(&self, target: &Target) -> Result<(), ImageError> {
        let home = target.authority == self.registry && self.way.plain;
        if !target.plain || home || self.client.ways.elsewhere(&target.authority).plain {
            return Ok(());
        }
        Err(ImageError::Invalid(format!(
            "registry {} sends to http://{} without TLS; add that host to the section `registries` with plain = true",
            self.registry, target.authority
        )))
    }

    /// What the registry wants to see.
    async fn prove(
        &self,
        challenge: Challenge,
        home: &Target,
        path: &str,
    ) -> Result<HeaderValue, ImageError> {
        let credentials = self.way.credentials.as_ref();
        let basic = credentials.map(|c| {
            format!(
                "Basic {}",
                STANDARD.encode(format!("{}:{}", c.username, c.password))
            )
        });
        let denied = |detail: &str| ImageError::Denied {
            registry: self.registry.clone(),
            what: self.what(path),
            detail: detail.to_owned(),
        };
        let secret = |text: String| {
            let mut value = HeaderValue::try_from(text).map_err(|e| self.broken(e))?;
            value.set_sensitive(true);
            Ok::<_, ImageError>(value)
        };
        match challenge {
            Challenge::Basic => {
                secret(basic.ok_or_else(|| denied("it wants a name and a password"))?)
            }
            Challenge::Bearer {
                realm,
                service,
                scope,
            } => {
                let mut target = Target::of(&realm, home)
                    .ok_or_else(|| denied("it names no place for tokens"))?;
                self.may_go(&target)?;
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.repository));
                let mut query = vec![("scope", scope)];
                query.extend(service.map(|s| ("service", s)));
                for (name, value) in query {
                    let mark = if target.path.contains('?') { '&' } else { '?' };
                    target
                        .path
                        .push_str(&format!("{mark}{name}={}", encode(&value)));
                }
                let mut headers = HeaderMap::new();
                if let Some(basic) = basic {
                    headers.insert(AUTHORIZATION, secret(basic)?);
                }
                let way = if target.authority == self.registry {
                    self.way.clone()
                } else {
                    self.client.ways.elsewhere(&target.authority)
                };
                let response = wire::get(&self.client.tasks, &way, &target, headers)
                    .await
                    .map_err(|e| self.broken(e))?;
                if !response.status().is_success() {
                    return Err(self.refusal(response, path).await);
                }
                let body = read_whole(response.into_body(), ANSWER_MAX)
                    .await
                    .map_err(|e| self.broken(e))?;
                let token: Token = serde_json::from_slice(&body).map_err(|e| self.broken(e))?;
                let token = token.token.or(token.access_token);
                secret(format!(
                    "Bearer {}",
                    token.ok_or_else(|| denied("it gave no token"))?
                ))
            }
            Challenge::Unknown(text) => Err(denied(&text)),
        }
    }

    async fn refusal(&self, response: Response<Incoming>, path: &str) -> ImageError {
        let status = response.status();
        let body = read_whole(response.into_body(), ANSWER_MAX)
            .await
            .unwrap_or_default();
        let detail = Refusal::read(&body).unwrap_or_else(|| status.to_string());
        let registry = self.registry.clone();
        match status {
            StatusCode::NOT_FOUND => ImageError::Missing {
                what: self.what(path),
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => ImageError::Denied {
                registry,
                what: self.what(path),
                detail,
            },
            status => ImageError::Trouble {
                registry,
                status: status.as_u16(),
                detail,
            },
        }
    }

    /// A manifest or a part as people name it.
    fn what(&self, path: &str) -> String {
        let of = format!("{}/{}", self.registry, self.repository);
        match path.split_once('/') {
            Some(("manifests", name)) if name.starts_with("sha256:") => {
                format!("image {of}@{name}")
            }
            Some(("manifests", name)) => format!("image {of}:{name}"),
            Some((_, name)) => format!("part {name} of image {of}"),
            None => of,
        }
    }
}

/// How a registry wants to know who asks.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer {
        realm: String,
        service: Option<String>,
        scope: Option<String>,
    },
    Unknown(String),
}

impl Challenge {
    /// Reads the header of an answer; of several challenges, a token's.
    fn read(headers: &HeaderMap) -> Self {
        let texts = headers
            .get_all(WWW_AUTHENTICATE)
            .iter()
            .filter_map(|v| v.to_str().ok());
        let mut found = Self::Unknown("it wants to know who asks and does not say how".to_owned());
        for text in texts {
            let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let of = |name: &str| parameter(rest, name);
                if let Some(realm) = of("realm") {
                    return Self::Bearer {
                        realm,
                        service: of("service"),
                        scope: of("scope"),
                    };
                }
            } else if scheme.eq_ignore_ascii_case("basic") {
                found = Self::Basic;
            }
        }
        found
    }
}

/// The value of a parameter, which may be quoted.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text.trim_start();
    while let Some((key, after)) = rest.split_once('=') {
        let (value, more) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim().eq_ignore_ascii_case(name) {
            return Some(value.trim().to_owned());
        }
        rest = more.trim_start().trim_start_matches(',').trim_start();
    }
    None
}

#[derive(Deserialize)]
struct Token {
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    access_token: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    errors: Vec<RefusalEntry>,
}

#[derive(Deserialize)]
struct RefusalEntry {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Refusal {
    fn read(body: &[u8]) -> Option<String> {
        let refusal: Self = serde_json::from_slice(body).ok()?;
        let first = refusal.errors.into_iter().next()?;
        let text = format!("{} {}", first.code, first.message);
        Some(
            text.trim()
                .chars()
                .filter(|c| !c.is_control())
                .take(200)
                .collect(),
        )
    }
}

/// A value of a query.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges() {
        let read = |texts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for text in texts {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(text));
            }
            Challenge::read(&headers)
        };
        assert_eq!(read(&["Basic realm=\"x\""]), Challenge::Basic);
        assert_eq!(
            read(&[
                "Basic realm=\"x\"",
                "Bearer realm=\"https://t/token\",service=\"r\",scope=\"repository:a/b:pull,push\""
            ]),
            Challenge::Bearer {
                realm: "https://t/token".to_owned(),
                service: Some("r".to_owned()),
                scope: Some("repository:a/b:pull,push".to_owned()),
            }
        );
        assert!(matches!(read(&[]), Challenge::Unknown(_)));
        assert!(matches!(
            read(&["Bearer service=\"r\""]),
            Challenge::Unknown(_)
        ));
        assert_eq!(encode("repository:a/b:pull"), "repository%3Aa%2Fb%3Apull");
    }
}
