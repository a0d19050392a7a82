//! The wire codec: Kubernetes protobuf and JSON, with or without Rust types for the objects.
//!
//! The wire stays bytes as long as possible: a list response is cut into item slices without decoding
//! ([`EncodedList`]), a watch frame carries one object's bytes, and metadata is read without decoding the rest
//! ([`ObjectHeader`]). Reading never panics and never allocates more than the input allows.

#[macro_use]
pub(crate) mod shapes;

mod check;
mod encoded;
pub mod envelope;
mod error;
mod frame;
mod generated;
mod header;
mod indent;
mod list;
mod list_stream;
mod managed_fields;
mod message;
mod parallel;
mod pending;
mod quantity;
mod raw_json;
mod reader;
mod scan;
pub mod schema;
mod special;
pub mod transcode;
mod version;
mod writer;

pub use check::{StructureChecker, check_structure};
pub use encoded::{EncodedObject, Encoding};
pub use envelope::Envelope;
pub use error::{DecodeError, WireError};
pub use frame::{EncodedEvent, WatchDecoder};
pub use header::{ObjectHeader, owner_references};
pub use indent::indent_json;
pub use list::EncodedList;
pub use list_stream::ListDecoder;
pub use managed_fields::drop_managed_fields;
pub use message::{Depth, Message};
pub use parallel::decode_parallel;
pub use reader::{Field, Reader, Value};
pub use version::with_resource_version;
pub use writer::ReverseWriter;

use k8s_openapi::Resource;
use serde::de::DeserializeOwned;

use crate::resource::Gvk;

/// Reads an object of a type that has both encodings.
pub(crate) fn decode<T: Resource + Message + DeserializeOwned>(object: &EncodedObject) -> Result<T, WireError> {
    match object.encoding {
        Encoding::Protobuf => T::from_protobuf(&object.bytes),
        Encoding::Json => {
            serde_json::from_slice(&object.bytes).or_else(|error| decode_nulls(object).ok_or(error.into()))
        }
    }
}

/// The Rust types refuse `null` where Go writes it: for the time of a condition, for lists inside the `extra` maps of
/// reviews. By way of protobuf such a null is zero, as it is to every Go program.
#[cold]
fn decode_nulls<T: Resource + Message>(object: &EncodedObject) -> Option<T> {
    let schema = schema::kind(&Gvk::new(T::GROUP, T::VERSION, T::KIND))?.message;
    let (bytes, _) = transcode::json_to_protobuf(schema, &object.bytes).ok()?;
    T::from_protobuf(&bytes).ok()
}

/// Writes an object of a type that has both encodings.
pub(crate) fn encode<T: Message + serde::Serialize>(
    object: &T,
    encoding: Encoding,
) -> Result<EncodedObject, WireError> {
    let bytes = match encoding {
        Encoding::Protobuf => object.to_protobuf(),
        Encoding::Json => serde_json::to_vec(object)?.into(),
    };
    Ok(EncodedObject { encoding, bytes })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::authentication::v1::TokenReview;
    use k8s_openapi::api::authorization::v1::SubjectAccessReview;
    use k8s_openapi::api::certificates::v1::CertificateSigningRequest;
    use k8s_openapi::api::core::v1::Service;

    use super::*;

    fn read<T: crate::Object>(json: &'static str) -> T {
        assert!(serde_json::from_str::<T>(json).is_err(), "the type reads it by itself");
        let object = EncodedObject {
            encoding: Encoding::Json,
            bytes: json.as_bytes().into(),
        };
        T::decode(&object).unwrap()
    }

    #[test]
    fn a_condition_without_a_time() {
        let service: Service = read(
            r#"{"apiVersion":"v1","kind":"Service","status":{"conditions":[
                {"type":"A","status":"True","lastTransitionTime":null,"reason":"R","message":""}]}}"#,
        );
        let conditions = service.status.unwrap().conditions.unwrap();
        assert_eq!(conditions[0].last_transition_time, Message::zero());
        assert_eq!(conditions[0].reason, "R");
    }

    #[test]
    fn extra_without_a_list() {
        let extra = [("a".to_owned(), Vec::new()), ("b".to_owned(), vec!["c".to_owned()])];
        let extra = Some(std::collections::BTreeMap::from(extra));
        let review: TokenReview = read(r#"{"spec":{},"status":{"user":{"extra":{"a":null,"b":["c"]}}}}"#);
        assert_eq!(review.status.unwrap().user.unwrap().extra, extra);
        let review: SubjectAccessReview = read(r#"{"spec":{"extra":{"a":null,"b":["c"]}}}"#);
        assert_eq!(review.spec.extra, extra);
        let request: CertificateSigningRequest =
            read(r#"{"spec":{"request":"AA==","signerName":"s","extra":{"a":null,"b":["c"]}}}"#);
        assert_eq!(request.spec.extra, extra);
    }

    #[test]
    fn what_is_broken_stays_broken() {
        let object = EncodedObject {
            encoding: Encoding::Json,
            bytes: r#"{"spec":{"ports":{}}}"#.into(),
        };
        let error = <Service as crate::Object>::decode(&object).unwrap_err();
        assert!(matches!(error, WireError::Json(_)), "{error}");
    }
}
