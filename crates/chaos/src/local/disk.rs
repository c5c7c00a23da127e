//! The disk under one node's data, if the scenario breaks disks.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use faultfs::{Control, Errno, Image, Mount, MountError, Options, Survival};
use host::{Entropy, SeededEntropy, Tasks};
use parking_lot::Mutex;

use crate::fault::{Disk, TargetError, Verb};

/// How long a node that was killed may have files open.
const IDLE_MAX: Duration = Duration::from_secs(10);

/// A mounted disk, with the hand that breaks it.
pub(super) struct LocalDisk {
    node: String,
    control: Control,
    mount: Mutex<Option<Mount>>,
    /// Whether the node may end by itself for the disk's sake; the node takes it back when it starts.
    excuse: Arc<AtomicBool>,
    entropy: SeededEntropy,
    tasks: Tasks,
}

impl LocalDisk {
    /// Puts a disk at `at`; what is on it goes to `backing` when it is taken down.
    pub(super) fn mount(
        node: &str,
        at: &Path,
        backing: &Path,
        excuse: Arc<AtomicBool>,
        seed: u64,
    ) -> Result<Self, MountError> {
        let options = Options {
            backing: Some(backing.to_owned()),
            ..Options::default()
        };
        let mount = Mount::new(at, options)?;
        Ok(Self {
            node: node.to_owned(),
            control: mount.control(),
            mount: Mutex::new(Some(mount)),
            excuse,
            entropy: SeededEntropy::new(seed),
            tasks: Tasks::new(),
        })
    }

    /// Takes it down; the node must be gone.
    pub(super) fn unmount(&self) {
        let Some(mount) = self.mount.lock().take() else {
            return;
        };
        if let Err(error) = mount.unmount() {
            tracing::warn!(node = self.node, %error, "what was on a disk is not kept");
        }
    }

    /// Puts an empty disk in its place; the node must be gone.
    pub(super) fn replace(&self) -> Result<(), TargetError> {
        let replaced = self.control.replace(&Image::default(), IDLE_MAX);
        replaced.map_err(|error| TargetError::new(Verb::Wipe, &self.node, error))
    }

    fn excuse(&self) {
        self.excuse.store(true, Ordering::Release);
    }

    /// What a cut of the power lets through, by chance.
    fn survival(&self) -> Survival {
        let seed = self.entropy.next_u64();
        match self.entropy.below(4) {
            0 => Survival::Nothing,
            1 => Survival::Some(seed),
            2 => Survival::Reordered(seed),
            _ => Survival::Torn(seed),
        }
    }
}

#[async_trait]
impl Disk for LocalDisk {
    async fn stall(&self) -> Result<(), TargetError> {
        self.excuse();
        self.control.stall();
        Ok(())
    }

    async fn slow(&self, by: Duration) -> Result<(), TargetError> {
        self.control.slow(by);
        Ok(())
    }

    async fn fail(&self) -> Result<(), TargetError> {
        self.excuse();
        self.control.fail(Errno::Io);
        Ok(())
    }

    async fn fill(&self) -> Result<(), TargetError> {
        self.excuse();
        self.control.no_space();
        Ok(())
    }

    async fn heal(&self) -> Result<(), TargetError> {
        self.control.heal();
        Ok(())
    }

    async fn cut_power(&self) -> Result<(), TargetError> {
        self.excuse();
        let survival = self.survival();
        tracing::info!(node = self.node, %survival, "the power fails");
        self.control.power_cut(survival);
        Ok(())
    }

    async fn restore_power(&self) -> Result<(), TargetError> {
        let control = self.control.clone();
        let restored = self
            .tasks
            .blocking(move || control.restore_power(IDLE_MAX))
            .await;
        let error = |source| TargetError::new(Verb::Break, &self.node, source);
        match restored {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(error(Box::<dyn std::error::Error + Send + Sync>::from(
                refused,
            ))),
            Err(panic) => Err(error(panic.into())),
        }
    }
}

impl Drop for LocalDisk {
    fn drop(&mut self) {
        self.unmount();
    }
}
