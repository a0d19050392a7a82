//! Ports on nodes: a bitmap in storage says which are taken.

use std::ops::RangeInclusive;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use kubewire_client::wire::transcode;
use serde_json::{Value, json};

use crate::generic::clock::Ids;
use crate::status::ApiError;
use crate::storage::{Change, Expected, Storage, Swap};

const KEY: &str = "/registry/ranges/servicenodeports";

/// Which ports are taken.
#[derive(Debug)]
pub(super) struct Ports {
    range: RangeInclusive<u16>,
    /// A bit for each port, the lowest bit of the last byte for the first port.
    taken: Vec<u8>,
}

/// Changes which ports are taken; `change` is called again if somebody else was faster. With `dry_run` nothing is kept.
pub(super) async fn update<T>(
    storage: &Arc<dyn Storage>,
    range: &RangeInclusive<u16>,
    dry_run: bool,
    mut change: impl FnMut(&mut Ports) -> Result<T, ApiError> + Send,
) -> Result<T, ApiError> {
    loop {
        let kv = storage.get(KEY, None).await.map_err(ApiError::internal)?.kv;
        let mut ports = Ports::read(range, kv.as_ref().map(|kv| &kv.value));
        let before = ports.taken.clone();
        let result = change(&mut ports)?;
        if dry_run || ports.taken == before {
            return Ok(result);
        }
        let expected = kv.map_or(Expected::Absent, |kv| Expected::Revision(kv.mod_revision));
        let change = Change::Put {
            value: ports.write()?,
            ttl: None,
        };
        let swap = storage.compare_and_swap(KEY, expected, change).await;
        if let Swap::Done { .. } = swap.map_err(ApiError::internal)? {
            return Ok(result);
        }
    }
}

impl Ports {
    /// Takes a port; the error says why it cannot be had.
    pub(super) fn take(&mut self, port: i64) -> Result<(), String> {
        let Some(index) = self.index(port) else {
            let (first, last) = (self.range.start(), self.range.end());
            return Err(format!(
                "provided port is not in the valid range. The range of valid ports is {first}-{last}"
            ));
        };
        match self.get(index) {
            true => Err("provided port is already allocated".to_owned()),
            false => {
                self.set(index, true);
                Ok(())
            }
        }
    }

    /// Takes any free port, starting anywhere.
    pub(super) fn take_any(&mut self, ids: &Ids) -> Option<u16> {
        let count = self.range.len();
        let start = (ids.fraction() * count as f64) as usize;
        let index = (0..count)
            .map(|n| (start + n) % count)
            .find(|index| !self.get(*index))?;
        self.set(index, true);
        self.range.clone().nth(index)
    }

    /// The ports that are taken.
    pub(super) fn taken(&self) -> impl Iterator<Item = i64> {
        let ports = self.range.clone().enumerate();
        ports.filter(|(index, _)| self.get(*index)).map(|(_, port)| port.into())
    }

    /// Gives a port back.
    pub(super) fn release(&mut self, port: i64) {
        if let Some(index) = self.index(port) {
            self.set(index, false);
        }
    }

    fn index(&self, port: i64) -> Option<usize> {
        let port = u16::try_from(port).ok().filter(|port| self.range.contains(port))?;
        Some(usize::from(port - self.range.start()))
    }

    fn get(&self, index: usize) -> bool {
        let byte = self.taken.iter().rev().nth(index / 8).copied().unwrap_or_default();
        byte & (1 << (index % 8)) != 0
    }

    fn set(&mut self, index: usize, taken: bool) {
        let bit = 1 << (index % 8);
        if let Some(byte) = self.taken.iter_mut().rev().nth(index / 8) {
            *byte = if taken { *byte | bit } else { *byte & !bit };
        }
    }

    /// The stored form leaves out leading zeros.
    fn read(range: &RangeInclusive<u16>, stored: Option<&Bytes>) -> Self {
        let mut taken = vec![0; range.len().div_ceil(8)];
        let object = stored
            .and_then(|stored| transcode::decode_object(stored).ok())
            .unwrap_or_default();
        let data = object.get("data").and_then(Value::as_str).unwrap_or_default();
        let data = STANDARD.decode(data).unwrap_or_default();
        for (byte, stored) in taken.iter_mut().rev().zip(data.into_iter().rev()) {
            *byte = stored;
        }
        let range = range.clone();
        Self { range, taken }
    }

    fn write(&self) -> Result<Bytes, ApiError> {
        let (first, last) = (self.range.start(), self.range.end());
        let used: Vec<u8> = self.taken.iter().copied().skip_while(|byte| *byte == 0).collect();
        let object = json!({
            "apiVersion": "v1",
            "kind": "RangeAllocation",
            "metadata": {},
            "range": format!("{first}-{last}"),
            "data": STANDARD.encode(used),
        });
        transcode::encode_object(&object).map_err(ApiError::internal)
    }
}
