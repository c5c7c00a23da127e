//! Guests on a host of the simulator.

use std::{
    sync::{Arc, atomic::AtomicU64, atomic::Ordering},
    time::Duration,
};

use host::SeededEntropy;
use sandbox::{Command, Driver, Spec};
use tokio::io::AsyncReadExt;

use crate::guest::{Guests, Ledger};

#[test]
fn guests_die_with_their_node_and_a_new_process_has_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let bootstrap = dir.path().join("bootstrap");
    std::fs::write(&bootstrap, r#"{"marker":"m","init_ms":50}"#).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&bootstrap, mode).unwrap();

    let ledger = Ledger::new(|| turmoil::sim_elapsed().unwrap_or_default());
    let heard = Arc::new(AtomicU64::new(0));
    let mut sim = turmoil::Builder::new()
        .simulation_duration(Duration::from_secs(60))
        .build();
    let path = dir.path().to_owned();
    let (own, ears) = (ledger.clone(), heard.clone());
    let starts = AtomicU64::new(0);
    sim.host("w1", move || {
        let (path, ledger, heard) = (path.clone(), own.clone(), ears.clone());
        let start = starts.fetch_add(1, Ordering::Relaxed);
        async move {
            let entropy = Arc::new(SeededEntropy::new(start));
            let guests = Guests::new("w1", entropy, ledger);
            let mut made = Vec::new();
            for n in 0..3 {
                let spec = Spec::new(format!("{start}-{n}"), &path, &path);
                let mut sandbox = guests.create(spec).await?;
                let listener = sandbox.take_listener().ok_or("a listener")?;
                let command = Command {
                    argv: vec!["/var/task/bootstrap".to_owned()],
                    env: Vec::new(),
                    cwd: "/var/task".into(),
                };
                sandbox.start(command).await?;
                let mut connection = listener.accept().await?;
                connection.read_u8().await?;
                heard.fetch_add(1, Ordering::Relaxed);
                made.push((sandbox, listener, connection));
            }
            std::future::pending::<()>().await;
            Ok(())
        }
    });
    let alive = || -> Vec<String> {
        let all = ledger.alive().into_values().flatten();
        all.map(|a| a.sandbox).collect()
    };
    let run_until = |sim: &mut turmoil::Sim<'_>, wanted: u64| {
        for _ in 0..10_000 {
            if heard.load(Ordering::Relaxed) == wanted {
                return;
            }
            sim.step().unwrap();
        }
        panic!("expected {wanted} guests to speak");
    };
    run_until(&mut sim, 3);
    assert_eq!(alive(), ["0-0", "0-1", "0-2"]);
    sim.crash("w1");
    assert!(alive().is_empty(), "{:?}", alive());
    ledger.node_died("w1");
    sim.bounce("w1");
    run_until(&mut sim, 6);
    assert_eq!(alive(), ["1-0", "1-1", "1-2"]);
}
