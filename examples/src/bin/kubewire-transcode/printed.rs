//! Protobuf as text: hexadecimal, and base64 as etcdctl prints it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::error::{Broken, Error};

/// Hexadecimal and base64 of `k8s\0`; the last digit of the latter also belongs to the next byte.
const MAGIC_HEX: &[u8] = b"6b387300";
const MAGIC_BASE64: &[u8] = b"azhzA";

/// True where the text stands for an object in its envelope.
pub(crate) fn is_envelope(text: &[u8]) -> bool {
    let hex = |byte: &u8| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace();
    (text.to_ascii_lowercase().starts_with(MAGIC_HEX) && text.iter().all(hex)) || is_base64_envelope(text)
}

fn is_base64_envelope(text: &[u8]) -> bool {
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || byte.is_ascii_whitespace() || b"+/=".contains(byte);
    text.starts_with(MAGIC_BASE64) && text.iter().all(base64)
}

/// The bytes that a text stands for; white space is skipped.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, Error> {
    if is_base64_envelope(text.trim_ascii()) {
        return decode_base64(text);
    }
    let mut bytes = Vec::with_capacity(text.len() / 2);
    let mut high = None;
    for (offset, byte) in text.iter().enumerate().filter(|(_, byte)| !byte.is_ascii_whitespace()) {
        let Some(digit) = char::from(*byte).to_digit(16) else {
            return Err(broken(
                offset,
                format!("{:?} is no hexadecimal digit", char::from(*byte)),
            ));
        };
        match high.take() {
            None => high = Some(digit),
            Some(high) => bytes.push((high << 4 | digit) as u8),
        }
    }
    match high {
        None => Ok(bytes),
        Some(_) => Err(broken(text.len(), "half a byte is missing".to_owned())),
    }
}

/// The bytes that base64 stands for.
pub(crate) fn decode_base64(text: &[u8]) -> Result<Vec<u8>, Error> {
    let digits: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(digits).map_err(|error| {
        let offset = match error {
            base64::DecodeError::InvalidByte(offset, _) | base64::DecodeError::InvalidLastSymbol(offset, _) => offset,
            _ => text.len(),
        };
        broken(offset, format!("base64: {error}"))
    })
}

/// The lower-case digits, on one line.
pub(crate) fn encode(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or(b'0');
    let mut text: Vec<u8> = bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect();
    text.push(b'\n');
    text
}

fn broken(offset: usize, reason: String) -> Error {
    Error::Broken(Broken {
        offset: Some(offset),
        reason,
        ..Broken::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn says_what_is_no_digit() {
        assert_eq!(
            decode(b"6b 38\n0x").unwrap_err().to_string(),
            "byte 7: 'x' is no hexadecimal digit"
        );
        assert_eq!(
            decode(b"6b3").unwrap_err().to_string(),
            "byte 3: half a byte is missing"
        );
    }

    proptest! {
        #[test]
        fn round_trips(mut bytes in proptest::collection::vec(any::<u8>(), 0..50)) {
            prop_assert_eq!(&decode(&encode(&bytes)).unwrap(), &bytes);
            bytes.splice(0..0, *b"k8s\0");
            prop_assert!(is_envelope(&encode(&bytes)));
            let base64 = STANDARD.encode(&bytes).into_bytes();
            prop_assert!(is_envelope(&base64));
            prop_assert_eq!(decode(&base64).unwrap(), bytes);
        }
    }
}
