//! The floor of a cold start: a program that starts and ends.

use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use tokio::time::Instant;

use crate::summary::Summary;

/// A program to start, one after the other.
#[derive(clap::Args)]
pub(crate) struct Spawn {
    #[arg(long, default_value_t = 30)]
    times: u32,
    /// The program and its arguments.
    #[arg(required = true, trailing_var_arg = true)]
    command: Vec<String>,
}

impl Spawn {
    /// Measures from the start to the end of each run.
    pub(crate) fn run(&self) -> anyhow::Result<Summary> {
        let (program, arguments) = self.command.split_first().context("expected a program")?;
        let began = Instant::now();
        let mut times = Vec::new();
        for _ in 0..self.times {
            let started = Instant::now();
            let status = Command::new(program)
                .args(arguments)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status()
                .with_context(|| format!("{program} does not start"))?;
            ensure!(status.success(), "{program} ended with {status}");
            times.push(started.elapsed());
        }
        Ok(Summary::of(times, 0, began.elapsed()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_gives_no_figures() {
        let run = |command: &[&str]| {
            let command = command.iter().map(|&part| part.to_owned()).collect();
            Spawn { times: 3, command }.run()
        };
        assert_eq!(run(&["true"]).unwrap().count, 3);
        assert!(run(&["false"]).is_err());
        assert!(run(&["/no/such/program"]).is_err());
    }
}
