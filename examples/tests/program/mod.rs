//! Runs `kubewire-transcode`.

#![allow(dead_code)] // each test program uses its own part

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Stdio};

/// What a run left behind.
pub(crate) struct Run {
    pub(crate) ok: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Runs the program with this standard input.
pub(crate) fn run(args: &[impl AsRef<OsStr>], stdin: &[u8]) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubewire-transcode"))
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || {
            let _ = pipe.write_all(stdin); // it may not read all
        });
        child.wait_with_output().unwrap()
    });
    let code = output.status.code();
    assert!(
        matches!(code, Some(0..=2)),
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Run {
        ok: code == Some(0),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs the program, which has to succeed in silence.
pub(crate) fn succeed(args: &[impl AsRef<OsStr>]) -> Vec<u8> {
    succeed_with(args, b"")
}

/// The same, with a standard input.
pub(crate) fn succeed_with(args: &[impl AsRef<OsStr>], stdin: &[u8]) -> Vec<u8> {
    let run = run(args, stdin);
    assert!(run.ok && run.stderr.is_empty(), "{}", run.stderr);
    run.stdout
}
