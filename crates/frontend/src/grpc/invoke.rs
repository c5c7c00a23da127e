//! Invocations over gRPC: the response is passed on as it comes.

use std::{pin::Pin, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use futures::Stream;
use http::Method;
use lambda_api::{ApiError, Request};
use model::{Version, invocation::InvocationType};
use proto::v1::{self, invoke_request, invoke_response::Part};
use routing::{Finished, ResponseEvent};
use tonic::{Status, Streaming};

use super::{arrive::Arrived, form::Form, status};
use crate::{
    body::BodyError,
    error::OperationError,
    operations::invoke::{self, Invocation, Running, Started},
    stack::Edge,
};

/// The messages of a response.
pub(super) type Responses = Pin<Box<dyn Stream<Item = Result<v1::InvokeResponse, Status>> + Send>>;

/// Starts an invocation.
pub(super) async fn start(
    edge: &Arc<Edge>,
    arrived: Arc<Arrived>,
    messages: Streaming<v1::InvokeRequest>,
) -> Result<Responses, OperationError> {
    let limit = edge.options.limits.request_payload.0;
    let read = read(messages, limit);
    let stall_max = edge.options.body_stall_max;
    let (head, payload) = tokio::time::timeout(stall_max, read)
        .await
        .map_err(|_| BodyError::Stalled(stall_max))??;
    let (request, grant) = form(head)?.authorize(&arrived, &edge.bench)?.take();
    let Request::Invoke(call) = request else {
        return Err(OperationError::WrongAnswer {
            operation: "Invoke",
        });
    };
    let kind = call.invocation_type;
    let invocation = Invocation {
        call,
        payload,
        request_id: arrived.request_id,
        trace_id: arrived.trace_id.clone(),
        streamed: true,
    };
    let started = invoke::run(&edge.bench, grant.of(invocation)).await?;
    debug_assert!(kind != InvocationType::Event, "events are refused");
    Ok(match started {
        Started::DryRun => {
            let end = end(&arrived, None, Finished::default());
            Box::pin(futures::stream::iter([Ok(end)]))
        }
        Started::Running(running) => respond(edge.clone(), arrived, running),
    })
}

/// Reads head and payload.
async fn read(
    mut messages: Streaming<v1::InvokeRequest>,
    limit: u64,
) -> Result<(v1::InvokeHead, Bytes), OperationError> {
    use invoke_request::Part;
    let broken = |status: Status| {
        ApiError::InvalidRequestContent(format!("The request broke off: {}.", status.message()))
    };
    let first = messages.message().await.map_err(broken)?;
    let Some(Part::Head(mut head)) = first.and_then(|m| m.part) else {
        return Err(ApiError::InvalidRequestContent(
            "The first message of an invocation must be its head.".to_owned(),
        )
        .into());
    };
    let first = std::mem::take(&mut head.payload);
    let mut more = BytesMut::new();
    while let Some(message) = messages.message().await.map_err(broken)? {
        let Some(Part::Payload(part)) = message.part else {
            return Err(ApiError::InvalidRequestContent(
                "Only payload may follow the head of an invocation.".to_owned(),
            )
            .into());
        };
        if more.is_empty() {
            more.extend_from_slice(&first);
        }
        more.extend_from_slice(&part);
        if u64::try_from(more.len()).unwrap_or(u64::MAX) > limit {
            return Err(BodyError::PayloadTooLarge { limit }.into());
        }
    }
    let payload = if more.is_empty() {
        first
    } else {
        more.freeze()
    };
    Ok((head, payload))
}

fn form(head: v1::InvokeHead) -> Result<Form, ApiError> {
    let path = ["functions", &head.function_name, "invocations"];
    let context = match head.client_context.as_str() {
        "" => String::new(),
        json => STANDARD.encode(json),
    };
    let log = if head.log_tail { "Tail" } else { "" };
    Form::new(Method::POST, "2015-03-31", &path)?
        .parameter("Qualifier", head.qualifier)
        .header("x-amz-invocation-type", &head.invocation_type)?
        .header("x-amz-log-type", log)?
        .header("x-amz-client-context", &context)?
        .header("x-amz-tenant-id", &head.tenant_id)
}

struct Responding {
    edge: Arc<Edge>,
    arrived: Arc<Arrived>,
    running: Running,
    over: bool,
}

fn respond(edge: Arc<Edge>, arrived: Arc<Arrived>, running: Running) -> Responses {
    let responding = Responding {
        edge,
        arrived,
        running,
        over: false,
    };
    Box::pin(futures::stream::unfold(responding, async |mut r| {
        if r.over {
            return None;
        }
        let message = match r.running.next().await {
            Ok(ResponseEvent::Chunk(chunk)) => Ok(v1::InvokeResponse {
                part: Some(Part::Chunk(chunk)),
            }),
            Ok(ResponseEvent::Finished(finished)) => {
                r.over = true;
                r.edge.bench.counters.answered(http::StatusCode::OK);
                Ok(end(&r.arrived, Some(r.running.version()), finished))
            }
            Err(error) => {
                r.over = true;
                let counters = &r.edge.bench.counters;
                Err(status::of(counters, r.arrived.request_id, error))
            }
        };
        Some((message, r))
    }))
}

fn end(arrived: &Arrived, version: Option<Version>, finished: Finished) -> v1::InvokeResponse {
    v1::InvokeResponse {
        part: Some(Part::End(v1::InvokeEnd {
            request_id: arrived.request_id.to_string(),
            executed_version: version.map(|v| v.to_string()).unwrap_or_default(),
            function_error: finished.function_error.unwrap_or_default(),
            log_tail: finished.log_tail,
            error_document: finished.error_document,
        })),
    }
}
