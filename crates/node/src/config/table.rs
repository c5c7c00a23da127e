//! Every configuration key there is.

/// One key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// The table it stands in: `node`, or `auth.keys` for one entry of an array of tables.
    pub section: &'static str,
    /// Its name in that table.
    pub name: &'static str,
    /// What is written there.
    pub shape: Shape,
    /// What holds if it is not written.
    pub fallback: Fallback,
    /// The first version that knows it.
    pub since: &'static str,
    /// What it does, in sentences.
    pub doc: &'static str,
}

/// What is written at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A string.
    Text,
    /// A string that names a file or directory; relative to the directory of the configuration file.
    Path,
    /// A whole number.
    Integer,
    /// A decimal number.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// A string with a number and `ms`, `s`, `m` or `h`.
    Duration,
    /// A string with a number and `B`, `KiB`, `MiB` or `GiB`.
    Bytes,
    /// An array of strings.
    List,
    /// An array of strings that name files or directories.
    Paths,
}

/// What holds if a key is not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fallback {
    /// Nothing: it must be written.
    Required,
    /// This value, as it would stand in a variable.
    Value(&'static str),
    /// What these words say.
    Otherwise(&'static str),
}

impl Shape {
    /// How the reference names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Path => "path",
            Self::Integer => "integer",
            Self::Decimal => "decimal",
            Self::Boolean => "true or false",
            Self::Duration => "duration (`ms`, `s`, `m`, `h`)",
            Self::Bytes => "size (`B`, `KiB`, `MiB`, `GiB`)",
            Self::List => "list of texts",
            Self::Paths => "list of paths",
        }
    }
}

impl Key {
    /// Whether it stands in an entry of an array of tables, of which there may be many.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        self.section.contains('.')
    }

    /// The variable that overrides it; none for a repeated key.
    #[must_use]
    pub fn variable(&self) -> Option<String> {
        (!self.is_repeated()).then(|| {
            format!(
                "{}{}__{}",
                super::variables::PREFIX,
                self.section.to_ascii_uppercase(),
                self.name.to_ascii_uppercase()
            )
        })
    }
}

/// The sections in the order of the reference, each with what it is about.
pub const SECTIONS: &[(&str, &str)] = &[
    ("node", "Who this node is."),
    (
        "listen",
        "Where this node listens, and what it tells others about that.",
    ),
    (
        "cluster",
        "The cluster this node belongs to, and how it proves that.",
    ),
    (
        "raft",
        "How controllers keep the log of the catalog; the same on every controller. Only controllers read this section.",
    ),
    ("auth", "Who may call the public APIs."),
    (
        "auth.keys",
        "One access key; write `[[auth.keys]]` for each. There is no variable for these: put the secret into a file or a \
         variable of your own.",
    ),
    (
        "audit",
        "The audit log that each frontend keeps in `data_dir/audit`: `docs/audit.md` says what is in it and what is promised.",
    ),
    (
        "secrets",
        "What seals secrets: the environment variables of functions are in the catalog, on the disks of all nodes, only under \
         a key of their account, and that key only under a master key. A frontend needs a master key; no other role reads one, \
         and no other node should have one. Whoever loses all master keys loses every environment.",
    ),
    (
        "secrets.master_keys",
        "One master key; write `[[secrets.master_keys]]` for each. The first wraps, every one opens. To change the key: make a \
         new one with `dunlin secret-key new`, write it last on every frontend and restart them; write it first and restart \
         them again; run `dunlin secrets rewrap`; take the old one away once that says that nothing needs it.",
    ),
    (
        "s3",
        "The object store that packages are fetched from when callers name a bucket and a key instead of sending a zip \
         (`S3Bucket`, `S3Key`). Any store that speaks S3 will do. The frontend signs with this key, whoever calls: it \
         should open nothing but packages. Only frontends read this section.",
    ),
    (
        "registries",
        "Where functions of container images come from. Frontends ask registries what an image is, workers fetch it: both read \
         this section.",
    ),
    (
        "registries.hosts",
        "One registry; write `[[registries.hosts]]` for each that wants credentials, has no TLS or is vouched for by an authority \
         of your own. Hosts that registries send to, such as those of tokens, are looked up here by their names too.",
    ),
    ("worker", "How much a worker runs."),
    ("sandbox", "What confines user code."),
    (
        "network",
        "What functions may reach: nothing, unless something is said here. `docs/network.md` says how a function chooses, what is \
         never reached whatever it chose, and what a machine needs. Only workers read this section; write the same into all.",
    ),
    (
        "network.policies",
        "One network policy; write `[[network.policies]]` for each, at most 23.",
    ),
    (
        "limits",
        "What callers may send and keep. The defaults are AWS's, but for the rates of calls, which are not limited unless it is \
         said. Some an account can have of its own, in place of the cluster's: \
         `dunlin iam account put ID --limit KEY=NUMBER`, sizes in bytes.",
    ),
    ("log", "This node's own log, written to standard error."),
    ("tracing", "Where spans go."),
    ("drain", "How a node stops."),
];

