//! Much data, written to one end of a stream and read at the other.

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// How much goes through in each direction.
const MUCH: usize = 100_000_000;

/// Writes, ends this direction, and tells what was written by length and checksum.
pub(crate) async fn write_much(mut writer: impl AsyncWrite + Unpin) -> (usize, u64) {
    let mut hasher = DefaultHasher::new();
    let block: Vec<u8> = (0..100_000_u32).map(|index| (index * 7 % 251) as u8).collect();
    for _ in 0..MUCH / block.len() {
        writer.write_all(&block).await.unwrap();
        hasher.write(&block);
    }
    writer.shutdown().await.unwrap();
    (MUCH, hasher.finish())
}

/// Reads until the other end has no more, and tells what came by length and checksum.
pub(crate) async fn read_all(mut reader: impl AsyncRead + Unpin) -> (usize, u64) {
    let (mut hasher, mut length) = (DefaultHasher::new(), 0);
    // In blocks as they were written, as the hash depends on where they end.
    let mut block = vec![0; 100_000];
    while length < MUCH {
        reader.read_exact(&mut block).await.unwrap();
        hasher.write(&block);
        length += block.len();
    }
    assert_eq!(reader.read(&mut block).await.unwrap(), 0);
    (length, hasher.finish())
}
