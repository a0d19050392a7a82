//! A list of typed objects.

use futures::{Stream, stream};

use super::ListOptions;
use super::watch::of_object;
use crate::error::Error;
use crate::resource::ResourceVersion;
use crate::wire::{EncodedList, EncodedObject, WireError};

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

impl<K> ObjectList<K> {
    /// Decodes every item; the error names the item that is broken.
    pub(crate) fn decode(
        list: EncodedList,
        decode: impl Fn(&EncodedObject) -> Result<K, WireError>,
    ) -> Result<Self, WireError> {
        let decode = |(index, item)| decode(item).map_err(|error| of_object(error, &format!("items[{index}]"), item));
        Ok(Self {
            items: list.items.iter().enumerate().map(decode).collect::<Result<_, _>>()?,
            resource_version: list.resource_version,
            continue_token: list.continue_token,
            remaining_item_count: list.remaining_item_count,
        })
    }
}

/// How many objects a page has where the caller does not say.
const PAGE_SIZE: i64 = 500;

/// Asks for one page after the other.
pub(crate) fn pages<K, F>(
    mut options: ListOptions,
    list: impl Fn(ListOptions) -> F + Send,
) -> impl Stream<Item = Result<ObjectList<K>, Error>> + Send
where
    K: Send,
    F: Future<Output = Result<ObjectList<K>, Error>> + Send,
{
    options.limit = options.limit.or(Some(PAGE_SIZE));
    stream::try_unfold(Some((options, list)), |state| async {
        let Some((mut options, list)) = state else {
            return Ok(None);
        };
        let page = list(options.clone()).await?;
        let rest = page.continue_token.clone().map(|token| {
            // The token says which version is read; naming one beside it is an error.
            options.resource_version = None;
            options.resource_version_match = None;
            options.continue_token = Some(token);
            (options, list)
        });
        Ok(Some((page, rest)))
    })
}
