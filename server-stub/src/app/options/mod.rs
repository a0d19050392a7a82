//! The command line: one file per option group, each with its flags, how it is completed and validated, and what it
//! applies to.

mod accepted;
mod admission;
mod auditing;
mod authentication;
mod authorization;
mod controllers;
mod etcd;
mod features;
mod global;
mod insecure_serving;
mod kubeconfig;
mod kubelet;
mod pods;
mod request_header;
mod secure_serving;
mod server_run;
mod service_accounts;
mod services;
mod ssh;
mod storage;

pub use accepted::AcceptedFlags;
pub use admission::AdmissionOptions;
pub use auditing::AuditOptions;
pub use authentication::AuthenticationOptions;
pub use authorization::AuthorizationOptions;
pub use controllers::ControllerOptions;
pub(crate) use controllers::SwitchableController;
pub use etcd::EtcdOptions;
pub use features::FeatureOptions;
pub use global::{GlobalOptions, Verbosity, Version};
pub use insecure_serving::InsecureServingOptions;
pub use kubeconfig::KubeconfigOptions;
pub(crate) use kubeconfig::kubeconfig_text;
pub use kubelet::KubeletOptions;
pub use pods::PodOptions;
pub use request_header::RequestHeaderOptions;
pub use secure_serving::{SecureServingOptions, ServingCertificate, SniCertKeys};
pub use server_run::ServerRunOptions;
pub use service_accounts::ServiceAccountOptions;
pub use services::{PortRange, ServiceOptions};
pub use ssh::SshOptions;
pub use storage::{StorageBackend, StorageOptions};

use std::ops::Deref;

use super::flags::{FlagError, NamedFlagSets};

const ABOUT: &str = "A Kubernetes API server for tests: it validates and keeps the objects of the Kubernetes API and \
serves them as\nkube-apiserver does, without anything to install beside it. There is no kubelet and no scheduler.\n\n\
Flags have the names and the meaning of kube-apiserver's. Those that make no difference here are accepted, too.";

/// The groups of flags, in the order of the help.
const GROUPS: [&str; 18] = [
    "generic",
    "etcd",
    "secure serving",
    "insecure serving",
    "auditing",
    "features",
    "authentication",
    "authorization",
    "API enablement",
    "egress selector",
    "admission",
    "metrics",
    "logs",
    "traces",
    "misc",
    "controllers",
    "access",
    "global",
];

/// The options of the program, a field an option group.
///
/// ```
/// use kubewire_server_stub::app::Options;
///
/// let options = Options::from_args(["--secure-port=0", "--vmodule=a=1"]).unwrap();
/// assert_eq!(options.accepted.given().collect::<Vec<_>>(), ["vmodule"]);
/// let wrong = options.complete().validate().unwrap_err().to_string();
/// assert_eq!(wrong, "--secure-port 0 must be between 1 and 65535, inclusive. It cannot be turned off with 0");
/// assert!(Options::from_args(["--nonsense"]).is_err());
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[allow(missing_docs)]
pub struct Options {
    pub server_run: ServerRunOptions,
    pub storage: StorageOptions,
    pub secure_serving: SecureServingOptions,
    pub insecure_serving: InsecureServingOptions,
    pub audit: AuditOptions,
    pub features: FeatureOptions,
    pub authentication: AuthenticationOptions,
    pub request_header: RequestHeaderOptions,
    pub authorization: AuthorizationOptions,
    pub admission: AdmissionOptions,
    pub services: ServiceOptions,
    /// What pods may do.
    pub pods: PodOptions,
    pub kubelet: KubeletOptions,
    pub ssh: SshOptions,
    pub controllers: ControllerOptions,
    pub kubeconfig: KubeconfigOptions,
    pub global: GlobalOptions,
    /// Flags of kube-apiserver that make no difference.
    pub accepted: AcceptedFlags,
}

/// Options in which nothing is left out that the server needs.
#[derive(Clone, Debug)]
pub struct CompletedOptions(Options);

/// All that is wrong with the options, of every group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidOptions(pub Vec<String>);

impl std::error::Error for InvalidOptions {}

impl std::fmt::Display for InvalidOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.as_slice() {
            [one] => f.write_str(one),
            several => write!(f, "[{}]", several.join(", ")),
        }
    }
}

impl Options {
    /// The name in messages about the command line.
    pub const PROGRAM: &str = "kube-apiserver";

