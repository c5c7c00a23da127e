use std::collections::BTreeSet;

use super::{table::KEYS, *};

const MINIMAL: &str = r#"
[node]
name = "a"
data_dir = "data"

[cluster]
initial_controllers = ["a=127.0.0.1:9010"]
gossip_key_files = ["gossip.key"]
identity_dir = "/keys/a"

[[auth.keys]]
access_key_id = "AKIAEXAMPLE"
secret_file = "secret"

[[secrets.master_keys]]
id = "2026-01"
file = "master.key"
"#;

fn with_variables(text: &str, variables: &[(&str, &str)]) -> Result<NodeConfig, String> {
    let variables: Vec<_> = variables
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    parse(Path::new("/etc/dunlin/dunlin.toml"), text, &variables).map_err(|p| p.to_string())
}

fn ok(text: &str) -> NodeConfig {
    with_variables(text, &[]).unwrap()
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let problems = with_variables(text, &[]).unwrap_err();
    assert!(
        problems.contains(expected),
        "{problems}\n-- lacks --\n{expected}"
    );
}

/// The minimal file with one more line in a section.
fn minimal_and(section: &str, line: &str) -> String {
    let header = format!("[{section}]\n");
    if MINIMAL.contains(&header) {
        MINIMAL.replace(&header, &format!("{header}{line}\n"))
    } else {
        format!("{MINIMAL}\n[{section}]\n{line}\n")
    }
}

#[test]
fn a_minimal_file_gets_every_default() {
    let config = ok(MINIMAL);
    assert_eq!(config.node.roles, Roles::ALL);
    assert_eq!(config.node.data_dir, Path::new("/etc/dunlin/data"));
    assert_eq!(config.cluster.identity_dir, Path::new("/keys/a"));
    assert_eq!(config.cluster.newest_format, FORMATS.newest);
    assert_eq!(config.listen.public, "127.0.0.1:9000".parse().unwrap());
    assert_eq!(config.listen.advertise_internal, "127.0.0.1:9010");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.raft, Raft::default());
    assert_eq!(config.worker.memory, None);
    assert_eq!(config.sandbox, Sandbox::default());
    assert_eq!(config.worker.idle_expiry, Duration::from_mins(10));
    assert_eq!(config.drain_grace, Duration::from_secs(30));
    assert_eq!(config.tracing.otlp_endpoint, None);
    let Auth::SigV4(keys) = config.auth else {
        panic!("signatures are asked for by default");
    };
    assert_eq!(keys[0].account, AccountId::DEFAULT);
    assert_eq!(
        keys[0].secret,
        SecretSource::File("/etc/dunlin/secret".into())
    );
}

#[test]
fn every_key_of_the_table_is_read_and_no_other() {
    let rows = "[[network.policies]]\nname = \"api\"\negress = [\"open\"]\n\
                [[registries.hosts]]\nhost = \"images.example.com\"\n";
    let text = format!("{MINIMAL}\n{rows}");
    let sheet = read_sheet(Path::new("f"), &text, &[]).unwrap();
    assert!(assemble(&sheet).is_some());
    let table: BTreeSet<_> = KEYS.iter().map(|k| (k.section, k.name)).collect();
    assert_eq!(table.len(), KEYS.len(), "a key is in the table twice");
    assert_eq!(sheet.keys_read(), table);
}

#[test]
fn every_key_is_documented_in_sentences_under_a_known_section() {
    for key in KEYS {
        assert!(
            table::SECTIONS.iter().any(|(s, _)| *s == key.section),
            "{key:?}"
        );
        assert!(key.doc.ends_with('.') && key.doc.len() > 15, "{key:?}");
        assert_eq!(key.since.split('.').count(), 3, "{key:?}");
    }
}

#[test]
fn a_misspelt_key_is_refused_with_its_place_and_the_nearest_name() {
    refused(
        &minimal_and("node", "zoen = \"b\""),
        "/etc/dunlin/dunlin.toml:3:1: unknown key \"zoen\"; did you mean \"zone\"?",
    );
    refused(
        &minimal_and("wroker", "slots = 1"),
        "unknown section \"wroker\"; did you mean \"worker\"?",
    );
    refused(
        &minimal_and("auth", "unrelated = 1"),
        "unknown key \"unrelated\"; see `dunlin config keys`",
    );
    let key = MINIMAL.replace("secret_file", "secret_flie");
    refused(
        &key,
        "unknown key \"secret_flie\"; did you mean \"secret_file\"?",
    );
}

