//! From a caller and what they want to yes or no.

use std::sync::Arc;

use lambda_api::{Demand, Holder, Operation, Request, response::LayerPolicyShape};
use model::{
    AccountId, FunctionArn, LayerVersionId, Qualifier, SettingKind, Version,
    iam::{EntityId, Identity},
};
use policy::{Decision, Document, Kind, Layer, Policies, evaluate};
use state::Catalog;

use super::{Authorized, Caller, Who, context};
use crate::{control::Control, error::OperationError};

/// What a caller is allowed by policies of their own.
#[derive(Default)]
struct Own {
    identity: Vec<Arc<Document>>,
    boundary: Option<Arc<Document>>,
    session: Vec<Arc<Document>>,
}

/// The texts of them.
#[derive(Default)]
struct OwnTexts {
    identity: Vec<String>,
    boundary: Option<String>,
}

/// Decides whether a caller may make a request.
///
/// # Errors
/// AccessDenied in AWS's words for the first thing that is not allowed.
pub(crate) fn authorize(
    control: &Control,
    caller: Caller,
    operation: Operation,
    request: Request,
) -> Result<Authorized<Request>, OperationError> {
    let own = own(control, &caller)?;
    for demand in request.demands(operation, &caller.scope()) {
        decide(control, &caller, &own, &demand)?;
    }
    Ok(Authorized { caller, request })
}

/// Decides whether a caller may do one thing to a resource of an account.
///
/// # Errors
/// As [`authorize`].
pub(crate) fn permit(
    control: &Control,
    caller: &Caller,
    action: &'static str,
    resource: &str,
    account: AccountId,
) -> Result<(), OperationError> {
    let own = own(control, caller)?;
    let demand = Demand::new(action, &resource, account);
    decide(control, caller, &own, &demand)
}

/// Decides whether a caller may do one thing to each of some resources, which is what a request of another service asks for.
///
/// # Errors
/// As [`authorize`].
pub(crate) fn authorize_on<T>(
    control: &Control,
    caller: Caller,
    action: &'static str,
    resources: &[(String, AccountId)],
    request: T,
) -> Result<Authorized<T>, OperationError> {
    let own = own(control, &caller)?;
    for (resource, account) in resources {
        decide(
            control,
            &caller,
            &own,
            &Demand::new(action, resource, *account),
        )?;
    }
    Ok(Authorized { caller, request })
}

/// Decides whether a caller may be a role, by what they may and by whom the role trusts.
///
/// # Errors
/// As [`authorize`].
pub(crate) fn permit_role(
    control: &Control,
    caller: &Caller,
    demand: &Demand,
    trust: &str,
) -> Result<(), OperationError> {
    let own = own(control, caller)?;
    let trust = control.documents().read(Kind::Trust, trust)?;
    weigh(control, caller, &own, demand, Some(&trust))
}

fn decide(
    control: &Control,
    caller: &Caller,
    own: &Own,
    demand: &Demand,
) -> Result<(), OperationError> {
    let resource = match &demand.holder {
        Some(holder) => policy_of(control, holder)?,
        None => None,
    };
    // The root may do everything in its account that the policy of a resource does not deny. That is most requests of
    // small clusters, and what conditions could ask for need not be gathered for them.
    if resource.is_none() && is_root(caller) && demand.account == caller.account {
        return Ok(());
    }
    weigh(control, caller, own, demand, resource.as_deref())
}

/// Holds a demand against the policies of the caller and of the resource.
fn weigh(
    control: &Control,
    caller: &Caller,
    own: &Own,
    demand: &Demand,
    resource: Option<&Document>,
) -> Result<(), OperationError> {
    let context = context::of(control, caller, demand);
    let request = policy::Request {
        principal: &caller.principal,
        action: demand.action,
        resource: &demand.resource,
        account: demand.account,
        context: &context,
    };
    let policies = Policies {
        identity: &own.identity,
        boundary: own.boundary.as_deref(),
        session: &own.session,
        resource,
    };
    let why = match evaluate(&request, &policies) {
        Decision::Allowed => return Ok(()),
        Decision::Denied(denial) => {
            format!("with an explicit deny in {}", with_article(denial.layer))
        }
        Decision::NotAllowed(layer) => {
            format!("because no {layer} allows the {} action", demand.action)
        }
    };
    let who = caller.principal.arn().unwrap_or_default();
    Err(demand.denied(who, &why).into())
}

