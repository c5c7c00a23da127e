//! The simulator's command line.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line prints"
)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "that a run hangs shows on a real clock only"
)]

mod os;

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use clap::{Parser, Subcommand};
use parking_lot::Mutex;
use sim::{Options, Trace, Verdict};

/// Runs real nodes in one process, from a seed, and breaks them.
#[derive(Parser)]
#[command(name = "dunlin-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: What,
}

#[derive(Subcommand)]
enum What {
    /// Run one seed.
    Run {
        #[command(flatten)]
        options: Options,
        /// Write every event there; `-` for the error output.
        #[arg(long)]
        trace: Option<PathBuf>,
        /// Which events, in the form of RUST_LOG; `turmoil=trace` shows every message.
        #[arg(long, default_value = "info,openraft=error,turmoil=off")]
        filter: String,
    },
    /// Run many seeds, each in a process of its own, and tell which failed.
    Seeds {
        /// The first.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// How many.
        #[arg(long, default_value_t = 300)]
        count: u64,
        /// How many at once; as many as there are CPUs if not said.
        #[arg(long)]
        jobs: Option<usize>,
        /// Stop at the first that fails.
        #[arg(long)]
        fail_fast: bool,
        /// How long faults happen in each, in virtual seconds.
        #[arg(long)]
        seconds: Option<u64>,
    },
    /// Run a seed twice and compare every message and event, to the byte.
    Twice {
        #[command(flatten)]
        options: Options,
    },
    /// The faults, workloads and invariants there are.
    List,
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        What::Run {
            options,
            trace,
            filter,
        } => run(&options, trace.as_deref(), &filter),
        What::Seeds {
            from,
            count,
            jobs,
            fail_fast,
            seconds,
        } => {
            let mut options = Options::of(from);
            options.seconds = seconds.unwrap_or(options.seconds);
            seeds(&options, count, jobs, fail_fast)
        }
        What::Twice { options } => twice(&options),
        What::List => {
            for (kind, names) in sim::names() {
                println!("{kind}: {}", names.join(" "));
            }
            ExitCode::SUCCESS
        }
    }
}

fn run(options: &Options, trace: Option<&Path>, filter: &str) -> ExitCode {
    os::simulate(options.seed);
    let outcome = Trace::to(trace)
        .map_err(Into::into)
        .and_then(|trace| sim::run(options.clone(), &trace, filter));
    let report = match outcome {
        Ok(report) => report,
        Err(error) => {
            eprintln!("the run could not be made: {error}");
            return ExitCode::from(3);
        }
    };
    println!("{report}");
    match report.verdict {
        Verdict::Held => ExitCode::SUCCESS,
        Verdict::Violated(_) => ExitCode::from(1),
        Verdict::Invalid(_) => ExitCode::from(2),
    }
}

/// How long a run may take before it hangs.
const RUN_MAX: Duration = Duration::from_secs(180);

/// One seed in a process of its own. Answers whether it held and what it printed.
fn child(options: &Options, more: &[&str]) -> std::io::Result<(bool, String)> {
    let place = tempfile::tempdir()?;
    let (said, complaints) = (place.path().join("said"), place.path().join("complaints"));
    let mut child = Command::new(std::env::current_exe()?)
        .arg("run")
        .args(options.arguments())
        .args(more)
        // What a killed run leaves behind is gone with it.
        .env("TMPDIR", place.path())
        .stdin(Stdio::null())
        .stdout(File::create(&said)?)
        .stderr(File::create(&complaints)?)
        .spawn()?;
    let began = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if began.elapsed() > RUN_MAX {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let held = status.is_some_and(|status| status.success());
    let mut text = std::fs::read_to_string(said)?;
    if !held {
        match status {
            None => text.push_str(&format!(
                "seed {}: it had not ended after {RUN_MAX:?}\n",
                options.seed
            )),
            Some(status) if !matches!(status.code(), Some(1 | 2)) => {
                text.push_str(&format!("seed {}: {status}\n", options.seed));
            }
            Some(_) => {}
        }
        let errors = std::fs::read_to_string(complaints)?;
        let last: Vec<_> = errors.lines().rev().take(30).collect();
        for line in last.into_iter().rev() {
            text.push_str(&format!("  | {line}\n"));
        }
        text.push_str(&format!("  replay: {}\n", replay(options)));
    }
    Ok((held, text))
}

/// The one command that makes a run again.
fn replay(options: &Options) -> String {
    let (seed, rest) = (options.seed, options.arguments().split_off(1));
    match rest.is_empty() {
        true => format!("make sim SEED={seed}"),
        false => format!("make sim SEED={seed} OPTIONS='{}'", rest.join(" ")),
    }
}

/// Runs many seeds, from that of the options on.
fn seeds(options: &Options, count: u64, jobs: Option<usize>, fail_fast: bool) -> ExitCode {
    let from = options.seed;
    let jobs = jobs
        .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
        .unwrap_or(1);
    let began = Instant::now();
    let next = std::sync::atomic::AtomicU64::new(from);
    let failed = Mutex::new(Vec::new());
    let last = from.saturating_add(count);
    let work = || {
        loop {
            let seed = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let failed_so_far = || failed.lock();
            if seed >= last || (fail_fast && !failed_so_far().is_empty()) {
                return;
            }
            let options = Options {
                seed,
                ..options.clone()
            };
            let (held, text) = child(&options, &[])
                .unwrap_or_else(|error| (false, format!("seed {seed} was not run: {error}\n")));
            print!("{text}");
            if !held {
                failed_so_far().push(seed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner();
    println!(
        "{count} seeds from {from} in {} s: {} failed{}",
        began.elapsed().as_secs(),
        failed.len(),
        failed
            .iter()
            .map(|seed| format!(" {seed}"))
            .collect::<String>()
    );
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    }
}

fn twice(options: &Options) -> ExitCode {
    let outcome = || -> std::io::Result<bool> {
        let place = tempfile::tempdir()?;
        let mut texts = Vec::new();
        for name in ["one", "other"] {
            let file = place.path().join(name);
            let (_, said) = child(
                options,
                &[
                    "--trace",
                    &file.to_string_lossy(),
                    "--filter=debug,turmoil=trace",
                ],
            )?;
            print!("{said}");
            texts.push(std::fs::read(file)?);
        }
        let [one, other] = texts.as_slice() else {
            return Ok(false);
        };
        if one == other {
            println!("both traces have the same {} bytes", one.len());
            return Ok(!one.is_empty());
        }
        let lines = |text: &[u8]| -> Vec<String> {
            let text = String::from_utf8_lossy(text);
            text.lines().map(str::to_owned).collect()
        };
        let (one, other) = (lines(one), lines(other));
        let first = one.iter().zip(&other).position(|(a, b)| a != b);
        let first = first.unwrap_or_else(|| one.len().min(other.len()));
        println!("the traces part at line {}:", first + 1);
        for text in [&one, &other] {
            for line in text.iter().skip(first.saturating_sub(3)).take(5) {
                println!("  {line:.300}");
            }
            println!();
        }
        Ok(false)
    };
    match outcome() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("the runs could not be compared: {error}");
            ExitCode::from(3)
        }
    }
}
