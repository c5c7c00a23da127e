//! What callers ask for.

use std::fmt;

use model::{AccountId, FunctionId, FunctionName, Region};
use pattern::LogFilter;
use serde::{Deserialize, de::DeserializeOwned};

use super::{
    LogsError, Operation,
    token::{self, Place, Position, StreamKey},
};
use crate::Scope;

/// Most items of a list.
const LIST_MAX: u64 = 50;
/// Most events of a page.
const EVENTS_MAX: u64 = 10_000;
/// Most streams that are named.
const STREAMS_MAX: usize = 100;
/// Most groups that are followed at once.
const GROUPS_MAX: usize = 10;
const NAME_MAX: usize = 512;
/// What the own groups of functions are called, before the function's name.
const OWN: &str = "/aws/lambda/";

/// A group, wherever it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupId {
    /// Whose.
    pub account: AccountId,
    /// In which region.
    pub region: Region,
    /// Its name.
    pub name: String,
}

/// A request, read and checked.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// The groups of an account.
    DescribeLogGroups(DescribeLogGroups),
    /// The streams of a group.
    DescribeLogStreams(DescribeLogStreams),
    /// The events of a stream.
    GetLogEvents(GetLogEvents),
    /// The events of a group that pass a filter.
    FilterLogEvents(FilterLogEvents),
    /// The events of groups, as they come.
    StartLiveTail(StartLiveTail),
}

/// Which groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeLogGroups {
    /// What names begin with.
    pub prefix: String,
    /// What names have in them.
    pub pattern: String,
    /// Behind this one.
    pub after: String,
    /// Most groups of the page.
    pub limit: usize,
}

/// The order of streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Order {
    /// By name.
    #[default]
    Name,
    /// By the time of the last event.
    LastEvent,
}

/// Which streams.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribeLogStreams {
    /// Of which group.
    pub group: GroupId,
    /// What names begin with.
    pub prefix: String,
    /// In which order.
    pub order: Order,
    /// The other way round.
    pub descending: bool,
    /// Behind this one.
    pub after: Option<StreamKey>,
    /// Most streams of the page.
    pub limit: usize,
}

/// Which events of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GetLogEvents {
    /// Of which group.
    pub group: GroupId,
    /// Of which stream.
    pub stream: String,
    /// From this time on, in milliseconds since 1970.
    pub start: u64,
    /// Before this time.
    pub end: u64,
    /// Where the page begins; `None` for the first of all pages.
    pub place: Option<Place>,
    /// Whether the first of all pages has the oldest events.
    pub from_head: bool,
    /// Most events of the page.
    pub limit: usize,
}

/// Which events of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct FilterLogEvents {
    /// Of which group.
    pub group: GroupId,
    /// Of these streams; of all if there are none.
    pub streams: Vec<String>,
    /// Of streams that begin with this.
    pub prefix: String,
    /// From this time on, in milliseconds since 1970.
    pub start: u64,
    /// Before this time.
    pub end: u64,
    /// The filter pattern; empty for everything. It is known to be one.
    pub pattern: String,
    /// Behind this event.
    pub after: Option<Position>,
    /// Most events of the page.
    pub limit: usize,
}

/// Which events are followed.
#[derive(Clone, Debug, PartialEq)]
pub struct StartLiveTail {
    /// Of which groups, and how the caller named them.
    pub groups: Vec<(GroupId, String)>,
    /// Of these streams; of all if there are none.
    pub streams: Vec<String>,
    /// Of streams that begin with one of these; of all if there are none.
    pub prefixes: Vec<String>,
    /// The filter pattern; empty for everything. It is known to be one.
    pub pattern: String,
}

impl GroupId {
    /// The group that a function has if its owner names no other.
    #[must_use]
    pub fn of_function(id: &FunctionId) -> Self {
        Self {
            account: id.account,
            region: id.region.clone(),
            name: format!("{OWN}{}", id.name),
        }
    }

    /// The function whose group this is if its owner names no other.
    #[must_use]
    pub fn own_function(&self) -> Option<FunctionName> {
        self.name.strip_prefix(OWN)?.parse().ok()
    }