#[test]
fn all_problems_are_told_at_once() {
    let text = "[node]\nname = \"A b\"\nroles = [\"boss\"]\n[worker]\nslots = \"many\"\n[drain]\ngrace = 10\n";
    let problems = with_variables(text, &[]).unwrap_err();
    for expected in [
        "node.name: expected a node name",
        "node.roles: expected controller, worker or frontend",
        "node.data_dir is missing",
        "worker.slots: expected integer, got the text \"many\"",
        "drain.grace: expected duration (ms, s, m, h), got the number 10",
        "cluster.identity_dir is missing",
    ] {
        assert!(
            problems.contains(expected),
            "{problems}\n-- lacks --\n{expected}"
        );
    }
}

#[test]
fn values_outside_their_range_are_refused() {
    refused(
        &minimal_and("worker", "slots = 0"),
        "worker.slots: expected at least 1",
    );
    refused(
        &minimal_and("raft", "snapshot_every = 0"),
        "raft.snapshot_every: expected at least 1",
    );
    refused(
        &minimal_and("worker", "cpus = 0"),
        "worker.cpus: expected at least 1",
    );
    refused(
        &minimal_and("worker", "slots = -1"),
        "worker.slots: expected a number in range, got -1",
    );
    refused(
        &minimal_and("worker", "memory = \"12\""),
        "worker.memory: expected a size",
    );
    refused(
        &minimal_and("tracing", "sample_ratio = 2"),
        "expected a number from 0 to 1",
    );
    refused(
        &minimal_and("log", "format = \"xml\""),
        "expected \"text\" or \"json\", got \"xml\"",
    );
    refused(
        &minimal_and("limits", "profile = \"azure\""),
        "expected \"aws\"",
    );
    refused(
        &minimal_and("sandbox", "allow_missing = [\"walls\"]"),
        "sandbox.allow_missing",
    );
    for path in ["", "/a", "a//b", "a/", "a/../b", "."] {
        refused(
            &minimal_and("sandbox", &format!("cgroup_parent = \"{path}\"")),
            "sandbox.cgroup_parent: expected a path below the mounts of cgroups",
        );
    }
    for base in [0, 65_535, u32::MAX - 65_535] {
        refused(
            &minimal_and("sandbox", &format!("subuid_base = {base}")),
            "sandbox.subuid_base: expected 65536 to 4294901759",
        );
    }
    refused(
        &minimal_and("cluster", "newest_format = 1000"),
        "cluster.newest_format: expected a format that this build reads, 1 to",
    );
    refused("node = 1", "expected a section [node]");
    refused("[node\n", "dunlin.toml:1:");
}

#[test]
fn what_contradicts_itself_is_refused() {
    refused(
        &minimal_and("listen", "grpc = \"127.0.0.1:9000\""),
        "listen.grpc: expected an address of its own, got the one of listen.public",
    );
    refused(
        &minimal_and("listen", "internal = \"0.0.0.0:9010\""),
        "say with listen.advertise_internal which one",
    );
    refused(
        &minimal_and("listen", "tls_key_file = \"k\""),
        "a key without listen.tls_cert_file",
    );
    refused(
        &minimal_and("node", "roles = []"),
        "expected at least one role",
    );
    refused(
        &minimal_and("node", "roles = [\"worker\"]"),
        "node.roles does not hold controller",
    );
    refused(
        &MINIMAL.replace("[\"a=127.0.0.1:9010\"]", "[]"),
        "a controller must know the controllers",
    );
    refused(
        &MINIMAL.replace("[\"gossip.key\"]", "[]"),
        "expected at least one file",
    );
    refused(
        &minimal_and("auth", "mode = \"none\""),
        "asks nobody for one",
    );
    refused(
        &MINIMAL.replace("secret_file", "secret_env = \"S\"\nsecret_file"),
        "got both",
    );
    refused(
        &MINIMAL.replace("secret_file = \"secret\"", ""),
        "got neither",
    );
    let twice =
        format!("{MINIMAL}\n[[auth.keys]]\naccess_key_id = \"AKIAEXAMPLE\"\nsecret_env = \"S\"\n");
    refused(&twice, "AKIAEXAMPLE is given twice");
    let keyless = MINIMAL.split("[[auth.keys]]").next().unwrap();
    refused(keyless, "needs at least one [[auth.keys]]");
    refused(
        &format!("{keyless}\n[auth]\nmode = \"none\"\n[listen]\npublic = \"10.0.0.1:9000\"\n"),
        "must be loopback addresses",
    );
}

