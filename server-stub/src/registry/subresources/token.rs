//! `token`: a service account gets a token.

use serde_json::{Value, json};

use crate::authentication::service_account::{Grant, IssuedToken, Reference, ServiceAccountTokens};
use crate::filters::WarningRecorder;
use crate::registry::store::{Store, seconds};
use crate::registry::stores::Stores;
use crate::registry::validation::values::{get, number, put, text, texts};
use crate::status::{ApiError, FieldError, GroupResource};

/// The name of the subresource.
pub(crate) const NAME: &str = "token";
const GROUP: &str = "authentication.k8s.io";
const KIND: &str = "TokenRequest";
/// Seconds.
const DEFAULT_EXPIRATION: i64 = 60 * 60;
const SHORTEST_EXPIRATION: i64 = 10 * 60;
const LONGEST_EXPIRATION: i64 = 1 << 32;

/// Fills in what a request leaves to the server.
pub(crate) fn set_defaults(request: &mut Value) {
    if number(request, "/spec/expirationSeconds").is_none() {
        put(request, &["spec", "expirationSeconds"], json!(DEFAULT_EXPIRATION));
    }
}

/// The account as the token's metadata and audience tell, before admission sees the request.
pub(crate) async fn complete(
    accounts: &Store,
    tokens: &ServiceAccountTokens,
    name: &str,
    namespace: &str,
    request: &mut Value,
    now: jiff::Timestamp,
) -> Result<(), ApiError> {
    let named = text(request, "/metadata/name");
    if !named.is_empty() && named != name {
        let detail = "must match the service account name if specified";
        let error = FieldError::invalid("metadata.name", named.into(), detail);
        return Err(ApiError::invalid(GROUP, KIND, name, vec![error]));
    }
    let account = accounts.get(namespace, name, None).await?;
    if texts(request, "/spec/audiences").is_empty() {
        put(request, &["spec", "audiences"], json!(tokens.config().api_audiences));
    }
    put(request, &["metadata", "name"], json!(name));
    put(request, &["metadata", "uid"], json!(account.header().uid));
    put(request, &["metadata", "creationTimestamp"], json!(seconds(now)));
    Ok(())
}

/// Issues a token for a request that is [complete](complete) and puts it into its status.
pub(crate) async fn issue(
    stores: &Stores,
    tokens: &ServiceAccountTokens,
    request: &mut Value,
    warnings: &WarningRecorder,
) -> Result<IssuedToken, ApiError> {
    let asked = number(request, "/spec/expirationSeconds").unwrap_or(DEFAULT_EXPIRATION);
    let wrong = match asked {
        ..SHORTEST_EXPIRATION => Some("may not specify a duration less than 10 minutes"),
        LONGEST_EXPIRATION.. if asked > LONGEST_EXPIRATION => {
            Some("may not specify a duration larger than 2^32 seconds")
        }
        _ => None,
    };
    if let Some(detail) = wrong {
        let error = FieldError::invalid("spec.expirationSeconds", json!(asked), detail);
        return Err(ApiError::invalid(GROUP, KIND, "", vec![error]));
    }
    let account = Reference {
        name: text(request, "/metadata/name").to_owned(),
        uid: text(request, "/metadata/uid").to_owned(),
    };
    let mut grant = Grant {
        namespace: text(request, "/metadata/namespace").to_owned(),
        account,
        pod: None,
        secret: None,
        node: None,
        audiences: texts(request, "/spec/audiences")
            .into_iter()
            .map(str::to_owned)
            .collect(),
        expiration: asked,
    };
    bind(stores, get(request, "/spec/boundObjectRef"), &mut grant).await?;
    if let Some(longest) = tokens.config().max_expiration.filter(|longest| asked > *longest) {
        warnings.extend([format!(
            "requested expiration of {asked} seconds shortened to {longest} seconds"
        )]);
        put(request, &["spec", "expirationSeconds"], json!(longest));
        grant.expiration = longest;
    }
    let issued = tokens.issue(grant).map_err(ApiError::internal)?;
    request["status"] = json!({ "token": issued.token, "expirationTimestamp": seconds(issued.expiration) });
    if let Some(spec) = request["spec"].as_object_mut() {
        // Shown although there is none.
        spec.entry("boundObjectRef").or_insert(Value::Null);
    }
    Ok(issued)
}

/// Binds the token to what the request names.
async fn bind(stores: &Stores, reference: &Value, grant: &mut Grant) -> Result<(), ApiError> {
    if reference.is_null() {
        return Ok(());
    }
    let (api_version, kind, name) = (
        text(reference, "/apiVersion"),
        text(reference, "/kind"),
        text(reference, "/name"),
    );
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let resource = match (group, kind) {
        ("", "Pod") => "pods",
        ("", "Secret") => "secrets",
        ("", "Node") => "nodes",
        _ => {
            let message = format!("cannot bind token to object of type {group}/{version}, Kind={kind}");
            return Err(ApiError::bad_request(message));
        }
    };
    if name.is_empty() {
        return Err(ApiError::bad_request("Name parameter required."));
    }
    let namespace = if resource == "nodes" {
        ""
    } else {
        grant.namespace.as_str()
    };
    let object = store(stores, resource)?.get(namespace, name, None).await?;
    let uid = object.header().uid.clone();
    let (document, account) = (object.document(), &grant.account.name);
    if resource == "pods" && text(&document, "/spec/serviceAccountName") != account {
        return Err(ApiError::bad_request(format!(
            "cannot bind token for serviceaccount {account:?} to pod running with different serviceaccount name."
        )));
    }
    let wanted = text(reference, "/uid");
    if !wanted.is_empty() && wanted != uid {
        let message = format!(
            "the UID in the bound object reference ({wanted}) does not match the UID in record. The object might have \
             been deleted and then recreated"
        );
        let resource = GroupResource::new(group.to_owned(), kind.to_owned());
        return Err(ApiError::conflict(&resource, name, message));
    }
    let bound = Some(Reference {
        name: name.to_owned(),
        uid,
    });
    match resource {
        "secrets" => grant.secret = bound,
        "nodes" => grant.node = bound,
        _ => {
            grant.pod = bound;
            grant.node = node_of(stores, text(&document, "/spec/nodeName")).await?;
        }
    }
    Ok(())
}

/// A pod's node; it may not be known yet.
async fn node_of(stores: &Stores, name: &str) -> Result<Option<Reference>, ApiError> {
    if name.is_empty() {
        return Ok(None);
    }
    let uid = match store(stores, "nodes")?.get("", name, None).await {
        Ok(node) => node.header().uid.clone(),
        Err(error) if error.code() == 404 => String::new(),
        Err(error) => return Err(error),
    };
    let name = name.to_owned();
    Ok(Some(Reference { name, uid }))
}

fn store<'a>(stores: &'a Stores, resource: &'static str) -> Result<&'a Store, ApiError> {
    let store = stores.get("", resource).map(AsRef::as_ref);
    store.ok_or_else(|| ApiError::internal(format!("{resource} are not stored")))
}
