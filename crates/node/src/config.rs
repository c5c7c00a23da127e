//! Configuration: one TOML file, overridden variable by variable, checked whole before anything binds.
//!
//! [`table::KEYS`] is the single list of keys: it drives the parser, the reference in `docs/configuration.md` and
//! `dunlin config keys`. [`parse`] is a pure function of a file's text and of a list of variables; it answers every
//! problem at once, each with its place. What the files named here contain (keys, certificates, secrets) is read by
//! [`crate::material`].

mod confinement;
pub mod document;
mod file;
mod nearest;
mod network;
mod problem;
mod raft;
mod registries;
mod scope;
pub mod table;
#[cfg(test)]
mod tests;
pub(crate) mod units;
mod variables;
mod worker;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::Duration,
};

use frontend::Endpoint;
use model::{
    AccountId, ByteCount, Limits, MasterKeyId, NodeName, Region, Role, Roles, Zone,
    limits::POLICY_MAX,
};
use proto::FORMATS;

pub use confinement::Sandbox;
pub use network::Network;
pub use problem::{Place, Problem, Problems};
pub use raft::Raft;
pub use registries::{Registries, Registry};
use scope::{Scope, Sheet};
pub use worker::Worker;

/// A file of the audit log is read whole when it is verified.
const SEGMENT_SIZES: RangeInclusive<ByteCount> = ByteCount(64 << 10)..=ByteCount::mib(256);

/// Everything that one node is told before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    /// Who it is.
    pub node: Node,
    /// Where it listens.
    pub listen: Listen,
    /// The cluster it belongs to.
    pub cluster: Cluster,
    /// How the controllers keep their log.
    pub raft: Raft,
    /// Who may call.
    pub auth: Auth,
    /// How its audit log is kept.
    pub audit: Audit,
    /// The master keys, the current one first. Only frontends have any.
    pub master_keys: Vec<MasterKeyFile>,
    /// Where packages lie that callers name instead of sending.
    pub s3: Option<S3>,
    /// Where functions of container images come from.
    pub registries: Registries,
    /// How much it runs.
    pub worker: Worker,
    /// What confines what it runs.
    pub sandbox: Sandbox,
    /// What that may reach.
    pub network: Network,
    /// What callers may send and keep.
    pub limits: Limits,
    /// Its own log.
    pub log: Log,
    /// Where spans go.
    pub tracing: Tracing,
    /// How long a drain waits for work under way.
    pub drain_grace: Duration,
}

/// Who a node is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its name, unique in the cluster.
    pub name: NodeName,
    /// Its failure domain.
    pub zone: Zone,
    /// What it does; at least one.
    pub roles: Roles,
    /// What it keeps.
    pub data_dir: PathBuf,
}

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// The AWS API.
    pub public: SocketAddr,
    /// The gRPC API.
    pub grpc: SocketAddr,
    /// Other nodes: mutual TLS over TCP, gossip over UDP.
    pub internal: SocketAddr,
    /// Health, metrics and status.
    pub admin: SocketAddr,
    /// Where other nodes reach `internal`.
    pub advertise_internal: String,
    /// Where callers reach `public`.
    pub advertise_public: String,
    /// The domain of function URLs.
    pub url_suffix: String,
    /// TLS of `public` and `grpc`; plain without.
    pub tls: Option<TlsFiles>,
}

/// A certificate chain and its key, as PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the leaf first.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// The cluster a node belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cluster {
    /// Its name: nodes of different clusters do not hear each other.
    pub name: String,
    /// The region in ARNs and signatures.
    pub region: Region,
    /// The controllers that form the cluster at its first start, and where they are.
    pub initial_controllers: BTreeMap<NodeName, String>,
    /// Whom to gossip with first.
    pub seeds: Vec<String>,
    /// Gossip keys: the first one encrypts, any of them decrypts.
    pub gossip_key_files: Vec<PathBuf>,
    /// The directory with this node's certificate and key, and the authorities it trusts.
    pub identity_dir: PathBuf,
    /// The newest format of the catalog that this node reads.
    pub newest_format: u32,
}

/// Who may call the public APIs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Auth {
    /// Anybody; an access key of twelve digits chooses the account. For development.
    Open,
    /// Callers that sign with one of these keys.
    SigV4(Vec<AccessKey>),
}

