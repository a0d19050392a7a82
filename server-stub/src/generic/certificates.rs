//! Certificates made at start: an authority, and what it signs. All keys are ECDSA P-256, which is quick to make.

use std::net::IpAddr;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyUsagePurpose, SanType,
};

use crate::generic::clock::Clock;

/// A certificate and its key in PEM.
#[derive(Clone)]
pub struct KeyPair {
    /// The certificate.
    pub certificate_pem: String,
    /// The private key, PKCS#8.
    pub key_pem: String,
}

/// A certificate that could not be made.
#[derive(Debug, thiserror::Error)]
#[error("make the certificate of {name:?}")]
pub struct CertificateError {
    name: String,
    source: rcgen::Error,
}

/// A certificate authority.
pub struct Authority {
    issuer: Issuer<'static, rcgen::KeyPair>,
    pair: KeyPair,
    clock: Clock,
}

impl Authority {
    /// A new authority.
    pub fn new(name: &str, clock: &Clock) -> Result<Self, CertificateError> {
        let failed = |source| CertificateError {
            name: name.to_owned(),
            source,
        };
        let params = authority_params(name, clock);
        let key = rcgen::KeyPair::generate().map_err(failed)?;
        let pair = KeyPair {
            certificate_pem: params.self_signed(&key).map_err(failed)?.pem(),
            key_pem: key.serialize_pem(),
        };
        Ok(Self {
            issuer: Issuer::new(params, key),
            pair,
            clock: clock.clone(),
        })
    }

    /// An authority that [`new`](Self::new) made earlier under the same name.
    pub fn load(name: &str, pair: KeyPair, clock: &Clock) -> Result<Self, CertificateError> {
        let key = rcgen::KeyPair::from_pem(&pair.key_pem).map_err(|source| CertificateError {
            name: name.to_owned(),
            source,
        })?;
        Ok(Self {
            issuer: Issuer::new(authority_params(name, clock), key),
            pair,
            clock: clock.clone(),
        })
    }

    /// The authority's own certificate.
    pub fn certificate_pem(&self) -> &str {
        &self.pair.certificate_pem
    }

    /// Certificate and key, to be loaded again.
    pub fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// A server's certificate for these names and addresses.
    pub fn server(&self, name: &str, dns_names: &[&str], addresses: &[IpAddr]) -> Result<KeyPair, CertificateError> {
        let failed = |source| CertificateError {
            name: name.to_owned(),
            source,
        };
        let mut params = params(name, None, &self.clock);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        for dns_name in dns_names {
            let dns_name = (*dns_name).try_into().map_err(failed)?;
            params.subject_alt_names.push(SanType::DnsName(dns_name));
        }
        params
            .subject_alt_names
            .extend(addresses.iter().copied().map(SanType::IpAddress));
        self.sign(name, params)
    }

    /// A client's certificate: the user's name, and a group.
    pub fn client(&self, user: &str, group: Option<&str>) -> Result<KeyPair, CertificateError> {
        let mut params = params(user, group, &self.clock);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(user, params)
    }

    fn sign(&self, name: &str, mut params: CertificateParams) -> Result<KeyPair, CertificateError> {
        let failed = |source| CertificateError {
            name: name.to_owned(),
            source,
        };
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        let key = rcgen::KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &self.issuer).map_err(failed)?;
        Ok(KeyPair {
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

fn authority_params(name: &str, clock: &Clock) -> CertificateParams {
    let mut params = params(name, None, clock);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}

fn params(common_name: &str, organization: Option<&str>, clock: &Clock) -> CertificateParams {
    let mut subject = DistinguishedName::new();
    if let Some(organization) = organization {
        subject.push(DnType::OrganizationName, DnValue::Utf8String(organization.to_owned()));
    }
    subject.push(DnType::CommonName, DnValue::Utf8String(common_name.to_owned()));
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    // Valid for a year, from yesterday: clocks of clients may be a little behind.
    let day = |days: i64| {
        let date = (clock.now() + SignedDuration::from_hours(24 * days))
            .to_zoned(TimeZone::UTC)
            .date();
        rcgen::date_time_ymd(
            date.year().into(),
            date.month().unsigned_abs(),
            date.day().unsigned_abs(),
        )
    };
    params.not_before = day(-1);
    params.not_after = day(365);
    params
}
