use super::*;
use crate::generic::request::{RequestInfo, empty};

fn labels(method: Method, target: &str) -> Option<RequestLabels> {
    let request = http::Request::builder()
        .method(method)
        .uri(target)
        .body(empty())
        .unwrap();
    let info = RequestInfo::of(&request);
    RequestLabels::of(&request, info)
}

fn shown(metrics: &Metrics) -> String {
    metrics.render(Timestamp::from_second(7).unwrap())
}

#[track_caller]
fn assert_shown(text: &str, line: &str) {
    assert!(text.lines().any(|shown| shown == line), "{line}\nis not in\n{text}");
}

#[test]
fn requests_are_counted_by_what_they_ask_for() {
    let metrics = Metrics::default();
    let pods = labels(Method::GET, "/api/v1/namespaces/a/pods").unwrap();
    metrics.record(&pods, 200, Duration::from_millis(30), 5000);
    metrics.record(&pods, 200, Duration::from_millis(30), 5000);
    let create = labels(Method::POST, "/apis/apps/v1/namespaces/a/deployments?dryRun=All").unwrap();
    metrics.record(&create, 201, Duration::ZERO, 9);
    let healthz = labels(Method::GET, "/healthz").unwrap();
    metrics.record(&healthz, 500, Duration::ZERO, 2);
    assert!(labels(Method::GET, "/nosuch").is_none());
    let text = shown(&metrics);
    let list = "component=\"apiserver\",dry_run=\"\",group=\"\",resource=\"pods\",scope=\"namespace\",subresource=\"\",\
                verb=\"LIST\",version=\"v1\"";
    assert_shown(&text, &format!("apiserver_request_total{{code=\"200\",{list}}} 2"));
    assert_shown(
        &text,
        &format!("apiserver_request_duration_seconds_bucket{{{list},le=\"0.025\"}} 0"),
    );
    assert_shown(
        &text,
        &format!("apiserver_request_duration_seconds_bucket{{{list},le=\"0.05\"}} 2"),
    );
    let list = list.replace("dry_run=\"\",", "");
    assert_shown(
        &text,
        &format!("apiserver_request_sli_duration_seconds_sum{{{list}}} 0.06"),
    );
    assert_shown(
        &text,
        &format!("apiserver_response_sizes_bucket{{{list},le=\"10000\"}} 2"),
    );
    assert_shown(
        &text,
        "apiserver_request_total{code=\"201\",component=\"apiserver\",dry_run=\"All\",group=\"apps\",\
         resource=\"deployments\",scope=\"resource\",subresource=\"\",verb=\"POST\",version=\"v1\"} 1",
    );
    assert_shown(
        &text,
        "apiserver_request_total{code=\"500\",component=\"\",dry_run=\"\",group=\"\",resource=\"\",scope=\"\",\
         subresource=\"/healthz\",verb=\"GET\",version=\"\"} 1",
    );
    assert!(
        !text.contains("apiserver_response_sizes_count{component=\"apiserver\",group=\"apps\""),
        "{text}"
    );
    assert_shown(&text, "process_start_time_seconds 7");
    assert!(text.contains("\nprocess_resident_memory_bytes "), "{text}");
}

#[test]
fn what_is_open_is_shown_as_long_as_it_is() {
    let metrics = Metrics::default();
    let watch = labels(Method::GET, "/api/v1/pods?watch=1").unwrap();
    let open = metrics.long_running(&watch);
    let line = |count| {
        format!(
            "apiserver_longrunning_requests{{component=\"apiserver\",group=\"\",resource=\"pods\",scope=\"cluster\",\
             subresource=\"\",verb=\"WATCH\",version=\"v1\"}} {count}"
        )
    };
    assert_shown(&shown(&metrics), &line(1));
    metrics.reset();
    assert_shown(&shown(&metrics), &line(1));
    drop(open);
    assert_shown(&shown(&metrics), &line(0));
}

#[test]
fn the_most_of_the_last_second_is_shown() {
    let metrics = Metrics::default();
    let line = |count| format!("apiserver_current_inflight_requests{{request_kind=\"mutating\"}} {count}");
    let (one, other) = (metrics.in_flight(true), metrics.in_flight(true));
    drop(one);
    metrics.next_second();
    assert_shown(&shown(&metrics), &line(2));
    drop(other);
    metrics.next_second();
    assert_shown(&shown(&metrics), &line(1));
    metrics.next_second();
    assert_shown(&shown(&metrics), &line(0));
}

#[test]
fn a_code_beyond_the_places_still_counts() {
    let metrics = Metrics::default();
    let proxied = labels(Method::GET, "/api/v1/nodes/n/proxy").unwrap();
    for code in 400..420 {
        metrics.record(&proxied, code, Duration::ZERO, 0);
    }
    let text = shown(&metrics);
    let totals = text.lines().filter(|line| line.starts_with("apiserver_request_total{"));
    let counts: Vec<u64> = totals
        .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!((counts.len(), counts.iter().sum::<u64>()), (12, 20));
}

