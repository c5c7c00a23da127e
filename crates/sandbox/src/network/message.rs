//! Messages about names: what is asked, and what is answered. Pure; the wire format is a library's.

use std::{net::Ipv4Addr, time::Duration};

use simple_dns::{
    CLASS, OPCODE, Packet, PacketFlag, QCLASS, QTYPE, RCODE, TYPE,
    rdata::{OPT, RData},
};

/// The longest message that is read or written over a connection, in bytes.
pub(super) const MESSAGE_BYTES_MAX: usize = 16 << 10;

/// The longest datagram that is sent to a name server or read from one, in bytes.
pub(super) const DATAGRAM_BYTES_MAX: usize = 1232;

/// The longest datagram for somebody who does not say that a longer one is read.
const DATAGRAM_BYTES_PLAIN: u16 = 512;

/// The most records of one section that are looked at.
const RECORDS_MAX: u16 = 256;

const HEADER: usize = 12;

/// A question that makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Question {
    id: u16,
    /// In small letters, without a dot at its end.
    pub(super) name: String,
    kind: u16,
    /// The longest datagram that the asker reads.
    pub(super) datagram_max: usize,
    wants_recursion: bool,
}

/// What becomes of a message from inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is looked at.
    Question(Question),
    /// It gets this answer.
    Answer(Vec<u8>),
    /// It gets none.
    Noise,
}

/// An address that an answer names, and for how long it may be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) address: Ipv4Addr,
    pub(super) ttl: Duration,
}

/// What a name server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It is an answer to the question.
    Answer {
        /// What may be given to the asker.
        answer: Vec<u8>,
        found: Vec<Found>,
        /// How many addresses were left out because nobody reaches them.
        left_out: usize,
    },
    /// It does not fit a datagram.
    TooLong,
    /// It is none.
    Noise,
}

/// How many records the sections of a message have; `None` if it is none.
fn counts(message: &[u8]) -> Option<[u16; 4]> {
    let mut counts = [0; 4];
    for (count, at) in counts.iter_mut().zip((4..HEADER).step_by(2)) {
        let bytes = message.get(at..at + 2)?.try_into().ok()?;
        *count = u16::from_be_bytes(bytes);
    }
    Some(counts)
}

/// Reads a message from inside.
pub(super) fn read(message: &[u8]) -> Asked {
    let Some([questions, answers, authorities, more]) = counts(message) else {
        return Asked::Noise;
    };
    if (questions, answers, authorities) != (1, 0, 0) || more > 2 {
        return Asked::Noise;
    }
    let Ok(packet) = Packet::parse(message) else {
        return Asked::Noise;
    };
    let Some(question) = packet.questions.first() else {
        return Asked::Noise;
    };
    if packet.has_flags(PacketFlag::RESPONSE) {
        return Asked::Noise;
    }
    let kind = match question.qtype {
        QTYPE::TYPE(kind) => Some(u16::from(kind)),
        _ => None,
    };
    let is_plain = packet.opcode() == OPCODE::StandardQuery
        && matches!(question.qclass, QCLASS::CLASS(CLASS::IN));
    let size = packet
        .opt()
        .map_or(DATAGRAM_BYTES_PLAIN, |o| o.udp_packet_size);
    let size = usize::from(size.max(DATAGRAM_BYTES_PLAIN)).min(DATAGRAM_BYTES_MAX);
    match (plain_name(&question.qname), kind, is_plain) {
        (Some(name), Some(kind), true) => Asked::Question(Question {
            id: packet.id(),
            name,
            kind,
            datagram_max: size,
            wants_recursion: packet.has_flags(PacketFlag::RECURSION_DESIRED),
        }),
        (None, _, true) => reply(&packet, RCODE::Refused),
        _ => reply(&packet, RCODE::NotImplemented),
    }
}

fn reply(packet: &Packet<'_>, code: RCODE) -> Asked {
    let mut reply = Packet::new_reply(packet.id());
    reply.questions.clone_from(&packet.questions);
    reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
    *reply.rcode_mut() = code;
    reply.build_bytes_vec().map_or(Asked::Noise, Asked::Answer)
}

