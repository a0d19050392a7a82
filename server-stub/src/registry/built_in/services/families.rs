//! The families of a service's addresses (KEP-563).

use serde_json::{Value, json};

use super::{has_address, is_headless};
use crate::registry::service_ranges::{ServiceRanges, family_of};
use crate::registry::validation::service::related_fields;
use crate::registry::validation::values::{get, items, put, remove, text, texts};
use crate::status::FieldError;

/// `clusterIP` is the first of `clusterIPs`; whichever the client changed counts.
pub(super) fn normalize(service: &mut Value, old: Option<&Value>) {
    let ip = text(service, "/spec/clusterIP").to_owned();
    let Some(old) = old else {
        if !ip.is_empty() && items(service, "/spec/clusterIPs").is_empty() {
            put(service, &["spec", "clusterIPs"], json!([ip]));
        }
        return;
    };
    let old_ip = text(old, "/spec/clusterIP");
    let old_ips = get(old, "/spec/clusterIPs").clone();
    if items(service, "/spec/clusterIPs").is_empty() && old_ip == ip && old_ips.is_array() {
        put(service, &["spec", "clusterIPs"], old_ips.clone());
    }
    if old_ip != ip && *get(service, "/spec/clusterIPs") == old_ips {
        match ip.is_empty() {
            true => drop(remove(service, "/spec", "clusterIPs")),
            false => put(service, &["spec", "clusterIPs"], json!([ip])),
        }
    }
}

/// Fills in families and policy.
pub(super) fn fill_in(service: &mut Value, old: Option<&Value>, ranges: &ServiceRanges) -> Result<(), Vec<FieldError>> {
    if !has_address(service) || is_unchanged_preference(service, old) {
        return Ok(());
    }
    let without_selector = text(service, "/spec/clusterIP") == "None" && get(service, "/spec/selector").is_null();
    if text(service, "/spec/ipFamilyPolicy").is_empty() {
        let old_policy = old.map(|old| text(old, "/spec/ipFamilyPolicy")).unwrap_or_default();
        let policy = match old_policy {
            "" if without_selector => "RequireDualStack",
            "" => "SingleStack",
            old => old,
        };
        put(service, &["spec", "ipFamilyPolicy"], json!(policy));
    }
    none_or(related_fields(service, old))?;
    none_or(check_policy(service, old))?;
    none_or(families_of_addresses(service, ranges))?;
    let single = text(service, "/spec/ipFamilyPolicy") == "SingleStack";
    let default = ranges.networks.first().map_or("IPv4", |network| network.family());
    let mut families: Vec<String> = owned(service, "/spec/ipFamilies");
    if !without_selector {
        none_or(check_families(service, &families, ranges))?;
    }
    if families.is_empty() {
        families.push(default.to_owned());
    }
    if !single && families.len() == 1 && (without_selector || ranges.networks.len() == 2) {
        let other = if families == ["IPv4"] { "IPv6" } else { "IPv4" };
        families.push(other.to_owned());
    }
    put(service, &["spec", "ipFamilies"], json!(families));
    Ok(())
}

/// Whether an update leaves alone a service that has two families if it can.
pub(super) fn is_unchanged_preference(service: &Value, old: Option<&Value>) -> bool {
    let Some(old) = old else { return false };
    let policy = |service| text(service, "/spec/ipFamilyPolicy") == "PreferDualStack";
    let old_policy = get(old, "/spec/ipFamilyPolicy").is_null() || policy(old);
    let same = |pointer| get(service, pointer) == get(old, pointer);
    policy(service)
        && old_policy
        && has_address(service)
        && same("/spec/type")
        && same("/spec/clusterIPs")
        && same("/spec/ipFamilies")
}

