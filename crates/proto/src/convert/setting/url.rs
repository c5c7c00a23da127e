use model::{
    Timestamp,
    setting::{Cors, FunctionUrl, InvokeMode, UrlAuth},
};

use crate::{
    InvalidMessage,
    convert::{present, text},
    internal as pb,
};

impl From<&FunctionUrl> for pb::FunctionUrl {
    fn from(url: &FunctionUrl) -> Self {
        Self {
            id: url.id.to_string(),
            auth: auth(Some(url.auth)).into(),
            cors: url.cors.as_ref().map(Into::into),
            invoke_mode: invoke_mode(Some(url.invoke_mode)).into(),
            created_ms: url.created.as_millis(),
            last_modified_ms: url.last_modified.as_millis(),
        }
    }
}

impl TryFrom<pb::FunctionUrl> for FunctionUrl {
    type Error = InvalidMessage;

    fn try_from(m: pb::FunctionUrl) -> Result<Self, InvalidMessage> {
        Ok(Self {
            id: text("url.id", &m.id)?,
            auth: present("url.auth", parse_auth(m.auth()))?,
            invoke_mode: present("url.invoke_mode", parse_invoke_mode(m.invoke_mode()))?,
            cors: m.cors.map(Into::into),
            created: Timestamp(m.created_ms),
            last_modified: Timestamp(m.last_modified_ms),
        })
    }
}

impl From<&Cors> for pb::Cors {
    fn from(c: &Cors) -> Self {
        let texts = |list: &Option<Vec<String>>| {
            list.as_ref().map(|texts| pb::Texts {
                texts: texts.clone(),
            })
        };
        Self {
            allow_credentials: c.allow_credentials,
            allow_headers: texts(&c.allow_headers),
            allow_methods: texts(&c.allow_methods),
            allow_origins: texts(&c.allow_origins),
            expose_headers: texts(&c.expose_headers),
            max_age_s: c.max_age_s,
        }
    }
}

impl From<pb::Cors> for Cors {
    fn from(m: pb::Cors) -> Self {
        let texts = |list: Option<pb::Texts>| list.map(|l| l.texts);
        Self {
            allow_credentials: m.allow_credentials,
            allow_headers: texts(m.allow_headers),
            allow_methods: texts(m.allow_methods),
            allow_origins: texts(m.allow_origins),
            expose_headers: texts(m.expose_headers),
            max_age_s: m.max_age_s,
        }
    }
}

pub(super) const fn auth(auth: Option<UrlAuth>) -> pb::UrlAuth {
    match auth {
        Some(UrlAuth::AwsIam) => pb::UrlAuth::AwsIam,
        Some(UrlAuth::None) => pb::UrlAuth::None,
        None => pb::UrlAuth::Unspecified,
    }
}

pub(super) const fn parse_auth(auth: pb::UrlAuth) -> Option<UrlAuth> {
    match auth {
        pb::UrlAuth::AwsIam => Some(UrlAuth::AwsIam),
        pb::UrlAuth::None => Some(UrlAuth::None),
        pb::UrlAuth::Unspecified => None,
    }
}

pub(super) const fn invoke_mode(mode: Option<InvokeMode>) -> pb::InvokeMode {
    match mode {
        Some(InvokeMode::Buffered) => pb::InvokeMode::Buffered,
        Some(InvokeMode::ResponseStream) => pb::InvokeMode::ResponseStream,
        None => pb::InvokeMode::Unspecified,
    }
}

pub(super) const fn parse_invoke_mode(mode: pb::InvokeMode) -> Option<InvokeMode> {
    match mode {
        pb::InvokeMode::Buffered => Some(InvokeMode::Buffered),
        pb::InvokeMode::ResponseStream => Some(InvokeMode::ResponseStream),
        pb::InvokeMode::Unspecified => None,
    }
}