/// A host name in small letters. Names with anything else in a label are none: a dot in one would make two names alike.
fn plain_name(name: &simple_dns::Name<'_>) -> Option<String> {
    let fits = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_';
    let mut text = String::new();
    for label in name.as_bytes() {
        let plain = !label.is_empty() && label.iter().all(fits);
        let label = std::str::from_utf8(label).ok().filter(|_| plain)?;
        if !text.is_empty() {
            text.push('.');
        }
        text.push_str(label);
    }
    text.make_ascii_lowercase();
    (!text.is_empty()).then_some(text)
}

impl Question {
    /// Whether it asks for addresses that nothing here can reach: those of IPv6.
    pub(super) fn is_for_other_addresses(&self) -> bool {
        self.kind == u16::from(TYPE::AAAA)
    }

    fn packet(&self, mut packet: Packet<'static>) -> Option<Vec<u8>> {
        let name = simple_dns::Name::new(&self.name).ok()?.into_owned();
        let kind = QTYPE::TYPE(TYPE::from(self.kind));
        let class = QCLASS::CLASS(CLASS::IN);
        packet.questions = vec![simple_dns::Question::new(name, kind, class, false)];
        packet.build_bytes_vec_compressed().ok()
    }

    fn reply(&self) -> Packet<'static> {
        let mut reply = Packet::new_reply(self.id);
        reply.set_flags(PacketFlag::RECURSION_AVAILABLE);
        if self.wants_recursion {
            reply.set_flags(PacketFlag::RECURSION_DESIRED);
        }
        reply
    }

    /// The answer that there is nothing of the kind.
    pub(super) fn nothing(&self) -> Option<Vec<u8>> {
        self.packet(self.reply())
    }

    /// The answer that it is not on the list.
    pub(super) fn refused(&self) -> Option<Vec<u8>> {
        self.code(RCODE::Refused)
    }

    /// The answer that no name server helps.
    pub(super) fn failed(&self) -> Option<Vec<u8>> {
        self.code(RCODE::ServerFailure)
    }

    fn code(&self, code: RCODE) -> Option<Vec<u8>> {
        let mut reply = self.reply();
        *reply.rcode_mut() = code;
        self.packet(reply)
    }

    /// The answer that it must be asked over a connection.
    pub(super) fn too_long(&self) -> Option<Vec<u8>> {
        let mut reply = self.reply();
        reply.set_flags(PacketFlag::TRUNCATION);
        self.packet(reply)
    }

    /// The same question for a name server.
    pub(super) fn forward(&self, id: u16) -> Option<Vec<u8>> {
        let mut query = Packet::new_query(id);
        query.set_flags(PacketFlag::RECURSION_DESIRED);
        *query.opt_mut() = Some(OPT {
            opt_codes: Vec::new(),
            udp_packet_size: u16::try_from(DATAGRAM_BYTES_MAX).unwrap_or(DATAGRAM_BYTES_PLAIN),
            version: 0,
        });
        self.packet(query)
    }

    /// Reads what a name server said to [`forward`](Self::forward) with this id. Of the answer remain the records of its
    /// first section, but for addresses that `is_forbidden` knows.
    pub(super) fn hear(
        &self,
        id: u16,
        message: &[u8],
        is_forbidden: impl Fn(Ipv4Addr) -> bool,
    ) -> Said {
        if counts(message).is_none_or(|c| c.iter().any(|n| *n > RECORDS_MAX)) {
            return Said::Noise;
        }
        let Ok(packet) = Packet::parse(message) else {
            return Said::Noise;
        };
        let echoes = match packet.questions.as_slice() {
            [one] => {
                plain_name(&one.qname).as_ref() == Some(&self.name)
                    && one.qtype == QTYPE::TYPE(TYPE::from(self.kind))
            }
            _ => false,
        };
        if packet.id() != id || !packet.has_flags(PacketFlag::RESPONSE) || !echoes {
            return Said::Noise;
        }
        if packet.has_flags(PacketFlag::TRUNCATION) {
            return Said::TooLong;
        }
        let mut reply = self.reply();
        *reply.rcode_mut() = packet.rcode();
        let (mut found, mut left_out) = (Vec::new(), 0);
        for record in packet.answers {
            if let RData::A(a) = &record.rdata {
                let address = Ipv4Addr::from_bits(a.address);
                if is_forbidden(address) {
                    left_out += 1;
                    continue;
                }
                found.push(Found {
                    address,
                    ttl: Duration::from_secs(record.ttl.into()),
                });
            }
            // Hints in other kinds of records are addresses as well: they lead nowhere, for they are in no set.
            reply.answers.push(record.into_owned());
        }
        match self.packet(reply) {
            Some(answer) => Said::Answer {
                answer,
                found,
                left_out,
            },
            None => Said::Noise,
        }
    }
}

