//! What is read and changed without decoding the object.

#![no_main]

use bytes::Bytes;
use kubewire_client::wire::{
    EncodedList, EncodedObject, Encoding, ObjectHeader, drop_managed_fields, with_resource_version,
};
use kubewire_fuzz::bounded;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let bytes = Bytes::copy_from_slice(input);
    bounded(input, || {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let object = EncodedObject {
                encoding,
                bytes: bytes.clone(),
            };
            let header = ObjectHeader::parse(&object);
            if let Ok(list) = EncodedList::parse(&object) {
                for item in &list.items {
                    let _ = ObjectHeader::parse(item);
                }
            }
            if encoding == Encoding::Json {
                continue;
            }
            let dropped = drop_managed_fields(&bytes);
            if let (Ok(header), Ok(dropped)) = (&header, dropped) {
                assert!(dropped.len() <= bytes.len());
                let object = EncodedObject {
                    encoding,
                    bytes: dropped,
                };
                assert_eq!(&ObjectHeader::parse(&object).expect("the same header"), header);
            }
            if let (Ok(mut header), Ok(changed)) = (header, with_resource_version(&bytes, "4711")) {
                let object = EncodedObject {
                    encoding,
                    bytes: changed,
                };
                header.resource_version = "4711".into();
                assert_eq!(ObjectHeader::parse(&object).expect("the same header"), header);
            }
        }
    });
});
