//! One sandbox of a guest.

use std::{
    future::{Future, poll_fn},
    io,
    path::PathBuf,
    pin::{Pin, pin},
    sync::Arc,
    task::{Poll, Waker},
};

use async_trait::async_trait;
use host::{Entropy, Tasks, task::Kind};
use model::ByteCount;
use parking_lot::Mutex;
use sandbox::{Accept, Command, ControlError, Exit, Output, Sandbox, Spec, StartError, Stats};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    OWNER,
    api::Api,
    between,
    health::Health,
    inlet::{Inlet, Listener},
    ledger::Ledger,
    printer::{Paper, Printer},
    script::{Process, Script},
};

/// How long a process takes to its first instruction, at least and at most more, in milliseconds.
const START_MS: (u64, u64) = (1, 4);
/// How long processes take to die.
const KILL_MS: (u64, u64) = (0, 3);
/// How long it takes to freeze or thaw.
const FREEZE_MS: (u64, u64) = (0, 1);

/// What a sandbox has of its driver.
pub(super) struct Ground {
    pub(super) node: String,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) ledger: Ledger,
    pub(super) health: Health,
    pub(super) tasks: Tasks,
    /// Fires when the sandbox is over.
    pub(super) killed: CancellationToken,
}

/// The worker's handle. Dropped, it ends the sandbox.
pub(super) struct Shell {
    body: Arc<Body>,
    listener: Option<Listener>,
    paper: Option<Paper>,
}

/// The sandbox itself.
pub(super) struct Body {
    spec: Spec,
    ground: Ground,
    inlet: Inlet,
    printer: Printer,
    gate: Arc<Gate>,
    /// The process that was started last.
    process: Mutex<Option<CancellationToken>>,
    /// How it ended.
    exit: watch::Sender<Option<Exit>>,
    memory: ByteCount,
}

/// Lets processes run, or not.
#[derive(Default)]
struct Gate(Mutex<(bool, Option<Waker>)>);

impl Shell {
    pub(super) fn new(spec: Spec, ground: Ground) -> Self {
        let (inlet, printer) = (Inlet::default(), Printer::default());
        ground.ledger.created(&ground.node, &spec.id);
        let memory = ByteCount::mib(8 + ground.entropy.below(24));
        Self {
            listener: Some(inlet.listener()),
            paper: Some(printer.paper()),
            body: Arc::new(Body {
                spec,
                ground,
                inlet,
                printer,
                gate: Arc::default(),
                process: Mutex::default(),
                exit: watch::Sender::new(None),
                memory,
            }),
        }
    }

    pub(super) fn body(&self) -> Arc<Body> {
        self.body.clone()
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        self.body.end();
    }
}

impl Body {
    pub(super) fn is_killed(&self) -> bool {
        self.ground.killed.is_cancelled()
    }

    pub(super) async fn kill(&self) {
        let was_killed = self.is_killed();
        self.ground.killed.cancel();
        if !was_killed {
            tokio::time::sleep(between(&*self.ground.entropy, KILL_MS)).await;
        }
        self.wait_over().await;
        self.end();
    }

    /// What needs no waiting. The processes end as soon as they would run again.
    fn end(&self) {
        self.ground.killed.cancel();
        self.inlet.close();
        self.printer.close();
        self.ground.ledger.ended(&self.spec.id);
    }

    /// Waits until no process is left.
    async fn wait_over(&self) {
        if self.process.lock().is_some() {
            self.wait_exit().await;
        }
    }

