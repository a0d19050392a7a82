//! The Pod Security Standards: what each check finds wrong with a pod.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::field_error::quote;
use crate::registry::validation::values::{entries, flag, get, items, number, text, texts};

/// How much a namespace lets its pods do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    Privileged,
    Baseline,
    Restricted,
}

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The check in a few words.
    pub(super) reason: String,
    /// Where.
    pub(super) detail: String,
}

const DEFAULT_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
    "",
];
const SAFE_SYSCTLS: [&str; 11] = [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_rmem",
];
const SAFE_VOLUMES: [&str; 9] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

/// What is wrong with a pod (an object with `metadata` and `spec`) by the rules of a level. Rules of older versions of
/// the standards are those of today.
pub(super) fn violations(level: Level, pod: &Value) -> Vec<Violation> {
    let pod = Pod(pod);
    let checks: &[fn(&Pod<'_>) -> Option<Violation>] = match level {
        Level::Privileged => &[],
        Level::Baseline => &[
            app_armor,
            default_capabilities,
            host_namespaces,
            host_path,
            host_ports,
            probe_hosts,
            privileged,
            proc_mount,
            se_linux,
            unconfined_seccomp,
            sysctls,
            host_process,
        ],
        Level::Restricted => &[
            app_armor,
            host_namespaces,
            host_path,
            host_ports,
            probe_hosts,
            privileged,
            proc_mount,
            se_linux,
            sysctls,
            host_process,
            privilege_escalation,
            capabilities,
            volume_types,
            run_as_non_root,
            run_as_user,
            seccomp,
        ],
    };
    checks.iter().filter_map(|check| check(&pod)).collect()
}

struct Pod<'a>(&'a Value);

impl<'a> Pod<'a> {
    fn spec(&self, pointer: &str) -> &'a Value {
        get(self.0, &format!("/spec{pointer}"))
    }

    fn is_windows(&self) -> bool {
        text(self.0, "/spec/os/name") == "windows"
    }

    /// Containers of all kinds, in the order of kube-apiserver.
    fn containers(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let of = |list: &str| items(self.0, &format!("/spec/{list}"));
        of("initContainers")
            .iter()
            .chain(of("containers"))
            .chain(of("ephemeralContainers"))
    }

    /// The names of those for which something holds.
    fn names(&self, holds: impl Fn(&Value) -> bool) -> Vec<String> {
        self.containers()
            .filter(|container| holds(container))
            .map(|container| text(container, "/name").to_owned())
            .collect()
    }
}

fn found(reason: &str, details: Vec<String>) -> Option<Violation> {
    let details: Vec<String> = details.into_iter().filter(|detail| !detail.is_empty()).collect();
    (!details.is_empty()).then(|| Violation {
        reason: reason.to_owned(),
        detail: details.join("; "),
    })
}

/// One word, or several.
fn plural<T>(word: &str, many: &[T]) -> String {
    if many.len() == 1 {
        word.to_owned()
    } else {
        format!("{word}s")
    }
}

fn quoted<S: AsRef<str>>(many: impl IntoIterator<Item = S>) -> String {
    many.into_iter()
        .map(|one| quote(one.as_ref()))
        .collect::<Vec<_>>()
        .join(", ")
}

/// `container "a"` or `containers "a", "b"`, with what they do.
fn named(names: &[String], what: &str) -> String {
    match names {
        [] => String::new(),
        names => format!("{} {} {what}", plural("container", names), quoted(names)),
    }
}

fn sorted<'a>(values: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let set: BTreeSet<&str> = values.into_iter().collect();
    set.into_iter().map(str::to_owned).collect()
}

