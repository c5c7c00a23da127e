use std::{os::unix::process::ExitStatusExt as _, process::Command, thread, time::Duration};

use rustix::process::Pid;

use super::*;

const HYBRID: &str = "\
26 25 0:23 / /sys/fs/cgroup/cpu rw,relatime shared:1 - cgroup cgroup rw,cpu
27 25 0:24 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct
28 25 0:25 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
29 25 0:26 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
30 25 0:27 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer
31 25 0:28 / / rw,relatime - ext4 /dev/vda rw
";

fn v1(controller: &str) -> Option<Hierarchy> {
    let dir = Path::new("/sys/fs/cgroup")
        .join(controller)
        .join("dunlin/n");
    Some(Hierarchy {
        version: Version::V1,
        dir,
    })
}

/// A directory that looks like a version 2 mount with these controllers.
fn fake_v2(controllers: &str) -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("cgroup.controllers", controllers),
        ("cgroup.procs", ""),
        ("cgroup.subtree_control", ""),
    ] {
        fs::write(dir.path().join(file), text).unwrap();
    }
    let line = format!(
        "40 25 0:40 / {} rw,relatime - cgroup2 cgroup2 rw\n",
        dir.path().display()
    );
    (dir, line)
}

/// Files that the kernel would make.
fn populate(dir: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(dir).unwrap();
    for (file, text) in files {
        fs::write(dir.join(file), text).unwrap();
    }
}

fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap()
}

#[test]
fn version_1_serves_what_it_has() {
    let layout = Layout::detect(HYBRID, "dunlin/n");
    assert_eq!(layout.memory, v1("memory"));
    assert_eq!(layout.cpu, v1("cpu"));
    assert_eq!(layout.pids, v1("pids"));
    assert_eq!(layout.freezer, v1("freezer"));
    assert_eq!(layout.usage, v1("cpuacct"));
}

#[test]
fn in_a_mix_version_2_freezes_and_meters() {
    let (dir, line) = fake_v2("hugetlb");
    let layout = Layout::detect(&format!("{HYBRID}{line}"), "dunlin/n");
    let here = Some(Hierarchy {
        version: Version::V2,
        dir: dir.path().join("dunlin/n"),
    });
    assert_eq!((layout.freezer, layout.usage), (here.clone(), here));
    assert_eq!(layout.memory, v1("memory"));
}

#[test]
fn without_any_hierarchy_there_is_no_piece() {
    assert_eq!(
        Layout::detect("31 25 0:28 / / rw - ext4 /dev/vda rw\n", "dunlin/n"),
        Layout::default()
    );
}

#[test]
fn a_hierarchy_that_refuses_is_taken_out_and_named() {
    let mut layout = Layout {
        memory: Some(Hierarchy {
            version: Version::V1,
            dir: "/proc/no/such".into(),
        }),
        ..Layout::default()
    };
    let refused = layout.prepare(|_| Ok(()));
    assert_eq!(
        refused.iter().map(|(piece, _)| *piece).collect::<Vec<_>>(),
        [Piece::CgroupMemory]
    );
    assert_eq!(layout.memory, None);
}

#[test]
fn a_hierarchy_that_lets_nobody_in_is_taken_out_too() {
    let (dir, line) = fake_v2("memory");
    populate(
        &dir.path().join("dunlin/n"),
        &[("cgroup.procs", ""), ("cgroup.subtree_control", "")],
    );
    let mut layout = Layout::detect(&line, "dunlin/n");
    let refused = layout.prepare(|_| Err(io::ErrorKind::PermissionDenied.into()));
    assert_eq!(
        refused.iter().map(|(piece, _)| *piece).collect::<Vec<_>>(),
        [Piece::CgroupMemory, Piece::CgroupFreezer]
    );
    assert_eq!(layout, Layout::default());
}

#[test]
fn a_kernel_that_keeps_no_peak_is_told_from_one_that_does() {
    let (dir, line) = fake_v2("memory");
    let node = dir.path().join("dunlin/n");
    populate(
        &node,
        &[("cgroup.procs", ""), ("cgroup.subtree_control", "")],
    );
    let layout = Layout::detect(&line, "dunlin/n");
    assert!(!layout.keeps_peak());
    fs::write(node.join("memory.peak"), "0\n").unwrap();
    assert!(layout.keeps_peak());
    assert!(Layout::detect(HYBRID, "dunlin/n").keeps_peak());
    assert!(!Layout::default().keeps_peak(), "no limit, no meter");
}

#[test]
fn version_2_gets_its_controllers_from_the_mount_down() {
    let (dir, line) = fake_v2("cpu memory pids");
    let node = dir.path().join("dunlin/n");
    populate(
        &dir.path().join("dunlin"),
        &[("cgroup.procs", ""), ("cgroup.subtree_control", "memory")],
    );
    populate(
        &node,
        &[("cgroup.procs", ""), ("cgroup.subtree_control", "")],
    );
    let mut layout = Layout::detect(&line, "dunlin/n");
    assert!(layout.prepare(|_| Ok(())).is_empty());
    // The kernel would add up what was written; a file keeps the last order.
    assert_eq!(read(dir.path(), "cgroup.subtree_control"), "+pids");
    assert_eq!(
        read(&dir.path().join("dunlin"), "cgroup.subtree_control"),
        "+pids"
    );
    assert_eq!(read(&node, "cgroup.subtree_control"), "+pids");
}

