//! Every case of `tests/client-go/kubeconfig/cases.json`, against what client-go made of it:
//! `cd client/tests/client-go && go run ./kubeconfig > ../../../testdata/vectors/client_go_kubeconfig.jsonl`

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, KeyPair};
use serde::{Deserialize, Serialize};

use super::*;
use crate::config::environment::Environment;
use crate::transport;

/// What we do on purpose in another way, and why.
const ON_PURPOSE: [(&str, &str); 7] = [
    (
        "context no-user",
        "client-go goes on as nobody, and the user wonders at a refusal",
    ),
    ("server https://", "no request can ever succeed"),
    ("server ftp://one", "no request can ever succeed"),
    ("server https://u:p@one", "the password would be in logs and errors"),
    ("a number for a name", "YAML has the text of a number too"),
    ("a duplicate key", "one of the two is a mistake"),
    ("two documents", "the second one would be ignored without a word"),
];

#[derive(Deserialize)]
struct Case {
    name: String,
    files: BTreeMap<String, String>,
    kubeconfig: Vec<String>,
    context: Option<String>,
    cluster: Option<String>,
    user: Option<String>,
}

#[derive(Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default)]
struct Outcome {
    name: String,
    failed: bool,
    server: String,
    namespace: String,
    #[serde(rename = "caFile")]
    ca_file: String,
    #[serde(rename = "caData")]
    ca_data: String,
    #[serde(rename = "certFile")]
    certificate_file: String,
    #[serde(rename = "certData")]
    certificate_data: String,
    #[serde(rename = "keyFile")]
    key_file: String,
    #[serde(rename = "keyData")]
    key_data: String,
    insecure: bool,
    #[serde(rename = "serverName")]
    server_name: String,
    token: String,
    #[serde(rename = "tokenFile")]
    token_file: String,
    username: String,
    password: String,
    impersonate: String,
    uid: String,
    groups: Vec<String>,
    extra: BTreeMap<String, Vec<String>>,
    exec: Vec<String>,
    proxy: String,
}

#[tokio::test]
async fn kubeconfigs_mean_what_they_mean_to_client_go() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cases = std::fs::read(root.join("tests/client-go/kubeconfig/cases.json")).unwrap();
    let cases: Vec<Case> = serde_json::from_slice(&cases).unwrap();
    let expected = std::fs::read_to_string(root.join("../testdata/vectors/client_go_kubeconfig.jsonl")).unwrap();
    let expected: Vec<Outcome> = expected
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(cases.len(), expected.len());
    let mut wrong = Vec::new();
    for (case, mut expected) in cases.iter().zip(expected) {
        if expected.username.is_empty() {
            expected.password.clear(); // never sent
        }
        if !expected.token.is_empty() || !expected.username.is_empty() {
            expected.exec.clear(); // never asked, as the header is there already
        }
        let (outcome, error) = outcome(case);
        let on_purpose = ON_PURPOSE.iter().any(|(name, _)| *name == case.name);
        if (outcome == expected) == on_purpose {
            let text = |outcome| serde_json::to_string::<Outcome>(outcome).unwrap();
            wrong.push(format!(
                "{}\n  ours      {} {error}\n  client-go {}",
                case.name,
                text(&outcome),
                text(&expected)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n")
    );
}

fn outcome(case: &Case) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::default().self_signed(&key).unwrap().pem();
    let names = [
        ("@CERT@", certificate.clone()),
        ("@KEY@", key.serialize_pem()),
        ("@CERT64@", STANDARD.encode(&certificate)),
        ("@KEY64@", STANDARD.encode(key.serialize_pem())),
    ];
    for (name, content) in &case.files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let content = names
            .iter()
            .fold(content.clone(), |text, (name, value)| text.replace(name, value));
        std::fs::write(path, content).unwrap();
    }
    let paths = case.kubeconfig.iter().map(|name| folder.path().join(name));
    let environment = Environment {
        kubeconfig: Some(std::env::join_paths(paths).unwrap()),
        home: None,
        service_host: None,
        service_port: None,
        service_account: folder.path().join("none"),
    };
    let options = KubeconfigOptions {
        context: case.context.clone(),
        cluster: case.cluster.clone(),
        user: case.user.clone(),
    };
    let config = environment.infer(&options);
    match config.and_then(|config| transport::connect(&config).map(|_| config)) {
        Ok(config) => {
            let folder = folder.path().display().to_string();
            let text = serde_json::to_string(&described(&config, case)).unwrap();
            // client-go shortens paths where it joins them.
            let text = text.replace(&folder, "DIR").replace("/./", "/").replace("er/../", "");
            let mut outcome: Outcome = serde_json::from_str(&text).unwrap();
            for (name, value) in &names[..2] {
                for field in [
                    &mut outcome.ca_data,
                    &mut outcome.certificate_data,
                    &mut outcome.key_data,
                ] {
                    *field = field.replace(value, name);
                }
            }
            (outcome, String::new())
        }
        Err(error) => {
            let outcome = Outcome {
                name: case.name.clone(),
                failed: true,
                ..Outcome::default()
            };
            (outcome, error.to_string())
        }
    }
}

fn described(config: &Config, case: &Case) -> Outcome {
    let mut outcome = Outcome {
        name: case.name.clone(),
        server: config.server.clone(),
        namespace: config.namespace.clone(),
        insecure: config.tls.insecure_skip_verify,
        server_name: config.tls.server_name.clone().unwrap_or_default(),
        proxy: config
            .proxy
            .as_ref()
            .map(|proxy| proxy.expose().to_owned())
            .unwrap_or_default(),
        ..Outcome::default()
    };
    let put = |source: &PemSource, file: &mut String, data: &mut String| match source {
        PemSource::File(path) => *file = path.display().to_string(),
        PemSource::Inline(text) => text.expose().clone_into(data),
    };
    if let Some(ca) = &config.tls.ca {
        put(ca, &mut outcome.ca_file, &mut outcome.ca_data);
    }
    if let Some(ClientCertificate { certificate, key }) = &config.tls.identity {
        put(
            certificate,
            &mut outcome.certificate_file,
            &mut outcome.certificate_data,
        );
        put(key, &mut outcome.key_file, &mut outcome.key_data);
    }
    match &config.credentials {
        Credentials::None => {}
        Credentials::Token(token) => token.expose().clone_into(&mut outcome.token),
        Credentials::TokenFile { path, fallback } => {
            outcome.token_file = path.display().to_string();
            // client-go reads the file at once where there is no other token.
            outcome.token = match fallback {
                Some(token) => token.expose().to_owned(),
                None => std::fs::read_to_string(path).unwrap_or_default(),
            };
        }
        Credentials::Basic { username, password } => {
            outcome.username.clone_from(username);
            password.expose().clone_into(&mut outcome.password);
        }
        Credentials::Exec(exec) => outcome.exec = exec.described(),
        Credentials::Oidc(_) => {}
    }
    if let Some(impersonate) = &config.impersonate {
        outcome.impersonate.clone_from(&impersonate.user);
        outcome.uid = impersonate.uid.clone().unwrap_or_default();
        outcome.groups.clone_from(&impersonate.groups);
        outcome.extra.clone_from(&impersonate.extra);
    }
    outcome
}
