//! `FunctionConfiguration`: the answer to most operations on functions, and the element of their lists.

use std::{collections::BTreeMap, fmt};

use model::{
    Qualifier, Region, Runtime,
    function::{
        Environment, FunctionVersion, Image, LastUpdate, LogFormat, Logging, Reason, State,
        TracingMode,
    },
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::optional::Optional;

/// What AWS says while a version is being prepared, for the first time or after an update.
const PREPARING: (&str, &str) = ("The function is being created.", "Creating");

/// How much of a version is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// Everything: the answer about one function.
    Full,
    /// Without states and runtime version: the element of a list.
    Listed,
}

/// The environment variables of a version, as far as they can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShownEnvironment {
    /// As their owner set them.
    Variables(Environment),
    /// They cannot be read.
    Unreadable {
        /// AWS's word for why.
        code: &'static str,
        /// A sentence.
        message: String,
    },
}

/// One version of a function, as AWS shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FunctionConfiguration {
    function_name: String,
    function_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<&'static str>,
    role: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    handler: Option<String>,
    code_size: u64,
    description: String,
    timeout: u16,
    memory_size: u32,
    last_modified: String,
    #[serde(rename = "CodeSha256", skip_serializing_if = "Option::is_none")]
    code_sha256: Option<String>,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<EnvironmentShape>,
    tracing_config: TracingConfig,
    revision_id: String,
    #[serde(flatten)]
    status: Option<Status>,
    package_type: &'static str,
    architectures: [&'static str; 1],
    ephemeral_storage: EphemeralStorage,
    snap_start: SnapStart,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime_version_config: Option<RuntimeVersionConfig>,
    logging_config: LoggingConfig,
    #[serde(flatten)]
    optional: Option<Optional>,
}

#[derive(Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
enum EnvironmentShape {
    Variables(BTreeMap<String, String>),
    #[serde(rename_all = "PascalCase")]
    Error {
        error_code: &'static str,
        message: String,
    },
}

/// Shows names and no values.
impl fmt::Debug for EnvironmentShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Variables(variables) => f.debug_set().entries(variables.keys()).finish(),
            Self::Error { error_code, .. } => f.write_str(error_code),
        }
    }
}

