//! JSON → protobuf of the message that the first two bytes choose, and back.

#![no_main]

use kubewire_client::wire::transcode::{self, JsonDocument};
use kubewire_fuzz::{bounded, message, same};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((schema, text)) = message(input) else { return };
    bounded(input, || {
        let document = match JsonDocument::parse(text) {
            Ok(document) => document,
            Err(error) => return assert!(error.offset().is_some_and(|offset| offset <= text.len()), "{error}"),
        };
        let mut untyped = Vec::new();
        transcode::write_untyped_json(&document.untyped().0, &mut untyped);
        JsonDocument::parse(&untyped).expect("our own JSON");

        let direct = transcode::json_to_protobuf(schema, text);
        let Ok((value, problems)) = document.typed(schema) else {
            return assert!(direct.is_err());
        };
        if schema.json_only {
            return;
        }
        let protobuf = match transcode::value_to_protobuf(schema, &value) {
            Ok(protobuf) => protobuf,
            Err(error) => return assert!(error.to_string().contains("nest too deeply"), "{error}"),
        };
        let read = transcode::protobuf_to_value(schema, &protobuf).expect("our own protobuf");
        let (direct, found) = direct.expect("the same by the other way");
        assert_eq!(found, problems);
        let direct = transcode::protobuf_to_value(schema, &direct).expect("our own protobuf");
        assert!(same(&direct, &read), "{direct}\n{read}");
        // Nil and empty lists are the same in protobuf; the second time nothing changes.
        let again = transcode::value_to_protobuf(schema, &read).expect("what can be read can be written");
        assert_eq!(again, protobuf);
    });
});
