//! `dunlin server`: one node of a cluster.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use clap::Args;

use super::{
    Exit, print,
    serve::{Running, Signals, bind_admin, runtime},
};
use crate::{
    compose,
    config::{self, NodeConfig},
    material::Material,
    real, telemetry,
};

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Configuration file; docs/configuration.md explains every key
    #[arg(long)]
    config: PathBuf,
    /// Read the configuration and the files it names, tell every problem, and stop
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let config = read(&arguments.config)?;
    let material =
        Material::read(&config, &|name| std::env::var(name).ok()).map_err(Exit::misused)?;
    if arguments.check {
        return print(out, "the configuration is good\n");
    }
    runtime()?.block_on(serve(config, material))
}

/// Reads a configuration file and the environment; tells every problem on standard error.
pub(super) fn read(file: &Path) -> Result<NodeConfig, Exit> {
    let file = std::path::absolute(file)?;
    let text = std::fs::read_to_string(&file)
        .with_context(|| format!("{} cannot be read", file.display()))
        .map_err(Exit::misused)?;
    let variables: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    config::parse(&file, &text, &variables).map_err(|problems| {
        let count = problems.0.len();
        let _ = writeln!(io::stderr(), "{problems}");
        Exit::misused(anyhow::anyhow!(
            "{} has {count} problem{}",
            file.display(),
            if count == 1 { "" } else { "s" }
        ))
    })
}

async fn serve(config: NodeConfig, material: Material) -> Result<ExitCode, Exit> {
    let mut signals = Signals::new()?;
    let telemetry = telemetry::install(&config.log, &config.tracing, config.node.name.as_str())?;
    let admin = bind_admin(&config).await?;
    let grace = config.drain_grace;
    let node = {
        let host = real::host(&config, &material).await?;
        let driver = real::driver(&config).await?;
        compose::start(config, &material, host, driver).await?
    };
    tracing::info!(
        public = node.addresses().public.map(display), grpc = node.addresses().grpc.map(display),
        internal = %node.addresses().internal, "this node is up"
    );
    let code = Running::new(node, admin)
        .until_stopped(&mut signals, grace)
        .await;
    telemetry.flush().await;
    Ok(code)
}
