//! What hosts feel of a rule.

use super::*;

#[test]
fn a_cut_is_one_way_and_heals() {
    let Some(fabric) = fabric("tcut", &four()) else {
        return;
    };
    let links = fabric.links();
    links.set(&host("n1"), &host("n2"), Rule::cut()).unwrap();
    assert_eq!(silent(&fabric), ["n1>n2"]);
    assert!(pair(&fabric, "n1", "n2").cut > 0);
    links.clear();
    assert!(silent(&fabric).is_empty());
    let zone = Select::Zone("a".to_owned());
    let layer = links
        .lay_both(&zone, &zone.clone().others(), Rule::cut())
        .unwrap();
    let cut = [
        "n1>n3", "n1>n4", "n2>n3", "n2>n4", "n3>n1", "n3>n2", "n4>n1", "n4>n2",
    ];
    assert_eq!(
        silent(&fabric),
        cut,
        "zone a sees itself, the others each other"
    );
    drop(layer);
    assert!(silent(&fabric).is_empty());
}

#[test]
fn a_cut_takes_what_is_under_way() {
    let Some(fabric) = fabric("tunder", &four()) else {
        return;
    };
    let links = fabric.links();
    let slow = Rule::slow(Duration::from_millis(300), Duration::ZERO);
    links.set(&host("n1"), &host("n2"), slow).unwrap();
    let (sender, receiver) = (
        udp(&fabric, "n1", PATIENCE),
        udp(&fabric, "n2", Duration::from_millis(900)),
    );
    sender
        .send_to(b"x", receiver.local_addr().unwrap())
        .unwrap();
    // A datagram back tells that the relay has taken the first: it reads hosts in turn, but one host's packets in order.
    let marker = udp(&fabric, "n3", PATIENCE);
    sender.send_to(b"x", marker.local_addr().unwrap()).unwrap();
    marker.recv(&mut [0; 4]).unwrap();
    let _cut = links.lay(&host("n1"), &host("n2"), Rule::cut()).unwrap();
    assert!(receiver.recv(&mut [0; 4]).is_err());
    assert_eq!(pair(&fabric, "n1", "n2").cut, 1);
}

#[test]
fn loss_takes_its_share() {
    let Some(fabric) = fabric("tloss", &four()) else {
        return;
    };
    fabric
        .links()
        .set(&host("n1"), &host("n2"), Rule::lossy(0.3))
        .unwrap();
    let (sender, receiver) = (udp(&fabric, "n1", PATIENCE), udp(&fabric, "n2", PATIENCE));
    let to = receiver.local_addr().unwrap();
    let mut buffer = [0; 16];
    let mut got = 0_u32;
    for _ in 0..40 {
        let before = pair(&fabric, "n1", "n2");
        for _ in 0..50 {
            sender.send_to(b"x", to).unwrap();
        }
        let deadline = Instant::now() + PATIENCE;
        let after = loop {
            let now = pair(&fabric, "n1", "n2");
            if now.delivered + now.lost == before.delivered + before.lost + 50 {
                break now;
            }
            assert!(Instant::now() < deadline, "{now:?}");
            std::thread::sleep(Duration::from_micros(200));
        };
        for _ in before.delivered..after.delivered {
            receiver.recv(&mut buffer).unwrap();
            got += 1;
        }
    }
    let share = 1.0 - f64::from(got) / 2000.0;
    assert!((share - 0.3).abs() < 0.05, "lost {share}");
    let counts = pair(&fabric, "n1", "n2");
    assert_eq!(
        (counts.delivered, counts.lost),
        (u64::from(got), u64::from(2000 - got))
    );
}

#[test]
fn a_delay_is_as_long_as_it_says() {
    let Some(fabric) = fabric("tdelay", &four()) else {
        return;
    };
    let rule = Rule::slow(Duration::from_millis(20), Duration::ZERO);
    fabric.links().set(&host("n1"), &host("n2"), rule).unwrap();
    let back = Rule::slow(Duration::from_micros(300), Duration::ZERO);
    fabric.links().set(&host("n2"), &host("n1"), back).unwrap();
    let mut trips = round_trips(&fabric, 31);
    trips.sort_unstable();
    let (least, median) = (trips[0], trips[trips.len() / 2]);
    assert!(least >= Duration::from_micros(20_300), "{least:?}");
    assert!(median < Duration::from_millis(30), "{median:?}");
}