#[cfg(test)]
mod tests {
    use simple_dns::{Label, Name, ResourceRecord, rdata::A};

    use super::*;

    fn query(name: Name<'_>, kind: TYPE) -> Vec<u8> {
        let mut packet = Packet::new_query(7);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(simple_dns::Question::new(
            name,
            kind.into(),
            CLASS::IN.into(),
            false,
        ));
        packet.build_bytes_vec().unwrap()
    }

    fn question(name: &str, kind: TYPE) -> Question {
        match read(&query(Name::new(name).unwrap(), kind)) {
            Asked::Question(question) => question,
            other => panic!("{other:?}"),
        }
    }

    fn said(question: &Question, id: u16, addresses: &[[u8; 4]]) -> Vec<u8> {
        let forward = question.forward(id).unwrap();
        let mut packet = Packet::parse(&forward).unwrap().into_reply();
        let record = |octets: &[u8; 4]| {
            let address = u32::from_be_bytes(*octets);
            let name = Name::new("elsewhere.example").unwrap();
            ResourceRecord::new(name, CLASS::IN, 30, RData::A(A { address }))
        };
        packet.answers = addresses.iter().map(record).collect();
        packet.build_bytes_vec_compressed().unwrap()
    }

    #[test]
    fn a_name_is_read_in_small_letters_and_a_strange_one_is_refused() {
        assert_eq!(question("API.Example.COM", TYPE::A).name, "api.example.com");
        assert!(question("a.example", TYPE::AAAA).is_for_other_addresses());
        // One label with a dot in it looks like two.
        let label = Label::new(b"api.example".as_slice()).unwrap();
        let name = Name::new_with_labels(&[label, Label::new(b"com".as_slice()).unwrap()]);
        let Asked::Answer(answer) = read(&query(name, TYPE::A)) else {
            panic!("not refused");
        };
        assert_eq!(Packet::parse(&answer).unwrap().rcode(), RCODE::Refused);
    }

    #[test]
    fn what_is_no_single_question_gets_no_answer() {
        let good = query(Name::new("a.example").unwrap(), TYPE::A);
        let mut many = good.clone();
        many[7] = 200;
        let mut response = good.clone();
        response[2] |= 0x80;
        for bad in [&[][..], &good[..11], &good[..20], &many, &response] {
            assert_eq!(read(bad), Asked::Noise, "{bad:?}");
        }
    }

    #[test]
    fn forbidden_addresses_are_left_out_of_an_answer() {
        let question = question("a.example", TYPE::A);
        let message = said(
            &question,
            9,
            &[[10, 0, 0, 1], [169, 254, 169, 254], [10, 0, 0, 2]],
        );
        let forbidden = |a: Ipv4Addr| a.is_link_local();
        let Said::Answer {
            answer,
            found,
            left_out,
        } = question.hear(9, &message, forbidden)
        else {
            panic!("no answer");
        };
        let answer = Packet::parse(&answer).unwrap();
        assert_eq!((answer.id(), answer.answers.len(), left_out), (7, 2, 1));
        let addresses: Vec<Ipv4Addr> = found.iter().map(|f| f.address).collect();
        assert_eq!(
            addresses,
            [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)]
        );
        assert_eq!(found[0].ttl, Duration::from_secs(30));
    }

    #[test]
    fn an_answer_to_something_else_is_noise() {
        let question = question("a.example", TYPE::A);
        let other = self::question("b.example", TYPE::A);
        let message = said(&question, 9, &[[10, 0, 0, 1]]);
        assert_eq!(question.hear(8, &message, |_| false), Said::Noise);
        assert_eq!(other.hear(9, &message, |_| false), Said::Noise);
        let mut cut = message.clone();
        cut[2] |= 0x02;
        assert_eq!(question.hear(9, &cut, |_| false), Said::TooLong);
        assert_eq!(question.hear(9, &message[..20], |_| false), Said::Noise);
    }
}
