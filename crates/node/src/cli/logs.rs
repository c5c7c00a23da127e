//! `dunlin logs`: what a function has printed, from all workers, over the public address of any frontend.
//!
//! [`ask`] calls CloudWatch Logs as any tool could; [`join`] finds out which invocation a line is of; [`follow`] tells what is new.

mod ask;
mod follow;
mod join;

use std::{
    collections::BTreeSet,
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use host::{Clock, SystemClock};
use model::Timestamp;

use super::{Exit, audit_log::Since, serve};
use ask::{Desk, Event, Wanted};
use follow::Follow;
use join::Join;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The function, or a log group, which has a slash in its name
    function: String,
    /// Go on with what comes, until interrupted
    #[arg(long, short)]
    follow: bool,
    /// Only lines of this time and later: a duration such as 10m, or a time such as 2026-01-02T03:04:05Z
    #[arg(long, default_value = "10m")]
    since: Since,
    /// Only lines that pass this filter pattern of CloudWatch Logs
    #[arg(long, allow_hyphen_values = true)]
    filter: Option<String>,
    /// Only lines of the invocation with this id
    #[arg(long, conflicts_with = "filter")]
    request: Option<String>,
    /// Print JSON, one object a line, with the id of the invocation where it is known
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// Where to ask, and as whom.
#[derive(Debug, Args)]
struct Access {
    /// Address of any frontend (listen.public): HOST:PORT, or with http:// or https:// before it. Without it, what
    /// AWS_ENDPOINT_URL_CLOUDWATCH_LOGS, AWS_ENDPOINT_URL_LAMBDA or AWS_ENDPOINT_URL say, or 127.0.0.1:9000
    #[arg(long)]
    endpoint: Option<String>,
    /// Certificates of the authority that the frontend's own must be signed by, in PEM; calls go by TLS then. With https://
    /// and without this, those that this machine trusts
    #[arg(long)]
    ca: Option<PathBuf>,
    /// Profile of the shared credentials file whose key is used, whatever the environment says
    #[arg(long)]
    profile: Option<String>,
}

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let variable = |name: &str| std::env::var(name).ok();
    let desk = Desk::open(&arguments.access, &variable).map_err(Exit::misused)?;
    let shown = serve::small_runtime()?.block_on(show(desk, arguments, out));
    match shown {
        // Whoever read our output has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(error.into()),
        Ok(()) => Ok(ExitCode::SUCCESS),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let cause = error.downcast_ref::<io::Error>();
    cause.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

async fn show(
    mut desk: Desk,
    arguments: &Arguments,
    out: &mut dyn Write,
) -> Result<(), anyhow::Error> {
    let (group, function) = desk.group_of(&arguments.function).await?;
    let since = match arguments.since {
        Since::At(time) => time,
        Since::Ago(ago) => {
            let ago = u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
            Timestamp(SystemClock.wall().as_millis().saturating_sub(ago))
        }
    };
    let mut shown = Shown {
        out,
        arguments,
        function,
        join: Join::default(),
        missed: BTreeSet::new(),
    };
    let mut follow = Follow::new(since.as_millis());
    loop {
        let mut wanted = Wanted {
            group: &group,
            start: follow.start(),
            pattern: arguments.filter.as_deref(),
            token: None,
        };
        loop {
            let page = desk.events(&wanted).await?;
            shown.without(page.unreached);
            for event in page.events {
                if follow.is_new(&event) {
                    shown.line(&event)?;
                }
            }
            match page.next {
                Some(next) => wanted.token = Some(next),
                None => break,
            }
        }
        shown.out.flush()?;
        if !arguments.follow {
            return Ok(());
        }
        follow.settle();
        tokio::time::sleep(follow::PERIOD).await;
    }
}

struct Shown<'a> {
    out: &'a mut dyn Write,
    arguments: &'a Arguments,
    /// The function whose streams are wanted, where others may be in the group.
    function: Option<String>,
    join: Join,
    /// Workers that were told to be missing.
    missed: BTreeSet<String>,
}

impl Shown<'_> {
    fn line(&mut self, event: &Event) -> io::Result<()> {
        let request = self.join.request_of(&event.log_stream_name, &event.message);
        let is_of_function = self
            .function
            .as_ref()
            .is_none_or(|function| event.log_stream_name.contains(&format!("/{function}[")));
        let is_of_request = self.arguments.request.is_none() || self.arguments.request == request;
        if !is_of_function || !is_of_request {
            return Ok(());
        }
        let (time, text) = (
            Timestamp(event.timestamp).to_rfc3339(),
            event.message.trim_end(),
        );
        if self.arguments.json {
            let line = serde_json::json!({
                "time": time, "stream": event.log_stream_name, "requestId": request, "message": text,
            });
            return writeln!(self.out, "{line}");
        }
        writeln!(
            self.out,
            "{time} {} {text}",
            environment(&event.log_stream_name)
        )
    }

    /// Says of which workers what is shown has nothing, once each.
    fn without(&mut self, workers: Vec<String>) {
        for worker in workers {
            if self.missed.insert(worker.clone()) {
                let _closed = writeln!(
                    io::stderr(),
                    "warning: worker {worker} does not answer; what it has of these logs is missing here"
                );
            }
        }
    }
}

/// The beginning of an environment's id, by which people tell several apart.
fn environment(stream: &str) -> &str {
    let id = stream.rsplit_once(']').map_or(stream, |(_, id)| id);
    id.get(..8).unwrap_or(id)
}
