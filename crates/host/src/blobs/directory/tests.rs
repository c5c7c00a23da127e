use super::*;
use crate::blobs::contract;

async fn open(root: &Path) -> DirectoryBlobs {
    DirectoryBlobs::open(root).await.unwrap()
}

#[tokio::test]
async fn keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    contract::gives_back_what_was_put(&open(&root.path().join("a")).await).await;
    contract::refuses_bytes_of_another_digest(&open(&root.path().join("b")).await).await;
    contract::takes_the_same_blob_from_many(&open(&root.path().join("c")).await).await;
    let path = root.path().join("d");
    contract::is_there_after_a_restart(async || Arc::new(open(&path).await) as Arc<dyn Blobs>)
        .await;
}

#[tokio::test]
async fn a_rotten_blob_is_set_aside_and_can_be_put_again() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    let bytes = Bytes::from_static(b"a deployment package");
    let digest = Digest::of(&bytes);
    blobs.put(digest, bytes.clone()).await.unwrap();
    fs::write(blobs.layout.path(digest), b"A deployment package").unwrap();

    assert!(matches!(
        blobs.get(digest).await,
        Err(BlobError::Mismatch { expected, .. }) if expected == digest
    ));
    assert!(matches!(
        blobs.get(digest).await,
        Err(BlobError::NotFound(_))
    ));
    let aside = root.path().join("rotten").join(digest.to_string());
    assert!(aside.try_exists().unwrap());
    blobs.put(digest, bytes.clone()).await.unwrap();
    assert_eq!(blobs.get(digest).await.unwrap(), bytes);
    assert!(!aside.try_exists().unwrap());
}

#[tokio::test]
async fn a_blob_cut_short_is_written_anew() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    let bytes = Bytes::from_static(b"a deployment package");
    let digest = Digest::of(&bytes);
    blobs.put(digest, bytes.clone()).await.unwrap();
    fs::write(blobs.layout.path(digest), b"a depl").unwrap();
    blobs.put(digest, bytes.clone()).await.unwrap();
    assert_eq!(blobs.get(digest).await.unwrap(), bytes);
}

#[tokio::test]
async fn a_crash_in_the_middle_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    let digest = Digest::of(b"x");
    fs::write(root.path().join("unfinished/half"), b"half").unwrap();
    fs::create_dir_all(root.path().join("ab")).unwrap();
    fs::write(root.path().join("ab/not a digest"), b"alien").unwrap();
    drop(blobs);
    let blobs = open(root.path()).await;
    assert!(!root.path().join("unfinished/half").try_exists().unwrap());
    assert!(blobs.list().await.unwrap().is_empty());
    assert_eq!(blobs.stat(digest).await.unwrap(), None);
    assert_eq!(blobs.total_bytes().await.unwrap(), 0);
    blobs.put(digest, Bytes::from_static(b"x")).await.unwrap();
    assert_eq!(blobs.total_bytes().await.unwrap(), 1);
    let left = fs::read_dir(root.path().join("unfinished"))
        .unwrap()
        .count();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn a_disk_that_fails_is_an_error_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let blobs = open(root.path()).await;
    let bytes = Bytes::from_static(b"x");
    let digest = Digest::of(&bytes);
    // A file where the shelf should be.
    let shelf = blobs.layout.shelf(digest);
    fs::write(&shelf, b"").unwrap();
    assert!(matches!(
        blobs.put(digest, bytes).await,
        Err(BlobError::Disk { .. })
    ));
    let left = fs::read_dir(root.path().join("unfinished"))
        .unwrap()
        .count();
    assert_eq!(left, 0);
}
