//! What kube-apiserver's default roles let everybody do: `system:public-info-viewer`, `system:discovery` and
//! `system:basic-user`.

use async_trait::async_trait;

use super::{Authorizer, Decision};
use crate::generic::request::{RequestInfo, UserInfo};

/// The default roles of `system:authenticated` and `system:unauthenticated`.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultRoles;

const PUBLIC_INFO: &[&str] = &["/healthz", "/livez", "/readyz", "/version", "/version/"];
const DISCOVERY: &[&str] = &["/api", "/apis", "/openapi"];

/// Groups and resources of which anybody known may ask about himself.
const SELF_REVIEWS: &[(&str, &str)] = &[
    ("authorization.k8s.io", "selfsubjectaccessreviews"),
    ("authorization.k8s.io", "selfsubjectrulesreviews"),
    ("authentication.k8s.io", "selfsubjectreviews"),
];

#[async_trait]
impl Authorizer for DefaultRoles {
    async fn authorize(&self, user: &UserInfo, request: &RequestInfo) -> Decision {
        let known = user.is_in_group("system:authenticated");
        let allowed = if request.is_resource_request {
            let asked = (request.api_group.as_str(), request.resource.as_str());
            known && request.verb == "create" && SELF_REVIEWS.contains(&asked)
        } else {
            let path = request.path.as_str();
            let below = |root: &&str| {
                path.strip_prefix(*root)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            let anybody = PUBLIC_INFO.contains(&path);
            request.verb == "get" && (anybody || known && DISCOVERY.iter().any(below))
        };
        if allowed {
            Decision::Allow
        } else {
            Decision::NoOpinion(String::new())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;

    #[tokio::test]
    async fn strangers_see_health_and_version_only() {
        let ann = UserInfo {
            name: "ann".into(),
            groups: vec!["system:authenticated".into()],
            ..UserInfo::default()
        };
        let rows = [
            (Method::GET, "/healthz", true, true),
            (Method::GET, "/version", true, true),
            (Method::GET, "/healthz/etcd", false, false),
            (Method::GET, "/apis/apps/v1", false, true),
            (Method::GET, "/apisx", false, false),
            (Method::POST, "/version", false, false),
            (Method::GET, "/metrics", false, false),
            (Method::GET, "/api/v1/pods", false, false),
            (
                Method::POST,
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                false,
                true,
            ),
        ];
        for (method, path, stranger_may, ann_may) in rows {
            let info = RequestInfo::parse(&method, path, None).unwrap();
            let may = async |user: &UserInfo| DefaultRoles.authorize(user, &info).await == Decision::Allow;
            assert_eq!(
                (may(&UserInfo::anonymous()).await, may(&ann).await),
                (stranger_may, ann_may),
                "{path}"
            );
        }
    }
}
