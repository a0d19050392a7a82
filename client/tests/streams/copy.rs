//! Files and folders in and out of a "container", whose `tar` is that of this machine.
#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use kubewire_client::Error;
use kubewire_client::streams::CopyOptions;

use super::{V4, V5, pods};

fn options() -> CopyOptions {
    CopyOptions::default().with_container("web")
}

/// Both sides of a copy.
struct Folders {
    here: tempfile::TempDir,
    there: tempfile::TempDir,
}

impl Folders {
    fn new() -> Self {
        Self {
            here: tempfile::tempdir().unwrap(),
            there: tempfile::tempdir().unwrap(),
        }
    }

    /// The path in the container.
    fn remote(&self, path: &str) -> String {
        format!("{}/{path}", self.there.path().display())
    }
}

const LONG_AGO: Duration = Duration::from_secs(1_000_000_000);

/// A folder with what is hard to copy.
fn plant(at: &Path) {
    fs::create_dir_all(at.join("deep/read-only")).unwrap();
    fs::write(at.join("empty"), "").unwrap();
    fs::write(at.join("deep/-ünusual name"), "hello").unwrap();
    fs::write(at.join(format!("deep/{}", "long".repeat(40))), vec![7; 300_000]).unwrap();
    fs::write(at.join("deep/read-only/program"), "#!/bin/sh").unwrap();
    symlink("/etc/passwd", at.join("link")).unwrap();
    stamp(&at.join("deep/read-only/program"), 0o750);
    stamp(&at.join("deep/read-only"), 0o555);
}

fn stamp(path: &Path, mode: u32) {
    let file = File::open(path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + LONG_AGO).unwrap();
    file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
}

fn check(at: &Path, has_links: bool) {
    assert_eq!(fs::read(at.join("empty")).unwrap(), b"");
    assert_eq!(fs::read(at.join("deep/-ünusual name")).unwrap(), b"hello");
    let long = fs::read(at.join(format!("deep/{}", "long".repeat(40)))).unwrap();
    assert!(long.len() == 300_000 && long.iter().all(|byte| *byte == 7));
    for (path, mode) in [("deep/read-only/program", 0o750), ("deep/read-only", 0o555)] {
        let metadata = fs::metadata(at.join(path)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, mode, "{path}");
        assert_eq!(
            metadata.modified().unwrap(),
            SystemTime::UNIX_EPOCH + LONG_AGO,
            "{path}"
        );
    }
    assert_eq!(at.join("link").is_symlink(), has_links);
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_go_in_and_come_out() {
    for protocol in [V5, V4] {
        let (_kubelet, pods) = pods(protocol).await;
        let folders = Folders::new();
        let source = folders.here.path().join("site");
        plant(&source);
        // A server that speaks v4 cannot be told where the input ends; this test's would wait for it.
        if protocol == V5 {
            pods.copy_to("web", &source, &folders.remote(""), &options())
                .await
                .unwrap();
            check(&folders.there.path().join("site"), true);
            pods.copy_to("web", &source, &folders.remote("other"), &options())
                .await
                .unwrap();
            check(&folders.there.path().join("other"), true);
        } else {
            plant(&folders.there.path().join("other"));
        }

        let target = folders.here.path().join("back");
        let copied = pods
            .copy_from("web", &folders.remote("other/"), &target, &options())
            .await
            .unwrap();
        check(&target, false);
        assert_eq!((copied.files, copied.bytes), (4, 300_000 + 5 + 9));
        assert_eq!(copied.skipped, [Path::new("./other/link")]);
        pods.copy_from("web", &folders.remote("other"), folders.here.path(), &options())
            .await
            .unwrap();
        check(&folders.here.path().join("other"), false);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn single_files_get_new_names() {
    let (_kubelet, pods) = pods(V5).await;
    let folders = Folders::new();
    let file = folders.here.path().join("file");
    fs::write(&file, "hello").unwrap();
    stamp(&file, 0o640);
    pods.copy_to("web", &file, &folders.remote("renamed"), &options())
        .await
        .unwrap();
    assert_eq!(fs::read(folders.there.path().join("renamed")).unwrap(), b"hello");
    let back = folders.here.path().join("back");
    pods.copy_from("web", &folders.remote("renamed"), &back, &options())
        .await
        .unwrap();
    assert_eq!(fs::read(&back).unwrap(), b"hello");
    assert_eq!(fs::metadata(&back).unwrap().permissions().mode() & 0o777, 0o640);
}

/// The words of an error, which names what was being done.
fn words(error: &Error) -> String {
    let words = error.to_string();
    assert!(words.starts_with("copy ") && words.contains("pods \""), "{words}");
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_say_what_is_wrong() {
    let (kubelet, pods) = pods(V5).await;
    let folders = Folders::new();
    let here = folders.here.path();
    let there = |path: &str| folders.remote(path);

    let error = pods
        .copy_from("web", &there("nothing"), here, &options())
        .await
        .unwrap_err();
    assert!(words(&error).contains("No such file or directory"), "{error}");
    let error = pods
        .copy_to("web", here.join("nothing"), &there("a"), &options())
        .await
        .unwrap_err();
    assert!(words(&error).contains("nothing: No such file or directory"), "{error}");
    let error = pods
        .copy_to("web", here, &there("no/folder"), &options())
        .await
        .unwrap_err();
    assert!(
        words(&error).contains("Cannot open: No such file or directory"),
        "{error}"
    );
    fs::write(here.join("file"), "").unwrap();
    fs::write(folders.there.path().join("file"), "x").unwrap();
    let error = pods
        .copy_from("web", &there("file"), here.join("file/x"), &options())
        .await
        .unwrap_err();
    assert!(words(&error).contains("Not a directory"), "{error}");
    for nothing in ["", "/", "/a/.."] {
        let error = pods.copy_from("web", nothing, here, &options()).await.unwrap_err();
        assert!(words(&error).contains("nothing of that name"), "{error}");
    }

    let error = pods.copy_from("no-tar", "/a", here, &options()).await.unwrap_err();
    assert!(
        words(&error).contains("the container has no program \"tar\""),
        "{error}"
    );
    let error = pods.copy_to("no-tar", here, "/a", &options()).await.unwrap_err();
    assert!(
        words(&error).contains("the container has no program \"tar\""),
        "{error}"
    );
    let error = pods.copy_from("gone", "/a", here, &options()).await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    // Nothing is left running.
    while kubelet.open.load(Ordering::SeqCst) > 0 {
        tokio::task::yield_now().await;
    }
}

/// The runtime waits for its blocking threads: this test ends only if they do.
#[tokio::test(flavor = "multi_thread")]
async fn dropping_a_copy_ends_it() {
    let (kubelet, pods) = pods(V5).await;
    let folders = Folders::new();
    let file = folders.here.path().join("large");
    fs::write(&file, vec![0; 1 << 20]).unwrap();
    let (open, options) = (&kubelet.open, options());
    let until = async |wanted: usize| {
        while open.load(Ordering::SeqCst) != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = pods.copy_to("stuck", &file, "/a", &options) => panic!("nobody reads"),
        () = until(1) => {}
    }
    until(0).await;
    tokio::select! {
        _ = pods.copy_from("stuck", "/a", folders.here.path(), &options) => panic!("nobody writes"),
        () = until(1) => {}
    }
    until(0).await;
}
