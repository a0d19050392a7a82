//! Where the server listens and with which certificate.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::AppError;
use crate::generic::certificates::{Authority, KeyPair};
use crate::generic::clock::Clock;

/// The listening address and its certificate.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Secure serving")]
#[non_exhaustive]
pub struct SecureServingOptions {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1")]
    pub bind_address: IpAddr,
    /// Port to listen on; 0 takes any free port.
    #[arg(long, default_value_t = 6443)]
    pub secure_port: u16,
    /// Address under which clients are told to find the server. Default: the one it listens on.
    #[arg(long)]
    pub advertise_address: Option<IpAddr>,
    /// Folder for the authority (ca.crt, ca.key) and the serving certificate (apiserver.crt, apiserver.key), which are
    /// made if they are not there. Without it they are kept in memory and are others at every start.
    #[arg(long)]
    pub cert_dir: Option<PathBuf>,
    /// Serving certificate (PEM), followed by its intermediates.
    #[arg(long, requires = "tls_private_key_file")]
    pub tls_cert_file: Option<PathBuf>,
    /// Key of --tls-cert-file (PEM).
    #[arg(long, requires = "tls_cert_file")]
    pub tls_private_key_file: Option<PathBuf>,
}

impl Default for SecureServingOptions {
    fn default() -> Self {
        Self {
            bind_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure_port: 6443,
            advertise_address: None,
            cert_dir: None,
            tls_cert_file: None,
            tls_private_key_file: None,
        }
    }
}

/// What the server shows its clients.
#[derive(Clone)]
pub struct ServingCertificate {
    /// Certificate and key.
    pub pair: KeyPair,
    /// What clients have to trust.
    pub ca_pem: String,
}

impl SecureServingOptions {
    /// The address to listen on.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.bind_address, self.secure_port)
    }

    /// The address under which clients find the server: never "any address".
    pub(crate) fn external_ip(&self) -> IpAddr {
        let bound = match self.bind_address {
            IpAddr::V4(address) if address.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(address) if address.is_unspecified() => std::net::Ipv6Addr::LOCALHOST.into(),
            address => address,
        };
        self.advertise_address.unwrap_or(bound)
    }

    /// The authority that signs what the server makes.
    pub(crate) fn authority(&self, clock: &Clock) -> Result<Authority, AppError> {
        const NAME: &str = "kubewire-ca";
        let Some(dir) = &self.cert_dir else {
            return Ok(Authority::new(NAME, clock)?);
        };
        let (certificate, key) = (dir.join("ca.crt"), dir.join("ca.key"));
        if certificate.exists() && key.exists() {
            let pair = KeyPair {
                certificate_pem: read(&certificate)?,
                key_pem: read(&key)?,
            };
            return Ok(Authority::load(NAME, pair, clock)?);
        }
        let authority = Authority::new(NAME, clock)?;
        write(&certificate, &authority.pair().certificate_pem, false)?;
        write(&key, &authority.pair().key_pem, true)?;
        Ok(authority)
    }

    /// Reads the serving certificate, or has it made by `authority`.
    pub(crate) fn certificate(
        &self,
        authority: &Authority,
        service_ip: IpAddr,
    ) -> Result<ServingCertificate, AppError> {
        let own_files = self.tls_cert_file.clone().zip(self.tls_private_key_file.clone());
        let in_folder = self
            .cert_dir
            .as_ref()
            .map(|dir| (dir.join("apiserver.crt"), dir.join("apiserver.key")));
        let exists = |(certificate, key): &(PathBuf, PathBuf)| certificate.exists() && key.exists();
        if let Some((certificate, key)) = own_files.or_else(|| in_folder.clone().filter(exists)) {
            let pair = KeyPair {
                certificate_pem: read(&certificate)?,
                key_pem: read(&key)?,
            };
            // Whoever signed it: clients trust the certificate itself, and our authority in case that it was ours.
            let ca_pem = format!("{}{}", pair.certificate_pem, authority.certificate_pem());
            return Ok(ServingCertificate { pair, ca_pem });
        }
        let pair = self.make(authority, service_ip)?;
        if let Some((certificate, key)) = in_folder {
            write(&certificate, &pair.certificate_pem, false)?;
            write(&key, &pair.key_pem, true)?;
        }
        let ca_pem = authority.certificate_pem().to_owned();
        Ok(ServingCertificate { pair, ca_pem })
    }

    fn make(&self, authority: &Authority, service_ip: IpAddr) -> Result<KeyPair, AppError> {
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let mut addresses = vec![
            IpAddr::V4(Ipv4Addr::LOCALHOST),
            std::net::Ipv6Addr::LOCALHOST.into(),
            service_ip,
        ];
        for address in [self.bind_address, self.external_ip()] {
            if !addresses.contains(&address) && !address.is_unspecified() {
                addresses.push(address);
            }
        }
        Ok(authority.server("kube-apiserver", &names, &addresses)?)
    }
}

pub(super) fn read(path: &Path) -> Result<String, AppError> {
    std::fs::read_to_string(path).map_err(|source| AppError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Writes a file whole or not at all; a secret one can be read by its owner only.
pub(super) fn write(path: &Path, text: &str, secret: bool) -> Result<(), AppError> {
    write_atomically(path, text, secret).map_err(|source| AppError::Write {
        path: path.to_owned(),
        source,
    })
}

fn write_atomically(path: &Path, text: &str, secret: bool) -> std::io::Result<()> {
    use std::io::Write;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.tmp", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if secret {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(&temporary)?.write_all(text.as_bytes())?;
    std::fs::rename(&temporary, path)
}