const V1: &str = "0.1.0";

const fn key(
    section: &'static str,
    name: &'static str,
    shape: Shape,
    fallback: Fallback,
    doc: &'static str,
) -> Key {
    Key {
        section,
        name,
        shape,
        fallback,
        since: V1,
        doc,
    }
}

use Fallback::{Otherwise, Required, Value};
use Shape::{Boolean, Bytes, Decimal, Duration, Integer, List, Path, Paths, Text};

/// Every key, in the order of the reference.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("node", "name", Text, Required,
        "The node's name: 1 to 63 characters out of `a-z`, `0-9`, `.` and `-`, unique in the cluster and the same after a \
         restart. The node's certificate carries it."),
    key("node", "zone", Text, Value("default"),
        "The failure domain (building, room, rack row). Frontends prefer workers of their own zone; controllers belong into \
         different ones."),
    key("node", "roles", List, Value("controller,worker,frontend"),
        "What the node does: any of `controller`, `worker`, `frontend`. The node's certificate must allow each."),
    key("node", "data_dir", Path, Required,
        "Where the node keeps its Raft log, catalog, code and environments. A controller whose directory was lost comes \
         back as a new member; never copy the directory of another node."),

    key("listen", "public", Text, Value("127.0.0.1:9000"),
        "Address of the AWS API (frontends)."),
    key("listen", "grpc", Text, Value("127.0.0.1:9001"),
        "Address of the gRPC API (frontends)."),
    key("listen", "internal", Text, Value("127.0.0.1:9010"),
        "Address for the other nodes: mutual TLS over TCP, gossip over UDP on the same port."),
    key("listen", "admin", Text, Value("127.0.0.1:9020"),
        "Address of `/healthz`, `/readyz`, `/metrics`, `/status` and the status page. Plain HTTP without authentication: keep \
         it on loopback or a private network."),
    key("listen", "advertise_internal", Text, Otherwise("`listen.internal`"),
        "Where the other nodes reach this one, as `host:port`. Needed if `listen.internal` is a wildcard."),
    key("listen", "advertise_public", Text, Otherwise("`listen.public`"),
        "Where callers reach this frontend, as `host:port`. Needed if `listen.public` is a wildcard."),
    key("listen", "url_suffix", Text, Value("localhost"),
        "The domain of function URLs: a function's own is `https://ID.lambda-url.REGION.SUFFIX/`. Have a wildcard of that domain \
         resolve to the frontends, and put the same value into every frontend."),
    key("listen", "tls_cert_file", Path, Otherwise("plain HTTP"),
        "Certificate chain in PEM for the public APIs, the leaf first."),
    key("listen", "tls_key_file", Path, Otherwise("plain HTTP"),
        "Private key in PEM for `listen.tls_cert_file`."),

    key("cluster", "name", Text, Value("dunlin"),
        "The cluster's name: 1 to 63 characters out of `a-z`, `0-9`, `.` and `-`. The certificates of its nodes carry it."),
    key("cluster", "region", Text, Value("us-east-1"),
        "The region of a request that names none. A signed request names one in its credential's scope, and sees only the functions of that region."),
    key("cluster", "initial_controllers", List, Value(""),
        "The controllers that form the cluster at its very first start, as `name=host:port` of their internal addresses; the \
         same list on every controller. A controller that is not in it asks to be taken in. Not read once the node has a \
         cluster."),
    key("cluster", "seeds", List, Value(""),
        "Internal addresses (`host:port`) of some nodes to gossip with first; its own is ignored. Give each node one or two \
         of every zone."),
    key("cluster", "gossip_key_files", Paths, Required,
        "Files with a 32-byte key each, as `dunlin gossip-key` makes them. The first encrypts, every one decrypts: to change \
         the key, add the new one last everywhere, then first, then take the old one away."),
    key("cluster", "identity_dir", Path, Required,
        "Directory with `node.pem` and `node.key`, this node's certificate and key, and `ca.pem`, the authorities it trusts; \
         `dunlin ca issue` makes them."),
    key("cluster", "newest_format", Integer, Otherwise("the newest format that the build reads"),
        "Holds this node back: it reads formats of the catalog only up to this one, and tells others so, as an older build \
         would. A cluster that is formed with such a node begins with that format, so that an older build can still take \
         over; a cluster that is beyond it is refused. Leave it out otherwise."),

    key("raft", "snapshot_every", Integer, Value("5000"),
        "How many changes of the catalog come between two snapshots of it, at least 1. Entries of the log from before a snapshot \
         are removed, so that the log stays short and a restart quick; a snapshot writes the whole catalog."),
    key("raft", "snapshot_keep", Integer, Value("1000"),
        "How many changes from before the newest snapshot stay in the log. A controller that lacks more is sent the whole \
         snapshot."),

    key("auth", "mode", Text, Value("sigv4"),
        "`sigv4`: calls must be signed with one of the keys below. `none`: everybody may call, and an access key of twelve \
         digits chooses the account; refused unless the public addresses are loopback."),
    key("auth.keys", "access_key_id", Text, Required,
        "The access key id that callers configure: 4 to 128 letters, digits, `_` and `-`."),
    key("auth.keys", "secret_file", Path, Otherwise("`secret_env` is read"),
        "File with the secret access key."),
    key("auth.keys", "secret_env", Text, Otherwise("`secret_file` is read"),
        "Variable with the secret access key; its name must not begin with `DUNLIN_`."),
    key("auth.keys", "account", Text, Value("000000000000"),
        "The account of twelve digits that this key acts in."),

    key("audit", "invocations", Boolean, Value("false"),
        "Whether invocations are recorded too. Control calls always are. The record of an invocation is not waited for."),
    key("audit", "segment_size", Bytes, Value("16MiB"),
        "The size of one file, 64 KiB to 256 MiB; then the next one begins."),
    key("audit", "keep_size", Bytes, Value("1GiB"),
        "The size of all files together. The oldest are removed when a new one begins, and a record says so."),
    key("audit", "keep_files", Integer, Value("1000"),
        "The most files, at least 2."),
    key("secrets.master_keys", "id", Text, Required,
        "The key's name, the same on every frontend: 1 to 64 letters, digits, `.`, `_` and `-`. What the key wraps carries it; \
         never give it to another key."),
    key("secrets.master_keys", "file", Path, Otherwise("`env` is read"),
        "File with the key: 32 bytes, raw, in hexadecimal digits or in base64. Nobody but its owner and its group may read it, \
         and only its owner may write it."),
    key("secrets.master_keys", "env", Text, Otherwise("`file` is read"),
        "Variable with the key in hexadecimal digits or base64; its name must not begin with `DUNLIN_`."),
    key("s3", "endpoint", Text, Otherwise("packages must be sent"),
        "Where the object store is: `http://HOST[:PORT]` or `https://HOST[:PORT]`. Where this section is written, the \
         variable `AWS_ENDPOINT_URL_S3` overrides it, as in AWS's own clients; `AWS_ENDPOINT_URL` counts where no other endpoint \
         is named."),
    key("s3", "region", Text, Value("us-east-1"),
        "The region that requests to the object store are signed for."),
    key("s3", "access_key_id", Text, Otherwise("no object store"),
        "The access key id of the object store."),
    key("s3", "secret_file", Path, Otherwise("`s3.secret_env` is read"),
        "File with the secret access key of the object store."),
    key("s3", "secret_env", Text, Otherwise("`s3.secret_file` is read"),
        "Variable with the secret access key of the object store; its name must not begin with `DUNLIN_`."),
    key("s3", "path_style", Boolean, Value("true"),
        "Whether a bucket is the first part of the path. Otherwise it is a part of the host's name."),
    key("s3", "ca_file", Path, Otherwise("the authorities that the machine trusts"),
        "Authorities in PEM that may vouch for the object store, beside those that the machine trusts."),

    key("registries", "others", Boolean, Value("true"),
        "Whether registries that are not listed are asked too: by TLS, anonymously. Whoever may create functions decides then \
         which hosts this node connects to."),
    key("registries.hosts", "host", Text, Required,
        "The registry as images name it: `HOST[:PORT]`."),
    key("registries.hosts", "plain", Boolean, Value("false"),
        "Whether it is reached by HTTP without TLS."),
    key("registries.hosts", "username", Text, Otherwise("it is asked anonymously"),
        "The name that it knows this cluster by."),
    key("registries.hosts", "password_file", Path, Otherwise("`password_env` is read"),
        "File with the password, or a token in its place; white space at its end does not count."),
    key("registries.hosts", "password_env", Text, Otherwise("`password_file` is read"),
        "Variable with the password; its name must not begin with `DUNLIN_`."),
    key("registries.hosts", "ca_file", Path, Otherwise("the authorities that the machine trusts"),
        "Authorities in PEM that may vouch for it, beside those that the machine trusts."),

    key("worker", "slots", Integer, Value("128"),
        "The most environments at a time, idle ones included."),
    key("worker", "memory", Bytes, Otherwise("three quarters of the machine's memory"),
        "Memory that environments may be promised in all."),
    key("worker", "cpus", Integer, Otherwise("all of the machine's"),
        "CPUs that environments share, as other nodes are told: of workers that are equal otherwise, frontends choose one \
         that has as much left as the function's memory brings (1769 MB bring one CPU). It limits nothing."),
    key("worker", "idle_expiry", Duration, Value("10m"),
        "How long an environment may be idle before it is ended."),
    key("worker", "code_cache", Bytes, Value("4GiB"),
        "Unpacked code that is kept on disk; what is in use may be more."),
    key("worker", "image_store", Bytes, Value("20GiB"),
        "Unpacked layers of container images that are kept on disk; what is in use may be more."),
    key("worker", "interpreter_dirs", Paths, Value(""),
        "Directories with interpreters (`python3.12`, `node` and so on) to look into beside those of the service's `PATH`."),
    key("worker", "pack_dir", Path, Otherwise("`packs` in `node.data_dir`"),
        "Directory with the packs that `dunlin runtime add` puts there, one directory each: runtimes that the machine does not \
         have by itself, such as `java21`. It is read when the node starts."),
    key("worker", "nearest_runtime", Boolean, Value("false"),
        "Whether an installed version of the same language may stand in for a runtime that is not installed (Python 3.13 \
         for `python3.12`, Node.js 22 for `nodejs20.x`). Meant for development."),
    key("worker", "zygotes", Boolean, Value("true"),
        "Whether a function's Python may be a fork of one that has started already, which makes cold starts several times as \
         fast. Forks of one share the layout of their memory and the seed of their hashes, and so would a stranger's: \
         `false` gives each a start of its own."),

    key("sandbox", "allow_missing", List, Value(""),
        "Pieces of the sandbox that this machine cannot enforce and that the operator goes without, by the names that \
         `dunlin doctor` prints. A worker does not start while a piece is missing that is not named here."),
    key("sandbox", "cgroup_parent", Text, Value("dunlin"),
        "Directory below each mount of cgroups in which the worker makes one of its own for its sandboxes. A worker that is \
         not root needs one that is delegated to its user and, in version 2 of cgroups, in which it was started: \
         `system.slice/dunlin.service` for a service `dunlin` of systemd with `Delegate=yes`. `dunlin doctor --config FILE` \
         tries it."),
    key("sandbox", "subuid_base", Integer, Value("1879048192"),
        "First of 65536 user and group ids of the machine that belong to nobody else; each sandbox of a worker that is root \
         has one of them. In a container or another user namespace it must be a range that is mapped there. Other workers \
         run their sandboxes as their own user."),

    key("network", "default", Text, Value("none"),
        "The policy of functions that name none: `none`, `open`, or the name of one of `[[network.policies]]`."),
    key("network", "allowed", List, Value(""),
        "The policies that functions may name in their tag `dunlin:network`. If it is empty: `none` and every one of \
         `[[network.policies]]`. `open`, which lets through everything but what is never reached, must be named."),
    key("network", "range", Text, Value("198.18.0.0/15"),
        "IPv4 addresses for the links between sandboxes and this machine, as a block of length 8 to 18. No sandbox reaches \
         anything else that has one of them. Nodes of one machine share it."),
    key("network", "forbidden", List, Value(""),
        "IPv4 blocks that no function reaches, whatever its policy, besides loopback, link-local, multicast, metadata services, \
         and the addresses of this machine and of the nodes of the cluster: say here what else of the cluster is out of bounds, \
         such as the network of its controllers or of Kubernetes' pods and services."),
    key("network", "name_servers", List, Value(""),
        "Who answers functions with a policy about names, as `address` or `address:port`. If it is empty: the name servers of \
         `/etc/resolv.conf`, looked up for each new environment."),

    key("network.policies", "name", Text, Required,
        "Its name: 1 to 32 characters out of `a-z`, `0-9` and `-`, a letter first."),
    key("network.policies", "egress", List, Required,
        "Where functions with it may go over TCP and UDP: `10.1.0.0/16:443`, `10.0.0.7:8000-8010`, `10.0.0.8:*`, \
         `api.example.com:443`, or `*.example.org:443` for every name below `example.org`. A name can have up to 16 ports, \
         and only names on the list are resolved. `open` alone lets through all that `open` does. At most 128 entries."),

    key("limits", "profile", Text, Value("aws"),
        "Whose values the other keys of this section start from. Only `aws` exists."),
    key("limits", "request_payload", Bytes, Value("6MiB"),
        "Payload of a synchronous invocation."),
    key("limits", "response_payload", Bytes, Value("6291556B"),
        "Response of a synchronous invocation."),
    key("limits", "streamed_response", Bytes, Value("200MiB"),
        "Response of an invocation that streams it."),
    key("limits", "code_zipped", Bytes, Value("50MiB"),
        "A deployment package as uploaded."),
    key("limits", "code_unzipped", Bytes, Value("250MiB"),
        "A deployment package on disk."),
    key("limits", "code_entries", Integer, Value("100000"),
        "Files and directories in a deployment package."),
    key("limits", "control_body", Bytes, Value("70167211B"),
        "Body of a control request, base64 included."),
    key("limits", "environment", Bytes, Value("4KiB"),
        "Environment variables of a function, measured as compact JSON."),
    key("limits", "tags", Integer, Value("50"),
        "Tags on one resource."),
    key("limits", "filters", Integer, Value("5"),
        "Filters of one event source mapping."),
    key("limits", "aliases", Integer, Value("10000"),
        "Aliases of one function."),
    key("limits", "concurrent_executions", Integer, Value("1000"),
        "Concurrent executions of one account."),
    key("limits", "unreserved_executions_min", Integer, Value("100"),
        "Concurrent executions of one account that no function may reserve."),
    key("limits", "policy", Bytes, Value("20KiB"),
        "A resource-based policy; at most `24KiB`."),
    key("limits", "code_storage", Bytes, Value("75GiB"),
        "Stored code of one account."),
    key("limits", "control_rate", Integer, Value("0"),
        "Control calls of one account that a frontend serves in a second, but for `GetFunction` and `GetPolicy`; `0` for any \
         number. AWS has 15. More are answered with TooManyRequestsException, as on AWS, and SDKs try again."),
    key("limits", "get_function_rate", Integer, Value("0"),
        "Calls of `GetFunction` of one account that a frontend serves in a second; `0` for any number. AWS has 100."),
    key("limits", "get_policy_rate", Integer, Value("0"),
        "Calls of `GetPolicy` of one account that a frontend serves in a second; `0` for any number. AWS has 15."),
    key("limits", "log_tail", Bytes, Value("4KiB"),
        "Tail of the log that can come back with an invocation."),
    key("limits", "init_timeout", Duration, Value("10s"),
        "How long an environment may initialise on its own before the first invocation's timeout takes over."),

    key("log", "format", Text, Value("text"),
        "`text` for people, `json` for one object a line."),
    key("log", "level", Text, Value("info"),
        "`error`, `warn`, `info`, `debug` or `trace`; or a list such as `info,routing=debug`."),

    key("tracing", "otlp_endpoint", Text, Otherwise("no spans are sent"),
        "URL of an OTLP collector over gRPC without TLS, such as `http://127.0.0.1:4317`: run one on each machine."),
    key("tracing", "sample_ratio", Decimal, Value("0.01"),
        "Share of the traces begun here that is sent, 0 to 1. A trace that a caller began keeps the caller's decision."),

    key("drain", "grace", Duration, Value("30s"),
        "How long a node that was told to stop waits for work under way. A second signal ends it at once."),
];

/// The key of that name in that section.
#[must_use]
pub fn find(section: &str, name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|k| k.section == section && k.name == name)
}
