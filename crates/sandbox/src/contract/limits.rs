//! Cases about what a sandbox may use.

use model::{EphemeralMib, MemoryMib};

use super::{Case, Fixture, Inside, Verdict, case, demand, until};
use crate::driver::{Exit, InitCpu, Spec};

pub(super) const CASES: &[Case] = &[
    case!(
        "a process that takes too much memory is killed, and its neighbour is not",
        memory,
        [CgroupMemory]
    ),
    case!(
        "a child that takes too much memory does not make the exit of its parent one",
        memory_of_child,
        [CgroupMemory]
    ),
    case!("a fork bomb stops at the limit", forks),
    case!("/tmp ends at its size and has an end of files", tmp),
    case!("open files end at the limit", files),
    case!(
        "the CPU quota holds, from the start or after the boost",
        cpu,
        [CgroupCpu]
    ),
    case!(
        "the meters tell what is used",
        meters,
        [CgroupMemory, CgroupPids]
    ),
    case!(
        "the memory of processes is told, and the most that they had, also when they are over",
        memory_told
    ),
    case!("memory that processes share is told once", memory_shared),
];

const MEMORY_BOMB: &str = "
hoard = []
while True:
    hoard.append(bytearray(8 << 20))
";

/// The smallest: the limit of memory and of `/tmp` together is 640 MiB.
async fn memory(fixture: &Fixture<'_>) -> Verdict {
    let mut neighbour = fixture.make(fixture.spec()).await?;
    neighbour
        .shell("echo up; read x < /tmp/fifo || sleep 1000")
        .await?;
    neighbour.logged("up").await?;
    let mut inside = fixture.make(fixture.spec()).await?;
    inside.python(MEMORY_BOMB).await?;
    inside.exits(Exit::OutOfMemory).await?;
    let stats = inside.sandbox.stats().await?;
    demand(
        stats.oom_kills.is_some_and(|n| n >= 1),
        format!("kills are counted, got {stats:?}"),
    )?;
    inside.shell("echo alive").await?;
    inside.exits(Exit::Code(0)).await?;
    let spared = neighbour.sandbox.stats().await?;
    demand(
        spared.oom_kills == Some(0),
        format!("the neighbour is spared, got {spared:?}"),
    )?;
    neighbour.sandbox.reset_processes().await?;
    neighbour.exits(Exit::Signal(9)).await
}

async fn memory_of_child(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture.make(fixture.spec()).await?;
    let program = format!(
        "
import os, sys, time
child = os.fork()
if child == 0:
    exec('''{MEMORY_BOMB}''')
_, status = os.waitpid(child, 0)
sys.exit(os.WTERMSIG(status))
"
    );
    inside.python(&program).await?;
    inside.exits(Exit::Code(9)).await?;
    inside.shell("kill -KILL $$").await?;
    inside.exits(Exit::Signal(9)).await?;

    // A runtime that outlived such a child and is then reset was killed by nobody's hunger.
    let survivor = program.replace(
        "sys.exit(os.WTERMSIG(status))",
        "print('survived', flush=True); time.sleep(1000)",
    );
    inside.python(&survivor).await?;
    inside.logged("survived").await?;
    inside.sandbox.reset_processes().await?;
    inside.exits(Exit::Signal(9)).await
}

async fn forks(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture
        .make(Spec {
            pids_max: 64,
            ..fixture.spec()
        })
        .await?;
    let program = "
import os, time
count = 0
try:
    while True:
        if os.fork() == 0:
            time.sleep(1000)
        count += 1
except OSError as error:
    print('stopped', count, error.errno, 'end', flush=True)
time.sleep(1000)
";
    inside.python(program).await?;
    let log = inside.logged("end\n").await?.to_owned();
    let count: Option<u64> = log.split_whitespace().nth(1).and_then(|n| n.parse().ok());
    demand(
        count.is_some_and(|n| (32..64).contains(&n)),
        format!("fewer than 64 children, got: {log}"),
    )?;
    inside.sandbox.reset_processes().await?;
    inside.shell("echo clean").await?;
    inside.exits(Exit::Code(0)).await
}

