use std::sync::Arc;

use kubewire_client::{Gvk, Gvr};
use serde_json::{Value, json};

use super::webhooks;
use super::{AdmissionPlugins, Attributes, admit_create, fill_in, limit_ranger};
use crate::authorization::AlwaysAllow;
use crate::endpoints::Equivalents;
use crate::registry::service_ranges::ServiceRanges;
use crate::registry::stores::Stores;
use crate::registry::{DeleteOptions, Operation, RequestAdmission, WriteContext, facts};
use crate::status::{ApiError, GroupResource};
use crate::storage::Storage;
use crate::storage::memory::MemoryStorage;

async fn stores() -> Stores {
    let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::default());
    let stores = Stores::open(&storage, &ServiceRanges::default(), Default::default());
    add(&stores, ("", "namespaces"), "", json!({ "metadata": { "name": "ns" } })).await;
    stores
}

async fn add(stores: &Stores, (group, plural): (&'static str, &'static str), namespace: &str, object: Value) {
    let store = stores.get(group, plural).unwrap();
    store.create(&WriteContext::default(), namespace, object).await.unwrap();
}

async fn admit(stores: &Stores, plural: &str, namespace: &str, object: &mut Value) -> Result<(), ApiError> {
    let facts = facts::resources().iter().find(|facts| facts.plural == plural).unwrap();
    let plugins = AdmissionPlugins::default();
    let attributes = Attributes {
        stores,
        plugins: &plugins,
        resource: GroupResource::new(facts.group, facts.plural),
        namespace,
        name: "",
    };
    admit_create(&attributes, Some(object)).await?;
    fill_in(&attributes, object, None).await?;
    match plural {
        "pods" => limit_ranger::check_pod(&attributes, object).await,
        "persistentvolumeclaims" => limit_ranger::check_claim(&attributes, object).await,
        _ => Ok(()),
    }
}

fn pod(spec: Value) -> Value {
    json!({ "metadata": { "name": "p" }, "spec": spec })
}

#[tokio::test]
async fn namespaces_must_be_there_and_stay() {
    let stores = stores().await;
    let mut object = json!({ "metadata": { "name": "a" } });
    assert!(admit(&stores, "configmaps", "ns", &mut object).await.is_ok());
    let missing = admit(&stores, "configmaps", "nosuch", &mut object).await.unwrap_err();
    assert_eq!(
        (missing.code(), missing.message()),
        (404, "namespaces \"nosuch\" not found")
    );
    let namespaces = stores.get("", "namespaces").unwrap();
    namespaces
        .delete(&WriteContext::default(), "", "ns", DeleteOptions::default())
        .await
        .unwrap();
    let ending = admit(&stores, "configmaps", "ns", &mut object).await.unwrap_err();
    assert_eq!(
        (ending.code(), ending.message()),
        (
            403,
            "configmaps \"a\" is forbidden: unable to create new content in namespace ns because it is being terminated"
        )
    );
}

