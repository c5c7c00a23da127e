//! Members that the API knows and this cluster does not implement.

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

/// Whether a member asks for anything. Nothing of it is kept, however large it is.
///
/// Null, false, the empty text, the empty list, and an object whose members all ask for nothing ask for nothing:
/// clients send `"VpcConfig": {}` and `"DeadLetterConfig": {"TargetArn": ""}` for functions that have neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Unsupported {
    asks: bool,
}

impl Unsupported {
    /// Whether the member asks for anything.
    pub(crate) const fn asks(self) -> bool {
        self.asks
    }
}

impl<'de> Deserialize<'de> for Unsupported {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Look)
    }
}

struct Look;

impl<'de> Visitor<'de> for Look {
    type Value = Unsupported;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Unsupported, E> {
        Ok(Unsupported { asks: false })
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Unsupported, E> {
        Ok(Unsupported { asks: value })
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Unsupported, E> {
        Ok(Unsupported { asks: true })
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Unsupported, E> {
        Ok(Unsupported { asks: true })
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Unsupported, E> {
        Ok(Unsupported { asks: true })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Unsupported, E> {
        Ok(Unsupported {
            asks: !text.is_empty(),
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unsupported, A::Error> {
        let mut asks = false;
        while list.next_element::<IgnoredAny>()?.is_some() {
            asks = true;
        }
        Ok(Unsupported { asks })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Unsupported, A::Error> {
        let mut asks = false;
        while let Some((_, member)) = object.next_entry::<IgnoredAny, Unsupported>()? {
            asks |= member.asks;
        }
        Ok(Unsupported { asks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_something() {
        for (json, asks) in [
            ("null", false),
            ("false", false),
            ("\"\"", false),
            ("[]", false),
            ("{}", false),
            ("{\"TargetArn\":\"\"}", false),
            (
                "{\"SubnetIds\":[],\"SecurityGroupIds\":[],\"Ipv6AllowedForDualStack\":false}",
                false,
            ),
            ("true", true),
            ("0", true),
            ("-1", true),
            ("1.5", true),
            ("\"x\"", true),
            ("[\"\"]", true),
            ("{\"a\":{\"b\":[1]}}", true),
        ] {
            assert_eq!(
                serde_json::from_str::<Unsupported>(json).unwrap().asks,
                asks,
                "{json}"
            );
        }
    }
}
