use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("dunlin").chain(line.split(' ')))
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_parses() {
    for line in [
        "server --config /etc/dunlin/dunlin.toml",
        "server --config f --check",
        "dev",
        "dev --port 9100 --data-dir d --log info,routing=debug",
        "ca init d --cluster c",
        "ca issue d --node a --roles controller,worker --out o --san 127.0.0.1 --san localhost --days 30",
        "ca rotate d",
        "ca retire d",
        "gossip-key f",
        "secret-key new",
        "secret-key new f",
        "secrets rewrap --config f --controller a:1 --controller b:1",
        "secrets rotate --config f --account 000000000001",
        "doctor --json",
        "dev --packs d",
        "runtime list --packs d",
        "runtime add java --from d --config f",
        "runtime remove java --config f",
        "status --endpoint 127.0.0.1:9020 --json",
        "audit show --data-dir d --since 2h --operation CreateFunction --account 000000000000 --json",
        "audit show --endpoint 127.0.0.1:9020 --since 2026-01-02T03:04:05Z",
        "audit head --data-dir d",
        "audit verify --data-dir d e f",
        "audit verify --data-dir d --head e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855@1",
        "controller leave b --config f",
        "cluster status --config f",
        "cluster finalize --config f",
        "config keys",
        "config reference",
    ] {
        assert!(parse(line).is_ok(), "{line}: {}", parse(line).unwrap_err());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    for line in [
        "server",
        "dev --port 70000",
        "ca issue d --node A --roles worker --out o",
        "ca issue d --node a --roles boss --out o",
        "ca issue d --node a --out o",
        "secret-key",
        "secrets rewrap",
        "secrets rotate --config f --account 1",
        "start",
        "audit verify",
        "audit verify --data-dir d --head 1",
        "runtime list",
        "runtime add java --from d",
        "runtime add ../x --from d --packs p",
        "runtime remove java --packs d --config f",
        "audit show --data-dir d --endpoint e",
        "audit show --since yesterday",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn an_authority_issues_rotates_and_is_not_made_twice() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().display();
    let run = |line: &str| {
        let Command::Ca(command) = parse(line).unwrap().command else {
            panic!("{line} is about the authority");
        };
        let mut out = Vec::new();
        authority::run(&command, &mut out)
            .map(|_| String::from_utf8(out).unwrap())
            .map_err(|e| e.cause.to_string())
    };
    run(&format!("ca init {dir}/ca --cluster c")).unwrap();
    assert!(
        run(&format!("ca init {dir}/ca --cluster c"))
            .unwrap_err()
            .contains("is there already")
    );
    let issued = run(&format!(
        "ca issue {dir}/ca --node a --roles worker,frontend --out {dir}/a"
    ))
    .unwrap();
    assert!(issued.contains("node a [worker,frontend]"), "{issued}");
    for file in ["ca.pem", "node.pem", "node.key"] {
        assert!(place.path().join("a").join(file).is_file(), "{file}");
    }
    let count = || {
        let bundle = std::fs::read_to_string(place.path().join("ca/ca.pem")).unwrap();
        bundle.matches("BEGIN CERTIFICATE").count()
    };
    assert_eq!(count(), 1);
    run(&format!("ca rotate {dir}/ca")).unwrap();
    assert_eq!(count(), 2);
    run(&format!("ca retire {dir}/ca")).unwrap();
    assert_eq!(count(), 1);
}

#[test]
fn a_gossip_key_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;

    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("gossip.key");
    let Command::GossipKey(arguments) = parse(&format!("gossip-key {}", file.display()))
        .unwrap()
        .command
    else {
        panic!("it is about a gossip key");
    };
    gossip_key::run(&arguments, &mut Vec::new()).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(hex::decode(text.trim()).unwrap().len(), 32);
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let Err(refused) = gossip_key::run(&arguments, &mut Vec::new()) else {
        panic!("it was made twice");
    };
    assert!(refused.cause.to_string().contains("must not be there yet"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn a_master_key_is_private_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt;

    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("master.key");
    let run = |line: &str| {
        let Command::SecretKey(command) = parse(line).unwrap().command else {
            panic!("{line} is about a master key");
        };
        let mut out = Vec::new();
        secret_key::run(&command, &mut out)
            .map(|_| String::from_utf8(out).unwrap())
            .map_err(|e| e.cause.to_string())
    };
    let line = format!("secret-key new {}", file.display());
    let told = run(&line).unwrap();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(seal::MasterKey::parse(text.as_bytes()).is_ok());
    assert!(!told.contains(text.trim()), "{told}");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(run(&line).unwrap_err().contains("must not be there yet"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let (one, other) = (
        run("secret-key new").unwrap(),
        run("secret-key new").unwrap(),
    );
    assert!(seal::MasterKey::parse(one.as_bytes()).is_ok());
    assert_ne!(one, other);
}

#[test]
fn a_chain_of_causes_says_nothing_twice() {
    let inner = anyhow::anyhow!("permission denied");
    assert_eq!(
        chain(&inner.context("a cannot be read")),
        "a cannot be read: permission denied"
    );
    let inner = anyhow::anyhow!("permission denied");
    assert_eq!(
        chain(&inner.context("a cannot be read: permission denied")),
        "a cannot be read: permission denied"
    );
}
