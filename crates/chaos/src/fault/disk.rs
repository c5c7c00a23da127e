//! A disk does not do its work: it stalls, is slow, answers errors, is full, or loses its power.
//!
//! A node whose disk fails is expected to stop itself rather than to go on without; so what is not up when the disk is
//! whole again is started.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use serde::Deserialize;

use super::{
    Disk, FaultError, Span, Target, Unsupported, Verb, Who,
    act::{Act, Kind, Scene, kill_all, list, start_all},
    together::together,
    who::phrase,
};

/// How long a node that stops itself may take to be gone once its disk is whole again.
const SETTLES: Duration = Duration::from_secs(2);

/// Parameters of `disk`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskFault {
    /// Whose disk.
    pub who: Who,
    /// How many.
    pub count: Option<usize>,
    /// What it does.
    pub how: How,
    /// How much longer everything takes on a slow disk. 20 ms unless told.
    #[serde(default = "by")]
    pub by: Span,
    /// How long. 10 s unless told.
    #[serde(default = "lasts")]
    pub lasts: Span,
}

/// What a disk does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// Nothing comes to an end.
    Stall,
    /// Everything takes longer.
    Slow,
    /// Reads, writes and syncs answer EIO.
    Eio,
    /// Writes that need room answer ENOSPC.
    Full,
    /// What was not synced is lost, and the node with it; both come back.
    PowerCut,
}

fn lasts() -> Span {
    Span(Duration::from_secs(10))
}

fn by() -> Span {
    Span(Duration::from_millis(20))
}

struct Breaking {
    victims: Vec<String>,
    disks: Vec<Arc<dyn Disk>>,
    fault: DiskFault,
}

impl DiskFault {
    fn sentence(&self, who: &str) -> String {
        match self.how {
            How::PowerCut => format!(
                "cut the power of {who}: what was not synced is lost; power is back after {}",
                self.lasts
            ),
            How::Slow => format!(
                "let all that the disk of {who} does take {} longer for {}",
                self.by, self.lasts
            ),
            How::Stall | How::Eio | How::Full => {
                format!("let the disk of {who} {} for {}", self.how, self.lasts)
            }
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stall => "stall",
            Self::Slow => "be slow",
            Self::Eio => "answer EIO",
            Self::Full => "be full",
            Self::PowerCut => "lose its power",
        })
    }
}

impl Kind for DiskFault {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn describe(&self) -> String {
        self.sentence(&phrase(&self.who, self.count))
    }

    fn lasts(&self) -> Duration {
        self.lasts.0
    }

    fn prepare(&self, scene: &Scene<'_>) -> Result<Box<dyn Act>, Unsupported> {
        scene.needs(&[Verb::Break, Verb::Kill, Verb::Start])?;
        let victims = self.who.choose(scene, self.count)?;
        let disk = |node: &String| {
            let disk = scene.target.disk(node);
            disk.ok_or_else(|| Unsupported::NoDisk { node: node.clone() })
        };
        Ok(Box::new(Breaking {
            disks: victims.iter().map(disk).collect::<Result<_, _>>()?,
            victims,
            fault: self.clone(),
        }))
    }
}

#[async_trait]
impl Act for Breaking {
    fn describe(&self) -> String {
        self.fault.sentence(&list(&self.victims))
    }

    fn victims(&self) -> &[String] {
        &self.victims
    }

    async fn begin(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        let DiskFault { how, by, .. } = self.fault;
        together(self.disks.iter().map(|disk| async move {
            match how {
                How::Stall => disk.stall().await?,
                How::Slow => disk.slow(by.0).await?,
                How::Eio => disk.fail().await?,
                How::Full => disk.fill().await?,
                How::PowerCut => disk.cut_power().await?,
            }
            Ok(())
        }))
        .await?;
        if how == How::PowerCut {
            kill_all(target, &self.victims).await?;
        }
        Ok(())
    }

    async fn hold(&mut self, _target: &dyn Target) -> Result<(), FaultError> {
        tokio::time::sleep(self.fault.lasts.0).await;
        Ok(())
    }

    async fn end(&mut self, target: &dyn Target) -> Result<(), FaultError> {
        let how = self.fault.how;
        if how == How::PowerCut {
            // The beginning may have been cut short between the two.
            kill_all(target, &self.victims).await?;
        }
        let healed = together(self.disks.iter().map(|disk| async move {
            match how {
                How::Stall | How::Slow | How::Eio | How::Full => disk.heal().await?,
                How::PowerCut => disk.restore_power().await?,
            }
            Ok(())
        }))
        .await;
        if how != How::PowerCut {
            tokio::time::sleep(SETTLES).await;
        }
        healed.and(start_all(target, &self.victims).await)
    }
}
