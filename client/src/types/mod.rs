//! API types that `k8s-openapi` lacks, in the manner of its own: options of requests, the reviews of webhooks, tables,
//! discovery documents, and every version that Kubernetes has had and no longer serves.
//!
//! They have a module for each group and version, as [`core::v1`] and [`admission::v1`], and both encodings: [serde]
//! for JSON and [`Message`](crate::wire::Message) for protobuf. A list is a [`k8s_openapi::List`]. What JSON leaves
//! out when it is empty is optional; a time is optional too, since Kubernetes has a zero time. A type whose fields are
//! those of a type of `k8s-openapi` is that type.
//!
//! ```
//! use kubewire_client::types::admission::v1::{AdmissionResponse, AdmissionReview};
//! let asked: AdmissionReview = serde_json::from_str(
//!     r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"7","operation":"CREATE"}}"#,
//! )?;
//! let request = asked.request.unwrap_or_default();
//! let answer = AdmissionReview {
//!     response: Some(AdmissionResponse { uid: request.uid, allowed: true, ..Default::default() }),
//!     ..Default::default()
//! };
//! let answer = serde_json::to_string(&answer)?;
//! assert_eq!(
//!     answer,
//!     r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"allowed":true,"uid":"7"}}"#
//! );
//! # Ok::<(), serde_json::Error>(())
//! ```

mod generated;
mod members;

pub use generated::*;

/// Defines a type: `"jsonName" optional field: Option<T>` for what JSON leaves out where there is none, `required` for
/// what it always shows. A type after `kind` says its kind in JSON; [`kind!`] names it.
macro_rules! structure {
    ($(#[$attribute:meta])* kind $name:ident $fields:tt) => {
        structure!($(#[$attribute])* $name $fields, {
            use k8s_openapi::Resource;
            Some(($name::API_VERSION, $name::KIND))
        });
    };
    ($(#[$attribute:meta])* $name:ident { $($fields:tt)* }) => {
        structure!($(#[$attribute])* $name { $($fields)* }, None);
    };
    (
        $(#[$attribute:meta])* $name:ident {
            $($(#[$doc:meta])* $json:literal $shape:ident $field:ident: $type:ty,)*
        },
        $kind:expr
    ) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct $name {
            $($(#[$doc])* pub $field: $type,)*
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let count = 0 $(+ $crate::types::members::$shape::count(&self.$field))*;
                #[allow(unused_mut)] // a type without fields
                let mut members = $crate::types::members::begin(serializer, stringify!($name), $kind, count)?;
                $($crate::types::members::$shape::write(&mut members, $json, &self.$field)?;)*
                serde::ser::SerializeStruct::end(members)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                const NAMES: &[&str] = &[$($json),*];

                struct Members;

                impl<'de> serde::de::Visitor<'de> for Members {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(stringify!($name))
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut members: A) -> Result<$name, A::Error> {
                        #[allow(unused_mut)] // a type without fields
                        let mut read = $name::default();
                        while let Some(name) = members.next_key_seed($crate::types::members::Names(NAMES))? {
                            match name {
                                $($json => $crate::types::members::$shape::read(&mut members, &mut read.$field)?,)*
                                other => $crate::types::members::other(&mut members, other, $kind)?,
                            }
                        }
                        Ok(read)
                    }
                }

                deserializer.deserialize_struct(stringify!($name), NAMES, Members)
            }
        }
    };
}

/// Makes a type a kind: its group and version, where its objects are, the kind of its lists, and its metadata.
macro_rules! kind {
    (
        $name:ident, $api_version:literal, $group:literal, $kind:literal, $version:literal, $segment:literal,
        $scope:ident $(, list $list:literal)? $(, metadata $metadata:ident)?
    ) => {
        impl k8s_openapi::Resource for $name {
            const API_VERSION: &'static str = $api_version;
            const GROUP: &'static str = $group;
            const KIND: &'static str = $kind;
            const VERSION: &'static str = $version;
            const URL_PATH_SEGMENT: &'static str = $segment;
            type Scope = k8s_openapi::$scope;
        }

        $(impl k8s_openapi::ListableResource for $name {
            const LIST_KIND: &'static str = $list;
        })?

        $(impl k8s_openapi::Metadata for $name {
            type Ty = k8s_openapi::apimachinery::pkg::apis::meta::v1::$metadata;

            fn metadata(&self) -> &Self::Ty {
                &self.metadata
            }

            fn metadata_mut(&mut self) -> &mut Self::Ty {
                &mut self.metadata
            }
        })?
    };
}

use {kind, structure};

#[cfg(test)]
mod tests;
