//! Whether bytes are JSON all through. The tokenizer library panics on some that are not, where it looks at a part twice.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// Checks syntax, encoding, numbers and the depth of nesting; nothing is kept.
pub(super) fn check(bytes: &[u8]) -> Result<(), serde_json::Error> {
    serde_json::from_slice::<Any>(bytes).map(drop)
}

/// Any value. Unlike `IgnoredAny` it reads what it ignores.
struct Any;

impl<'de> Deserialize<'de> for Any {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Any {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Self, A::Error> {
        while values.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self, A::Error> {
        while entries.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn what_is_not_json_is_found_at_any_depth() {
        for fine in [r#"{"a": [1, -2, 3.5, null, true, "é", {}], "b": {"c": []}}"#, "0"] {
            assert!(check(fine.as_bytes()).is_ok(), "{fine}");
        }
        for broken in [r#"{"a": [{{"b": 1}]}"#, r#"{"a": [1e999]}"#, "[1", "", "{\"a\": tru}"] {
            assert!(check(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(check(b"[\"\xff\"]").is_err());
        assert!(check(&[b'['; 10_000]).is_err());
    }
}
