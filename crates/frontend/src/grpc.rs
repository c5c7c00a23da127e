//! The gRPC API: the same operations over another wire, on a listener of its own, with health and reflection.
//!
//! A message is turned into the request that the AWS API would have got, in text form, and goes through the same parser:
//! one set of constraints, one set of errors. Only packages and payloads keep clear of that detour. What a version looks
//! like is read off AWS's own shape, for the same reason.

mod answer;
mod arrive;
mod form;
mod identity;
mod invoke;
mod service;
mod show;
mod status;

use std::{sync::Arc, time::Duration};

use host::{
    Tasks,
    net::{Listener, serve},
};
use proto::v1::{functions_server::FunctionsServer, identity_server::IdentityServer};
use tokio::sync::Semaphore;
use tonic_health::ServingStatus;

use crate::stack::Edge;
use arrive::Arriving;
use identity::Identity;
use service::Functions;

/// The largest message: a package, and what stands around it.
const MESSAGE_ROOM: usize = 1 << 20;
/// The largest message about identities: a policy with all its white space.
const IDENTITY_MESSAGE_MAX: usize = 256 << 10;
/// Calls at the same time on one connection.
const STREAMS_MAX: u32 = 100;
const RESET_STREAMS_MAX: usize = 50;
const HEADERS_MAX: u32 = 64 << 10;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// How often a connection is pinged, and how long an answer may take.
const PING: Duration = Duration::from_secs(20);

/// Serves until the node drains and the calls under way are over.
pub(crate) async fn serve(edge: Arc<Edge>, listener: Arc<dyn Listener>, tasks: Tasks) {
    let address = listener.local_addr();
    let (health_reporter, health) = tonic_health::server::health_reporter();
    health_reporter
        .set_serving::<FunctionsServer<Functions>>()
        .await;
    health_reporter
        .set_serving::<IdentityServer<Identity>>()
        .await;
    let draining = tasks.draining();
    let stop = async move {
        draining.cancelled().await;
        health_reporter
            .set_service_status("", ServingStatus::NotServing)
            .await;
        health_reporter
            .set_not_serving::<FunctionsServer<Functions>>()
            .await;
        health_reporter
            .set_not_serving::<IdentityServer<Identity>>()
            .await;
    };
    let message_max = usize::try_from(edge.options.limits.code_zipped.0)
        .unwrap_or(usize::MAX)
        .saturating_add(MESSAGE_ROOM);
    let functions =
        FunctionsServer::new(Functions::new(edge.clone())).max_decoding_message_size(message_max);
    let identity = IdentityServer::new(Identity::new(edge.clone()))
        .max_decoding_message_size(IDENTITY_MESSAGE_MAX);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name("dunlin.v1.Functions")
            .with_service_name("dunlin.v1.Identity")
            .with_service_name("grpc.health.v1.Health")
    };
    // Many clients still ask by the older of the two protocols.
    let (new, old) = (reflection().build_v1(), reflection().build_v1alpha());
    if let Err(error) = new.as_ref().map(|_| ()).and(old.as_ref().map(|_| ())) {
        tracing::warn!(%error, "the gRPC API is served without reflection");
    }
    let room = Arc::new(Semaphore::new(edge.options.connections_max));
    let served = tonic::transport::Server::builder()
        .max_concurrent_streams(STREAMS_MAX)
        .http2_max_pending_accept_reset_streams(Some(RESET_STREAMS_MAX))
        .http2_max_header_list_size(HEADERS_MAX)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(PING))
        .http2_keepalive_timeout(Some(PING))
        .add_service(Arriving::new(edge.clone(), functions))
        .add_service(Arriving::new(edge, identity))
        .add_service(health)
        .add_optional_service(new.ok())
        .add_optional_service(old.ok())
        .serve_with_incoming_shutdown(serve::incoming_at_most(listener, room), stop)
        .await;
    if let Err(error) = served {
        tracing::error!(%address, %error, "the gRPC API is not served any more");
    }
}
