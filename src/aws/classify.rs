//! SDK error to [`Fault`], by error code.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::fault::{Fault, Problem};

/// What `error` means for what was attempted.
///
/// Most of DMS's refusals are not modelled and arrive as the SDK's `Unhandled` variant, so the code is read, never the type.
pub fn fault<E>(attempted: impl Into<String>, error: &SdkError<E, HttpResponse>) -> Fault
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let problem = match error {
        SdkError::ServiceError(refusal) => {
            let status = refusal.raw().status().as_u16();
            problem(status, refusal.err().code(), refusal.err().message().unwrap_or_default())
        }
        // The request was never sent.
        SdkError::ConstructionFailure(_) => {
            Problem::Invalid { code: "RequestNotBuilt".to_owned(), message: DisplayErrorContext(error).to_string() }
        }
        SdkError::TimeoutError(_) => Problem::Ambiguous { detail: "no answer in time".to_owned() },
        _ => Problem::Ambiguous { detail: DisplayErrorContext(error).to_string() },
    };
    Fault { attempted: attempted.into(), problem }
}

/// A request that lacks a member the API demands; the SDK refuses to build it.
pub fn unbuilt(attempted: impl Into<String>, error: &aws_smithy_types::error::operation::BuildError) -> Fault {
    let problem = Problem::Invalid { code: "RequestNotBuilt".to_owned(), message: error.to_string() };
    Fault { attempted: attempted.into(), problem }
}

/// What a refusal with this status and code means.
fn problem(status: u16, code: Option<&str>, message: &str) -> Problem {
    let (code, message) = match code {
        Some(code) => (code.to_owned(), message.to_owned()),
        None if status == 429 => return Problem::Throttled { code: "HTTP 429".to_owned() },
        // No code: a proxy's page, or an error document that the SDK could not read.
        None => return Problem::Ambiguous { detail: format!("HTTP {status} without an error code") },
    };
    match meaning(&code) {
        Meaning::Throttled => Problem::Throttled { code },
        Meaning::Ambiguous => Problem::Ambiguous { detail: format!("HTTP {status} {code}: {message}") },
        Meaning::WrongState => Problem::WrongState { code, message },
        Meaning::AlreadyExists => Problem::AlreadyExists { code },
        Meaning::NotFound => Problem::NotFound { code },
        Meaning::Denied => Problem::Denied { code, message },
        Meaning::Conflict => Problem::Conflict { code, message },
        Meaning::Quota => Problem::Quota { code },
        Meaning::Unlisted if status >= 500 => Problem::Ambiguous { detail: format!("HTTP {status} {code}: {message}") },
        Meaning::Unlisted => Problem::Invalid { code, message },
    }
}

/// What a code says, by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    Throttled,
    Ambiguous,
    WrongState,
    AlreadyExists,
    NotFound,
    Denied,
    Conflict,
    Quota,
    /// Validation errors, and whatever AWS adds tomorrow.
    Unlisted,
}

