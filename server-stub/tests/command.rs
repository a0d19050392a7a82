//! The command line of the binary: what it says about wrong, old and needless flags, and the port without TLS.

#![allow(clippy::unwrap_used)] // a test program

#[path = "support/free_port.rs"]
mod free_port;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use free_port::free_port;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use reqwest::{Client, StatusCode};

const BINARY: &str = env!("CARGO_BIN_EXE_kubewire-server-stub");

fn failed(arguments: &[&str]) -> String {
    let output = Command::new(BINARY).args(arguments).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn all_that_is_wrong_is_in_one_line() {
    let text = failed(&[
        "--secure-port=0",
        "--audit-log-path=a",
        "--audit-log-maxage=-1",
        "--insecure-port=-1",
    ]);
    let mut log = text.lines().filter(|line| !line.starts_with("Flag "));
    let (first, last) = (log.next().unwrap(), log.next_back().unwrap());
    assert!(first.contains("Version: v1."), "{text}");
    assert!(
        last.contains(
            "[--secure-port 0 must be between 1 and 65535, inclusive. It cannot be turned off with 0, \
             --insecure-port -1 must be between 0 and 65535, inclusive. 0 for turning off insecure (HTTP) port, \
             --audit-log-maxage -1 can't be a negative number]"
        ),
        "{text}"
    );
}

#[test]
fn the_groups_of_flags_are_in_the_order_of_the_original() {
    let output = Command::new(BINARY).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let groups: Vec<&str> = help.lines().filter_map(|line| line.strip_suffix(" flags:")).collect();
    let own = ["Controllers", "Access"];
    let others: Vec<&str> = groups.iter().copied().filter(|group| !own.contains(group)).collect();
    assert_eq!(
        others,
        [
            "Generic",
            "Etcd",
            "Secure serving",
            "Auditing",
            "Features",
            "Authentication",
            "Authorization",
            "API enablement",
            "Egress selector",
            "Admission",
            "Metrics",
            "Logs",
            "Traces",
            "Misc",
            "Global",
        ]
    );
    assert_eq!(groups.len(), others.len() + own.len());
    for line in [
        "      --audit-log-maxage int ",
        "      --service-account-issuer stringArray ",
        "      --service-cluster-ip-range string ",
    ] {
        assert!(help.contains(line), "{line:?} is not in\n{help}");
    }
    assert!(!help.contains("--kubelet-port"), "{help}");
}

#[tokio::test]
async fn the_port_without_tls_is_for_administrators_and_only_there_when_asked_for() {
    let port = free_port();
    let mut child = Command::new(BINARY)
        .args([
            format!("--secure-port={}", free_port()),
            format!("--insecure-port={port}"),
        ])
        .args(["--goaway-chance=0.001", "--goaway-chance=0.002", "--apiserver-count=2"])
        .args(["--authorization-mode=AlwaysDeny", "--anonymous-auth=false"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut log = Vec::new();
    for line in lines.by_ref() {
        log.push(line.unwrap());
        if log.last().unwrap().contains("HasBeenReady") {
            break;
        }
    }
    let count = |text: &str| log.iter().filter(|line| line.contains(text)).count();
    assert_eq!(count("Flag --apiserver-count has been deprecated, "), 1, "{log:#?}");
    assert_eq!(count("--goaway-chance is accepted for compatibility"), 1, "{log:#?}");
    assert_eq!(count(&format!("Serving insecurely on 127.0.0.1:{port}")), 1, "{log:#?}");

    let url = format!("http://127.0.0.1:{port}/apis/authentication.k8s.io/v1/selfsubjectreviews");
    let review = "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}";
    // The only one that is compiled in; reqwest wants to be told.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = Client::new()
        .post(url)
        .header("content-type", "application/json")
        .body(review);
    let answer = request.bearer_auth("of-nobody").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::CREATED);
    let review: SelfSubjectReview = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let user = review.status.unwrap().user_info.unwrap();
    assert_eq!(user.username.as_deref(), Some("system:unsecured"));
    assert_eq!(user.groups.unwrap(), ["system:masters", "system:authenticated"]);
    let _ = child.kill();
    let _ = child.wait();
}
