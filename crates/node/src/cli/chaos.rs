//! `dunlin chaos`: break a cluster on purpose, under load, and tell what held.

use std::{
    fmt::Write as _,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use anyhow::bail;
use chaos::{Finished, Options, Scenario, fault::Span, staging::Staging, verdict::Line};
use clap::{Args, Subcommand};
use host::{Clock, Entropy, SystemClock, SystemEntropy, Tasks, task::Kind};
use tokio::sync::watch;

use super::{
    Exit, print,
    serve::{Signals, runtime},
};

/// Where results go unless told.
const RESULTS: &str = ".dunlin/chaos";
/// Seeds that are drawn are below this, so that they are quickly typed.
const SEED_BOUND: u64 = 1_000_000;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the scenarios that this program carries
    List,
    /// Print a scenario
    Show(Show),
    /// Play a scenario; answers 0 if everything held, 1 if not, 2 if the run says nothing
    Run(Run),
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Name of a scenario, or path of a TOML file
    scenario: String,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Name of a scenario, or path of a TOML file
    scenario: String,
    /// What chance draws from; the same seed plays the same faults
    #[arg(long)]
    seed: Option<u64>,
    /// How long, such as 30m; a scenario of steps is repeated
    #[arg(long)]
    duration: Option<Span>,
    /// Folder for the results, empty or not there yet [default: a new one in .dunlin/chaos]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Keep the nodes' data even if everything held
    #[arg(long)]
    keep: bool,
    /// Python with boto3, which drives the load [default: .venv/bin/python, else python3]
    #[arg(long)]
    python: Option<PathBuf>,
    /// File that describes a cluster of your own, instead of a local one
    #[arg(long)]
    target: Option<PathBuf>,
    /// Print what would be done when and by which command, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// With --target: really hurt that cluster
    #[arg(long)]
    yes: bool,
    /// Leave out the faults that do not fit the cluster and list them; they make the run invalid otherwise
    #[arg(long)]
    skip_unfit: bool,
}

pub(crate) fn run(command: &Command, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    match command {
        Command::List => print(out, &list()?),
        Command::Show(arguments) => {
            let text = Scenario::text(&arguments.scenario).map_err(Exit::misused)?;
            print(out, &text.1)
        }
        Command::Run(arguments) => play(arguments, out),
    }
}

fn list() -> Result<String, Exit> {
    let mut text = String::new();
    for scenario in Scenario::built_in()? {
        let _ = writeln!(text, "{:<12} {}", scenario.name, scenario.summary);
    }
    Ok(text)
}

fn play(arguments: &Run, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let scenario = Scenario::find(&arguments.scenario).map_err(Exit::misused)?;
    let staging = arguments.target.as_deref().map(Staging::read).transpose();
    let staging = staging.map_err(Exit::misused)?;
    let seed = arguments
        .seed
        .unwrap_or_else(|| SystemEntropy::new().below(SEED_BOUND));
    let duration = arguments.duration.map(|Span(duration)| duration);
    let runtime = runtime()?;
    if arguments.dry_run {
        let plan = chaos::plan(&scenario, seed, duration, staging.as_ref());
        let lines = runtime.block_on(plan);
        return print(out, &(lines.join("\n") + "\n"));
    }
    if let Some(staging) = staging.as_ref().filter(|_| !arguments.yes) {
        let name = staging.name();
        return Err(Exit::misused(anyhow::anyhow!(
            "this hurts the cluster {name}; look at --dry-run, then say --yes"
        )));
    }
    let options = Options {
        seed,
        duration,
        out: match &arguments.out {
            Some(folder) => std::path::absolute(folder)?,
            None => default_out(&scenario.name)?,
        },
        scenario,
        keep: arguments.keep,
        python: arguments.python.clone(),
        program: std::env::current_exe()?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        staging,
        skip_unfit: arguments.skip_unfit,
    };
    let finished = runtime.block_on(perform(&options));
    // What a thread still asks of a node that is gone is not waited for.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let finished = finished?;
    print(out, &summary(&finished))?;
    Ok(ExitCode::from(
        finished.outcome.judgement.verdict.exit_code(),
    ))
}

/// Plays; the first signal ends the run early, and everything is healed and taken away all the same.
async fn perform(options: &Options) -> Result<Finished, Exit> {
    let mut signals = Signals::new()?;
    let (stop, stopped) = watch::channel(false);
    let tasks = Tasks::new();
    tasks.spawn(Kind::Background, "signals", async move {
        let name = signals.next().await;
        tell(&format!("{name}: healing, then ending"));
        // Fails only if nobody listens any more.
        let _told = stop.send(true);
        std::future::pending::<()>().await;
    });
    tell(&format!(
        "seed {}, results in {}",
        options.seed,
        options.out.display()
    ));
    let finished = Box::pin(chaos::run(options, stopped, &mut tell)).await;
    tasks.stop().await;
    // Nothing could be tried: the run says nothing about the product.
    finished.map_err(Exit::misused)
}

fn tell(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn default_out(scenario: &str) -> Result<PathBuf, anyhow::Error> {
    let stamp = SystemClock.wall().format("%Y%m%d-%H%M%S");
    let folder = std::path::absolute(RESULTS)?.join(format!("{scenario}-{stamp}"));
    if folder.try_exists()? {
        bail!(
            "{} is there already; name another with --out",
            folder.display()
        );
    }
    Ok(folder)
}

/// The verdict, and every line that did not hold.
fn summary(finished: &Finished) -> String {
    let outcome = &finished.outcome;
    let mut text = String::new();
    for (number, fault) in (1..).zip(&outcome.faults) {
        let word = match (&fault.trouble, fault.judgement.held) {
            (Some(_), _) => "INVALID",
            (None, true) => "held",
            (None, false) => "BROKEN",
        };
        let _ = writeln!(text, "{word:<8}{number:>3}. {}", fault.what);
        for line in fault.judgement.lines.iter().filter(|line| !line.held) {
            broken(&mut text, line);
        }
    }
    for fault in &outcome.not_tried {
        let times = match fault.times {
            1 => String::new(),
            times => format!(", {times} times"),
        };
        let (what, needs) = (&fault.what, &fault.needs);
        let _ = writeln!(text, "not tried    {what}{times}: needs {needs}");
    }
    for line in &outcome.promises {
        let word = if line.held { "held" } else { "BROKEN" };
        let _ = writeln!(text, "{word:<8}     {}: {}", line.name, line.measured);
        if !line.held {
            broken(&mut text, line);
        }
    }
    for why in &outcome.invalid {
        let _ = writeln!(text, "says nothing: {why}");
    }
    let totals = &outcome.totals;
    let _ = writeln!(
        text,
        "{}: {} of {} invocations succeeded, {} of {} writes were acknowledged\nreport: {}\nagain:  {}",
        outcome.verdict,
        totals.succeeded,
        totals.invokes - totals.skipped,
        totals.acknowledged,
        totals.writes,
        finished.report.display(),
        outcome.replay(),
    );
    text
}

fn broken(text: &mut String, line: &Line) {
    let _ = writeln!(
        text,
        "             {}: {}, expected {}",
        line.name, line.measured, line.limit
    );
    for example in &line.examples {
        let _ = writeln!(text, "               {example}");
    }
}