/// One access key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessKey {
    /// Its public half.
    pub id: String,
    /// Where its secret half is.
    pub secret: SecretSource,
    /// The account that its owner acts in.
    pub account: AccountId,
}

/// A master key, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterKeyFile {
    /// Its name in the catalog.
    pub id: MasterKeyId,
    /// Where it is read from.
    pub source: SecretSource,
}

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretSource {
    /// A file; white space at its end does not count.
    File(PathBuf),
    /// An environment variable.
    Variable(String),
}

/// How the audit log of a frontend is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// Whether invocations are recorded, besides control calls.
    pub invocations: bool,
    /// The size of one file.
    pub segment_size: ByteCount,
    /// The size of all files.
    pub keep_size: ByteCount,
    /// The most files.
    pub keep_files: usize,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            invocations: false,
            segment_size: ByteCount::mib(16),
            keep_size: ByteCount::mib(1024),
            keep_files: 1000,
        }
    }
}

/// An object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3 {
    /// Where it is.
    pub endpoint: Endpoint,
    /// The region that requests are signed for.
    pub region: Region,
    /// The access key id.
    pub access_key_id: String,
    /// Where its secret is.
    pub secret: SecretSource,
    /// Whether a bucket is a part of the path, and not of the host's name.
    pub path_style: bool,
    /// Authorities to trust beside the machine's.
    pub ca_file: Option<PathBuf>,
}

/// A node's own log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// Which lines are written, as `level` or `target=level,…`.
    pub level: String,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Where spans go.
#[derive(Clone, Debug, PartialEq)]
pub struct Tracing {
    /// An OTLP collector over gRPC, such as `http://127.0.0.1:4317`.
    pub otlp_endpoint: Option<String>,
    /// The share of traces that is sent, 0 to 1.
    pub sample_ratio: f64,
}

/// Reads a configuration: the text of `file`, then every variable that begins with `DUNLIN_`, which wins. Paths in it are
/// relative to the file's directory.
///
/// # Errors
/// Every problem found, each with its place.
pub fn parse(
    file: &Path,
    text: &str,
    variables: &[(String, String)],
) -> Result<NodeConfig, Problems> {
    let sheet = read_sheet(file, text, variables)?;
    let config = assemble(&sheet);
    let problems = sheet.into_problems();
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Problems(problems)),
    }
}

fn read_sheet(file: &Path, text: &str, variables: &[(String, String)]) -> Result<Sheet, Problems> {
    let mut sheet = Sheet::new(file.parent().unwrap_or(Path::new("")));
    file::read(file, text, &mut sheet)?;
    variables::read(variables, &mut sheet);
    Ok(sheet)
}

fn assemble(sheet: &Sheet) -> Option<NodeConfig> {
    // Every section is looked at before the first `?`, so that all problems are told at once.
    let node = node(&sheet.section("node"));
    let listen = listen(&sheet.section("listen"));
    let cluster = cluster(&sheet.section("cluster"), node.as_ref());
    let raft = raft::raft(&sheet.section("raft"));
    let auth = auth(sheet, node.as_ref(), listen.as_ref());
    let audit = audit(&sheet.section("audit"));
    let master_keys = master_keys(sheet, node.as_ref());
    let s3 = s3(&sheet.section("s3"));
    let registries = registries::registries(sheet);
    let worker = worker::worker(&sheet.section("worker"));
    let sandbox = confinement::sandbox(&sheet.section("sandbox"));
    let network = network::network(sheet);
    let limits = limits(&sheet.section("limits"));
    let log = log(&sheet.section("log"));
    let tracing = tracing(&sheet.section("tracing"));
    let drain_grace = sheet.section("drain").duration("grace");
    Some(NodeConfig {
        node: node?,
        listen: listen?,
        cluster: cluster?,
        raft: raft?,
        auth: auth?,
        audit: audit?,
        master_keys,
        s3,
        registries: registries?,
        worker: worker?,
        sandbox: sandbox?,
        network: network?,
        limits: limits?,
        log: log?,
        tracing: tracing?,
        drain_grace: drain_grace?,
    })
}

fn node(scope: &Scope<'_>) -> Option<Node> {
    let name = scope.parse("name");
    let zone = scope.parse("zone");
    let roles = scope.list::<Role>("roles");
    let data_dir = scope.path("data_dir");
    let roles: Roles = roles?.into_iter().collect();
    if roles.is_empty() {
        scope.refuse("roles", "expected at least one role, got none");
        return None;
    }
    Some(Node {
        name: name?,
        zone: zone?,
        roles,
        data_dir: data_dir?,
    })
}