fn check_policy(service: &mut Value, old: Option<&Value>) -> Vec<FieldError> {
    let policy = get(service, "/spec/ipFamilyPolicy").clone();
    let single = policy == "SingleStack";
    let wrong = |detail| FieldError::invalid("spec.ipFamilyPolicy", policy.clone(), detail);
    let mut errors = Vec::new();
    for (field, what) in [("clusterIPs", "cluster IP"), ("ipFamilies", "IP family")] {
        let pointer = format!("/spec/{field}");
        let Some(old) = old else { break };
        let (new_list, old_list) = (owned(service, &pointer), owned(old, &pointer));
        if single && new_list == old_list && new_list.len() > 1 {
            put(service, &["spec", field], json!([new_list.first()]));
        } else if !single && !new_list.is_empty() && new_list.len() < old_list.len() {
            errors.push(wrong(format!("must be 'SingleStack' to release the secondary {what}")));
        }
    }
    for (field, what) in [("clusterIPs", "cluster IPs"), ("ipFamilies", "IP families")] {
        if single && items(service, &format!("/spec/{field}")).len() == 2 {
            errors.push(wrong(format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            )));
        }
    }
    errors
}

/// Addresses that the client wishes for say which families it wishes for.
fn families_of_addresses(service: &mut Value, ranges: &ServiceRanges) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut families = owned(service, "/spec/ipFamilies");
    let addresses = owned(service, "/spec/clusterIPs");
    for (index, address) in addresses.iter().enumerate().skip(families.len()) {
        let Ok(address) = address.parse() else { break };
        let family = family_of(&address);
        match ranges.networks.iter().any(|network| network.family() == family) {
            true => families.push(family.to_owned()),
            false => errors.push(FieldError::invalid(
                format!("spec.clusterIPs[{index}]"),
                json!(addresses),
                format!("{family} is not configured on this cluster"),
            )),
        }
    }
    if !families.is_empty() {
        put(service, &["spec", "ipFamilies"], json!(families));
    }
    errors
}

fn check_families(service: &Value, families: &[String], ranges: &ServiceRanges) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let policy = get(service, "/spec/ipFamilyPolicy");
    if *policy == "RequireDualStack" && ranges.networks.len() < 2 {
        let detail = "this cluster is not configured for dual-stack services";
        errors.push(FieldError::invalid("spec.ipFamilyPolicy", policy.clone(), detail));
    }
    for (index, family) in families.iter().enumerate() {
        if !ranges.networks.iter().any(|network| network.family() == family) {
            let field = format!("spec.ipFamilies[{index}]");
            errors.push(FieldError::invalid(
                field,
                json!(family),
                "not configured on this cluster",
            ));
        }
    }
    errors
}

/// What an update leaves out stays as it was given.
pub(super) fn keep_allocated(service: &mut Value, old: &Value) {
    if has_address(old) && has_address(service) {
        if text(service, "/spec/clusterIP").is_empty() && !text(old, "/spec/clusterIP").is_empty() {
            put(service, &["spec", "clusterIP"], get(old, "/spec/clusterIP").clone());
        }
        if items(service, "/spec/clusterIPs").is_empty() && !items(old, "/spec/clusterIPs").is_empty() {
            put(service, &["spec", "clusterIPs"], get(old, "/spec/clusterIPs").clone());
        }
    }
}

/// The places of the service's addresses that have none yet, with their families.
pub(super) fn missing_addresses(service: &Value) -> Vec<(usize, String)> {
    if !has_address(service) || is_headless(service) {
        return Vec::new();
    }
    let addresses = texts(service, "/spec/clusterIPs");
    let families = owned(service, "/spec/ipFamilies").into_iter().enumerate();
    families
        .filter(|(index, _)| addresses.get(*index).is_none_or(|address| address.is_empty()))
        .collect()
}

fn owned(service: &Value, pointer: &str) -> Vec<String> {
    texts(service, pointer).into_iter().map(str::to_owned).collect()
}

fn none_or(errors: Vec<FieldError>) -> Result<(), Vec<FieldError>> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
