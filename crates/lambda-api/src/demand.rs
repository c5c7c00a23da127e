//! What policies must allow before a request is done: actions, the resources they are on, and what conditions can ask of it.
//!
//! Actions, resource types and condition keys are those of the Service Authorization Reference, *Actions, resources, and
//! condition keys for AWS Lambda*.

use std::{collections::BTreeMap, fmt::Display};

use model::{
    AccountId, CapacityProviderId, CodeSigningId, FunctionArn, FunctionId, LayerVersionId,
    ObjectAddress, SettingChange,
    function::Vpc,
    mapping::{MappingChange, MappingId},
    setting::UrlAuth,
};

use crate::{
    ApiError, Operation, Request, Scope,
    request::setting::{SettingRequest, tags::Tagged},
};

const GET_OBJECT: &str = "s3:GetObject";
/// What follows the partition in the ARN of an object: neither its region nor its owner is named.
const OBJECT_ARN: &str = ":s3:::";

/// One thing that must be allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Demand {
    /// Such as `lambda:InvokeFunction`.
    pub action: &'static str,
    /// An ARN, or `*` for what is on no resource.
    pub resource: String,
    /// Whose resource it is.
    pub account: AccountId,
    /// What it is on, if that can have a policy of its own, which counts too.
    pub holder: Option<Holder>,
    /// Condition keys beside those that every request has.
    pub keys: Vec<(String, Vec<String>)>,
    /// Further ones, whose values are in the catalog.
    pub stored: Option<Stored>,
}

/// What has tags, or a policy of its own by which its owner lets others in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A function, a version or an alias. Each has a policy; the tags are the function's.
    Function(FunctionArn),
    /// A version of a layer: a policy and no tags.
    LayerVersion(LayerVersionId),
    /// An event source mapping: tags.
    Mapping(MappingId),
    /// A code-signing configuration: tags.
    CodeSigningConfig(CodeSigningId),
    /// A capacity provider: tags.
    CapacityProvider(CapacityProviderId),
}

/// What conditions can ask for of a thing that is there already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// How the URL of a function or an alias authenticates.
    UrlAuth(FunctionArn),
    /// Whom a statement of the policy of a function, a version or an alias lets in.
    Statement {
        /// Whose policy.
        of: FunctionArn,
        /// The statement's id.
        sid: String,
    },
}

impl Demand {
    /// A demand without condition keys.
    #[must_use]
    pub fn new(action: &'static str, resource: &dyn Display, account: AccountId) -> Self {
        Self {
            action,
            resource: resource.to_string(),
            account,
            holder: None,
            keys: Vec::new(),
            stored: None,
        }
    }

    /// What a caller is told who is not allowed it. `why` is the end of AWS's sentence.
    #[must_use]
    pub fn denied(&self, caller: &str, why: &str) -> ApiError {
        let denied = ApiError::denied(caller, self.action, &self.resource, why);
        // The object store would be the one to say no, and what it says is passed on.
        let object = (self.action.starts_with(GET_OBJECT))
            .then(|| self.resource.split_once(OBJECT_ARN)?.1.split_once('/'));
        match object.flatten() {
            Some((bucket, key)) => {
                ApiError::object_denied(bucket, key, "AccessDenied", &denied.to_string())
            }
            None => denied,
        }
    }

    fn held_by(mut self, holder: Holder) -> Self {
        self.holder = Some(holder);
        self
    }

    fn stored(mut self, stored: Stored) -> Self {
        self.stored = Some(stored);
        self
    }

