use std::{
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

use host::task::Kind;
use model::Architecture;
use parking_lot::Mutex;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::TcpListener,
};

use super::*;
use crate::registries::{Credentials, Registry};

/// A registry that answers what it is told to, each list from its front, the last answer for ever.
#[derive(Default)]
pub(crate) struct Fake {
    answers: Mutex<BTreeMap<String, VecDeque<Answer>>>,
    pub(crate) asked: Mutex<Vec<String>>,
}

#[derive(Clone)]
pub(crate) struct Answer {
    head: String,
    body: Vec<u8>,
    /// Bytes of the body that are sent before the connection is cut.
    sent: usize,
}

impl Answer {
    pub(crate) fn new(head: &str, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            head: head.to_owned(),
            sent: body.len(),
            body,
        }
    }

    pub(crate) fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", body)
    }

    fn cut(mut self, sent: usize) -> Self {
        self.sent = sent;
        self
    }
}

impl Fake {
    pub(crate) fn put(&self, path: &str, answers: impl IntoIterator<Item = Answer>) {
        self.answers
            .lock()
            .insert(path.to_owned(), answers.into_iter().collect());
    }

    /// An image of these layers, under a tag; answers the digest of its manifest.
    pub(crate) fn put_image(&self, tag: &str, layers: &[Vec<u8>]) -> Digest {
        let ids: Vec<String> = layers
            .iter()
            .map(|l| format!("\"sha256:{}\"", Digest::of(l)))
            .collect();
        let config = format!(
            r#"{{"architecture":"amd64","os":"linux","config":{{"Cmd":["c"]}},"rootfs":{{"diff_ids":[{}]}}}}"#,
            ids.join(",")
        );
        let parts: Vec<String> = layers
            .iter()
            .map(|l| {
                let kind = "application/vnd.oci.image.layer.v1.tar";
                format!(
                    r#"{{"mediaType":"{kind}","digest":"sha256:{}","size":{}}}"#,
                    Digest::of(l),
                    l.len()
                )
            })
            .collect();
        let manifest = format!(
            r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{}","size":{}}},"layers":[{}]}}"#,
            Digest::of(config.as_bytes()),
            config.len(),
            parts.join(",")
        );
        let digest = Digest::of(manifest.as_bytes());
        for layer in layers {
            self.put(
                &format!("/v2/a/b/blobs/sha256:{}", Digest::of(layer)),
                [Answer::ok(layer.clone())],
            );
        }
        self.put(
            &format!("/v2/a/b/blobs/sha256:{}", Digest::of(config.as_bytes())),
            [Answer::ok(config)],
        );
        for name in [tag.to_owned(), format!("sha256:{digest}")] {
            self.put(
                &format!("/v2/a/b/manifests/{name}"),
                [Answer::ok(manifest.clone())],
            );
        }
        digest
    }

    pub(crate) async fn serve(self: Arc<Self>, tasks: &Tasks) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(Kind::Listener, "fake-registry", async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut lines = BufReader::new(&mut stream).lines();
                let mut request = Vec::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line.is_empty() {
                        break;
                    }
                    request.push(line);
                }
                let answer = self.answer(&request);
                let head = format!(
                    "HTTP/1.1 {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    answer.head,
                    answer.body.len()
                );
                let _ = stream.write_all(head.as_bytes()).await;
                let _ = stream.write_all(&answer.body[..answer.sent]).await;
                let _ = stream.shutdown().await;
            }
        });
        address
    }

    fn answer(&self, request: &[String]) -> Answer {
        let path = request[0].split(' ').nth(1).unwrap().to_owned();
        let notable = ["authorization", "range"];
        let told = request
            .iter()
            .filter(|l| notable.iter().any(|n| l.to_lowercase().starts_with(n)));
        let told: Vec<&str> = told.map(String::as_str).collect();
        self.asked
            .lock()
            .push(format!("{path} {}", told.join(" ")).trim_end().to_owned());
        let mut answers = self.answers.lock();
        let Some(list) = answers.get_mut(&path) else {
            return Answer::new(
                "404 Not Found",
                r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#,
            );
        };
        if list.len() > 1 {
            list.pop_front().unwrap()
        } else {
            list[0].clone()
        }
    }
}

