//! What this machine has.

use std::path::Path;

use model::ByteCount;

/// The machine's memory, as the kernel tells it; `None` if it does not.
pub(crate) fn memory() -> Option<ByteCount> {
    memory_in(Path::new("/proc/meminfo"))
}

fn memory_in(meminfo: &Path) -> Option<ByteCount> {
    let text = std::fs::read_to_string(meminfo).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024).map(ByteCount)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_as_linux_writes_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("meminfo");
        std::fs::write(&file, "MemTotal:       2048 kB\nMemFree: 1 kB\n").unwrap();
        assert_eq!(memory_in(&file), Some(ByteCount::mib(2)));
        assert_eq!(memory_in(&directory.path().join("none")), None);
    }
}
