//! Bodies compressed with a dictionary of what their kind has in common.

use std::sync::Arc;

use bytes::Bytes;
use kubewire_client::wire::WireError;
use parking_lot::Mutex;
use zstd::bulk::{Compressor, Decompressor};

/// How many objects the dictionary is made of.
const SAMPLES: usize = 200;
/// The size of the dictionary.
const DICTIONARY: usize = 64 << 10;
/// zstd's compression level: with a dictionary, higher ones gain little.
const LEVEL: i32 = 3;

/// Compresses the bodies of one store. The first objects that it sees are samples and stay as they are; with the last
/// of them it makes the dictionary, which takes some tenths of a second.
pub(crate) struct Packer(Mutex<Training>);

enum Training {
    Collecting(Vec<Box<[u8]>>),
    Done(Arc<Dictionary>),
    /// The samples are too small or too different for a dictionary: nothing is compressed.
    Useless,
}

struct Dictionary {
    compressor: Mutex<Compressor<'static>>,
    decompressor: Mutex<Decompressor<'static>>,
}

/// A compressed body.
pub(super) struct Packed {
    bytes: Box<[u8]>,
    length: u32,
    dictionary: Arc<Dictionary>,
}

impl Packer {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Training::Collecting(Vec::new())))
    }

    /// The compressed body; `None` where it is to stay as it is.
    pub(super) fn pack(&self, body: &[u8]) -> Option<Packed> {
        let mut training = self.0.lock();
        match &mut *training {
            Training::Collecting(samples) => {
                samples.push(body.into());
                if samples.len() >= SAMPLES {
                    *training = Dictionary::train(samples).map_or(Training::Useless, Training::Done);
                }
                None
            }
            Training::Useless => None,
            Training::Done(dictionary) => {
                let bytes = dictionary.compressor.lock().compress(body).ok()?;
                Some(Packed {
                    bytes: bytes.into(),
                    length: u32::try_from(body.len()).ok()?,
                    dictionary: dictionary.clone(),
                })
            }
        }
    }
}

impl Dictionary {
    fn train(samples: &[Box<[u8]>]) -> Option<Arc<Self>> {
        let dictionary = zstd::dict::from_samples(samples, DICTIONARY).ok()?;
        Some(Arc::new(Self {
            compressor: Mutex::new(Compressor::with_dictionary(LEVEL, &dictionary).ok()?),
            decompressor: Mutex::new(Decompressor::with_dictionary(&dictionary).ok()?),
        }))
    }
}

impl Packed {
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn open(&self) -> Result<Bytes, WireError> {
        let mut decompressor = self.dictionary.decompressor.lock();
        let body = decompressor.decompress(&self.bytes, self.length as usize);
        body.map(Bytes::from).map_err(|error| WireError::Value {
            path: String::new(),
            reason: format!("decompress: {error}"),
        })
    }
}
