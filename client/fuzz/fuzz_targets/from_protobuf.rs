//! Protobuf → JSON of the message that the first two bytes choose, and back.

#![no_main]

use kubewire_client::wire::schema::Special;
use kubewire_client::wire::transcode;
use kubewire_fuzz::{bounded, message, same};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some((schema, protobuf)) = message(input) else {
        return;
    };
    bounded(input, || {
        let json = transcode::protobuf_to_json(schema, protobuf);
        let value = match transcode::protobuf_to_value(schema, protobuf) {
            Ok(value) => value,
            Err(error) => {
                assert!(error.offset().is_none_or(|offset| offset <= protobuf.len()), "{error}");
                return assert!(json.is_err(), "{error}");
            }
        };
        let json = json.expect("what can be read can be shown");
        if schema.special == Some(Special::GroupVersion) {
            return; // two texts with a slash between them, whatever is in them
        }
        match transcode::json_to_value(schema, &json) {
            Ok((read, problems)) => assert!(
                problems.is_empty() && same(&read, &value),
                "{problems:?} {read}\n{value}"
            ),
            // Raw JSON may nest as deeply as a document.
            Err(error) => assert!(error.to_string().contains("exceeded max depth"), "{error}"),
        }
        if !schema.json_only {
            let written = transcode::value_to_protobuf(schema, &value).expect("what can be read can be written");
            let read = transcode::protobuf_to_value(schema, &written).expect("our own protobuf");
            assert!(same(&read, &value), "{read}\n{value}");
        }
    });
});
