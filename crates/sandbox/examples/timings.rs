//! Prints how long the steps of a sandbox's life take on this machine.
//!
//! `cargo build -p sandbox --bins --examples && target/debug/examples/timings [ROUNDS]`

use std::{error::Error, path::PathBuf, time::Duration};

use sandbox::{
    Command, Driver as _, LinuxDriver, Spec,
    linux::{Options, SpawnerCommand},
};
use tokio::time::Instant;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let rounds: usize = std::env::args().nth(1).map_or(Ok(50), |n| n.parse())?;
    let dirs = std::env::temp_dir().join(format!("dunlin-timings-{}", std::process::id()));
    let (code, runtime) = (dirs.join("code"), dirs.join("runtime"));
    std::fs::create_dir_all(&code)?;
    std::fs::create_dir_all(&runtime)?;
    let mut options = Options::new(&dirs, "timings".parse()?);
    let me = std::env::current_exe()?;
    let target = me.ancestors().nth(2).map(PathBuf::from).unwrap_or_default();
    options.spawner = SpawnerCommand {
        program: target.join("dunlin-spawner"),
        args: Vec::new(),
    };
    let driver = LinuxDriver::start(options).await?;
    say(&format!("{}", driver.report()));

    let empty = driver.create(Spec::new("empty", &code, &runtime)).await?;
    say(&format!("an empty sandbox: {:?}", empty.stats().await?));
    empty.kill().await;
    for pause in [Duration::from_millis(60), Duration::ZERO] {
        let mut steps: [(&str, Vec<Duration>); 7] = [
            "create",
            "start",
            "create+start",
            "exit",
            "freeze",
            "thaw",
            "kill",
        ]
        .map(|name| (name, Vec::new()));
        for round in 0..rounds {
            tokio::time::sleep(pause).await;
            let mut marks = vec![Instant::now()];
            let sandbox = driver
                .create(Spec::new(format!("t{round}"), &code, &runtime))
                .await?;
            marks.push(Instant::now());
            let command = Command {
                argv: vec!["/bin/true".into()],
                env: vec![],
                cwd: "/".into(),
            };
            sandbox.start(command).await?;
            marks.push(Instant::now());
            sandbox.wait_exit().await;
            marks.push(Instant::now());
            sandbox.freeze().await?;
            marks.push(Instant::now());
            sandbox.thaw().await?;
            marks.push(Instant::now());
            sandbox.kill().await;
            marks.push(Instant::now());
            let spent: Vec<Duration> = marks
                .windows(2)
                .filter_map(|w| Some(*w.get(1)? - *w.first()?))
                .collect();
            if let [create, start, exit, freeze, thaw, kill] = spent[..] {
                for ((_, all), one) in
                    steps
                        .iter_mut()
                        .zip([create, start, create + start, exit, freeze, thaw, kill])
                {
                    all.push(one);
                }
            }
        }
        say(&format!("{} rounds, {pause:?} between them", rounds));
        for (name, mut all) in steps {
            all.sort();
            let at = |share: usize| {
                all.get((all.len() * share / 100).min(all.len().saturating_sub(1)))
                    .copied()
                    .unwrap_or_default()
            };
            say(&format!(
                "{name:<13} min {:>10.1?}  p50 {:>10.1?}  p95 {:>10.1?}",
                at(0),
                at(50),
                at(95)
            ));
        }
    }
    driver.shutdown().await;
    std::fs::remove_dir_all(&dirs)?;
    Ok(())
}

#[allow(clippy::print_stdout, reason = "this is what the program is for")]
fn say(line: &str) {
    println!("{line}");
}
