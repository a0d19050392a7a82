//! The reviews of `authentication.k8s.io`: whose token is this, and who am I?

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};

use super::bearer::INVALID;
use super::{AuthenticationError, BearerTokens, as_authenticated};
use crate::endpoints::{Question, VirtualResource};
use crate::generic::clock::Clock;
use crate::generic::request::UserInfo;
use crate::registry::validation::values::texts;
use crate::status::ApiError;

/// Whose token is this?
pub(crate) struct TokenReview(pub(crate) Arc<BearerTokens>);

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
        let wanted: Vec<String> = match texts(&review, "/spec/audiences") {
            own if own.is_empty() => self.0.api_audiences().to_vec(),
            own => own.into_iter().map(str::to_owned).collect(),
        };
        // A token is what follows the first space of a header.
        let found = match token.starts_with(' ') {
            true => Ok((UserInfo::anonymous(), wanted)),
            false => self
                .0
                .user(token, &wanted)
                .await
                .map(|(user, audiences)| (as_authenticated(user), audiences)),
        };
        review["status"] = match found {
            Ok((user, audiences)) => {
                let mut status = json!({ "authenticated": true, "user": user_info(&user) });
                if !audiences.is_empty() {
                    status["audiences"] = audiences.into();
                }
                status
            }
            // The server's own token is not this one, either.
            Err(AuthenticationError(error)) if error != INVALID => {
                json!({ "user": {}, "error": format!("[{INVALID}, {error}]") })
            }
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
        review["metadata"] = json!({ "creationTimestamp": now });
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
        let groups = ["staff", "system:authenticated"];
        let expected = json!({ "authenticated": true, "user": { "username": "ann", "groups": groups } });
        assert_eq!(answer["status"], expected);
        assert_eq!(ask("wrong").await.unwrap()["status"]["error"], "invalid bearer token");
        assert_eq!(ask("").await.unwrap_err().code(), 400);
    }
}