    /// Reads the arguments that follow the program's name.
    ///
    /// # Errors
    /// The first argument that cannot be read.
    pub fn from_args(arguments: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, FlagError> {
        Self::default().with_args(arguments)
    }

    /// What counts under the name `kube-apiserver`: controllers of other programs do not run here, either.
    pub fn kube_apiserver() -> Self {
        let mut options = Self::default();
        options.controllers.controllers.clear();
        options
    }

    /// Reads arguments on top of these options.
    ///
    /// # Errors
    /// The first argument that cannot be read.
    pub fn with_args(self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, FlagError> {
        let mut options = self;
        let mut flags = options.flags();
        flags.parse(Self::PROGRAM, arguments.into_iter().map(Into::into))?;
        let notices = flags.notices();
        drop(flags);
        options.global.notices.extend(notices);
        Ok(options)
    }

    /// The help text.
    pub fn help() -> String {
        Self::default().flags().help(ABOUT, "kube-apiserver [flags]")
    }

    /// The flags in groups, in the order of kube-apiserver's.
    pub fn flags(&mut self) -> NamedFlagSets<'_> {
        let mut flags = NamedFlagSets::default();
        for group in GROUPS {
            flags.group(group);
        }
        self.server_run.add_flags(flags.group("generic"));
        self.storage.add_flags(&mut flags);
        self.secure_serving.add_flags(flags.group("secure serving"));
        self.insecure_serving.add_flags(flags.group("insecure serving"));
        self.audit.add_flags(flags.group("auditing"));
        self.features.add_flags(flags.group("features"));
        self.authentication.add_flags(&mut flags);
        self.authorization.add_flags(flags.group("authorization"));
        self.admission.add_flags(flags.group("admission"));
        self.services.add_flags(flags.group("misc"));
        self.pods.add_flags(flags.group("misc"));
        self.kubelet.add_flags(flags.group("misc"));
        self.ssh.add_flags(flags.group("misc"));
        self.request_header.add_flags(&mut flags);
        self.controllers.add_flags(flags.group("controllers"));
        self.kubeconfig.add_flags(flags.group("access"));
        self.global.add_flags(&mut flags);
        self.accepted.add_flags(&mut flags);
        flags
    }

    /// Fills in what was not given and follows from the rest, in every group where something does.
    pub fn complete(mut self) -> CompletedOptions {
        self.server_run.complete(&self.secure_serving);
        self.storage.complete();
        self.authentication.complete(&self.authorization);
        self.services.complete();
        CompletedOptions(self)
    }
}

impl CompletedOptions {
    /// Checks every group.
    ///
    /// # Errors
    /// All that is wrong.
    pub fn validate(&self) -> Result<(), InvalidOptions> {
        let mut errors = Vec::new();
        self.server_run.validate(&mut errors);
        self.storage.validate(&mut errors);
        self.secure_serving.validate(&mut errors);
        self.insecure_serving.validate(&mut errors);
        self.audit.validate(&mut errors);
        self.authentication.validate(&mut errors);
        self.request_header.validate(&mut errors);
        self.authorization.validate(&mut errors);
        self.admission.validate(&mut errors);
        self.services.validate(&mut errors);
        self.kubelet.validate(&mut errors);
        self.ssh.validate(self.kubelet.kubelet_port, &mut errors);
        self.accepted.validate(&mut errors);
        if errors.is_empty() {
            Ok(())
        } else {
            Err(InvalidOptions(errors))
        }
    }
}

impl Deref for CompletedOptions {
    type Target = Options;

    fn deref(&self) -> &Options {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let options = Options::from_args([
            "--secure-port=70000",
            "--max-requests-inflight=-1",
            "--authorization-mode=RBAC,Nonsense,RBAC",
            "--service-cluster-ip-range=10.0.0.0",
            "--tls-min-version=VersionTLS9",
            "--tls-cert-file=a.crt",
        ]);
        let InvalidOptions(errors) = options.unwrap().complete().validate().unwrap_err();
        let all = errors.join("\n");
        for expected in [
            "--secure-port 70000 must be between 1 and 65535, inclusive. It cannot be turned off with 0",
            "--max-requests-inflight can not be negative value",
            "authorization-mode \"Nonsense\" is not a valid mode",
            "authorization-mode [\"RBAC\" \"Nonsense\" \"RBAC\"] has mode specified more than once",
            "--service-cluster-ip-range must contain at least one valid cidr",
            "unknown tls version \"VersionTLS9\"",
            "--tls-cert-file and --tls-private-key-file must be given together",
        ] {
            assert!(
                errors.iter().any(|error| error == expected),
                "{expected:?} is not in\n{all}"
            );
        }
        assert_eq!(errors.len(), 7, "{all}");
    }

    #[test]
    fn the_help_is_in_groups_and_names_every_flag_once() {
        let help = Options::help();
        for line in [
            "\nUsage:\n  kube-apiserver [flags]\n",
            "\nSecure serving flags:\n\n      --bind-address ip ",
            "\nGeneric flags:\n\n      --advertise-address ip ",
            "\n  -v, --v Level ",
            "\n  -h, --help ",
            "\n      --version version[=true] ",
            "\n      --secure-port int ",
        ] {
            assert!(help.contains(line), "{line:?} is not in\n{help}");
        }
        // A tool that starts API servers tells by it that the port without TLS cannot be had.
        assert!(!help.contains("insecure-port"));
        let mut options = Options::default();
        let flags = options.flags();
        let mut names: Vec<&str> = flags.values().map(|(name, _)| name).collect();
        names.sort_unstable();
        assert!(names.len() > 150, "{}", names.len());
        assert_eq!(names.windows(2).find(|pair| pair[0] == pair[1]), None);
    }

    #[test]
    fn accepts_what_envtest_passes() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().display();
        std::fs::write(folder.path().join("sa-signer.crt"), "").unwrap();
        let arguments = [
            "--allow-privileged=true".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--cert-dir={dir}"),
            format!("--client-ca-file={dir}/client-cert-auth-ca.crt"),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
            "--etcd-servers=http://127.0.0.1:2379".to_owned(),
            "--secure-port=33445".to_owned(),
            "--service-account-issuer=https://127.0.0.1:33445/".to_owned(),
            format!("--service-account-key-file={dir}/sa-signer.crt"),
            format!("--service-account-signing-key-file={dir}/sa-signer.key"),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            // What users add.
            "--feature-gates=AllAlpha=true".to_owned(),
            "--runtime-config=api/all=true".to_owned(),
            "--audit-log-path=-".to_owned(),
        ];
        let options = Options::from_args(arguments).unwrap();
        assert_eq!(options.secure_serving.secure_port, 33445);
        let missing = options.clone().complete().validate().unwrap_err().to_string();
        assert!(
            missing.starts_with("--service-account-signing-key-file: open /"),
            "{missing}"
        );
        std::fs::write(folder.path().join("sa-signer.key"), "").unwrap();
        assert_eq!(options.complete().validate(), Ok(()));
    }
}
