use kubewire_client::Gvk;
use serde_json::{Value, json};

use super::apply_defaults;

fn defaulted(gvk: Gvk, mut object: Value) -> Value {
    apply_defaults(&gvk, &mut object);
    object
}

#[test]
fn pods() {
    let pod = json!({"spec": {
        "containers": [{"name": "a", "image": "host:5000/a", "resources": {"limits": {"cpu": "1"}}, "ports": [{"containerPort": 80}]}],
        "volumes": [{"name": "v"}, {"name": "s", "secret": {"secretName": "x"}}],
    }});
    let spec = defaulted(Gvk::new("", "v1", "Pod"), pod)["spec"].take();
    let container = &spec["containers"][0];
    assert_eq!(container["imagePullPolicy"], "Always");
    assert_eq!(container["terminationMessagePath"], "/dev/termination-log");
    assert_eq!(container["resources"]["requests"], json!({"cpu": "1"}));
    assert_eq!(container["ports"][0]["protocol"], "TCP");
    assert_eq!(spec["volumes"][0]["emptyDir"], json!({}));
    assert_eq!(
        spec["volumes"][1],
        json!({"name": "s", "secret": {"secretName": "x", "defaultMode": 420}})
    );
    assert_eq!(spec["enableServiceLinks"], true);
    assert_eq!(spec["securityContext"], json!({}));
    assert_eq!(spec["terminationGracePeriodSeconds"], 30);
}

#[test]
fn templates_are_not_pods() {
    let deployment = json!({"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}});
    let spec = defaulted(Gvk::new("apps", "v1", "Deployment"), deployment)["spec"].take();
    assert_eq!(spec["template"]["spec"].get("enableServiceLinks"), None);
    let rolling = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    assert_eq!(spec["strategy"], rolling);
}

#[test]
fn jobs() {
    let job = defaulted(
        Gvk::new("batch", "v1", "Job"),
        json!({"spec": {"parallelism": 0, "podFailurePolicy": {}}}),
    );
    assert_eq!(job["spec"]["parallelism"], 0);
    assert_eq!(job["spec"].get("completions"), None);
    assert_eq!(job["spec"]["podReplacementPolicy"], "Failed");
    assert_eq!(job["spec"]["backoffLimit"], 6);
    let cron = defaulted(
        Gvk::new("batch", "v1", "CronJob"),
        json!({"spec": {"jobTemplate": {"spec": {}}}}),
    );
    assert_eq!(cron["spec"]["jobTemplate"]["spec"].get("backoffLimit"), None);
}

#[test]
fn services() {
    let service = defaulted(
        Gvk::new("", "v1", "Service"),
        json!({"spec": {"ports": [{"port": 80}]}}),
    );
    let expected = json!({
        "type": "ClusterIP", "sessionAffinity": "None", "internalTrafficPolicy": "Cluster",
        "ports": [{"port": 80, "targetPort": 80, "protocol": "TCP"}],
    });
    assert_eq!(service["spec"], expected);
    let external = defaulted(Gvk::new("", "v1", "Service"), json!({"spec": {"type": "ExternalName"}}));
    assert_eq!(external["spec"].get("internalTrafficPolicy"), None);
}

#[test]
fn defaults_are_stable() {
    let mut object = json!({"metadata": {"name": "a"}, "spec": {"template": {"spec": {"volumes": [{"name": "v"}]}}}});
    for gvk in [
        Gvk::new("apps", "v1", "StatefulSet"),
        Gvk::new("", "v1", "ReplicationController"),
        Gvk::new("", "v1", "Namespace"),
    ] {
        apply_defaults(&gvk, &mut object);
        let once = object.clone();
        apply_defaults(&gvk, &mut object);
        assert_eq!(object, once);
    }
}

#[test]
fn other_kinds_are_left_alone() {
    let widget = json!({"spec": {"replicas": null}});
    assert_eq!(
        defaulted(Gvk::new("example.com", "v1", "Widget"), widget.clone()),
        widget
    );
}
