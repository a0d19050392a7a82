//! `CertificateApproval`, `CertificateSigning` and `CertificateSubjectRestriction`: who may approve and sign for a signer,
//! and that nobody gets a certificate for the group of those who may do everything.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;
use x509_parser::prelude::{FromDer, X509CertificationRequest};

use super::plugins::Plugin;
use super::request::PluginAdmission;
use crate::authorization::Decision;
use crate::field_error::quote;
use crate::generic::request::RequestInfo;
use crate::registry::Operation;
use crate::registry::validation::values::{get, text};
use crate::status::{ApiError, GroupResource};

pub(super) const GROUP: &str = "certificates.k8s.io";
const CLIENT_SIGNER: &str = "kubernetes.io/kube-apiserver-client";

impl PluginAdmission {
    /// Looks at a signing request.
    pub(super) async fn check_signing_request(
        &self,
        operation: Operation,
        new: &Value,
        old: Option<&Value>,
    ) -> Result<(), ApiError> {
        let on = |plugin| self.plugins.is_on(plugin);
        // The signer cannot be changed.
        let signer = text(old.unwrap_or(new), "/spec/signerName");
        match self.attributes.subresource.as_str() {
            "" if operation == Operation::Create && on(Plugin::CertificateSubjectRestriction) => {
                if signer == CLIENT_SIGNER && is_for_masters(text(new, "/spec/request")) {
                    let message = format!("use of {CLIENT_SIGNER} signer with system:masters group is not allowed");
                    return Err(refused(new, &message));
                }
                Ok(())
            }
            "approval" if on(Plugin::CertificateApproval) => self.check_signer(new, signer, "approve").await,
            "status" if on(Plugin::CertificateSigning) => {
                let field = |object: Option<&Value>, pointer| object.map(|object| get(object, pointer).clone());
                let changed = ["/status/certificate", "/status/conditions"]
                    .into_iter()
                    .any(|pointer| field(Some(new), pointer) != field(old, pointer));
                if changed {
                    self.check_signer(new, signer, "sign").await
                } else {
                    Ok(())
                }
            }
            _ => Ok(()),
        }
    }

    /// The user must be allowed to do this for the signer, or for all signers of its domain.
    async fn check_signer(&self, request: &Value, signer: &str, verb: &str) -> Result<(), ApiError> {
        let domain = signer.split_once('/').map(|(domain, _)| format!("{domain}/*"));
        for name in [Some(signer.to_owned()), domain].into_iter().flatten() {
            let question = RequestInfo {
                is_resource_request: true,
                verb: verb.to_owned(),
                api_group: GROUP.to_owned(),
                api_version: "*".to_owned(),
                resource: "signers".to_owned(),
                name,
                ..RequestInfo::default()
            };
            let decision = self
                .plugins
                .authorizer
                .authorize(&self.attributes.user, &question)
                .await;
            if matches!(decision, Decision::Allow(_)) {
                return Ok(());
            }
        }
        let message = format!(
            "user not permitted to {verb} requests with signerName {}",
            quote(signer)
        );
        Err(refused(request, &message))
    }
}

fn refused(request: &Value, message: &str) -> ApiError {
    let resource = GroupResource::new(GROUP, "certificatesigningrequests");
    ApiError::forbidden(&resource, text(request, "/metadata/name"), message)
}

/// Whether the request (base64 of PEM) is for a member of `system:masters`.
fn is_for_masters(request: &str) -> bool {
    let pem = STANDARD.decode(request).unwrap_or_default();
    let Ok(der) = CertificateSigningRequestDer::from_pem_slice(&pem) else {
        return false;
    };
    let Ok((_, request)) = X509CertificationRequest::from_der(&der) else {
        return false;
    };
    let subject = &request.certification_request_info.subject;
    subject
        .iter_organization()
        .any(|group| group.as_str() == Ok("system:masters"))
}
