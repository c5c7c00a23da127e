//! Cases about processes beside the runtime, and about listeners inside.

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    time::timeout,
};

use super::{Broken, Case, Fixture, Inside, LIMIT, Verdict, case, command, demand};
use crate::driver::{Exit, StartError};

pub(super) const CASES: &[Case] = &[
    case!(
        "processes beside the runtime have logs of their own, and their ends are told",
        run_beside
    ),
    case!("a reset ends them, too", reset_ends_them),
    case!(
        "a runtime that is asked to end does, or goes on",
        asked_to_end
    ),
    case!("a listener inside is reached by its port", reached),
];

impl Inside {
    /// Starts `/bin/sh` beside the runtime; answers its number and reads its log up to `until`.
    async fn beside(&self, script: &str, until: &str) -> Result<(u64, String), Broken> {
        let shell = command(&["/bin/sh", "-c", script]);
        let mut beside = self.sandbox.start_beside(shell).await?;
        let mut log = String::new();
        let mut buffer = [0; 1024];
        while !log.contains(until) {
            let read = timeout(LIMIT, beside.output.read(&mut buffer)).await;
            let n = read.map_err(|_| Broken::new(format!("no `{until}` in: {log}")))??;
            demand(n > 0, format!("`{until}` before the end, got: {log}"))?;
            log.push_str(&String::from_utf8_lossy(
                buffer.get(..n).unwrap_or_default(),
            ));
        }
        Ok((beside.number, log))
    }

    async fn beside_ends(&self, number: u64, exit: Exit) -> Verdict {
        let over = timeout(LIMIT, self.sandbox.wait_beside(number)).await;
        demand(over == Ok(exit), format!("{exit:?}, got {over:?}"))
    }
}

async fn run_beside(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let (first, _) = inside.beside("echo first; exit 3", "first\n").await?;
    inside.beside_ends(first, Exit::Code(3)).await?;
    inside.shell("echo runtime; read nothing; exit 0").await?;
    inside.exits(Exit::Code(0)).await?;
    let (second, log) = inside
        .beside("echo second; kill -TERM $$", "second\n")
        .await?;
    inside.beside_ends(second, Exit::Signal(15)).await?;
    inside.beside_ends(first, Exit::Code(3)).await?;
    demand(!log.contains("runtime"), format!("its own log, got: {log}"))?;
    let log = inside.log_now().await;
    demand(
        log.contains("runtime") && !log.contains("second"),
        format!("the runtime's own log, got: {log}"),
    )?;
    let (one, _) = inside.beside("echo one; sleep 1000", "one\n").await?;
    let (two, _) = inside.beside("echo two; exit 5", "two\n").await?;
    inside.beside_ends(two, Exit::Code(5)).await?;
    let at_once = tokio::join!(
        inside.sandbox.start_beside(command(&["/bin/true"])),
        inside.sandbox.start_beside(command(&["/bin/false"])),
        inside.sandbox.wait_beside(two),
    );
    inside.beside_ends(at_once.0?.number, Exit::Code(0)).await?;
    inside.beside_ends(at_once.1?.number, Exit::Code(1)).await?;
    demand(one < two, "numbers go up")?;
    let absent = inside.sandbox.start_beside(command(&["/opt/absent"])).await;
    demand(
        matches!(absent, Err(StartError::Exec { .. })),
        format!("a typed error, got {absent:?}"),
    )?;
    inside.sandbox.kill().await;
    Ok(())
}

async fn reset_ends_them(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let (number, _) = inside.beside("echo up; sleep 1000", "up\n").await?;
    inside.shell("sleep 1000").await?;
    inside.sandbox.reset_processes().await?;
    inside.beside_ends(number, Exit::Signal(9)).await?;
    inside.exits(Exit::Signal(9)).await?;
    let (number, _) = inside.beside("echo again; sleep 1000", "again\n").await?;
    inside.sandbox.kill().await;
    inside.beside_ends(number, Exit::Signal(9)).await
}

async fn asked_to_end(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.sandbox.terminate().await?;
    inside
        .shell("trap 'echo asked; exit 4' TERM; echo up; while :; do sleep 0.01; done")
        .await?;
    inside.logged("up").await?;
    inside.sandbox.terminate().await?;
    inside.exits(Exit::Code(4)).await?;
    inside.logged("asked").await.map(drop)
}

async fn reached(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let refused = inside.sandbox.connect(4243).await;
    demand(refused.is_err(), "nobody listens yet")?;
    let echo = "
import socket
listener = socket.create_server(('sandbox.localdomain', 4243))
print('up', flush=True)
connection, _ = listener.accept()
connection.sendall(connection.recv(100).upper())
connection.close()
";
    inside.python(echo).await?;
    inside.logged("up").await?;
    let mut connection = inside.sandbox.connect(4243).await?;
    connection.write_all(b"hello").await?;
    let mut answer = String::new();
    let read = timeout(LIMIT, connection.read_to_string(&mut answer)).await;
    demand(
        matches!(read, Ok(Ok(_))) && answer == "HELLO",
        format!("an echo, got {answer:?}"),
    )?;
    inside.sandbox.kill().await;
    let gone = inside.sandbox.connect(4243).await;
    demand(gone.is_err(), "nobody listens any more")
}