    async fn wait_exit(&self) -> Exit {
        let mut exit = self.exit.subscribe();
        let ended = exit.wait_for(Option::is_some).await.map(|exit| *exit);
        match ended {
            Ok(Some(exit)) => exit,
            // The sender lives in `self`.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }

    fn alive(&self) -> Result<(), ControlError> {
        if self.is_killed() {
            return Err(ControlError::Gone);
        }
        Ok(())
    }

    async fn set_frozen(&self, frozen: bool) -> Result<(), ControlError> {
        self.alive()?;
        tokio::time::sleep(between(&*self.ground.entropy, FREEZE_MS)).await;
        self.alive()?;
        if !frozen && self.ground.health.has_killed(&*self.ground.entropy) {
            self.end();
            return Err(ControlError::Gone);
        }
        if self.gate.set(frozen) {
            self.ground.ledger.froze(&self.spec.id, frozen);
        }
        Ok(())
    }

    /// Reserves the place of the process.
    fn take_place(&self) -> Result<CancellationToken, StartError> {
        if self.is_killed() {
            return Err(StartError::Gone);
        }
        let mut process = self.process.lock();
        if process.is_some() && self.exit.borrow().is_none() {
            return Err(StartError::AlreadyRunning);
        }
        let killed = self.ground.killed.child_token();
        *process = Some(killed.clone());
        self.exit.send_replace(None);
        Ok(killed)
    }

    /// Where a program of the inside is on the outside.
    fn program(&self, path: &str) -> Option<PathBuf> {
        let places = [
            ("/var/task/", &self.spec.code_dir),
            ("/var/runtime/", &self.spec.runtime_dir),
        ];
        places
            .iter()
            .find_map(|(at, dir)| Some(dir.join(path.strip_prefix(at)?)))
    }

    fn load(&self, path: &str) -> Result<Script, StartError> {
        let failed = |source| StartError::Exec {
            step: format!("execute {path}"),
            source,
        };
        let program = self.program(path);
        let program = program.ok_or_else(|| failed(io::Error::from_raw_os_error(2)))?;
        Script::load(&program).map_err(failed)
    }
}

impl Gate {
    /// Answers whether it was otherwise before.
    fn set(&self, frozen: bool) -> bool {
        let mut inner = self.0.lock();
        let was = std::mem::replace(&mut inner.0, frozen);
        if !frozen && let Some(waker) = inner.1.take() {
            waker.wake();
        }
        was != frozen
    }

    /// Runs a future, but makes no step of it while this is closed.
    async fn run<F: Future>(&self, mut future: Pin<&mut F>) -> F::Output {
        poll_fn(|cx| {
            {
                let mut inner = self.0.lock();
                if inner.0 {
                    inner.1 = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
            future.as_mut().poll(cx)
        })
        .await
    }
}

#[async_trait]
impl Sandbox for Shell {
    fn id(&self) -> &str {
        &self.body.spec.id
    }

    fn take_listener(&mut self) -> Option<Box<dyn Accept>> {
        Some(Box::new(self.listener.take()?))
    }

    /// Scripts speak to nobody but their runtime API.
    fn take_gateway(&mut self) -> Option<Box<dyn Accept>> {
        None
    }

    fn take_logs(&mut self) -> Option<Box<dyn Output>> {
        Some(Box::new(self.paper.take()?))
    }

    async fn start(&self, command: Command) -> Result<(), StartError> {
        let body = &self.body;
        let path = command.argv.first().filter(|path| path.starts_with('/'));
        let path = path.ok_or_else(|| {
            StartError::Invalid("expected an absolute path as argv[0]".to_owned())
        })?;
        let ground = &body.ground;
        tokio::time::sleep(between(&*ground.entropy, START_MS)).await;
        let script = body.load(path)?;
        let killed = body.take_place()?;
        let variable = |wanted: &str| {
            let found = command.env.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let function = (
            variable("AWS_LAMBDA_FUNCTION_NAME"),
            variable("AWS_LAMBDA_FUNCTION_VERSION"),
        );
        let id = &body.spec.id;
        ground.ledger.started(id, &function.0, &function.1);
        if variable(OWNER) != function.0 {
            ground.ledger.robbed(id);
        }
        let process = Process {
            script,
            sandbox: id.clone(),
            node: ground.node.clone(),
            function,
            api: Api::new(body.inlet.clone()),
            printer: body.printer.clone(),
            ledger: ground.ledger.clone(),
            health: ground.health.clone(),
            entropy: ground.entropy.clone(),
            count: 0,
        };
        let (gate, ledger) = (body.gate.clone(), ground.ledger.clone());
        let exit = body.exit.clone();
        ground.tasks.spawn(Kind::Environment, "guest", async move {
            let how = {
                let mut life = pin!(process.run());
                tokio::select! {
                    biased;
                    () = killed.cancelled() => {
                        ledger.fire("killed");
                        Exit::Signal(9)
                    }
                    exit = gate.run(life.as_mut()) => exit,
                }
            };
            exit.send_replace(Some(how));
        });
        Ok(())
    }

    async fn wait_exit(&self) -> Exit {
        self.body.wait_exit().await
    }

    async fn freeze(&self) -> Result<(), ControlError> {
        self.body.set_frozen(true).await
    }

    async fn thaw(&self) -> Result<(), ControlError> {
        self.body.set_frozen(false).await
    }

    async fn limit_cpu(&self) -> Result<(), ControlError> {
        self.body.alive()
    }

    async fn stats(&self) -> Result<Stats, ControlError> {
        self.body.alive()?;
        Ok(Stats {
            memory_now: Some(self.body.memory),
            memory_peak: self.memory_peak(),
            oom_kills: Some(0),
            ..Stats::default()
        })
    }

    fn memory_peak(&self) -> Option<ByteCount> {
        Some(self.body.memory)
    }

    fn memory_of_processes(&self) -> Option<ByteCount> {
        Some(self.body.memory)
    }

    async fn reset_processes(&self) -> Result<(), ControlError> {
        self.body.alive()?;
        if let Some(process) = &*self.body.process.lock() {
            process.cancel();
        }
        tokio::time::sleep(between(&*self.body.ground.entropy, KILL_MS)).await;
        self.body.wait_over().await;
        self.body.alive()?;
        self.body.gate.set(false);
        Ok(())
    }

    async fn kill(&self) {
        self.body.kill().await;
    }
}
