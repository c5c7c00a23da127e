//! Asks both evaluators.

use std::{fmt, sync::Arc};

use policy::{Context, Decision, Document, Kind, Layer, Policies, Principal, Request, evaluate};

use crate::{
    generate::{Ask, Case, Who},
    reference::{self, Answer},
};

/// The answers to all requests of a case, or the first one that differs.
pub(crate) fn run(case: &Case) -> Result<Vec<Answer>, String> {
    let parse = |kind, text: &String| {
        let document = Document::parse(kind, text, 65_536).map_err(|e| format!("{e}: {text}"))?;
        let again = Document::parse(kind, &document.to_string(), 65_536);
        if again.as_ref() != Ok(&document) {
            return Err(format!("{text} is printed as {document}"));
        }
        Ok(document)
    };
    let own = |texts: &[String]| -> Result<Vec<_>, String> {
        let parsed = texts.iter().map(|t| parse(Kind::Identity, t).map(Arc::new));
        parsed.collect()
    };
    let kind = if case.trust {
        Kind::Trust
    } else {
        Kind::Resource
    };
    let identity = own(&case.identity)?;
    let session = own(&case.session)?;
    let boundary = case
        .boundary
        .iter()
        .map(|t| parse(Kind::Identity, t))
        .next()
        .transpose()?;
    let resource = case
        .resource
        .iter()
        .map(|t| parse(kind, t))
        .next()
        .transpose()?;
    let policies = Policies {
        identity: &identity,
        boundary: boundary.as_ref(),
        session: &session,
        resource: resource.as_ref(),
    };
    let answers = case.asks.iter().map(|ask| one(case, ask, &policies));
    answers.collect()
}

fn one(case: &Case, ask: &Ask, policies: &Policies<'_>) -> Result<Answer, String> {
    let mut context = Context::new();
    for (key, values) in &ask.context {
        context.set_all(key, values.iter().copied());
    }
    let principal = match ask.who {
        Who::Arn(arn) => Principal::from_arn(arn),
        Who::Session(role, name) => Principal::session(role, name),
        Who::Service(name) => Principal::service(name),
        Who::Federated(provider) => Ok(Principal::federated(provider)),
        Who::Anonymous => Ok(Principal::anonymous()),
    };
    let principal = principal.map_err(|e| e.to_string())?;
    let request = Request {
        principal: &principal,
        action: ask.action,
        resource: ask.resource,
        account: ask.account.parse().map_err(|_| ask.account)?,
        context: &context,
    };
    let decision = evaluate(&request, policies);
    let (expected, mut denying) = reference::answer(case, ask);
    let got = match decision {
        Decision::Allowed => Answer::Allowed,
        Decision::NotAllowed(layer) => Answer::Lacks(name(layer)),
        Decision::Denied(denial) => {
            let place = (name(denial.layer), denial.policy, denial.statement);
            denying.retain(|(layer, ..)| *layer == place.0);
            if denying.first() != Some(&place) {
                return Err(format!(
                    "{decision:?}, but {denying:?} deny\n{ask:#?}\n{case:#?}"
                ));
            }
            Answer::Denied(place.0)
        }
    };
    if got == expected {
        return Ok(got);
    }
    Err(format!("{got}, expected {expected}\n{ask:#?}\n{case:#?}"))
}

fn name(layer: Layer) -> &'static str {
    match layer {
        Layer::Identity => "identity",
        Layer::Boundary => "boundary",
        Layer::Session => "session",
        Layer::Resource => "resource",
        Layer::Trust => "trust",
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed => f.write_str("allowed"),
            Self::Denied(layer) => write!(f, "denied by {layer}"),
            Self::Lacks(layer) => write!(f, "lacks {layer}"),
        }
    }
}
