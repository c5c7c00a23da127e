//! House rules that a compiler does not check. Each test names what is wrong and where; `docs/` and the crates are read
//! as they lie in the working tree.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test helper may give up"
)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package, PackageId};

/// Which crate depends on which of ours, as `ARCHITECTURE.md` has it too. Roles meet only in `proto`; an arrow that is not
/// here needs a reason and an entry in `docs/adr/`, and one that no manifest needs any more goes away.
const ARROWS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("package", &["model"]),
    ("image", &["model", "host"]),
    ("policy", &["model"]),
    ("pattern", &[]),
    ("lambda-api", &["model", "package", "policy", "pattern"]),
    ("seal", &["model"]),
    ("proto", &["model"]),
    ("state", &["model"]),
    ("host", &["model"]),
    ("audit", &["model", "host"]),
    ("replica", &["model", "proto", "host"]),
    ("catalog", &["model", "proto", "host", "state", "seal"]),
    ("sandbox", &["model"]),
    ("runtime-api", &["model", "host"]),
    (
        "routing",
        &["model", "proto", "host", "state", "seal", "catalog"],
    ),
    (
        "controller",
        &["model", "proto", "host", "state", "catalog", "replica"],
    ),
    (
        "worker",
        &[
            "model",
            "proto",
            "host",
            "sandbox",
            "runtime-api",
            "package",
            "image",
            "pattern",
            "seal",
        ],
    ),
    (
        "frontend",
        &[
            "model",
            "lambda-api",
            "proto",
            "host",
            "state",
            "policy",
            "seal",
            "catalog",
            "routing",
            "package",
            "image",
            "audit",
        ],
    ),
    (
        "node",
        &[
            "model",
            "lambda-api",
            "proto",
            "state",
            "seal",
            "host",
            "replica",
            "catalog",
            "sandbox",
            "image",
            "routing",
            "controller",
            "worker",
            "frontend",
            "audit",
            "chaos",
        ],
    ),
    ("faultfs", &["model", "host"]),
    ("chaos", &["model", "host", "faultfs"]),
    (
        "sim",
        &[
            "model",
            "package",
            "lambda-api",
            "proto",
            "state",
            "seal",
            "host",
            "replica",
            "catalog",
            "sandbox",
            "runtime-api",
            "routing",
            "controller",
            "worker",
            "frontend",
            "audit",
            "node",
        ],
    ),
];

/// Crates that hold decisions: no runtime, no clock, no network reaches them, not even through a library.
const PURE: [&str; 7] = [
    "model",
    "package",
    "policy",
    "pattern",
    "lambda-api",
    "seal",
    "state",
];

/// Names that say nothing.
const EMPTY_NAMES: [&str; 10] = [
    "utils", "util", "common", "helpers", "helper", "misc", "manager", "handler", "data", "info",
];

/// Texts that must not stand in code, why, and the files where they may.
const BANNED: &[(&str, &str, &[&str])] = &[
    (
        "tokio::spawn(",
        "spawn through host::Tasks, with a kind",
        // The one place; and what stands in for another process in a test.
        &[
            "crates/host/src/task.rs",
            "crates/routing/tests/dispatch/fake.rs",
        ],
    ),
    ("#[ignore", "a test runs or does not exist", &[]),
    ("todo!(", "unfinished", &[]),
    ("unimplemented!(", "unfinished", &[]),
    ("TODO", "unfinished", &[]),
    ("FIXME", "unfinished", &[]),
    ("std::sync::Mutex", "parking_lot has no poisoning", &[]),
    ("std::sync::RwLock", "parking_lot has no poisoning", &[]),
    ("unbounded_channel", "every queue has a bound", &[]),
    ("dbg!(", "left over", &[]),
];

const LINES_MAX: usize = 700;

#[test]
fn crates_depend_only_as_the_table_says() {
    let metadata = metadata();
    let table: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let ours = members(&metadata);
    let mut wrong = Vec::new();
    for package in &ours {
        let Some(allowed) = table.get(package.name.as_str()) else {
            wrong.push(format!("{} is not in the table", package.name));
            continue;
        };
        let is_ours = |name: &str| ours.iter().any(|p| p.name.as_str() == name);
        let named = package.dependencies.iter().map(|d| d.name.as_str());
        let used: BTreeSet<&str> = named.filter(|name| is_ours(name)).collect();
        let allowed: BTreeSet<&str> = allowed.iter().copied().collect();
        for arrow in used.difference(&allowed) {
            wrong.push(format!("{} → {arrow} is not in the table", package.name));
        }
        for arrow in allowed.difference(&used) {
            wrong.push(format!("{} → {arrow} is in no manifest", package.name));
        }
    }
    for (name, _) in ARROWS {
        if !ours.iter().any(|p| p.name.as_str() == *name) {
            wrong.push(format!("{name} is no crate"));
        }
    }
    none(
        "arrows between crates that are not as the table says",
        &wrong,
    );
}

