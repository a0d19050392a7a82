//! Byte streams from and to running containers: logs, `exec` and `attach`, port-forward, and files copied over them.

mod copy;
mod logs;
mod port_forward;
mod process;
mod websocket;

pub use copy::{Copied, CopyOptions};
pub use logs::{LogLines, LogOptions, LogStream};
pub use port_forward::PortForward;
pub use process::{ExitStatus, Process, ProcessOptions, TerminalSize};
