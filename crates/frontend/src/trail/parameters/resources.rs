//! What a record says of a request about code, layers, code signing and capacity, or of one that says nothing more than what
//! it is about.

use lambda_api::{
    Request,
    request::{
        code::{Archive, Source},
        layer::LayerFilter,
    },
};
use model::{
    capacity_provider::CapacitySettings,
    function::{OptionalConfig, OptionalPatch},
    layer::{LayerGrant, LayerPrincipal},
};

use super::{List, of_code};

pub(super) fn of(list: &mut List, request: &Request) {
    match request {
        Request::PublishLayerVersion(r) => {
            list.shown("LayerName", Some(&r.layer.name));
            list.list("CompatibleRuntimes", &r.draft.runtimes);
            list.list("CompatibleArchitectures", &r.draft.architectures);
            archive(list, &r.archive);
        }
        Request::GetLayerVersion(version)
        | Request::GetLayerVersionByArn(version)
        | Request::DeleteLayerVersion(version)
        | Request::GetLayerVersionPolicy(version) => list.shown("LayerVersionArn", Some(version)),
        Request::ListLayers(r) => {
            filter(list, r.filter);
            list.page(&r.page);
        }
        Request::ListLayerVersions(r) => {
            list.shown("LayerName", Some(&r.layer.name));
            filter(list, r.filter);
            list.put("MaxItems", r.page.limit);
            list.shown("Marker", r.page.after.map(|after| after.0));
        }
        Request::AddLayerVersionPermission(r) => {
            list.shown("LayerVersionArn", Some(&r.version));
            list.text("StatementId", Some(&r.statement));
            granted(list, &r.grant);
            list.shown("RevisionId", r.expected);
        }
        Request::RemoveLayerVersionPermission(r) => {
            list.shown("LayerVersionArn", Some(&r.version));
            list.text("StatementId", Some(&r.statement));
            list.shown("RevisionId", r.expected);
        }
        Request::CreateCodeSigningConfig(r) => {
            list.names("AllowedPublishers", r.settings.publishers.iter());
            list.text(
                "UntrustedArtifactOnDeployment",
                Some(format!("{:?}", r.settings.untrusted)),
            );
            list.names("Tags", r.tags.keys());
        }
        Request::UpdateCodeSigningConfig(r) => {
            list.shown("CodeSigningConfigArn", Some(&r.id));
            list.names("AllowedPublishers", r.publishers.iter().flatten());
            list.text(
                "UntrustedArtifactOnDeployment",
                r.untrusted.map(|u| format!("{u:?}")),
            );
        }
        Request::GetCodeSigningConfig(id) | Request::DeleteCodeSigningConfig(id) => {
            list.shown("CodeSigningConfigArn", Some(id));
        }
        Request::ListCodeSigningConfigs(page) => list.page(page),
        Request::ListFunctionsByCodeSigningConfig(r) => {
            list.shown("CodeSigningConfigArn", Some(&r.id));
            list.page(&r.page);
        }
        Request::PutFunctionCodeSigningConfig(r) => {
            list.shown("FunctionName", Some(r.function.arn(None)));
            list.shown("CodeSigningConfigArn", Some(&r.config));
        }
        Request::GetFunctionCodeSigningConfig(id)
        | Request::DeleteFunctionCodeSigningConfig(id) => {
            list.shown("FunctionName", Some(id.arn(None)));
        }
        Request::CreateCapacityProvider(r) => {
            list.shown("CapacityProviderName", Some(&r.id.name));
            list.names("SubnetIds", r.shape.subnets.iter());
            list.names("SecurityGroupIds", r.shape.security_groups.iter());
            list.text(
                "CapacityProviderOperatorRoleArn",
                Some(&r.shape.operator_role),
            );
            list.text("KmsKeyArn", r.shape.kms_key.as_ref());
            capacity(list, &r.settings);
            list.names("Tags", r.tags.keys());
        }
        Request::UpdateCapacityProvider(r) => {
            list.shown("CapacityProviderName", Some(&r.id.name));
            capacity(list, &r.settings);
        }
        Request::GetCapacityProvider(id) | Request::DeleteCapacityProvider(id) => {
            list.shown("CapacityProviderName", Some(&id.name));
        }
        Request::ListCapacityProviders(r) => list.page(&r.page),
        Request::ListFunctionVersionsByCapacityProvider(r) => {
            list.shown("CapacityProviderName", Some(&r.id.name));
            list.put("MaxItems", r.page.limit);
        }
        Request::CreateFunction(_)
        | Request::UpdateFunctionCode(_)
        | Request::UpdateFunctionConfiguration(_)
        | Request::PublishVersion(_)
        | Request::CreateAlias(_)
        | Request::UpdateAlias(_)
        | Request::GetAlias(_)
        | Request::DeleteAlias(_)
        | Request::ListFunctions(_)
        | Request::ListVersionsByFunction(_)
        | Request::ListAliases(_)
        | Request::CreateEventSourceMapping(_)
        | Request::GetEventSourceMapping(_)
        | Request::DeleteEventSourceMapping(_)
        | Request::UpdateEventSourceMapping(_)
        | Request::ListEventSourceMappings(_)
        | Request::Invoke(_)
        | Request::InvokeAsync(_)
        | Request::InvokeWithResponseStream(_)
        | Request::Setting(_)
        | Request::Durable(_)
        | Request::GetFunction(_)
        | Request::GetFunctionConfiguration(_)
        | Request::DeleteFunction(_)
        | Request::GetAccountSettings => {}
    }
}