fn listen(scope: &Scope<'_>) -> Option<Listen> {
    let addresses =
        ["public", "grpc", "internal", "admin"].map(|name| (name, scope.parse::<SocketAddr>(name)));
    let mut seen: Vec<(&str, SocketAddr)> = Vec::new();
    for (name, address) in addresses {
        let Some(address) = address else { continue };
        if let Some((other, _)) = seen.iter().find(|(_, a)| *a == address && a.port() != 0) {
            scope.refuse(
                name,
                format!("expected an address of its own, got the one of listen.{other}"),
            );
        }
        seen.push((name, address));
    }
    let advertised = |key: &'static str, of: &'static str, address: Option<SocketAddr>| {
        let told = scope.parse::<String>(key);
        match (told, address) {
            (Some(told), _) => Some(told),
            (None, Some(a)) if a.ip().is_unspecified() => {
                scope.refuse(of, format!("{a} is every address of this machine: say with listen.{key} which one others connect to"));
                None
            }
            (None, a) => a.map(|a| a.to_string()),
        }
    };
    let [(_, public), (_, grpc), (_, internal), (_, admin)] = addresses;
    let advertise_internal = advertised("advertise_internal", "internal", internal);
    let advertise_public = advertised("advertise_public", "public", public);
    let url_suffix = scope.parse::<units::DomainName>("url_suffix");
    let tls = match (scope.path("tls_cert_file"), scope.path("tls_key_file")) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
        (Some(_), None) => {
            scope.refuse("tls_cert_file", "a certificate without listen.tls_key_file");
            None
        }
        (None, Some(_)) => {
            scope.refuse("tls_key_file", "a key without listen.tls_cert_file");
            None
        }
        (None, None) => None,
    };
    Some(Listen {
        public: public?,
        grpc: grpc?,
        internal: internal?,
        admin: admin?,
        advertise_internal: advertise_internal?,
        advertise_public: advertise_public?,
        url_suffix: url_suffix?.0,
        tls,
    })
}

fn cluster(scope: &Scope<'_>, node: Option<&Node>) -> Option<Cluster> {
    let name = scope.parse::<units::ClusterName>("name");
    let region = scope.parse("region");
    let controllers = scope.list::<units::NamedAddress>("initial_controllers");
    let seeds = scope.list::<units::HostPort>("seeds");
    let gossip_key_files = scope.paths("gossip_key_files");
    let identity_dir = scope.path("identity_dir");
    let newest_format = scope.integer("newest_format").unwrap_or(FORMATS.newest);
    if !FORMATS.reads(newest_format) {
        let (oldest, newest) = (FORMATS.oldest, FORMATS.newest);
        scope.refuse(
            "newest_format",
            format!(
                "expected a format that this build reads, {oldest} to {newest}, got {newest_format}"
            ),
        );
    }

    let mut initial_controllers = BTreeMap::new();
    for units::NamedAddress { name, address } in controllers? {
        if initial_controllers.insert(name.clone(), address).is_some() {
            scope.refuse("initial_controllers", format!("{name} is named twice"));
        }
    }
    if let Some(node) = node {
        let controls = node.roles.has(Role::Controller);
        if controls && initial_controllers.is_empty() {
            scope.refuse(
                "initial_controllers",
                "a controller must know the controllers that form the cluster, itself included if it is one of them",
            );
        }
        if !controls && initial_controllers.contains_key(&node.name) {
            scope.refuse(
                "initial_controllers",
                format!(
                    "{} is named here, but node.roles does not hold controller",
                    node.name
                ),
            );
        }
    }
    if gossip_key_files.as_ref().is_some_and(Vec::is_empty) {
        scope.refuse("gossip_key_files", "expected at least one file, got none");
    }
    Some(Cluster {
        name: name?.0,
        region: region?,
        initial_controllers,
        seeds: seeds?.into_iter().map(|s| s.0).collect(),
        gossip_key_files: gossip_key_files?,
        identity_dir: identity_dir?,
        newest_format,
    })
}

