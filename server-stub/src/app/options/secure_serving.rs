//! Where the server listens and with which certificate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use rustls::CipherSuite;

use crate::app::AppError;
use crate::app::flags::{FlagSet, Value};
use crate::field_error::quote;
use crate::generic::certificates::{Authority, KeyPair};
use crate::generic::clock::Clock;
use crate::generic::serving::TlsSettings;
use crate::generic::serving_certificates::{CertKeyFiles, ServingCertificates};

/// The listening address and its certificates.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SecureServingOptions {
    /// Address to listen on. Default 127.0.0.1.
    pub bind_address: IpAddr,
    /// Port to listen on. Default 6443.
    pub secure_port: i64,
    /// Listen on any free port instead. No flag: whoever starts the program would not know which.
    pub any_free_port: bool,
    /// Folder for the authority (ca.crt, ca.key) and the serving certificate (apiserver.crt, apiserver.key), which are
    /// made if they are not there. Without it they are kept in memory and are others at every start.
    pub cert_dir: Option<PathBuf>,
    /// Serving certificate (PEM), followed by its intermediates.
    pub tls_cert_file: Option<PathBuf>,
    /// Key of the serving certificate (PEM).
    pub tls_private_key_file: Option<PathBuf>,
    /// Certificates for the names that clients ask for.
    pub tls_sni_cert_keys: SniCertKeys,
    /// `VersionTLS10` to `VersionTLS13`; there is nothing below 1.2 here.
    pub tls_min_version: String,
    /// Cipher suites of TLS 1.2 by their names in Go; empty for all that there are.
    pub tls_cipher_suites: Vec<String>,
    /// Whether HTTP/2 is not offered.
    pub disable_http2_serving: bool,
    /// Most requests at once on an HTTP/2 connection; 0 for the default.
    pub http2_max_streams_per_connection: i64,
    /// Whether the address may be taken while the kernel still holds connections of an earlier process. It always may.
    pub permit_address_sharing: bool,
    /// Whether other processes that permit it, too, may listen on the same port.
    pub permit_port_sharing: bool,
}

impl Default for SecureServingOptions {
    fn default() -> Self {
        Self {
            bind_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            secure_port: 6443,
            any_free_port: false,
            cert_dir: None,
            tls_cert_file: None,
            tls_private_key_file: None,
            tls_sni_cert_keys: SniCertKeys::default(),
            tls_min_version: String::new(),
            tls_cipher_suites: Vec::new(),
            disable_http2_serving: false,
            http2_max_streams_per_connection: 0,
            permit_address_sharing: false,
            permit_port_sharing: false,
        }
    }
}

/// Certificate files, and the names that were given for them.
#[derive(Clone, Debug, Default)]
pub struct SniCertKeys(pub Vec<(CertKeyFiles, Vec<String>)>);

/// What the server shows its clients.
pub struct ServingCertificate {
    /// The certificates.
    pub certificates: ServingCertificates,
    /// What clients have to trust.
    pub ca_pem: String,
}

