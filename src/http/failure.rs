//! Refusals, in the shape of Kubernetes's `Status`.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why a request is not answered. The closed list; each has one HTTP status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum FailureReason {
    /// 400: the request makes no sense.
    BadRequest,
    /// 401: no token was shown, or a wrong one.
    Unauthorized,
    /// 403: a page of somebody else asks through a browser.
    Forbidden,
    /// 404: there is no such thing.
    NotFound,
    /// 405: this face only reads.
    MethodNotAllowed,
    /// 413: a request to read has no body.
    RequestEntityTooLarge,
    /// 421: the `Host` is not one of this server's names.
    MisdirectedRequest,
    /// 429: too many watches are open, or too much was asked at once.
    TooManyRequests,
    /// 500: the server could not.
    InternalError,
    /// 503: not yet.
    ServiceUnavailable,
}

impl FailureReason {
    /// Its HTTP status.
    pub const fn code(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::RequestEntityTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MisdirectedRequest => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::InternalError => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Why.
    pub reason: FailureReason,
    /// A sentence for whoever asked.
    pub message: String,
}

impl Failure {
    /// A refusal.
    pub fn new(reason: FailureReason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// The refusal as it is sent.
    pub fn body(&self) -> FailureBody {
        FailureBody {
            api_version: "v1".to_owned(),
            kind: "Status".to_owned(),
            status: "Failure".to_owned(),
            message: self.message.clone(),
            reason: self.reason,
            code: self.reason.code().as_u16(),
        }
    }
}

/// `Status` of the Kubernetes API, as much of it as is needed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Status")]
pub struct FailureBody {
    /// Always `v1`.
    pub api_version: String,
    /// Always `Status`.
    pub kind: String,
    /// Always `Failure`.
    pub status: String,
    /// A sentence.
    pub message: String,
    /// A word for machines.
    pub reason: FailureReason,
    /// The HTTP status.
    pub code: u16,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = (self.reason.code(), Json(self.body())).into_response();
        let headers = response.headers_mut();
        match self.reason {
            FailureReason::MethodNotAllowed => {
                headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            }
            // Browsers ask for `Basic` by themselves; programs know the other.
            FailureReason::Unauthorized => {
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"bascule\", charset=\"UTF-8\""));
                headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"bascule\""));
            }
            // A stream that ends frees a place within minutes; asking every few seconds would only make it worse.
            FailureReason::TooManyRequests => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("10"));
            }
            FailureReason::BadRequest
            | FailureReason::Forbidden
            | FailureReason::NotFound
            | FailureReason::RequestEntityTooLarge
            | FailureReason::MisdirectedRequest
            | FailureReason::InternalError
            | FailureReason::ServiceUnavailable => {}
        }
        response
    }
}
