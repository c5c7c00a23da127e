//! What is common to interpreters of every language: they are asked once what they are, and a sandbox is shown where they
//! lie.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// How long an interpreter may take to say what it is.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Where a sandbox has directories of its own: an interpreter below them cannot be shown to it.
const TAKEN: [&str; 5] = ["/opt", "/tmp", "/var/task", "/var/runtime", "/proc"];

/// Why a candidate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProbeError {
    #[error("running it")]
    Run(#[from] io::Error),
    #[error("expected an answer within {ANSWER_MAX:?}")]
    Deadline,
    #[error("expected an answer, got {status}: {stderr}")]
    Failed {
        status: std::process::ExitStatus,
        stderr: String,
    },
    #[error("expected an answer in JSON")]
    Answer(#[from] serde_json::Error),
    #[error("expected a version of {expected}, got {got}")]
    Version { expected: &'static str, got: String },
    #[error("{0:?} cannot be shown to a sandbox; install it below /usr or in another directory")]
    Place(PathBuf),
}

/// The first candidate of each version that can be used. All are asked side by side; `usable` looks closer at one answer a
/// version, and at the next if it refuses.
pub(super) fn first_of_each<A: Send, I>(
    candidates: &[PathBuf],
    ask: impl Fn(&Path) -> Result<A, ProbeError> + Sync,
    version: impl Fn(&A) -> u8,
    usable: impl Fn(A) -> Result<I, ProbeError>,
) -> BTreeMap<u8, I> {
    let answers: Vec<_> = std::thread::scope(|scope| {
        let each: Vec<_> = candidates
            .iter()
            .map(|path| scope.spawn(|| ask(path)))
            .collect();
        each.into_iter()
            .map(std::thread::ScopedJoinHandle::join)
            .collect()
    });
    let mut found = BTreeMap::new();
    for (path, answer) in candidates.iter().zip(answers) {
        let Ok(answer) = answer else { continue };
        let checked = answer.and_then(|answer| {
            let version = version(&answer);
            if found.contains_key(&version) {
                return Ok(None);
            }
            usable(answer).map(|usable| Some((version, usable)))
        });
        match checked {
            Ok(Some((version, usable))) => {
                found.insert(version, usable);
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(path = %path.display(), %error, "not an interpreter that can be used");
            }
        }
    }
    found
}

/// What a command that tells about itself prints. It gets no environment.
pub(super) fn ask(command: &mut Command) -> Result<Vec<u8>, ProbeError> {
    let mut child = command
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    // Its answer fits into a pipe, so it never waits for us.
    let step = Duration::from_millis(2);
    let mut waited = Duration::ZERO;
    while child.try_wait()?.is_none() {
        if waited >= ANSWER_MAX {
            child.kill()?;
            child.wait()?;
            return Err(ProbeError::Deadline);
        }
        std::thread::sleep(step);
        waited += step;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(ProbeError::Failed {
            status: output.status,
            stderr: String::from_utf8_lossy(&output.stderr)
                .chars()
                .take(300)
                .collect(),
        });
    }
    Ok(output.stdout)
}

/// The directories that a sandbox must be shown beside `/usr`: those of the files, and `dirs`.
pub(super) fn binds(executable: &Path, dirs: &[PathBuf]) -> Result<Vec<PathBuf>, ProbeError> {
    let own = executable.parent().map(Path::to_owned);
    let all: Vec<PathBuf> = dirs.iter().cloned().chain(own).collect();
    beside_usr(&all).map_err(|Place(dir)| ProbeError::Place(dir))
}

/// A directory that cannot be shown to a sandbox, which has one of its own there.
#[derive(Debug)]
pub(crate) struct Place(pub(crate) PathBuf);

/// Those of these directories that a sandbox must be shown beside `/usr`. One inside another is left out.
pub(crate) fn beside_usr(dirs: &[PathBuf]) -> Result<Vec<PathBuf>, Place> {
    let all: BTreeSet<&Path> = dirs
        .iter()
        .map(PathBuf::as_path)
        .filter(|d| !d.starts_with("/usr"))
        .collect();
    let mut kept: Vec<PathBuf> = Vec::new();
    for dir in all {
        let is_root = dir.parent().is_none();
        if is_root || TAKEN.iter().any(|t| dir.starts_with(t)) {
            return Err(Place(dir.to_owned()));
        }
        if !kept.iter().any(|k| dir.starts_with(k)) {
            kept.push(dir.to_owned());
        }
    }
    Ok(kept)
}

/// Makes what a sandbox is shown readable to everybody, as the code in it is nobody.
pub(super) fn publish(dir: &Path, files: &[PathBuf]) -> io::Result<()> {
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode))
    };
    for file in files {
        set(file, 0o644)?;
    }
    set(dir, 0o755)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_outside_usr_is_shown_and_nothing_that_is_taken() {
        let check = |executable: &str, dirs: &[&str], expected: Option<&[&str]>| {
            let dirs: Vec<PathBuf> = dirs.iter().map(PathBuf::from).collect();
            let expected = expected.map(|e| e.iter().map(PathBuf::from).collect::<Vec<_>>());
            assert_eq!(binds(Path::new(executable), &dirs).ok(), expected);
        };
        check(
            "/usr/bin/python3.11",
            &["/usr", "/usr/lib/python3.11"],
            Some(&[]),
        );
        check(
            "/home/x/v/bin/python3.11",
            &["/home/x/v", "/home/x/v/lib/python3.11", "/home/x/v/lib"],
            Some(&["/home/x/v"]),
        );
        check(
            "/srv/node/bin/node",
            &["/usr/lib/x86_64-linux-gnu", "/srv/node/lib"],
            Some(&["/srv/node/bin", "/srv/node/lib"]),
        );
        check("/opt/py/bin/python3.11", &["/opt/py"], None);
        check("/bin/python3.11", &["/"], None);
    }

    #[test]
    fn an_answer_is_what_a_program_that_succeeds_prints() {
        let answer = ask(Command::new("/bin/sh").args(["-c", "printf %s \"$HOME\"here"]));
        assert_eq!(answer.unwrap(), b"here");
        let failed = ask(Command::new("/bin/sh").args(["-c", "echo why >&2; exit 3"]));
        assert!(
            matches!(failed, Err(ProbeError::Failed { status, ref stderr })
                if status.code() == Some(3) && stderr == "why\n"),
            "{failed:?}"
        );
        let missing = ask(&mut Command::new("/nowhere/node"));
        assert!(matches!(missing, Err(ProbeError::Run(_))), "{missing:?}");
    }
}
