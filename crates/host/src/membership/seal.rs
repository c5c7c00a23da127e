//! Authenticated encryption of gossip datagrams.
//!
//! A datagram is `version (1) | key tag (4) | salt (16) | counter (8) | ciphertext | tag (16)`. Every process draws a random
//! salt of 128 bits when it starts; HKDF-SHA-256 of the cluster's key, the salt and the cluster's name gives a key of its
//! own, under which the nonces of ChaCha20-Poly1305 are a counter. So no nonce comes twice under a key, however many nodes
//! and restarts there are, without anybody keeping state. A replayed datagram opens, and does no harm: gossip is idempotent
//! and its heartbeats only grow.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf,
};

use crate::Entropy;

const VERSION: u8 = 1;
const HEADER: usize = 1 + TAG + SALT + 8;
const TAG: usize = 4;
const SALT: usize = 16;
/// What sealing adds to a message.
pub(super) const OVERHEAD: usize = HEADER + 16;
/// Keys of senders that are remembered; more only cost a derivation.
const SENDERS_MAX: usize = 4096;

/// The process that sealed a datagram.
pub(super) type Sender = [u8; SALT];
type Tag = [u8; TAG];

/// A key of the cluster.
struct ClusterKey {
    tag: Tag,
    bytes: [u8; 32],
}

/// Seals with the first of the cluster's keys and opens with any.
pub(super) struct Sealer {
    cluster: Arc<str>,
    keys: Vec<ClusterKey>,
    salt: Sender,
    own: LessSafeKey,
    own_tag: Tag,
    counter: AtomicU64,
    senders: HashMap<(Tag, Sender), LessSafeKey>,
}

impl Sealer {
    /// `None` without a key.
    pub(super) fn new(cluster: Arc<str>, keys: &[[u8; 32]], entropy: &dyn Entropy) -> Option<Self> {
        let keys: Vec<_> = keys.iter().map(|bytes| ClusterKey::new(*bytes)).collect();
        let salt = entropy.next_u128().to_be_bytes();
        let first = keys.first()?;
        let own = first.derive(&salt, &cluster)?;
        let own_tag = first.tag;
        Some(Self {
            cluster,
            keys,
            salt,
            own,
            own_tag,
            counter: AtomicU64::new(0),
            senders: HashMap::new(),
        })
    }

    pub(super) fn seal(&self, message: &[u8]) -> Option<Vec<u8>> {
        let counter = self.counter.fetch_add(1, Ordering::Relaxed);
        let mut datagram = Vec::with_capacity(message.len() + OVERHEAD);
        datagram.push(VERSION);
        datagram.extend_from_slice(&self.own_tag);
        datagram.extend_from_slice(&self.salt);
        datagram.extend_from_slice(&counter.to_be_bytes());
        let header = Aad::from(datagram.clone());
        let mut sealed = message.to_vec();
        self.own
            .seal_in_place_append_tag(nonce(counter), header, &mut sealed)
            .ok()?;
        datagram.append(&mut sealed);
        Some(datagram)
    }

    /// The sender and the message, if the datagram was sealed with a key of ours and not touched since.
    pub(super) fn open(&mut self, datagram: &[u8]) -> Option<(Sender, Vec<u8>)> {
        let (header, sealed) = datagram.split_at_checked(HEADER)?;
        let (version, rest) = header.split_first()?;
        let (tag, rest) = rest.split_first_chunk::<TAG>()?;
        let (salt, counter) = rest.split_first_chunk::<SALT>()?;
        let counter = u64::from_be_bytes(*counter.first_chunk::<8>()?);
        if *version != VERSION {
            return None;
        }
        let name = (*tag, *salt);
        if let Some(key) = self.senders.get(&name) {
            return Some((*salt, open(key, counter, header, sealed)?));
        }
        let cluster_key = self.keys.iter().find(|key| key.tag == *tag)?;
        let key = cluster_key.derive(salt, &self.cluster)?;
        let message = open(&key, counter, header, sealed)?;
        // Remembered only now that it has opened something: a stranger cannot fill the memory.
        if self.senders.len() >= SENDERS_MAX {
            self.senders.clear();
        }
        self.senders.insert(name, key);
        Some((*salt, message))
    }
}

