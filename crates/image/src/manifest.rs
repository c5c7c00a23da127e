//! What a registry says of an image: manifests, lists of them, configurations. Docker's schema 2 and OCI differ in the names
//! of media types alone.

use model::{Architecture, Digest};
use serde::{Deserialize, Serialize};

use crate::ImageError;

/// What a client asks for.
pub(crate) const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";

/// Layers of one image.
const LAYERS_MAX: usize = 127;
/// Bytes of all layers of an image, as they are sent and unpacked: AWS's limit.
pub(crate) const IMAGE_MAX: u64 = 10 << 30;

/// A manifest or a list of them.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    #[serde(default)]
    schema_version: u32,
    #[serde(default)]
    manifests: Option<Vec<Entry>>,
    #[serde(default)]
    config: Option<Part>,
    #[serde(default)]
    layers: Option<Vec<Part>>,
}

#[derive(Debug, Deserialize)]
struct Entry {
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    #[serde(default)]
    media_type: String,
    digest: String,
    size: u64,
}

/// What a document turned out to be.
#[derive(Debug)]
pub(crate) enum Found {
    /// A list: the digest of the manifest for the wanted architecture.
    Elsewhere(Digest),
    /// A manifest.
    Manifest(Manifest),
}

/// The parts of one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) config: Blob,
    /// From the bottom to the top.
    pub(crate) layers: Vec<Blob>,
}

/// A part and its size in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Blob {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

/// What an image wants to be started with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// `ENTRYPOINT`.
    pub entry_point: Vec<String>,
    /// `CMD`.
    pub command: Vec<String>,
    /// `WORKDIR`; empty if there is none.
    pub working_directory: String,
    /// `ENV`.
    pub environment: Vec<(String, String)>,
}

/// A configuration, as far as it matters.
#[derive(Debug)]
pub(crate) struct Configuration {
    pub(crate) settings: Settings,
    /// The digests of the layers once they are decompressed.
    pub(crate) contents: Vec<Digest>,
}

fn invalid(text: impl Into<String>) -> ImageError {
    ImageError::Invalid(text.into())
}

fn digest(text: &str) -> Result<Digest, ImageError> {
    text.strip_prefix("sha256:")
        .and_then(|hex| hex.parse().ok())
        .ok_or_else(|| {
            let text: String = text.chars().take(100).collect();
            invalid(format!(
                "the image's manifest names {text:?} where a sha256 digest is expected"
            ))
        })
}

/// What registries and images call it.
const fn name_of(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "amd64",
        Architecture::Arm64 => "arm64",
    }
}

/// Reads a manifest or a list.
pub(crate) fn read(bytes: &[u8], wanted: Architecture) -> Result<Found, ImageError> {
    let document: Document = serde_json::from_slice(bytes).map_err(|e| {
        invalid(format!(
            "the image's manifest cannot be read: {e}; build and push it again"
        ))
    })?;
    if document.schema_version != 2 {
        return Err(invalid(format!(
            "expected a manifest of schema 2, got {}; push the image with a newer tool",
            document.schema_version
        )));
    }
    if let Some(entries) = document.manifests {
        return choose(&entries, wanted).map(Found::Elsewhere);
    }
    let (Some(config), Some(layers)) = (document.config, document.layers) else {
        return Err(invalid(
            "expected the manifest of a container image, got one without configuration or layers",
        ));
    };
    if layers.len() > LAYERS_MAX {
        return Err(invalid(format!(
            "expected an image of at most {LAYERS_MAX} layers, got {}; squash some of them",
            layers.len()
        )));
    }
    let total = layers
        .iter()
        .fold(0, |sum: u64, l| sum.saturating_add(l.size));
    if total > IMAGE_MAX {
        return Err(invalid(format!(
            "expected an image of at most {IMAGE_MAX} bytes, got {total}"
        )));
    }
    if let Some(odd) = layers.iter().find(|l| !is_layer(&l.media_type)) {
        return Err(invalid(format!(
            "expected layers that are tar archives, plain or compressed by gzip or zstd, got {:?}; build the image with other options",
            odd.media_type
        )));
    }
    let part = |part: &Part| {
        Ok(Blob {
            digest: digest(&part.digest)?,
            size: part.size,
        })
    };
    Ok(Found::Manifest(Manifest {
        config: part(&config)?,
        layers: layers.iter().map(part).collect::<Result<_, ImageError>>()?,
    }))
}

