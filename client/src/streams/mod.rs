//! Byte streams from and to running containers.

mod logs;

pub use logs::{LogLines, LogOptions, LogStream};
