//! The rules for the networks and addresses of services (KEP-1880).

use kubewire_client::validation::{dns1123_subdomain, path_segment};
use serde_json::{Value, json};

use super::ip;
use super::values::{broken, get, text, texts};
use crate::status::FieldError;

/// The rules for a ServiceCIDR.
pub(in crate::registry) fn service_cidr(object: &Value) -> Vec<FieldError> {
    const FIELD: &str = "spec.cidrs";
    let cidrs = texts(object, "/spec/cidrs");
    let mut errors = Vec::new();
    match cidrs.as_slice() {
        [] => errors.push(FieldError::required(FIELD, "at least one CIDR required")),
        [_, _, _, ..] => {
            let shown = json!({ "CIDRs": cidrs });
            return vec![FieldError::invalid(FIELD, shown, "may only hold up to 2 values")];
        }
        _ => {}
    }
    for (index, cidr) in cidrs.iter().enumerate() {
        errors.extend(ip::canonical_cidr(&format!("{FIELD}[{index}]"), cidr));
    }
    let family = |cidr: &&str| cidr.split('/').next().and_then(ip::family);
    if let [first, second] = cidrs.as_slice()
        && errors.is_empty()
        && family(first) == family(second)
    {
        let detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64";
        errors.push(FieldError::invalid(FIELD, json!(cidrs), detail));
    }
    errors
}

/// The networks of a ServiceCIDR stay; one of the other family may join.
pub(in crate::registry) fn service_cidr_update(new: &Value, old: &Value) -> Vec<FieldError> {
    let (now, before) = (texts(new, "/spec/cidrs"), texts(old, "/spec/cidrs"));
    let pairs = before.iter().enumerate();
    let changed = pairs.filter_map(|(index, cidr)| now.get(index).filter(|now| *now != cidr).map(|now| (index, now)));
    let mut errors: Vec<FieldError> = changed
        .map(|(index, now)| FieldError::invalid(format!("spec.cidrs[{index}]"), json!(now), "field is immutable"))
        .collect();
    if now.len() < before.len() {
        errors.push(FieldError::invalid("spec.cidrs", json!(now), "field is immutable"));
    }
    errors
}

/// The rules for an IPAddress.
pub(in crate::registry) fn ip_address(object: &Value) -> Vec<FieldError> {
    const FIELD: &str = "spec.parentRef";
    if get(object, "/spec/parentRef").is_null() {
        return vec![FieldError::required(FIELD, "")];
    }
    let part = |name: &str| text(object, &format!("/spec/parentRef/{name}"));
    let at = |name: &str| format!("{FIELD}.{name}");
    let mut errors = Vec::new();
    if !part("group").is_empty() {
        errors.extend(broken(&at("group"), part("group"), dns1123_subdomain(part("group"))));
    }
    for name in ["resource", "name", "namespace"] {
        match part(name) {
            "" if name == "namespace" => {}
            "" => errors.push(FieldError::required(at(name), "")),
            value => errors.extend(broken(&at(name), value, path_segment(value))),
        }
    }
    errors
}

/// An address stays with whom it was given to.
pub(in crate::registry) fn ip_address_update(new: &Value, old: &Value) -> Option<FieldError> {
    let parent = get(new, "/spec/parentRef");
    let changed = parent != get(old, "/spec/parentRef");
    changed.then(|| FieldError::invalid("spec.parentRef", Value::Null, "field is immutable"))
}

/// The name of an IPAddress is the address.
pub(in crate::registry) fn ip_name(name: &str, _: bool) -> Vec<String> {
    let errors = ip::canonical_address("metadata.name", name);
    errors.into_iter().map(|error| error.detail).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::validation::told;

    fn cidrs(cidrs: &[&str]) -> Value {
        json!({ "spec": { "cidrs": cidrs } })
    }

    #[test]
    fn networks() {
        let check = |list: &[&str]| told(service_cidr(&cidrs(list)));
        assert!(check(&["10.0.0.0/16", "fd00::/112"]).is_empty());
        assert_eq!(check(&[]), ["spec.cidrs: Required value: at least one CIDR required"]);
        assert_eq!(
            check(&["10.1.0.0/16", "10.2.0.0/16"]),
            [
                "spec.cidrs: Invalid value: [\"10.1.0.0/16\",\"10.2.0.0/16\"]: may specify no more than one IP for each IP \
              family, i.e 192.168.0.0/24 and 2001:db8::/64"
            ]
        );
        assert_eq!(
            check(&["a", "b", "c"]),
            ["spec.cidrs: Invalid value: {\"CIDRs\":[\"a\",\"b\",\"c\"]}: may only hold up to 2 values"]
        );
        assert_eq!(
            check(&["fd00:0::/112"]),
            ["spec.cidrs[0]: Invalid value: \"fd00:0::/112\": must be in canonical form (\"fd00::/112\")"]
        );
        let update = |new: &[&str], old: &[&str]| told(service_cidr_update(&cidrs(new), &cidrs(old)));
        assert!(update(&["10.0.0.0/16", "fd00::/112"], &["10.0.0.0/16"]).is_empty());
        assert_eq!(
            update(&["10.1.0.0/16"], &["10.0.0.0/16"]),
            ["spec.cidrs[0]: Invalid value: \"10.1.0.0/16\": field is immutable"]
        );
    }

    #[test]
    fn addresses() {
        let with = |parent: Value| json!({ "spec": { "parentRef": parent } });
        assert!(ip_address(&with(json!({ "resource": "services", "name": "x", "namespace": "y" }))).is_empty());
        assert_eq!(told(ip_address(&with(Value::Null))), ["spec.parentRef: Required value"]);
        assert_eq!(
            told(ip_address(&with(json!({})))),
            [
                "spec.parentRef.resource: Required value",
                "spec.parentRef.name: Required value"
            ]
        );
        assert!(ip_name("2001:db8::1", false).is_empty());
        assert_eq!(
            ip_name("2001:DB8::1", false),
            ["must be in canonical form (\"2001:db8::1\")"]
        );
        assert_eq!(
            ip_name("x", false),
            ["must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"]
        );
    }
}
