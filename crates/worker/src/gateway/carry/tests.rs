use bytes::Bytes;
use host::{Tasks, task::Kind};
use tokio::{io::DuplexStream, sync::oneshot};
use tokio_stream::wrappers::ReceiverStream;

use super::*;

const BUFFER: usize = 1024;

/// A connection that is carried: what code inside holds, and what a frontend holds.
struct Scene {
    code: DuplexStream,
    heard: mpsc::Receiver<pb::GatewayRequest>,
    say: mpsc::Sender<Result<pb::GatewayResponse, Status>>,
    carried: oneshot::Receiver<()>,
}

fn scene() -> Scene {
    let (code, near) = tokio::io::duplex(BUFFER);
    let (up, heard) = mpsc::channel(1);
    let (say, down) = mpsc::channel(1);
    let (over, carried) = oneshot::channel();
    Tasks::new().spawn(Kind::Environment, "carried", async move {
        both_ways(near, up, ReceiverStream::new(down)).await;
        over.send(()).unwrap();
    });
    Scene {
        code,
        heard,
        say,
        carried,
    }
}

impl Scene {
    async fn hears(&mut self) -> Option<Bytes> {
        match self.heard.recv().await?.part? {
            Part::Data(data) => Some(data),
            Part::Head(_) => panic!("the head was sent before"),
        }
    }

    async fn says(&self, data: &'static [u8]) {
        let data = Bytes::from_static(data);
        self.say
            .send(Ok(pb::GatewayResponse { data }))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn bytes_go_both_ways_until_the_frontend_ends() {
    let mut scene = scene();
    scene.code.write_all(b"question").await.unwrap();
    assert_eq!(scene.hears().await.unwrap(), "question");
    scene.says(b"answer").await;
    let mut said = [0; 6];
    scene.code.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"answer");
    drop(scene.say);
    assert_eq!(scene.code.read(&mut said).await.unwrap(), 0);
    scene.carried.await.unwrap();
}

#[tokio::test]
async fn whoever_has_said_everything_is_still_answered() {
    let mut scene = scene();
    scene.code.write_all(b"question").await.unwrap();
    scene.code.shutdown().await.unwrap();
    assert_eq!(scene.hears().await.unwrap(), "question");
    assert!(
        scene.heard.recv().await.is_none(),
        "the frontend sees the end"
    );
    scene.says(b"answer").await;
    drop(scene.say);
    let mut said = Vec::new();
    scene.code.read_to_end(&mut said).await.unwrap();
    assert_eq!(said, b"answer");
}

#[tokio::test]
async fn a_connection_that_broke_on_either_side_ends() {
    let broken = scene();
    broken
        .say
        .send(Err(Status::unavailable("gone")))
        .await
        .unwrap();
    broken.carried.await.unwrap();
    let Scene {
        code, say, carried, ..
    } = scene();
    drop(code);
    // Its next answer finds nobody.
    let data = Bytes::from_static(b"answer");
    say.send(Ok(pb::GatewayResponse { data })).await.unwrap();
    carried.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn nobody_is_sent_more_than_they_read() {
    let mut scene = scene();
    let flood = async {
        loop {
            scene.code.write_all(&[0; BUFFER]).await.unwrap();
        }
    };
    let stuck = tokio::time::timeout(Duration::from_secs(60), flood).await;
    assert!(stuck.is_err());
    // One message waits in the channel, one to get in, and the buffer of the test.
    let mut heard = 0;
    while let Ok(Some(data)) = tokio::time::timeout(Duration::from_secs(1), scene.hears()).await {
        heard += data.len();
    }
    assert!((1..=4 * BUFFER).contains(&heard), "{heard}");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_stands_still_ends_and_a_slow_one_does_not() {
    let mut scene = scene();
    let begun = Instant::now();
    for _ in 0..3 {
        tokio::time::sleep(STALL_MAX - Duration::from_secs(1)).await;
        scene.code.write_all(b"x").await.unwrap();
        assert_eq!(scene.hears().await.unwrap(), "x");
    }
    scene.carried.await.unwrap();
    let lasted = begun.elapsed();
    assert!(
        lasted >= STALL_MAX * 3 && lasted < STALL_MAX * 5,
        "{lasted:?}"
    );
}
