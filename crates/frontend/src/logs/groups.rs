//! Lists of groups and of streams.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, btree_map::Entry},
};

use lambda_api::logs::{
    DescribeLogGroups, DescribeLogStreams, Group, GroupId, Groups, LogsError, Order, Stream,
    Streams,
};
use proto::internal as pb;

use super::{
    document,
    gather::{named, number},
    is_known, partial,
};
use crate::{
    auth::{Authorized, Caller},
    respond::Answer,
    stack::Edge,
};

/// When a group was made, and its bytes.
type Summary = (u64, u64);

/// The groups that workers have, and those of functions that have printed nothing yet.
pub(super) async fn groups(
    edge: &Edge,
    authorized: Authorized<DescribeLogGroups>,
) -> Result<Answer, LogsError> {
    let (wanted, grant) = authorized.take();
    let caller = grant.caller();
    let mut found = of_functions(edge, caller, &wanted);
    let request = pb::ListLogGroupsRequest {
        account: caller.account.to_string(),
        region: caller.region.to_string(),
        prefix: wanted.prefix.clone(),
        pattern: wanted.pattern.clone(),
        after: wanted.after.clone(),
        limit: number(wanted.limit + 1),
    };
    let unreached = edge.logs.ask(
        |mut client| {
            let request = request.clone();
            Box::pin(async move { Ok(client.list_groups(request).await?.into_inner()) })
        },
        |answer: pb::ListLogGroupsResponse| {
            for group in answer.groups {
                add(&mut found, group);
            }
            while found.len() > wanted.limit + 1 {
                found.pop_last();
            }
        },
    );
    let unreached = unreached.await?;
    let more = found.len() > wanted.limit;
    let shown = found.into_iter().take(wanted.limit);
    let shown = shown.map(|(name, (created, stored))| {
        let id = GroupId {
            account: caller.account,
            region: caller.region.clone(),
            name,
        };
        Group::new(&id, created, stored)
    });
    let page = Groups::new(shown.collect(), more);
    Ok(partial(document(&page), &unreached))
}

fn add(found: &mut BTreeMap<String, Summary>, group: pb::LogGroup) {
    match found.entry(group.name) {
        Entry::Vacant(vacant) => {
            vacant.insert((group.created_ms, group.stored_bytes));
        }
        Entry::Occupied(mut occupied) => {
            let (created, stored) = occupied.get_mut();
            *created = (*created).min(group.created_ms);
            *stored = stored.saturating_add(group.stored_bytes);
        }
    }
}

/// As many as a page has and one more, which says that it is not the last.
fn of_functions(
    edge: &Edge,
    caller: &Caller,
    wanted: &DescribeLogGroups,
) -> BTreeMap<String, Summary> {
    edge.bench.control.glance(|catalog| {
        let functions = catalog.functions(caller.account, &caller.region, None);
        let groups = functions.filter_map(|(id, entry)| {
            let name = GroupId::of_function(id).name;
            let is_wanted = name.starts_with(&wanted.prefix)
                && name.contains(&wanted.pattern)
                && (wanted.after.is_empty() || name > wanted.after);
            let made = entry.latest().map_or(0, |f| f.last_modified.as_millis());
            is_wanted.then_some((name, (made, 0)))
        });
        groups.take(wanted.limit + 1).collect()
    })
}

/// The streams that workers have of a group.
pub(super) async fn streams(
    edge: &Edge,
    authorized: Authorized<DescribeLogStreams>,
) -> Result<Answer, LogsError> {
    let (wanted, _grant) = authorized.take();
    let request = pb::ListLogStreamsRequest {
        group: Some(named(&wanted.group)),
        prefix: wanted.prefix.clone(),
        by_last_event: wanted.order == Order::LastEvent,
        descending: wanted.descending,
        after: wanted.after.as_ref().map(|after| pb::LogStreamKey {
            last_event_ms: after.last,
            name: after.name.clone(),
        }),
        limit: number(wanted.limit),
    };
    let (mut found, mut is_there, mut more) = (Vec::new(), false, false);
    let unreached = edge.logs.ask(
        |mut client| {
            let request = request.clone();
            Box::pin(async move { Ok(client.list_streams(request).await?.into_inner()) })
        },
        |answer: pb::ListLogStreamsResponse| {
            is_there |= answer.found;
            more |= answer.more;
            found.extend(answer.streams);
            found.sort_by(|a, b| in_order(&wanted, a, b));
            more |= found.len() > wanted.limit;
            found.truncate(wanted.limit);
        },
    );
    let unreached = unreached.await?;
    if !is_there && unreached.is_empty() && !is_known(edge, &wanted.group) {
        return Err(LogsError::no_group());
    }
    let streams = found.into_iter().map(|stream| {
        let (first, last) = (stream.first_event_ms, stream.last_event_ms);
        Stream::new(&wanted.group, stream.name, first, last)
    });
    let page = Streams::new(streams.collect(), more);
    Ok(partial(document(&page), &unreached))
}

fn in_order(wanted: &DescribeLogStreams, a: &pb::LogStream, b: &pb::LogStream) -> Ordering {
    let order = match wanted.order {
        Order::Name => a.name.cmp(&b.name),
        Order::LastEvent => (a.last_event_ms, &a.name).cmp(&(b.last_event_ms, &b.name)),
    };
    if wanted.descending {
        order.reverse()
    } else {
        order
    }
}
