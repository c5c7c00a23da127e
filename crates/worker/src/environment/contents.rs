//! What an environment is made of: a package with layers on the host's programs, or a container image.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use image::Image;
use model::{MemoryMib, function::ImageOverrides};
use sandbox::{Command, Root, Spec};

use super::{Fault, bootstrap, extensions};
use crate::{code::Package, runtimes::Launch};

/// Where programs are looked for if neither image nor function say: what a container has by itself.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Directories of `PATH` that are looked into.
const PATH_DIRS_MAX: usize = 64;
const NO_BOOTSTRAP: &str = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]";

/// What an environment is made of. It keeps all of it on disk.
pub(crate) enum Contents {
    /// A package, and layers in the order in which they are laid over each other at `/opt`.
    Package {
        code: Arc<Package>,
        layers: Vec<Arc<Package>>,
    },
    /// An image, and what replaces its settings.
    Image {
        image: Arc<Image>,
        overrides: ImageOverrides,
    },
}

impl Contents {
    /// The sandbox for it.
    pub(super) fn spec(&self, id: &str, launch: &Launch) -> Spec {
        match self {
            Self::Package { code, layers } => {
                let mut spec = Spec::new(id, code.dir(), &launch.runtime_dir);
                spec.extra_binds = launch.binds.clone();
                spec.layers = layers.iter().map(|l| l.dir().to_owned()).collect();
                spec
            }
            Self::Image { image, .. } => {
                let mut spec = Spec::new(id, &launch.runtime_dir, &launch.runtime_dir);
                spec.root = Root::Layers(image.layers());
                spec
            }
        }
    }

    /// Variables that it has unless the function sets them.
    pub(super) fn environment(&self) -> Option<&[(String, String)]> {
        match self {
            Self::Package { .. } => None,
            Self::Image { image, .. } => Some(&image.settings.environment),
        }
    }

    /// The names of the programs in `/opt/extensions`.
    pub(super) fn extensions(&self) -> Vec<String> {
        match self {
            Self::Package { layers, .. } => {
                let layers: Vec<&Path> = layers.iter().map(|l| l.dir()).collect();
                extensions::names(&layers)
            }
            Self::Image { image, .. } => image::rootfs::files_in(&image.layers(), "opt/extensions"),
        }
    }

    /// What to start: the first of these that can be.
    pub(super) fn commands(
        &self,
        wrapper: Option<String>,
        env: Vec<(String, String)>,
        memory: MemoryMib,
        launch: &Launch,
    ) -> Result<Vec<Command>, Fault> {
        match self {
            Self::Package { code, layers } => {
                let argv = match launch.program.argv(memory, &env) {
                    Some(argv) => wrapper.into_iter().chain(argv).collect(),
                    None => {
                        let layers: Vec<&Path> = layers.iter().map(|l| l.dir()).collect();
                        let found = bootstrap(code.dir(), &layers);
                        let found =
                            found.ok_or_else(|| Fault::Entrypoint(NO_BOOTSTRAP.to_owned()))?;
                        vec![found.to_owned()]
                    }
                };
                let cwd = "/var/task".into();
                Ok(vec![Command { argv, env, cwd }])
            }
            Self::Image { image, overrides } => of_image(&image.settings, overrides, &env),
        }
    }
}

fn of_image(
    settings: &image::Settings,
    overrides: &ImageOverrides,
    env: &[(String, String)],
) -> Result<Vec<Command>, Fault> {
    let or = |given: &Vec<String>, own: &Vec<String>| {
        if given.is_empty() {
            own.clone()
        } else {
            given.clone()
        }
    };
    let mut argv = or(&overrides.entry_point, &settings.entry_point);
    argv.extend(or(&overrides.command, &settings.command));
    let Some(program) = argv.first().filter(|p| !p.is_empty()).cloned() else {
        return Err(Fault::Entrypoint(NO_BOOTSTRAP.to_owned()));
    };
    let directory = overrides
        .working_directory
        .as_ref()
        .filter(|d| !d.is_empty());
    let directory = directory.unwrap_or(&settings.working_directory);
    let cwd = PathBuf::from(if directory.is_empty() { "/" } else { directory });
    if !cwd.is_absolute() {
        return Err(Fault::WorkingDirectory(format!(
            "the working directory '{directory}' is invalid, it needs to be an absolute path"
        )));
    }
    let places = if program.contains('/') {
        vec![cwd.join(&program)]
    } else {
        let path = env
            .iter()
            .find(|(name, _)| name == "PATH")
            .map_or(PATH, |(_, value)| value);
        let dirs = path
            .split(':')
            .filter(|dir| dir.starts_with('/'))
            .take(PATH_DIRS_MAX);
        dirs.map(|dir| Path::new(dir).join(&program)).collect()
    };
    let commands = places.into_iter().filter_map(|place| {
        let mut argv = argv.clone();
        if let Some(first) = argv.first_mut() {
            *first = place.into_os_string().into_string().ok()?;
        }
        Some(Command {
            argv,
            env: env.to_vec(),
            cwd: cwd.clone(),
        })
    });
    let commands: Vec<Command> = commands.collect();
    if commands.is_empty() {
        return Err(Fault::Entrypoint(not_found(&program)));
    }
    Ok(commands)
}

/// What is said of a program that no directory of `PATH` has.
pub(super) fn not_found(program: &str) -> String {
    format!("exec: \"{program}\": executable file not found in $PATH")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> image::Settings {
        image::Settings {
            entry_point: vec!["python3".to_owned(), "-m".to_owned()],
            command: vec!["app".to_owned()],
            working_directory: "/srv".to_owned(),
            environment: Vec::new(),
        }
    }

    fn tried(overrides: &ImageOverrides, path: &str) -> Result<Vec<String>, Fault> {
        let env = [("PATH".to_owned(), path.to_owned())];
        let commands = of_image(&settings(), overrides, &env)?;
        Ok(commands
            .iter()
            .map(|c| format!("{} in {}", c.argv.join(" "), c.cwd.display()))
            .collect())
    }

    #[test]
    fn an_image_says_what_is_started_and_the_function_overrides_it() {
        let none = ImageOverrides::default();
        assert_eq!(
            tried(&none, "/a:relative:/b").unwrap(),
            ["/a/python3 -m app in /srv", "/b/python3 -m app in /srv"]
        );
        let command = ImageOverrides {
            command: vec!["other".to_owned()],
            ..none.clone()
        };
        assert_eq!(
            tried(&command, "/a").unwrap(),
            ["/a/python3 -m other in /srv"]
        );
        let entry = ImageOverrides {
            entry_point: vec!["./run".to_owned()],
            working_directory: Some("/w".to_owned()),
            ..none.clone()
        };
        assert_eq!(tried(&entry, "/a").unwrap(), ["/w/./run app in /w"]);
        let relative = ImageOverrides {
            working_directory: Some("w".to_owned()),
            ..none.clone()
        };
        assert!(
            matches!(tried(&relative, "/a"), Err(Fault::WorkingDirectory(why)) if why.contains("'w' is invalid"))
        );
        assert!(
            matches!(tried(&none, ""), Err(Fault::Entrypoint(why)) if why.contains("not found in $PATH"))
        );
        let nothing = of_image(&image::Settings::default(), &none, &[]);
        assert!(matches!(nothing, Err(Fault::Entrypoint(_))));
    }
}