impl SecureServingOptions {
    pub(super) fn add_flags<'a>(&'a mut self, flags: &mut FlagSet<'a>) {
        flags.add(
            "bind-address",
            &mut self.bind_address,
            "Address on which to listen for --secure-port; 0.0.0.0 or :: for all interfaces.",
        );
        flags.add(
            "secure-port",
            &mut self.secure_port,
            "Port on which to serve HTTPS. It cannot be switched off with 0.",
        );
        flags.add(
            "cert-dir",
            &mut self.cert_dir,
            "Folder of the authority (ca.crt, ca.key) and the serving certificate (apiserver.crt, apiserver.key), which \
             are made if they are not there. Without it they are kept in memory and are others at every start.",
        );
        flags.add(
            "tls-cert-file",
            &mut self.tls_cert_file,
            "Serving certificate (PEM), followed by its intermediates; read again when it changes.",
        );
        flags.add(
            "tls-private-key-file",
            &mut self.tls_private_key_file,
            "Key of --tls-cert-file (PEM).",
        );
        flags.add(
            "tls-sni-cert-key",
            &mut self.tls_sni_cert_keys,
            "Certificate and key for the names that clients ask for: x.crt,x.key for the names in the certificate, or \
             x.crt,x.key:*.example.com,example.com. May be given several times.",
        );
        flags.add(
            "tls-min-version",
            &mut self.tls_min_version,
            "Lowest version of TLS: VersionTLS10, VersionTLS11, VersionTLS12, VersionTLS13. There is none below 1.2.",
        );
        flags.add(
            "tls-cipher-suites",
            &mut self.tls_cipher_suites,
            "Cipher suites of TLS 1.2, such as TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256. Without it: all that there are.",
        );
        flags.add(
            "disable-http2-serving",
            &mut self.disable_http2_serving,
            "Whether HTTP/2 is not offered.",
        );
        flags.add(
            "http2-max-streams-per-connection",
            &mut self.http2_max_streams_per_connection,
            "Most requests at once on an HTTP/2 connection; 0 for 1000.",
        );
        flags.add(
            "permit-address-sharing",
            &mut self.permit_address_sharing,
            "Whether the port may be taken while the kernel holds connections of an earlier process. It always may.",
        );
        flags.add(
            "permit-port-sharing",
            &mut self.permit_port_sharing,
            "Whether other processes that permit it, too, may listen on the same port.",
        );
    }

    pub(super) fn validate(&self, errors: &mut Vec<String>) {
        if !self.any_free_port && !(1..=65535).contains(&self.secure_port) {
            errors.push(format!(
                "--secure-port {} must be between 1 and 65535, inclusive. It cannot be turned off with 0",
                self.secure_port
            ));
        }
        if self.tls_cert_file.is_some() != self.tls_private_key_file.is_some() {
            errors.push("--tls-cert-file and --tls-private-key-file must be given together".to_owned());
        }
        if !matches!(
            self.tls_min_version.as_str(),
            "" | "VersionTLS10" | "VersionTLS11" | "VersionTLS12" | "VersionTLS13"
        ) {
            errors.push(format!("unknown tls version {}", quote(&self.tls_min_version)));
        }
        let suites = self.tls_cipher_suites.iter().map(|name| cipher_suite(name));
        errors.extend(suites.filter_map(Result::err));
        if u32::try_from(self.http2_max_streams_per_connection).is_err() {
            errors.push("--http2-max-streams-per-connection can not be a negative value".to_owned());
        }
    }

    /// The address to listen on.
    pub fn address(&self) -> SocketAddr {
        let port = u16::try_from(self.secure_port).unwrap_or_default();
        SocketAddr::new(self.bind_address, if self.any_free_port { 0 } else { port })
    }

    /// The address under which clients find the server unless they are told another: never "any address".
    pub(crate) fn external_ip(&self) -> IpAddr {
        match self.bind_address {
            IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            address => address,
        }
    }

    /// How connections are protected.
    pub(crate) fn tls_settings(&self) -> TlsSettings {
        let mut settings = TlsSettings {
            only_tls13: self.tls_min_version == "VersionTLS13",
            http2: !self.disable_http2_serving,
            port_sharing: self.permit_port_sharing,
            ..TlsSettings::default()
        };
        if !self.tls_cipher_suites.is_empty() {
            let suites = self.tls_cipher_suites.iter().filter_map(|name| cipher_suite(name).ok());
            settings.cipher_suites = Some(suites.collect());
        }
        if let Ok(streams @ 1..) = u32::try_from(self.http2_max_streams_per_connection) {
            settings.http2_max_streams = streams;
        }
        settings
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

    /// Reads the serving certificates; what is missing is made by `authority` for the server's addresses.
    pub(crate) fn certificates(
        &self,
        authority: &Authority,
        addresses: &[IpAddr],
    ) -> Result<ServingCertificate, AppError> {
        let (mut certificates, ca_pem) = match self.certificate_files(authority, addresses)? {
            Some(files) => {
                // Whoever signed it: clients trust the certificate itself, and our authority in case that it was ours.
                let ca_pem = format!("{}{}", read(&files.certificate)?, authority.certificate_pem());
                (ServingCertificates::from_files(files)?, ca_pem)
            }
            None => {
                let pair = make(authority, addresses)?;
                let certificates = ServingCertificates::fixed(&pair.certificate_pem, &pair.key_pem);
                (
                    certificates.map_err(AppError::ServingCertificate)?,
                    authority.certificate_pem().to_owned(),
                )
            }
        };
        for (files, names) in &self.tls_sni_cert_keys.0 {
            certificates.add(names.clone(), files.clone())?;
        }
        Ok(ServingCertificate { certificates, ca_pem })
    }

    /// The files of the serving certificate, made if they may be; `None` where there are none to be.
    fn certificate_files(&self, authority: &Authority, addresses: &[IpAddr]) -> Result<Option<CertKeyFiles>, AppError> {
        if let (Some(certificate), Some(key)) = (self.tls_cert_file.clone(), self.tls_private_key_file.clone()) {
            return Ok(Some(CertKeyFiles { certificate, key }));
        }
        let Some(dir) = &self.cert_dir else { return Ok(None) };
        let files = CertKeyFiles {
            certificate: dir.join("apiserver.crt"),
            key: dir.join("apiserver.key"),
        };
        if !(files.certificate.exists() && files.key.exists()) {
            let pair = make(authority, addresses)?;
            write(&files.certificate, &pair.certificate_pem, false)?;
            write(&files.key, &pair.key_pem, true)?;
        }
        Ok(Some(files))
    }
}

