//! Envelopes, and whole objects in them: what can be read can be written, and is then the same.

#![no_main]

use bytes::Bytes;
use kubewire_client::wire::transcode::{decode_object, encode_object, json_to_object, object_to_json};
use kubewire_client::wire::{Encoding, Envelope};
use kubewire_fuzz::{bounded, same};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let bytes = Bytes::copy_from_slice(input);
    bounded(input, || {
        let Ok(envelope) = Envelope::decode(&bytes) else { return };
        assert_eq!(Envelope::decode(&envelope.encode()).unwrap(), envelope);
        match decode_object(&bytes) {
            Ok(value) if envelope.object.encoding == Encoding::Protobuf => {
                let again = encode_object(&value).expect("an object that was read");
                let read = decode_object(&again).expect("an object that was written");
                assert!(same(&read, &value), "{read}\n{value}");
                let json = object_to_json(&bytes).expect("what can be read can be shown");
                let Ok((again, _)) = json_to_object(&json) else { return }; // raw JSON nests too deeply
                let read = decode_object(&again).expect("an object that was written");
                assert!(same(&read, &value), "{read}\n{value}");
            }
            Ok(_) => {}
            Err(error) => assert!(error.offset().is_none_or(|offset| offset <= input.len()), "{error}"),
        }
    });
});
