//! The environment variables of a function's processes.

use std::collections::BTreeMap;

use model::{
    function::{Environment, FunctionVersion, LogFormat},
    runtime::Family,
};
use runtime_api::CREDENTIALS_PATH;

use super::{contents, credentials::Credentials};

/// Where code inside reaches its Runtime API.
pub(crate) const RUNTIME_API: &str = "127.0.0.1:9001";
/// Where code inside reaches the cluster it runs on.
const GATEWAY: &str = "http://127.0.0.1:9000";
/// What SDKs read for every service that has no address of its own.
const ALL_ENDPOINTS: &str = "AWS_ENDPOINT_URL";
const TASK_ROOT: &str = "/var/task";
const RUNTIME_DIR: &str = "/var/runtime";

/// What an environment has besides what its version says.
pub(crate) struct Around<'a> {
    pub(crate) credentials: &'a Credentials,
    pub(crate) log_stream: &'a str,
    /// What its runtime wants.
    pub(crate) runtime: &'a BTreeMap<String, String>,
    /// What its image says, if it has one.
    pub(crate) image: Option<&'a [(String, String)]>,
    /// Whether there is a way to the cluster.
    pub(crate) has_gateway: bool,
}

/// All variables, in order of name. What the owner set wins over what a Linux image would set, and nothing wins over what
/// describes the environment itself.
pub(crate) fn of(
    version: &FunctionVersion,
    own: Option<&Environment>,
    around: &Around<'_>,
) -> Vec<(String, String)> {
    let mut all = BTreeMap::new();
    let mut set = |pairs: Vec<(&str, String)>| {
        all.extend(
            pairs
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
    };
    match around.image {
        None => set(image(version)),
        Some(image) => {
            set(container());
            set(image.iter().map(|(n, v)| (n.as_str(), v.clone())).collect());
        }
    }
    set(around
        .runtime
        .iter()
        .map(|(n, v)| (n.as_str(), v.clone()))
        .collect());
    let sent_elsewhere = own.is_some_and(|own| own.0.contains_key(ALL_ENDPOINTS));
    if around.has_gateway && !sent_elsewhere {
        set(endpoints());
    }
    if let Some(own) = own {
        set(own.0.iter().map(|(n, v)| (n.as_str(), v.clone())).collect());
    }
    set(of_role(around.credentials));
    set(platform(version, around.log_stream));
    if around.image.is_none() {
        set(places(version));
    }
    all.into_iter().collect()
}

/// What the owner may set otherwise.
pub(super) fn image(version: &FunctionVersion) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        ("TZ", ":UTC".to_owned()),
        ("LANG", "en_US.UTF-8".to_owned()),
        ("PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin".to_owned()),
        (
            "LD_LIBRARY_PATH",
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib".to_owned(),
        ),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000".to_owned()),
        ("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1".to_owned()),
        ("_AWS_XRAY_DAEMON_PORT", "2000".to_owned()),
    ];
    let runtime = version.config.runtime;
    if runtime.family() == Family::Python {
        pairs.push(("PYTHONPATH", "/var/runtime".to_owned()));
    }
    if runtime.family() == Family::Node {
        // Layers with modules for one version come before those for all.
        let major = runtime.language_version().unwrap_or_default();
        let path = format!(
            "/opt/nodejs/node{major}/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"
        );
        pairs.push(("NODE_PATH", path));
    }
    if runtime.family() == Family::Ruby {
        let version = runtime.language_version().unwrap_or_default();
        let gems = format!("/var/task/vendor/bundle/ruby/{version}.0:/opt/ruby/gems/{version}.0");
        pairs.push(("GEM_PATH", gems));
        pairs.push(("RUBYLIB", "/var/runtime/lib:/opt/ruby/lib".to_owned()));
    }
    pairs
}

/// The same for a function of a container image, which brings the rest: also where its code is, if it is not where AWS's own
/// images have it.
fn container() -> Vec<(&'static str, String)> {
    vec![
        ("PATH", contents::PATH.to_owned()),
        ("TZ", ":UTC".to_owned()),
        ("LAMBDA_TASK_ROOT", TASK_ROOT.to_owned()),
        ("LAMBDA_RUNTIME_DIR", RUNTIME_DIR.to_owned()),
        ("AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR".to_owned()),
        ("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000".to_owned()),
        ("_AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1".to_owned()),
        ("_AWS_XRAY_DAEMON_PORT", "2000".to_owned()),
    ]
}