#[test]
fn a_rate_is_what_passes() {
    let Some(fabric) = fabric("trate", &four()) else {
        return;
    };
    let rule = Rule {
        rate: Some(8_000_000),
        ..Rule::default()
    };
    fabric.links().set(&host("n1"), &host("n2"), rule).unwrap();
    let (listener, at) = listen(&fabric, "n2");
    let mut caller = connect(&fabric, "n1", at).unwrap();
    let (mut answering, _) = listener.accept().unwrap();
    let writer = std::thread::spawn(move || caller.write_all(&vec![1; 1_000_000]).map(|()| caller));
    let began = Instant::now();
    answering.read_exact(&mut vec![0; 1_000_000]).unwrap();
    let took = began.elapsed().as_secs_f64();
    writer.join().unwrap().unwrap();
    assert!(
        (0.95..2.5).contains(&took),
        "a megabyte at 8 Mbit/s took {took} s"
    );
}

#[test]
fn flapping_links_delay_a_stream_and_do_not_break_it() {
    let Some(fabric) = fabric("tflap", &four()) else {
        return;
    };
    let (listener, at) = listen(&fabric, "n2");
    let mut caller = connect(&fabric, "n1", at).unwrap();
    let (mut answering, _) = listener.accept().unwrap();
    let layer = fabric
        .links()
        .lay_both(&host("n1"), &host("n2"), Rule::cut())
        .unwrap();
    let stream = std::thread::spawn(move || {
        for number in 0..100_u8 {
            caller.write_all(&[number]).unwrap();
            let mut echo = [0];
            caller.read_exact(&mut echo).unwrap();
            assert_eq!(echo, [number]);
        }
    });
    let echo = std::thread::spawn(move || {
        let mut byte = [0];
        while answering.read_exact(&mut byte).is_ok() {
            answering.write_all(&byte).unwrap();
        }
    });
    let deadline = Instant::now() + PATIENCE;
    while !stream.is_finished() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(20));
        layer.change(Rule::default());
        std::thread::sleep(Duration::from_millis(20));
        layer.change(Rule::cut());
    }
    drop(layer);
    stream.join().unwrap();
    echo.join().unwrap();
    assert!(pair(&fabric, "n1", "n2").cut > 0);
}

#[test]
fn checksums_see_one_kind_of_damage_and_not_the_other() {
    let Some(fabric) = fabric("tdamage", &four()) else {
        return;
    };
    let (sender, receiver) = (
        udp(&fabric, "n1", PATIENCE),
        udp(&fabric, "n2", Duration::from_millis(300)),
    );
    let to = receiver.local_addr().unwrap();
    let sent = *b"something that should arrive as it is";
    let mut got = [0; 64];
    let seen = Rule {
        corrupt: 1.0,
        ..Rule::default()
    };
    fabric.links().set(&host("n1"), &host("n2"), seen).unwrap();
    for _ in 0..20 {
        sender.send_to(&sent, to).unwrap();
    }
    assert!(
        receiver.recv(&mut got).is_err(),
        "the kernel throws all of them away"
    );
    assert_eq!(pair(&fabric, "n1", "n2").corrupted, 20);

    let unseen = Rule {
        corrupt_unseen: 1.0,
        ..Rule::default()
    };
    fabric
        .links()
        .set(&host("n1"), &host("n2"), unseen)
        .unwrap();
    for _ in 0..20 {
        sender.send_to(&sent, to).unwrap();
        let len = receiver.recv(&mut got).unwrap();
        assert_eq!(len, sent.len());
        assert_ne!(got[..len], sent, "it arrives, and is wrong");
    }

    let twice = Rule {
        duplicate: 1.0,
        ..Rule::default()
    };
    fabric.links().set(&host("n1"), &host("n2"), twice).unwrap();
    sender.send_to(&sent, to).unwrap();
    for _ in 0..2 {
        let len = receiver.recv(&mut got).unwrap();
        assert_eq!(got[..len], sent);
    }
}

#[test]
fn big_datagrams_pass_in_pieces() {
    let Some(fabric) = fabric("tfrag", &four()) else {
        return;
    };
    let (sender, receiver) = (udp(&fabric, "n1", PATIENCE), udp(&fabric, "n2", PATIENCE));
    let sent = vec![5; 60_000];
    sender
        .send_to(&sent, receiver.local_addr().unwrap())
        .unwrap();
    let mut got = vec![0; 65_536];
    assert_eq!(receiver.recv(&mut got).unwrap(), 60_000);
    assert!(pair(&fabric, "n1", "n2").delivered >= 40);
}
