use chitchat::ChitchatMessage;

use super::*;
use crate::SystemEntropy;

async fn open(cluster: &str, key: u8) -> (Box<dyn Socket>, Arc<Counters>) {
    let counters = Arc::new(Counters::default());
    let transport = SealedTransport {
        cluster: cluster.into(),
        keys: vec![[key; 32]],
        entropy: Arc::new(SystemEntropy::new()),
        counters: counters.clone(),
        bound: Mutex::new(None),
    };
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (transport.open(address).await.unwrap(), counters)
}

fn envelope() -> ChitchatEnvelope {
    ChitchatEnvelope {
        version: chitchat::ProtocolVersion::V1,
        message: ChitchatMessage::BadCluster,
    }
}

#[tokio::test]
async fn a_message_arrives_from_whom_it_was_sent() {
    let (mut a, _) = open("blue", 1).await;
    let (mut b, counters) = open("blue", 1).await;
    let to = b.local_addr().unwrap();
    for _ in 0..100 {
        let sent = a.send(to, envelope()).await.unwrap();
        assert!(sent.num_bytes_sent > 0);
        let got = b.recv().await.unwrap();
        assert_eq!(got.from_addr, a.local_addr().unwrap());
        assert_eq!(got.envelope, envelope());
    }
    assert_eq!(counters.read().received, 100);
}

#[tokio::test]
async fn what_is_not_ours_is_counted_and_dropped() {
    let (mut ours, _) = open("blue", 1).await;
    let (mut other_key, _) = open("blue", 2).await;
    let (mut other_cluster, _) = open("green", 1).await;
    let (mut receiver, counters) = open("blue", 1).await;
    let to = receiver.local_addr().unwrap();
    other_key.send(to, envelope()).await.unwrap();
    other_cluster.send(to, envelope()).await.unwrap();
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for junk in [&[][..], &[1], &[1; 100], &[0; 1500], &[0; 9000]] {
        stranger.send_to(junk, to).await.unwrap();
    }
    ours.send(to, envelope()).await.unwrap();
    let got = receiver.recv().await.unwrap();
    assert_eq!(got.from_addr, ours.local_addr().unwrap());
    assert_eq!(counters.read().refused, 7);
}

#[tokio::test]
async fn authentic_nonsense_is_counted_and_dropped() {
    let (mut ours, _) = open("blue", 1).await;
    let (mut receiver, counters) = open("blue", 1).await;
    let to = receiver.local_addr().unwrap();
    let sealer = Sealer::new("blue".into(), &[[1; 32]], &SystemEntropy::new()).unwrap();
    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for piece in fragment::split(1, &[9; 3000]).unwrap() {
        stranger
            .send_to(&sealer.seal(&piece).unwrap(), to)
            .await
            .unwrap();
    }
    ours.send(to, envelope()).await.unwrap();
    let got = receiver.recv().await.unwrap();
    assert_eq!(got.from_addr, ours.local_addr().unwrap());
    assert_eq!(counters.read().unreadable, 1);
}

#[tokio::test]
async fn nobody_gets_in_behind_the_seal() {
    let (mut ours, _) = open("blue", 1).await;
    let transport = Codec::open().await.unwrap();
    let mut receiver = SealedSocket {
        socket: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
        sealer: Sealer::new("blue".into(), &[[1; 32]], &SystemEntropy::new()).unwrap(),
        assembler: Assembler::default(),
        codec: transport,
        number: 0,
        buffer: vec![0; fragment::DATAGRAM_MAX + 1],
        counters: Arc::default(),
    };
    // A local process that has found chitchat's end of the loopback pair.
    let mut intruder = Encoder::open((Ipv4Addr::LOCALHOST, 0).into())
        .await
        .unwrap();
    let inner = receiver.codec.encoder.local_addr().unwrap();
    intruder.send(inner, envelope()).await.unwrap();
    let to = receiver.socket.local_addr().unwrap();
    ours.send(to, envelope()).await.unwrap();
    let got = receiver.recv().await.unwrap();
    assert_eq!(got.from_addr, ours.local_addr().unwrap());
}

#[tokio::test]
async fn a_given_up_receive_loses_nothing() {
    let (mut a, _) = open("blue", 1).await;
    let (mut b, _) = open("blue", 1).await;
    let to = b.local_addr().unwrap();
    for _ in 0..20 {
        a.send(to, envelope()).await.unwrap();
    }
    let mut received = 0;
    let limit = Instant::now() + Duration::from_secs(5);
    while received < 20 {
        assert!(Instant::now() < limit, "only {received} arrived");
        let once = futures::poll!(std::pin::pin!(b.recv()));
        if once.is_ready() {
            received += 1;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_peer_that_cannot_be_reached_is_no_error() {
    let (mut a, counters) = open("blue", 1).await;
    let nowhere = SocketAddr::from((Ipv4Addr::BROADCAST, 1));
    a.send(nowhere, envelope()).await.unwrap();
    assert_eq!(counters.read().unsent, 1);
}