fn app_armor(pod: &Pod<'_>) -> Option<Violation> {
    fn forbidden(context: &Value) -> Option<&str> {
        let kind = text(context, "/appArmorProfile/type");
        (!matches!(kind, "" | "RuntimeDefault" | "Localhost")).then_some(kind)
    }
    let mut details = Vec::new();
    if let Some(kind) = forbidden(pod.spec("/securityContext")) {
        details.push(format!("pod must not set AppArmor profile type to {}", quote(kind)));
    }
    let of = |container: &Value| forbidden(get(container, "/securityContext")).map(str::to_owned);
    let names = pod.names(|container| of(container).is_some());
    let kinds: Vec<String> = pod.containers().filter_map(of).collect();
    if !names.is_empty() {
        let kinds = sorted(kinds.iter().map(String::as_str));
        let kind = plural("type", &kinds);
        details.push(named(
            &names,
            &format!("must not set AppArmor profile {kind} to {}", quoted(&kinds)),
        ));
    }
    let prefix = "container.apparmor.security.beta.kubernetes.io/";
    let wrong = entries(pod.0, "/metadata/annotations").filter(|(key, value)| {
        let value = value.as_str().unwrap_or_default();
        key.starts_with(prefix) && !matches!(value, "" | "runtime/default") && !value.starts_with("localhost/")
    });
    let wrong: Vec<String> = wrong.map(|(key, value)| format!("{key}={value}")).collect();
    if !wrong.is_empty() {
        let annotations = plural("annotation", &wrong);
        details.push(format!(
            "{annotations} {}",
            wrong
                .iter()
                .map(|one| quote(&one.replace('"', "")))
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    let reason = if details.len() > 1 || wrong.len() > 1 {
        "forbidden AppArmor profiles"
    } else {
        "forbidden AppArmor profile"
    };
    found(reason, details)
}

fn default_capabilities(pod: &Pod<'_>) -> Option<Violation> {
    if pod.is_windows() {
        return None;
    }
    let forbidden = |container: &Value| -> Vec<String> {
        let added = texts(container, "/securityContext/capabilities/add");
        added
            .into_iter()
            .filter(|one| !DEFAULT_CAPABILITIES.contains(one))
            .map(str::to_owned)
            .collect()
    };
    let names = pod.names(|container| !forbidden(container).is_empty());
    let all: Vec<String> = pod.containers().flat_map(forbidden).collect();
    let what = format!(
        "must not include {} in securityContext.capabilities.add",
        quoted(sorted(all.iter().map(String::as_str)))
    );
    found("non-default capabilities", vec![named(&names, &what)])
}

fn host_namespaces(pod: &Pod<'_>) -> Option<Violation> {
    let on = ["hostNetwork", "hostPID", "hostIPC"]
        .into_iter()
        .filter(|name| flag(pod.0, &format!("/spec/{name}")));
    let on: Vec<String> = on.map(|name| format!("{name}=true")).collect();
    found("host namespaces", vec![on.join(", ")])
}

fn host_path(pod: &Pod<'_>) -> Option<Violation> {
    let volumes = items(pod.0, "/spec/volumes")
        .iter()
        .filter(|volume| volume.get("hostPath").is_some_and(|path| !path.is_null()));
    let volumes: Vec<&str> = volumes.map(|volume| text(volume, "/name")).collect();
    if volumes.is_empty() {
        return None;
    }
    found(
        "hostPath volumes",
        vec![format!("{} {}", plural("volume", &volumes), quoted(&volumes))],
    )
}

fn host_ports(pod: &Pod<'_>) -> Option<Violation> {
    let of = |container: &Value| -> BTreeSet<String> {
        let ports = items(container, "/ports")
            .iter()
            .filter_map(|port| number(port, "/hostPort"));
        ports.filter(|port| *port != 0).map(|port| port.to_string()).collect()
    };
    let names = pod.names(|container| !of(container).is_empty());
    let ports: BTreeSet<String> = pod.containers().flat_map(of).collect();
    let ports: Vec<String> = ports.into_iter().collect();
    let what = format!(
        "{} {} {}",
        if names.len() == 1 { "uses" } else { "use" },
        plural("hostPort", &ports),
        ports.join(", ")
    );
    found("hostPort", vec![named(&names, &what)])
}

fn probe_hosts(pod: &Pod<'_>) -> Option<Violation> {
    let places = [
        "livenessProbe",
        "readinessProbe",
        "startupProbe",
        "lifecycle/postStart",
        "lifecycle/preStop",
    ];
    let of = |container: &Value| -> Vec<String> {
        let hosts = places.iter().flat_map(|place| {
            ["httpGet", "tcpSocket"].map(|how| text(container, &format!("/{place}/{how}/host")).to_owned())
        });
        hosts
            .filter(|host| !matches!(host.as_str(), "" | "127.0.0.1" | "::1"))
            .collect()
    };
    let names = pod.names(|container| !of(container).is_empty());
    let hosts: BTreeSet<String> = pod.containers().flat_map(of).collect();
    let hosts: Vec<String> = hosts.into_iter().collect();
    let verb = if names.len() == 1 { "uses" } else { "use" };
    let what = format!(
        "{verb} probe or lifecycle {} {}",
        plural("host", &hosts),
        quoted(&hosts)
    );
    found("probe or lifecycle host", vec![named(&names, &what)])
}

fn privileged(pod: &Pod<'_>) -> Option<Violation> {
    let names = pod.names(|container| flag(container, "/securityContext/privileged"));
    found(
        "privileged",
        vec![named(&names, "must not set securityContext.privileged=true")],
    )
}

fn proc_mount(pod: &Pod<'_>) -> Option<Violation> {
    if get(pod.0, "/spec/hostUsers") == false {
        return None;
    }
    let of = |container: &Value| text(container, "/securityContext/procMount").to_owned();
    let wrong = |kind: &str| !matches!(kind, "" | "Default");
    let names = pod.names(|container| wrong(&of(container)));
    let kinds: BTreeSet<String> = pod.containers().map(of).filter(|kind| wrong(kind)).collect();
    found(
        "procMount",
        vec![named(
            &names,
            &format!("must not set securityContext.procMount to {}", quoted(kinds)),
        )],
    )
}

fn se_linux(pod: &Pod<'_>) -> Option<Violation> {
    let allowed = [
        "",
        "container_t",
        "container_init_t",
        "container_kvm_t",
        "container_engine_t",
    ];
    let is_wrong = |context: &Value| {
        let options = get(context, "/seLinuxOptions");
        !allowed.contains(&text(options, "/type"))
            || !text(options, "/user").is_empty()
            || !text(options, "/role").is_empty()
    };
    let own = is_wrong(pod.spec("/securityContext"));
    let names = pod.names(|container| is_wrong(get(container, "/securityContext")));
    if !own && names.is_empty() {
        return None;
    }
    let contexts = || {
        std::iter::once(pod.spec("/securityContext")).chain(pod.containers().map(|one| get(one, "/securityContext")))
    };
    let types = sorted(
        contexts()
            .map(|context| text(context, "/seLinuxOptions/type"))
            .filter(|kind| !allowed.contains(kind)),
    );
    let mut what = Vec::new();
    if !types.is_empty() {
        what.push(format!("{} {}", plural("type", &types), quoted(&types)));
    }
    for part in ["user", "role"] {
        if contexts().any(|context| !text(context, &format!("/seLinuxOptions/{part}")).is_empty()) {
            what.push(format!("{part} may not be set"));
        }
    }
    let set = format!("set forbidden securityContext.seLinuxOptions: {}", what.join("; "));
    found("seLinuxOptions", vec![who(own, &names, &set)])
}

/// `pod and containers "a", "b" …`
fn who(pod: bool, names: &[String], what: &str) -> String {
    let containers = || format!("{} {}", plural("container", names), quoted(names));
    match (pod, names.is_empty()) {
        (true, true) => format!("pod {what}"),
        (true, false) => format!("pod and {} {what}", containers()),
        (false, true) => String::new(),
        (false, false) => format!("{} {what}", containers()),
    }
}

fn unconfined_seccomp(pod: &Pod<'_>) -> Option<Violation> {
    if pod.is_windows() {
        return None;
    }
    let is_wrong = |context: &Value| {
        !matches!(
            text(context, "/seccompProfile/type"),
            "" | "RuntimeDefault" | "Localhost"
        )
    };
    let own = is_wrong(pod.spec("/securityContext"));
    let names = pod.names(|container| is_wrong(get(container, "/securityContext")));
    let what = "must not set securityContext.seccompProfile.type to \"Unconfined\"";
    found("seccompProfile", vec![who(own, &names, what)])
}

fn sysctls(pod: &Pod<'_>) -> Option<Violation> {
    let names = items(pod.0, "/spec/securityContext/sysctls")
        .iter()
        .map(|sysctl| text(sysctl, "/name"));
    let wrong: Vec<&str> = names
        .filter(|name| !SAFE_SYSCTLS.contains(name) && *name != "net.ipv4.tcp_wmem")
        .collect();
    found("forbidden sysctls", vec![wrong.join(", ")])
}

fn host_process(pod: &Pod<'_>) -> Option<Violation> {
    let on = |context: &Value| flag(context, "/windowsOptions/hostProcess");
    let own = on(pod.spec("/securityContext"));
    let names = pod.names(|container| on(get(container, "/securityContext")));
    let what = "must not set securityContext.windowsOptions.hostProcess=true";
    found("hostProcess", vec![who(own, &names, what)])
}

fn privilege_escalation(pod: &Pod<'_>) -> Option<Violation> {
    if pod.is_windows() {
        return None;
    }
    let names = pod.names(|container| get(container, "/securityContext/allowPrivilegeEscalation") != false);
    let what = "must set securityContext.allowPrivilegeEscalation=false";
    found("allowPrivilegeEscalation != false", vec![named(&names, what)])
}

fn capabilities(pod: &Pod<'_>) -> Option<Violation> {
    if pod.is_windows() {
        return None;
    }
    let keeps = pod.names(|container| !texts(container, "/securityContext/capabilities/drop").contains(&"ALL"));
    let forbidden = |container: &Value| -> Vec<String> {
        let added = texts(container, "/securityContext/capabilities/add");
        added
            .into_iter()
            .filter(|one| *one != "NET_BIND_SERVICE")
            .map(str::to_owned)
            .collect()
    };
    let adds = pod.names(|container| !forbidden(container).is_empty());
    let all: Vec<String> = pod.containers().flat_map(forbidden).collect();
    let all = quoted(sorted(all.iter().map(String::as_str)));
    found(
        "unrestricted capabilities",
        vec![
            named(&keeps, "must set securityContext.capabilities.drop=[\"ALL\"]"),
            named(
                &adds,
                &format!("must not include {all} in securityContext.capabilities.add"),
            ),
        ],
    )
}

fn volume_types(pod: &Pod<'_>) -> Option<Violation> {
    let kind = |volume: &Value| {
        let mut fields = entries(volume, "").filter(|(field, value)| *field != "name" && !value.is_null());
        fields
            .find(|(field, _)| !SAFE_VOLUMES.contains(&field.as_str()))
            .map(|(field, _)| field.clone())
    };
    let volumes = items(pod.0, "/spec/volumes")
        .iter()
        .filter_map(|volume| Some((text(volume, "/name"), kind(volume)?)));
    let (names, kinds): (Vec<&str>, BTreeSet<String>) = volumes.unzip();
    if names.is_empty() {
        return None;
    }
    let kinds: Vec<String> = kinds.into_iter().collect();
    let verb = if names.len() == 1 { "uses" } else { "use" };
    let (volume, types) = (plural("volume", &names), plural("type", &kinds));
    found(
        "restricted volume types",
        vec![format!(
            "{volume} {} {verb} restricted volume {types} {}",
            quoted(&names),
            quoted(&kinds)
        )],
    )
}

fn run_as_non_root(pod: &Pod<'_>) -> Option<Violation> {
    let of = |context: &Value| get(context, "/runAsNonRoot").as_bool();
    let own = of(pod.spec("/securityContext"));
    let wrong = pod.names(|container| of(get(container, "/securityContext")) == Some(false));
    let reason = "runAsNonRoot != true";
    if own == Some(false) || !wrong.is_empty() {
        return found(
            reason,
            vec![who(
                own == Some(false),
                &wrong,
                "must not set securityContext.runAsNonRoot=false",
            )],
        );
    }
    let unset = pod.names(|container| own != Some(true) && of(get(container, "/securityContext")).is_none());
    found(
        reason,
        vec![either(&unset, "must set securityContext.runAsNonRoot=true")],
    )
}

/// What the pod could do for containers that do not.
fn either(names: &[String], what: &str) -> String {
    match names {
        [] => String::new(),
        names => format!("pod or {} {} {what}", plural("container", names), quoted(names)),
    }
}

fn run_as_user(pod: &Pod<'_>) -> Option<Violation> {
    let is_root = |context: &Value| number(context, "/runAsUser") == Some(0);
    let own = is_root(pod.spec("/securityContext"));
    let names = pod.names(|container| is_root(get(container, "/securityContext")));
    found("runAsUser=0", vec![who(own, &names, "must not set runAsUser=0")])
}

fn seccomp(pod: &Pod<'_>) -> Option<Violation> {
    if pod.is_windows() {
        return None;
    }
    let of = |context: &Value| text(context, "/seccompProfile/type").to_owned();
    let is_good = |kind: &str| matches!(kind, "RuntimeDefault" | "Localhost");
    let own = of(pod.spec("/securityContext"));
    let is_bad = |kind: &str| !kind.is_empty() && !is_good(kind);
    let wrong = pod.names(|container| is_bad(&of(get(container, "/securityContext"))));
    let reason = "seccompProfile";
    if is_bad(&own) || !wrong.is_empty() {
        let what = "must not set securityContext.seccompProfile.type to \"Unconfined\"";
        return found(reason, vec![who(is_bad(&own), &wrong, what)]);
    }
    let unset = pod.names(|container| !is_good(&own) && of(get(container, "/securityContext")).is_empty());
    let what = "must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\"";
    found(reason, vec![either(&unset, what)])
}
