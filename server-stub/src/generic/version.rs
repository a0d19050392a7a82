//! `/version`: the Kubernetes release whose API and behaviour this server has.

use serde_json::{Value, json};

/// The release that is emulated.
pub const GIT_VERSION: &str = "v1.37.1";

/// What `/version` says.
pub(crate) fn info() -> Value {
    json!({
        "major": "1",
        "minor": "37",
        "emulationMajor": "1",
        "emulationMinor": "37",
        "minCompatibilityMajor": "1",
        "minCompatibilityMinor": "36",
        "gitVersion": GIT_VERSION,
        "gitCommit": "$Format:%H$",
        "gitTreeState": "",
        "buildDate": "1970-01-01T00:00:00Z",
        // Clients that parse these expect the shape of a Go build.
        "goVersion": "go1.26.8",
        "compiler": "gc",
        "platform": "linux/amd64",
    })
}
