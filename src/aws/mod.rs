//! The four SDK clients from one configuration, and the one place that knows AWS error codes.

pub mod classify;

/// The clients of one account and region. Cheap to clone.
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
}
