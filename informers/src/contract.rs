//! The contracts at the top of the modules: every sentence has a number, and a test that names it.

use std::collections::BTreeSet;

/// The name of a module, its documentation, and its tests.
macro_rules! modules {
    ($($module:literal: $($tests:literal),*;)*) => {
        [$((
            $module,
            include_str!(concat!($module, "/mod.rs")),
            [$(include_str!(concat!($module, "/", $tests, ".rs"))),*].concat(),
        )),*]
    };
}

#[test]
fn every_sentence_has_a_test() {
    let modules = modules! {
        "reflector": "tests/mod", "tests/objects", "tests/streaming";
        "cache": "tests";
        "delta_fifo": "tests";
        "shared_informer": "tests", "users", "properties", "faults", "fault_run";
        "factory": "tests";
        "workqueue": "tests";
        "controller": "tests";
        "leader_election": "tests";
        "events": "tests";
    };
    for (module, documentation, tests) in modules {
        let sentences = sentences(documentation);
        assert!(sentences.len() > 4, "{module}: no contract");
        let numbers: BTreeSet<_> = sentences.iter().map(|(number, _)| number.as_str()).collect();
        assert_eq!(numbers.len(), sentences.len(), "{module}: a number that occurs twice");
        for (number, text) in &sentences {
            let whole = text.trim_end().trim_end_matches(['.', ':']);
            assert!(
                !whole.contains(". "),
                "{module}: {number} is more than one sentence: {text}"
            );
        }
        let proved: BTreeSet<_> = proofs(&tests).collect();
        let unproved: Vec<_> = numbers.difference(&proved).collect();
        assert!(unproved.is_empty(), "{module}: sentences without a test: {unproved:?}");
        let unknown: Vec<_> = proved.difference(&numbers).collect();
        assert!(
            unknown.is_empty(),
            "{module}: tests of sentences that are not there: {unknown:?}"
        );
    }
}

/// The numbered sentences of a contract. What stands in one of its points without a number is an error.
fn sentences(documentation: &str) -> Vec<(String, String)> {
    let lines = documentation.lines().map_while(|line| line.strip_prefix("//!"));
    let text: Vec<_> = lines.skip_while(|line| !line.contains("The contract")).collect();
    let points = text
        .join("\n")
        .split("\n - ")
        .skip(1)
        .map(str::to_owned)
        .collect::<Vec<_>>();
    let mut sentences = Vec::new();
    for point in points {
        let point = point.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut parts = point.split("**");
        assert_eq!(parts.next(), Some(""), "no number: {point}");
        while let (Some(number), Some(text)) = (parts.next(), parts.next()) {
            sentences.push((number.to_owned(), text.to_owned()));
        }
    }
    sentences
}

/// The numbers in lines such as `/// Proves R1 R2.` above a test.
fn proofs(tests: &str) -> impl Iterator<Item = &str> {
    let lines = tests
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("/// Proves "));
    lines.flat_map(|numbers| numbers.trim_end_matches('.').split(' '))
}
