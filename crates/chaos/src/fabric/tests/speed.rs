//! What the relay costs. The bounds are wide, for a busy machine and an unoptimised build; the figures are printed.

use super::*;

#[test]
fn it_is_no_bottleneck() {
    let Some(fabric) = fabric("tspeed", &four()) else {
        return;
    };
    let mut trips = round_trips(&fabric, 2000);
    trips.sort_unstable();
    let (median, late) = (trips[trips.len() / 2], trips[trips.len() * 99 / 100]);
    eprintln!(
        "a round trip of UDP takes {median:?} in the middle, {late:?} at the 99th percentile"
    );
    assert!(median < Duration::from_millis(2), "{median:?}");

    let (listener, at) = listen(&fabric, "n2");
    let mut caller = connect(&fabric, "n1", at).unwrap();
    let (mut answering, _) = listener.accept().unwrap();
    let total = 200_000_000_usize;
    let before = pair(&fabric, "n1", "n2").delivered;
    let writer = std::thread::spawn(move || {
        let chunk = vec![1; 1 << 17];
        let mut left = total;
        while left > 0 {
            let len = left.min(chunk.len());
            caller.write_all(&chunk[..len]).unwrap();
            left -= len;
        }
        caller
    });
    let began = Instant::now();
    let mut buffer = vec![0; 1 << 17];
    let mut got = 0;
    while got < total {
        got += answering.read(&mut buffer).unwrap();
    }
    let took = began.elapsed().as_secs_f64();
    drop(writer.join().unwrap());
    let packets = pair(&fabric, "n1", "n2").delivered - before;
    let rate = total as f64 * 8.0 / took / 1e6;
    eprintln!(
        "one stream of TCP: {rate:.0} Mbit/s, {:.0} packets/s one way",
        packets as f64 / took
    );
    assert!(rate > 100.0, "{rate} Mbit/s");
}
