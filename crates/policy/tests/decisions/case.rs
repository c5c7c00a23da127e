//! A request, the policies that apply to it, and the answer.

use std::sync::Arc;

use policy::{
    Context, Decision, Denial, Document, Kind, Layer, Policies, Principal, Request, evaluate,
};

pub(crate) const ACCOUNT: &str = "111111111111";
pub(crate) const FUNCTION: &str = "arn:aws:lambda:eu-west-1:111111111111:function:f";
pub(crate) const ALIAS: &str = "arn:aws:lambda:eu-west-1:111111111111:function:f:live";
pub(crate) const ROOT: &str = "arn:aws:iam::111111111111:root";
pub(crate) const ANN: &str = "arn:aws:iam::111111111111:user/ann";
pub(crate) const ROLE: &str = "arn:aws:iam::111111111111:role/path/worker";
pub(crate) const SESSION: &str = "arn:aws:sts::111111111111:assumed-role/worker/s";
pub(crate) const OTHER_ROOT: &str = "arn:aws:iam::222222222222:root";
pub(crate) const OTHER_ANN: &str = "arn:aws:iam::222222222222:user/ann";

pub(crate) const ALLOW_ALL: &str = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
pub(crate) const DENY_ALL: &str = r#"{"Sid":"no","Effect":"Deny","Action":"*","Resource":"*"}"#;
pub(crate) const ALLOW_OTHER: &str = r#"{"Effect":"Allow","Action":"s3:*","Resource":"*"}"#;

/// A request on [`FUNCTION`], whose owner is [`ACCOUNT`], if nothing else is said.
pub(crate) struct Case {
    pub(crate) principal: Principal,
    pub(crate) action: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) context: Context,
    pub(crate) identity: Vec<Arc<Document>>,
    pub(crate) boundary: Option<Document>,
    pub(crate) session: Vec<Arc<Document>>,
    pub(crate) resource_policy: Option<Document>,
}

/// By an ARN, the one of [`SESSION`] included, by a service, or by `*`, an anonymous caller.
pub(crate) fn by(who: &str) -> Case {
    let principal = match who {
        "*" => Principal::anonymous(),
        SESSION => Principal::session(ROLE, "s").unwrap(),
        _ if who.starts_with("arn:") => Principal::from_arn(who).unwrap(),
        _ => Principal::service(who).unwrap(),
    };
    Case {
        principal,
        action: "lambda:InvokeFunction",
        resource: FUNCTION,
        context: Context::new(),
        identity: Vec::new(),
        boundary: None,
        session: Vec::new(),
        resource_policy: None,
    }
}

fn document(kind: Kind, statements: &str) -> Document {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
    Document::parse(kind, &text, 4096).unwrap_or_else(|e| panic!("{text}: {e}"))
}

impl Case {
    pub(crate) fn identity(mut self, statements: &str) -> Self {
        let policy = document(Kind::Identity, statements);
        self.identity.push(Arc::new(policy));
        self
    }

    pub(crate) fn boundary(mut self, statements: &str) -> Self {
        self.boundary = Some(document(Kind::Identity, statements));
        self
    }

    pub(crate) fn session(mut self, statements: &str) -> Self {
        let policy = document(Kind::Identity, statements);
        self.session.push(Arc::new(policy));
        self
    }

    pub(crate) fn resource(mut self, statements: &str) -> Self {
        self.resource_policy = Some(document(Kind::Resource, statements));
        self
    }

    /// Assuming [`ROLE`], which has this trust policy.
    pub(crate) fn trust(mut self, statements: &str) -> Self {
        self.resource_policy = Some(document(Kind::Trust, statements));
        self.action = "sts:AssumeRole";
        self.resource = ROLE;
        self
    }

    pub(crate) fn on(mut self, resource: &'static str) -> Self {
        self.resource = resource;
        self
    }

    pub(crate) fn doing(mut self, action: &'static str) -> Self {
        self.action = action;
        self
    }

    pub(crate) fn knowing(mut self, key: &str, values: &[&str]) -> Self {
        self.context.set_all(key, values.iter().copied());
        self
    }

    #[track_caller]
    pub(crate) fn is(&self, expected: Decision<'_>) {
        let request = Request {
            principal: &self.principal,
            action: self.action,
            resource: self.resource,
            account: ACCOUNT.parse().unwrap(),
            context: &self.context,
        };
        let policies = Policies {
            identity: &self.identity,
            boundary: self.boundary.as_ref(),
            session: &self.session,
            resource: self.resource_policy.as_ref(),
        };
        assert_eq!(evaluate(&request, &policies), expected);
    }

    #[track_caller]
    pub(crate) fn allowed(&self) {
        self.is(Decision::Allowed);
    }

    #[track_caller]
    pub(crate) fn lacks(&self, layer: Layer) {
        self.is(Decision::NotAllowed(layer));
    }

    /// Denied by the first statement of the first policy of this kind, which is called `no`.
    #[track_caller]
    pub(crate) fn denied(&self, layer: Layer) {
        self.is(Decision::Denied(Denial {
            layer,
            policy: 0,
            statement: 0,
            sid: Some("no"),
        }));
    }

    /// Allowed, or without a policy of the principal that allows.
    #[track_caller]
    pub(crate) fn allowed_if(&self, expected: bool) {
        match expected {
            true => self.allowed(),
            false => self.lacks(Layer::Identity),
        }
    }
}

/// `Effect` and the start of a statement; only those that deny have an id.
pub(crate) fn effect(effect: &str) -> String {
    let sid = if effect == "Deny" {
        r#""Sid":"no","#
    } else {
        ""
    };
    format!(r#"{sid}"Effect":"{effect}""#)
}

/// A statement of a resource's policy about all actions and resources.
pub(crate) fn about(what: &str, principal: &str) -> String {
    let effect = effect(what);
    format!(r#"{{{effect},"Principal":{principal},"Action":"*","Resource":"*"}}"#)
}

pub(crate) fn allow(arn: &str) -> String {
    about("Allow", &format!(r#"{{"AWS":"{arn}"}}"#))
}

pub(crate) fn deny(arn: &str) -> String {
    about("Deny", &format!(r#"{{"AWS":"{arn}"}}"#))
}
