//! What differs per built-in resource.

pub(crate) mod printers;
