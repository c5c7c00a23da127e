//! Figures of the process, from `/proc/self`.

use super::metrics::{Figure, Figures, Measure};

/// Clock ticks a second in `/proc`: Linux shows user space this number on every architecture we run on.
const TICKS: f64 = 100.0;

/// This process.
pub(crate) struct Process;

impl Figures for Process {
    fn figures(&self) -> Vec<Figure> {
        let mut figures = vec![
            Figure::gauge("build_info", "The program's version, as a label.", 1)
                .with("version", env!("CARGO_PKG_VERSION")),
        ];
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        if let Some(bytes) = resident_bytes(&read("/proc/self/status")) {
            let help = "Memory of the process in RAM.";
            figures.push(Figure::gauge("process_resident_memory_bytes", help, bytes));
        }
        if let Some(seconds) = cpu_seconds(&read("/proc/self/stat")) {
            figures.push(Figure {
                name: "process_cpu_seconds",
                help: "CPU time of the process.",
                measure: Measure::Counter(seconds),
                labels: Vec::new(),
            });
        }
        if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
            let open = u64::try_from(entries.count()).unwrap_or(u64::MAX);
            figures.push(Figure::gauge(
                "process_open_fds",
                "Open file descriptors.",
                open,
            ));
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let alive = u64::try_from(runtime.metrics().num_alive_tasks()).unwrap_or(u64::MAX);
            figures.push(Figure::gauge(
                "tasks_alive",
                "Asynchronous tasks alive.",
                alive,
            ));
        }
        figures
    }
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name in parentheses may hold anything; user and system time are fields 14 and 15, counted from 1.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_files_are_read_as_linux_writes_them() {
        assert_eq!(
            resident_bytes("VmPeak:\t 9 kB\nVmRSS:\t    2048 kB\n"),
            Some(2_097_152)
        );
        assert_eq!(resident_bytes(""), None);
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 1 0 0 0 150 50 0 0 20 0 1 0 9 9 9";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds("7"), None);
    }
}
