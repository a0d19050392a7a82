use super::*;
use crate::generic::request::empty;
use flate2::read::GzDecoder;
use http_body_util::BodyExt;
use std::io::Read as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

async fn get(target: &str) -> (u16, Bytes) {
    let mut mux = PathRecorderMux::default();
    install(&mut mux);
    let request = http::Request::get(target).body(empty()).unwrap();
    let handler = mux.find(request.uri().path()).unwrap().clone();
    let response = handler.handle(request).await;
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

/// The fields of a message: numbers, and either a number or bytes.
fn fields(mut message: &[u8]) -> Vec<(u64, u64, &[u8])> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let (mut value, mut shift) = (0, 0);
        loop {
            let (byte, rest) = bytes.split_first().unwrap();
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                return value;
            }
        }
    }
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let value = varint(&mut message);
        let bytes = match tag & 7 {
            0 => &[][..],
            _ => message.split_off(..value as usize).unwrap(),
        };
        fields.push((tag >> 3, value, bytes));
    }
    fields
}

#[test]
fn a_profile_has_stacks_with_names() {
    let frame = |name: &str, line| Frame {
        name: name.to_owned(),
        system_name: format!("_{name}"),
        file: "a.rs".to_owned(),
        line,
    };
    let mut profile = Profile::new(Duration::from_secs(2), 100);
    for count in [3, 1] {
        profile.add(&Sample {
            stack: vec![vec![frame("inlined", 7), frame("inner", 9)], vec![frame("main", 1)]],
            count,
            thread: "worker".to_owned(),
        });
    }
    let mut message = Vec::new();
    GzDecoder::new(&*profile.into_gzip()).read_to_end(&mut message).unwrap();
    let fields_of = |number: u64| -> Vec<&[u8]> {
        let all = fields(&message).into_iter().filter(|(known, ..)| *known == number);
        all.map(|(_, _, bytes)| bytes).collect()
    };
    let strings: Vec<&str> = fields_of(6)
        .into_iter()
        .map(|bytes| std::str::from_utf8(bytes).unwrap())
        .collect();
    let number = |text: &str| strings.iter().position(|known| *known == text).unwrap() as u64;
    assert_eq!(strings[0], "");
    let samples = fields_of(2);
    let values = |sample| -> Vec<(u64, u64)> { fields(sample).into_iter().map(|(n, value, _)| (n, value)).collect() };
    assert_eq!(values(samples[0])[..4], [(1, 1), (1, 2), (2, 3), (2, 30_000_000)]);
    let label = fields(samples[0]).last().unwrap().2;
    assert_eq!(values(label), [(1, number("thread")), (2, number("worker"))]);
    assert_eq!((samples.len(), fields_of(4).len(), fields_of(5).len()), (2, 2, 3));
    assert_eq!(
        values(fields_of(5)[0]),
        [
            (1, 1),
            (2, number("inlined")),
            (3, number("_inlined")),
            (4, number("a.rs"))
        ]
    );
    let lines: Vec<_> = fields(fields_of(4)[0])
        .into_iter()
        .skip(1)
        .map(|(_, _, line)| values(line))
        .collect();
    assert_eq!(lines, [[(1, 1), (2, 7)], [(1, 2), (2, 9)]]);
}

#[inline(never)]
fn keeps_a_core_busy(stop: &AtomicBool) {
    let mut sum = 0u64;
    while !stop.load(Ordering::Relaxed) {
        sum = std::hint::black_box(sum.wrapping_mul(31).wrapping_add(1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn go_reads_what_this_process_does() {
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let work = std::thread::spawn(move || keeps_a_core_busy(&stopped));
    let (first, second) = tokio::join!(get("/debug/pprof/profile?seconds=1"), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        get("/debug/pprof/profile?seconds=1").await
    });
    stop.store(true, Ordering::Relaxed);
    work.join().unwrap();
    assert_eq!(first.0, 200);
    let refusal = "Could not enable CPU profiling: cpu profiling already in use\n";
    assert_eq!(second, (500, Bytes::from(refusal)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("profile");
    std::fs::write(&file, first.1).unwrap();
    match Command::new("go")
        .args(["tool", "pprof", "-top", "-nodefraction=0"])
        .arg(&file)
        .output()
    {
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(output.status.success(), "{output:?}");
            assert!(
                text.contains("Type: cpu") && text.contains("keeps_a_core_busy"),
                "{text}"
            );
            assert!(
                !text.contains("perf_signal_handler") && !text.contains("pprof::backtrace"),
                "{text}"
            );
        }
        Err(error) => println!("skipped: no go ({error})"),
    }
}

#[tokio::test]
async fn what_is_not_there_says_so() {
    assert_eq!(get("/debug/pprof").await.0, 302);
    let (status, index) = get("/debug/pprof/").await;
    assert!(status == 200 && String::from_utf8_lossy(&index).contains("profile"));
    assert_eq!(get("/debug/pprof/heap").await.0, 501);
    assert_eq!(
        get("/debug/pprof/nosuch").await,
        (404, Bytes::from("Unknown profile\n"))
    );
    assert_eq!(get("/debug/pprof/symbol").await.1, "num_symbols: 0\n");
    assert!(!get("/debug/pprof/cmdline").await.1.is_empty());
}
