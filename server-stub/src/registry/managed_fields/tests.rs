use kubewire_client::Gvk;
use kubewire_client::wire::schema;
use proptest::prelude::*;

use super::*;

fn manager(group: &'static str, kind: &'static str) -> FieldManager<'static> {
    FieldManager {
        shape: Shape::of_message(schema::kind(&Gvk::new(group, "v1", kind)).unwrap().message),
        kind,
        api_version: if group.is_empty() { "v1" } else { "apps/v1" },
        subresource: None,
        has_status: true,
        now: "2026-11-21T00:20:08Z".parse().unwrap(),
    }
}

fn fields(object: &Value, index: usize) -> &Value {
    &object["metadata"]["managedFields"][index]["fieldsV1"]
}

#[test]
fn a_new_object_belongs_to_its_creator() {
    let mut pod = json!({
        "metadata": { "name": "p", "labels": { "app": "x" } },
        "spec": {
            "containers": [{ "name": "c", "image": "i", "resources": {}, "ports": [{ "containerPort": 80, "protocol": "TCP" }] }],
            "securityContext": {},
        },
        "status": { "phase": "Pending" },
    });
    manager("", "Pod").update(&Value::Null, &mut pod, "kubectl-create");
    let entry = &pod["metadata"]["managedFields"][0];
    assert_eq!(
        (
            entry["manager"].as_str(),
            entry["operation"].as_str(),
            entry["time"].as_str()
        ),
        (Some("kubectl-create"), Some("Update"), Some("2026-11-21T00:20:08Z"))
    );
    let port = json!({ ".": {}, "f:containerPort": {}, "f:protocol": {} });
    let expected = json!({
        "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
        "f:spec": {
            "f:containers": {
                "k:{\"name\":\"c\"}": {
                    ".": {}, "f:name": {}, "f:image": {}, "f:resources": {},
                    "f:ports": { ".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": port },
                },
            },
            "f:securityContext": {},
        },
    });
    assert_eq!(*fields(&pod, 0), expected);
}

#[test]
fn elements_that_stand_twice_are_owned_as_one() {
    let port = |name: &str| json!({ "name": name, "containerPort": 80, "protocol": "TCP" });
    let pod = |ports: Value| {
        let container = json!({ "name": "c", "image": "i", "ports": ports });
        json!({ "metadata": { "name": "p", "uid": "u" }, "spec": { "containers": [container] } })
    };
    let ports = |pod: &Value, index: usize| {
        let containers = &fields(pod, index)["f:spec"]["f:containers"];
        containers["k:{\"name\":\"c\"}"]["f:ports"].clone()
    };
    let (manager, step) = (manager("", "Pod"), "k:{\"containerPort\":80,\"protocol\":\"TCP\"}");
    let mut first = pod(json!([port("a"), port("b")]));
    manager.update(&Value::Null, &mut first, "one");
    assert_eq!(ports(&first, 0), json!({ ".": {}, step: {} }));
    let mut second = first.clone();
    second["spec"]["containers"][0]["ports"] = json!([port("a"), port("c")]);
    manager.update(&first, &mut second, "two");
    assert_eq!(ports(&second, 0), json!({}));
    assert_eq!(ports(&second, 1), json!({ step: {} }));
}

#[test]
fn changes_move_fields_from_one_manager_to_another() {
    let manager = manager("", "ConfigMap");
    let mut first = json!({ "metadata": { "name": "c" }, "data": { "a": "1", "b": "1" } });
    manager.update(&Value::Null, &mut first, "one");
    let mut second = first.clone();
    second["data"] = json!({ "a": "2", "c": "1" });
    manager.update(&first, &mut second, "two");
    assert_eq!(*fields(&second, 0), json!({ "f:data": {} }));
    assert_eq!(*fields(&second, 1), json!({ "f:data": { "f:a": {}, "f:c": {} } }));
    let mut third = second.clone();
    manager.update(&second, &mut third, "three");
    assert_eq!(third, second);
    // An empty entry resets all of them.
    let mut reset = second.clone();
    reset["metadata"]["managedFields"] = json!([{}]);
    manager.update(&second, &mut reset, "four");
    assert_eq!(reset["metadata"].get("managedFields"), None);
}

