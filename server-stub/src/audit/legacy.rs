//! Events as lines of text (`--audit-log-format=legacy`).

use serde_json::Value;

use crate::field_error::quote;

/// An event in one line.
pub(super) fn line(event: &Value) -> String {
    let text = |pointer: &str| {
        event
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    };
    let groups = |pointer: &str| {
        let groups = event.pointer(pointer)?.as_array()?.iter().filter_map(Value::as_str);
        Some(groups.map(quote).collect::<Vec<_>>().join(","))
    };
    let user = text("/user/username");
    let user_groups = user.and_then(|_| groups("/user/groups"));
    let code = event.pointer("/responseStatus/code").map(Value::to_string);
    let fields = [
        ("id", text("/auditID").unwrap_or_default()),
        ("stage", text("/stage").unwrap_or_default()),
        ("ip", text("/sourceIPs/0").unwrap_or("<unknown>")),
        ("method", text("/verb").unwrap_or_default()),
        ("user", user.unwrap_or("<none>")),
        ("groups", user_groups.as_deref().unwrap_or("<none>")),
        ("as", text("/impersonatedUser/username").unwrap_or("<self>")),
        (
            "asgroups",
            &groups("/impersonatedUser/groups").unwrap_or_else(|| "<lookup>".to_owned()),
        ),
        ("user-agent", text("/userAgent").unwrap_or_default()),
        ("namespace", text("/objectRef/namespace").unwrap_or("<none>")),
        ("uri", text("/requestURI").unwrap_or_default()),
        ("response", code.as_deref().unwrap_or("<deferred>")),
    ];
    let mut line = format!("{} AUDIT:", text("/requestReceivedTimestamp").unwrap_or_default());
    for (name, value) in fields {
        line.push_str(&format!(" {name}={}", quote(value)));
    }
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_line_names_what_there_is_and_what_there_is_not() {
        let event = json!({
            "auditID": "a-1", "stage": "ResponseComplete", "verb": "list", "sourceIPs": ["127.0.0.1"],
            "user": {"username": "admin", "groups": ["system:masters", "system:authenticated"]},
            "impersonatedUser": {"username": "bob", "groups": ["g1"]}, "userAgent": "kubectl/v1",
            "requestURI": "/api/v1/pods?limit=500", "responseStatus": {"code": 403},
            "requestReceivedTimestamp": "2026-11-21T18:10:51.650907Z",
        });
        assert_eq!(
            line(&event),
            "2026-11-21T18:10:51.650907Z AUDIT: id=\"a-1\" stage=\"ResponseComplete\" ip=\"127.0.0.1\" method=\"list\" \
             user=\"admin\" groups=\"\\\"system:masters\\\",\\\"system:authenticated\\\"\" as=\"bob\" \
             asgroups=\"\\\"g1\\\"\" user-agent=\"kubectl/v1\" namespace=\"<none>\" uri=\"/api/v1/pods?limit=500\" \
             response=\"403\"\n"
        );
        let nothing = line(&json!({"user": {}}));
        assert!(nothing.contains("ip=\"<unknown>\""), "{nothing}");
        assert!(
            nothing.contains("user=\"<none>\" groups=\"<none>\" as=\"<self>\" asgroups=\"<lookup>\""),
            "{nothing}"
        );
        assert!(nothing.ends_with("response=\"<deferred>\"\n"), "{nothing}");
    }
}
