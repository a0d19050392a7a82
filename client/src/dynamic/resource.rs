//! Which resource a dynamic access is for.

use crate::object::Object;
use crate::resource::{Gvk, Gvr};

/// A resource as discovery describes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct ApiResource {
    /// Group, version and plural name.
    pub gvr: Gvr,
    /// Kind of its objects.
    pub kind: String,
    /// True where objects live in a namespace.
    pub namespaced: bool,
}

impl ApiResource {
    /// A resource by its facts.
    ///
    /// ```
    /// use kubewire_client::{Gvr, dynamic::ApiResource};
    /// let orders = ApiResource::new(Gvr::new("shop.example", "v1", "orders"), "Order", true);
    /// assert_eq!(orders.gvk().to_string(), "shop.example/v1, Kind=Order");
    /// ```
    pub fn new(gvr: Gvr, kind: impl Into<String>, namespaced: bool) -> Self {
        Self {
            gvr,
            kind: kind.into(),
            namespaced,
        }
    }

    /// The resource of a Rust type.
    pub fn of<K: Object>() -> Self {
        Self::new(K::gvr(), K::KIND, K::NAMESPACED)
    }

    /// Group, version and kind of its objects.
    pub fn gvk(&self) -> Gvk {
        Gvk {
            group: self.gvr.group.clone(),
            version: self.gvr.version.clone(),
            kind: self.kind.clone().into(),
        }
    }
}
