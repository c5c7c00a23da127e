use super::*;
use crate::fault::{Target, Verb};

const NODE: &str = r#"
[[node]]
name = "a1"
zone = "a"
roles = ["controller", "worker", "frontend"]
host = "root@a1.example.org"
endpoint = "http://a1:9000"
"#;

fn read(head: &str) -> Result<Staging, StagingError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("staging.toml");
    let text =
        format!("name = \"s\"\naccess_key_id = \"A\"\nsecret_file = \"secret\"\n{head}{NODE}");
    std::fs::write(&file, text).unwrap();
    std::fs::write(folder.path().join("secret"), "hush\n").unwrap();
    let staging = Staging::read(&file)?;
    assert_eq!(
        staging.credentials()?,
        ["A", "hush", "us-east-1"].map(str::to_owned)
    );
    Ok(staging)
}

fn hooks(folder: &Path) -> String {
    let path = folder.display();
    format!(
        "[hooks]\nkill = \"test -e {path}/{{node}} && rm {path}/{{node}}\"\nstart = \"touch {path}/{{node}}\"\n\
         is_up = \"test -e {path}/{{node}}\"\nterminate = \"sleep 60\"\ntimeout = \"5s\"\n"
    )
}

#[tokio::test]
async fn commands_hurt_nodes_and_heal_them() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = read(&hooks(folder.path())).unwrap().connect();
    assert!(!cluster.is_up("a1").await);
    cluster.start("a1").await.unwrap();
    assert!(cluster.is_up("a1").await);
    cluster.kill("a1").await.unwrap();
    assert!(!cluster.is_up("a1").await);
    let failed = cluster.kill("a1").await.unwrap_err();
    assert!(
        failed
            .source
            .to_string()
            .contains("answered exit status: 1"),
        "{:?}",
        failed.source
    );
    let lingers = cluster.terminate("a1", Duration::from_millis(50)).await;
    assert!(
        !lingers.unwrap(),
        "a command that takes too long is no error but a node that lingers"
    );
}

use std::time::Duration;

#[tokio::test]
async fn without_a_command_that_knows_it_remembers_whom_it_ended() {
    let head = "[hooks]\nkill = \"true\"\nstart = \"true\"\n";
    let cluster = read(head).unwrap().connect();
    assert!(cluster.is_up("a1").await);
    cluster.kill("a1").await.unwrap();
    assert!(!cluster.is_up("a1").await);
    cluster.start("a1").await.unwrap();
    assert!(cluster.is_up("a1").await);
}

#[tokio::test]
async fn the_scenario_for_operators_needs_commands_alone() {
    let all = "kill terminate start pause resume wipe is_up".split(' ');
    let hooks: String = all.map(|hook| format!("{hook} = \"true\"\n")).collect();
    let others = ["b1", "c1"].map(|name| NODE.replace("a1", name)).concat();
    let staging = read(&format!("[hooks]\n{hooks}{others}")).unwrap();
    let rehearse = async |name: &str, staging: &Staging| {
        let scenario = crate::Scenario::find(name).unwrap();
        crate::plan(&scenario, 1, None, Some(staging))
            .await
            .join("\n")
    };
    let plan = rehearse("staging", &staging).await;
    assert!(
        !plan.contains("DOES NOT FIT") && !plan.contains("NOT POSSIBLE"),
        "{plan}"
    );
    // The others have faults of links, disks or clocks, and a plan says so.
    let plan = rehearse("clock", &staging).await;
    assert!(
        plan.contains("DOES NOT FIT: needs wall clocks that can be moved: it is not ours"),
        "{plan}"
    );
    assert!(
        plan.contains("5 of 5 faults do not fit this cluster: --skip-unfit"),
        "{plan}"
    );
}

#[test]
fn what_has_no_command_is_not_supported() {
    let staging =
        read("[hooks]\nkill = \"ssh {host} die {node} {zone}\"\nstart = \"x\"\n").unwrap();
    let command = staging.command(Action::Kill, "a1");
    assert_eq!(command.unwrap(), "ssh root@a1.example.org die a1 a");
    assert_eq!(staging.hooks().supports(Verb::Kill), Ok(()));
    for (verb, missing) in [
        (Verb::Pause, "hooks.pause is not given"),
        (Verb::Wipe, "hooks.wipe is not given"),
        (Verb::Break, "its disks are not ours"),
    ] {
        assert_eq!(staging.hooks().supports(verb), Err(missing.to_owned()));
    }
}

#[test]
fn a_description_that_makes_no_sense_is_refused() {
    for (head, told) in [
        ("[hooks]\nkill = \"x\"\n", "expected hooks.start"),
        (
            "[hooks]\npause = \"x\"\n",
            "hooks.pause and hooks.resume together",
        ),
        ("[hooks]\ntimeout = \"1h\"\n", "hooks.timeout"),
        ("[hooks]\nkil = \"x\"\n", "kil"),
        (
            "[[node]]\nname = \"a; rm -rf\"\nzone = \"a\"\nroles = [\"worker\"]\n",
            "expected names",
        ),
        (
            "[[node]]\nname = \"b\"\nzone = \"a\"\nroles = [\"frontend\"]\n",
            "expected an endpoint",
        ),
        (
            "[[node]]\nname = \"a1\"\nzone = \"a\"\nroles = [\"worker\"]\n",
            "every node once",
        ),
    ] {
        let error = read(head).unwrap_err().to_string();
        assert!(error.contains(told), "{head}: {error}");
    }
}
