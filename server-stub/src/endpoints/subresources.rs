//! What is posted to a subresource: bindings and evictions.

use http::StatusCode;
use kubewire_client::Gvk;
use kubewire_client::wire::schema;
use serde_json::{Value, json};

use super::call::Call;
use super::negotiation::{Format, View};
use super::options::{DeleteOptions, WriteOptions};
use super::table::partial_metadata_value;
use super::virtual_resource::attribute;
use super::{answer, delete, write};
use crate::admission::admit_create;
use crate::apiextensions::customresource::ScalePaths;
use crate::generic::request::{RequestBody, Response};
use crate::registry::subresources::eviction::{self, Evicted};
use crate::registry::subresources::{binding, scale, token};
use crate::registry::validation::values::put;
use crate::registry::{AdmittedPart, Operation, WriteContext};
use crate::status::ApiError;

/// Posts an object to a subresource.
pub(crate) async fn create(call: &Call<'_>, subresource: &str, body: RequestBody) -> Result<Response, ApiError> {
    let options = WriteOptions::parse(&call.query, "CreateOptions", false)?;
    let mut object = write::read_object(call, body, &options).await?;
    write::set_namespace(call, &mut object)?;
    admit_create(&call.attributes(), None).await?;
    if subresource == token::NAME {
        return issue_token(call, &options, object).await;
    }
    let mut context = call.write_context(&options);
    // What follows from it is not asked about again.
    let admission = std::mem::take(&mut context.admission);
    if let Some(kind) = call.body_kind()?.schema() {
        let manager = context.field_manager.as_deref();
        attribute(kind, call.subresource(), manager, call.clock.now(), &mut object);
    }
    object = admission.mutate(Operation::Create, object, None).await?;
    admission.validate(Operation::Create, Some(&object), None).await?;
    let own_name = object["metadata"]["name"].as_str().unwrap_or_default();
    if call.info.name.is_empty() && own_name.is_empty() {
        return Err(ApiError::bad_request("Name parameter required."));
    }
    let (namespace, name) = match call.info.name.as_str() {
        // Bindings were once created beside the pods.
        "" => (call.namespace(), own_name),
        name => (call.namespace(), name),
    };
    let store = &call.resource.store;
    match subresource {
        binding::NAME => {
            binding::bind(store, &context, namespace, name, &object).await?;
            success(call)
        }
        "eviction" => {
            if object["metadata"]["name"] != *name {
                let message = "name in URL does not match name in Eviction object";
                return Err(ApiError::bad_request(message));
            }
            let deletion = match &object["deleteOptions"] {
                Value::Null => DeleteOptions::default(),
                given => DeleteOptions::from_body(given)?,
            };
            context.dry_run |= deletion.dry_run;
            let budgets = call.stores.get("policy", "poddisruptionbudgets");
            let budgets = budgets.ok_or_else(|| ApiError::internal("disruption budgets are not stored"))?;
            let options = delete::store_options(deletion);
            match eviction::evict(store, budgets, &context, namespace, name, options).await? {
                Evicted::Done => success(call),
                Evicted::Undecidable(why) => Err(ApiError::unclassified(why)),
            }
        }
        _ => Err(not_served(call)),
    }
}

/// Issues a token for a service account.
async fn issue_token(call: &Call<'_>, options: &WriteOptions, mut request: Value) -> Result<Response, ApiError> {
    let kind = call.body_kind()?.schema();
    let kind = kind.ok_or_else(|| ApiError::internal("no schema of TokenRequest"))?;
    let (tokens, context) = (call.service_account_tokens, call.write_context(options));
    let now = call.clock.now();
    token::set_defaults(&mut request);
    attribute(
        kind,
        call.subresource(),
        context.field_manager.as_deref(),
        now,
        &mut request,
    );
    let mut request = context.admission.mutate(Operation::Create, request, None).await?;
    let (accounts, name, namespace) = (&call.resource.store, &call.info.name, call.namespace());
    token::complete(accounts, tokens, name, namespace, &mut request, now).await?;
    context
        .admission
        .validate(Operation::Create, Some(&request), None)
        .await?;
    let issued = token::issue(call.stores, tokens, &mut request, &call.warnings).await?;
    call.audit.annotate(
        "authentication.kubernetes.io/issued-credential-id",
        issued.credential_id,
    );
    call.document(StatusCode::CREATED, &request, kind)
}

/// The scale of the object, where the request is about that.
pub(crate) fn is_scale(call: &Call<'_>) -> bool {
    call.info.subresource == "scale"
}

/// The context of a write that changes the scale only: admission sees that instead of the object.
pub(crate) fn scale_context(call: &Call<'_>, context: WriteContext) -> WriteContext {
    let replicas: Vec<String> = replicas_path(call).into_iter().map(str::to_owned).collect();
    let paths = call.resource.custom().and_then(|custom| custom.scale.clone());
    let is_custom = call.resource.custom().is_some();
    WriteContext {
        admission: context.admission.of_part(ScaleAdmission {
            paths,
            replicas,
            is_custom,
        }),
        ..context
    }
}