impl ClusterKey {
    fn new(bytes: [u8; 32]) -> Self {
        let digest = model::Digest::of(&[b"dunlin gossip key ".as_slice(), &bytes].concat());
        let [a, b, c, d, ..] = *digest.as_bytes();
        Self {
            tag: [a, b, c, d],
            bytes,
        }
    }

    fn derive(&self, salt: &Sender, cluster: &str) -> Option<LessSafeKey> {
        let secret = hkdf::Salt::new(hkdf::HKDF_SHA256, salt).extract(&self.bytes);
        let purpose = [b"dunlin gossip v1 ".as_slice(), cluster.as_bytes()];
        let key = secret.expand(&purpose, &CHACHA20_POLY1305).ok()?;
        Some(LessSafeKey::new(UnboundKey::from(key)))
    }
}

fn open(key: &LessSafeKey, counter: u64, header: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    let mut message = sealed.to_vec();
    let length = key
        .open_in_place(nonce(counter), Aad::from(header), &mut message)
        .ok()?
        .len();
    message.truncate(length);
    Some(message)
}

fn nonce(counter: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    if let Some(tail) = bytes.last_chunk_mut::<8>() {
        *tail = counter.to_be_bytes();
    }
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SeededEntropy;

    fn sealer(cluster: &str, keys: &[[u8; 32]], seed: u64) -> Sealer {
        Sealer::new(cluster.into(), keys, &SeededEntropy::new(seed)).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_with_a_key_of_the_ring() {
        let sender = sealer("blue", &[[1; 32]], 1);
        for keys in [
            vec![[1; 32]],
            vec![[1; 32], [2; 32]],
            vec![[2; 32], [1; 32]],
        ] {
            let mut receiver = sealer("blue", &keys, 2);
            for message in [b"".as_slice(), b"hello", &[7; 1100]] {
                let datagram = sender.seal(message).unwrap();
                assert_eq!(datagram.len(), message.len() + OVERHEAD);
                assert_eq!(
                    receiver.open(&datagram).unwrap(),
                    (sender.salt, message.to_vec())
                );
            }
        }
    }

    #[test]
    fn nothing_else_opens() {
        let sender = sealer("blue", &[[1; 32]], 1);
        let datagram = sender.seal(b"hello").unwrap();
        assert!(sealer("blue", &[[2; 32]], 2).open(&datagram).is_none());
        assert!(sealer("green", &[[1; 32]], 2).open(&datagram).is_none());
        let mut receiver = sealer("blue", &[[1; 32]], 2);
        for at in 0..datagram.len() {
            let mut touched = datagram.clone();
            touched[at] ^= 1;
            assert!(receiver.open(&touched).is_none(), "byte {at}");
            assert!(receiver.open(&datagram[..at]).is_none());
        }
        assert!(receiver.senders.is_empty());
        assert!(receiver.open(&datagram).is_some());
        for at in 0..datagram.len() {
            let mut touched = datagram.clone();
            touched[at] ^= 1;
            assert!(receiver.open(&touched).is_none(), "byte {at}, sender known");
        }
        assert!(Sealer::new("blue".into(), &[], &SeededEntropy::new(1)).is_none());
    }

    #[test]
    fn equal_messages_look_different_also_after_a_restart() {
        let (one, restarted) = (sealer("blue", &[[1; 32]], 1), sealer("blue", &[[1; 32]], 2));
        let all = [one.seal(b"x"), one.seal(b"x"), restarted.seal(b"x")];
        let bodies: Vec<_> = all.iter().flatten().map(|d| &d[HEADER..]).collect();
        assert!(bodies[0] != bodies[1] && bodies[0] != bodies[2] && bodies[1] != bodies[2]);
    }
}