async fn tmp(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture
        .make(Spec {
            memory: MemoryMib::new(512)?,
            ..fixture.spec()
        })
        .await?;
    let program = "
import errno, os
size = 0
try:
    with open('/tmp/big', 'wb') as big:
        while True:
            size += big.write(bytes(1 << 20))
            big.flush()
except OSError as error:
    print('bytes', errno.errorcode[error.errno], size >> 20, flush=True)
os.remove('/tmp/big')
count = 0
try:
    while count < 1000000:
        open(f'/tmp/{count}', 'w').close()
        count += 1
except OSError as error:
    print('files', errno.errorcode[error.errno], count, flush=True)
";
    inside.python(program).await?;
    inside.exits(Exit::Code(0)).await?;
    let log = inside.log_now().await;
    demand(
        log.contains("bytes ENOSPC 51"),
        format!("/tmp is 512 MiB, got: {log}"),
    )?;
    demand(
        log.contains("files ENOSPC"),
        format!("files in /tmp are counted, got: {log}"),
    )?;
    let stats = inside.sandbox.stats().await?;
    demand(
        stats
            .tmp_bytes
            .is_some_and(|b| b.0 <= EphemeralMib::MIN.bytes().0),
        format!("its use is told, got {stats:?}"),
    )
}

async fn files(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture
        .make(Spec {
            nofile_max: 100,
            ..fixture.spec()
        })
        .await?;
    let program = "
import os, resource
print('limit', resource.getrlimit(resource.RLIMIT_NOFILE))
try:
    while True:
        last = os.open('/dev/null', os.O_RDONLY)
except OSError as error:
    print('last', last, flush=True)
";
    inside.python(program).await?;
    inside.exits(Exit::Code(0)).await?;
    let log = inside.log_now().await;
    demand(
        log.contains("limit (100, 100)") && log.contains("last 99"),
        format!("100 files, got: {log}"),
    )
}

async fn cpu(fixture: &Fixture<'_>) -> Verdict {
    // Burns one second of CPU or five of the clock, whichever comes first, and tells the share it got.
    let burn = "
import time
clock, used = time.monotonic(), time.process_time()
while time.process_time() - used < 1 and time.monotonic() - clock < 5:
    pass
print('share', int(100 * (time.process_time() - used) / (time.monotonic() - clock)), flush=True)
";
    let quarter = MemoryMib::new(442)?;
    let mut inside = fixture
        .make(Spec {
            memory: quarter,
            init_cpu: InitCpu::Quota,
            ..fixture.spec()
        })
        .await?;
    inside.python(burn).await?;
    inside.exits(Exit::Code(0)).await?;
    let limited = share(&inside.log_now().await);
    demand(
        limited.is_some_and(|s| s <= 40),
        format!("a quarter of a CPU, got {limited:?} %"),
    )?;

    let mut inside = fixture
        .make(Spec {
            memory: MemoryMib::new(128)?,
            ..fixture.spec()
        })
        .await?;
    inside.sandbox.limit_cpu().await?;
    inside.sandbox.limit_cpu().await?;
    inside.python(burn).await?;
    inside.exits(Exit::Code(0)).await?;
    let after = share(&inside.log_now().await);
    demand(
        after.is_some_and(|s| s <= 12),
        format!("7 % of a CPU after the boost, got {after:?} %"),
    )?;

    // Others may want the processor at the same time.
    let mut again = None;
    for _ in 0..10 {
        inside.sandbox.reset_processes().await?;
        inside.python(burn).await?;
        inside.exits(Exit::Code(0)).await?;
        again = share(&inside.log_now().await).max(again);
        if again.is_some_and(|s| s > 12) {
            break;
        }
    }
    demand(
        again.is_some_and(|s| s > 12),
        format!("more than 7 % of a CPU for a start after a reset, got {again:?} %"),
    )
}

fn share(log: &str) -> Option<u32> {
    log.split_whitespace().nth(1)?.parse().ok()
}

