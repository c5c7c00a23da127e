//! What policies must allow before a request is done: actions, the resources they are on, and what conditions can ask of it.
//!
//! Actions, resource types and condition keys are those of the Service Authorization Reference, *Actions, resources, and
//! condition keys for AWS Lambda*.

use std::{collections::BTreeMap, fmt::Display};

use model::{AccountId, FunctionArn, LayerVersionId};

use crate::{Operation, Request, Scope, request::setting::SettingRequest};

/// One thing that must be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Such as `lambda:InvokeFunction`.
    pub action: &'static str,
    /// An ARN, or `*` for what is on no resource.
    pub resource: String,
    /// Whose resource it is.
    pub account: AccountId,
    /// The function, version or alias whose own policy counts too.
    pub function: Option<FunctionArn>,
    /// Condition keys beside those that every request has.
    pub keys: Vec<(String, Vec<String>)>,
}

impl Demand {
    /// A demand without condition keys.
    #[must_use]
    pub fn new(action: &'static str, resource: &dyn Display, account: AccountId) -> Self {
        Self {
            action,
            resource: resource.to_string(),
            account,
            function: None,
            keys: Vec::new(),
        }
    }

    fn key(mut self, name: &str, value: Option<&dyn Display>) -> Self {
        if let Some(value) = value {
            self.keys.push((name.to_owned(), vec![value.to_string()]));
        }
        self
    }

    fn tags(mut self, tags: &BTreeMap<String, String>) -> Self {
        for (key, value) in tags {
            let name = format!("aws:RequestTag/{key}");
            self.keys.push((name, vec![value.clone()]));
        }
        self.tag_keys(tags.keys())
    }

    fn tag_keys<'a>(mut self, keys: impl Iterator<Item = &'a String>) -> Self {
        let keys: Vec<String> = keys.cloned().collect();
        if !keys.is_empty() {
            self.keys.push(("aws:TagKeys".to_owned(), keys));
        }
        self
    }
}

impl Request {
    /// Everything that must be allowed, the operation itself first.
    #[must_use]
    pub fn demands(&self, operation: Operation, scope: &Scope) -> Vec<Demand> {
        let mut demands = vec![self.demand(operation, scope)];
        let account = scope.account;
        let layers = match self {
            Self::CreateFunction(r) => {
                demands.push(pass_role(&r.config.role, account));
                r.layers.as_slice()
            }
            Self::UpdateFunctionConfiguration(r) => {
                let role = r.patch.role.as_ref();
                demands.extend(role.map(|role| pass_role(role, account)));
                r.layers.as_deref().unwrap_or_default()
            }
            _ => &[],
        };
        let used = layers.iter();
        demands.extend(used.map(|layer| layer_version(Operation::GetLayerVersion, layer)));
        demands
    }

    fn demand(&self, operation: Operation, scope: &Scope) -> Demand {
        let action = operation.action();
        let on = |resource: &dyn Display, account| Demand::new(action, resource, account);
        let nothing = Demand::new(action, &"*", scope.account);
        match self {
            Self::CreateFunction(r) => {
                let demand = function(action, r.function.arn(None)).tags(&r.tags);
                demand.key(
                    "lambda:CodeSigningConfigArn",
                    shown(r.code_signing.as_ref()),
                )
            }
            Self::Setting(r) => setting(action, r, scope),
            Self::CreateEventSourceMapping(r) => nothing
                .key("lambda:FunctionArn", Some(&r.function))
                .tags(&r.tags),
            Self::GetEventSourceMapping(id) | Self::DeleteEventSourceMapping(id) => {
                on(&id.arn(), id.account)
            }
            Self::UpdateEventSourceMapping(r) => on(&r.mapping.arn(), r.mapping.account),
            Self::PublishLayerVersion(r) => on(&r.layer, r.layer.account),
            Self::GetLayerVersion(id)
            | Self::GetLayerVersionByArn(id)
            | Self::DeleteLayerVersion(id)
            | Self::GetLayerVersionPolicy(id) => layer_version(operation, id),
            Self::AddLayerVersionPermission(r) => layer_version(operation, &r.version),
            Self::RemoveLayerVersionPermission(r) => layer_version(operation, &r.version),
            Self::GetCodeSigningConfig(id) | Self::DeleteCodeSigningConfig(id) => {
                on(id, id.account)
            }
            Self::UpdateCodeSigningConfig(r) => on(&r.id, r.id.account),
            Self::ListFunctionsByCodeSigningConfig(r) => on(&r.id, r.id.account),
            Self::PutFunctionCodeSigningConfig(r) => function(action, r.function.arn(None))
                .key("lambda:CodeSigningConfigArn", Some(&r.config)),
            Self::CreateCapacityProvider(r) => on(&r.id, r.id.account).tags(&r.tags),
            Self::GetCapacityProvider(id) | Self::DeleteCapacityProvider(id) => on(id, id.account),
            Self::UpdateCapacityProvider(r) => on(&r.id, r.id.account),
            Self::ListFunctionVersionsByCapacityProvider(r) => on(&r.id, r.id.account),
            Self::ListLayers(_)
            | Self::ListLayerVersions(_)
            | Self::ListEventSourceMappings(_)
            | Self::CreateCodeSigningConfig(_)
            | Self::ListCodeSigningConfigs(_)
            | Self::ListCapacityProviders(_)
            | Self::ListFunctions(_)
            | Self::GetAccountSettings => nothing,
            // Everything else is on a function; a callback of a durable execution names none.
            _ => match self.resource() {
                Some(arn) => function(action, arn),
                None => nothing,
            },
        }
    }
}

