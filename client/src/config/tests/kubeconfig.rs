//! client-go's rules, one table each.

use proptest::prelude::*;

use super::*;

const TWO_CONTEXTS: &str = "
current-context: one
contexts:
- {name: one, context: {cluster: k1, user: u1, namespace: shop}}
- {name: two, context: {cluster: k2, user: ''}}
- {name: no-cluster, context: {cluster: gone, user: u1}}
- {name: no-user, context: {cluster: k1, user: gone}}
clusters:
- {name: k1, cluster: {server: 'https://one'}}
- {name: k2, cluster: {server: 'https://two'}}
users:
- {name: u1, user: {token: t1}}
- {name: u2, user: {token: t2}}
";

#[test]
fn the_context_decides() {
    let options = KubeconfigOptions::default;
    let table = [
        (options(), "https://one", "shop", Some("t1")),
        (options().with_context("two"), "https://two", "default", None),
        (
            options().with_context("two").with_user("u2"),
            "https://two",
            "default",
            Some("t2"),
        ),
        (options().with_cluster("k2"), "https://two", "shop", Some("t1")),
    ];
    let kubeconfig = Kubeconfig::from_yaml(TWO_CONTEXTS).unwrap();
    for (options, server, namespace, token) in table {
        let config = Config::from_kubeconfig(&kubeconfig, &options).unwrap();
        assert_eq!(config.server, server, "{options:?}");
        assert_eq!(config.namespace, namespace, "{options:?}");
        let found = match &config.credentials {
            Credentials::Token(token) => Some(token.expose()),
            Credentials::None => None,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, token, "{options:?}");
    }
}

