//! The certificates that the server shows: one by default, others for the names that clients ask for (SNI).

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::dynamic_files::{DynamicFiles, DynamicFilesError, MakeError};

/// A certificate chain and its key, in files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertKeyFiles {
    /// The certificate and its intermediates (PEM).
    pub certificate: PathBuf,
    /// The private key (PEM).
    pub key: PathBuf,
}

/// Chooses a certificate for each connection. A name that was given for a certificate counts before one that stands in
/// it, and a whole name before a wildcard.
pub struct ServingCertificates {
    default: DynamicFiles<Loaded>,
    by_name: Vec<NamedCertificate>,
}

struct NamedCertificate {
    /// Names given for it; if empty, those of the certificate count.
    names: Vec<String>,
    certificate: DynamicFiles<Loaded>,
}

struct Loaded {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
}

impl ServingCertificates {
    /// A certificate chain and key in PEM that do not change.
    ///
    /// # Errors
    /// They are no PEM, or do not belong together.
    pub fn fixed(certificate_pem: &str, key_pem: &str) -> Result<Self, MakeError> {
        let loaded = load(certificate_pem.as_bytes(), key_pem.as_bytes())?;
        Ok(Self {
            default: DynamicFiles::fixed(loaded),
            by_name: Vec::new(),
        })
    }

    /// A certificate that is read again when its files change.
    ///
    /// # Errors
    /// The files cannot be read, or hold no certificate and its key.
    pub fn from_files(files: CertKeyFiles) -> Result<Self, DynamicFilesError> {
        Ok(Self {
            default: load_files(files)?,
            by_name: Vec::new(),
        })
    }

    /// Adds a certificate for names; without names for those that stand in it.
    ///
    /// # Errors
    /// As for [`from_files`](Self::from_files).
    pub fn add(&mut self, names: Vec<String>, files: CertKeyFiles) -> Result<(), DynamicFilesError> {
        let certificate = load_files(files)?;
        self.by_name.push(NamedCertificate { names, certificate });
        Ok(())
    }

    fn for_name(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let mut best: Option<(u8, Arc<CertifiedKey>)> = None;
        for named in &self.by_name {
            let loaded = named.certificate.get();
            let given = !named.names.is_empty();
            let names = if given { &named.names } else { &loaded.names };
            let rank = names.iter().filter_map(|pattern| match (pattern, given) {
                (pattern, true) if pattern.eq_ignore_ascii_case(name) => Some(0),
                (pattern, false) if pattern.eq_ignore_ascii_case(name) => Some(1),
                (pattern, true) if fits_wildcard(pattern, name) => Some(2),
                (pattern, false) if fits_wildcard(pattern, name) => Some(3),
                _ => None,
            });
            let Some(rank) = rank.min() else { continue };
            if best.as_ref().is_none_or(|(best, _)| rank < *best) {
                best = Some((rank, loaded.key.clone()));
            }
        }
        best.map(|(_, key)| key)
    }
}

impl ResolvesServerCert for ServingCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let for_name = hello.server_name().and_then(|name| self.for_name(name));
        Some(for_name.unwrap_or_else(|| self.default.get().key.clone()))
    }
}

impl fmt::Debug for ServingCertificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ServingCertificates({} by name)", self.by_name.len())
    }
}

/// The asterisk stands for one label.
fn fits_wildcard(pattern: &str, name: &str) -> bool {
    let domain = name.split_once('.').map(|(_, domain)| domain);
    pattern
        .strip_prefix("*.")
        .zip(domain)
        .is_some_and(|(a, b)| a.eq_ignore_ascii_case(b))
}

fn load_files(files: CertKeyFiles) -> Result<DynamicFiles<Loaded>, DynamicFilesError> {
    DynamicFiles::new(vec![files.certificate, files.key], |contents| match contents {
        [certificate, key] => load(certificate, key),
        _ => Err("expected two files".into()),
    })
}

fn load(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Loaded, MakeError> {
    let chain = CertificateDer::pem_slice_iter(certificate_pem).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key_pem)?;
    let names = chain.first().map(names).unwrap_or_default();
    let key = CertifiedKey::from_der(chain, key, &provider())?;
    Ok(Loaded {
        key: Arc::new(key),
        names,
    })
}

fn provider() -> CryptoProvider {
    rustls::crypto::ring::default_provider()
}

/// The host names that stand in a certificate.
fn names(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else {
        return Vec::new();
    };
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.iter().flat_map(|names| &names.value.general_names);
    let names: Vec<String> = alternative
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some((*name).to_owned()),
            _ => None,
        })
        .collect();
    if !names.is_empty() {
        return names;
    }
    let common_name = certificate.subject().iter_common_name().next();
    let common_name = common_name.and_then(|name| name.as_str().ok());
    common_name.map(str::to_owned).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generic::certificates::Authority;
    use crate::generic::clock::Clock;

    fn pair(folder: &std::path::Path, authority: &Authority, file: &str, names: &[&str]) -> CertKeyFiles {
        let pair = authority.server(file, names, &[]).unwrap();
        let files = CertKeyFiles {
            certificate: folder.join(format!("{file}.crt")),
            key: folder.join(format!("{file}.key")),
        };
        std::fs::write(&files.certificate, pair.certificate_pem).unwrap();
        std::fs::write(&files.key, pair.key_pem).unwrap();
        files
    }

    #[test]
    fn given_names_count_first_and_whole_names_before_wildcards() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca", &Clock::system()).unwrap();
        let file = |file: &str, names: &[&str]| pair(folder.path(), &authority, file, names);
        let mut certificates = ServingCertificates::from_files(file("default", &["localhost"])).unwrap();
        certificates.add(Vec::new(), file("wild", &["*.example.com"])).unwrap();
        certificates
            .add(Vec::new(), file("own", &["a.example.com", "b.example.com"]))
            .unwrap();
        certificates
            .add(vec!["b.example.com".to_owned()], file("given", &["z.example.com"]))
            .unwrap();
        let chosen = |name: &str| {
            let key = certificates.for_name(name)?;
            let index = certificates
                .by_name
                .iter()
                .position(|named| Arc::ptr_eq(&named.certificate.get().key, &key))?;
            Some(["wild", "own", "given"][index])
        };
        assert_eq!(chosen("A.example.com"), Some("own"));
        assert_eq!(chosen("b.example.com"), Some("given"));
        assert_eq!(chosen("z.example.com"), Some("wild"));
        assert_eq!(chosen("x.y.example.com"), None);
        assert_eq!(chosen("localhost"), None);
    }

    #[test]
    fn a_key_of_another_certificate_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("ca", &Clock::system()).unwrap();
        let (a, b) = (
            pair(folder.path(), &authority, "a", &["a"]),
            pair(folder.path(), &authority, "b", &["b"]),
        );
        let mixed = CertKeyFiles {
            certificate: a.certificate,
            key: b.key,
        };
        assert!(ServingCertificates::from_files(mixed).is_err());
    }
}