fn function(action: &'static str, arn: FunctionArn) -> Demand {
    let demand = Demand::new(action, &arn, arn.id.account);
    Demand {
        function: Some(arn),
        ..demand
    }
}

fn setting(action: &'static str, request: &SettingRequest, scope: &Scope) -> Demand {
    let demand = match (request.resource(), request.other_resource(scope)) {
        (Some(arn), _) => function(action, arn),
        (None, Some(arn)) => Demand::new(action, &arn, scope.account),
        (None, None) => Demand::new(action, &"*", scope.account),
    };
    match request {
        SettingRequest::AddPermission(r) => demand.key("lambda:Principal", Some(&r.principal)),
        SettingRequest::TagResource(r) => demand.tags(&r.tags),
        SettingRequest::UntagResource(r) => demand.tag_keys(r.keys.iter()),
        _ => demand,
    }
}

fn layer_version(operation: Operation, id: &LayerVersionId) -> Demand {
    Demand::new(operation.action(), id, id.layer.account)
}

fn pass_role(role: &str, account: AccountId) -> Demand {
    let service = Some(&"lambda.amazonaws.com" as &dyn Display);
    Demand::new("iam:PassRole", &role, account).key("iam:PassedToService", service)
}

fn shown<T: Display>(value: Option<&T>) -> Option<&dyn Display> {
    value.map(|value| value as &dyn Display)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::testing::parse;

    const F: &str = "/2015-03-31/functions/f";

    /// What a request demands, a line each.
    fn check(operation: Operation, request: &str, body: &str, expected: &[&str]) {
        let scope = Scope {
            account: "123456789012".parse().unwrap(),
            region: "us-east-1".parse().unwrap(),
        };
        let parsed = parse(request, body).unwrap();
        let demands = parsed.demands(operation, &scope);
        let lines: Vec<String> = demands
            .iter()
            .map(|d| {
                let keys: Vec<String> = d
                    .keys
                    .iter()
                    .map(|(k, v)| format!(" {k}={}", v.join(",")))
                    .collect();
                format!("{} {}{}", d.action, d.resource, keys.concat())
            })
            .collect();
        assert_eq!(lines, expected, "{request}");
    }

    #[test]
    fn operations_demand_their_action_on_their_resource() {
        let arn = "arn:aws:lambda:us-east-1:123456789012";
        check(
            Operation::Invoke,
            &format!("POST {F}/invocations?Qualifier=live"),
            "",
            &[&format!("lambda:InvokeFunction {arn}:function:f:live")],
        );
        check(
            Operation::ListFunctions,
            "GET /2015-03-31/functions",
            "",
            &["lambda:ListFunctions *"],
        );
        check(
            Operation::GetLayerVersion,
            "GET /2018-10-31/layers/l/versions/3",
            "",
            &[&format!("lambda:GetLayerVersion {arn}:layer:l:3")],
        );
        check(
            Operation::AddPermission,
            &format!("POST {F}/policy"),
            r#"{"StatementId":"s","Action":"lambda:InvokeFunction","Principal":"s3.amazonaws.com"}"#,
            &[&format!(
                "lambda:AddPermission {arn}:function:f lambda:Principal=s3.amazonaws.com"
            )],
        );
        check(
            Operation::UntagResource,
            &format!(
                "DELETE /2017-03-31/tags/{}?tagKeys=a&tagKeys=b",
                crate::percent::encode(&format!(
                    "{arn}:event-source-mapping:0f8fad5b-d9cb-469f-a165-70867728950e"
                ))
            ),
            "",
            &[&format!(
                "lambda:UntagResource {arn}:event-source-mapping:0f8fad5b-d9cb-469f-a165-70867728950e aws:TagKeys=a,b"
            )],
        );
    }

    #[test]
    fn a_function_demands_leave_to_pass_its_role_and_to_use_its_layers() {
        let arn = "arn:aws:lambda:us-east-1:123456789012";
        let body = format!(
            r#"{{"Role":"arn:aws:iam::123456789012:role/r","Layers":["{arn}:layer:l:3"]}}"#
        );
        check(
            Operation::UpdateFunctionConfiguration,
            &format!("PUT {F}/configuration"),
            &body,
            &[
                &format!("lambda:UpdateFunctionConfiguration {arn}:function:f"),
                "iam:PassRole arn:aws:iam::123456789012:role/r iam:PassedToService=lambda.amazonaws.com",
                &format!("lambda:GetLayerVersion {arn}:layer:l:3"),
            ],
        );
    }
}
