//! The extensions of an environment: their processes, and the order in which everything ends.
//!
//! What lies in `/opt/extensions` is started before the runtime, and the runtime is started when all of it has registered.
//! An invocation of an environment with extensions is over when they are done with it, too; its caller has its answer by
//! then. At the end the runtime is asked to end first, and extensions are told after it; what is left after a while is
//! killed with the sandbox.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use host::task::Kind;
use runtime_api::{Phase, Shutdown, ShutdownReason};
use sandbox::{Command, Exit, StartError};
use tokio::time::Instant;

use super::{Environment, Fault, Lost, fault::exit_text, invoke::Ended};
use crate::logs::platform::{Event, Status};

/// Where extensions are, inside.
const PLACE: &str = "/opt/extensions";
/// How long an environment with external extensions may take to end.
const EXTERNAL_GRACE: Duration = Duration::from_secs(2);
/// How much of it the runtime has.
const RUNTIME_SHARE: Duration = Duration::from_millis(600);
/// How long one with internal extensions alone may take.
const INTERNAL_GRACE: Duration = Duration::from_millis(500);

/// Variables of the runtime's that extensions do not get, beside those that begin with `_`.
const OF_THE_RUNTIME: [&str; 7] = [
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_XRAY_CONTEXT_MISSING",
    "AWS_XRAY_DAEMON_ADDRESS",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// The programs of an environment's external extensions.
#[derive(Clone, Debug, Default)]
pub(super) struct Programs {
    names: Vec<String>,
    env: Vec<(String, String)>,
}

impl Programs {
    /// Those of these names.
    pub(super) fn new(names: Vec<String>, env: &[(String, String)]) -> Self {
        let wanted = |name: &str| !name.starts_with('_') && !OF_THE_RUNTIME.contains(&name);
        let env = env
            .iter()
            .filter(|(name, _)| wanted(name) && !names.is_empty());
        Self {
            env: env.cloned().collect(),
            names,
        }
    }

    pub(super) fn are_some(&self) -> bool {
        !self.names.is_empty()
    }
}

/// The names of what the layers bring; a later layer covers an earlier one.
pub(super) fn names(layers: &[&Path]) -> Vec<String> {
    let mut found = BTreeMap::new();
    for layer in layers {
        // A layer without the directory has none.
        let Ok(entries) = std::fs::read_dir(layer.join("extensions")) else {
            continue;
        };
        for entry in entries.flatten() {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let Ok(name) = entry.file_name().into_string() {
                found.insert(name, is_dir);
            }
        }
    }
    let programs = found.into_iter().filter(|(_, is_dir)| !is_dir);
    programs.map(|(name, _)| name).collect()
}

impl Environment {
    /// Whether somebody watches over its invocations.
    pub(crate) fn has_extensions(&self) -> bool {
        self.programs.are_some() || self.api.has_extensions()
    }

    /// Starts the programs and waits until all have registered, but not beyond `until`.
    pub(super) async fn start_extensions(&self, until: Instant) -> Result<Result<(), Fault>, Lost> {
        for name in &self.programs.names {
            let launched = match self.api.launch_extension(name) {
                Ok(launched) => launched,
                Err(refusal) => {
                    return Ok(Err(Fault::Extension(runtime_api::extensions::Fault {
                        name: name.clone(),
                        kind: "Extension.TooManyExtensions",
                        detail: refusal.to_string(),
                    })));
                }
            };
            let command = Command {
                argv: vec![format!("{PLACE}/{name}")],
                env: self.programs.env.clone(),
                cwd: "/".into(),
            };
            let beside = match self.sandbox.start_beside(command).await {
                Ok(beside) => beside,
                Err(StartError::Exec { source, .. }) => {
                    let error_type = match source.raw_os_error() {
                        Some(13) => "PermissionDenied",
                        _ => "UnknownError",
                    };
                    let why = format!("fork/exec {PLACE}/{name}: {}", super::reason(&source));
                    self.api.extension_not_launched(&launched, error_type, &why);
                    break;
                }
                Err(error) => return Err(error.into()),
            };
            self.log.follow_extension(beside.output, &self.tasks);
            let sandbox = self.sandbox.clone();
            let api = Arc::downgrade(&self.api);
            let over = self.over.token();
            self.tasks
                .spawn(Kind::Environment, "extension", async move {
                    let exit = tokio::select! {
                        () = over.cancelled() => return,
                        exit = sandbox.wait_beside(beside.number) => exit,
                    };
                    if let Some(api) = api.upgrade() {
                        api.extension_exited(&launched, &exit_text(exit));
                    }
                });
        }
        Ok(tokio::select! {
            registered = self.api.extensions_registered() => registered.map_err(Fault::Extension),
            () = tokio::time::sleep_until(until) => Err(Fault::Timeout(self.version.config.timeout)),
        })
    }

    /// What the log says of extensions once everything is up.
    pub(super) fn say_extensions(&self) {
        for extension in self.api.extensions() {
            self.say(&Event::Extension(&extension));
        }
    }

    /// After an answer: waits until the runtime and the extensions are done with the invocation, within its time.
    pub(crate) async fn settle(&self, ended: &mut Ended) {
        let deadline = ended.deadline();
        let begun = ended.begun_at();
        let done = async {
            tokio::select! {
                biased;
                () = self.api.idle() => {}
                exit = self.sandbox.wait_exit() => return Err(Fault::Exit(exit)),
            }
            self.say_runtime_done(ended, None);
            tokio::select! {
                biased;
                idle = self.api.extensions_idle() => idle.map_err(Fault::Extension),
                exit = self.sandbox.wait_exit() => Err(Fault::Exit(exit)),
            }
        };
        let done = match tokio::time::timeout_at(deadline, done).await {
            Ok(done) => done,
            Err(_) => Err(Fault::Timeout(self.version.config.timeout)),
        };
        ended.settled(begun.elapsed(), done.err());
    }

    /// Tells extensions that the runtime is done with an invocation.
    pub(super) fn say_runtime_done(&self, ended: &Ended, status: Option<Status>) {
        let done = ended.runtime_done(status);
        self.say(&Event::RuntimeDone(&done));
    }

    /// Lets runtime and extensions end by themselves, for a bounded time. The processes must not be stopped by anybody else
    /// from here on.
    pub(super) async fn wind_up(&self, reason: ShutdownReason) {
        if !self.api.has_extensions() || self.winding_up.swap(true, Ordering::AcqRel) {
            return;
        }
        if self.thaw().await.is_err() {
            return;
        }
        let begun = Instant::now();
        let external = self.programs.are_some();
        let (grace, share) = if external {
            (EXTERNAL_GRACE, RUNTIME_SHARE)
        } else {
            (INTERNAL_GRACE, INTERNAL_GRACE)
        };
        self.telemetry.flush();
        if self.api.phase() != Phase::Starting && self.sandbox.terminate().await.is_ok() {
            let _in_time = tokio::time::timeout(share, self.sandbox.wait_exit()).await;
        }
        if !external {
            return;
        }
        let left = grace.saturating_sub(begun.elapsed());
        let deadline = self.clock.wall().plus(left);
        self.api.shut_down(Shutdown {
            reason,
            deadline_ms: deadline.as_millis(),
        });
        if tokio::time::timeout(left, self.api.extensions_over())
            .await
            .is_err()
        {
            tracing::debug!(environment = %self.id, "extensions did not end in time and are killed");
        }
    }
}

/// Ends what belongs to an environment when it is dropped.
#[derive(Default)]
pub(super) struct Over(tokio_util::sync::CancellationToken);

impl Over {
    fn token(&self) -> tokio_util::sync::CancellationToken {
        self.0.clone()
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// How the end of an idle environment's process or extension is told.
pub(super) fn end_text(end: Result<Exit, runtime_api::extensions::Fault>) -> String {
    match end {
        Ok(exit) => format!("{exit:?}"),
        Err(fault) => format!(
            "{} of the extension {}: {}",
            fault.kind, fault.name, fault.detail
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_layer_covers_an_earlier_one() {
        let place = tempfile::tempdir().unwrap();
        let make = |path: &str, dir: bool| {
            let path = place.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            if dir {
                std::fs::create_dir(path).unwrap();
            } else {
                std::fs::write(path, "").unwrap();
            }
        };
        make("first/extensions/both", false);
        make("first/extensions/covered", false);
        make("first/extensions/lib", true);
        make("second/extensions/both", false);
        make("second/extensions/covered", true);
        make("second/extensions/zeta", false);
        make("third/other", false);
        let at = |name: &str| place.path().join(name);
        let (first, second, third) = (at("first"), at("second"), at("third"));
        assert_eq!(names(&[&first]), ["both", "covered"]);
        assert_eq!(names(&[&first, &second, &third]), ["both", "zeta"]);
        assert_eq!(names(&[&third]), Vec::<String>::new());
    }
}
