//! The reviews of `authentication.k8s.io`: whose token is this, and who am I?

use std::sync::Arc;

use async_trait::async_trait;
use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use serde_json::{Value, json};

use super::Authenticator;
use crate::endpoints::{Question, VirtualResource};
use crate::generic::clock::Clock;
use crate::generic::request::UserInfo;
use crate::status::ApiError;

/// Whose token is this?
pub(crate) struct TokenReview(pub(crate) Arc<dyn Authenticator>);

#[async_trait]
impl VirtualResource for TokenReview {
    async fn create(&self, question: Question<'_>) -> Result<Value, ApiError> {
        let mut review = question.object;
        let token = review["spec"]["token"].as_str().unwrap_or_default();
        if token.is_empty() {
            return Err(ApiError::bad_request(
                "token is required for TokenReview in authentication",
            ));
        }
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
            headers.insert(AUTHORIZATION, value);
        }
        review["status"] = match self.0.authenticate(&headers, None).await {
            Ok(Some(user)) => json!({ "authenticated": true, "user": user_info(&user) }),
            Ok(None) => json!({ "user": {} }),
            Err(error) => json!({ "user": {}, "error": error.to_string() }),
        };
        Ok(review)
    }
}

/// Who am I?
pub(crate) struct SelfSubjectReview(pub(crate) Clock);

#[async_trait]
impl VirtualResource for SelfSubjectReview {
    async fn create(&self, question: Question<'_>) -> Result<Value, ApiError> {
        let mut review = question.object;
        let now = self.0.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        review["metadata"]["creationTimestamp"] = now.into();
        review["status"] = json!({ "userInfo": user_info(question.user) });
        Ok(review)
    }
}

/// A user as objects show one.
pub(crate) fn user_info(user: &UserInfo) -> Value {
    let mut info = json!({ "username": user.name });
    if !user.uid.is_empty() {
        info["uid"] = user.uid.clone().into();
    }
    if !user.groups.is_empty() {
        info["groups"] = user.groups.clone().into();
    }
    if !user.extra.is_empty() {
        info["extra"] = json!(user.extra);
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authentication::BearerTokens;

    #[tokio::test]
    async fn tells_whose_token_it_is() {
        let mut tokens = BearerTokens::default();
        let ann = UserInfo {
            name: "ann".into(),
            groups: vec!["staff".into()],
            ..UserInfo::default()
        };
        tokens.insert("secret", ann);
        let review = TokenReview(Arc::new(tokens));
        let user = Arc::new(UserInfo::anonymous());
        let ask = async |token: &str| {
            let object = json!({ "spec": { "token": token } });
            review
                .create(Question {
                    user: &user,
                    namespace: "",
                    object,
                })
                .await
        };
        let answer = ask("secret").await.unwrap();
        let expected = json!({ "authenticated": true, "user": { "username": "ann", "groups": ["staff"] } });
        assert_eq!(answer["status"], expected);
        assert_eq!(ask("wrong").await.unwrap()["status"]["error"], "invalid bearer token");
        assert_eq!(ask("").await.unwrap_err().code(), 400);
    }
}
