//! Bytes as text: standard base64 with padding.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

const ENGINE: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

pub(super) fn encode(bytes: &[u8]) -> String {
    ENGINE.encode(bytes)
}

/// Reads base64, line breaks ignored. The error is in the words of the API server.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let joined = text.replace(['\r', '\n'], "");
    ENGINE
        .decode(&joined)
        .map_err(|_| format!("illegal base64 data at input byte {}", bad_byte(text)))
}

/// Where Go's decoder stops: at the first byte that cannot be, or at the beginning of a group that is cut off.
fn bad_byte(text: &str) -> usize {
    let mut group_start = 0;
    let mut in_group = 0;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\r' | b'\n' => continue,
            b'=' if in_group >= 2 => in_group += 1,
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => in_group += 1,
            _ => return at,
        }
        if in_group == 4 {
            in_group = 0;
            group_start = at + 1;
        }
    }
    group_start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_go_does() {
        assert_eq!(decode("A\nA==").unwrap(), [0]);
        assert_eq!(decode("AB==").unwrap(), [0], "surplus bits are ignored");
        for (text, byte) in [("AA", 0), ("_-8=", 0), ("***", 0), ("AAAAAA", 4), ("AAAA*", 4)] {
            assert_eq!(
                decode(text).unwrap_err(),
                format!("illegal base64 data at input byte {byte}"),
                "{text}"
            );
        }
    }
}
