//! The figures of kube-apiserver 1.37 with etcd 3.6 (without fsync) on a 4-core machine, TLS and HTTP/2, and the bars
//! that are set by them.

/// One line of the table.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) unit: &'static str,
    /// The peer's; `None` where it was not measured.
    pub(crate) peer: Option<f64>,
    pub(crate) bar: Bar,
}

/// What our figure has to be.
#[derive(Clone, Copy)]
pub(crate) enum Bar {
    AtMost(f64),
    AtLeast(f64),
    None,
}

macro_rules! figures {
    ($($id:ident: $name:literal, $unit:literal, $peer:expr, $bar:expr;)*) => {
        $(pub(crate) const $id: Figure = Figure { name: $name, unit: $unit, peer: $peer, bar: $bar };)*
    };
}

figures! {
    CREATE_1_P50: "create, JSON, 1 client: p50", "ms", Some(6.0), Bar::AtMost(1.2);
    CREATE_1_CPU: "create, JSON, 1 client: CPU", "ms", Some(7.2), Bar::None;
    CREATE_32_RATE: "create, JSON, 32 clients: rate", "/s", Some(745.0), Bar::AtLeast(3725.0);
    CREATE_32_CPU: "create, JSON, 32 clients: CPU", "ms", Some(3.8), Bar::AtMost(0.38);
    CREATE_32_P50: "create, JSON, 32 clients: p50", "ms", Some(38.0), Bar::None;
    CREATE_32_P99: "create, JSON, 32 clients: p99", "ms", Some(116.0), Bar::None;
    CREATE_PB_RATE: "create, protobuf, 32 clients: rate", "/s", Some(807.0), Bar::AtLeast(4035.0);
    CREATE_PB_CPU: "create, protobuf, 32 clients: CPU", "ms", Some(3.6), Bar::AtMost(0.36);
    RSS: "RSS with 10,000 pods", "MiB", Some(855.0), Bar::AtMost(171.0);
    PER_POD: "memory per stored pod / encoded bytes", "", None, Bar::AtMost(1.3);
    LIST_PB: "list 10,000 pods, protobuf, rv=0: CPU", "s", Some(1.29), Bar::AtMost(0.0645);
    LIST_PB_UNSET: "list 10,000 pods, protobuf, rv unset: CPU", "s", Some(1.40), Bar::AtMost(0.07);
    LIST_PB_PAGES: "list 10,000 pods, protobuf, pages of 500: CPU", "s", Some(1.51), Bar::AtMost(0.0755);
    LIST_PB_STREAM: "list 10,000 pods, protobuf, WatchList: CPU", "s", Some(2.11), Bar::AtMost(0.1055);
    LIST_JSON: "list 10,000 pods, JSON, rv=0: CPU", "s", Some(2.67), Bar::AtMost(0.1068);
    RSS_LISTED: "RSS after lists in both forms", "MiB", None, Bar::None;
    FAN_100_CPU: "100 watchers: CPU per delivered event", "µs", Some(120.0), Bar::AtMost(12.0);
    FAN_100_P50: "100 watchers: p50 delay", "ms", None, Bar::None;
    FAN_100_P99: "100 watchers: p99 delay", "ms", Some(24.0), Bar::AtMost(24.0);
    FAN_1000_CPU: "1,000 watchers: CPU per delivered event", "µs", Some(118.0), Bar::AtMost(11.8);
    FAN_1000_P50: "1,000 watchers: p50 delay", "ms", None, Bar::None;
    FAN_1000_P99: "1,000 watchers: p99 delay", "ms", Some(171.0), Bar::AtMost(171.0);
    IDLE_OWN: "idle watcher with a TLS connection of its own", "KiB", None, Bar::AtMost(40.0);
    REOPEN: "open a store with 100,000 objects", "s", None, Bar::AtMost(1.0);
    MANY_LOST: "10,000 watchers: events lost", "", None, Bar::AtMost(0.0);
    MANY_CPU: "10,000 watchers: CPU per delivered event", "µs", None, Bar::None;
    MANY_P99: "10,000 watchers: p99 delay", "ms", None, Bar::None;
}
