//! The parameters of operations: their names, types, and what they are for.

use std::borrow::Cow;

use kubewire_client::wire::schema::{MessageSchema, Type};

use super::descriptions::Descriptions;

/// A parameter in a path or query.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: Cow<'static, str>,
    pub(super) place: Place,
    /// Its type in OpenAPI.
    pub(super) ty: &'static str,
    pub(super) description: Cow<'static, str>,
}

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Path,
    Query,
}

impl Place {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
        }
    }

    pub(super) fn is_required(self) -> bool {
        self == Self::Path
    }
}

/// Parameters of lists and watches.
pub(super) const LIST: &[&str] = &[
    "allowWatchBookmarks",
    "continue",
    "fieldSelector",
    "labelSelector",
    "limit",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "shardSelector",
    "timeoutSeconds",
    "watch",
];
/// Parameters of creations and replacements.
pub(super) const WRITE: &[&str] = &["dryRun", "fieldManager", "fieldValidation"];
/// Parameters of patches.
pub(super) const PATCH: &[&str] = &["dryRun", "fieldManager", "fieldValidation", "force"];
/// Parameters of deletions.
pub(super) const DELETE: &[&str] = &[
    "dryRun",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "orphanDependents",
    "propagationPolicy",
];
/// Parameters of the deletion of a collection.
pub(super) const DELETE_COLLECTION: &[&str] = &[
    "continue",
    "dryRun",
    "fieldSelector",
    "gracePeriodSeconds",
    "ignoreStoreReadErrorWithClusterBreakingPotential",
    "labelSelector",
    "limit",
    "orphanDependents",
    "propagationPolicy",
    "resourceVersion",
    "resourceVersionMatch",
    "sendInitialEvents",
    "shardSelector",
    "timeoutSeconds",
];

/// Query parameters with their types and what is said of them, sorted.
const QUERY: &[(&str, &str, &str)] = &[
    (
        "allowWatchBookmarks",
        "boolean",
        "Ask for BOOKMARK events in a watch: they tell from which resourceVersion to go on. When they are sent is up to the server. Without watch this means nothing.",
    ),
    (
        "continue",
        "string",
        "Where a list that was cut by limit goes on: the token of the last answer, with otherwise the same parameters. A token that is too old gets 410 and one with which the rest can be read at the newest state. Not for watches.",
    ),
    (
        "fieldManager",
        "string",
        "Under which name managedFields records the change: up to 128 printable characters.",
    ),
    (
        "fieldSelector",
        "string",
        "Which objects, by the values of their fields. Everything unless set.",
    ),
    (
        "fieldValidation",
        "string",
        "What happens to fields that are unknown or stand twice: Ignore drops them, Warn drops them and says so in Warning headers (the default), Strict refuses the request.",
    ),
    (
        "force",
        "boolean",
        "Take over fields that others manage when applying. Only for apply patches.",
    ),
    (
        "labelSelector",
        "string",
        "Which objects, by their labels. Everything unless set.",
    ),
    (
        "limit",
        "integer",
        "How many objects an answer holds at most. Where there are more, its metadata has a token for continue, and all parts together are the list at one resourceVersion. Not for watches.",
    ),
    (
        "pretty",
        "string",
        "If 'true', the answer is indented. Browsers, curl and wget get that by default.",
    ),
    (
        "resourceVersion",
        "string",
        "How new the data has to be, or from where a watch goes on. Unset means the newest. See https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions",
    ),
    (
        "resourceVersionMatch",
        "string",
        "How lists use resourceVersion: Exact or NotOlderThan. Should be set where resourceVersion is. See https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions",
    ),
    (
        "sendInitialEvents",
        "boolean",
        "Begin a watch with ADDED events of all objects there are, and tell their end by a bookmark with the annotation k8s.io/initial-events-end. Needs resourceVersionMatch=NotOlderThan.",
    ),
    (
        "shardSelector",
        "string",
        "Which part of the objects, by ranges of the hash of a field: shardRange(object.metadata.uid, '0x0', '0x8000000000000000'). Needs the feature ShardedListAndWatch.",
    ),
    (
        "timeoutSeconds",
        "integer",
        "After how many seconds a list or watch ends.",
    ),
    (
        "watch",
        "boolean",
        "Follow the changes instead of reading a list, from resourceVersion on.",
    ),
];