#[test]
fn the_code_map_says_what_the_table_says() {
    let table: BTreeMap<&str, BTreeSet<&str>> = ARROWS
        .iter()
        .map(|(name, arrows)| (*name, arrows.iter().copied().collect()))
        .collect();
    let page = read(Path::new("ARCHITECTURE.md"));
    let map = code_map(&page);
    let mut wrong = Vec::new();
    for name in table.keys().chain(map.keys()).collect::<BTreeSet<_>>() {
        if table.get(name) != map.get(name) {
            wrong.push(format!(
                "{name}: {:?}, the table has {:?}",
                map.get(name),
                table.get(name)
            ));
        }
    }
    none("the code map of ARCHITECTURE.md", &wrong);
}

/// What each crate depends on, by the rows of the code map: ``| `name` | what | arrows |``.
fn code_map(page: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let section = page.split("## Code map").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    section
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let name = cells.next()?.strip_suffix('`')?;
            let arrows = cells.last()?.strip_suffix(" |")?;
            let arrows = arrows.split(", ").filter(|arrow| *arrow != "–");
            Some((name, arrows.collect()))
        })
        .collect()
}

#[test]
fn the_code_map_is_read_by_its_rows() {
    let page = "## Code map\n| crate | what | may depend on |\n|---|---|---|\n| `a` | the a | – |\n| `b` | of b, c | a, c |\n\n## On\n| `x` | y | z |\n";
    let expected = [("a", vec![]), ("b", vec!["a", "c"])];
    let expected: BTreeMap<&str, BTreeSet<&str>> = expected
        .into_iter()
        .map(|(name, arrows)| (name, arrows.into_iter().collect()))
        .collect();
    assert_eq!(code_map(page), expected);
}

#[test]
fn pure_crates_see_no_runtime() {
    let metadata = metadata();
    let resolve = metadata.resolve.as_ref().unwrap();
    let edges: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = node
                .deps
                .iter()
                .filter(|d| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal));
            (&node.id, normal.map(|d| &d.pkg).collect())
        })
        .collect();
    let mut wrong = Vec::new();
    for package in members(&metadata) {
        if !PURE.contains(&package.name.as_str()) {
            continue;
        }
        let mut seen = BTreeSet::new();
        let mut next = vec![&package.id];
        while let Some(id) = next.pop() {
            if seen.insert(id) {
                next.extend(edges.get(id).into_iter().flatten());
            }
        }
        for id in seen {
            let name = metadata[id].name.as_str();
            if ["tokio", "hyper", "tonic", "rustls", "rand"].contains(&name) {
                wrong.push(format!("{} reaches {name}", package.name));
            }
        }
    }
    none("pure crates that reach a runtime", &wrong);
}

#[test]
fn manifests_look_alike() {
    let metadata = metadata();
    let mut wrong = Vec::new();
    for package in members(&metadata) {
        let name = package.name.as_str();
        if package.publish != Some(Vec::new()) {
            wrong.push(format!("{name}: expected publish = false"));
        }
        let manifest = PathBuf::from(package.manifest_path.as_std_path());
        if manifest.parent().and_then(Path::file_name) != Some(name.as_ref()) {
            wrong.push(format!("{name}: the folder has another name"));
        }
        let text = fs::read_to_string(&manifest).unwrap();
        let table: toml::Table = text.parse().unwrap();
        if table["lints"]["workspace"].as_bool() != Some(true) {
            wrong.push(format!("{name}: expected the lints of the workspace"));
        }
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = table.get(section).and_then(|s| s.as_table()) else {
                continue;
            };
            for (dependency, value) in dependencies {
                if value.get("workspace").and_then(toml::Value::as_bool) != Some(true) {
                    wrong.push(format!("{name}: {dependency} has a version of its own"));
                }
            }
        }
    }
    none("manifests", &wrong);
}