const fn is_root(caller: &Caller) -> bool {
    match caller.who {
        Who::Operator | Who::Root => true,
        Who::User { .. } | Who::Session(_) => false,
    }
}

const fn with_article(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "an identity-based policy",
        Layer::Boundary => "a permissions boundary",
        Layer::Session => "a session policy",
        Layer::Resource => "a resource-based policy",
        Layer::Trust => "a role trust policy",
    }
}

/// The policies of a caller.
fn own(control: &Control, caller: &Caller) -> Result<Own, OperationError> {
    let id = match &caller.who {
        Who::Operator | Who::Root => return Ok(Own::default()),
        Who::User { name, .. } => EntityId::User(caller.account, name.clone()),
        Who::Session(session) => EntityId::Role(caller.account, session.role.name().clone()),
    };
    // A role of this name that stands under another path is another role.
    let role = match &caller.who {
        Who::Session(session) => Some(session.role.as_str()),
        Who::Operator | Who::Root | Who::User { .. } => None,
    };
    let texts = control.glance(|catalog| texts(catalog, &id, role));
    let read = |text: &String| control.documents().read(Kind::Identity, text);
    Ok(Own {
        identity: texts.identity.iter().map(read).collect::<Result<_, _>>()?,
        boundary: texts.boundary.as_ref().map(read).transpose()?,
        session: match &caller.who {
            Who::Session(session) => session.policy.iter().map(read).collect::<Result<_, _>>()?,
            Who::Operator | Who::Root | Who::User { .. } => Vec::new(),
        },
    })
}

/// The texts of an identity's policies. One that is gone meanwhile has none, and is allowed nothing.
fn texts(catalog: &Catalog, id: &EntityId, arn: Option<&str>) -> OwnTexts {
    let entity = catalog.entity(id);
    let entity = entity.filter(|e| arn.is_none() || e.arn().as_deref() == arn);
    let Some(identity) = entity.and_then(|entity| entity.identity()) else {
        return OwnTexts::default();
    };
    let boundary = |identity: &Identity| {
        let name = identity.boundary.as_ref()?;
        catalog.policy(identity.account, name).map(str::to_owned)
    };
    OwnTexts {
        identity: catalog.policies_of(identity).map(str::to_owned).collect(),
        boundary: boundary(identity),
    }
}

/// The policy of a resource.
fn policy_of(control: &Control, holder: &Holder) -> Result<Option<Arc<Document>>, OperationError> {
    let text = control.glance(|catalog| match holder {
        Holder::Function(arn) => policy_of_function(catalog, arn),
        Holder::LayerVersion(id) => policy_of_layer(catalog, id),
        Holder::Mapping(_) | Holder::CodeSigningConfig(_) | Holder::CapacityProvider(_) => None,
    });
    text.map(|text| control.documents().read(Kind::Resource, &text))
        .transpose()
}

/// The policy of a function, or of the version or alias that is asked for: each has one of its own.
fn policy_of_function(catalog: &Catalog, arn: &FunctionArn) -> Option<String> {
    let place = place(arn);
    let function = catalog.function(&arn.id)?;
    function.setting(SettingKind::Policy, place)?;
    function.policy(place).map(ToString::to_string)
}

/// Where the policy of a function, a version or an alias stands.
pub(super) const fn place(arn: &FunctionArn) -> Option<&Qualifier> {
    match &arn.qualifier {
        None | Some(Qualifier::Version(Version::Latest)) => None,
        place => place.as_ref(),
    }
}

/// The policy of a layer version, as the document that its owner is shown.
fn policy_of_layer(catalog: &Catalog, id: &LayerVersionId) -> Option<String> {
    let policy = catalog.layer_version(id)?.policy.as_ref()?;
    Some(LayerPolicyShape::new(id, policy).document().to_owned())
}
