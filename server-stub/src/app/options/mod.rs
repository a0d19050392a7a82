//! The command line: one file per option group, each with its flags, how it is completed, and what it applies to.

mod authentication;
mod authorization;
mod controllers;
mod ignored;
mod kubeconfig;
mod request_header;
mod secure_serving;
mod server_run;
mod storage;

use clap::{CommandFactory, FromArgMatches, Parser};

pub use authentication::AuthenticationOptions;
pub(crate) use authorization::Authorization;
pub use authorization::{AuthorizationMode, AuthorizationOptions};
pub use controllers::ControllerOptions;
pub(crate) use controllers::SwitchableController;
pub use kubeconfig::KubeconfigOptions;
pub(crate) use kubeconfig::kubeconfig_text;
pub use request_header::RequestHeaderOptions;
pub use secure_serving::{SecureServingOptions, ServingCertificate};
pub use server_run::ServerRunOptions;
pub use storage::{StorageBackend, StorageOptions};

/// A Kubernetes API server for tests: no kubelet, no scheduler, nothing to install.
///
/// Flags have the names and meaning of kube-apiserver's. Those that make no difference here are accepted with a notice.
#[derive(Clone, Debug, Default, Parser)]
#[command(name = "kubewire-server-stub", version)]
#[non_exhaustive]
pub struct Options {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub secure_serving: SecureServingOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub authentication: AuthenticationOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub request_header: RequestHeaderOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub authorization: AuthorizationOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub server_run: ServerRunOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub storage: StorageOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub controllers: ControllerOptions,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub kubeconfig: KubeconfigOptions,
    /// Flags of kube-apiserver that were given and make no difference.
    #[arg(skip)]
    pub ignored: Vec<&'static str>,
}

impl Options {
    /// Reads the program's command line; prints help or what is wrong and ends the program where that is the answer.
    pub fn from_command_line() -> Self {
        Self::from_args(std::env::args_os()).unwrap_or_else(|error| error.exit())
    }

    /// Reads a command line, the program's name first.
    ///
    /// ```
    /// use kubewire_server_stub::app::Options;
    ///
    /// let options = Options::from_args(["server", "--secure-port=0", "--allow-privileged=true"]).unwrap();
    /// assert_eq!(options.secure_serving.secure_port, 0);
    /// assert_eq!(options.ignored, ["allow-privileged"]);
    /// assert!(Options::from_args(["server", "--nonsense"]).is_err());
    /// ```
    pub fn from_args(
        args: impl IntoIterator<Item = impl Into<std::ffi::OsString> + Clone>,
    ) -> Result<Self, clap::Error> {
        let command = ignored::add_to(Self::command());
        let matches = command.try_get_matches_from(args)?;
        let mut options = Self::from_arg_matches(&matches)?;
        options.ignored = ignored::given(&matches);
        Ok(options)
    }
}

/// `--flag`, `--flag=true` and `--flag=false`, as Go reads them.
fn parse_bool(text: &str) -> Result<bool, String> {
    crate::endpoints::parse_bool(text).ok_or_else(|| "expected true or false".to_owned())
}