fn is_layer(media_type: &str) -> bool {
    const KINDS: [&str; 2] = [
        "application/vnd.oci.image.layer.v1.tar",
        "application/vnd.docker.image.rootfs.diff.tar",
    ];
    KINDS.iter().any(|kind| {
        media_type
            .strip_prefix(kind)
            .is_some_and(|rest| matches!(rest, "" | "+gzip" | "+zstd" | ".gzip" | ".zstd"))
    })
}

fn choose(entries: &[Entry], wanted: Architecture) -> Result<Digest, ImageError> {
    let of = |e: &&Entry| {
        e.platform
            .as_ref()
            .is_some_and(|p| p.os == "linux" && p.architecture == name_of(wanted))
    };
    match entries.iter().find(of) {
        Some(entry) => digest(&entry.digest),
        None => {
            let names = entries.iter().filter_map(|e| e.platform.as_ref());
            let names: Vec<String> = names
                .take(16)
                .map(|p| format!("{}/{}", p.os, p.architecture))
                .collect();
            Err(invalid(format!(
                "the image is for {}, and the function for linux/{}; push an image for it, or set Architectures",
                if names.is_empty() {
                    "no platform".to_owned()
                } else {
                    names.join(", ")
                },
                name_of(wanted)
            )))
        }
    }
}