pub(crate) async fn start(credentials: Option<Credentials>) -> (Arc<Fake>, Client, Reference) {
    let tasks = Tasks::new();
    let fake = Arc::new(Fake::default());
    let address = fake.clone().serve(&tasks).await;
    let registry = Registry {
        plain: true,
        credentials,
        ca_file: None,
    };
    let registries = Registries {
        listed: BTreeMap::from([(address.to_string(), registry)]),
        others: false,
        plain_loopback: false,
    };
    let client = Client::new(&registries, tasks).unwrap();
    (fake, client, format!("{address}/a/b:t").parse().unwrap())
}

fn blob_path(content: &[u8]) -> String {
    format!("/v2/a/b/blobs/sha256:{}", Digest::of(content))
}

async fn download(
    client: &Client,
    reference: &Reference,
    content: &[u8],
) -> (Result<(), ImageError>, Vec<u8>) {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("blob");
    let blob = Blob {
        digest: Digest::of(content),
        size: u64::try_from(content.len()).unwrap(),
    };
    let session = client.session(reference).unwrap();
    let done = session.download(blob, &path, &|_| {}).await;
    (done, std::fs::read(&path).unwrap_or_default())
}

#[tokio::test]
async fn a_tag_is_resolved_to_the_digest_of_a_manifest() {
    let (fake, client, reference) = start(None).await;
    let digest = fake.put_image("t", &[]);
    let resolved = client
        .resolve(&reference, Architecture::X86_64)
        .await
        .unwrap();
    assert_eq!(resolved, digest);
    let list = format!(
        r#"{{"schemaVersion":2,"manifests":[{{"digest":"sha256:{digest}","platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#
    );
    fake.put("/v2/a/b/manifests/t", [Answer::ok(list)]);
    let resolved = client
        .resolve(&reference, Architecture::X86_64)
        .await
        .unwrap();
    assert_eq!(resolved, digest);
    let wrong = client
        .resolve(&reference, Architecture::Arm64)
        .await
        .unwrap_err();
    assert!(wrong.to_string().contains("is for linux/amd64"), "{wrong}");
    let other = Reference {
        tag: Some("none".to_owned()),
        ..reference.clone()
    };
    let missing = client
        .resolve(&other, Architecture::X86_64)
        .await
        .unwrap_err();
    assert!(matches!(missing, ImageError::Missing { .. }), "{missing}");
    // A registry cannot answer a digest with something else.
    fake.put(
        &format!("/v2/a/b/manifests/sha256:{digest}"),
        [Answer::ok("{}")],
    );
    let pinned = reference.at(digest);
    let changed = client
        .resolve(&pinned, Architecture::X86_64)
        .await
        .unwrap_err();
    assert!(matches!(changed, ImageError::Mismatch { .. }), "{changed}");
    let elsewhere: Reference = "127.0.0.1:1/a/b:t".parse().unwrap();
    let unlisted = client
        .resolve(&elsewhere, Architecture::X86_64)
        .await
        .unwrap_err();
    assert!(unlisted.to_string().contains("is not listed"), "{unlisted}");
}

#[tokio::test]
async fn a_download_that_breaks_off_goes_on_where_it_was() {
    let (fake, client, reference) = start(None).await;
    let content = b"0123456789".repeat(100);
    let rest = Answer::new(
        "206 Partial Content\r\ncontent-range: bytes 300-999/1000",
        &content[300..],
    );
    fake.put(
        &blob_path(&content),
        [Answer::ok(content.clone()).cut(300), rest],
    );
    let (done, got) = download(&client, &reference, &content).await;
    done.unwrap();
    assert_eq!(got, content);
    assert!(
        fake.asked.lock()[1].ends_with("range: bytes=300-"),
        "{:?}",
        fake.asked.lock()
    );
    // One that knows no ranges begins again, and so does the file.
    fake.put(
        &blob_path(&content),
        [
            Answer::ok(content.clone()).cut(300),
            Answer::ok(content.clone()),
        ],
    );
    let (done, got) = download(&client, &reference, &content).await;
    done.unwrap();
    assert_eq!(got, content);
}

