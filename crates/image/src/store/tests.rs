use std::sync::Arc;

use super::*;
use crate::client::tests::{Answer, Fake, start};

/// A layer with one file.
fn layer(name: &str, size: usize) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(u64::try_from(size).unwrap());
    header.set_mode(0o644);
    archive
        .append_data(&mut header, name, vec![b'x'; size].as_slice())
        .unwrap();
    archive.into_inner().unwrap()
}

struct World {
    fake: Arc<Fake>,
    store: Store,
    reference: Reference,
    place: tempfile::TempDir,
}

async fn world(capacity: u64) -> World {
    let (fake, client, reference) = start(None).await;
    let place = tempfile::tempdir().unwrap();
    let store = open(&place, capacity, client).unwrap();
    World {
        fake,
        store,
        reference,
        place,
    }
}

fn open(place: &tempfile::TempDir, capacity: u64, client: Client) -> std::io::Result<Store> {
    let options = Options {
        dir: place.path().to_owned(),
        capacity: ByteCount(capacity),
    };
    Store::open(options, client, Tasks::new())
}

impl World {
    async fn get(&self, digest: Digest) -> Result<Arc<Image>, Arc<ImageError>> {
        let wait = Duration::from_secs(60);
        self.store
            .get(&self.reference, digest, Architecture::X86_64, wait)
            .await
    }

    fn dirs(&self) -> usize {
        std::fs::read_dir(self.place.path().join("layers"))
            .unwrap()
            .count()
    }

    fn leftovers(&self) -> usize {
        std::fs::read_dir(self.place.path().join("tmp"))
            .unwrap()
            .count()
    }
}

#[tokio::test]
async fn layers_are_shared_and_unpacked_once() {
    let world = world(1 << 30).await;
    let shared = layer("shared", 10);
    let one = world
        .fake
        .put_image("one", &[shared.clone(), layer("one", 10)]);
    let two = world
        .fake
        .put_image("two", &[shared.clone(), layer("two", 10)]);
    let (one, two, again) = tokio::join!(world.get(one), world.get(two), world.get(one));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one.layers()[0], two.layers()[0]);
    assert_eq!(one.layers(), again.unwrap().layers());
    assert_eq!(one.settings.command, ["c"]);
    assert!(two.layers()[1].join("two").is_file());
    let blob = format!("/v2/a/b/blobs/sha256:{}", Digest::of(&shared));
    let asked = world
        .fake
        .asked
        .lock()
        .iter()
        .filter(|a| **a == blob)
        .count();
    assert_eq!(asked, 1);
    assert_eq!((world.dirs(), world.leftovers()), (3, 0));
}

#[tokio::test]
async fn a_store_that_is_opened_again_needs_no_registry_and_cleans_up() {
    let world = world(1 << 30).await;
    let digest = world.fake.put_image("t", &[layer("a", 10)]);
    world.get(digest).await.unwrap();
    let (_, client, elsewhere) = start(None).await;
    std::fs::create_dir(world.place.path().join("tmp/unpacking-7")).unwrap();
    std::fs::create_dir(world.place.path().join("layers/half")).unwrap();
    let store = open(&world.place, 1 << 30, client).unwrap();
    let image = store
        .get(
            &elsewhere,
            digest,
            Architecture::X86_64,
            Duration::from_secs(60),
        )
        .await
        .unwrap();
    assert!(image.layers()[0].join("a").is_file());
    assert_eq!((world.dirs(), world.leftovers()), (1, 0));
}

#[tokio::test]
async fn what_nobody_uses_goes_when_room_is_needed() {
    let world = world(30_000).await;
    let images: Vec<Digest> = ["a", "b", "c"]
        .map(|name| world.fake.put_image(name, &[layer(name, 10_000)]))
        .into();
    let held = world.get(images[0]).await.unwrap();
    world.get(images[1]).await.unwrap();
    let third = world.get(images[2]).await.unwrap();
    assert_eq!(
        world.dirs(),
        2,
        "the one that nobody used for longest is gone"
    );
    assert!(held.layers()[0].is_dir() && third.layers()[0].is_dir());
    drop((held, third));
    // It comes again.
    world.get(images[1]).await.unwrap();
    assert_eq!(world.dirs(), 2);
    let large = world.fake.put_image("large", &[layer("large", 40_000)]);
    let error = world.get(large).await.unwrap_err();
    assert!(error.to_string().contains("worker.image_store"), "{error}");
}

#[tokio::test]
async fn failures_are_told_and_leave_nothing() {
    let world = world(1 << 30).await;
    let good = layer("good", 10);
    let bad = layer("bad", 10);
    let digest = world.fake.put_image("t", &[good, bad.clone()]);
    world.fake.put(
        &format!("/v2/a/b/blobs/sha256:{}", Digest::of(&bad)),
        [Answer::new("404 Not Found", "")],
    );
    let error = world.get(digest).await.unwrap_err();
    assert!(matches!(&*error, ImageError::Missing { .. }), "{error}");
    // It is known for a while, without another look.
    let before = world.fake.asked.lock().len();
    assert!(world.get(digest).await.is_err());
    assert_eq!(world.fake.asked.lock().len(), before);
    assert_eq!(world.leftovers(), 0);
    let nothing = world.get(Digest::of(b"nothing")).await.unwrap_err();
    assert!(matches!(&*nothing, ImageError::Missing { .. }), "{nothing}");
    let slow = world.fake.put_image("slow", &[layer("slow", 10)]);
    let error = world
        .store
        .get(&world.reference, slow, Architecture::X86_64, Duration::ZERO)
        .await
        .unwrap_err();
    assert!(matches!(&*error, ImageError::OnItsWay(_)), "{error}");
    world.get(slow).await.unwrap();
}