/// The table of codes: the four services' models, and the unmodelled codes of `ThrottlingException`'s kin that the SDK lists.
fn meaning(code: &str) -> Meaning {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottledException"
        | "RequestThrottled"
        | "TooManyRequestsException"
        | "ProvisionedThroughputExceededException"
        | "TransactionInProgressException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "SlowDown"
        | "PriorRequestNotComplete"
        | "EC2ThrottledException" => Meaning::Throttled,

        "InternalFailure"
        | "InternalError"
        | "InternalServerError"
        | "InternalServiceError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "RequestTimeout"
        | "RequestTimeoutException"
        | "HealthUnavailable" => Meaning::Ambiguous,

        "InvalidResourceStateFault"
        | "InvalidDBClusterStateFault"
        | "InvalidDBInstanceState"
        | "InvalidDBParameterGroupState" => Meaning::WrongState,

        "ResourceAlreadyExistsFault" | "DBParameterGroupAlreadyExists" | "DuplicateListener" | "PriorityInUse" => {
            Meaning::AlreadyExists
        }

        "ResourceNotFoundFault"
        | "DBParameterGroupNotFound"
        | "DBClusterParameterGroupNotFound"
        | "DBClusterNotFoundFault"
        | "DBInstanceNotFound"
        | "ListenerNotFound"
        | "LoadBalancerNotFound"
        | "TargetGroupNotFound"
        | "RuleNotFound"
        | "CertificateNotFound"
        | "SSLPolicyNotFound"
        | "NoSuchHostedZone"
        | "NoSuchChange" => Meaning::NotFound,

        "AccessDenied"
        | "AccessDeniedException"
        | "AccessDeniedFault"
        | "UnauthorizedOperation"
        | "NotAuthorized"
        | "AuthFailure"
        | "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "RequestExpired"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "OptInRequired"
        | "OperationNotPermitted"
        | "KMSKeyNotAccessibleFault"
        | "KMSAccessDeniedFault"
        | "KMSDisabledFault" => Meaning::Denied,

        // Route 53's compare-and-swap: the DELETE no longer names what is there.
        "InvalidChangeBatch" => Meaning::Conflict,

        "ResourceQuotaExceededFault"
        | "DBParameterGroupQuotaExceeded"
        | "TooManyListeners"
        | "TooManyRules"
        | "TooManyTargets"
        | "TooManyActions"
        | "TooManyUniqueTargetGroupsPerLoadBalancer"
        | "TargetGroupAssociationLimit" => Meaning::Quota,

        _ => Meaning::Unlisted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        text.to_owned()
    }

    #[test]
    fn each_refusal_means_one_problem() {
        let message = text("m");
        let table = [
            (400, "ThrottlingException", Problem::Throttled { code: text("ThrottlingException") }),
            (400, "PriorRequestNotComplete", Problem::Throttled { code: text("PriorRequestNotComplete") }),
            (429, "PriorRequestNotComplete", Problem::Throttled { code: text("PriorRequestNotComplete") }),
            (503, "SlowDown", Problem::Throttled { code: text("SlowDown") }),
            (500, "HealthUnavailable", Problem::Ambiguous { detail: text("HTTP 500 HealthUnavailable: m") }),
            (503, "SomethingNew", Problem::Ambiguous { detail: text("HTTP 503 SomethingNew: m") }),
            (
                400,
                "InvalidResourceStateFault",
                Problem::WrongState { code: text("InvalidResourceStateFault"), message: message.clone() },
            ),
            (400, "ResourceAlreadyExistsFault", Problem::AlreadyExists { code: text("ResourceAlreadyExistsFault") }),
            (400, "LoadBalancerNotFound", Problem::NotFound { code: text("LoadBalancerNotFound") }),
            (404, "DBClusterParameterGroupNotFound", Problem::NotFound { code: text("DBClusterParameterGroupNotFound") }),
            (403, "AccessDeniedFault", Problem::Denied { code: text("AccessDeniedFault"), message: message.clone() }),
            (400, "InvalidChangeBatch", Problem::Conflict { code: text("InvalidChangeBatch"), message: message.clone() }),
            (400, "ResourceQuotaExceededFault", Problem::Quota { code: text("ResourceQuotaExceededFault") }),
            (
                400,
                "InvalidParameterCombinationException",
                Problem::Invalid { code: text("InvalidParameterCombinationException"), message },
            ),
        ];
        for (status, code, expected) in table {
            assert_eq!(problem(status, Some(code), "m"), expected, "{status} {code}");
        }
    }

    #[test]
    fn a_refusal_without_a_code_is_ambiguous_and_never_absence() {
        assert_eq!(problem(404, None, ""), Problem::Ambiguous { detail: text("HTTP 404 without an error code") });
        assert_eq!(problem(429, None, ""), Problem::Throttled { code: text("HTTP 429") });
    }
}
