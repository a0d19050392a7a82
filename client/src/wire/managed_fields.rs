//! Leaves out `metadata.managedFields`, which is often half of an object and rarely of use to a controller.

use bytes::{BufMut, Bytes, BytesMut};

use super::{Reader, Value, WireError};

/// `metadata` in every object, `managedFields` in `ObjectMeta`.
const METADATA: u32 = 1;
const MANAGED_FIELDS: u32 = 17;

/// A protobuf object without its managed fields: the bytes themselves where it has none, else a copy.
///
/// Works on the message without envelope, and never decodes what it copies.
///
/// ```
/// use kubewire_client::wire::drop_managed_fields;
/// use kubewire_client::wire::Message;
/// use k8s_openapi::api::core::v1::ConfigMap;
/// let mut object = ConfigMap::default();
/// object.metadata.managed_fields = Some(vec![Default::default()]);
/// let bytes = drop_managed_fields(&object.to_protobuf())?;
/// assert_eq!(ConfigMap::from_protobuf(&bytes)?, ConfigMap::default());
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn drop_managed_fields(object: &Bytes) -> Result<Bytes, WireError> {
    let mut reader = Reader::new(object);
    loop {
        let before = reader.offset();
        let Some(field) = reader.next_field()? else {
            return Ok(object.clone());
        };
        if let (METADATA, Value::Bytes(metadata)) = (field.number, field.value) {
            let Some(kept) = without_managed_fields(metadata)? else {
                return Ok(object.clone());
            };
            let mut copy = BytesMut::with_capacity(object.len());
            copy.put(object.get(..before).unwrap_or_default());
            prost::encoding::encode_varint(u64::from(METADATA << 3 | 2), &mut copy);
            prost::encoding::encode_varint(kept.iter().map(|part| part.len() as u64).sum(), &mut copy);
            kept.iter().for_each(|part| copy.put(*part));
            copy.put(object.get(reader.offset()..).unwrap_or_default());
            return Ok(copy.freeze());
        }
    }
}

/// The stretches of `ObjectMeta` around the managed fields, `None` where there are none.
fn without_managed_fields(metadata: &[u8]) -> Result<Option<Vec<&[u8]>>, WireError> {
    let mut kept = Vec::new();
    let (mut start, mut found) = (0, false);
    let mut reader = Reader::new(metadata);
    loop {
        let before = reader.offset();
        let Some(field) = reader.next_field()? else { break };
        if field.number == MANAGED_FIELDS {
            found = true;
            kept.push(metadata.get(start..before).unwrap_or_default());
            start = reader.offset();
        }
    }
    kept.push(metadata.get(start..).unwrap_or_default());
    Ok(found.then_some(kept))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Message;
    use k8s_openapi::api::core::v1::Pod;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
    use proptest::prelude::*;

    fn pod(managers: usize) -> Pod {
        let mut pod = Pod::default();
        pod.metadata.name = Some("a".to_owned());
        pod.metadata.finalizers = Some(vec!["f".to_owned()]);
        let manager = ManagedFieldsEntry {
            manager: Some("m".to_owned()),
            ..Default::default()
        };
        pod.metadata.managed_fields = (managers > 0).then(|| vec![manager; managers]);
        pod.spec = Some(Default::default());
        pod
    }

    #[test]
    fn leaves_out_only_managed_fields() {
        let expected = Pod::from_protobuf(&pod(0).to_protobuf()).unwrap();
        for managers in [1, 3] {
            let bytes = drop_managed_fields(&pod(managers).to_protobuf()).unwrap();
            assert_eq!(Pod::from_protobuf(&bytes).unwrap(), expected);
        }
    }

    #[test]
    fn shares_what_has_none() {
        let bytes = pod(0).to_protobuf();
        assert_eq!(drop_managed_fields(&bytes).unwrap().as_ptr(), bytes.as_ptr());
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = drop_managed_fields(&bytes.into());
        }
    }
}
