//! One request to the API server: path, parameters, negotiation, retries, and the `Status` of a refusal.

mod client;
mod path;
mod request;
mod response;
mod status;

pub use client::Client;
pub(crate) use client::content_type;
pub(crate) use path::ResourcePath;
pub use request::{Request, Verb};
pub use response::Response;
pub(crate) use status::decode_status;
