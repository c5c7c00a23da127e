//! `dunlin doctor`: what this machine lacks, and what to do about it.

use std::{fmt::Write as _, io::Write, path::PathBuf, process::ExitCode};

use clap::Args;
use sandbox::{
    Finding, Piece, Report,
    linux::{Allotment, SpawnerCommand},
};
use serde::Serialize;

use super::{Exit, FAILED, print, scratch::Scratch, serve, server};
use crate::machine;

/// Open files that a busy node needs: sockets, pipes and files of its environments.
const OPEN_FILES: u64 = 65_536;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Print the report as JSON
    #[arg(long)]
    json: bool,
    /// Look with what the section [sandbox] of this configuration file gives to sandboxes
    #[arg(long)]
    config: Option<PathBuf>,
}

/// The whole report.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    /// Whether a worker can run here at all, if the operator waives what may be waived.
    pub(crate) ok: bool,
    pub(crate) checks: Vec<Check>,
    pub(crate) sandbox: SandboxSummary,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) verdict: Verdict,
    pub(crate) detail: String,
    /// What to do; empty if there is nothing to do.
    pub(crate) remedy: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Verdict {
    /// As it should be.
    Good,
    /// Works, and weaker or slower than it could.
    Weak,
    /// Nothing works without it.
    Missing,
}

/// The missing pieces of the sandbox, by what may be done about them.
#[derive(Debug, Serialize)]
pub(crate) struct SandboxSummary {
    /// May be named in sandbox.allow_missing.
    pub(crate) waivable: Vec<String>,
    /// No worker runs without them.
    pub(crate) essential: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<ExitCode, Exit> {
    let allotment = match &arguments.config {
        Some(file) => server::read(file)?.sandbox.allotment,
        None => Allotment::default(),
    };
    let scratch = Scratch::new()?;
    let report = serve::small_runtime()?.block_on(sandbox::linux::probe(
        &SpawnerCommand::default(),
        scratch.path(),
        &allotment,
    ));
    let diagnosis = diagnose(report.as_ref().map_err(|e| e.to_string()));
    let text = if arguments.json {
        serde_json::to_string_pretty(&diagnosis)? + "\n"
    } else {
        text(&diagnosis)
    };
    print(out, &text)?;
    Ok(if diagnosis.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(FAILED)
    })
}

fn diagnose(report: Result<&Report, String>) -> Diagnosis {
    let mut checks = vec![kernel(), open_files(), memory()];
    let mut sandbox = SandboxSummary {
        waivable: Vec::new(),
        essential: Vec::new(),
    };
    match report {
        Err(why) => checks.push(Check {
            name: "sandbox".to_owned(),
            verdict: Verdict::Missing,
            detail: why,
            remedy: "run as root, or as a user that may make user namespaces".to_owned(),
        }),
        Ok(report) => {
            for (piece, finding) in report.iter() {
                checks.push(piece_check(piece, finding));
            }
            // Nobody needs to go without what is not looked at where there are no network policies.
            let needed = |piece: &Piece| *piece != Piece::Egress;
            for piece in report.missing().into_iter().filter(needed) {
                let list = if piece.is_essential() {
                    &mut sandbox.essential
                } else {
                    &mut sandbox.waivable
                };
                list.push(piece.to_string());
            }
        }
    }
    Diagnosis {
        ok: checks.iter().all(|c| c.verdict != Verdict::Missing),
        checks,
        sandbox,
    }
}

fn piece_check(piece: Piece, finding: &Finding) -> Check {
    let name = format!("sandbox {piece}");
    match finding {
        Finding::Enforced { detail } => Check {
            name,
            verdict: Verdict::Good,
            detail: detail.clone(),
            remedy: String::new(),
        },
        Finding::Missing { why, remedy } => Check {
            name,
            verdict: if piece.is_essential() {
                Verdict::Missing
            } else {
                Verdict::Weak
            },
            detail: why.clone(),
            remedy: match piece {
                Piece::Egress => format!("{remedy} (only where functions have network policies)"),
                _ => remedy.clone(),
            },
        },
    }
}

