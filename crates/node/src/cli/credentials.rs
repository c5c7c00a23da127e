//! The access key that calls are signed with, found where AWS's own tools find it: in the environment, or in the shared
//! credentials file (page *Configuration and credential file settings* of the AWS CLI User Guide).

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use lambda_api::sigv4::Secret;

const DEFAULT_PROFILE: &str = "default";
/// Bytes of a credentials file that are read.
const FILE_MAX: u64 = 1 << 20;

/// An access key. It has no `Debug`.
pub(super) struct Credentials {
    pub(super) access_key_id: String,
    pub(super) secret: Secret,
    pub(super) session_token: Option<String>,
}

/// Why there is no access key where one was meant to be.
#[derive(Debug, thiserror::Error)]
pub(super) enum CredentialsError {
    /// Half of a key.
    #[error("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be set, or neither")]
    Half,
    /// The file cannot be read.
    #[error("{path} cannot be read")]
    File {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The file has no such profile.
    #[error("{path} has no profile {profile:?} with aws_access_key_id and aws_secret_access_key")]
    Profile {
        /// Where it is.
        path: PathBuf,
        /// Which profile.
        profile: String,
    },
}

/// Finds the access key: of the named profile; else of the environment; else of the profile that `AWS_PROFILE` names, or of
/// `default`. `None` if nobody named any and there is none: a development server asks for none.
pub(super) fn find(
    profile: Option<&str>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Credentials>, CredentialsError> {
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if profile.is_none()
        && let Some(credentials) = of_environment(&variable)?
    {
        return Ok(Some(credentials));
    }
    let named = profile
        .map(str::to_owned)
        .or_else(|| variable("AWS_PROFILE"));
    let is_named = named.is_some();
    let profile = named.unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    let home = || Some(PathBuf::from(variable("HOME")?).join(".aws/credentials"));
    let path = variable("AWS_SHARED_CREDENTIALS_FILE")
        .map(PathBuf::from)
        .or_else(home);
    let path = path.unwrap_or_default();
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && !is_named => return Ok(None),
        Err(source) => return Err(CredentialsError::File { path, source }),
    };
    match of_profile(&text, &profile) {
        None if is_named => Err(CredentialsError::Profile { path, profile }),
        found => Ok(found),
    }
}

fn of_environment(
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<Credentials>, CredentialsError> {
    match (
        variable("AWS_ACCESS_KEY_ID"),
        variable("AWS_SECRET_ACCESS_KEY"),
    ) {
        (Some(access_key_id), Some(secret)) => Ok(Some(Credentials {
            access_key_id,
            secret: Secret::new(&secret),
            session_token: variable("AWS_SESSION_TOKEN"),
        })),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(CredentialsError::Half),
    }
}

fn read(path: &PathBuf) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The key of a profile: of the lines between its name in brackets and the next such name.
fn of_profile(text: &str, profile: &str) -> Option<Credentials> {
    let (mut id, mut secret, mut session_token) = (None, None, None);
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            is_inside = name.trim() == profile;
        } else if let Some((key, value)) = line.split_once('=')
            && is_inside
            && !line.starts_with(['#', ';'])
        {
            let value = Some(value.trim().to_owned()).filter(|value| !value.is_empty());
            match key.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => session_token = value,
                _ => {}
            }
        }
    }
    Some(Credentials {
        access_key_id: id?,
        secret: Secret::new(&secret?),
        session_token,
    })
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, fs};

    use super::*;

    const FILE: &str = "
        # aws_access_key_id = COMMENTED
        [default]
        aws_access_key_id = AKIDDEFAULT
        aws_secret_access_key = one=two

        [ other ]
        aws_access_key_id=AKIDOTHER
        region = eu-west-1
        aws_secret_access_key=s
        ; aws_session_token = no
        aws_session_token = t
        [half]
        aws_access_key_id = AKIDHALF
    ";

    fn said(
        profile: Option<&str>,
        variables: &[(&str, &str)],
    ) -> Result<Option<(String, bool, Option<String>)>, String> {
        let variables: BTreeMap<_, _> = variables.iter().copied().collect();
        let variable = |name: &str| variables.get(name).map(|value| (*value).to_owned());
        let found = find(profile, &variable).map_err(|error| error.to_string())?;
        Ok(found.map(|c| {
            let is_known = ["s", "one=two"].iter().any(|secret| c.secret.is(secret));
            (c.access_key_id, is_known, c.session_token)
        }))
    }

    fn key(
        id: &str,
        token: Option<&str>,
    ) -> Result<Option<(String, bool, Option<String>)>, String> {
        Ok(Some((id.to_owned(), true, token.map(str::to_owned))))
    }

    #[test]
    fn the_environment_comes_before_the_file_and_a_named_profile_before_both() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("credentials");
        fs::write(&file, FILE).unwrap();
        let file = ("AWS_SHARED_CREDENTIALS_FILE", file.to_str().unwrap());
        let environment = [
            ("AWS_ACCESS_KEY_ID", "AKIDENV"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
        ];
        let with = |more: &[(&'static str, &'static str)]| {
            let mut all = vec![file];
            all.extend_from_slice(more);
            all
        };
        assert_eq!(said(None, &with(&environment)), key("AKIDENV", None));
        assert_eq!(
            said(Some("other"), &with(&environment)),
            key("AKIDOTHER", Some("t"))
        );
        assert_eq!(said(None, &with(&[])), key("AKIDDEFAULT", None));
        assert_eq!(
            said(None, &with(&[("AWS_PROFILE", "other")])),
            key("AKIDOTHER", Some("t"))
        );
        for profile in ["half", "nobody"] {
            let error = said(Some(profile), &with(&[])).unwrap_err();
            assert!(
                error.contains(&format!("no profile {profile:?}")),
                "{error}"
            );
        }
        let half = said(None, &with(&environment[..1])).unwrap_err();
        assert!(half.contains("both"), "{half}");
    }

    #[test]
    fn no_file_is_no_error_unless_a_profile_was_meant() {
        let place = tempfile::tempdir().unwrap();
        let home = ("HOME", place.path().to_str().unwrap());
        assert_eq!(said(None, &[home]), Ok(None));
        assert!(
            said(Some("p"), &[home])
                .unwrap_err()
                .contains("cannot be read")
        );
        assert!(said(None, &[home, ("AWS_PROFILE", "p")]).is_err());
        fs::create_dir(place.path().join(".aws")).unwrap();
        fs::write(place.path().join(".aws/credentials"), FILE).unwrap();
        assert_eq!(said(None, &[home]), key("AKIDDEFAULT", None));
    }
}