#[tokio::test]
async fn priorities_come_from_classes() {
    let stores = stores().await;
    let class = json!({ "metadata": { "name": "high" }, "value": 7, "preemptionPolicy": "Never" });
    add(&stores, ("scheduling.k8s.io", "priorityclasses"), "", class).await;
    let mut plain = pod(json!({}));
    admit(&stores, "pods", "ns", &mut plain).await.unwrap();
    assert_eq!(plain["spec"]["priority"], 0);
    let tolerated = |key| json!({ "key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300 });
    let wanted = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"].map(tolerated);
    assert_eq!(plain["spec"]["tolerations"], json!(wanted));
    let mut high = pod(json!({ "priorityClassName": "high" }));
    admit(&stores, "pods", "ns", &mut high).await.unwrap();
    assert_eq!(
        (&high["spec"]["priority"], &high["spec"]["preemptionPolicy"]),
        (&json!(7), &json!("Never"))
    );
    let unknown = admit(
        &stores,
        "pods",
        "ns",
        &mut pod(json!({ "priorityClassName": "nosuch" })),
    )
    .await;
    assert_eq!(
        unknown.unwrap_err().message(),
        "pods \"p\" is forbidden: no PriorityClass with name nosuch was found"
    );
    let default = json!({ "metadata": { "name": "all" }, "value": 3, "globalDefault": true });
    add(&stores, ("scheduling.k8s.io", "priorityclasses"), "", default).await;
    let mut plain = pod(json!({}));
    admit(&stores, "pods", "ns", &mut plain).await.unwrap();
    assert_eq!(
        (&plain["spec"]["priority"], &plain["spec"]["priorityClassName"]),
        (&json!(3), &json!("all"))
    );
}

#[tokio::test]
async fn limit_ranges() {
    let stores = stores().await;
    let limits = json!([
        { "type": "Container", "default": { "cpu": "1" }, "defaultRequest": { "cpu": "500m" }, "max": { "cpu": "2" } },
        { "type": "Pod", "max": { "cpu": "3" } },
        { "type": "PersistentVolumeClaim", "min": { "storage": "1Gi" } },
    ]);
    let range = json!({ "metadata": { "name": "l" }, "spec": { "limits": limits } });
    add(&stores, ("", "limitranges"), "ns", range).await;
    let with = |cpu: &[&str]| {
        let containers = cpu.iter().enumerate().map(|(index, cpu)| {
            let resources = json!({ "limits": { "cpu": cpu }, "requests": { "cpu": cpu } });
            json!({ "name": format!("c{index}"), "resources": resources })
        });
        pod(json!({ "containers": containers.collect::<Vec<_>>() }))
    };
    let mut plain = pod(json!({ "containers": [{ "name": "c" }] }));
    admit(&stores, "pods", "ns", &mut plain).await.unwrap();
    assert_eq!(
        plain["spec"]["containers"][0]["resources"],
        json!({ "limits": { "cpu": "1" }, "requests": { "cpu": "500m" } })
    );
    assert_eq!(
        plain["metadata"]["annotations"]["kubernetes.io/limit-ranger"],
        "LimitRanger plugin set: cpu request for container c; cpu limit for container c"
    );
    let large = admit(&stores, "pods", "ns", &mut with(&["2.5"])).await.unwrap_err();
    assert_eq!(
        large.message(),
        "pods \"p\" is forbidden: maximum cpu usage per Container is 2, but limit is 2.5"
    );
    let together = admit(&stores, "pods", "ns", &mut with(&["2", "1500m"]))
        .await
        .unwrap_err();
    assert_eq!(
        together.message(),
        "pods \"p\" is forbidden: maximum cpu usage per Pod is 3, but limit is 3500m"
    );
    let mut claim =
        json!({ "metadata": { "name": "c" }, "spec": { "resources": { "requests": { "storage": "1Mi" } } } });
    let small = admit(&stores, "persistentvolumeclaims", "ns", &mut claim)
        .await
        .unwrap_err();
    assert_eq!(
        small.message(),
        "persistentvolumeclaims \"c\" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request \
         is 1Mi"
    );
}

#[tokio::test]
async fn claims_get_the_default_class() {
    let stores = stores().await;
    for (name, default) in [("a", "true"), ("b", "false")] {
        let annotations = json!({ "storageclass.kubernetes.io/is-default-class": default });
        let class = json!({ "metadata": { "name": name, "annotations": annotations }, "provisioner": "example.com/p" });
        add(&stores, ("storage.k8s.io", "storageclasses"), "", class).await;
    }
    let mut claim = json!({ "metadata": { "name": "c" }, "spec": {} });
    admit(&stores, "persistentvolumeclaims", "ns", &mut claim)
        .await
        .unwrap();
    assert_eq!(claim["spec"]["storageClassName"], "a");
    let mut none = json!({ "metadata": { "name": "c" }, "spec": { "storageClassName": "" } });
    admit(&stores, "persistentvolumeclaims", "ns", &mut none).await.unwrap();
    assert_eq!(none["spec"]["storageClassName"], "");
}

/// What asks about pods, or a subresource of them, with the plugin `ServiceAccount` on.
fn with_service_accounts(stores: &Arc<Stores>, subresource: &str) -> RequestAdmission {
    let enabled = ["ServiceAccount".to_owned()];
    let plugins = Arc::new(AdmissionPlugins::new(&enabled, &[], Arc::new(AlwaysAllow), None));
    plugins.of_request(&GroupResource::new("", "pods"), stores, || webhooks::Attributes {
        kind: Gvk::new("", "v1", "Pod"),
        resource: Gvr::new("", "v1", "pods"),
        subresource: subresource.to_owned(),
        equivalents: Equivalents::built_in(),
        namespace: "ns".to_owned(),
        name: String::new(),
        options: Value::Null,
        dry_run: false,
        user: Arc::default(),
        warnings: Default::default(),
        audit: Default::default(),
        clock: Default::default(),
        ids: Default::default(),
    })
}

#[tokio::test]
async fn pods_get_what_their_account_has() {
    let stores = Arc::new(stores().await);
    let admission = with_service_accounts(&stores, "");
    let containers = json!([{ "name": "a" }, { "name": "b", "volumeMounts": [{
        "name": "v", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount",
    }] }]);
    let new = pod(json!({ "containers": containers }));
    let missing = admission
        .mutate(Operation::Create, new.clone(), None)
        .await
        .unwrap_err();
    assert_eq!(
        (missing.code(), missing.message()),
        (
            403,
            "pods \"p\" is forbidden: error looking up service account ns/default: serviceaccount \"default\" not found"
        )
    );
    let account = json!({ "metadata": { "name": "default" }, "imagePullSecrets": [{ "name": "pull" }] });
    add(&stores, ("", "serviceaccounts"), "ns", account).await;
    let made = admission.mutate(Operation::Create, new, None).await.unwrap();
    let spec = &made["spec"];
    assert_eq!(
        (
            &spec["serviceAccountName"],
            &spec["serviceAccount"],
            &spec["imagePullSecrets"]
        ),
        (&json!("default"), &json!("default"), &json!([{ "name": "pull" }]))
    );
    let volume = &spec["volumes"][0];
    assert!(volume["name"].as_str().unwrap().starts_with("kube-api-access-"));
    let token = json!({ "serviceAccountToken": { "path": "token", "expirationSeconds": 3607 } });
    assert_eq!(
        (&volume["projected"]["sources"][0], &volume["projected"]["defaultMode"]),
        (&token, &json!(420))
    );
    assert_eq!(spec["containers"][0]["volumeMounts"][0]["name"], volume["name"]);
    assert_eq!(spec["containers"][1]["volumeMounts"].as_array().unwrap().len(), 1);
    let quiet = pod(json!({ "automountServiceAccountToken": false, "containers": [{ "name": "a" }] }));
    let quiet = admission.mutate(Operation::Create, quiet, None).await.unwrap();
    assert_eq!(quiet["spec"]["volumes"], Value::Null);
}

#[tokio::test]
async fn pods_refer_to_what_their_account_allows() {
    let stores = Arc::new(stores().await);
    let annotations = json!({ "kubernetes.io/enforce-mountable-secrets": "true" });
    let account = json!({ "metadata": { "name": "strict", "annotations": annotations }, "secrets": [{ "name": "s" }] });
    add(&stores, ("", "serviceaccounts"), "ns", account).await;
    let from = |secret: &str| {
        let source = json!({ "secretRef": { "name": secret } });
        let list = json!([{ "name": "c", "envFrom": [source] }]);
        pod(json!({ "serviceAccountName": "strict", "containers": list, "ephemeralContainers": list }))
    };
    let check = async |subresource: &str, operation, pod: Value| {
        let admission = with_service_accounts(&stores, subresource);
        let checked = admission.validate(operation, Some(&pod), None).await;
        checked.map_err(|error| error.message().to_owned())
    };
    assert_eq!(check("", Operation::Create, from("s")).await, Ok(()));
    let reason = "c with envFrom referencing secret.secretName=\"other\" is not allowed because service account strict \
                  does not reference that secret";
    assert_eq!(
        check("", Operation::Create, from("other")).await,
        Err(format!("pods \"p\" is forbidden: container {reason}"))
    );
    assert_eq!(
        check("ephemeralcontainers", Operation::Update, from("other")).await,
        Err(format!("ephemeral container {reason}"))
    );
    let mut mirror = pod(json!({ "volumes": [{ "name": "v", "secret": { "secretName": "s" } }] }));
    mirror["metadata"]["annotations"] = json!({ "kubernetes.io/config.mirror": "x" });
    assert_eq!(
        check("", Operation::Create, mirror).await,
        Err("pods \"p\" is forbidden: a mirror pod may not reference secrets".to_owned())
    );
}