    /// What policies are about: everything in the group.
    #[must_use]
    pub fn resource(&self) -> String {
        format!("{self}:log-stream:")
    }
}

/// Its ARN.
impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (partition, name) = (self.region.partition(), &self.name);
        write!(
            f,
            "arn:{partition}:logs:{}:{}:log-group:{name}",
            self.region, self.account
        )
    }
}

impl Request {
    /// Reads a request.
    ///
    /// # Errors
    /// [`LogsError`] for what it says that cannot be, or that would be ignored here.
    pub fn parse(operation: Operation, body: &[u8], scope: &Scope) -> Result<Self, LogsError> {
        Ok(match operation {
            Operation::DescribeLogGroups => Self::DescribeLogGroups(groups(read(body)?)?),
            Operation::DescribeLogStreams => Self::DescribeLogStreams(streams(read(body)?, scope)?),
            Operation::GetLogEvents => Self::GetLogEvents(get(read(body)?, scope)?),
            Operation::FilterLogEvents => Self::FilterLogEvents(filter(read(body)?, scope)?),
            Operation::StartLiveTail => Self::StartLiveTail(tail(read(body)?, scope)?),
        })
    }

    /// The ARNs that the caller must be allowed it on.
    #[must_use]
    pub fn resources(&self, scope: &Scope) -> Vec<(String, AccountId)> {
        let one = |group: &GroupId| vec![(group.resource(), group.account)];
        match self {
            Self::DescribeLogGroups(wanted) => one(&own_group(scope, wanted.prefix.clone())),
            Self::DescribeLogStreams(wanted) => one(&wanted.group),
            Self::GetLogEvents(wanted) => {
                let resource = wanted.group.resource() + &wanted.stream;
                vec![(resource, wanted.group.account)]
            }
            Self::FilterLogEvents(wanted) => one(&wanted.group),
            Self::StartLiveTail(wanted) => {
                let groups = wanted.groups.iter();
                groups.flat_map(|(group, _)| one(group)).collect()
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupsInput {
    account_identifiers: Option<Vec<String>>,
    log_group_name_prefix: Option<String>,
    log_group_name_pattern: Option<String>,
    log_group_identifiers: Option<Vec<String>>,
    include_linked_accounts: Option<bool>,
    next_token: Option<String>,
    limit: Option<u64>,
}

fn groups(input: GroupsInput) -> Result<DescribeLogGroups, LogsError> {
    unsupported("accountIdentifiers", input.account_identifiers.is_some())?;
    unsupported("logGroupIdentifiers", input.log_group_identifiers.is_some())?;
    unsupported(
        "includeLinkedAccounts",
        input.include_linked_accounts == Some(true),
    )?;
    let after = input
        .next_token
        .map(|token| token::opened::<String>(&token));
    Ok(DescribeLogGroups {
        prefix: text("logGroupNamePrefix", input.log_group_name_prefix)?,
        pattern: text("logGroupNamePattern", input.log_group_name_pattern)?,
        after: after.transpose()?.unwrap_or_default(),
        limit: limit(input.limit, LIST_MAX)?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct StreamsInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name_prefix: Option<String>,
    order_by: Option<String>,
    descending: Option<bool>,
    next_token: Option<String>,
    limit: Option<u64>,
}

fn streams(input: StreamsInput, scope: &Scope) -> Result<DescribeLogStreams, LogsError> {
    let order = match input.order_by.as_deref() {
        None | Some("LogStreamName") => Order::Name,
        Some("LastEventTime") => Order::LastEvent,
        Some(other) => {
            return Err(invalid(&format!(
                "Value '{other}' at 'orderBy' failed to satisfy constraint: Member must satisfy enum value set: \
                 [LogStreamName, LastEventTime]"
            )));
        }
    };
    let prefix = text("logStreamNamePrefix", input.log_stream_name_prefix)?;
    if order == Order::LastEvent && !prefix.is_empty() {
        return Err(LogsError::InvalidParameter(
            "Cannot order by LastEventTime with a logStreamNamePrefix.".to_owned(),
        ));
    }
    Ok(DescribeLogStreams {
        group: group(input.log_group_name, input.log_group_identifier, scope)?,
        prefix,
        order,
        descending: input.descending.unwrap_or(false),
        after: input
            .next_token
            .map(|token| token::opened(&token))
            .transpose()?,
        limit: limit(input.limit, LIST_MAX)?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct GetInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_name: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    next_token: Option<String>,
    limit: Option<u64>,
    start_from_head: Option<bool>,
}

fn get(input: GetInput, scope: &Scope) -> Result<GetLogEvents, LogsError> {
    let stream = text("logStreamName", input.log_stream_name)?;
    if stream.is_empty() {
        return Err(missing("logStreamName"));
    }
    Ok(GetLogEvents {
        group: group(input.log_group_name, input.log_group_identifier, scope)?,
        stream,
        start: start(input.start_time)?,
        end: end(input.end_time)?,
        place: input.next_token.map(|token| token.parse()).transpose()?,
        from_head: input.start_from_head.unwrap_or(false),
        limit: limit(input.limit, EVENTS_MAX)?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FilterInput {
    log_group_name: Option<String>,
    log_group_identifier: Option<String>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefix: Option<String>,
    start_time: Option<i64>,
    end_time: Option<i64>,
    filter_pattern: Option<String>,
    next_token: Option<String>,
    limit: Option<u64>,
}

fn filter(input: FilterInput, scope: &Scope) -> Result<FilterLogEvents, LogsError> {
    let streams = named(input.log_stream_names)?;
    let prefix = text("logStreamNamePrefix", input.log_stream_name_prefix)?;
    if !streams.is_empty() && !prefix.is_empty() {
        return Err(LogsError::InvalidParameter(
            "You can't specify both logStreamNames and logStreamNamePrefix.".to_owned(),
        ));
    }
    Ok(FilterLogEvents {
        group: group(input.log_group_name, input.log_group_identifier, scope)?,
        streams,
        prefix,
        start: start(input.start_time)?,
        // Of an event at this very time AWS says that it is still in.
        end: end(input.end_time)?.saturating_add(1),
        pattern: pattern(input.filter_pattern)?,
        after: input
            .next_token
            .map(|token| token::opened(&token))
            .transpose()?,
        limit: limit(input.limit, EVENTS_MAX)?,
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TailInput {
    log_group_identifiers: Option<Vec<String>>,
    log_stream_names: Option<Vec<String>>,
    log_stream_name_prefixes: Option<Vec<String>>,
    log_event_filter_pattern: Option<String>,
}

fn tail(input: TailInput, scope: &Scope) -> Result<StartLiveTail, LogsError> {
    let groups = input.log_group_identifiers.unwrap_or_default();
    if !(1..=GROUPS_MAX).contains(&groups.len()) {
        return Err(LogsError::InvalidParameter(format!(
            "logGroupIdentifiers must have 1 to {GROUPS_MAX} members, got {}.",
            groups.len()
        )));
    }
    let (streams, prefixes) = (
        named(input.log_stream_names)?,
        named(input.log_stream_name_prefixes)?,
    );
    let narrowed = !streams.is_empty() || !prefixes.is_empty();
    if narrowed && groups.len() > 1 || !streams.is_empty() && !prefixes.is_empty() {
        return Err(LogsError::InvalidParameter(
            "logStreamNames or logStreamNamePrefixes can be given for a single log group, and not both.".to_owned(),
        ));
    }
    let groups = groups.into_iter().map(|told| {
        let id = identified(&told, scope)?;
        Ok((id, told))
    });
    Ok(StartLiveTail {
        groups: groups.collect::<Result<_, LogsError>>()?,
        streams,
        prefixes,
        pattern: pattern(input.log_event_filter_pattern)?,
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, LogsError> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| LogsError::Serialization(error.to_string()))
}

fn group(
    name: Option<String>,
    identifier: Option<String>,
    scope: &Scope,
) -> Result<GroupId, LogsError> {
    match (name, identifier) {
        (Some(_), Some(_)) => Err(LogsError::InvalidParameter(
            "You can't specify both logGroupName and logGroupIdentifier.".to_owned(),
        )),
        (Some(name), None) => Ok(own_group(scope, group_name(&name)?)),
        (None, Some(identifier)) => identified(&identifier, scope),
        (None, None) => Err(missing("logGroupName")),
    }
}

fn own_group(scope: &Scope, name: String) -> GroupId {
    GroupId {
        account: scope.account,
        region: scope.region.clone(),
        name,
    }
}

/// A group by its name or its ARN.
fn identified(text: &str, scope: &Scope) -> Result<GroupId, LogsError> {
    if !text.starts_with("arn:") {
        return Ok(own_group(scope, group_name(text)?));
    }
    let read = || {
        let mut parts = text.splitn(7, ':').skip(2);
        let is_ours = parts.next()? == "logs";
        let region: Region = parts.next()?.parse().ok()?;
        let account: AccountId = parts.next()?.parse().ok()?;
        let is_group = parts.next()? == "log-group";
        let name = parts.next()?;
        let name = name.strip_suffix(":*").unwrap_or(name);
        (is_ours && is_group && region == scope.region).then_some((account, region, name))
    };
    let read = read().ok_or_else(|| {
        LogsError::InvalidParameter(format!(
            "Expected the name or ARN of a log group in {}, got '{text}'.",
            scope.region
        ))
    });
    let (account, region, name) = read?;
    Ok(GroupId {
        account,
        region,
        name: group_name(name)?,
    })
}

fn group_name(name: &str) -> Result<String, LogsError> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"._-/#".contains(&b);
    if (1..=NAME_MAX).contains(&name.len()) && name.bytes().all(legal) {
        return Ok(name.to_owned());
    }
    let name: String = name.chars().take(NAME_MAX).collect();
    Err(invalid(&format!(
        "Value '{name}' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: \
         [\\.\\-_/#A-Za-z0-9]+"
    )))
}

fn pattern(text: Option<String>) -> Result<String, LogsError> {
    let text = text.unwrap_or_default();
    match LogFilter::parse(&text) {
        Ok(_) if text.trim().is_empty() => Ok(String::new()),
        Ok(_) => Ok(text),
        Err(error) => Err(LogsError::InvalidParameter(format!(
            "Invalid filter pattern: {error}"
        ))),
    }
}

fn named(names: Option<Vec<String>>) -> Result<Vec<String>, LogsError> {
    let names = names.unwrap_or_default();
    let is_short = |name: &String| (1..=NAME_MAX).contains(&name.len());
    if names.len() <= STREAMS_MAX && names.iter().all(is_short) {
        return Ok(names);
    }
    Err(LogsError::InvalidParameter(format!(
        "Expected at most {STREAMS_MAX} names of log streams, of 1 to {NAME_MAX} characters."
    )))
}

fn text(member: &str, value: Option<String>) -> Result<String, LogsError> {
    let value = value.unwrap_or_default();
    if value.len() <= NAME_MAX {
        return Ok(value);
    }
    Err(invalid(&format!(
        "Value at '{member}' failed to satisfy constraint: Member must have length less than or equal to {NAME_MAX}"
    )))
}

fn limit(asked: Option<u64>, most: u64) -> Result<usize, LogsError> {
    let limit = asked.unwrap_or(most);
    if !(1..=most).contains(&limit) {
        return Err(invalid(&format!(
            "Value '{limit}' at 'limit' failed to satisfy constraint: Member must have value between 1 and {most}"
        )));
    }
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

fn start(time: Option<i64>) -> Result<u64, LogsError> {
    moment("startTime", time.unwrap_or(0))
}

fn end(time: Option<i64>) -> Result<u64, LogsError> {
    moment("endTime", time.unwrap_or(i64::MAX))
}

fn moment(member: &str, time: i64) -> Result<u64, LogsError> {
    u64::try_from(time).map_err(|_| {
        invalid(&format!(
            "Value '{time}' at '{member}' failed to satisfy constraint: Member must have value greater than or equal to 0"
        ))
    })
}

fn unsupported(member: &str, is_there: bool) -> Result<(), LogsError> {
    if is_there {
        return Err(LogsError::InvalidParameter(format!(
            "{member} is not supported by this cluster."
        )));
    }
    Ok(())
}

fn missing(member: &str) -> LogsError {
    invalid(&format!(
        "Value null at '{member}' failed to satisfy constraint: Member must not be null"
    ))
}

fn invalid(text: &str) -> LogsError {
    LogsError::InvalidParameter(format!("1 validation error detected: {text}"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn scope() -> Scope {
        Scope {
            account: "123456789012".parse().unwrap(),
            region: Region::default(),
        }
    }

    fn parse(operation: Operation, body: &Value) -> Result<Request, LogsError> {
        Request::parse(operation, body.to_string().as_bytes(), &scope())
    }

    #[test]
    fn groups_by_name_and_by_arn() {
        let read = |body: &Value| match parse(Operation::FilterLogEvents, body) {
            Ok(Request::FilterLogEvents(wanted)) => Ok(wanted.group.resource()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.code()),
        };
        let own = "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f:log-stream:";
        for (body, expected) in [
            (json!({"logGroupName": "/aws/lambda/f"}), Ok(own.to_owned())),
            (
                json!({"logGroupIdentifier": "/aws/lambda/f"}),
                Ok(own.to_owned()),
            ),
            (
                json!({"logGroupIdentifier": "arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/f:*"}),
                Ok(own.to_owned()),
            ),
            (
                json!({"logGroupIdentifier": "arn:aws:logs:us-east-1:210987654321:log-group:g"}),
                Ok("arn:aws:logs:us-east-1:210987654321:log-group:g:log-stream:".to_owned()),
            ),
            (
                json!({"logGroupIdentifier": "arn:aws:logs:eu-west-1:123456789012:log-group:g"}),
                Err("InvalidParameterException"),
            ),
            (
                json!({"logGroupName": "a b"}),
                Err("InvalidParameterException"),
            ),
            (json!({}), Err("InvalidParameterException")),
            (json!({"logGroupName": 5}), Err("SerializationException")),
            (
                json!({"logGroupName": "f", "limit": 0}),
                Err("InvalidParameterException"),
            ),
            (
                json!({"logGroupName": "f", "limit": 10_001}),
                Err("InvalidParameterException"),
            ),
            (
                json!({"logGroupName": "f", "startTime": -1}),
                Err("InvalidParameterException"),
            ),
            (
                json!({"logGroupName": "f", "filterPattern": "%x%"}),
                Err("InvalidParameterException"),
            ),
            (
                json!({"logGroupName": "f", "nextToken": "x"}),
                Err("InvalidParameterException"),
            ),
            (
                json!({"logGroupName": "f", "logStreamNames": ["a"], "logStreamNamePrefix": "a"}),
                Err("InvalidParameterException"),
            ),
        ] {
            assert_eq!(read(&body), expected, "{body}");
        }
    }

    #[test]
    fn what_would_be_ignored_is_refused() {
        for (operation, body) in [
            (
                Operation::DescribeLogGroups,
                json!({"includeLinkedAccounts": true}),
            ),
            (
                Operation::DescribeLogGroups,
                json!({"logGroupIdentifiers": ["g"]}),
            ),
            (
                Operation::DescribeLogStreams,
                json!({"logGroupName": "g", "orderBy": "x"}),
            ),
            (Operation::GetLogEvents, json!({"logGroupName": "g"})),
            (Operation::StartLiveTail, json!({"logGroupIdentifiers": []})),
            (
                Operation::StartLiveTail,
                json!({"logGroupIdentifiers": ["a", "b"], "logStreamNames": ["s"]}),
            ),
        ] {
            let error = parse(operation, &body).unwrap_err();
            assert_eq!(error.code(), "InvalidParameterException", "{body}");
        }
        assert!(parse(Operation::DescribeLogGroups, &json!({"limit": 50})).is_ok());
        assert!(Request::parse(Operation::DescribeLogGroups, b"", &scope()).is_ok());
    }
}
