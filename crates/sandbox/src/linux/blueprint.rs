//! What the driver makes of a [`Spec`]: refused, or a [`Blueprint`] for the spawner.

use std::path::{Component, Path, PathBuf};

use super::cgroup;
use crate::{
    driver::{CreateError, InitCpu, Root, Spec},
    wire::Blueprint,
};

/// The most layers of one sandbox, and the most extra directories.
const LAYERS_MAX: usize = 10;
const EXTRA_BINDS_MAX: usize = 16;
/// The most layers of an image.
const IMAGE_LAYERS_MAX: usize = 127;

/// The blueprint of a spec that passed [`check`].
///
/// `zygote` is the number of the one that the spec names, if it is up; `network` is the number of its policy.
pub(super) fn draw(spec: &Spec, zygote: Option<u64>, network: Option<u8>) -> Blueprint {
    Blueprint {
        memory_bytes: spec.memory.bytes().0,
        tmp_bytes: spec.ephemeral.bytes().0,
        cpu_quota_us: cgroup::cpu_quota_us(spec.memory.get()),
        cpu_limited: match spec.init_cpu {
            InitCpu::Quota => true,
            InitCpu::Full => false,
        },
        code_dir: spec.code_dir.clone(),
        runtime_dir: spec.runtime_dir.clone(),
        layers: spec.layers.clone(),
        extra_binds: spec.extra_binds.clone(),
        image: match &spec.root {
            Root::Host => None,
            Root::Layers(layers) => Some(layers.clone()),
        },
        hostname: spec.hostname.clone(),
        pids_max: spec.pids_max,
        nofile_max: spec.nofile_max,
        zygote,
        network,
    }
}

/// Whether a spec can work at all, before anything is made.
pub(super) fn check(spec: &Spec) -> Result<(), CreateError> {
    let invalid = |field, reason: String| Err(CreateError::Invalid { field, reason });
    let named = |text: &str, most: usize, also: &str| {
        (1..=most).contains(&text.len())
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || also.contains(c))
    };
    if !named(&spec.id, 64, "_-") {
        return invalid(
            "id",
            format!("expected 1 to 64 of [A-Za-z0-9_-], got `{}`", spec.id),
        );
    }
    if !named(&spec.hostname, 63, ".-") {
        return invalid(
            "hostname",
            format!("expected 1 to 63 of [A-Za-z0-9.-], got `{}`", spec.hostname),
        );
    }
    if spec.layers.len() > LAYERS_MAX {
        return invalid(
            "layers",
            format!("expected at most {LAYERS_MAX}, got {}", spec.layers.len()),
        );
    }
    if spec.extra_binds.len() > EXTRA_BINDS_MAX {
        return invalid(
            "extra_binds",
            format!(
                "expected at most {EXTRA_BINDS_MAX}, got {}",
                spec.extra_binds.len()
            ),
        );
    }
    let image = match &spec.root {
        Root::Host => &[][..],
        Root::Layers(layers) => layers,
    };
    if image.len() > IMAGE_LAYERS_MAX {
        return invalid(
            "root",
            format!(
                "expected at most {IMAGE_LAYERS_MAX} layers, got {}",
                image.len()
            ),
        );
    }
    if spec.root != Root::Host && !(spec.layers.is_empty() && spec.extra_binds.is_empty()) {
        let reason = "expected no layers and no extra_binds beside an image".to_owned();
        return invalid("root", reason);
    }
    if spec.pids_max == 0 || spec.nofile_max < 16 {
        return invalid(
            "pids_max, nofile_max",
            format!(
                "expected at least 1 and 16, got {} and {}",
                spec.pids_max, spec.nofile_max
            ),
        );
    }
    let dirs = [
        ("code_dir", &spec.code_dir),
        ("runtime_dir", &spec.runtime_dir),
    ];
    let lists = [
        ("layers", spec.layers.as_slice()),
        ("extra_binds", &spec.extra_binds),
        ("root", image),
    ];
    let all = dirs.into_iter().chain(
        lists
            .iter()
            .flat_map(|(field, list)| list.iter().map(|path| (*field, path))),
    );
    for (field, path) in all {
        let plain = path
            .components()
            .all(|part| !matches!(part, Component::ParentDir));
        if !path.is_absolute() || !plain || path.to_str().is_none() {
            return invalid(
                field,
                format!(
                    "expected an absolute UTF-8 path without `..`, got `{}`",
                    path.display()
                ),
            );
        }
    }
    let whole = [
        "/etc",
        "/dev",
        "/proc",
        "/tmp",
        "/opt",
        "/sys",
        "/var/task",
        "/var/runtime",
        "/var/empty",
    ];
    let taken = |path: &PathBuf| {
        path == Path::new("/")
            || path == Path::new("/var")
            || whole.iter().any(|ours| path.starts_with(ours))
    };
    match spec.extra_binds.iter().find(|path| taken(path)) {
        Some(path) => invalid(
            "extra_binds",
            format!("`{}` belongs to the sandbox", path.display()),
        ),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> Spec {
        Spec::new("one", "/code", "/runtime")
    }

    #[track_caller]
    fn refused(field: &str, spec: &Spec) {
        match check(spec) {
            Err(CreateError::Invalid { field: f, .. }) => assert_eq!(f, field),
            other => panic!("expected {field} to be refused, got {other:?}"),
        }
    }

    #[test]
    fn specs_are_checked_before_anything_is_made() {
        check(&spec()).unwrap();
        refused(
            "id",
            &Spec {
                id: "../x".into(),
                ..spec()
            },
        );
        refused(
            "hostname",
            &Spec {
                hostname: String::new(),
                ..spec()
            },
        );
        refused(
            "code_dir",
            &Spec {
                code_dir: "relative".into(),
                ..spec()
            },
        );
        refused(
            "runtime_dir",
            &Spec {
                runtime_dir: "/a/../b".into(),
                ..spec()
            },
        );
        refused(
            "layers",
            &Spec {
                layers: vec!["/l".into(); 11],
                ..spec()
            },
        );
        refused(
            "extra_binds",
            &Spec {
                extra_binds: vec!["/etc".into()],
                ..spec()
            },
        );
        refused(
            "extra_binds",
            &Spec {
                extra_binds: vec!["/".into()],
                ..spec()
            },
        );
        refused(
            "pids_max, nofile_max",
            &Spec {
                pids_max: 0,
                ..spec()
            },
        );
        check(&Spec {
            extra_binds: vec!["/home/x/python".into()],
            ..spec()
        })
        .unwrap();
    }

    #[test]
    fn cpu_follows_memory() {
        assert_eq!(cgroup::cpu_quota_us(1769), 100_000);
        assert_eq!(cgroup::cpu_quota_us(128), 7_235);
        assert_eq!(cgroup::cpu_quota_us(10_240), 578_858);
    }
}
