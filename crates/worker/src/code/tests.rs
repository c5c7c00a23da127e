use std::{
    io::{Cursor, Write},
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use bytes::Bytes;
use zip::{ZipWriter, write::SimpleFileOptions};

use super::*;

struct Source {
    packages: HashMap<Digest, Bytes>,
    fetches: AtomicUsize,
}

#[async_trait]
impl CodeSource for Source {
    async fn fetch(&self, digest: Digest) -> Result<Bytes, FetchError> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.packages.get(&digest).cloned().ok_or(FetchError {
            digest,
            reason: "nobody has it".into(),
            kind: ErrorKind::Unavailable,
        })
    }
}

fn package(content: &[u8]) -> (Digest, Bytes) {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("app.py", SimpleFileOptions::default())
        .unwrap();
    zip.write_all(content).unwrap();
    let bytes = Bytes::from(zip.finish().unwrap().into_inner());
    (Digest::of(&bytes), bytes)
}

fn open(dir: &Path, capacity: u64, packages: &[(Digest, Bytes)]) -> (CodeCache, Arc<Source>) {
    let source = Arc::new(Source {
        packages: packages.iter().cloned().collect(),
        fetches: AtomicUsize::new(0),
    });
    let cache = CodeCache::open(
        dir.to_owned(),
        ByteCount(capacity),
        &Limits::default(),
        source.clone(),
        Tasks::new(),
    );
    (cache.unwrap(), source)
}

#[tokio::test]
async fn one_unpack_serves_everybody_and_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (digest, bytes) = package(b"x = 1\n");
    {
        let (cache, source) = open(dir.path(), 1 << 20, &[(digest, bytes)]);
        let all = futures::future::join_all((0..20).map(|_| cache.get(digest))).await;
        for got in all {
            assert_eq!(
                std::fs::read(got.unwrap().dir().join("app.py")).unwrap(),
                b"x = 1\n"
            );
        }
        assert_eq!(source.fetches.load(Ordering::SeqCst), 1);
    }
    std::fs::create_dir(dir.path().join("unpacking-7")).unwrap();
    std::fs::write(dir.path().join("stray"), b"x").unwrap();
    let (cache, source) = open(dir.path(), 1 << 20, &[]);
    assert!(cache.get(digest).await.is_ok());
    assert_eq!(source.fetches.load(Ordering::SeqCst), 0);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "leftovers are gone"
    );
}

#[tokio::test]
async fn what_is_used_stays_and_the_oldest_of_the_rest_goes() {
    let dir = tempfile::tempdir().unwrap();
    let packages: Vec<_> = (0..4u8).map(|n| package(&[n; 100])).collect();
    let digests: Vec<Digest> = packages.iter().map(|(d, _)| *d).collect();
    let (cache, source) = open(dir.path(), 250, &packages);
    let held = cache.get(digests[0]).await.unwrap();
    for digest in &digests[1..] {
        drop(cache.get(*digest).await.unwrap());
    }
    assert!(held.dir().join("app.py").try_exists().unwrap());
    let before = source.fetches.load(Ordering::SeqCst);
    drop(cache.get(digests[3]).await.unwrap());
    assert_eq!(
        source.fetches.load(Ordering::SeqCst),
        before,
        "the newest is still there"
    );
    drop(cache.get(digests[1]).await.unwrap());
    assert_eq!(
        source.fetches.load(Ordering::SeqCst),
        before + 1,
        "the oldest was not"
    );
}

#[tokio::test]
async fn wrong_bytes_are_never_run_and_a_failure_is_not_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let (digest, bytes) = package(b"good");
    let (_, other) = package(b"evil");
    let (cache, _) = open(dir.path(), 1 << 20, &[(digest, other)]);
    assert!(matches!(
        cache.get(digest).await,
        Err(CodeError::Mismatch { .. })
    ));
    let junk = Bytes::from_static(b"no zip");
    let (cache, _) = open(dir.path(), 1 << 20, &[(Digest::of(&junk), junk.clone())]);
    let failed = cache.get(Digest::of(&junk)).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Invalid);
    let (cache, _) = open(dir.path(), 1 << 20, &[(digest, bytes)]);
    assert!(cache.get(digest).await.is_ok());
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
