//! `dunlin audit show`

use std::{fmt::Write as _, io::Write, process::ExitCode};

use anyhow::Context;
use audit::{Cursor, Filter};
use clap::Args;
use host::{Clock, SystemClock};
use lambda_api::percent;
use model::Timestamp;
use serde::Deserialize;

use super::{Since, Source, segments};
use crate::{
    admin::audit_log::{PATH, Records},
    cli::{Exit, fetch, print},
};

/// Records that are asked for at a time.
const PAGE: usize = 1000;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    source: Source,
    /// Only records of this time and later: a duration such as 2h, or a time such as 2026-01-02T03:04:05Z
    #[arg(long, default_value = "24h")]
    since: Since,
    /// Only calls of this operation
    #[arg(long)]
    operation: Option<String>,
    /// Only calls of this account
    #[arg(long)]
    account: Option<String>,
    /// Print records as they stand in the log, one JSON object a line
    #[arg(long)]
    json: bool,
}

/// What is shown of a record; members that it does not have are empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    time: String,
    node: String,
    event: String,
    operation: String,
    principal: Option<String>,
    caller: Option<String>,
    access_key: Option<String>,
    source: String,
    resource: Option<String>,
    target: Option<String>,
    outcome: String,
    status: Option<u16>,
    error: Option<String>,
    request_id: String,
}

pub(super) async fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let filter = Filter {
        since: Some(match arguments.since {
            Since::At(time) => time,
            Since::Ago(ago) => before(SystemClock.wall(), ago),
        }),
        operation: arguments.operation.clone(),
        account: arguments.account.clone(),
    };
    let mut from = Cursor::default();
    loop {
        let (records, next) = page(&arguments.source, &filter, from).await?;
        let mut text = String::new();
        for record in &records {
            let _ = if arguments.json {
                writeln!(text, "{record}")
            } else {
                writeln!(text, "{}", line(record))
            };
        }
        print(out, &text)?;
        match next {
            Some(next) => from = next,
            None => return Ok(ExitCode::SUCCESS),
        }
    }
}

fn before(now: Timestamp, ago: std::time::Duration) -> Timestamp {
    let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    Timestamp(now.as_millis().saturating_sub(ago))
}

async fn page(
    source: &Source,
    filter: &Filter,
    from: Cursor,
) -> Result<(Vec<String>, Option<Cursor>), anyhow::Error> {
    if let Some(data_dir) = &source.data_dir {
        let page = audit::page(&segments(data_dir)?, filter, from, PAGE).await?;
        return Ok((page.records, page.next));
    }
    let mut query = format!("{PATH}?limit={PAGE}&from={from}");
    let since = filter.since.map(Timestamp::to_rfc3339);
    let parameters = [
        ("since", &since),
        ("operation", &filter.operation),
        ("account", &filter.account),
    ];
    for (name, value) in parameters {
        if let Some(value) = value {
            let _ = write!(query, "&{name}={}", percent::encode(value));
        }
    }
    let answer = fetch::get(&source.endpoint, &query).await?;
    let page: Records =
        serde_json::from_str(&answer).context("the answer is no page of an audit log")?;
    let records = page.records.into_iter().map(|r| r.get().to_owned());
    let next = page.next.map(|next| next.parse()).transpose()?;
    Ok((records.collect(), next))
}

/// A record for people.
pub(super) fn line(record: &str) -> String {
    let Ok(shown) = serde_json::from_str::<Shown>(record) else {
        return record.to_owned();
    };
    let begin = format!("{} {}", shown.time, shown.node);
    if shown.event != "call" {
        // What the log says of itself is rare: all of it.
        return format!("{begin} -- {} {record}", shown.event);
    }
    let caller = shown
        .principal
        .or(shown.caller)
        .or(shown.access_key.map(|key| format!("?{key}")));
    let about = shown.resource.or(shown.target);
    let status = shown.status.map_or_else(String::new, |s| s.to_string());
    let fields = [
        shown.operation,
        caller.unwrap_or_else(|| "?".to_owned()),
        about.unwrap_or_else(|| "-".to_owned()),
        shown.outcome,
        status,
        shown.error.unwrap_or_default(),
        format!("from {}", shown.source),
        shown.request_id,
    ];
    let mut text = begin;
    for field in fields.iter().filter(|field| !field.is_empty()) {
        // Callers choose some of these: none may look like two, or move the cursor.
        let printable = |c: char| if c.is_control() { '?' } else { c };
        let _ = write!(
            text,
            " {}",
            field.chars().map(printable).collect::<String>()
        );
    }
    text
}
