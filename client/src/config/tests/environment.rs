//! Which files are read, and how they merge.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::*;

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    fn environment(&self) -> Environment {
        Environment {
            kubeconfig: None,
            home: Some(self.0.path().to_owned()),
            service_host: None,
            service_port: None,
            service_account: self.path("serviceaccount"),
        }
    }

    fn with_files(&self, files: &[&Path]) -> Environment {
        Environment {
            kubeconfig: Some(std::env::join_paths(files).unwrap()),
            ..self.environment()
        }
    }

    fn in_pod(&self, host: &str) -> Environment {
        Environment {
            service_host: Some(host.to_owned()),
            service_port: Some("443".to_owned()),
            ..self.environment()
        }
    }
}

const CONTEXT: &str = "contexts: [{name: c, context: {cluster: k, user: u}}]\n";

#[test]
fn the_first_file_wins_entry_by_entry() {
    let home = Home::new();
    let first = home.file(
        "1",
        "users: [{name: u, user: {token: first}}]\nextensions: [{name: x, extension: 1}]",
    );
    let second = home.file(
        "2",
        &format!(
            "{CONTEXT}current-context: c
clusters: [{{name: k, cluster: {{server: 'https://second'}}}}]
users: [{{name: u, user: {{token: second, as: root}}}}, {{name: v, user: {{token: v}}}}]"
        ),
    );
    let third = home.file(
        "3",
        "current-context: other\nclusters: [{name: k, cluster: {server: 'https://third'}}]",
    );
    let gone = home.path("gone");

    let environment = home.with_files(&[&gone, &first, &first, &second, &third]);
    let merged = environment.kubeconfig().unwrap();
    assert_eq!(merged.users.len(), 2);
    assert_eq!(merged.current_context.as_deref(), Some("c"));

    let config = environment.infer(&KubeconfigOptions::default()).unwrap();
    assert_eq!(config.server, "https://second");
    // The second file's `as` is not mixed into the first file's user.
    assert_eq!(config.impersonate, None);
    assert!(matches!(config.credentials, Credentials::Token(token) if token.expose() == "first"));
}

#[test]
fn without_the_variable_the_home_folder_is_read() {
    let home = Home::new();
    home.file(
        ".kube/config",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\nclusters: [{name: k, cluster: {server: h}}]",
    );
    for kubeconfig in [None, Some(OsString::new())] {
        let environment = Environment {
            kubeconfig,
            ..home.environment()
        };
        assert_eq!(environment.infer(&KubeconfigOptions::default()).unwrap().server, "h");
    }
}

#[test]
fn relative_paths_are_the_files_own() {
    let home = Home::new();
    let one = home.file(
        "a/one",
        &format!(
            "{CONTEXT}clusters: [{{name: k, cluster: {{server: 'https://h', certificate-authority: pki/ca.crt}}}}]"
        ),
    );
    let two = home.file(
        "b/two",
        "users: [{name: u, user: {client-certificate: c.crt, client-key: /abs/c.key, tokenFile: ../t,
           exec: {command: ./bin/login, apiVersion: x}}},
         {name: v, user: {exec: {command: login, apiVersion: x}}}]",
    );
    let merged = home.with_files(&[&one, &two]).kubeconfig().unwrap();

    let cluster = &merged.clusters[0].cluster;
    assert_eq!(
        cluster.certificate_authority.as_deref(),
        Some(home.path("a/pki/ca.crt").as_path())
    );
    let user = &merged.users[0].user;
    assert_eq!(user.client_certificate.as_deref(), Some(home.path("b/c.crt").as_path()));
    assert_eq!(user.client_key.as_deref(), Some(Path::new("/abs/c.key")));
    assert_eq!(user.token_file.as_deref(), Some(home.path("b/../t").as_path()));
    let command = |index: usize| &merged.users[index].user.exec.as_ref().unwrap().command;
    assert_eq!(Path::new(command(0)), home.path("b/./bin/login"));
    assert_eq!(command(1), "login");
}

#[test]
fn a_broken_file_is_an_error_that_names_it() {
    let home = Home::new();
    let broken = home.file("broken", "users: [{name: u");
    let error = home
        .with_files(&[&broken])
        .infer(&KubeconfigOptions::default())
        .unwrap_err();
    assert!(matches!(&error, ConfigError::Parse { line: 1.., .. }), "{error:?}");
    assert!(error.to_string().contains(&broken.display().to_string()));
}

#[test]
fn a_file_asked_for_by_name_must_exist() {
    let error = Config::from_kubeconfig_file("/nowhere/kubeconfig").unwrap_err();
    assert!(matches!(error, ConfigError::Read { what: "kubeconfig", .. }));
}

#[test]
fn in_a_pod_the_service_account_is_used() {
    let home = Home::new();
    let token = home.file("serviceaccount/token", "t");
    let ca = home.file("serviceaccount/ca.crt", "CA");
    home.file("serviceaccount/namespace", "shop\n");
    for (host, server) in [
        ("10.0.0.1", "https://10.0.0.1:443"),
        ("fd00::1", "https://[fd00::1]:443"),
    ] {
        let config = home.in_pod(host).infer(&KubeconfigOptions::default()).unwrap();
        assert_eq!(config.server, server);
        assert_eq!(config.namespace, "shop");
        assert!(matches!(config.tls.ca, Some(PemSource::File(path)) if path == ca));
        assert!(matches!(config.credentials, Credentials::TokenFile { path, .. } if path == token));
    }
}

#[test]
fn a_kubeconfig_goes_before_the_service_account() {
    let home = Home::new();
    home.file("serviceaccount/token", "t");
    home.file(".kube/config", "clusters: [{name: k, cluster: {server: 'https://h'}}]");
    let options = KubeconfigOptions::default().with_cluster("k");
    assert_eq!(home.in_pod("10.0.0.1").infer(&options).unwrap().server, "https://h");
}

#[test]
fn outside_of_everything_the_error_tells_what_was_tried() {
    let home = Home::new();
    let error = home.environment().infer(&KubeconfigOptions::default()).unwrap_err();
    assert!(matches!(&error, ConfigError::NotFound { not_in_cluster, .. }
        if matches!(**not_in_cluster, ConfigError::NotInCluster(_))));
    assert!(error.to_string().contains(".kube/config"), "{error}");

    let error = home
        .in_pod("10.0.0.1")
        .infer(&KubeconfigOptions::default())
        .unwrap_err();
    assert!(error.to_string().contains("serviceaccount/token"), "{error}");
}
