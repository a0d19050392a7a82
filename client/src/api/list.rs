//! A list of typed objects.

use crate::object::Object;
use crate::resource::ResourceVersion;
use crate::wire::{EncodedList, ObjectHeader, WireError};

/// The objects of a list response.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ObjectList<K> {
    /// The version the list was read at; a watch goes on from here.
    pub resource_version: ResourceVersion,
    /// Where the next page begins; `None` on the last page.
    pub continue_token: Option<String>,
    /// How many items follow on later pages, where the server knows.
    pub remaining_item_count: Option<i64>,
    /// The objects.
    pub items: Vec<K>,
}

impl<K: Object> ObjectList<K> {
    /// Decodes every item; the error names the item that is broken.
    pub(super) fn decode(list: EncodedList) -> Result<Self, WireError> {
        let decode = |(index, item)| {
            K::decode(item).map_err(|error| {
                let key = ObjectHeader::parse(item)
                    .map(|header| header.key().to_string())
                    .unwrap_or_default();
                WireError::Value {
                    path: format!("items[{index}]"),
                    reason: format!("{} {key:?}: {error}", K::KIND),
                }
            })
        };
        Ok(Self {
            items: list.items.iter().enumerate().map(decode).collect::<Result<_, _>>()?,
            resource_version: list.resource_version,
            continue_token: list.continue_token,
            remaining_item_count: list.remaining_item_count,
        })
    }
}