#[test]
fn names_say_something() {
    let wrong: Vec<_> = files(&["crates", "deploy"])
        .into_iter()
        .filter(|path| {
            let stem = path.file_stem().and_then(|s| s.to_str()).unwrap_or("");
            let folders = path.iter().filter_map(|f| f.to_str());
            EMPTY_NAMES.contains(&stem) || folders.into_iter().any(|f| EMPTY_NAMES.contains(&f))
        })
        .map(|path| path.display().to_string())
        .collect();
    none("files and folders named after nothing", &wrong);
}

#[test]
fn code_holds_nothing_banned_and_no_file_is_endless() {
    let mut wrong = Vec::new();
    for path in files(&["crates"]) {
        if path.extension() != Some("rs".as_ref()) || path.ends_with("tests/tidy.rs") {
            continue;
        }
        let text = read(&path);
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!(
                "{}: {lines} lines, at most {LINES_MAX}",
                path.display()
            ));
        }
        for (number, line) in text.lines().enumerate() {
            for (banned, why, except) in BANNED {
                if line.contains(banned) && !except.iter().any(|e| path == Path::new(e)) {
                    let number = number + 1;
                    wrong.push(format!("{}:{number}: {banned}: {why}", path.display()));
                }
            }
        }
    }
    none("code", &wrong);
}

#[test]
fn the_configuration_reference_is_fresh() {
    assert!(
        read(Path::new("docs/configuration.md")) == node::config::document::markdown(),
        "docs/configuration.md is not what crates/node/src/config/table.rs says; run `make fix`"
    );
}

#[test]
fn the_sample_configuration_is_good() {
    let file = Path::new("deploy/dunlin.toml");
    if let Err(problems) = node::config::parse(file, &read(file), &[]) {
        panic!("{problems}");
    }
}

#[test]
fn the_first_page_is_short() {
    for (page, lines_max) in [("README.md", 150), ("ARCHITECTURE.md", 250)] {
        let path = root().join(page);
        if path.is_file() {
            let lines = read(Path::new(page)).lines().count();
            assert!(
                lines <= lines_max,
                "{page}: {lines} lines, at most {lines_max}"
            );
        }
    }
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut wrong = Vec::new();
    for path in files(&["."]) {
        if path.extension() != Some("md".as_ref()) {
            continue;
        }
        for target in links(&read(&path)) {
            let file = target.split('#').next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:");
            if outside || file.is_empty() {
                continue;
            }
            let from = root().join(&path);
            if !from.parent().unwrap().join(file).try_exists().unwrap() {
                wrong.push(format!("{}: {target}", path.display()));
            }
        }
    }
    none("links to files that are not there", &wrong);
}

/// The targets of `[text](target)`, outside code blocks.
fn links(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut in_code = false;
    for line in page.lines() {
        in_code ^= line.trim_start().starts_with("```");
        if in_code {
            continue;
        }
        for part in line.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                found.push(target.split(' ').next().unwrap_or_default().to_owned());
            }
        }
    }
    found
}

#[test]
fn links_are_found_outside_code() {
    let page = "[a](b.md) and [c](d.md#e \"t\")\n```\n[x](y)\n```\n![i](j.png)\n";
    assert_eq!(links(page), ["b.md", "d.md#e", "j.png"]);
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        // Only what this machine builds is there to be read.
        .other_options(vec![
            "--offline".to_owned(),
            "--filter-platform".to_owned(),
            format!("{}-unknown-linux-gnu", std::env::consts::ARCH),
        ])
        .exec()
        .unwrap()
}

/// The product's crates; what tests and benchmarks need besides is not among them.
fn members(metadata: &Metadata) -> Vec<&Package> {
    let crates = root().join("crates");
    let mut members = metadata.workspace_packages();
    members.retain(|p| p.manifest_path.as_std_path().starts_with(&crates));
    members
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path))
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below these folders, relative to the root; nothing that was built or downloaded.
fn files(folders: &[&str]) -> Vec<PathBuf> {
    let root = root();
    let mut found = Vec::new();
    let mut next: Vec<PathBuf> = folders.iter().map(|f| root.join(f)).collect();
    while let Some(folder) = next.pop() {
        let Ok(entries) = fs::read_dir(&folder) else {
            continue;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let made = ["target", "__pycache__", "node_modules", "bench-results"];
            if name.starts_with('.') || made.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                next.push(path);
            } else {
                found.push(path.strip_prefix(&root).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

fn none(what: &str, wrong: &[String]) {
    assert!(wrong.is_empty(), "{what}:\n  {}", wrong.join("\n  "));
}