/// Where code comes from, and the hash of code that came with the request.
pub(super) fn source(list: &mut List, source: &Source) {
    match source {
        Source::Archive(from) => archive(list, from),
        Source::Image(uri) => list.text("ImageUri", Some(uri)),
    }
}

fn archive(list: &mut List, archive: &Archive) {
    match archive {
        Archive::Zip(zip) => list.0.extend(of_code(zip)),
        Archive::Object {
            address,
            referenced,
        } => {
            list.text("S3Bucket", Some(&address.bucket));
            list.text("S3Key", Some(&address.key));
            list.text("S3ObjectVersion", address.version.as_ref());
            let mode = if *referenced { "REFERENCE" } else { "COPY" };
            list.text("S3ObjectStorageMode", Some(mode));
        }
    }
}

/// The members of a configuration that few functions have. Layers are told of the request: it names them.
pub(super) fn optional(list: &mut List, optional: &OptionalConfig) {
    let OptionalConfig {
        vpc,
        dead_letter,
        kms_key,
        layers: _,
        file_systems,
        snap_start,
        tenant_isolation,
        durable,
        custom_runtime,
        accelerator_gb,
        capacity,
        image,
        origin,
    } = optional;
    if let Some(vpc) = vpc {
        list.names("SubnetIds", vpc.subnets.iter());
        list.names("SecurityGroupIds", vpc.security_groups.iter());
    }
    list.text("DeadLetterConfig", dead_letter.as_ref());
    list.text("KMSKeyArn", kms_key.as_ref());
    list.names("FileSystemConfigs", file_systems.iter().map(|f| &f.arn));
    list.put("SnapStart", *snap_start);
    list.put("TenancyConfig", *tenant_isolation);
    list.put("DurableConfig", durable.is_some());
    list.text("RuntimeConfig", custom_runtime.as_ref().map(|r| &r.arn));
    list.put_some("AcceleratorConfig", *accelerator_gb);
    list.shown(
        "CapacityProviderConfig",
        capacity.as_ref().map(|c| &c.provider),
    );
    list.text("ImageUri", image.as_ref().map(|i| &i.uri));
    list.text("SourceKMSKeyArn", origin.kms_key.as_ref());
}

/// What the members become, and the names of all that change: one that is taken away has no value to be told.
pub(super) fn optional_patch(list: &mut List, patch: &OptionalPatch) {
    optional(list, &patch.values);
    list.list(
        "ChangedMembers",
        patch.members.iter().map(|member| format!("{member:?}")),
    );
}

fn filter(list: &mut List, filter: LayerFilter) {
    list.shown("CompatibleRuntime", filter.runtime);
    list.shown("CompatibleArchitecture", filter.architecture);
}

fn granted(list: &mut List, grant: &LayerGrant) {
    match grant.principal {
        LayerPrincipal::Everybody => list.text("Principal", Some("*")),
        LayerPrincipal::Account(account) => list.shown("Principal", Some(account)),
    }
    list.text("OrganizationId", grant.organization.as_ref());
}

fn capacity(list: &mut List, settings: &CapacitySettings) {
    let scaling = settings.scaling.as_ref();
    list.put_some("MaxVCpuCount", scaling.and_then(|s| s.max_vcpus));
    list.put_some("ManualScaling", scaling.and_then(|s| s.manual));
}