/// Where a function of a package is, and what it is called there.
fn places(version: &FunctionVersion) -> Vec<(&'static str, String)> {
    vec![
        (
            "_HANDLER",
            version.config.handler.clone().unwrap_or_default(),
        ),
        ("LAMBDA_TASK_ROOT", TASK_ROOT.to_owned()),
        ("LAMBDA_RUNTIME_DIR", RUNTIME_DIR.to_owned()),
    ]
}

/// Where SDKs find the cluster instead of AWS. An owner who sends them elsewhere means it.
fn endpoints() -> Vec<(&'static str, String)> {
    ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL_STS"]
        .map(|name| (name, GATEWAY.to_owned()))
        .into()
}

/// How code finds the credentials of its role.
fn of_role(credentials: &Credentials) -> Vec<(&'static str, String)> {
    match credentials {
        Credentials::None => Vec::new(),
        Credentials::Variables(issued) => {
            let secrets = &issued.credentials;
            vec![
                ("AWS_ACCESS_KEY_ID", issued.access_key.to_string()),
                (
                    "AWS_SECRET_ACCESS_KEY",
                    secrets.secret_access_key().to_owned(),
                ),
                ("AWS_SESSION_TOKEN", secrets.session_token().to_owned()),
            ]
        }
        Credentials::Endpoint(endpoint) => vec![
            (
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                format!("http://{RUNTIME_API}{CREDENTIALS_PATH}"),
            ),
            (
                "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                endpoint.token().to_owned(),
            ),
        ],
    }
}