#[derive(Deserialize)]
struct Configured {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
    #[serde(default)]
    config: Option<Shape>,
    rootfs: Contents,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Shape {
    #[serde(default)]
    entrypoint: Option<Vec<String>>,
    #[serde(default)]
    cmd: Option<Vec<String>>,
    #[serde(default)]
    env: Option<Vec<String>>,
    #[serde(default)]
    working_dir: Option<String>,
}

#[derive(Deserialize)]
struct Contents {
    #[serde(default)]
    diff_ids: Vec<String>,
}

/// Reads a configuration of an image with so many layers.
pub(crate) fn configuration(
    bytes: &[u8],
    wanted: Architecture,
    layers: usize,
) -> Result<Configuration, ImageError> {
    let read: Configured = serde_json::from_slice(bytes).map_err(|e| {
        invalid(format!(
            "the image's configuration cannot be read: {e}; build and push it again"
        ))
    })?;
    if (read.os.as_str(), read.architecture.as_str()) != ("linux", name_of(wanted)) {
        return Err(invalid(format!(
            "the image is for {}/{}, and the function for linux/{}; push an image for it, or set Architectures",
            read.os,
            read.architecture,
            name_of(wanted)
        )));
    }
    let contents = read
        .rootfs
        .diff_ids
        .iter()
        .map(|id| digest(id))
        .collect::<Result<Vec<_>, _>>()?;
    if contents.len() != layers {
        return Err(invalid(format!(
            "the image's configuration names {} layers and its manifest {layers}; build and push it again",
            contents.len()
        )));
    }
    let shape = read.config.unwrap_or_default();
    let pair = |line: String| match line.split_once('=') {
        Some((name, value)) => (name.to_owned(), value.to_owned()),
        None => (line, String::new()),
    };
    let sound = |(name, value): &(String, String)| {
        !name.is_empty() && !name.contains('\0') && !value.contains('\0')
    };
    Ok(Configuration {
        settings: Settings {
            entry_point: shape.entrypoint.unwrap_or_default(),
            command: shape.cmd.unwrap_or_default(),
            working_directory: shape.working_dir.unwrap_or_default(),
            environment: shape
                .env
                .unwrap_or_default()
                .into_iter()
                .map(pair)
                .filter(sound)
                .collect(),
        },
        contents,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(of: &str) -> String {
        format!("sha256:{}", Digest::of(of.as_bytes()))
    }

    #[test]
    fn a_list_leads_to_the_manifest_of_the_architecture() {
        let list = format!(
            r#"{{"schemaVersion":2,"manifests":[
            {{"digest":"{}","platform":{{"os":"windows","architecture":"amd64"}}}},
            {{"digest":"{}","platform":{{"os":"linux","architecture":"arm64"}}}},
            {{"digest":"{}","platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
            hex("w"),
            hex("a"),
            hex("x")
        );
        for (architecture, expected) in [(Architecture::X86_64, "x"), (Architecture::Arm64, "a")] {
            let Found::Elsewhere(digest) = read(list.as_bytes(), architecture).unwrap() else {
                panic!("expected a list");
            };
            assert_eq!(digest, Digest::of(expected.as_bytes()));
        }
        let only = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"digest":"{}","platform":{{"os":"linux","architecture":"arm64"}}}}]}}"#,
            hex("a")
        );
        let error = read(only.as_bytes(), Architecture::X86_64).unwrap_err();
        assert!(error.to_string().contains("is for linux/arm64"), "{error}");
    }

    fn manifest(media_type: &str, size: u64) -> String {
        format!(
            r#"{{"schemaVersion":2,"config":{{"digest":"{}","size":2}},"layers":[{{"mediaType":"{media_type}","digest":"{}","size":{size}}}]}}"#,
            hex("c"),
            hex("l")
        )
    }

    #[test]
    fn manifests_of_both_kinds_and_every_compression() {
        for media_type in [
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ] {
            let found = read(manifest(media_type, 7).as_bytes(), Architecture::X86_64).unwrap();
            let Found::Manifest(manifest) = found else {
                panic!("expected a manifest");
            };
            assert_eq!(
                manifest.layers,
                [Blob {
                    digest: Digest::of(b"l"),
                    size: 7
                }]
            );
        }
        for (text, expected) in [
            (
                manifest(
                    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
                    7,
                ),
                "tar archives",
            ),
            (
                manifest("application/vnd.oci.image.layer.v1.tar", IMAGE_MAX + 1),
                "at most",
            ),
            ("{}".to_owned(), "schema 2"),
            (r#"{"schemaVersion":2}"#.to_owned(), "without configuration"),
            (
                r#"{"schemaVersion":2,"config":{"digest":"md5:x","size":1},"layers":[]}"#
                    .to_owned(),
                "sha256",
            ),
            ("x".to_owned(), "cannot be read"),
        ] {
            let error = read(text.as_bytes(), Architecture::X86_64).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn configurations_say_what_is_started() {
        let text = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Entrypoint":["/e"],"Cmd":["c"],"Env":["A=1=2","B"],"WorkingDir":"/w"}},
            "rootfs":{{"type":"layers","diff_ids":["{}"]}}}}"#,
            hex("d")
        );
        let read = configuration(text.as_bytes(), Architecture::X86_64, 1).unwrap();
        assert_eq!(read.contents, [Digest::of(b"d")]);
        assert_eq!(read.settings.entry_point, ["/e"]);
        assert_eq!(
            read.settings.environment,
            [
                ("A".to_owned(), "1=2".to_owned()),
                ("B".to_owned(), String::new())
            ]
        );
        assert_eq!(read.settings.working_directory, "/w");
        assert!(configuration(text.as_bytes(), Architecture::Arm64, 1).is_err());
        assert!(configuration(text.as_bytes(), Architecture::X86_64, 2).is_err());
        let bare = r#"{"architecture":"amd64","os":"linux","config":{"Cmd":null},"rootfs":{"diff_ids":[]}}"#;
        let read = configuration(bare.as_bytes(), Architecture::X86_64, 0).unwrap();
        assert_eq!(read.settings, Settings::default());
    }
}