#[tokio::test]
async fn a_reset_begins_at_zero_where_it_is_allowed() {
    let metrics = Arc::new(Metrics::default());
    let events = metrics.watch("", "v1", "pods");
    let count = || {
        metrics.record(&labels(Method::GET, "/api/v1/pods").unwrap(), 200, Duration::ZERO, 0);
        events.sent(7);
    };
    let delete = async |may_reset| {
        let handler = MetricsHandler {
            metrics: metrics.clone(),
            may_reset,
            started: Timestamp::UNIX_EPOCH,
        };
        handler
            .handle(http::Request::delete("/metrics").body(empty()).unwrap())
            .await
    };
    let event_count = "apiserver_watch_events_total{group=\"\",resource=\"pods\",version=\"v1\"}";
    count();
    delete(false).await;
    assert!(shown(&metrics).contains("verb=\"LIST\""));
    delete(true).await;
    assert!(!shown(&metrics).contains("verb=\"LIST\""));
    assert_shown(&shown(&metrics), &format!("{event_count} 0"));
    count();
    assert_shown(&shown(&metrics), &format!("{event_count} 1"));
}

#[test]
fn other_parts_show_what_they_know() {
    let metrics = Metrics::default();
    metrics.add_source(|shown| shown.gauge("a_gauge", "Of another part.").sample([("of", "x")], 3));
    assert_shown(&shown(&metrics), "a_gauge{of=\"x\"} 3");
}

#[test]
fn clients_queues_and_decisions_are_counted() {
    use kubewire_client::rest::{ClientMetrics, Verb};
    let metrics = Metrics::default();
    let client = metrics.of_client("127.0.0.1:6443");
    client.answered(Verb::List, Some(200), Duration::from_millis(7));
    client.answered(Verb::Create, None, Duration::ZERO);
    client.retried(Verb::Create, Some(429));
    let queue: WorkQueue<u8> = metrics.work_queue("numbers");
    queue.add(1);
    queue.add(2);
    metrics.authenticated("success", Some("admin"), Duration::from_millis(3));
    metrics.authenticated("success", Some("eve"), Duration::ZERO);
    metrics.authenticated("error", None, Duration::ZERO);
    metrics.authorized("no-opinion", Duration::ZERO);
    let text = shown(&metrics);
    for line in [
        "rest_client_requests_total{code=\"200\",host=\"127.0.0.1:6443\",method=\"GET\"} 1",
        "rest_client_requests_total{code=\"<error>\",host=\"127.0.0.1:6443\",method=\"POST\"} 1",
        "rest_client_request_retries_total{code=\"429\",host=\"127.0.0.1:6443\",verb=\"POST\"} 1",
        "rest_client_request_duration_seconds_bucket{host=\"127.0.0.1:6443\",verb=\"GET\",le=\"0.025\"} 1",
        "workqueue_adds_total{name=\"numbers\"} 2",
        "workqueue_depth{name=\"numbers\"} 2",
        "workqueue_queue_duration_seconds_bucket{name=\"numbers\",le=\"9.999999999999999e-06\"} 0",
        "workqueue_unfinished_work_seconds{name=\"numbers\"} 0",
        "authentication_attempts{result=\"success\"} 2",
        "authentication_duration_seconds_bucket{result=\"success\",le=\"0.002\"} 1",
        "authenticated_user_requests{username=\"admin\"} 1",
        "authenticated_user_requests{username=\"other\"} 1",
        "authorization_attempts_total{result=\"no-opinion\"} 1",
    ] {
        assert_shown(&text, line);
    }
    metrics.reset();
    let text = shown(&metrics);
    assert_shown(&text, "workqueue_adds_total{name=\"numbers\"} 0");
    assert_shown(&text, "workqueue_depth{name=\"numbers\"} 2");
    assert!(!text.contains("rest_client_requests_total"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn work_under_way_is_told() {
    let metrics = Metrics::default();
    let queue: WorkQueue<u8> = metrics.work_queue("numbers");
    let second = Duration::from_secs(1);
    queue.add(1);
    let first = queue.get().await.unwrap();
    tokio::time::sleep(2 * second).await;
    queue.add(2);
    let other = queue.get().await.unwrap();
    tokio::time::sleep(second).await;
    let text = shown(&metrics);
    assert_shown(&text, "workqueue_unfinished_work_seconds{name=\"numbers\"} 4");
    assert_shown(&text, "workqueue_longest_running_processor_seconds{name=\"numbers\"} 3");
    drop(first);
    let text = shown(&metrics);
    assert_shown(&text, "workqueue_longest_running_processor_seconds{name=\"numbers\"} 1");
    assert_shown(&text, "workqueue_work_duration_seconds_count{name=\"numbers\"} 1");
    drop(other);
}
