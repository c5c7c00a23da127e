//! The public edge: AWS REST API, gRPC API, authentication, limits.