#[test]
fn what_is_missing_is_named() {
    let options = KubeconfigOptions::default;
    let table = [
        (options().with_context("gone"), r#"kubeconfig has no context "gone""#),
        (options().with_cluster("gone"), r#"kubeconfig has no cluster "gone""#),
        (options().with_user("gone"), r#"kubeconfig has no user "gone""#),
        (
            options().with_context("no-cluster"),
            r#"kubeconfig has no cluster "gone", named by context "no-cluster""#,
        ),
        (
            options().with_context("no-user"),
            r#"kubeconfig has no user "gone", named by context "no-user""#,
        ),
    ];
    let kubeconfig = Kubeconfig::from_yaml(TWO_CONTEXTS).unwrap();
    for (options, message) in table {
        let error = Config::from_kubeconfig(&kubeconfig, &options).unwrap_err();
        assert_eq!(error.to_string(), message);
        assert!(matches!(error, ConfigError::Missing { .. }));
    }
}

#[test]
fn without_a_context_the_caller_names_the_cluster() {
    let mut kubeconfig = Kubeconfig::from_yaml(TWO_CONTEXTS).unwrap();
    kubeconfig.current_context = None;
    let error = Config::from_kubeconfig(&kubeconfig, &KubeconfigOptions::default()).unwrap_err();
    assert!(matches!(error, ConfigError::NoCurrentContext));
    let options = KubeconfigOptions::default().with_cluster("k1").with_user("u2");
    assert_eq!(
        Config::from_kubeconfig(&kubeconfig, &options).unwrap().server,
        "https://one"
    );
}

#[test]
fn servers() {
    let table = [
        ("server: 'https://h:6443'", Ok("https://h:6443/")),
        ("server: 'https://h/prefix/'", Ok("https://h/prefix")),
        ("server: 'https://[::1]:6443/?a=b#c'", Ok("https://[::1]:6443/")),
        ("server: 'h:8080'", Ok("http://h:8080/")),
        (
            "server: 'h:8443', insecure-skip-tls-verify: true",
            Ok("https://h:8443/"),
        ),
        ("server: ''", Err(r#"server of cluster "k": is not set"#)),
        ("server: 'ftp://h'", Err("server: must be an http or https URL")),
        (
            "server: 'https://me:s3cr3t@h'",
            Err("server: must not hold a user name or password"),
        ),
        ("server: 'https://'", Err("server: is not a URL: empty string")),
        (
            "server: 'https://h:port'",
            Err("server: is not a URL: invalid port number"),
        ),
    ];
    for (cluster, wanted) in table {
        let url = resolve(cluster, "token: t").and_then(|config| config.base_url());
        match (url, wanted) {
            (Ok(url), Ok(wanted)) => assert_eq!(url.to_string(), wanted, "{cluster}"),
            (Err(error), Err(wanted)) => assert_eq!(error.to_string(), wanted, "{cluster}"),
            (found, _) => panic!("{cluster}: {found:?}"),
        }
    }
}

#[test]
fn cluster_fields_arrive() {
    let config = resolve(
        "server: 'https://h', certificate-authority: /ca, tls-server-name: n, proxy-url: 'http://p'",
        "token: t",
    )
    .unwrap();
    assert!(matches!(&config.tls.ca, Some(PemSource::File(path)) if path == Path::new("/ca")));
    assert_eq!(config.tls.server_name.as_deref(), Some("n"));
    assert_eq!(config.proxy.unwrap().expose(), "http://p");
    assert!(!config.tls.insecure_skip_verify);
    let config = resolve("server: 'https://h', insecure-skip-tls-verify: true", "token: t").unwrap();
    assert!(config.tls.insecure_skip_verify);
}

#[test]
fn every_value_stands_on_one_line() {
    let user = AuthInfo::with_token("t0ken ".repeat(50));
    let text = Kubeconfig::for_cluster("dev", "https://h", Some(&"CA\n".repeat(100)), user)
        .to_yaml()
        .unwrap();
    assert!(text.lines().all(|line| line.contains(':')), "{text}");
    assert_eq!(Kubeconfig::from_yaml(&text).unwrap().to_yaml().unwrap(), text);
}

#[test]
fn data_or_files() {
    // base64 of "CA", "CERT", "KEY"
    let config = resolve(
        "server: 'https://h', certificate-authority-data: Q0E=",
        "client-certificate-data: Q0VSVA==, client-key-data: S0VZ",
    )
    .unwrap();
    assert_eq!(inline(config.tls.ca.as_ref().unwrap()), "CA");
    let identity = config.tls.identity.unwrap();
    assert_eq!(inline(&identity.certificate), "CERT");
    assert_eq!(inline(&identity.key), "KEY");
    let both = "server: 'https://h', certificate-authority: /ca, certificate-authority-data: Q0E=";
    let error = resolve(both, "token: t").unwrap_err().to_string();
    assert_eq!(
        error,
        r#"certificate-authority-data of cluster "k": is set, and so is the file"#
    );
}

#[test]
fn credentials() {
    type Check = fn(&Credentials) -> bool;
    let table: [(&str, Check); 6] = [
        ("", |c| matches!(c, Credentials::None)),
        ("token: ''", |c| matches!(c, Credentials::None)),
        ("token: t", |c| matches!(c, Credentials::Token(t) if t.expose() == "t")),
        (
            "token: t, tokenFile: /f",
            |c| matches!(c, Credentials::TokenFile { path, fallback: Some(t) } if path == Path::new("/f") && t.expose() == "t"),
        ),
        (
            "username: me, password: p",
            |c| matches!(c, Credentials::Basic { username, password } if username == "me" && password.expose() == "p"),
        ),
        // A token goes before a plugin.
        ("token: t, exec: {apiVersion: x, command: y}", |c| {
            matches!(c, Credentials::Token(_))
        }),
    ];
    for (user, is_right) in table {
        let config = resolve_user(user).unwrap();
        assert!(is_right(&config.credentials), "{user}: {:?}", config.credentials);
    }
}

#[test]
fn users_that_cannot_be_used() {
    let table = [
        (
            "token: t, username: me",
            r#"token of user "u": a token and a username cannot be used together"#,
        ),
        (
            "client-certificate-data: Q0E=",
            r#"client-key of user "u": a client certificate needs its key"#,
        ),
        (
            "client-certificate-data: '***'",
            r#"client-certificate-data of user "u": is not valid base64"#,
        ),
        (
            "auth-provider: {name: oidc, config: {id-token: x}}",
            r#"auth-provider of user "u": the oidc provider must have idp-issuer-url"#,
        ),
        (
            "auth-provider: {name: nonsense}",
            r#"auth-provider of user "u": no Auth Provider found for name "nonsense""#,
        ),
        (
            "auth-provider: {name: gcp}",
            r#"auth-provider of user "u": "gcp" is no longer built in: set up its exec credential plugin instead"#,
        ),
        (
            "as-groups: [g]",
            r#"as of user "u": must be set where as-uid, as-groups or as-user-extra is"#,
        ),
        (
            "exec: {command: x, apiVersion: client.authentication.k8s.io/v1alpha1}",
            r#"exec of user "u": apiVersion "client.authentication.k8s.io/v1alpha1" is not one of client.authentication.k8s.io/v1, client.authentication.k8s.io/v1beta1"#,
        ),
        (
            "exec: {command: x, apiVersion: client.authentication.k8s.io/v1}",
            r#"exec of user "u": interactiveMode is not set"#,
        ),
    ];
    for (user, message) in table {
        assert_eq!(resolve_user(user).unwrap_err().to_string(), message, "{user}");
    }
}

#[test]
fn impersonation() {
    let config = resolve_user("token: t, as: a, as-uid: '7', as-groups: [g, h], as-user-extra: {k: [v, w]}").unwrap();
    let mut wanted = Impersonate::user("a").with_groups(["g", "h"]);
    wanted.uid = Some("7".to_owned());
    wanted
        .extra
        .insert("k".to_owned(), vec!["v".to_owned(), "w".to_owned()]);
    assert_eq!(config.impersonate, Some(wanted));
}

#[test]
fn plain_http_takes_no_credentials() {
    let config = resolve("server: 'http://h'", "token: t, as: a").unwrap();
    assert!(matches!(config.credentials, Credentials::None));
    assert_eq!(config.impersonate, None);
}

#[test]
fn nulls_unknown_fields_and_json_are_read() {
    for text in [
        "",
        " \n",
        "# nothing\n",
        "---\n",
        "clusters: null\nusers: null\ncontexts:\npreferences: {}\ncurrent-context: ''",
    ] {
        assert!(Kubeconfig::from_yaml(text).unwrap().is_empty(), "{text:?}");
    }
    let json = r#"{"kind":"Config","current-context":"c","new":1,"users":[{"name":"u","user":null}]}"#;
    let kubeconfig = Kubeconfig::from_yaml(json).unwrap();
    assert_eq!(kubeconfig.current_context.as_deref(), Some("c"));
    assert_eq!(kubeconfig.users.len(), 1);
}

#[test]
fn a_written_kubeconfig_reads_back() {
    let user = AuthInfo::with_client_certificate("CERT", &Secret::new("KEY"));
    let written = Kubeconfig::for_cluster("dev", "https://127.0.0.1:1", Some("CA"), user);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("kubeconfig");
    std::fs::write(&path, "something older").unwrap();
    written.write(&path).unwrap();

    let config = Config::from_kubeconfig_file(&path).unwrap();
    assert_eq!(config.server, "https://127.0.0.1:1");
    assert_eq!(inline(config.tls.ca.as_ref().unwrap()), "CA");
    assert_eq!(inline(&config.tls.identity.unwrap().key), "KEY");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "no temporary file is left"
    );
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn writing_names_the_file() {
    let error = Kubeconfig::default().write("/nowhere/at/all").unwrap_err();
    assert!(
        error.to_string().starts_with("write kubeconfig /nowhere/at/all: "),
        "{error}"
    );
}

proptest! {
    #[test]
    fn any_text_survives_writing(name in "\\PC{1,12}", token in "[ -~]{1,40}", namespace in "\\PC{1,12}") {
        let mut written = Kubeconfig::for_cluster(&name, "https://h", None, AuthInfo::with_token(token.as_str()));
        written.contexts[0].context.namespace = Some(namespace.clone());
        let read = Kubeconfig::from_yaml(&written.to_yaml().unwrap()).unwrap();
        prop_assert_eq!(read.current_context.as_ref(), Some(&name));
        prop_assert_eq!(read.users[0].user.token.as_ref().unwrap().expose(), token);
        prop_assert_eq!(read.contexts[0].context.namespace.as_ref(), Some(&namespace));
    }
}
