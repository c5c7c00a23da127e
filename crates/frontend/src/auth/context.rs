//! What conditions can ask for of a request.
//!
//! Pages *AWS global condition context keys* of the IAM User Guide and *Actions, resources, and condition keys for AWS Lambda* of
//! the Service Authorization Reference. A key that is not known is left out, as there: `lambda:VpcIds`, because nobody here
//! knows which network a subnet is in, and `lambda:EventSourceToken`, `aws:SourceArn`, `aws:SourceAccount` and
//! `aws:PrincipalOrgID`, which services bring along or organisations have, and there are neither.

use std::collections::BTreeMap;

use lambda_api::{Demand, Holder, Stored};
use model::{
    SettingKind,
    iam::{EntityId, Session},
    setting::Setting,
};
use policy::Context;
use state::Catalog;

use super::{Caller, Who, decide::place, granted::Granted};
use crate::control::Control;

/// Everything that is known.
pub(super) fn of(control: &Control, caller: &Caller, demand: &Demand) -> Context {
    let mut context = Context::new();
    who(&mut context, control, caller);
    how(&mut context, caller);
    context.set("aws:ResourceAccount", demand.account.to_string());
    control.glance(|catalog| {
        if let Some(holder) = &demand.holder {
            held(&mut context, catalog, holder);
        }
        if let Some(stored) = &demand.stored {
            there(&mut context, catalog, stored);
        }
    });
    // Last: what the request says counts, and not what is there.
    for (key, values) in &demand.keys {
        context.set_all(key, values.iter().map(String::as_str));
    }
    context
}

/// The caller.
fn who(context: &mut Context, control: &Control, caller: &Caller) {
    let account = caller.account.to_string();
    let (kind, user_id) = match &caller.who {
        Who::Operator | Who::Root => ("Account", account.clone()),
        Who::User { name, unique_id } => {
            context.set("aws:username", name.as_str());
            ("User", unique_id.clone())
        }
        Who::Session(session) => {
            of_session(context, session);
            let id = EntityId::Role(caller.account, session.role.name().clone());
            let unique_id = control.glance(|catalog| {
                let role = catalog.entity(&id)?.identity()?;
                Some(role.unique_id.clone())
            });
            let role = unique_id.unwrap_or_default();
            ("AssumedRole", format!("{role}:{}", session.name))
        }
    };
    context.set("aws:PrincipalType", kind);
    context.set("aws:PrincipalIsAWSService", "false");
    context.set("aws:userid", user_id);
    context.set("aws:PrincipalAccount", account);
    // Of a session it is the role that policies are about.
    let arn = match &caller.who {
        Who::Session(session) => Some(session.role.as_str()),
        Who::Operator | Who::Root | Who::User { .. } => caller.principal.arn(),
    };
    if let Some(arn) = arn {
        context.set("aws:PrincipalArn", arn);
    }
}

/// What only temporary credentials have.
fn of_session(context: &mut Context, session: &Session) {
    context.set("aws:TokenIssueTime", session.issued.to_rfc3339());
    // There is no second factor here, and of long-term keys AWS does not say so either.
    context.set("aws:MultiFactorAuthPresent", "false");
    if let Some(function) = &session.function {
        context.set("lambda:SourceFunctionArn", function.to_string());
    }
}

/// The way of the request.
fn how(context: &mut Context, caller: &Caller) {
    let arrival = &caller.arrival;
    if let Some(address) = arrival.source {
        context.set("aws:SourceIp", address.to_string());
    }
    context.set("aws:SecureTransport", arrival.secure.to_string());
    if let Some(agent) = &arrival.user_agent {
        context.set("aws:UserAgent", agent.as_str());
    }
    context.set("aws:CurrentTime", arrival.at.to_rfc3339());
    let seconds = arrival.at.as_millis() / 1000;
    context.set("aws:EpochTime", seconds.to_string());
    context.set("aws:RequestedRegion", caller.region.as_str());
    context.set("aws:ViaAWSService", "false");
}

/// The tags of what the request is about, and whom a mapping invokes.
fn held(context: &mut Context, catalog: &Catalog, holder: &Holder) {
    let tags = match holder {
        Holder::Function(arn) => catalog.function(&arn.id).map(|f| &f.tags),
        Holder::LayerVersion(_) => None,
        Holder::Mapping(id) => catalog.mapping(id).map(|mapping| {
            context.set("lambda:FunctionArn", mapping.function.to_string());
            &mapping.tags
        }),
        Holder::CodeSigningConfig(id) => catalog.code_signing(id).map(|c| &c.tags),
        Holder::CapacityProvider(id) => catalog.capacity_provider(id).map(|p| &p.tags),
    };
    for (key, value) in tags.into_iter().flat_map(BTreeMap::iter) {
        context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
    }
}

/// What is there already of what the request changes or shows.
fn there(context: &mut Context, catalog: &Catalog, stored: &Stored) {
    match stored {
        Stored::UrlAuth(of) => {
            let function = catalog.function(&of.id);
            let url = function.and_then(|f| f.setting(SettingKind::Url, place(of)));
            if let Some(Setting::Url(url)) = url.map(|url| &**url) {
                context.set("lambda:FunctionUrlAuthType", url.auth.as_str());
            }
        }
        Stored::Statement { of, sid } => {
            let function = catalog.function(&of.id);
            let policy = function.and_then(|f| f.policy(place(of)));
            if let Some(statement) = policy.and_then(|p| p.statement(sid)) {
                let granted = Granted::of(&statement.text);
                context.set_all("lambda:Principal", granted.principal);
                context.set_all("lambda:FunctionUrlAuthType", granted.url_auth);
            }
        }
    }
}
