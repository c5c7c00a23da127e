//! The little that a link reads of an IPv4 packet, and how it spoils one. Pure.

use std::net::Ipv4Addr;

use super::link::Damage;

const TCP: u8 = 6;
const UDP: u8 = 17;
/// The shortest IPv4 header.
const HEADER_MIN: usize = 20;

/// Whom an IPv4 packet is for; nothing if it is none.
pub(crate) fn destination(packet: &[u8]) -> Option<Ipv4Addr> {
    header_len(packet)?;
    let bytes: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    Some(Ipv4Addr::from(bytes))
}

/// Spoils a packet. Its IP header stays right, so it still arrives. Answers whether there was anything to spoil.
pub(crate) fn spoil(packet: &mut [u8], damage: Damage) -> bool {
    let done = match damage {
        Damage::Seen(bits) => flip_one(packet, bits),
        Damage::Unseen(bits) => flip_pair(packet, bits),
    };
    done.is_some()
}

/// One bit behind the IP header.
fn flip_one(packet: &mut [u8], bits: u64) -> Option<()> {
    let start = header_len(packet)?;
    let behind = packet.get_mut(start..)?;
    let at = below(bits, behind.len())?;
    let byte = behind.get_mut(at)?;
    *byte ^= 1 << (bits >> 61);
    Some(())
}

/// The same bit, one in a word where it is set and one in a word where it is not: the sum of all words stays as it was.
fn flip_pair(packet: &mut [u8], bits: u64) -> Option<()> {
    let ip = header_len(packet)?;
    let start = ip + transport_len(packet, ip)?;
    let payload = packet.get_mut(start..)?;
    let words = payload.len() / 2;
    let first = below(bits, words)?;
    let word = |payload: &[u8], at: usize| -> Option<u16> {
        let bytes: [u8; 2] = payload.get(at * 2..at * 2 + 2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    };
    let here = word(payload, first)?;
    let (second, there) = (first + 1..words)
        .chain(0..first)
        .find_map(|at| word(payload, at).filter(|w| *w != here).map(|w| (at, w)))?;
    let unlike = here ^ there;
    let mask = unlike & unlike.wrapping_neg();
    for (at, value) in [(first, here ^ mask), (second, there ^ mask)] {
        payload
            .get_mut(at * 2..at * 2 + 2)?
            .copy_from_slice(&value.to_be_bytes());
    }
    Some(())
}

/// The length of the IPv4 header, if the packet has a whole one.
fn header_len(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    let len = usize::from(first & 0x0f) * 4;
    (first >> 4 == 4 && len >= HEADER_MIN && len <= packet.len()).then_some(len)
}

fn transport_len(packet: &[u8], ip: usize) -> Option<usize> {
    match *packet.get(9)? {
        TCP => Some(usize::from(*packet.get(ip + 12)? >> 4) * 4),
        UDP => Some(8),
        _ => Some(0),
    }
}

/// An even choice of `0..bound`, from the low 32 bits.
fn below(bits: u64, bound: usize) -> Option<usize> {
    let bound = u64::try_from(bound).ok().filter(|b| *b > 0)?;
    usize::try_from(((bits & 0xffff_ffff) * bound) >> 32).ok()
}

#[cfg(test)]
mod tests {
    use host::{Entropy, SeededEntropy};

    use super::*;

    /// A UDP packet to 10.0.0.2 with this payload.
    fn udp(payload: &[u8]) -> Vec<u8> {
        let mut packet = vec![
            0x45, 0, 0, 0, 0, 0, 0, 0, 64, UDP, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
        ];
        packet.extend([0, 1, 0, 2, 0, 0, 0, 0]);
        packet.extend(payload);
        packet
    }

    /// The internet checksum's sum.
    fn sum(bytes: &[u8]) -> u32 {
        let total: u32 = bytes
            .chunks(2)
            .map(|w| u32::from(w[0]) << 8 | w.get(1).map_or(0, |b| u32::from(*b)))
            .sum();
        let folded = (total & 0xffff) + (total >> 16);
        (folded & 0xffff) + (folded >> 16)
    }

    #[test]
    fn only_whole_ipv4_packets_go_anywhere() {
        assert_eq!(destination(&udp(b"")), Some(Ipv4Addr::new(10, 0, 0, 2)));
        let mut six = udp(b"");
        six[0] = 0x65;
        assert_eq!(destination(&six), None);
        assert_eq!(destination(&udp(b"")[..19]), None);
        assert_eq!(destination(&[]), None);
        let mut long = udp(b"");
        long[0] = 0x4f;
        assert_eq!(destination(&long), None, "a header longer than the packet");
    }

    #[test]
    fn seen_damage_is_one_bit_behind_the_header() {
        let entropy = SeededEntropy::new(3);
        for _ in 0..1000 {
            let whole = udp(b"what was said");
            let mut spoilt = whole.clone();
            assert!(spoil(&mut spoilt, Damage::Seen(entropy.next_u64())));
            assert_eq!(spoilt[..20], whole[..20]);
            let wrong: u32 = spoilt
                .iter()
                .zip(&whole)
                .map(|(a, b)| (a ^ b).count_ones())
                .sum();
            assert_eq!(wrong, 1);
        }
    }

    #[test]
    fn unseen_damage_keeps_the_checksum() {
        let entropy = SeededEntropy::new(4);
        for _ in 0..1000 {
            let whole = udp(b"what was said, at some length");
            let mut spoilt = whole.clone();
            assert!(spoil(&mut spoilt, Damage::Unseen(entropy.next_u64())));
            assert_eq!(spoilt[..28], whole[..28], "headers stay");
            assert_ne!(spoilt, whole);
            assert_eq!(sum(&spoilt), sum(&whole));
        }
    }

    #[test]
    fn what_has_nothing_to_spoil_stays_whole() {
        for nothing in [udp(b""), udp(b"x"), udp(&[7; 64])] {
            let mut packet = nothing.clone();
            assert!(!spoil(&mut packet, Damage::Unseen(9)));
            assert_eq!(packet, nothing);
        }
        let mut bare = udp(b"")[..20].to_vec();
        assert!(!spoil(&mut bare, Damage::Seen(9)));
    }
}