/// What nobody may set otherwise.
fn platform(version: &FunctionVersion, log_stream: &str) -> Vec<(&'static str, String)> {
    let config = &version.config;
    let id = &version.id;
    let region = id.function.region.to_string();
    let mut pairs = vec![
        ("AWS_LAMBDA_FUNCTION_NAME", id.function.name.to_string()),
        ("AWS_LAMBDA_FUNCTION_VERSION", id.version.to_string()),
        (
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
            config.memory.get().to_string(),
        ),
        ("AWS_LAMBDA_LOG_GROUP_NAME", log_group(version)),
        ("AWS_LAMBDA_LOG_STREAM_NAME", log_stream.to_owned()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".to_owned()),
        ("AWS_LAMBDA_RUNTIME_API", RUNTIME_API.to_owned()),
        ("AWS_REGION", region.clone()),
        ("AWS_DEFAULT_REGION", region),
    ];
    if !matches!(config.runtime.family(), Family::Provided | Family::Image) {
        pairs.push((
            "AWS_EXECUTION_ENV",
            format!("AWS_Lambda_{}", config.runtime),
        ));
    }
    if config.logging.format == LogFormat::Json {
        pairs.push(("AWS_LAMBDA_LOG_FORMAT", "JSON".to_owned()));
        let level = config
            .logging
            .application_level
            .as_deref()
            .unwrap_or("INFO");
        pairs.push(("AWS_LAMBDA_LOG_LEVEL", level.to_owned()));
    }
    pairs
}

fn log_group(version: &FunctionVersion) -> String {
    let given = version.config.logging.group.clone();
    given.unwrap_or_else(|| format!("/aws/lambda/{}", version.id.function.name))
}

/// The name of an environment's log stream.
pub(crate) fn log_stream(
    version: &FunctionVersion,
    at: model::Timestamp,
    environment: &str,
) -> String {
    let day = at.format("%Y/%m/%d");
    let of = version.id.version;
    if version.config.logging.group.is_some() {
        format!("{day}/{}[{of}]{environment}", version.id.function.name)
    } else {
        format!("{day}/[{of}]{environment}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn the_owner_decides_about_the_image_and_not_about_the_platform() {
        let version = fixture::version("python3.11", "app.handler");
        let all = all(
            &version,
            &[
                ("TZ", "Asia/Tokyo"),
                ("AWS_REGION", "mars-1"),
                ("_HANDLER", "x"),
                ("MINE", "1"),
            ],
            false,
        );
        let check = |name: &str, expected: &str| {
            assert_eq!(all.get(name).map(String::as_str), Some(expected), "{name}")
        };
        check("TZ", "Asia/Tokyo");
        check("MINE", "1");
        check("AWS_REGION", "us-east-1");
        check("_HANDLER", "app.handler");
        check("AWS_EXECUTION_ENV", "AWS_Lambda_python3.11");
        check("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/hello");
        check("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001");
        check("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST");
        assert!(
            !all.contains_key("AWS_ACCESS_KEY_ID") && !all.contains_key("AWS_LAMBDA_LOG_FORMAT")
        );
        let provided = fixture::version("provided.al2023", "x");
        let provided = self::all(&provided, &[], false);
        assert!(
            !provided.contains_key("AWS_EXECUTION_ENV") && !provided.contains_key("PYTHONPATH")
        );
        let node = fixture::version("nodejs22.x", "index.handler");
        let of_node = self::all(&node, &[], false);
        assert_eq!(
            of_node.get("NODE_PATH").map(String::as_str),
            Some(
                "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task"
            )
        );
        let ruby = self::all(&fixture::version("ruby3.4", "app.handler"), &[], false);
        assert_eq!(
            ruby.get("GEM_PATH").map(String::as_str),
            Some("/var/task/vendor/bundle/ruby/3.4.0:/opt/ruby/gems/3.4.0")
        );
        let own = self::all(
            &node,
            &[("NODE_PATH", "/mnt/modules"), ("JAVA_HOME", "/x")],
            false,
        );
        assert_eq!(own.get("JAVA_HOME").map(String::as_str), Some("/x"));
        assert_eq!(
            of_node.get("JAVA_HOME").map(String::as_str),
            Some("/usr/lib/jvm")
        );
        assert_eq!(
            own.get("NODE_PATH").map(String::as_str),
            Some("/mnt/modules")
        );
    }

    fn all(
        version: &FunctionVersion,
        own: &[(&str, &str)],
        has_gateway: bool,
    ) -> BTreeMap<String, String> {
        let own = own.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let own = Environment(own.collect());
        let around = Around {
            credentials: &Credentials::None,
            log_stream: "stream",
            runtime: &BTreeMap::from([("JAVA_HOME".to_owned(), "/usr/lib/jvm".to_owned())]),
            image: None,
            has_gateway,
        };
        of(version, Some(&own), &around).into_iter().collect()
    }

    #[test]
    fn an_image_brings_its_own_and_the_function_wins_over_it() {
        let mut version = fixture::version("python3.11", "app.handler");
        version.config.runtime = model::Runtime::IMAGE;
        version.config.handler = None;
        let image = [("A", "image"), ("B", "image"), ("AWS_REGION", "image")];
        let image = image.map(|(n, v)| (n.to_owned(), v.to_owned()));
        let own = Environment(BTreeMap::from([("B".to_owned(), "own".to_owned())]));
        let around = Around {
            credentials: &Credentials::None,
            log_stream: "stream",
            runtime: &BTreeMap::new(),
            image: Some(&image),
            has_gateway: false,
        };
        let all: BTreeMap<_, _> = of(&version, Some(&own), &around).into_iter().collect();
        let got = |name: &str| all.get(name).map(String::as_str);
        assert_eq!((got("A"), got("B")), (Some("image"), Some("own")));
        assert_eq!(got("AWS_REGION"), Some("us-east-1"));
        assert_eq!(got("PATH"), Some(contents::PATH));
        assert_eq!(got("LAMBDA_TASK_ROOT"), Some("/var/task"));
        for absent in [
            "_HANDLER",
            "AWS_EXECUTION_ENV",
            "LD_LIBRARY_PATH",
            "PYTHONPATH",
        ] {
            assert_eq!(got(absent), None, "{absent}");
        }
    }

    #[test]
    fn sdks_find_the_cluster_unless_the_owner_sends_them_elsewhere() {
        const LAMBDA: &str = "AWS_ENDPOINT_URL_LAMBDA";
        const STS: &str = "AWS_ENDPOINT_URL_STS";
        let version = fixture::version("python3.11", "app.handler");
        let check = |own: &[(&str, &str)], has_gateway: bool, expected: [Option<&str>; 2]| {
            let all = all(&version, own, has_gateway);
            let got = [LAMBDA, STS].map(|name| all.get(name).map(String::as_str));
            assert_eq!(got, expected, "{own:?}");
        };
        check(&[], false, [None, None]);
        check(&[], true, [Some(GATEWAY), Some(GATEWAY)]);
        let mine = "https://example.com";
        check(&[(LAMBDA, mine)], true, [Some(mine), Some(GATEWAY)]);
        check(&[(STS, mine)], true, [Some(GATEWAY), Some(mine)]);
        check(&[("AWS_ENDPOINT_URL", mine)], true, [None, None]);
    }

    #[test]
    fn log_streams() {
        let mut version = fixture::version("python3.11", "app.handler");
        let at = model::Timestamp(1_767_323_045_123);
        assert_eq!(log_stream(&version, at, "ab"), "2026/01/02/[$LATEST]ab");
        version.config.logging.group = Some("shared".into());
        assert_eq!(
            log_stream(&version, at, "ab"),
            "2026/01/02/hello[$LATEST]ab"
        );
    }
}
