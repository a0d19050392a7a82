//! Services, endpoints and ingresses.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{at_most, count, created, items, joined, labels, name, number, scalar, selector, text, text_or};

pub(super) fn service(o: &Value, now: Timestamp) -> Vec<Value> {
    let port = |port: &Value| {
        let node_port = Some(number(port, "/nodePort")).filter(|node_port| *node_port > 0);
        let node_port = node_port.map(|node_port| format!(":{node_port}")).unwrap_or_default();
        format!("{}{node_port}/{}", number(port, "/port"), text(port, "/protocol"))
    };
    vec![
        name(o),
        json!(text(o, "/spec/type")),
        json!(text_or(o, "/spec/clusterIPs/0", "<none>")),
        json!(external_ip(o)),
        json!(at_most(
            items(o, "/spec/ports").map(port).collect(),
            usize::MAX,
            ",",
            "<none>"
        )),
        created(o, now),
        json!(labels(o.pointer("/spec/selector"))),
    ]
}

fn external_ip(o: &Value) -> String {
    let external = items(o, "/spec/externalIPs").filter_map(Value::as_str);
    match text(o, "/spec/type") {
        "ExternalName" => text(o, "/spec/externalName").to_owned(),
        "LoadBalancer" => joined(balancer_addresses(o).into_iter().chain(external), ",", "<pending>"),
        "ClusterIP" | "NodePort" => joined(external, ",", "<none>"),
        _ => "<unknown>".to_owned(),
    }
}

/// Addresses of the load balancer, each once and sorted.
fn balancer_addresses(o: &Value) -> Vec<&str> {
    let ingress = items(o, "/status/loadBalancer/ingress");
    let mut addresses: Vec<&str> = ingress
        .map(|i| text_or(i, "/ip", text(i, "/hostname")))
        .filter(|a| !a.is_empty())
        .collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

pub(super) fn endpoints(o: &Value, now: Timestamp) -> Vec<Value> {
    let mut list = Vec::new();
    for subset in items(o, "/subsets") {
        let addresses = || items(subset, "/addresses").map(|address| text(address, "/ip"));
        if count(subset, "/ports") == 0 {
            list.extend(addresses().map(str::to_owned));
        }
        for port in items(subset, "/ports") {
            list.extend(addresses().map(|ip| host_port(ip, number(port, "/port"))));
        }
    }
    vec![name(o), json!(at_most(list, 3, ",", "<none>")), created(o, now)]
}

fn host_port(ip: &str, port: i64) -> String {
    if ip.contains(':') {
        format!("[{ip}]:{port}")
    } else {
        format!("{ip}:{port}")
    }
}

pub(super) fn endpoint_slice(o: &Value, now: Timestamp) -> Vec<Value> {
    let port = |port: &Value| port.get("port").and_then(scalar).unwrap_or_else(|| "*".to_owned());
    let ports = items(o, "/ports").map(port).collect();
    let addresses = items(o, "/endpoints").flat_map(|endpoint| items(endpoint, "/addresses"));
    let addresses = addresses.filter_map(Value::as_str).map(str::to_owned).collect();
    vec![
        name(o),
        json!(text(o, "/addressType")),
        json!(at_most(ports, 3, ",", "<unset>")),
        json!(at_most(addresses, 3, ",", "<unset>")),
        created(o, now),
    ]
}

pub(super) fn ingress(o: &Value, now: Timestamp) -> Vec<Value> {
    let hosts = items(o, "/spec/rules")
        .map(|rule| text(rule, "/host"))
        .filter(|host| !host.is_empty());
    let hosts = at_most(hosts.map(str::to_owned).collect(), 3, ",", "*");
    vec![
        name(o),
        json!(text_or(o, "/spec/ingressClassName", "<none>")),
        json!(hosts),
        json!(joined(balancer_addresses(o), ",", "")),
        json!(if count(o, "/spec/tls") > 0 { "80, 443" } else { "80" }),
        created(o, now),
    ]
}

pub(super) fn ingress_class(o: &Value, now: Timestamp) -> Vec<Value> {
    let parameters = o
        .pointer("/spec/parameters")
        .filter(|parameters| !parameters.is_null())
        .map(|p| {
            let group = Some(text(p, "/apiGroup"))
                .filter(|group| !group.is_empty())
                .map(|group| format!(".{group}"));
            format!("{}{}/{}", text(p, "/kind"), group.unwrap_or_default(), text(p, "/name"))
        });
    let parameters = parameters.unwrap_or_else(|| "<none>".to_owned());
    vec![
        name(o),
        json!(text(o, "/spec/controller")),
        json!(parameters),
        created(o, now),
    ]
}

pub(super) fn network_policy(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(o),
        json!(selector(o.pointer("/spec/podSelector"))),
        created(o, now),
    ]
}

pub(super) fn service_cidr(o: &Value, now: Timestamp) -> Vec<Value> {
    vec![
        name(o),
        json!(joined(items(o, "/spec/cidrs").filter_map(Value::as_str), ",", "")),
        created(o, now),
    ]
}

pub(super) fn ip_address(o: &Value, now: Timestamp) -> Vec<Value> {
    let parent = o
        .pointer("/spec/parentRef")
        .filter(|parent| !parent.is_null())
        .map(|p| {
            let parts = ["/group", "/resource", "/namespace", "/name"].map(|field| text(p, field));
            joined(parts.into_iter().filter(|part| !part.is_empty()), "/", "")
        });
    let parent = parent.unwrap_or_else(|| "<none>".to_owned());
    vec![name(o), json!(parent), created(o, now)]
}