impl From<ShownEnvironment> for EnvironmentShape {
    fn from(shown: ShownEnvironment) -> Self {
        match shown {
            ShownEnvironment::Variables(variables) => Self::Variables(variables.0),
            ShownEnvironment::Unreadable { code, message } => Self::Error {
                error_code: code,
                message,
            },
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct TracingConfig {
    mode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct EphemeralStorage {
    size: u32,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SnapStart {
    apply_on: &'static str,
    optimization_status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct RuntimeVersionConfig {
    runtime_version_arn: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct LoggingConfig {
    log_format: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_log_level: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system_log_level: Option<String>,
    log_group: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_reason_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_update_status_reason_code: Option<String>,
}

impl FunctionConfiguration {
    /// Shows a version, with the environment that whoever may open it has opened. Its ARN ends with `qualifier`: the one
    /// that the caller used, the version's own number where an operation answers with a qualified ARN, or none.
    #[must_use]
    pub fn new(
        version: &FunctionVersion,
        environment: Option<ShownEnvironment>,
        qualifier: Option<Qualifier>,
        detail: Detail,
    ) -> Self {
        let function = &version.id.function;
        let config = &version.config;
        let full = detail == Detail::Full;
        let image = config.image();
        let snap_start = config.optional.as_ref().is_some_and(|o| o.snap_start);
        Self {
            function_name: function.name.to_string(),
            function_arn: function.arn(qualifier).to_string(),
            runtime: image.is_none().then(|| config.runtime.as_str()),
            role: config.role.clone(),
            handler: config.handler.clone(),
            code_size: version.code.size,
            description: config.description.clone(),
            timeout: config.timeout.get(),
            memory_size: config.memory.get(),
            last_modified: version.last_modified.to_aws_string(),
            code_sha256: match image {
                Some(image) => image_digest(version, image),
                None => Some(version.code.digest.to_base64()),
            },
            version: version.id.version.to_string(),
            environment: environment.map(Into::into),
            tracing_config: TracingConfig {
                mode: match config.tracing {
                    TracingMode::PassThrough => "PassThrough",
                    TracingMode::Active => "Active",
                },
            },
            revision_id: version.lock().to_string(),
            status: full.then(|| Status::of(version)),
            package_type: if image.is_some() { "Image" } else { "Zip" },
            architectures: [config.architecture.as_str()],
            ephemeral_storage: EphemeralStorage {
                size: config.ephemeral.get(),
            },
            // No snapshot is made yet: every start is a whole one.
            snap_start: SnapStart {
                apply_on: if snap_start {
                    "PublishedVersions"
                } else {
                    "None"
                },
                optimization_status: "Off",
            },
            runtime_version_config: (full && image.is_none()).then(|| RuntimeVersionConfig {
                runtime_version_arn: runtime_version_arn(config.runtime, &function.region),
            }),
            logging_config: LoggingConfig::of(&config.logging, function.name.as_str()),
            optional: config.optional.as_deref().map(Optional::new),
        }
    }
}

/// The digest of an image; of one that was only recorded, the one that its URI ends with.
fn image_digest(version: &FunctionVersion, image: &Image) -> Option<String> {
    if let Some(digest) = version.image_digest() {
        return Some(digest.to_string());
    }
    let (_, digest) = image.uri.rsplit_once("@sha256:")?;
    Some(digest.to_owned())
}

/// The ARN of the version of a managed runtime. A cluster has one version of each, named by the identifier's digest.
#[must_use]
pub fn runtime_version_arn(runtime: Runtime, region: &Region) -> String {
    let version = hex::encode(Sha256::digest(runtime.as_str()));
    format!(
        "arn:{}:lambda:{region}::runtime:{version}",
        region.partition()
    )
}

impl Status {
    fn of(version: &FunctionVersion) -> Self {
        let preparing = || Some((PREPARING.0.to_owned(), PREPARING.1.to_owned()));
        let failed = |reason: &Reason| Some((reason.text.clone(), reason.code.clone()));
        let (state, why) = match &version.state {
            State::Pending => ("Pending", preparing()),
            State::Active => ("Active", None),
            State::Failed(reason) => ("Failed", failed(reason)),
        };
        let (last_update_status, why_update) = match &version.last_update {
            None => (None, None),
            Some(LastUpdate::Successful) => (Some("Successful"), None),
            Some(LastUpdate::InProgress) => (Some("InProgress"), preparing()),
            Some(LastUpdate::Failed(reason)) => (Some("Failed"), failed(reason)),
        };
        let (state_reason, state_reason_code) = why.unzip();
        let (last_update_status_reason, last_update_status_reason_code) = why_update.unzip();
        Self {
            state,
            state_reason,
            state_reason_code,
            last_update_status,
            last_update_status_reason,
            last_update_status_reason_code,
        }
    }
}

impl LoggingConfig {
    fn of(logging: &Logging, function: &str) -> Self {
        Self {
            log_format: match logging.format {
                LogFormat::Text => "Text",
                LogFormat::Json => "JSON",
            },
            application_log_level: logging.application_level.clone(),
            system_log_level: logging.system_level.clone(),
            log_group: logging
                .group
                .clone()
                .unwrap_or_else(|| format!("/aws/lambda/{function}")),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use expect_test::{Expect, expect};
    use model::{
        Digest, EphemeralMib, FunctionId, MemoryMib, RevisionId, Timestamp, Version, VersionId,
        function::{Code, Config},
    };
    use serde_json::{Value, json};

    use super::*;

    pub(in crate::response) fn version(
        state: State,
        last_update: Option<LastUpdate>,
    ) -> FunctionVersion {
        FunctionVersion {
            id: VersionId {
                function: FunctionId {
                    account: "123456789012".parse().unwrap(),
                    region: "us-east-1".parse().unwrap(),
                    name: "f".parse().unwrap(),
                },
                version: Version::Latest,
            },
            config: Config {
                runtime: "python3.12".parse().unwrap(),
                handler: Some("h.handler".into()),
                role: "arn:aws:iam::123456789012:role/r".into(),
                description: String::new(),
                timeout: Default::default(),
                memory: MemoryMib::default(),
                ephemeral: EphemeralMib::default(),
                architecture: Default::default(),
                environment: None,
                tracing: TracingMode::default(),
                logging: Logging::default(),
                optional: None,
            },
            code: Code {
                digest: Digest::of(b"zip"),
                size: 276,
                unzipped: 0,
            },
            state,
            last_update,
            last_modified: Timestamp(1_763_892_000_000),
            revision_id: RevisionId::from_random(7),
            touched: None,
        }
    }

    fn check(
        version: &FunctionVersion,
        qualifier: Option<&str>,
        detail: Detail,
        expected: &Expect,
    ) {
        let shape = FunctionConfiguration::new(
            version,
            None,
            qualifier.map(|q| q.parse().unwrap()),
            detail,
        );
        expected.assert_eq(&serde_json::to_string_pretty(&shape).unwrap());
    }

    #[test]
    fn a_function_that_was_just_created() {
        check(
            &version(State::Pending, None),
            None,
            Detail::Full,
            &expect![[r#"
            {
              "FunctionName": "f",
              "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
              "Runtime": "python3.12",
              "Role": "arn:aws:iam::123456789012:role/r",
              "Handler": "h.handler",
              "CodeSize": 276,
              "Description": "",
              "Timeout": 3,
              "MemorySize": 128,
              "LastModified": "2025-11-23T10:00:00.000+0000",
              "CodeSha256": "SnD+mqZDbgLC3qNA+9HjUuTvLYzmylKtJdS5VHH8i/I=",
              "Version": "$LATEST",
              "TracingConfig": {
                "Mode": "PassThrough"
              },
              "RevisionId": "00000000-0000-4000-8000-000000000007",
              "State": "Pending",
              "StateReason": "The function is being created.",
              "StateReasonCode": "Creating",
              "PackageType": "Zip",
              "Architectures": [
                "x86_64"
              ],
              "EphemeralStorage": {
                "Size": 512
              },
              "SnapStart": {
                "ApplyOn": "None",
                "OptimizationStatus": "Off"
              },
              "RuntimeVersionConfig": {
                "RuntimeVersionArn": "arn:aws:lambda:us-east-1::runtime:42f2b28d8258c41a63374ac4365007738900f66a9b62a7eb1a2041a2e091d41b"
              },
              "LoggingConfig": {
                "LogFormat": "Text",
                "LogGroup": "/aws/lambda/f"
              }
            }"#]],
        );
    }

    fn shown(version: &FunctionVersion, detail: Detail) -> Value {
        serde_json::to_value(FunctionConfiguration::new(version, None, None, detail)).unwrap()
    }

    #[test]
    fn a_list_leaves_states_and_runtime_version_out() {
        let version = version(State::Active, Some(LastUpdate::Successful));
        let full = shown(&version, Detail::Full);
        let mut expected = full.as_object().unwrap().clone();
        for member in ["State", "LastUpdateStatus", "RuntimeVersionConfig"] {
            assert!(expected.remove(member).is_some(), "{member}");
        }
        assert_eq!(shown(&version, Detail::Listed), Value::Object(expected));
    }

    #[test]
    fn states_and_their_reasons() {
        let reason = || Reason {
            code: "InvalidRuntime".into(),
            text: "no such runtime".into(),
        };
        let states = |state, last_update| {
            let mut shown = shown(&version(state, last_update), Detail::Full);
            let shown = shown.as_object_mut().unwrap();
            shown.retain(|name, _| name.starts_with("State") || name.starts_with("LastUpdate"));
            Value::Object(shown.clone())
        };
        assert_eq!(
            states(State::Active, Some(LastUpdate::Successful)),
            json!({"State": "Active", "LastUpdateStatus": "Successful"})
        );
        assert_eq!(
            states(State::Active, Some(LastUpdate::InProgress)),
            json!({"State": "Active", "LastUpdateStatus": "InProgress", "LastUpdateStatusReason": "The function is being created.", "LastUpdateStatusReasonCode": "Creating"})
        );
        assert_eq!(
            states(State::Active, Some(LastUpdate::Failed(reason()))),
            json!({"State": "Active", "LastUpdateStatus": "Failed", "LastUpdateStatusReason": "no such runtime", "LastUpdateStatusReasonCode": "InvalidRuntime"})
        );
        assert_eq!(
            states(State::Failed(reason()), None),
            json!({"State": "Failed", "StateReason": "no such runtime", "StateReasonCode": "InvalidRuntime"})
        );
    }

    #[test]
    fn the_arn_ends_as_the_operation_wishes() {
        let version = version(State::Active, None);
        for (qualifier, end) in [
            (None, "function:f"),
            (Some("$LATEST"), "function:f:$LATEST"),
            (Some("live"), "function:f:live"),
        ] {
            let shape = FunctionConfiguration::new(
                &version,
                None,
                qualifier.map(|q| q.parse().unwrap()),
                Detail::Full,
            );
            assert!(shape.function_arn.ends_with(end), "{}", shape.function_arn);
        }
    }

    #[test]
    fn an_environment_is_shown_once_it_was_set() {
        let mut version = version(State::Active, None);
        assert_eq!(shown(&version, Detail::Full).get("Environment"), None);
        let environment = |shown| {
            let shape = FunctionConfiguration::new(&version, Some(shown), None, Detail::Full);
            let text = format!("{shape:?}");
            assert!(!text.contains("canary"), "{text}");
            serde_json::to_value(shape).unwrap()["Environment"].clone()
        };
        let variables = Environment([("A1".to_owned(), "canary".to_owned())].into());
        assert_eq!(
            environment(ShownEnvironment::Variables(variables)),
            json!({"Variables": {"A1": "canary"}})
        );
        assert_eq!(
            environment(ShownEnvironment::Unreadable {
                code: "NotFoundException",
                message: "why".to_owned(),
            }),
            json!({"Error": {"ErrorCode": "NotFoundException", "Message": "why"}})
        );
        version.config.logging = Logging {
            format: LogFormat::Json,
            application_level: Some("INFO".into()),
            system_level: Some("WARN".into()),
            group: Some("/g".into()),
        };
        let shown = shown(&version, Detail::Full);
        assert_eq!(
            shown["LoggingConfig"],
            json!({"LogFormat": "JSON", "ApplicationLogLevel": "INFO", "SystemLogLevel": "WARN", "LogGroup": "/g"})
        );
    }

    #[test]
    fn a_runtime_has_one_version_in_each_partition() {
        let runtime: Runtime = "provided.al2023".parse().unwrap();
        let arn = runtime_version_arn(runtime, &"cn-north-1".parse().unwrap());
        assert!(
            arn.starts_with("arn:aws-cn:lambda:cn-north-1::runtime:") && arn.len() == 38 + 64,
            "{arn}"
        );
        assert_ne!(
            arn,
            runtime_version_arn(
                "python3.12".parse().unwrap(),
                &"cn-north-1".parse().unwrap()
            )
        );
    }
}