    /// A key that has one value or several; none if there are none.
    fn values<T: Display>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let values: Vec<_> = values.into_iter().map(|v| v.to_string()).collect();
        if !values.is_empty() {
            self.keys.push((name.to_owned(), values));
        }
        self
    }

    /// What a function is to be made of beside its code.
    fn parts(self, layers: &[LayerVersionId], vpc: Option<&Vpc>) -> Self {
        let (subnets, groups) = vpc.map_or((&[][..], &[][..]), |vpc| {
            (&*vpc.subnets, &*vpc.security_groups)
        });
        self.values("lambda:Layer", layers)
            .values("lambda:SubnetIds", subnets)
            .values("lambda:SecurityGroupIds", groups)
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
        let object = match self {
            Self::CreateFunction(r) => r.source.object(),
            Self::UpdateFunctionCode(r) => r.source.object(),
            Self::PublishLayerVersion(r) => r.archive.object(),
            _ => None,
        };
        demands.extend(object.map(|object| get_object(object, scope)));
        let layers: &[LayerVersionId] = match self {
            // A mapping that changes hands: both functions count.
            Self::UpdateEventSourceMapping(r) => {
                if let MappingChange::Configure { function, .. } = &r.change {
                    let taken = function.as_ref();
                    demands.extend(taken.map(|function| {
                        mapping(operation.action(), &r.mapping)
                            .key("lambda:FunctionArn", Some(function))
                    }));
                }
                &[]
            }
            Self::CreateFunction(r) => {
                demands.push(pass_role(&r.config.role, &r.function));
                r.layers.as_slice()
            }
            Self::UpdateFunctionConfiguration(r) => {
                let role = r.patch.role.as_ref();
                demands.extend(role.map(|role| pass_role(role, &r.function)));
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
                let vpc = r.config.optional.as_ref().and_then(|o| o.vpc.as_ref());
                let demand = function(action, r.function.arn(None)).tags(&r.tags);
                demand.parts(&r.layers, vpc).key(
                    "lambda:CodeSigningConfigArn",
                    shown(r.code_signing.as_ref()),
                )
            }
            Self::UpdateFunctionConfiguration(r) => {
                let changed = r.patch.optional.as_ref();
                let vpc = changed.and_then(|o| o.values.vpc.as_ref());
                let layers = r.layers.as_deref().unwrap_or_default();
                function(action, r.function.arn(None)).parts(layers, vpc)
            }
            Self::Invoke(_) | Self::InvokeWithResponseStream(_) | Self::InvokeAsync(_) => {
                let demand = self.resource().map(|arn| function(action, arn));
                let through_url = Some(&false as &dyn Display);
                (demand.unwrap_or(nothing)).key("lambda:InvokedViaFunctionUrl", through_url)
            }
            Self::Setting(r) => setting(action, r, scope),
            Self::CreateEventSourceMapping(r) => nothing
                .key("lambda:FunctionArn", Some(&r.function))
                .tags(&r.tags),
            Self::GetEventSourceMapping(id) | Self::DeleteEventSourceMapping(id) => {
                mapping(action, id)
            }
            Self::UpdateEventSourceMapping(r) => mapping(action, &r.mapping),
            Self::PublishLayerVersion(r) => on(&r.layer, r.layer.account),
            Self::GetLayerVersion(id)
            | Self::GetLayerVersionByArn(id)
            | Self::DeleteLayerVersion(id)
            | Self::GetLayerVersionPolicy(id) => layer_version(operation, id),
            Self::AddLayerVersionPermission(r) => layer_version(operation, &r.version),
            Self::RemoveLayerVersionPermission(r) => layer_version(operation, &r.version),
            Self::CreateCodeSigningConfig(r) => nothing.tags(&r.tags),
            Self::GetCodeSigningConfig(id) | Self::DeleteCodeSigningConfig(id) => {
                code_signing(action, id)
            }
            Self::UpdateCodeSigningConfig(r) => code_signing(action, &r.id),
            Self::ListFunctionsByCodeSigningConfig(r) => code_signing(action, &r.id),
            Self::PutFunctionCodeSigningConfig(r) => function(action, r.function.arn(None))
                .key("lambda:CodeSigningConfigArn", Some(&r.config)),
            Self::CreateCapacityProvider(r) => on(&r.id, r.id.account).tags(&r.tags),
            Self::GetCapacityProvider(id) | Self::DeleteCapacityProvider(id) => {
                capacity_provider(action, id)
            }
            Self::UpdateCapacityProvider(r) => capacity_provider(action, &r.id),
            Self::ListFunctionVersionsByCapacityProvider(r) => capacity_provider(action, &r.id),
            Self::ListLayers(_)
            | Self::ListLayerVersions(_)
            | Self::ListEventSourceMappings(_)
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
    demand.held_by(Holder::Function(arn))
}

fn setting(action: &'static str, request: &SettingRequest, scope: &Scope) -> Demand {
    let demand = match (request.resource(), request.tagged()) {
        (Some(arn), _) => function(action, arn),
        (None, Some(tagged)) => tagged_other(action, tagged, scope),
        (None, None) => Demand::new(action, &"*", scope.account),
    };
    match request {
        SettingRequest::AddPermission(r) => demand
            .key("lambda:Principal", Some(&r.principal))
            .key("lambda:FunctionUrlAuthType", shown(r.url_auth.as_ref())),
        SettingRequest::RemovePermission(r) => {
            let SettingChange::RemoveStatement { sid } = &r.change else {
                return demand;
            };
            demand.stored(Stored::Statement {
                of: r.target.arn(),
                sid: sid.clone(),
            })
        }
        SettingRequest::CreateFunctionUrlConfig(r)
        | SettingRequest::UpdateFunctionUrlConfig(r)
        | SettingRequest::DeleteFunctionUrlConfig(r) => {
            let auth = match &r.change {
                SettingChange::CreateUrl { auth, .. } => Some(*auth),
                SettingChange::UpdateUrl(patch) => patch.auth,
                _ => None,
            };
            url(demand, r.target.arn(), auth)
        }
        SettingRequest::GetFunctionUrlConfig(target) => url(demand, target.arn(), None),
        SettingRequest::TagResource(r) => demand.tags(&r.tags),
        SettingRequest::UntagResource(r) => demand.tag_keys(r.keys.iter()),
        _ => demand,
    }
}

/// `auth`: how the URL is to authenticate, if the request says.
fn url(demand: Demand, of: FunctionArn, auth: Option<UrlAuth>) -> Demand {
    let demand = demand.key("lambda:FunctionArn", Some(&of));
    match auth {
        Some(auth) => demand.key("lambda:FunctionUrlAuthType", Some(&auth)),
        None => demand.stored(Stored::UrlAuth(of)),
    }
}

/// Something that carries tags and is no function. One that cannot be there has none.
fn tagged_other(action: &'static str, tagged: &Tagged, scope: &Scope) -> Demand {
    let demand = Demand::new(action, &tagged.arn(scope), scope.account);
    match tagged.holder(scope) {
        Some(holder) => demand.held_by(holder),
        None => demand,
    }
}

fn layer_version(operation: Operation, id: &LayerVersionId) -> Demand {
    let demand = Demand::new(operation.action(), id, id.layer.account);
    demand.held_by(Holder::LayerVersion(id.clone()))
}

/// A package that is named is fetched for its caller, who must be allowed to read it. The cluster does not know whose a
/// bucket is, so it counts as the caller's.
fn get_object(object: &ObjectAddress, scope: &Scope) -> Demand {
    let action = match object.version {
        Some(_) => "s3:GetObjectVersion",
        None => GET_OBJECT,
    };
    let partition = scope.region.partition();
    let ObjectAddress { bucket, key, .. } = object;
    let arn = format!("arn:{partition}{OBJECT_ARN}{bucket}/{key}");
    Demand::new(action, &arn, scope.account).key("s3:VersionId", shown(object.version.as_ref()))
}

fn pass_role(role: &str, function: &FunctionId) -> Demand {
    let service = Some(&"lambda.amazonaws.com" as &dyn Display);
    Demand::new("iam:PassRole", &role, function.account)
        .key("iam:PassedToService", service)
        .key("iam:AssociatedResourceArn", Some(&function.arn(None)))
}

fn mapping(action: &'static str, id: &MappingId) -> Demand {
    Demand::new(action, &id.arn(), id.account).held_by(Holder::Mapping(id.clone()))
}

fn code_signing(action: &'static str, id: &CodeSigningId) -> Demand {
    Demand::new(action, id, id.account).held_by(Holder::CodeSigningConfig(id.clone()))
}

fn capacity_provider(action: &'static str, id: &CapacityProviderId) -> Demand {
    Demand::new(action, id, id.account).held_by(Holder::CapacityProvider(id.clone()))
}

fn shown<T: Display>(value: Option<&T>) -> Option<&dyn Display> {
    value.map(|value| value as &dyn Display)
}

#[cfg(test)]
mod tests;