#[test]
fn what_nobody_keeps_track_of_is_tracked_from_its_first_application() {
    let manager = manager("", "ConfigMap");
    let live = json!({ "metadata": { "name": "c", "uid": "u" }, "data": { "a": "1" } });
    let mut updated = live.clone();
    updated["data"]["a"] = json!("2");
    manager.update(&live, &mut updated, "one");
    assert_eq!(updated["metadata"].get("managedFields"), None);
    let applied = json!({ "metadata": { "name": "c" }, "data": { "b": "1" } });
    let applied = manager.apply(&updated, &applied, "two", false).unwrap();
    let managers: Vec<&Value> = applied["metadata"]["managedFields"]
        .as_array()
        .unwrap()
        .iter()
        .collect();
    let names: Vec<&str> = managers.iter().filter_map(|entry| entry["manager"].as_str()).collect();
    assert_eq!(names, ["two", "before-first-apply"]);
    assert_eq!(*fields(&applied, 1), json!({ "f:data": { ".": {}, "f:a": {} } }));
}

#[test]
fn the_status_is_not_the_business_of_who_writes_the_object() {
    let live = json!({ "metadata": { "name": "d" }, "spec": { "replicas": 1 } });
    let mut new = live.clone();
    new["spec"]["replicas"] = json!(2);
    new["status"] = json!({ "replicas": 5 });
    let manager = manager("apps", "Deployment");
    let mut by_status = new.clone();
    manager.update(&live, &mut new, "m");
    assert_eq!(*fields(&new, 0), json!({ "f:spec": { "f:replicas": {} } }));
    let status = FieldManager {
        subresource: Some("status"),
        ..manager
    };
    status.update(&live, &mut by_status, "m");
    assert_eq!(*fields(&by_status, 0), json!({ "f:status": { "f:replicas": {} } }));
    assert_eq!(by_status["metadata"]["managedFields"][0]["subresource"], "status");
}

fn config_map(data: Value) -> Value {
    json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "one" }, "data": data })
}

#[test]
fn applying_again_takes_back_what_is_no_longer_named() {
    let manager = manager("", "ConfigMap");
    let first = manager
        .apply(&Value::Null, &config_map(json!({ "a": "1", "b": "1" })), "m1", false)
        .unwrap();
    assert_eq!(*fields(&first, 0), json!({ "f:data": { "f:a": {}, "f:b": {} } }));
    let shared = manager
        .apply(&first, &config_map(json!({ "a": "1", "c": "1" })), "m2", false)
        .unwrap();
    assert_eq!(shared["data"], json!({ "a": "1", "b": "1", "c": "1" }));
    let less = manager.apply(&shared, &config_map(json!({})), "m1", false).unwrap();
    assert_eq!(less["data"], json!({ "a": "1", "c": "1" }));
    let again = manager
        .apply(&less, &config_map(json!({ "a": "1", "c": "1" })), "m2", false)
        .unwrap();
    assert_eq!(again, less);
}

#[test]
fn conflicts_name_manager_and_field() {
    let manager = manager("", "ConfigMap");
    let live = manager
        .apply(&Value::Null, &config_map(json!({ "a": "1", "b": "1" })), "m1", false)
        .unwrap();
    let other = config_map(json!({ "a": "2", "b": "2" }));
    let error = manager.apply(&live, &other, "m2", false).unwrap_err();
    let expected = "Apply failed with 2 conflicts: conflicts with \"m1\":\n- .data.a\n- .data.b";
    assert_eq!((error.code(), error.message()), (409, expected));
    let forced = manager.apply(&live, &other, "m2", true).unwrap();
    assert_eq!(forced["data"], json!({ "a": "2", "b": "2" }));
    assert_eq!(forced["metadata"]["managedFields"].as_array().unwrap().len(), 1);
    let mut updated = forced.clone();
    updated["data"]["a"] = "3".into();
    manager.update(&forced, &mut updated, "editor");
    let error = manager.apply(&updated, &other, "m2", false).unwrap_err();
    assert_eq!(
        error.message(),
        "Apply failed with 1 conflict: conflict with \"editor\" using v1: .data.a"
    );
}

