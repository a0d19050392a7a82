//! `ResourceQuota`: what a namespace may have is counted in the status of its quotas, and what is over it refused.
//!
//! Only quotas with a status count: whoever makes one, or a controller, says what is used so far. What is deleted is
//! counted off by that controller, as with kube-apiserver alone.

mod usage;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use self::usage::{Usage, matches_scopes, unspecified, usage_of};
use super::request::PluginAdmission;
use crate::registry::quantity::{is_binary, nanos, shown};
use crate::registry::store::Store;
use crate::registry::validation::values::{entries, get, put, text};
use crate::registry::{ListQuery, Operation, UpdateOptions, WriteContext};
use crate::status::{ApiError, GroupResource};

impl PluginAdmission {
    /// Counts a new or changed object, and refuses it where that is too much.
    pub(super) async fn check_quota(
        &self,
        operation: Operation,
        new: &Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let attributes = &self.attributes;
        let resource = &self.resource;
        let counted = matches!(
            (operation, attributes.subresource.as_str(), &*resource.resource),
            (Operation::Create, "", _)
                | (Operation::Update, "", "services" | "persistentvolumeclaims")
                | (Operation::Update, "resize", "pods")
        );
        let Some(quotas) = self
            .stores
            .get("", "resourcequotas")
            .filter(|quotas| counted && quotas.cache_stats().objects > 0)
        else {
            return Ok(());
        };
        let query = ListQuery {
            resource_version: Some(quotas.written_version()),
            ..ListQuery::default()
        };
        let before = old.map(|old| usage_of(resource, old)).unwrap_or_default();
        let mut delta = usage_of(resource, new);
        for (name, amount) in &before {
            if let Some(now) = delta.get_mut(name) {
                now.nanos -= amount.nanos;
            }
        }
        delta.retain(|_, amount| amount.nanos > 0);
        if delta.is_empty() {
            return Ok(());
        }
        let name = text(new, "/metadata/name");
        let mut due = Vec::new();
        for quota in quotas.list(&attributes.namespace, &query).await?.items {
            let document = quota.document();
            let hard = |name: &String| !get(&document, "/status/hard")[name].is_null();
            if !delta.keys().any(hard) || !matches_scopes(&document, resource, new) {
                continue;
            }
            let missing = unspecified(resource, new, &document);
            if !missing.is_empty() {
                let quota = &quota.header().name;
                let message = format!("failed quota: {quota}: must specify {}", missing.join("; "));
                return Err(ApiError::forbidden(resource, name, message));
            }
            charge(&document, &delta).map_err(|message| ApiError::forbidden(resource, name, message))?;
            due.push(quota.header().name.clone());
        }
        if !attributes.dry_run {
            for quota in due {
                self.store_usage(quotas, &quota, &delta, (resource, name)).await?;
            }
        }
        Ok(())
    }

    /// Others may have counted meanwhile: it is checked again with what is stored.
    async fn store_usage(
        &self,
        quotas: &Arc<Store>,
        quota: &str,
        delta: &Usage,
        (resource, name): (&GroupResource, &str),
    ) -> Result<(), ApiError> {
        let context = WriteContext {
            clock: self.attributes.clock.clone(),
            ids: self.attributes.ids.clone(),
            field_manager: Some("kube-apiserver".to_owned()),
            subresource: Some("status".to_owned()),
            ..WriteContext::default()
        };
        let count = |current: &Value| {
            let used = charge(current, delta).map_err(|message| ApiError::forbidden(resource, name, message))?;
            let mut counted = current.clone();
            for (name, amount) in used {
                put(&mut counted, &["status", "used", &name], json!(amount));
            }
            Ok(counted)
        };
        let (namespace, options) = (self.attributes.namespace.as_str(), UpdateOptions::default());
        quotas
            .update(&context, namespace, quota, Some("status"), count, options)
            .await
            .map(drop)
    }
}

/// A resource of which there is not enough: its name, what is requested, what is used, and the limit.
type Exceeded<'a> = (&'a String, String, &'a str, &'a str);

/// What is used with `delta` on top, of the resources that a quota limits.
///
/// # Errors
/// It is too much; the message says of what.
fn charge(quota: &Value, delta: &Usage) -> Result<BTreeMap<String, String>, String> {
    let (mut used, mut exceeded) = (BTreeMap::new(), Vec::<Exceeded<'_>>::new());
    for (name, limit) in entries(quota, "/status/hard") {
        let Some(amount) = delta.get(name) else { continue };
        let limit = limit.as_str().unwrap_or_default();
        let so_far = get(quota, "/status/used")[name].as_str().unwrap_or("0");
        let before = nanos(so_far).unwrap_or_default();
        let sum = before + amount.nanos;
        let binary = if before == 0 { amount.binary } else { is_binary(so_far) };
        if sum > nanos(limit).unwrap_or_default() {
            exceeded.push((name, shown(amount.nanos, amount.binary), so_far, limit));
        }
        used.insert(name.clone(), shown(sum, binary));
    }
    if exceeded.is_empty() {
        return Ok(used);
    }
    exceeded.sort();
    let list = |value: for<'a> fn(&'a Exceeded<'_>) -> &'a str| {
        let pairs = exceeded.iter().map(|row| format!("{}={}", row.0, value(row)));
        pairs.collect::<Vec<_>>().join(",")
    };
    Err(format!(
        "exceeded quota: {}, requested: {}, used: {}, limited: {}",
        text(quota, "/metadata/name"),
        list(|row| &row.1),
        list(|row| row.2),
        list(|row| row.3),
    ))
}
