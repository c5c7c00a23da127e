//! Load, and the floors that figures are put beside.
//!
//! `load` is the client of every measurement over HTTP, so that ours and the floors meet the same one. The floors do
//! only the work that cannot be avoided: `handlers` is HTTP in front of processes that run a handler, `proxy` is one
//! more HTTP hop, `fsync` is durable appends, `spawn` starts a program. Servers listen on a free port of loopback,
//! print it, and run until they are killed. Every measurement prints one JSON object.

use std::io::Write;

use clap::{Parser, Subcommand};

mod fsync;
mod handlers;
mod load;
mod proxy;
mod request;
mod response;
mod server;
mod signature;
mod spawn;
mod summary;

#[derive(Parser)]
#[command(about = "Load, and the floors that figures are put beside")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Sends requests over kept connections and measures the answers.
    Load(load::Load),
    /// Serves HTTP from a pool of processes that run a handler.
    Handlers(handlers::Handlers),
    /// Passes HTTP requests on to one other server.
    Proxy(proxy::Proxy),
    /// Appends records and makes them durable; records that wait together share one barrier.
    Fsync(fsync::Fsync),
    /// Starts a program again and again, and waits for its end.
    Spawn(spawn::Spawn),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().what {
        What::Load(load) => print(&serde_json::to_string(&load.run()?)?),
        What::Fsync(fsync) => print(&serde_json::to_string(&fsync.run()?)?),
        What::Spawn(spawn) => print(&serde_json::to_string(&spawn.run()?)?),
        What::Handlers(handlers) => handlers.run(),
        What::Proxy(proxy) => proxy.run(),
    }
}

/// One line to standard output, at once.
fn print(line: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}
