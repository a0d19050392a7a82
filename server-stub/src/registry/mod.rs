//! What differs per built-in resource.

pub mod defaults;
pub mod facts;
mod generated;
pub(crate) mod printers;
