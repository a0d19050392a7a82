//! One request to the API server: path, parameters, negotiation, retries, and the `Status` of a refusal.

mod client;
mod metrics;
mod observer;
mod path;
mod rate_limiter;
mod request;
mod response;
mod retry;
mod status;
mod warning;

pub use client::Client;
pub(crate) use client::content_type;
pub use metrics::ClientMetrics;
pub(crate) use path::ResourcePath;
pub use rate_limiter::RateLimit;
pub(crate) use request::Representation;
pub use request::{Request, Verb};
pub use response::Response;
pub(crate) use retry::Retry;
pub(crate) use status::decode_status;
pub use warning::WarningHandler;