/// What admission sees of an object whose scale is written.
struct ScaleAdmission {
    paths: Option<ScalePaths>,
    replicas: Vec<String>,
    is_custom: bool,
}

impl AdmittedPart for ScaleAdmission {
    fn of(&self, object: &Value) -> Result<Value, ApiError> {
        match &self.paths {
            Some(paths) => paths.read(object),
            None => scale::read(object),
        }
    }

    fn put(&self, part: &Value, object: &Value) -> Result<Value, ApiError> {
        let path: Vec<&str> = self.replicas.iter().map(String::as_str).collect();
        scale::write(object, part, &path, self.is_custom)
    }
}

/// What a change of the scale does to the object.
pub(crate) fn write_scale(call: &Call<'_>, object: &Value, scale: &Value) -> Result<Value, ApiError> {
    let mut changed = scale::write(object, scale, &replicas_path(call), call.resource.custom().is_some())?;
    if changed["metadata"]["resourceVersion"].is_null() && !call.resource.store.strategy().allow_unconditional_update()
    {
        // Whoever names no version means whatever is there.
        changed["metadata"]["resourceVersion"] = object["metadata"]["resourceVersion"].clone();
    }
    Ok(changed)
}

/// What a scale that is applied wants of the object itself.
pub(crate) fn scaled(call: &Call<'_>, scale: &Value) -> Value {
    let info = call.resource.info();
    let mut object =
        json!({ "apiVersion": info.api_version(), "kind": info.kind, "metadata": { "name": call.info.name } });
    let replicas = &scale["spec"]["replicas"];
    if !replicas.is_null() {
        put(&mut object, &replicas_path(call), replicas.clone());
    }
    object
}

fn replicas_path<'a>(call: &'a Call<'_>) -> Vec<&'a str> {
    match call.resource.custom().and_then(|custom| custom.scale.as_ref()) {
        Some(paths) => paths.replicas(),
        None => vec!["spec", "replicas"],
    }
}

/// The scale of an object.
pub(crate) fn read_scale(call: &Call<'_>, object: &Value) -> Result<Value, ApiError> {
    match call.resource.custom().and_then(|custom| custom.scale.as_ref()) {
        Some(paths) => paths.read(object),
        None => scale::read(object),
    }
}

/// A conflict over the fields of the object, in terms of its scale.
pub(crate) fn about_scale(call: &Call<'_>, error: ApiError) -> ApiError {
    let own = format!("using {}", call.resource.info().api_version());
    let field = format!(".{}", replicas_path(call).join("."));
    let translate = |text: &str| {
        text.replace(&own, "using autoscaling/v1")
            .replace(&field, ".spec.replicas")
    };
    let mut status = error.status().clone();
    status.message = status.message.as_deref().map(translate);
    let causes = status
        .details
        .iter_mut()
        .flat_map(|details| details.causes.iter_mut().flatten());
    for cause in causes {
        cause.message = cause.message.as_deref().map(translate);
        cause.field = cause.field.as_deref().map(translate);
    }
    ApiError::from_status(status)
}

/// Answers with the scale of an object, in the view that the client asked for.
pub(crate) fn answer_scale(call: &Call<'_>, object: &Value) -> Result<Response, ApiError> {
    let kind = call.body_kind()?.schema();
    let kind = kind.ok_or_else(|| ApiError::internal("no schema of Scale"))?;
    let scale = read_scale(call, object)?;
    let accepted = call.accepted()?;
    let view = match accepted.view {
        View::Object => return call.document(StatusCode::OK, &scale, kind),
        View::Table(_) => call.table(accepted.view)?.scale(&scale),
        View::PartialObjectMetadata(version) | View::PartialObjectMetadataList(version) => {
            partial_metadata_value(&scale, version)
        }
    };
    let body = match accepted.format {
        Format::Protobuf => call.partial_protobuf(&view)?,
        format => answer::text(view.to_string().into(), format, accepted.pretty)?,
    };
    Ok(answer::answer(StatusCode::OK, accepted.format, body))
}

/// The error for a subresource that this server does not have.
pub(crate) fn not_served(call: &Call<'_>) -> ApiError {
    let (resource, subresource) = (call.resource.group_resource(), &call.info.subresource);
    ApiError::not_implemented(format!("the subresource {resource}/{subresource} is not served yet"))
}

fn success(call: &Call<'_>) -> Result<Response, ApiError> {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201 });
    let gvk = Gvk::new("", "v1", "Status");
    let kind = schema::kind(&gvk).ok_or_else(|| ApiError::internal(format!("no schema of {gvk}")))?;
    call.document(StatusCode::CREATED, &status, kind)
}