/// A serving certificate for the names of the service `kubernetes` and these addresses.
fn make(authority: &Authority, addresses: &[IpAddr]) -> Result<KeyPair, AppError> {
    let names = [
        "localhost",
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    let mut all: Vec<IpAddr> = vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
    for &address in addresses {
        if !all.contains(&address) && !address.is_unspecified() {
            all.push(address);
        }
    }
    Ok(authority.server("kube-apiserver", &names, &all)?)
}

/// The suite of a name in Go. Those of TLS 1.3 are always on, there as here.
fn cipher_suite(name: &str) -> Result<CipherSuite, String> {
    let suite = match name {
        "TLS_AES_128_GCM_SHA256" => CipherSuite::TLS13_AES_128_GCM_SHA256,
        "TLS_AES_256_GCM_SHA384" => CipherSuite::TLS13_AES_256_GCM_SHA384,
        "TLS_CHACHA20_POLY1305_SHA256" => CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" => CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305" | "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" => {
            CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        }
        "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" => CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" => CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305" | "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" => {
            CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
        }
        name if GO_ONLY.contains(&name) => {
            return Err(format!(
                "Cipher suite {name} is too weak for this server, which does not have it"
            ));
        }
        name => return Err(format!("Cipher suite {name} not supported or doesn't exist")),
    };
    Ok(suite)
}

/// Suites that Go has, most of them only when asked for by name.
const GO_ONLY: [&str; 13] = [
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_RC4_128_SHA",
    "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    "TLS_ECDHE_RSA_WITH_RC4_128_SHA",
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_RSA_WITH_AES_256_CBC_SHA",
    "TLS_RSA_WITH_AES_256_GCM_SHA384",
];

/// `x.crt,x.key`, or with names `x.crt,x.key:*.example.com,example.com`; a semicolon or another flag begins the next.
impl Value for SniCertKeys {
    fn set(&mut self, text: &str, first: bool) -> Result<(), String> {
        if first {
            self.0.clear();
        }
        for one in text.split(';') {
            let (files, names) = one.split_once(':').unwrap_or((one, ""));
            let files = files.split_once(',').filter(|(certificate, key)| {
                !certificate.trim().is_empty() && !key.trim().is_empty() && !key.contains(',')
            });
            let Some((certificate, key)) = files else {
                return Err("expected comma separated certificate and key file paths".to_owned());
            };
            let files = CertKeyFiles {
                certificate: certificate.trim().into(),
                key: key.trim().into(),
            };
            let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
            self.0.push((files, names.map(str::to_owned).collect()));
        }
        Ok(())
    }

    fn text(&self) -> String {
        let one = |(files, names): &(CertKeyFiles, Vec<String>)| {
            let text = format!("{},{}", files.certificate.display(), files.key.display());
            if names.is_empty() {
                text
            } else {
                format!("{text}:{}", names.join(","))
            }
        };
        format!("[{}]", self.0.iter().map(one).collect::<Vec<_>>().join(";"))
    }

    fn type_name(&self) -> &'static str {
        "namedCertKey"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_suites_are_named_as_in_go() {
        let mut options = SecureServingOptions::default();
        let suites = "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305,TLS_RSA_WITH_AES_128_CBC_SHA,NONSENSE";
        options.tls_cipher_suites.set(suites, true).unwrap();
        let mut errors = Vec::new();
        options.validate(&mut errors);
        assert_eq!(
            errors,
            [
                "Cipher suite TLS_RSA_WITH_AES_128_CBC_SHA is too weak for this server, which does not have it",
                "Cipher suite NONSENSE not supported or doesn't exist"
            ]
        );
        let allowed = options.tls_settings().cipher_suites.unwrap();
        assert_eq!(allowed, [CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256]);
    }

    #[test]
    fn certificates_for_names() {
        let mut keys = SniCertKeys::default();
        keys.set("a.crt, a.key", true).unwrap();
        keys.set("b.crt,b.key:*.b.example.com,b.example.com", false).unwrap();
        assert_eq!(keys.text(), "[a.crt,a.key;b.crt,b.key:*.b.example.com,b.example.com]");
        for wrong in ["a.crt", "a.crt,", ",a.key", "a,b,c"] {
            assert!(keys.set(wrong, true).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_made_is_kept_between_starts() {
        let folder = tempfile::tempdir().unwrap();
        let options = SecureServingOptions {
            cert_dir: Some(folder.path().join("certificates")),
            ..SecureServingOptions::default()
        };
        let start = || {
            let authority = options.authority(&Clock::system()).unwrap();
            options.certificates(&authority, &[]).unwrap().ca_pem
        };
        let first = start();
        assert_eq!(first.matches("BEGIN CERTIFICATE").count(), 2);
        assert_eq!(start(), first);
    }
}