#[test]
fn variables_win_over_the_file() {
    let config = with_variables(
        &minimal_and("worker", "slots = 4"),
        &[
            ("DUNLIN_WORKER__SLOTS", "7"),
            ("DUNLIN_NODE__ROLES", "controller, frontend"),
            ("DUNLIN_WORKER__NEAREST_RUNTIME", "true"),
            ("DUNLIN_DRAIN__GRACE", "1m"),
            ("DUNLIN_TRACING__SAMPLE_RATIO", "1"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.worker.slots, 7);
    assert!(config.worker.nearest_runtime);
    assert!(!config.node.roles.has(Role::Worker));
    assert_eq!(config.drain_grace, Duration::from_mins(1));
    assert!((config.tracing.sample_ratio - 1.0).abs() < f64::EPSILON);
}

#[test]
fn an_object_store_is_there_whole_or_not_at_all() {
    assert_eq!(ok(MINIMAL).s3, None);
    let store =
        "[s3]\nendpoint = \"https://s3.local\"\naccess_key_id = \"STORE\"\nsecret_env = \"S\"\n";
    let text = format!("{MINIMAL}\n{store}");
    let s3 = ok(&text).s3.unwrap();
    assert_eq!(s3.endpoint.to_string(), "https://s3.local:443");
    assert!(s3.path_style && s3.ca_file.is_none());
    refused(
        &text.replace("https://s3.local", "s3.local"),
        "s3.endpoint: expected http://HOST[:PORT] or https://HOST[:PORT], got \"s3.local\"",
    );
    for (line, expected) in [
        (
            "secret_env = \"S\"\n",
            "expected secret_file or secret_env, got neither",
        ),
        (
            "endpoint = \"https://s3.local\"\n",
            "expected s3.endpoint, got none",
        ),
        (
            "access_key_id = \"STORE\"\n",
            "expected s3.access_key_id, got none",
        ),
    ] {
        refused(&text.replace(line, ""), expected);
    }
    // As AWS's own clients are told; it says nothing to a node that knows of no store.
    let aws = ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9");
    let endpoint = |variables: &[(&str, &str)]| {
        let s3 = with_variables(&text, variables).unwrap().s3;
        s3.unwrap().endpoint.to_string()
    };
    assert_eq!(endpoint(&[aws]), "http://127.0.0.1:9");
    assert_eq!(
        endpoint(&[("DUNLIN_S3__ENDPOINT", "http://own"), aws]),
        "http://own:80"
    );
    assert_eq!(with_variables(MINIMAL, &[aws]).unwrap().s3, None);
    // The endpoint of all services counts where no other is named.
    let any = ("AWS_ENDPOINT_URL", "http://127.0.0.1:8");
    assert_eq!(endpoint(&[any]), "https://s3.local:443");
    assert_eq!(endpoint(&[any, aws]), "http://127.0.0.1:9");
    let text = text.replace("endpoint = \"https://s3.local\"\n", "");
    let endpoint = |variables: &[(&str, &str)]| {
        let s3 = with_variables(&text, variables).unwrap().s3;
        s3.unwrap().endpoint.to_string()
    };
    assert_eq!(endpoint(&[any]), "http://127.0.0.1:8");
    assert_eq!(endpoint(&[any, aws]), "http://127.0.0.1:9");
    let none = ("AWS_ENDPOINT_URL_S3", "");
    assert_eq!(endpoint(&[any, none]), "http://127.0.0.1:8");
    let refused = with_variables(&text, &[none]).unwrap_err();
    assert!(
        refused.contains("expected s3.endpoint, got none"),
        "{refused}"
    );
    // A store that is told of by variables alone.
    let alone = [
        ("DUNLIN_S3__ACCESS_KEY_ID", "STORE"),
        ("DUNLIN_S3__SECRET_ENV", "S"),
    ];
    let s3 = with_variables(MINIMAL, &[alone[0], alone[1], any])
        .unwrap()
        .s3;
    assert_eq!(s3.unwrap().endpoint.to_string(), "http://127.0.0.1:8");
    assert_eq!(with_variables(MINIMAL, &[any]).unwrap().s3, None);
}

#[test]
fn unknown_and_wrong_variables_are_refused_by_name() {
    let refused = |name: &str, value: &str, expected: &str| {
        let problems = with_variables(MINIMAL, &[(name, value)]).unwrap_err();
        assert!(problems.contains(expected), "{problems}");
    };
    refused(
        "DUNLIN_NODE__ZOEN",
        "b",
        "unknown variable \"DUNLIN_NODE__ZOEN\"; did you mean \"DUNLIN_NODE__ZONE\"?",
    );
    refused(
        "DUNLIN_WORKER__SLOTS",
        "x",
        "DUNLIN_WORKER__SLOTS: worker.slots: expected a whole number",
    );
    refused(
        "DUNLIN_NODE__NAME",
        "",
        "DUNLIN_NODE__NAME: node.name: expected a node name",
    );
}

#[test]
fn a_secret_may_come_from_a_variable_of_the_operators_choice() {
    let text = MINIMAL.replace("secret_file = \"secret\"", "secret_env = \"FRONT_SECRET\"");
    let Auth::SigV4(keys) = ok(&text).auth else {
        panic!("keys are given");
    };
    assert_eq!(
        keys[0].secret,
        SecretSource::Variable("FRONT_SECRET".to_owned())
    );
    refused(
        &text.replace("FRONT_SECRET", "DUNLIN_SECRET"),
        "choose another name",
    );
}

#[test]
fn the_reference_names_every_key_once() {
    let page = document::markdown();
    for key in KEYS {
        let variable = key.variable().map(|v| format!("`{v}`"));
        if let Some(variable) = variable {
            assert_eq!(page.matches(&variable).count(), 1, "{variable}");
        }
    }
    assert_eq!(document::listing().lines().count(), KEYS.len());
}

#[test]
fn network_policies_are_what_the_operator_says_and_open_only_if_it_is_named() {
    let nothing = ok(MINIMAL).network;
    assert_eq!(nothing, Network::default());
    assert!(nothing.networks.policies.is_empty());

    let policy = "[[network.policies]]\nname = \"api\"\negress = [\"api.example.com:443\"]\n";
    let defined = ok(&format!("{MINIMAL}\n{policy}")).network;
    let names = |network: &Network| -> Vec<String> {
        let allowed = network.choices.allowed.iter();
        allowed.map(ToString::to_string).collect()
    };
    assert_eq!(names(&defined), ["api", "none"]);
    assert_eq!(defined.networks.policies.len(), 1);

    let section = "[network]\ndefault = \"api\"\nallowed = [\"open\"]\nname_servers = [\"10.0.0.2\", \"10.0.0.3:54\"]\n";
    let open = ok(&format!("{MINIMAL}\n{section}{policy}")).network;
    assert_eq!(names(&open), ["open"]);
    assert_eq!(open.choices.default.as_str(), "api");
    assert_eq!(open.networks.policies.len(), 2);
    assert_eq!(
        open.networks.name_servers[0],
        "10.0.0.2:53".parse().unwrap()
    );
}

#[test]
fn network_policies_that_cannot_be_kept_are_refused() {
    refused(
        &minimal_and("network", "default = \"api\""),
        "network.default: expected `none`, `open` or the name of one of [[network.policies]], got `api`",
    );
    refused(
        &minimal_and("network", "allowed = [\"a b\"]"),
        "network.allowed: expected the name of a network policy",
    );
    refused(
        &minimal_and("network", "range = \"10.0.0.0/24\""),
        "network.range: expected a block of length 8 to 18",
    );
    refused(
        &minimal_and("network", "forbidden = [\"10.0.0.1/8\"]"),
        "network.forbidden: expected an IPv4 block",
    );
    refused(
        &minimal_and("network", "name_servers = [\"dns\"]"),
        "network.name_servers: expected the address of a name server",
    );
    let policy = |name: &str, entry: &str| {
        format!("{MINIMAL}\n[[network.policies]]\nname = \"{name}\"\negress = [\"{entry}\"]\n")
    };
    refused(&policy("open", "open"), "`open` is built in");
    refused(
        &policy("api", "api.example.com"),
        "expected a destination and a port",
    );
    refused(&policy("api", "*:443"), "expected an IPv4 block such as");
    let twice = "\n[[network.policies]]\nname = \"api\"\negress = []\n";
    let text = format!("{}{twice}", policy("api", "open"));
    refused(&text, "api is given twice");
}