#[tokio::test]
async fn what_is_not_what_was_asked_for_is_refused() {
    let (fake, client, reference) = start(None).await;
    let content = b"0123456789".to_vec();
    fake.put(&blob_path(&content), [Answer::ok("012345678X")]);
    let (done, _) = download(&client, &reference, &content).await;
    assert!(matches!(done.unwrap_err(), ImageError::Mismatch { .. }));
    assert_eq!(fake.asked.lock().len(), usize::try_from(TRIES).unwrap());
    fake.put(&blob_path(&content), [Answer::ok("0123456789 and more")]);
    let (done, _) = download(&client, &reference, &content).await;
    assert!(done.unwrap_err().to_string().contains("got more"));
    fake.put(&blob_path(&content), [Answer::ok("01234")]);
    let (done, _) = download(&client, &reference, &content).await;
    assert!(matches!(done.unwrap_err(), ImageError::Unreachable { .. }));
}

#[tokio::test]
async fn who_asks_is_proven_as_the_registry_wants_it() {
    let credentials = Credentials {
        username: "user".to_owned(),
        password: "pass".to_owned(),
    };
    let (fake, client, reference) = start(Some(credentials)).await;
    fake.put_image("t", &[]);
    let manifest = fake.answers.lock()["/v2/a/b/manifests/t"][0].clone();
    let address = &reference.registry;
    let challenge = format!(
        "401 Unauthorized\r\nwww-authenticate: Bearer realm=\"http://{address}/token\",service=\"s\""
    );
    fake.put(
        "/v2/a/b/manifests/t",
        [Answer::new(&challenge, ""), manifest.clone()],
    );
    let token = "/token?scope=repository%3Aa%2Fb%3Apull&service=s";
    fake.put(token, [Answer::ok(r#"{"token":"t0k"}"#)]);
    client
        .resolve(&reference, Architecture::X86_64)
        .await
        .unwrap();
    let asked = fake.asked.lock().clone();
    assert_eq!(asked[0], "/v2/a/b/manifests/t");
    assert_eq!(
        asked[1],
        format!("{token} authorization: Basic dXNlcjpwYXNz")
    );
    assert_eq!(asked[2], "/v2/a/b/manifests/t authorization: Bearer t0k");
    assert!(asked[3].ends_with("authorization: Bearer t0k"), "{asked:?}");

    let basic = Answer::new(
        "401 Unauthorized\r\nwww-authenticate: Basic realm=\"r\"",
        "",
    );
    fake.put("/v2/a/b/manifests/t", [basic.clone(), manifest]);
    client
        .resolve(&reference, Architecture::X86_64)
        .await
        .unwrap();
    // Credentials that are wrong are shown once.
    fake.put("/v2/a/b/manifests/t", [basic]);
    let denied = client
        .resolve(&reference, Architecture::X86_64)
        .await
        .unwrap_err();
    assert!(matches!(denied, ImageError::Denied { .. }), "{denied}");
}

#[tokio::test]
async fn redirects_are_followed_and_never_to_where_nothing_is_proven() {
    let (fake, client, reference) = start(None).await;
    let content = b"content".to_vec();
    let moved = "307 Temporary Redirect\r\nlocation: /elsewhere?x=1";
    fake.put(&blob_path(&content), [Answer::new(moved, "")]);
    fake.put("/elsewhere?x=1", [Answer::ok(content.clone())]);
    download(&client, &reference, &content).await.0.unwrap();
    let away = "307 Temporary Redirect\r\nlocation: http://169.254.169.254/latest";
    fake.put(&blob_path(&content), [Answer::new(away, "")]);
    let error = download(&client, &reference, &content).await.0.unwrap_err();
    assert!(error.to_string().contains("without TLS"), "{error}");
    let round = format!(
        "307 Temporary Redirect\r\nlocation: {}",
        blob_path(&content)
    );
    fake.put(&blob_path(&content), [Answer::new(&round, "")]);
    assert!(download(&client, &reference, &content).await.0.is_err());
}
