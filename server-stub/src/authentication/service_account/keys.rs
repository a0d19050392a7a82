//! The keys that sign and check tokens: RSA with RS256, P-256 with ES256, P-384 with ES384.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls_pki_types::pem::{PemObject, SectionKind};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey as X509Key;
use x509_parser::x509::SubjectPublicKeyInfo;

/// A key that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no private key in the file.
    #[error("data does not contain a valid RSA or ECDSA private key")]
    NoPrivateKey,
    /// There is no public key in the file.
    #[error("data does not contain any valid RSA or ECDSA public keys")]
    NoPublicKey,
    /// A key of another kind.
    #[error("unknown private key type, only RSA from 2048 bits, P-256 and P-384 are supported")]
    Unsupported,
    /// A new key could not be made.
    #[error("make a key: {0}")]
    Generate(String),
    /// The key did not sign.
    #[error("sign a token: {0}")]
    Sign(String),
}

/// What signs tokens.
pub(super) struct SigningKey {
    key: Arc<dyn rustls::sign::SigningKey>,
    public: PublicKey,
}

/// What tells whether a signature is right.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    id: String,
    numbers: Numbers,
}

#[derive(Clone, PartialEq, Eq)]
enum Numbers {
    Rsa { n: Vec<u8>, e: Vec<u8> },
    Point { curve: Curve, point: Vec<u8> },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
}

impl SigningKey {
    /// The private key of a PEM file.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, KeyError> {
        let der = PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::NoPrivateKey)?;
        let key = any_supported_type(&der).map_err(|_| KeyError::Unsupported)?;
        let spki = key.public_key().ok_or(KeyError::Unsupported)?;
        let public = PublicKey::from_spki(&spki).ok_or(KeyError::Unsupported)?;
        Ok(Self { key, public })
    }

    /// A new key in PEM, for servers that were given none.
    pub(super) fn generate() -> Result<String, KeyError> {
        let key = rcgen::KeyPair::generate().map_err(|error| KeyError::Generate(error.to_string()))?;
        Ok(key.serialize_pem())
    }

    pub(super) fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A signed token (JWS in its compact form) of these claims.
    pub(super) fn sign(&self, claims: &[u8]) -> Result<String, KeyError> {
        let header = json!({ "alg": self.public.algorithm(), "kid": self.public.id }).to_string();
        let mut token = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let (scheme, size) = match &self.public.numbers {
            Numbers::Rsa { .. } => (SignatureScheme::RSA_PKCS1_SHA256, None),
            Numbers::Point { curve, .. } => (curve.scheme(), Some(curve.size())),
        };
        let failed = |why: &str| KeyError::Sign(why.to_owned());
        let signer = self
            .key
            .choose_scheme(&[scheme])
            .ok_or_else(|| failed("no such scheme"))?;
        let mut bytes = signer
            .sign(token.as_bytes())
            .map_err(|error| failed(&error.to_string()))?;
        if let Some(size) = size {
            bytes = fixed_size(&bytes, size).ok_or_else(|| failed("malformed signature"))?;
        }
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(bytes, &mut token);
        Ok(token)
    }
}

impl PublicKey {
    /// All public keys of a PEM file; those of its certificates and private keys, too.
    pub(super) fn all_of_pem(pem: &[u8]) -> Result<Vec<Self>, KeyError> {
        let sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem).filter_map(Result::ok);
        let keys = sections.filter_map(|(kind, der)| match kind {
            SectionKind::PublicKey => Self::from_spki(&der),
            SectionKind::Certificate => {
                let der = CertificateDer::from(der);
                let (_, certificate) = X509Certificate::from_der(&der).ok()?;
                Self::from_spki(certificate.public_key().raw)
            }
            SectionKind::RsaPrivateKey => Self::of_private(PrivateKeyDer::Pkcs1(der.into())),
            SectionKind::PrivateKey => Self::of_private(PrivateKeyDer::Pkcs8(der.into())),
            SectionKind::EcPrivateKey => Self::of_private(PrivateKeyDer::Sec1(der.into())),
            _ => None,
        });
        let keys: Vec<Self> = keys.collect();
        if keys.is_empty() {
            return Err(KeyError::NoPublicKey);
        }
        Ok(keys)
    }

    fn of_private(der: PrivateKeyDer<'_>) -> Option<Self> {
        Self::from_spki(&any_supported_type(&der).ok()?.public_key()?)
    }

    fn from_spki(der: &[u8]) -> Option<Self> {
        let (_, spki) = SubjectPublicKeyInfo::from_der(der).ok()?;
        let trimmed = |number: &[u8]| {
            let zeros = number.iter().take_while(|byte| **byte == 0).count();
            number.get(zeros..).unwrap_or_default().to_vec()
        };
        let numbers = match spki.parsed().ok()? {
            X509Key::RSA(key) => Numbers::Rsa {
                n: trimmed(key.modulus),
                e: trimmed(key.exponent),
            },
            X509Key::EC(point) => Numbers::Point {
                curve: Curve::of_point(point.data())?,
                point: point.data().to_vec(),
            },
            _ => return None,
        };
        Some(Self {
            id: URL_SAFE_NO_PAD.encode(ring::digest::digest(&ring::digest::SHA256, der)),
            numbers,
        })
    }

    /// The name in tokens: a fingerprint.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The name of the way in which this key signs.
    pub(super) fn algorithm(&self) -> &'static str {
        match &self.numbers {
            Numbers::Rsa { .. } => "RS256",
            Numbers::Point { curve, .. } => curve.names().0,
        }
    }

    /// Whether the signature is this key's.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match &self.numbers {
            Numbers::Rsa { n, e } => {
                let key = RsaPublicKeyComponents { n, e };
                key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Numbers::Point { curve, point } => {
                UnparsedPublicKey::new(curve.verification(), point).verify(message, signature)
            }
        };
        verified.is_ok()
    }

    /// The key as a JSON Web Key.
    pub(super) fn jwk(&self) -> Value {
        let mut jwk = json!({ "use": "sig", "kid": self.id, "alg": self.algorithm() });
        let mut set = |name: &str, value: String| jwk[name] = value.into();
        match &self.numbers {
            Numbers::Rsa { n, e } => {
                set("kty", "RSA".to_owned());
                set("n", URL_SAFE_NO_PAD.encode(n));
                set("e", URL_SAFE_NO_PAD.encode(e));
            }
            Numbers::Point { curve, point } => {
                set("kty", "EC".to_owned());
                set("crv", curve.names().1.to_owned());
                // Behind one byte that says that both coordinates follow.
                let (x, y) = point.split_at_checked(1 + curve.size()).unwrap_or_default();
                set("x", URL_SAFE_NO_PAD.encode(x.get(1..).unwrap_or_default()));
                set("y", URL_SAFE_NO_PAD.encode(y));
            }
        }
        jwk
    }
}