/// What is said of parameters of connections and logs, by kind of options and name.
fn option_text(kind: &str, name: &str) -> &'static str {
    match (kind, name) {
        (_, "container") => "Which container. May be left out where the pod has only one.",
        (_, "command") => "The command and its arguments, one parameter each. There is no shell around it.",
        ("PodExecOptions" | "PodAttachOptions", "stdin") => "Whether the container's standard input is connected.",
        ("PodExecOptions" | "PodAttachOptions", "stdout") => "Whether the container's standard output is connected.",
        ("PodExecOptions" | "PodAttachOptions", "stderr") => "Whether the container's standard error is connected.",
        (_, "tty") => "Whether there is a terminal.",
        (_, "ports") => "The ports to forward. Required with WebSockets.",
        (_, "path") => "The part of the URL behind the proxy.",
        (_, "follow") => "Go on with what is written later.",
        (_, "previous") => "The log of the container's last run that ended.",
        (_, "sinceSeconds") => "Only lines of the last so many seconds.",
        (_, "timestamps") => "Begin each line with the time of its writing.",
        (_, "tailLines") => "Only the last so many lines.",
        (_, "limitBytes") => "End after so many bytes.",
        (_, "insecureSkipTLSVerifyBackend") => "Do not check the serving certificate of the kubelet.",
        (_, "stream") => "Which stream: All (the default), Stdout or Stderr.",
        _ => "",
    }
}

/// Query parameters by name.
pub(super) fn query<'a>(
    names: &'a [&'static str],
    descriptions: &'a Descriptions,
) -> impl Iterator<Item = Parameter> + 'a {
    const DELETE_OPTIONS: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.DeleteOptions";
    names.iter().map(|&name| {
        let known = QUERY.binary_search_by(|(other, ..)| (*other).cmp(name)).ok();
        let (ty, description) = match known.and_then(|place| QUERY.get(place)) {
            Some(&(_, ty, text)) => (ty, Cow::Borrowed(text)),
            None => {
                let text = descriptions.of_field(DELETE_OPTIONS, name).unwrap_or_default();
                let ty = match name {
                    "gracePeriodSeconds" => "integer",
                    "orphanDependents" | "ignoreStoreReadErrorWithClusterBreakingPotential" => "boolean",
                    _ => "string",
                };
                (ty, Cow::Owned(text.to_owned()))
            }
        };
        Parameter {
            name: name.into(),
            place: Place::Query,
            ty,
            description,
        }
    })
}

/// The fields of an options kind, such as `PodExecOptions`, as parameters.
pub(super) fn options(message: &'static MessageSchema) -> impl Iterator<Item = Parameter> {
    message.fields.iter().filter_map(|field| {
        let ty = match field.ty {
            _ if field.json.is_empty() => return None,
            Type::String => "string",
            Type::Bool => "boolean",
            Type::Int32 | Type::Int64 => "integer",
            _ => return None,
        };
        Some(Parameter {
            name: field.json.into(),
            place: Place::Query,
            ty,
            description: option_text(message.short_name(), field.json).into(),
        })
    })
}

/// A piece of the path.
pub(super) fn path(name: &'static str, description: impl Into<Cow<'static, str>>) -> Parameter {
    Parameter {
        name: name.into(),
        place: Place::Path,
        ty: "string",
        description: description.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_described() {
        assert!(QUERY.is_sorted());
        let descriptions = Descriptions::collect();
        for names in [LIST, WRITE, PATCH, DELETE, DELETE_COLLECTION, &["pretty"]] {
            for parameter in query(names, &descriptions) {
                assert!(!parameter.description.is_empty(), "{}", parameter.name);
            }
        }
    }
}