#[test]
fn version_2_limits_freezes_meters_and_kills() {
    let (dir, line) = fake_v2("cpu memory pids");
    let node = dir.path().join("dunlin/n");
    let layout = Layout::detect(&line, "dunlin/n");
    fs::create_dir_all(&node).unwrap();
    let group = layout.group("one");
    group.create().unwrap();
    let one = node.join("one");
    populate(
        &one,
        &[
            ("cgroup.procs", ""),
            ("cgroup.freeze", ""),
            ("cgroup.kill", ""),
            ("cgroup.events", "populated 1\nfrozen 1\n"),
            ("memory.max", "max"),
            ("memory.swap.max", "max"),
            ("memory.current", "4096\n"),
            ("memory.peak", "8192\n"),
            (
                "memory.events",
                "low 0\noom 3\noom_kill 2\noom_group_kill 9\n",
            ),
            ("cpu.max", "max 100000"),
            ("cpu.stat", "usage_usec 1500\nuser_usec 1000\n"),
            ("pids.max", "max"),
            ("pids.current", "5\n"),
        ],
    );
    let limits = Limits {
        memory_bytes: 640 << 20,
        cpu_quota_us: Some(7_235),
        pids_max: 1025,
    };
    group.limit(&limits).unwrap();
    assert_eq!(read(&one, "memory.max"), "671088640");
    assert_eq!(read(&one, "memory.swap.max"), "0");
    assert_eq!(read(&one, "cpu.max"), "7235 100000");
    assert_eq!(read(&one, "pids.max"), "1025");

    group.attach(Pid::from_raw(4711).unwrap()).unwrap();
    assert_eq!(read(&one, "cgroup.procs"), "4711");
    group.set_frozen(true, Duration::ZERO).unwrap();
    assert_eq!(read(&one, "cgroup.freeze"), "1");
    let never = group
        .set_frozen(false, Duration::from_millis(1))
        .unwrap_err();
    assert_eq!(never.kind(), io::ErrorKind::TimedOut);
    assert_eq!(read(&one, "cgroup.freeze"), "0");

    assert_eq!(
        (group.memory_now(), group.memory_peak()),
        (Some(4096), Some(8192))
    );
    assert_eq!((group.oom_kills(), group.pids()), (Some(2), Some(5)));
    assert_eq!(group.cpu_usage(), Some(Duration::from_micros(1500)));

    assert_eq!(layout.names(), BTreeSet::from(["one".to_owned()]));
    // Not empty, as a group with dying processes: it tries until the time is over, and kills each time.
    fs::write(one.join("cgroup.procs"), "").unwrap();
    assert!(group.destroy(Duration::from_millis(2)).is_err());
    assert_eq!(read(&one, "cgroup.kill"), "1");
}

/// The hierarchies of this host with everything in version 1, if it has them and they can be written.
fn real_v1(node: &str) -> Option<Layout> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let only_v1: String = mountinfo
        .lines()
        .filter(|l| l.contains(" - cgroup "))
        .flat_map(|l| [l, "\n"])
        .collect();
    let mut layout = Layout::detect(&only_v1, &format!("dunlin/{node}"));
    let refused = layout.prepare(|_| Ok(()));
    if !refused.is_empty() || layout.freezer.is_none() || layout.memory.is_none() {
        eprintln!(
            "SKIPPED: no writable cgroup v1 here ({refused:?}); the fake version 2 is tested"
        );
        return None;
    }
    Some(layout)
}

#[test]
fn version_1_limits_freezes_meters_and_kills_for_real() {
    let Some(layout) = real_v1(&format!("unit-{}", std::process::id())) else {
        return;
    };
    let group = layout.group("one");
    group.create().unwrap();
    let mut child = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    group
        .attach(Pid::from_raw(child.id().cast_signed()).unwrap())
        .unwrap();
    let limits = Limits {
        memory_bytes: 64 << 20,
        cpu_quota_us: Some(50_000),
        pids_max: 7,
    };
    group.limit(&limits).unwrap();
    let file = |h: &Option<Hierarchy>, name: &str| {
        read(&h.as_ref().unwrap().dir.join("one"), name)
            .trim()
            .to_owned()
    };
    assert_eq!(
        file(&layout.memory, "memory.limit_in_bytes"),
        (64 << 20).to_string()
    );
    assert_eq!(file(&layout.cpu, "cpu.cfs_quota_us"), "50000");
    assert_eq!(file(&layout.pids, "pids.max"), "7");

    let limit = Duration::from_secs(5);
    for frozen in [true, true, false, false, true] {
        group.set_frozen(frozen, limit).unwrap();
        assert_eq!(
            file(&layout.freezer, "freezer.state"),
            if frozen { "FROZEN" } else { "THAWED" }
        );
    }
    assert_eq!(group.pids(), Some(1));
    assert_eq!(group.oom_kills(), Some(0));
    assert!(
        group.memory_now().is_some()
            && group.memory_peak().is_some()
            && group.cpu_usage().is_some()
    );

    // Frozen, it takes the kill only because it is thawed too. Reaped elsewhere, so that the group empties.
    let reaper = thread::spawn(move || child.wait().unwrap().signal());
    group.destroy(limit).unwrap();
    assert_eq!(reaper.join().unwrap(), Some(libc::SIGKILL));
    assert_eq!(layout.names(), BTreeSet::new());
    group.destroy(Duration::ZERO).unwrap();
    layout.remove();
}
