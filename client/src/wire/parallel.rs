//! Many objects at once.

use std::num::NonZeroUsize;
use std::thread;

use parking_lot::Mutex;

use super::{EncodedObject, WireError};
use crate::Object;

/// How many objects a thread takes at a time: fewer are not worth a thread.
const CHUNK: usize = 128;

/// Decodes objects on all cores, in their order; one that cannot be decoded does not disturb the others.
///
/// Blocks until all are decoded: in async code call it inside `spawn_blocking`. Few objects are decoded on the calling
/// thread.
///
/// ```
/// use k8s_openapi::api::core::v1::ConfigMap;
/// use kubewire_client::Object;
/// use kubewire_client::wire::{Encoding, decode_parallel};
/// let object = ConfigMap::default().encode(Encoding::Protobuf)?;
/// let decoded = decode_parallel::<ConfigMap>(&vec![object; 1000]);
/// assert!(decoded.len() == 1000 && decoded.iter().all(Result::is_ok));
/// # Ok::<(), kubewire_client::wire::WireError>(())
/// ```
pub fn decode_parallel<T: Object>(objects: &[EncodedObject]) -> Vec<Result<T, WireError>> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let threads = cores.min(objects.len() / CHUNK);
    if threads < 2 {
        return objects.iter().map(T::decode).collect();
    }
    let chunks = objects.len().div_ceil(CHUNK);
    let mut decoded: Vec<Vec<Result<T, WireError>>> = Vec::new();
    decoded.resize_with(chunks, Vec::new);
    let work = Mutex::new(objects.chunks(CHUNK).zip(&mut decoded));
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some((encoded, decoded)) = work.lock().next() else {
                        break;
                    };
                    *decoded = encoded.iter().map(T::decode).collect();
                }
            });
        }
    });
    decoded.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use k8s_openapi::api::core::v1::ConfigMap;

    use super::*;
    use crate::wire::Encoding;

    #[test]
    fn keeps_the_order_and_tells_what_is_broken() {
        let object = |number: usize| {
            let mut object = ConfigMap::default();
            object.metadata.name = Some(number.to_string());
            object.encode(Encoding::Protobuf).unwrap()
        };
        for count in [0, 1, CHUNK - 1, 2 * CHUNK, 10 * CHUNK + 7] {
            let mut objects: Vec<_> = (0..count).map(object).collect();
            let broken = count / 2;
            if let Some(object) = objects.get_mut(broken) {
                object.bytes = Bytes::from_static(b"\x0a");
            }
            let decoded = decode_parallel::<ConfigMap>(&objects);
            assert_eq!(decoded.len(), count);
            for (number, decoded) in decoded.into_iter().enumerate() {
                match decoded {
                    Ok(object) => assert_eq!(object.metadata.name.unwrap(), number.to_string()),
                    Err(_) => assert_eq!(number, broken),
                }
            }
        }
    }
}
