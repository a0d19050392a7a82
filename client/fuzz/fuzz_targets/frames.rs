//! Watch streams: the same events whatever the chunks. The first two bytes choose the encoding and the chunks.

#![no_main]

use bytes::Bytes;
use kubewire_client::wire::{EncodedEvent, Encoding, WatchDecoder};
use kubewire_fuzz::bounded;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some(([encoding, chunk], stream)) = input.split_first_chunk::<2>() else {
        return;
    };
    let encoding = if encoding % 2 == 0 {
        Encoding::Protobuf
    } else {
        Encoding::Json
    };
    bounded(input, || {
        let whole = events(encoding, stream, stream.len().max(1));
        let cut = events(encoding, stream, usize::from(*chunk).max(1));
        assert_eq!(whole, cut);
    });
});

/// The events, and how the stream ended.
fn events(encoding: Encoding, stream: &[u8], chunk: usize) -> (Vec<EncodedEvent>, bool) {
    let mut decoder = WatchDecoder::new(encoding);
    let mut events = Vec::new();
    for chunk in stream.chunks(chunk) {
        decoder.push(Bytes::copy_from_slice(chunk));
        loop {
            match decoder.next_event() {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(_) => return (events, false),
            }
        }
    }
    (events, decoder.finish().is_ok())
}
