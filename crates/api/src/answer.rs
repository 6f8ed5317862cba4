//! Whole responses, and problems as RFC 9457 has them.
//!
//! Invariants: every response carries its length; a problem holds no text of a payload beyond the
//! names of fields, and never a secret.

use http::header::{
    CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

/// A whole response.
pub type Answer = Response<Vec<u8>>;

/// After this a caller may try again when the store is down, seconds.
const RETRY_AFTER_S: u32 = 5;

/// Why there is no other answer. Becomes `application/problem+json`.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq, Serialize)]
#[error("{title}{}", .detail.as_deref().map(|detail| format!(": {detail}")).unwrap_or_default())]
pub struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: String,
    #[serde(serialize_with = "number")]
    status: StatusCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// The header, parameter or field it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
}

fn number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    /// A problem with this status, and its usual title.
    pub fn new(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("Problem").to_owned();
        Self { kind: "about:blank", title, status, detail: None, field: None }
    }

    /// Says what happened, why, and what to do.
    #[must_use]
    pub fn saying(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Names the header, parameter or field it is about.
    #[must_use]
    pub fn about(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// A request that cannot be read.
    pub fn bad(field: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST).about(field).saying(detail)
    }

    /// Nothing there.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND)
    }

    /// The store is down.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE).saying(detail)
    }

    /// Something of ours is not as it must be.
    pub fn internal(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR).saying(detail)
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<Problem> for Answer {
    fn from(problem: Problem) -> Self {
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut answer = whole(problem.status, "application/problem+json", body);
        if problem.status == StatusCode::SERVICE_UNAVAILABLE {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        if problem.status == StatusCode::UNAUTHORIZED {
            let ask = HeaderValue::from_static("Bearer realm=\"Homeostat\", Basic realm=\"Homeostat\"");
            answer.headers_mut().insert(WWW_AUTHENTICATE, ask);
        }
        answer
    }
}

impl From<homeostat_flow::RedisError> for Problem {
    fn from(error: homeostat_flow::RedisError) -> Self {
        Self::unavailable(error.remedy().map_or_else(|| error.to_string(), str::to_owned))
    }
}

impl From<homeostat_flow::StoreError> for Problem {
    fn from(error: homeostat_flow::StoreError) -> Self {
        match error {
            homeostat_flow::StoreError::Redis(error) => error.into(),
            other => Self::internal(other.to_string()),
        }
    }
}

/// A JSON answer.
pub fn json<T: Serialize>(status: StatusCode, value: &T) -> Answer {
    match serde_json::to_vec(value) {
        Ok(body) => whole(status, "application/json", body),
        Err(_) => Problem::internal("the answer could not be written as JSON").into(),
    }
}

/// An answer of any kind.
pub fn whole(status: StatusCode, kind: &'static str, body: Vec<u8>) -> Answer {
    let length = HeaderValue::from(body.len());
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}

/// The same answer with a further header; one that cannot be written is left out.
pub fn with(mut answer: Answer, name: HeaderName, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_as_rfc_9457_has_it() {
        let answer: Answer = Problem::bad("limit", "a whole number is expected").into();
        assert_eq!(answer.status(), 400);
        assert_eq!(answer.headers()[CONTENT_TYPE], "application/problem+json");
        let expected = concat!(
            r#"{"type":"about:blank","title":"Bad Request","status":400,"#,
            r#""detail":"a whole number is expected","field":"limit"}"#
        );
        assert_eq!(std::str::from_utf8(answer.body()).unwrap(), expected);
        assert_eq!(answer.headers()[CONTENT_LENGTH], expected.len().to_string());
    }

    #[test]
    fn a_store_that_takes_no_writes_says_what_to_do_and_no_digest() {
        let refused = "OOM command not allowed. script: 5a1f, on @user_script:150.";
        let problem = Problem::from(homeostat_flow::RedisError::Refused(refused.to_owned()));
        assert!(problem.detail.as_deref().is_some_and(|detail| detail.contains("maxmemory")), "{problem}");
        assert!(!problem.to_string().contains("script"), "{problem}");
    }

    #[test]
    fn a_store_that_is_down_says_when_to_come_back() {
        let answer: Answer = Problem::from(homeostat_flow::RedisError::Unavailable("x".to_owned())).into();
        assert_eq!((answer.status().as_u16(), answer.headers()[RETRY_AFTER].to_str().unwrap()), (503, "5"));
    }
}
