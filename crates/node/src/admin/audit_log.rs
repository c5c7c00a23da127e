//! The audit log of a frontend, a page at a time.

use audit::{Cursor, Filter, Recorder};
use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;
use lambda_api::Query;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{TEXT, json, reply};

/// Where it is.
pub const PATH: &str = "/audit";
/// Records of a page if the question does not say, and at most.
const LIMIT: usize = 100;
const LIMIT_MAX: usize = 1000;

/// One page.
#[derive(Debug, Serialize, Deserialize)]
pub struct Records {
    /// The last record of the whole log, as `HASH@SEQ`.
    pub head: String,
    /// Records as they stand in the log, the oldest first.
    pub records: Vec<Box<RawValue>>,
    /// What `from` is for the next page; nothing at the end.
    pub next: Option<String>,
}

/// A question that makes no sense.
#[derive(Debug, thiserror::Error)]
enum Unclear {
    #[error("the query cannot be read")]
    Query,
    #[error("there is no parameter {0}; there are since, operation, account, from and limit")]
    Parameter(String),
    #[error(transparent)]
    Since(#[from] model::time::InvalidTimestamp),
    #[error(transparent)]
    From(#[from] audit::InvalidCursor),
    #[error("expected a limit of 1 to {LIMIT_MAX}, got {0:?}")]
    Limit(String),
}

struct Question {
    filter: Filter,
    from: Cursor,
    limit: usize,
}

pub(super) async fn answer(audit: &Recorder, query: &str) -> Response<Full<Bytes>> {
    let Question {
        filter,
        from,
        limit,
    } = match read(query) {
        Ok(question) => question,
        Err(unclear) => return reply(StatusCode::BAD_REQUEST, TEXT, format!("{unclear}\n")),
    };
    let head = audit.figures().head.to_string();
    match audit.page(&filter, from, limit).await {
        Ok(page) => {
            // A line that is no JSON is shown as a text.
            let raw = |line: String| {
                RawValue::from_string(line.clone())
                    .or_else(|_| serde_json::value::to_raw_value(&line))
            };
            let records = page.records.into_iter().filter_map(|line| raw(line).ok());
            let records = Records {
                head,
                records: records.collect(),
                next: page.next.map(|next| next.to_string()),
            };
            json(StatusCode::OK, &records)
        }
        Err(error) => {
            tracing::warn!(%error, "the audit log cannot be read");
            reply(
                StatusCode::INTERNAL_SERVER_ERROR,
                TEXT,
                format!("{error}\n"),
            )
        }
    }
}

fn read(query: &str) -> Result<Question, Unclear> {
    let query = Query::parse(query).map_err(|_| Unclear::Query)?;
    let mut question = Question {
        filter: Filter::default(),
        from: Cursor::default(),
        limit: LIMIT,
    };
    for (name, value) in query.iter() {
        match name {
            "since" => question.filter.since = Some(value.parse()?),
            "operation" => question.filter.operation = Some(value.to_owned()),
            "account" => question.filter.account = Some(value.to_owned()),
            "from" => question.from = value.parse()?,
            "limit" => {
                let limit = value.parse().ok().filter(|n| (1..=LIMIT_MAX).contains(n));
                question.limit = limit.ok_or_else(|| Unclear::Limit(value.to_owned()))?;
            }
            other => return Err(Unclear::Parameter(other.to_owned())),
        }
    }
    Ok(question)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_read_and_what_makes_no_sense_is_refused() {
        let question = read(
            "since=2026-01-02T03%3A04%3A05Z&operation=CreateFunction&account=1&from=1-2&limit=7",
        );
        let Question {
            filter,
            from,
            limit,
        } = question.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(filter.since.map(|s| s.as_millis()), Some(1_767_323_045_000));
        assert_eq!(filter.operation.as_deref(), Some("CreateFunction"));
        assert_eq!((filter.account.as_deref(), limit), (Some("1"), 7));
        assert_eq!(from.to_string(), "1-2");
        for query in [
            "since=x",
            "from=1",
            "limit=0",
            "limit=1001",
            "limit=a",
            "order=1",
            "a=%",
        ] {
            assert!(read(query).is_err(), "{query}");
        }
    }
}