async fn meters(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture
        .make(Spec {
            memory: MemoryMib::new(512)?,
            ..fixture.spec()
        })
        .await?;
    let before = inside.sandbox.stats().await?;
    let program = "
import os, time
hoard = bytearray(64 << 20)
with open('/tmp/file', 'wb') as file:
    file.write(bytes(32 << 20))
used = time.process_time()
while time.process_time() - used < 0.05:
    pass
os.fork()
print('holding', flush=True)
time.sleep(1000)
";
    inside.python(program).await?;
    inside.logged("holding").await?;
    let after = inside.sandbox.stats().await?;
    let grew = |of: fn(&crate::driver::Stats) -> Option<u64>, least: u64| matches!((of(&before), of(&after)), (Some(b), Some(a)) if a >= b + least);
    let told = format!("before {before:?}, after {after:?}");
    demand(
        grew(|s| s.memory_now.map(|b| b.0), 96 << 20),
        format!("memory and /tmp together: {told}"),
    )?;
    demand(
        grew(|s| s.memory_peak.map(|b| b.0), 64 << 20),
        format!("the peak: {told}"),
    )?;
    demand(
        grew(|s| s.tmp_bytes.map(|b| b.0), 32 << 20),
        format!("/tmp: {told}"),
    )?;
    demand(grew(|s| s.pids, 1), format!("processes: {told}"))?;
    demand(
        grew(
            |s| {
                s.cpu_usage
                    .map(|d| u64::try_from(d.as_millis()).unwrap_or(0))
            },
            50,
        ),
        format!("CPU: {told}"),
    )
}

/// No counter is exact: a kernel adds up in batches, and an interpreter has memory of its own.
const HOARD: u64 = 64 << 20;
const OTHER: u64 = 48 << 20;

async fn memory_told(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture
        .make(Spec {
            memory: MemoryMib::new(512)?,
            ..fixture.spec()
        })
        .await?;
    let program = format!(
        "
import sys, time
hoard = bytearray(b'x') * {HOARD}
print('holding', flush=True)
time.sleep(1)
del hoard
print('let go', flush=True)
time.sleep(1000)
"
    );
    inside.python(&program).await?;
    inside.logged("holding").await?;
    tells(&inside, "what is held", HOARD..HOARD + OTHER).await?;
    inside.logged("let go").await?;
    tells(&inside, "what is left", 0..OTHER).await?;
    peaked(&inside)?;
    inside.sandbox.reset_processes().await?;
    inside.exits(Exit::Signal(9)).await?;
    peaked(&inside)
}

/// Waits until the memory of the processes is told to be within these bounds.
async fn tells(inside: &Inside, what: &str, bounds: std::ops::Range<u64>) -> Verdict {
    let told = || inside.sandbox.memory_of_processes().map(|b| b.0);
    let within = until(|| told().is_some_and(|now| bounds.contains(&now))).await;
    demand(
        within,
        format!("{what}: expected {bounds:?}, got {:?}", told()),
    )
}

fn peaked(inside: &Inside) -> Verdict {
    let peak = inside.sandbox.memory_peak().map(|b| b.0);
    demand(
        peak.is_some_and(|peak| (HOARD..HOARD + OTHER).contains(&peak)),
        format!("the most that was held, got {peak:?}"),
    )
}

async fn memory_shared(fixture: &Fixture<'_>) -> Verdict {
    let mut inside = fixture
        .make(Spec {
            memory: MemoryMib::new(512)?,
            ..fixture.spec()
        })
        .await?;
    let program = format!(
        "
import os, time
hoard = bytearray(b'x') * {HOARD}
for number in range(4):
    if os.fork() == 0:
        time.sleep(1000)
print('shared', flush=True)
time.sleep(1000)
"
    );
    inside.python(&program).await?;
    inside.logged("shared").await?;
    tells(&inside, "what five share", HOARD..HOARD + OTHER).await?;
    inside.sandbox.kill().await;
    Ok(())
}
