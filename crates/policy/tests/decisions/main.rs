//! The known traps of policy evaluation, as tables: who, what, which policies, and the answer.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may give up")]

use policy::Layer;

mod case;
mod conditions;
mod layers;
mod statements;

#[test]
fn layers_are_called_what_aws_calls_them() {
    for (layer, name) in [
        (Layer::Identity, "identity-based policy"),
        (Layer::Boundary, "permissions boundary"),
        (Layer::Session, "session policy"),
        (Layer::Resource, "resource-based policy"),
        (Layer::Trust, "role trust policy"),
    ] {
        assert_eq!(layer.to_string(), name);
    }
}