#[test]
fn elements_of_lists_belong_to_who_names_them() {
    let manager = manager("apps", "Deployment");
    let deployment = |containers: Value| {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "d" },
            "spec": { "template": { "spec": { "containers": containers } } },
        })
    };
    let container = |name: &str| json!({ "name": name, "image": "i" });
    let first = manager
        .apply(&Value::Null, &deployment(json!([container("app")])), "m1", false)
        .unwrap();
    let both = manager
        .apply(&first, &deployment(json!([container("side")])), "m2", false)
        .unwrap();
    let containers = &both["spec"]["template"]["spec"]["containers"];
    assert_eq!(*containers, json!([container("app"), container("side")]));
    let error = manager
        .apply(
            &first,
            &deployment(json!([container("s"), container("s")])),
            "m2",
            false,
        )
        .unwrap_err();
    let expected = "failed to create typed patch object (/d; apps/v1, Kind=Deployment): \
                    .spec.template.spec.containers: duplicate entries for key [name=\"s\"]";
    assert_eq!((error.code(), error.message()), (500, expected));
    let bogus = json!({ "metadata": { "name": "d" }, "spec": { "bogus": 1 } });
    let error = manager.apply(&first, &bogus, "m2", false).unwrap_err();
    assert!(
        error.message().ends_with(".spec.bogus: field not declared in schema"),
        "{error}"
    );
}

#[test]
fn kubectl_takes_over_from_client_side_apply() {
    let manager = manager("", "ConfigMap");
    let mut live = config_map(json!({ "a": "1" }));
    live["metadata"]["annotations"] = json!({ LAST_APPLIED: config_map(json!({ "a": "1" })).to_string() });
    let created = live.clone();
    manager.update(&Value::Null, &mut live, "kubectl-client-side-apply");
    let applied = config_map(json!({ "a": "2" }));
    assert_eq!(manager.apply(&live, &applied, "other", false).unwrap_err().code(), 409);
    let taken = manager.apply(&live, &applied, "kubectl", false).unwrap();
    assert_eq!(taken["data"]["a"], "2");
    assert_ne!(taken["metadata"]["annotations"], created["metadata"]["annotations"]);
}

#[test]
fn many_managers_are_put_together() {
    let manager = manager("", "ConfigMap");
    let mut live = config_map(json!({}));
    for number in 0..14 {
        let mut new = live.clone();
        new["data"][format!("k{number}")] = "v".into();
        manager.update(&live, &mut new, &format!("m{number}"));
        live = new;
    }
    let entries = live["metadata"]["managedFields"].as_array().unwrap();
    assert_eq!(entries.len(), 10);
    assert!(entries.iter().any(|entry| entry["manager"] == "ancient-changes"));
}

fn sets() -> impl Strategy<Value = Set> {
    let path = proptest::collection::vec(prop_oneof!["f:[ab]", "k:\\{\"n\":[12]\\}"], 1..4);
    proptest::collection::vec(path, 0..8).prop_map(|paths| {
        let mut set = Set::default();
        paths.iter().for_each(|path| set.insert(path));
        set
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn sets_are_sets(a in sets(), b in sets()) {
        prop_assert_eq!(&Set::from_fields_v1(&a.clone().into_fields_v1()), &a);
        let both = a.intersection(&b);
        prop_assert_eq!(&a.clone().difference(&b).union(&both), &a);
        prop_assert!(a.clone().difference(&b).intersection(&b).is_empty());
        prop_assert_eq!(a.clone().union(&b), b.clone().union(&a));
    }

    #[test]
    fn what_is_applied_is_there_and_owned(a in "[a-c]{1,3}", b in "[a-c]{1,3}", value in "[xy]") {
        let manager = manager("", "ConfigMap");
        let data = |keys: &str| -> Value { keys.chars().map(|key| (key.to_string(), Value::from(value.clone()))).collect() };
        let first = manager.apply(&Value::Null, &config_map(data(&a)), "m1", false).unwrap();
        let second = manager.apply(&first, &config_map(data(&b)), "m1", false).unwrap();
        prop_assert_eq!(&second["data"], &data(&b));
    }
}
