//! What deletions are told.

use http::Request;
use serde_json::{Value, json};

use super::{Caller, MAPS, pod};

#[tokio::test]
async fn options_of_deletions() {
    let mut api = Caller::start().await;
    let one = format!("{MAPS}/one");
    api.make(MAPS, "ConfigMap", "one", json!({})).await;
    for (body, message) in [
        (
            json!({ "kind": "Pod", "apiVersion": "v1" }),
            "no kind \"Pod\" is registered for version \"v1\" in scheme \"pkg/runtime/scheme.go:111\"",
        ),
        (
            json!({ "gracePeriodSeconds": "5" }),
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds of type int64",
        ),
    ] {
        api.refused("DELETE", &one, body, 400, message).await;
    }
    let (code, answer, _) = api.ask(Request::delete(one.as_str()), "hello".to_owned()).await;
    let message = "couldn't get version/kind; json parse error: invalid character 'h' looking for beginning of value";
    assert_eq!((code, answer["message"].as_str()), (400, Some(message)));
    let unsafe_deletion = "ignoreStoreReadErrorWithClusterBreakingPotential";
    api.refused(
        "DELETE",
        &format!("{one}?{unsafe_deletion}=true"),
        Value::Null,
        409,
        "Operation cannot be fulfilled on configmaps \"one\": StorageError: invalid object, Code: 4, Key: \
         /registry/configmaps/default/one, ResourceVersion: 0, AdditionalErrorMsg: unsafe deletion is not allowed \
         because the object is decodable from storage",
    )
    .await;
    api.refused(
        "DELETE",
        &format!("{MAPS}?{unsafe_deletion}=true"),
        Value::Null,
        422,
        &format!(
            "DeleteOptions.meta.k8s.io \"\" is invalid: {unsafe_deletion}: Invalid value: true: is not allowed \
                  with DELETECOLLECTION, try again after removing the option"
        ),
    )
    .await;
    // Objects in another version than that of the list are not meant.
    let two = api.make(MAPS, "ConfigMap", "two", json!({})).await;
    let newer = two["metadata"]["resourceVersion"].as_str().unwrap();
    let path = format!("{MAPS}?resourceVersion={newer}");
    let (code, answer) = api.send("DELETE", &path, Value::Null).await;
    assert_eq!((code, &answer["reason"]), (409, &json!("Conflict")));
    let version = api.ok("GET", &one, Value::Null).await["metadata"]["resourceVersion"].clone();
    let (code, _) = api
        .send("DELETE", &format!("{MAPS}?resourceVersion=x"), Value::Null)
        .await;
    assert_eq!(code, 400);
    // An impatient client is as patient as the server.
    api.ok("GET", &format!("{one}?timeout=-1s"), Value::Null).await;
    let list = api
        .ok(
            "DELETE",
            &format!("{MAPS}?resourceVersion={}", version.as_str().unwrap()),
            Value::Null,
        )
        .await;
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn objects_that_are_being_deleted() {
    let mut api = Caller::start().await;
    let held = json!({ "metadata": { "finalizers": ["a.b/z"], "deletionTimestamp": "2030-01-01T00:00:00Z" } });
    let made = api.make(MAPS, "ConfigMap", "held", held).await;
    assert_eq!(made["metadata"].get("deletionTimestamp"), None);
    let fields = &made["metadata"]["managedFields"][0]["fieldsV1"]["f:metadata"];
    assert_eq!(fields.get("f:deletionTimestamp"), None, "{fields}");
    let path = format!("{MAPS}/held");
    api.ok("DELETE", &path, Value::Null).await;
    let again = json!({ "kind": "ConfigMap", "apiVersion": "v1", "metadata": { "name": "held" } });
    api.refused(
        "POST",
        MAPS,
        again,
        409,
        "object is being deleted: configmaps \"held\" already exists",
    )
    .await;
    api.refused(
        "PATCH", &path, json!({ "metadata": { "finalizers": ["a.b/z", "a.b/y", "a.b/x"] } }), 422,
        "ConfigMap \"held\" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is \
         being deleted, found new finalizers []string{\"a.b/x\", \"a.b/y\"}",
    ).await;
    api.refused(
        "DELETE",
        "/apis/scheduling.k8s.io/v1/priorityclasses/system-node-critical",
        Value::Null,
        403,
        "priorityclasses.scheduling.k8s.io \"system-node-critical\" is forbidden: this is a system priority class and \
         cannot be deleted",
    )
    .await;
    // Jobs leave their pods behind unless told otherwise, and say so.
    let jobs = "/apis/batch/v1/namespaces/default/jobs";
    let mut job = json!({ "spec": { "template": pod() } });
    job["spec"]["template"]["spec"]["restartPolicy"] = "Never".into();
    api.make(jobs, "Job", "j", job).await;
    let path = format!("{jobs}/j?dryRun=All");
    let (_, _, headers) = api.ask(Request::delete(path.as_str()), String::new()).await;
    assert!(
        headers["warning"]
            .to_str()
            .unwrap()
            .contains("child pods are preserved by default")
    );
    let (_, _, headers) = api
        .ask(
            Request::delete(format!("{path}&propagationPolicy=Orphan")),
            String::new(),
        )
        .await;
    assert!(!headers.contains_key("warning"));
}
