//! An operator's cluster under way.

use std::{
    collections::BTreeSet,
    io::{self, Read},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use host::Tasks;
use model::{Role, Timestamp};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{Action, Staging};
use crate::{
    admin,
    fabric::Links,
    fault::{Disk, Member, Target, TargetError, Verb},
    verdict::{Leadership, Remark},
    watched::Watched,
};

const POLL: Duration = Duration::from_millis(20);
/// The most of a command's complaints that an error repeats.
const SAID_MAX: u64 = 500;

/// A cluster whose nodes are hurt by commands.
pub struct StagingCluster {
    staging: Staging,
    /// Whom this run has ended and not started again; asked if there is no command that knows.
    down: Mutex<BTreeSet<String>>,
    tasks: Tasks,
}

impl StagingCluster {
    pub(super) fn new(staging: Staging) -> Self {
        Self {
            staging,
            down: Mutex::default(),
            tasks: Tasks::new(),
        }
    }

    /// Runs the command that does this to a node.
    async fn act(&self, action: Action, node: &str, patience: Duration) -> Result<(), TargetError> {
        let error = |source: io::Error| TargetError::new(action.verb(), node, source);
        let missing = || io::Error::other(format!("hooks.{} is not given", action.as_str()));
        let command = self.staging.command(action, node);
        let command = command.ok_or_else(|| error(missing()))?;
        tracing::info!(command, "hurting or healing a node");
        execute(&command, patience).await.map_err(error)?;
        match action {
            Action::Kill | Action::Terminate => {
                self.down.lock().insert(node.to_owned());
            }
            Action::Start => {
                self.down.lock().remove(node);
            }
            Action::Pause | Action::Resume | Action::Wipe | Action::IsUp => {}
        }
        Ok(())
    }

    /// Asks nodes of this kind that have an admin endpoint.
    async fn ask<T: Send + 'static>(
        &self,
        role: Option<Role>,
        question: fn(&str) -> T,
    ) -> Vec<(String, T)> {
        let those = self.staging.node.iter();
        let those = those.filter(|n| role.is_none_or(|role| n.roles.has(role)));
        let asked: Vec<_> = those
            .filter_map(|n| Some((n.name.clone(), n.admin.clone()?)))
            .collect();
        let answers = self.tasks.blocking(move || {
            let answers = asked.into_iter().map(|(name, at)| (name, question(&at)));
            answers.collect()
        });
        answers.await.unwrap_or_default()
    }
}

#[async_trait]
impl Watched for StagingCluster {
    async fn leadership(&self) -> Option<Leadership> {
        let ask = |endpoint: &str| admin::leadership(endpoint).ok().flatten();
        let said = self.ask(Some(Role::Controller), ask).await;
        let known = said.into_iter().filter_map(|(_, leader)| leader);
        known.max_by_key(|leader| leader.term)
    }

    async fn unready(&self) -> Vec<String> {
        let said = self.ask(None, admin::unready).await;
        let told = said.into_iter();
        told.filter_map(|(name, why)| Some(format!("{name}: {}", why?)))
            .collect()
    }

    fn remarks(&self) -> Vec<Remark> {
        Vec::new()
    }
}

#[async_trait]
impl Target for StagingCluster {
    fn nodes(&self) -> Vec<Member> {
        self.staging.members()
    }

    fn supports(&self, verb: Verb) -> Result<(), String> {
        self.staging.hooks().supports(verb)
    }

    async fn leader(&self) -> Option<String> {
        self.leadership().await.map(|leader| leader.name)
    }

    async fn is_up(&self, node: &str) -> bool {
        let Some(command) = self.staging.command(Action::IsUp, node) else {
            return !self.down.lock().contains(node);
        };
        execute(&command, self.staging.hooks().timeout())
            .await
            .is_ok()
    }

    async fn kill(&self, node: &str) -> Result<(), TargetError> {
        self.act(Action::Kill, node, self.staging.hooks().timeout())
            .await
    }

    async fn terminate(&self, node: &str, patience: Duration) -> Result<bool, TargetError> {
        match self.act(Action::Terminate, node, patience).await {
            Ok(()) => Ok(true),
            Err(error) => match error.source.downcast_ref::<io::Error>() {
                Some(late) if late.kind() == io::ErrorKind::TimedOut => Ok(false),
                _ => Err(error),
            },
        }
    }

    async fn start(&self, node: &str) -> Result<(), TargetError> {
        self.act(Action::Start, node, self.staging.hooks().timeout())
            .await
    }

    async fn pause(&self, node: &str) -> Result<(), TargetError> {
        self.act(Action::Pause, node, self.staging.hooks().timeout())
            .await
    }

    async fn resume(&self, node: &str) -> Result<(), TargetError> {
        self.act(Action::Resume, node, self.staging.hooks().timeout())
            .await
    }

    async fn wipe(&self, node: &str) -> Result<(), TargetError> {
        self.act(Action::Wipe, node, self.staging.hooks().timeout())
            .await
    }

    fn links(&self) -> Option<Links> {
        None
    }

    fn disk(&self, _node: &str) -> Option<Arc<dyn Disk>> {
        None
    }

    fn clock(&self, _node: &str) -> Result<PathBuf, String> {
        Err("it is not ours".to_owned())
    }

    async fn wall(&self, _node: &str) -> Option<Timestamp> {
        None
    }
}

/// Runs a command in a shell until it succeeds, fails or takes too long.
async fn execute(command: &str, patience: Duration) -> io::Result<()> {
    let mut child = Command::new("sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            let late = format!("`{command}` took longer than {patience:?}");
            return Err(io::Error::new(io::ErrorKind::TimedOut, late));
        }
        tokio::time::sleep(POLL).await;
    };
    if status.success() {
        return Ok(());
    }
    let mut said = String::new();
    if let Some(stderr) = child.stderr.take() {
        // What it left running may hold the pipe open; what is there already is enough.
        rustix::io::ioctl_fionbio(&stderr, true)?;
        let _some = stderr.take(SAID_MAX).read_to_string(&mut said);
    }
    Err(io::Error::other(format!(
        "`{command}` answered {status}: {}",
        said.trim()
    )))
}