fn kernel() -> Check {
    let uname = rustix::system::uname();
    let release = uname.release().to_string_lossy().into_owned();
    let mut numbers = release.split(['.', '-']).map(|n| n.parse::<u32>().ok());
    let version = (
        numbers.next().flatten().unwrap_or(0),
        numbers.next().flatten().unwrap_or(0),
    );
    let old = version < (5, 12);
    Check {
        name: "kernel".to_owned(),
        verdict: if old { Verdict::Missing } else { Verdict::Good },
        detail: format!("Linux {release}"),
        remedy: if old {
            "use Linux 5.12 or newer, which can map the owners of mounts".to_owned()
        } else {
            String::new()
        },
    }
}

fn open_files() -> Check {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    // No maximum means no limit.
    let enough = limit.maximum.is_none_or(|m| m >= OPEN_FILES);
    Check {
        name: "open files".to_owned(),
        verdict: if enough { Verdict::Good } else { Verdict::Weak },
        detail: limit
            .maximum
            .map_or_else(|| "no limit".to_owned(), |m| format!("at most {m}")),
        remedy: if enough {
            String::new()
        } else {
            format!("set LimitNOFILE={OPEN_FILES} or more in the service's unit")
        },
    }
}

fn memory() -> Check {
    let known = machine::memory();
    Check {
        name: "memory".to_owned(),
        verdict: if known.is_some() {
            Verdict::Good
        } else {
            Verdict::Weak
        },
        detail: known.map_or_else(|| "unknown".to_owned(), |b| format!("{} MiB", b.0 >> 20)),
        remedy: if known.is_some() {
            String::new()
        } else {
            "set worker.memory; /proc/meminfo cannot be read".to_owned()
        },
    }
}

fn text(diagnosis: &Diagnosis) -> String {
    let mut text = String::new();
    for check in &diagnosis.checks {
        let mark = match check.verdict {
            Verdict::Good => "good   ",
            Verdict::Weak => "WEAK   ",
            Verdict::Missing => "MISSING",
        };
        let _ = writeln!(text, "{mark}  {:<26} {}", check.name, check.detail);
        if !check.remedy.is_empty() {
            let _ = writeln!(text, "         {:<26} do: {}", "", check.remedy);
        }
    }
    let waivable = &diagnosis.sandbox.waivable;
    if !waivable.is_empty() {
        let names = waivable
            .iter()
            .map(|w| format!("{w:?}"))
            .collect::<Vec<_>>();
        let _ = writeln!(
            text,
            "\nA worker starts here only if its configuration goes without what is weak:\n\
             [sandbox]\nallow_missing = [{}]",
            names.join(", ")
        );
    }
    let _ = writeln!(
        text,
        "\n{}",
        if diagnosis.ok {
            "this machine can run functions"
        } else {
            "this machine cannot run functions"
        }
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(findings: &[(Piece, bool)]) -> Report {
        let mut report = Report::default();
        for (piece, holds) in findings {
            let finding = if *holds {
                Finding::Enforced {
                    detail: String::new(),
                }
            } else {
                Finding::Missing {
                    why: "the kernel said no".to_owned(),
                    remedy: "ask it nicely".to_owned(),
                }
            };
            report.set(*piece, finding);
        }
        report
    }

    #[test]
    fn a_weak_piece_may_be_waived_and_is_printed_with_its_remedy() {
        let diagnosis = diagnose(Ok(&report(&[
            (Piece::UserNamespace, true),
            (Piece::Landlock, false),
        ])));
        assert!(diagnosis.ok);
        assert_eq!(diagnosis.sandbox.waivable, ["landlock"]);
        let text = text(&diagnosis);
        assert!(text.contains("WEAK     sandbox landlock"), "{text}");
        assert!(text.contains("do: ask it nicely"), "{text}");
        assert!(text.contains("allow_missing = [\"landlock\"]"), "{text}");
    }

    #[test]
    fn an_essential_piece_may_not() {
        let diagnosis = diagnose(Ok(&report(&[(Piece::UserNamespace, false)])));
        assert!(!diagnosis.ok);
        assert_eq!(diagnosis.sandbox.essential, ["user-namespace"]);
        assert!(text(&diagnosis).contains("cannot run functions"));
        assert!(!diagnose(Err("no spawner".to_owned())).ok);
    }
}
