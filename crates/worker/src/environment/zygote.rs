//! Which zygote a runtime may be a fork of.

use model::function::{Environment as Variables, FunctionVersion};
use sandbox::Zygote;

use super::variables;
use crate::runtimes::Launch;

/// Beginnings of the names of variables that a program, its loader or its library reads when it starts, and never again.
const READ_AT_START: [&str; 8] = [
    "LD_", "GLIBC_", "MALLOC_", "LC_", "LOCPATH", "NLSPATH", "PYTHON", "OPENSSL_",
];
/// Whole names of the same kind.
const NAMES_READ_AT_START: [&str; 4] = ["LANG", "LANGUAGE", "TZ", "TZDIR"];
/// One that a fork makes up for.
const MADE_UP_FOR: &str = "PYTHONPATH";

/// The zygote of a runtime with these variables; `None` if a fork could not be what a program of its own would be: its owner
/// sets something that is read only at the start.
pub(super) fn of(
    launch: &Launch,
    version: &FunctionVersion,
    own: Option<&Variables>,
) -> Option<Zygote> {
    let argv = launch.zygote.clone()?;
    let chosen = own.is_some_and(|own| {
        own.0
            .keys()
            .any(|name| is_read_at_start(name) && name != MADE_UP_FOR)
    });
    if chosen {
        return None;
    }
    // As nobody sets them otherwise, they are the same for all functions of a runtime.
    let set = variables::image(version).into_iter();
    let set = set.map(|(name, value)| (name.to_owned(), value));
    let set = set.chain(launch.environment.clone());
    Some(Zygote {
        argv,
        env: set.filter(|(name, _)| is_read_at_start(name)).collect(),
        runtime_dir: launch.runtime_dir.clone(),
        binds: launch.binds.clone(),
    })
}

fn is_read_at_start(name: &str) -> bool {
    NAMES_READ_AT_START.contains(&name)
        || READ_AT_START
            .iter()
            .any(|beginning| name.starts_with(beginning))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::Digest;

    use super::*;
    use crate::{fixture, runtimes::Program};

    #[test]
    fn a_fork_is_for_whoever_sets_nothing_that_is_read_at_the_start() {
        let mut launch = Launch {
            program: Program::Fixed(vec!["/usr/bin/python3".into()]),
            zygote: Some(vec!["/usr/bin/python3".into(), "--zygote".into()]),
            runtime_dir: "/runtime".into(),
            binds: vec!["/srv/python".into()],
            environment: BTreeMap::new(),
            label: String::new(),
            fingerprint: Digest::of(b""),
            remark: None,
        };
        let version = fixture::version("python3.13", "app.handler");
        let own = |names: &[&str]| {
            let pairs = names.iter().map(|n| ((*n).to_owned(), "x".to_owned()));
            Some(Variables(pairs.collect()))
        };
        let found = of(&launch, &version, own(&["STAGE", "PYTHONPATH"]).as_ref()).unwrap();
        let names: Vec<&str> = found.env.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["TZ", "LANG", "LD_LIBRARY_PATH", "PYTHONPATH"]);
        assert_eq!(found.binds, launch.binds);
        for name in [
            "LD_PRELOAD",
            "PYTHONOPTIMIZE",
            "TZ",
            "LC_ALL",
            "MALLOC_ARENA_MAX",
        ] {
            assert_eq!(of(&launch, &version, own(&[name]).as_ref()), None, "{name}");
        }
        launch.zygote = None;
        assert_eq!(of(&launch, &version, None), None);
    }
}
