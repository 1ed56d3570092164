//! Bytes, as JSON has them.

use std::fmt;

use ::bytes::Bytes;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Padding is written, and need not be read.
const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes in base64 (RFC 4648, section 4).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base64(pub Bytes);

impl Base64 {
    /// A copy of these bytes.
    pub fn copy(bytes: &[u8]) -> Base64 {
        Base64(Bytes::copy_from_slice(bytes))
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&ENGINE.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Base64, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Base64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes in base64 (RFC 4648)")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Base64, E> {
        let bytes = ENGINE.decode(text);
        bytes
            .map(|bytes| Base64(bytes.into()))
            .map_err(|_| E::custom("expected bytes in base64 (RFC 4648)"))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Base64 {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Base64".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "contentEncoding": "base64",
            "description": "Bytes in base64 (RFC 4648, section 4); padding may be left out."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_with_and_without_padding_and_nothing_else_is_taken() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", &[0xff, 0xfe, 0xfb]] {
            let written = serde_json::to_string(&Base64::copy(bytes)).unwrap();
            assert_eq!(serde_json::from_str::<Base64>(&written).unwrap().0, bytes);
            let bare = written.replace('=', "");
            assert_eq!(serde_json::from_str::<Base64>(&bare).unwrap().0, bytes);
        }
        for text in ["\"=\"", "\"Zg \"", "\"Z\"", "\"Zh==\"", "\"-_-_\"", "7", "null", "[1]"] {
            assert!(serde_json::from_str::<Base64>(text).is_err(), "{text}");
        }
    }
}
