//! What this worker tells the cluster: what it has free, and what it has warm.

use std::{collections::BTreeMap, time::Duration};

use model::{Capacity, MemoryMib, capacity::WarmKey, size::MIB_PER_CPU};
use tokio::sync::watch;

use crate::pool::Pool;

/// Changes within this time are told at once.
const COALESCE: Duration = Duration::from_millis(50);
/// Memory that comes with one CPU.
const BYTES_PER_CPU: u64 = MIB_PER_CPU << 20;

/// The load of a worker, as its node gossips it.
pub type Load = (Capacity, BTreeMap<WarmKey, u16>);

/// Reads the present load off the pool.
pub(crate) fn measure(pool: &Pool, slots: u32, cpu_millis: u32) -> Load {
    pool.look(|table| {
        let (slots_free, memory_free) = table.room();
        let busy_millis = table.busy_memory().0.saturating_mul(1000) / BYTES_PER_CPU;
        let busy_millis = u32::try_from(busy_millis).unwrap_or(u32::MAX);
        // A free slot without memory for the smallest function is none.
        let by_memory = u32::try_from(memory_free.0 / MemoryMib::MIN.bytes().0).unwrap_or(u32::MAX);
        let draining = table.is_draining();
        let capacity = Capacity {
            slots_free: if draining {
                0
            } else {
                slots_free.min(by_memory)
            },
            slots,
            memory_free,
            cpu_free_millis: cpu_millis.saturating_sub(busy_millis),
        };
        (capacity, table.warm())
    })
}

/// Tells every change, soon but not one by one.
pub(crate) async fn follow(pool: Pool, slots: u32, cpu_millis: u32, load: watch::Sender<Load>) {
    let mut changes = pool.changes();
    loop {
        let now = measure(&pool, slots, cpu_millis);
        load.send_if_modified(|told| {
            let changed = *told != now;
            *told = now;
            changed
        });
        tokio::time::sleep(COALESCE).await;
        if changes.changed().await.is_err() {
            return;
        }
    }
}