fn auth(sheet: &Sheet, node: Option<&Node>, listen: Option<&Listen>) -> Option<Auth> {
    let scope = sheet.section("auth");
    let mode = scope.word("mode", &["sigv4", "none"])?;
    let rows = sheet.rows("auth.keys");
    if mode == "none" {
        if let Some(row) = rows.first() {
            row.refuse_all("a key, although auth.mode = \"none\" asks nobody for one");
        }
        if listen.is_some_and(|l| !l.public.ip().is_loopback() || !l.grpc.ip().is_loopback()) {
            scope.refuse(
                "mode",
                "\"none\" lets everybody in: listen.public and listen.grpc must be loopback addresses",
            );
        }
        return Some(Auth::Open);
    }
    let mut keys: Vec<AccessKey> = Vec::new();
    for row in &rows {
        let Some(key) = access_key(row) else { continue };
        if keys.iter().any(|k| k.id == key.id) {
            row.refuse("access_key_id", format!("{} is given twice", key.id));
        }
        keys.push(key);
    }
    if rows.is_empty() && node.is_some_and(|n| n.roles.has(Role::Frontend)) {
        scope.refuse(
            "mode",
            "\"sigv4\" needs at least one [[auth.keys]], or nobody can call this frontend",
        );
    }
    Some(Auth::SigV4(keys))
}

fn access_key(row: &Scope<'_>) -> Option<AccessKey> {
    let id = row.parse::<units::AccessKeyId>("access_key_id");
    let account = row.parse("account");
    let secret = secret_source(row, "secret_file", "secret_env");
    Some(AccessKey {
        id: id?.0,
        secret: secret?,
        account: account?,
    })
}

/// The one of two keys that says where a secret is.
fn secret_source(row: &Scope<'_>, file: &'static str, env: &'static str) -> Option<SecretSource> {
    let (path, variable) = (row.path(file), row.parse(env));
    chosen_source(row, (file, path), (env, variable))
}

