//! The four SDK clients from one configuration, and the one place that knows AWS error codes.

pub mod classify;
pub mod listings;
pub mod meter;
pub mod pages;
pub mod reads;
pub mod whole_body;

use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_rds::config::{IdentityCache, StalledStreamProtectionConfig};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime::client::retries::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;

use crate::clock::Clock;
pub use meter::Meter;
use meter::Metered;
use reads::Reads;
pub use reads::{Freshness, Service, Ticket};

/// The longest one call may take, its answer read to the end. The pause of writes may overrun its budget by at most one call
/// (invariant S14), so one call must stay short beside the shortest sensible budget; AWS answers these calls in well under a
/// second.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// The SDK's own default: one lost SYN is sent again after three seconds.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(3_100);

/// The clients of one account and region. Cheap to clone; clones share connections and the answers of [`listings`].
#[derive(Debug, Clone)]
pub struct Aws {
    /// Database Migration Service.
    pub dms: aws_sdk_databasemigration::Client,
    /// RDS, Aurora's control plane.
    pub rds: aws_sdk_rds::Client,
    /// Route 53.
    pub route53: aws_sdk_route53::Client,
    /// Elastic Load Balancing v2.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Answers shared between the migrations of this account.
    pub reads: Arc<Reads>,
}

/// One service's client. The four `config::Builder` types share their methods but no trait.
macro_rules! client {
    ($service:ident, $sdk:expr, $http:expr, $clock:expr, $metered:expr) => {
        $service::Client::from_conf(
            $service::config::Builder::from($sdk)
                .http_client(whole_body::refusing_partial_answers($http.clone()))
                .time_source($clock.clone())
                .sleep_impl($clock.clone())
                .interceptor($metered)
                // The SDK's token buckets are static for the process: two clients must not spend each other's.
                .retry_partition(RetryPartition::custom(stringify!($service)).token_bucket(TokenBucket::unlimited()).build())
                .build(),
        )
    };
}

impl Aws {
    /// Clients over a given transport, with credentials that mean nothing: the stand-in world, in process or on TCP.
    pub fn from_transport(region: &str, http: &SharedHttpClient, clock: &Clock) -> Self {
        Self::from_metered_transport(region, http, clock, &Meter::deaf())
    }

    /// The same, whose calls are heard.
    pub fn from_metered_transport(region: &str, http: &SharedHttpClient, clock: &Clock, meter: &Meter) -> Self {
        let credentials = Credentials::new("AKIDSTANDIN", "stand-in", None, None, "bascule stand-in");
        let sdk = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self::from_sdk(&sdk, http, clock, meter)
    }

    /// Clients of the environment: its credentials chain, profile and `AWS_ENDPOINT_URL*`.
    pub async fn from_environment(region: &str, meter: &Meter) -> Self {
        let sdk = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::new(region.to_owned()))
            // The loop looks again before it tries again: a repeated call may already have been applied.
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .load()
            .await;
        let http = aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc)).build_https();
        Self::from_sdk(&sdk, &http, &Clock::system(), meter)
    }

    fn from_sdk(sdk: &SdkConfig, http: &SharedHttpClient, clock: &Clock, meter: &Meter) -> Self {
        let metered = |service| Metered { service, meter: meter.clone() };
        Self {
            dms: client!(aws_sdk_databasemigration, sdk, http, clock, metered(Service::Dms)),
            rds: client!(aws_sdk_rds, sdk, http, clock, metered(Service::Rds)),
            route53: client!(aws_sdk_route53, sdk, http, clock, metered(Service::Route53)),
            elb: client!(aws_sdk_elasticloadbalancingv2, sdk, http, clock, metered(Service::Elb)),
            reads: Arc::new(Reads::new(clock.clone())),
        }
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .operation_attempt_timeout(CALL_TIMEOUT)
        .operation_timeout(CALL_TIMEOUT)
        .build()
}

#[cfg(test)]
pub(crate) mod wire;