impl Curve {
    fn of_point(point: &[u8]) -> Option<Self> {
        match (point.first(), point.len()) {
            (Some(4), 65) => Some(Self::P256),
            (Some(4), 97) => Some(Self::P384),
            _ => None,
        }
    }

    /// Bytes of a coordinate.
    fn size(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
        }
    }

    /// Of the algorithm and of the curve.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::P256 => ("ES256", "P-256"),
            Self::P384 => ("ES384", "P-384"),
        }
    }

    fn scheme(self) -> SignatureScheme {
        match self {
            Self::P256 => SignatureScheme::ECDSA_NISTP256_SHA256,
            Self::P384 => SignatureScheme::ECDSA_NISTP384_SHA384,
        }
    }

    fn verification(self) -> &'static signature::EcdsaVerificationAlgorithm {
        match self {
            Self::P256 => &signature::ECDSA_P256_SHA256_FIXED,
            Self::P384 => &signature::ECDSA_P384_SHA384_FIXED,
        }
    }
}

/// The two numbers of a signature one after the other, `size` bytes each, out of the DER that TLS uses.
fn fixed_size(der: &[u8], size: usize) -> Option<Vec<u8>> {
    let [0x30, _, rest @ ..] = der else { return None };
    let mut rest = rest;
    let mut fixed = Vec::with_capacity(2 * size);
    for _ in 0..2 {
        let [0x02, length, after @ ..] = rest else { return None };
        let (number, after) = after.split_at_checked(usize::from(*length))?;
        let zeros = number.iter().take_while(|byte| **byte == 0).count();
        let number = number.get(zeros..)?;
        fixed.resize(fixed.len() + size.checked_sub(number.len())?, 0);
        fixed.extend_from_slice(number);
        rest = after;
    }
    Some(fixed)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{KeyPair, PKCS_ECDSA_P384_SHA384};

    #[test]
    fn what_a_key_signs_its_public_half_verifies() {
        let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap().serialize_pem();
        for (pem, algorithm) in [(SigningKey::generate().unwrap(), "ES256"), (p384, "ES384")] {
            let key = SigningKey::from_pem(pem.as_bytes()).unwrap();
            assert_eq!(key.public().algorithm(), algorithm);
            // Numbers with leading zeros come sooner or later.
            for round in 0..300 {
                let token = key.sign(format!("{{\"round\":{round}}}").as_bytes()).unwrap();
                let (message, signature) = token.rsplit_once('.').unwrap();
                let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
                assert!(key.public().verify(message.as_bytes(), &signature));
                assert!(!key.public().verify(b"something else", &signature));
            }
            assert_eq!(PublicKey::all_of_pem(pem.as_bytes()).unwrap(), [key.public().clone()]);
        }
    }

    #[test]
    fn files_without_a_key_are_told_apart() {
        assert_eq!(SigningKey::from_pem(b"").unwrap_err(), KeyError::NoPrivateKey);
        assert_eq!(PublicKey::all_of_pem(b"x").unwrap_err(), KeyError::NoPublicKey);
    }

    /// A key of openssl, and its fingerprint as openssl computes it.
    #[test]
    fn an_rsa_key_has_the_id_that_kube_apiserver_gives_it() {
        let pem = include_bytes!("testdata/rsa.pub");
        let [key] = PublicKey::all_of_pem(pem).unwrap().try_into().unwrap();
        assert_eq!(key.id(), include_str!("testdata/rsa.kid").trim());
        let jwk = key.jwk();
        assert_eq!(
            (&jwk["kty"], &jwk["alg"], &jwk["e"]),
            (&json!("RSA"), &json!("RS256"), &json!("AQAB"))
        );
        let token = include_str!("testdata/rsa.jwt").trim();
        let (message, signature) = token.rsplit_once('.').unwrap();
        assert!(key.verify(message.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()));
    }
}