/// The same of keys that were read.
fn chosen_source(
    row: &Scope<'_>,
    (file, path): (&'static str, Option<PathBuf>),
    (env, variable): (&'static str, Option<String>),
) -> Option<SecretSource> {
    match (path, variable) {
        (Some(path), None) => Some(SecretSource::File(path)),
        (None, Some(name)) if name.starts_with(variables::PREFIX) => {
            row.refuse(
                env,
                "variables that begin with DUNLIN_ are configuration keys; choose another name",
            );
            None
        }
        (None, Some(name)) => Some(SecretSource::Variable(name)),
        (None, None) => {
            row.refuse_all(format!("expected {file} or {env}, got neither"));
            None
        }
        (Some(_), Some(_)) => {
            row.refuse(env, format!("expected {file} or {env}, got both"));
            None
        }
    }
}

fn master_keys(sheet: &Sheet, node: Option<&Node>) -> Vec<MasterKeyFile> {
    let rows = sheet.rows("secrets.master_keys");
    let mut keys: Vec<MasterKeyFile> = Vec::new();
    for row in &rows {
        let (id, source) = (row.parse("id"), secret_source(row, "file", "env"));
        let (Some(id), Some(source)) = (id, source) else {
            continue;
        };
        if keys.iter().any(|k| k.id == id) {
            row.refuse("id", format!("{id} is given twice"));
        }
        keys.push(MasterKeyFile { id, source });
    }
    if rows.is_empty() && node.is_some_and(|n| n.roles.has(Role::Frontend)) {
        sheet.section("secrets").refuse_all(
            "a frontend needs a master key to seal environment variables with: make one with `dunlin secret-key new FILE`, \
             copy it to every frontend and name it in [[secrets.master_keys]] with an id and a file",
        );
    }
    keys
}

fn audit(scope: &Scope<'_>) -> Option<Audit> {
    let invocations = scope.boolean("invocations");
    let segment_size = scope.bytes("segment_size");
    let keep_size = scope.bytes("keep_size");
    let keep_files = scope.integer::<u32>("keep_files");
    if segment_size.is_some_and(|size| !SEGMENT_SIZES.contains(&size)) {
        scope.refuse("segment_size", "expected 64KiB to 256MiB");
    }
    if keep_size < segment_size {
        scope.refuse("keep_size", "expected at least audit.segment_size");
    }
    if keep_files.is_some_and(|files| files < 2) {
        scope.refuse("keep_files", "expected at least 2: one is being written");
    }
    Some(Audit {
        invocations: invocations?,
        segment_size: segment_size?,
        keep_size: keep_size?,
        keep_files: usize::try_from(keep_files?).unwrap_or(usize::MAX),
    })
}

/// Everything or nothing: a store without a key, or a key without a store, is a mistake.
fn s3(scope: &Scope<'_>) -> Option<S3> {
    let endpoint = scope.parse::<Endpoint>("endpoint");
    let region = scope.parse("region");
    let access_key_id = scope.parse::<units::AccessKeyId>("access_key_id");
    let path_style = scope.boolean("path_style");
    let ca_file = scope.path("ca_file");
    // Read before anything else is decided: a key that nobody reads counts as unknown.
    let (file, variable) = (scope.path("secret_file"), scope.parse("secret_env"));
    let is_written = |name| scope.is_written(name);
    let keys = ["endpoint", "access_key_id", "secret_file", "secret_env"];
    if !keys.into_iter().any(is_written) {
        return None;
    }
    if !is_written("endpoint") {
        scope.refuse_all("expected s3.endpoint, got none");
    }
    if !is_written("access_key_id") {
        scope.refuse_all("expected s3.access_key_id, got none");
    }
    let secret = chosen_source(scope, ("secret_file", file), ("secret_env", variable));
    Some(S3 {
        endpoint: endpoint?,
        region: region?,
        access_key_id: access_key_id?.0,
        secret: secret?,
        path_style: path_style?,
        ca_file,
    })
}

fn limits(scope: &Scope<'_>) -> Option<Limits> {
    let _profile = scope.word("profile", &["aws"]);
    let request_payload = scope.bytes("request_payload");
    let response_payload = scope.bytes("response_payload");
    let streamed_response = scope.bytes("streamed_response");
    let code_zipped = scope.bytes("code_zipped");
    let code_unzipped = scope.bytes("code_unzipped");
    let code_entries = scope.integer("code_entries");
    let control_body = scope.bytes("control_body");
    let environment = scope.bytes("environment");
    let tags = scope.integer("tags");
    let filters = scope.integer("filters");
    let aliases = scope.integer("aliases");
    let concurrent_executions = scope.integer("concurrent_executions");
    let unreserved_executions_min = scope.integer("unreserved_executions_min");
    let policy = scope.bytes("policy");
    if policy.is_some_and(|p| p > POLICY_MAX) {
        scope.refuse(
            "policy",
            "expected at most 24KiB: a policy is kept in one record",
        );
    }
    let code_storage = scope.bytes("code_storage");
    let control_rate = scope.integer("control_rate");
    let get_function_rate = scope.integer("get_function_rate");
    let get_policy_rate = scope.integer("get_policy_rate");
    let log_tail = scope.bytes("log_tail");
    let init_timeout = scope.duration("init_timeout");
    Some(Limits {
        request_payload: request_payload?,
        response_payload: response_payload?,
        streamed_response: streamed_response?,
        code_zipped: code_zipped?,
        code_unzipped: code_unzipped?,
        code_entries: code_entries?,
        control_body: control_body?,
        environment: environment?,
        tags: tags?,
        filters: filters?,
        aliases: aliases?,
        concurrent_executions: concurrent_executions?,
        unreserved_executions_min: unreserved_executions_min?,
        policy: policy?,
        code_storage: code_storage?,
        control_rate: control_rate?,
        get_function_rate: get_function_rate?,
        get_policy_rate: get_policy_rate?,
        log_tail: log_tail?,
        init_timeout: init_timeout?,
    })
}

fn log(scope: &Scope<'_>) -> Option<Log> {
    let format = scope.word("format", &["text", "json"]);
    let level = scope.parse::<units::LogFilter>("level");
    Some(Log {
        format: if format? == "json" {
            LogFormat::Json
        } else {
            LogFormat::Text
        },
        level: level?.0,
    })
}

fn tracing(scope: &Scope<'_>) -> Option<Tracing> {
    let otlp_endpoint = scope.parse::<units::HttpUrl>("otlp_endpoint");
    let sample_ratio = scope.parse::<units::Ratio>("sample_ratio");
    Some(Tracing {
        otlp_endpoint: otlp_endpoint.map(|u| u.0),
        sample_ratio: sample_ratio?.0,
    })
}
