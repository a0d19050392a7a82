//! The two bytes in front of an input that choose its message.

/// Two bytes that stand for a name, by FNV-1a.
pub fn choice(name: &str) -> [u8; 2] {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    ((hash >> 16) as u16 ^ hash as u16).to_le_bytes()
}
