//! What guests do: the script that a deployment package has in place of a program, and what payloads can ask for.

use std::{io, path::Path, sync::Arc, time::Duration};

use bytes::Bytes;
use host::Entropy;
use sandbox::Exit;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    api::{Api, CallError, Event},
    health::Health,
    ledger::{Ending, Execution, Ledger},
    printer::Printer,
};

/// An answer that is larger than any limit on answers, in KiB.
const TOO_BIG_KIB: u64 = 6200;

/// The content of a deployment package's `bootstrap`, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Tells this code from other code: every answer has it.
    pub marker: String,
    /// How long it takes to initialise, in milliseconds; up to a quarter more is drawn.
    #[serde(default)]
    pub init_ms: u64,
    /// Whether it reports that it cannot initialise, and exits.
    #[serde(default)]
    pub init_fails: bool,
}

/// The payload of an invocation, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Names the invocation for the [`Ledger`].
    pub id: String,
    /// What to do.
    #[serde(rename = "do")]
    pub act: Act,
    /// See [`Act`].
    #[serde(default)]
    pub ms: u64,
}

/// What a payload can ask for. Before all of them but `sleep`, a guest takes a moment, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Answer.
    Echo,
    /// Answer after `ms`.
    Sleep,
    /// Die of signal 11 after `ms`.
    Crash,
    /// Exit with status 1 after `ms`.
    Exit,
    /// Report an error after `ms`.
    Error,
    /// Never answer.
    Hang,
    /// Answer, and then answer the same invocation again with something else.
    Double,
    /// Answer with `ms` KiB more; with 0, more than any answer may have.
    Big,
}

impl Act {
    const fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Sleep => "sleep",
            Self::Crash => "crash",
            Self::Exit => "exit",
            Self::Error => "error",
            Self::Hang => "hang",
            Self::Double => "double",
            Self::Big => "big",
        }
    }
}

/// What a guest answers, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The id of the order.
    pub id: String,
    /// The code that ran.
    pub marker: String,
    /// The sandbox that it ran in.
    pub sandbox: String,
    /// Which invocation of this process it was, from 1.
    pub count: u64,
}

/// A process that runs a script.
pub(super) struct Process {
    pub(super) script: Script,
    pub(super) sandbox: String,
    pub(super) node: String,
    /// Of which function and version, as the environment says.
    pub(super) function: (String, String),
    pub(super) api: Api,
    pub(super) printer: Printer,
    pub(super) ledger: Ledger,
    pub(super) health: Health,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) count: u64,
}

impl Script {
    /// Reads a script as the kernel would execute a program.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        let (denied, no_program) = (13, 8);
        if std::fs::metadata(path)?.permissions().mode() & 0o111 == 0 {
            return Err(io::Error::from_raw_os_error(denied));
        }
        let text = std::fs::read(path)?;
        serde_json::from_slice(&text).map_err(|_| io::Error::from_raw_os_error(no_program))
    }
}

impl Process {
    /// Runs until it ends by itself.
    pub(super) async fn run(mut self) -> Exit {
        match self.live().await {
            Ok(exit) => exit,
            Err(error) => {
                self.printer.line(&format!("runtime: {error}")).await;
                Exit::Code(1)
            }
        }
    }

    async fn live(&mut self) -> Result<Exit, CallError> {
        let least = self.script.init_ms;
        let init = least + self.entropy.below(least / 4 + 1);
        tokio::time::sleep(Duration::from_millis(init)).await;
        if self.script.init_fails {
            self.ledger.fire("init failed");
            let failure = failure("Scripted.Init", &self.script.marker);
            self.api.fail_init("Scripted.Init", failure).await?;
            return Ok(Exit::Code(1));
        }
        let marker = &self.script.marker;
        self.printer.line(&format!("{marker} is up")).await;
        loop {
            let event = self.api.next().await?;
            self.count += 1;
            if let Some(exit) = self.obey(event).await? {
                return Ok(exit);
            }
        }
    }

    async fn obey(&mut self, event: Event) -> Result<Option<Exit>, CallError> {
        let request_id = event.request_id.clone();
        let Ok(order) = serde_json::from_slice::<Order>(&event.payload) else {
            let failure = failure("Scripted.Payload", "expected an order");
            self.api
                .fail(&request_id, "Scripted.Payload", failure)
                .await?;
            return Ok(None);
        };
        self.ledger.fire(order.act.name());
        let running = self.ledger.begin(self.execution(&order, event));
        self.printer.line(&format!("saw {}", order.id)).await;
        let pause = match order.act {
            Act::Sleep | Act::Crash | Act::Exit | Act::Error => order.ms,
            Act::Echo | Act::Hang | Act::Double | Act::Big => 0,
        };
        let moment = Duration::from_micros(200 + self.entropy.below(2_000));
        let pause = Duration::from_millis(pause) + self.health.guest_delay();
        tokio::time::sleep(pause + moment).await;
        let ending = match order.act {
            Act::Echo | Act::Sleep => self.answer(&request_id, &order, 0).await?,
            Act::Big if order.ms == 0 => self.answer(&request_id, &order, TOO_BIG_KIB).await?,
            Act::Big => self.answer(&request_id, &order, order.ms).await?,
            Act::Double => {
                let ending = self.answer(&request_id, &order, 0).await?;
                let again = Bytes::from_static(b"{\"second\":true}");
                let taken = self.api.respond(&request_id, again).await?;
                self.ledger.fire(if taken {
                    "second answer taken"
                } else {
                    "second answer refused"
                });
                ending
            }
            Act::Error => {
                let failure = failure("Scripted.Error", &order.id);
                match self
                    .api
                    .fail(&request_id, "Scripted.Error", failure)
                    .await?
                {
                    true => Ending::Failed,
                    false => Ending::Refused,
                }
            }
            Act::Hang => std::future::pending().await,
            Act::Crash | Act::Exit => Ending::Exited,
        };
        running.end(ending);
        Ok(match order.act {
            Act::Crash => Some(Exit::Signal(11)),
            Act::Exit => Some(Exit::Code(1)),
            _ => None,
        })
    }

    async fn answer(&mut self, to: &str, order: &Order, pad_kib: u64) -> Result<Ending, CallError> {
        let answer = Answer {
            id: order.id.clone(),
            marker: self.script.marker.clone(),
            sandbox: self.sandbox.clone(),
            count: self.count,
        };
        let mut answer = json!(answer);
        if pad_kib > 0
            && let Some(members) = answer.as_object_mut()
        {
            let length = usize::try_from(pad_kib << 10).unwrap_or(0);
            members.insert("padding".to_owned(), "x".repeat(length).into());
        }
        let taken = self.api.respond(to, answer.to_string().into()).await?;
        Ok(if taken {
            Ending::Answered
        } else {
            Ending::Refused
        })
    }

    fn execution(&self, order: &Order, event: Event) -> Execution {
        let (function, version) = self.function.clone();
        Execution {
            id: order.id.clone(),
            request_id: event.request_id,
            marker: self.script.marker.clone(),
            function,
            version,
            invoked_arn: event.invoked_arn,
            sandbox: self.sandbox.clone(),
            node: self.node.clone(),
            count: self.count,
            start: Duration::ZERO,
            end: None,
        }
    }
}

/// What runtimes say of an error.
fn failure(kind: &str, message: &str) -> Bytes {
    let document = json!({ "errorType": kind, "errorMessage": message, "stackTrace": [] });
    document.to_string().into()
}
