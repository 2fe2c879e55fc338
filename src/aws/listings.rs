//! The reads that rooms make, each complete or a fault, shared through [`super::reads`].

use std::collections::BTreeMap;

use aws_sdk_databasemigration::types::{Connection, Filter, ReplicationTask, TableStatistics};
use aws_sdk_elasticloadbalancingv2::types::{Listener, TargetHealthDescription};
use aws_sdk_rds::types::DbCluster;
use aws_sdk_route53::types::{ResourceRecordSet, RrType};

use super::classify::{fault, unbuilt};
use super::pages::every_page;
use super::{Aws, Freshness, Service};
use crate::fault::{Fault, Problem};
use crate::names::{
    ClusterId, DomainName, EndpointArn, HostedZoneId, InstanceId, LoadBalancerArn, ParameterGroupName, ReplicationInstanceArn,
    TargetGroupArn, TaskArn, TaskIdentifier,
};

/// The most that DMS and RDS put on one page.
const PAGE: i32 = 100;
/// DescribeTableStatistics alone allows five hundred.
const TABLES_PAGE: i32 = 500;

impl Aws {
    /// The DMS task with this identifier, out of one listing of all tasks of the account.
    pub async fn task(&self, identifier: &TaskIdentifier, freshness: Freshness) -> Result<Option<ReplicationTask>, Fault> {
        let is_it = |task: &&ReplicationTask| {
            task.replication_task_identifier().is_some_and(|found| found.eq_ignore_ascii_case(identifier.as_str()))
        };
        let pick = |tasks: &Vec<ReplicationTask>| tasks.iter().find(is_it).cloned();
        self.reads.tasks.find(&self.reads, Service::Dms, &(), freshness, || self.all_tasks(), pick).await
    }

    async fn all_tasks(&self) -> Result<Vec<ReplicationTask>, Fault> {
        let attempted = "DescribeReplicationTasks";
        // Settings are tens of kilobytes a task, and not needed for a decision.
        let call = self.dms.describe_replication_tasks().without_settings(true).max_records(PAGE);
        let page = |marker| async {
            let answer = call.clone().set_marker(marker).send().await.map_err(|error| fault(attempted, &error))?;
            Ok((answer.replication_tasks.unwrap_or_default(), marker_of(answer.marker)))
        };
        empty_if_not_found(every_page(attempted, page).await)
    }

    /// One task with its settings and table mappings, which no call of this program ever changes: so none makes an answer stale.
    pub async fn task_papers(&self, task: &TaskArn, freshness: Freshness) -> Result<Option<ReplicationTask>, Fault> {
        self.reads.papers.lasting(&self.reads, task, freshness, || self.one_task(task)).await.map(|found| Option::clone(&found))
    }

    async fn one_task(&self, task: &TaskArn) -> Result<Option<ReplicationTask>, Fault> {
        let attempted = format!("DescribeReplicationTasks {task}");
        let filter = Filter::builder().name("replication-task-arn").values(task.as_str()).build();
        let filter = filter.map_err(|error| unbuilt(attempted.as_str(), &error))?;
        let call = self.dms.describe_replication_tasks().filters(filter).max_records(PAGE);
        let page = |marker| async {
            let answer = call.clone().set_marker(marker).send().await.map_err(|error| fault(attempted.as_str(), &error))?;
            Ok((answer.replication_tasks.unwrap_or_default(), marker_of(answer.marker)))
        };
        let found = empty_if_not_found(every_page(&attempted, page).await)?;
        Ok(found.into_iter().find(|found| found.replication_task_arn() == Some(task.as_str())))
    }

    /// The statistics of one task's tables; `None` while DMS has none.
    pub async fn tables(&self, task: &TaskArn, freshness: Freshness) -> Result<Option<Vec<TableStatistics>>, Fault> {
        let pick = |tables: &Vec<TableStatistics>| Some(tables.clone()).filter(|tables| !tables.is_empty());
        self.reads.tables.find(&self.reads, Service::Dms, task, freshness, || self.all_tables(task), pick).await
    }

    async fn all_tables(&self, task: &TaskArn) -> Result<Vec<TableStatistics>, Fault> {
        let attempted = format!("DescribeTableStatistics {task}");
        let call = self.dms.describe_table_statistics().replication_task_arn(task.as_str()).max_records(TABLES_PAGE);
        let page = |marker| async {
            let answer = call.clone().set_marker(marker).send().await.map_err(|error| fault(attempted.as_str(), &error))?;
            Ok((answer.table_statistics.unwrap_or_default(), marker_of(answer.marker)))
        };
        empty_if_not_found(every_page(&attempted, page).await)
    }

    /// The newest connection test of `endpoint` on `instance`, out of one listing of all tests of the account.
    pub async fn connection(
        &self,
        endpoint: &EndpointArn,
        instance: &ReplicationInstanceArn,
        freshness: Freshness,
    ) -> Result<Option<Connection>, Fault> {
        let is_it = |connection: &&Connection| {
            connection.endpoint_arn() == Some(endpoint.as_str())
                && connection.replication_instance_arn() == Some(instance.as_str())
        };
        let pick = |connections: &Vec<Connection>| connections.iter().find(is_it).cloned();
        self.reads.connections.find(&self.reads, Service::Dms, &(), freshness, || self.all_connections(), pick).await
    }

    async fn all_connections(&self) -> Result<Vec<Connection>, Fault> {
        let attempted = "DescribeConnections";
        let call = self.dms.describe_connections().max_records(PAGE);
        let page = |marker| async {
            let answer = call.clone().set_marker(marker).send().await.map_err(|error| fault(attempted, &error))?;
            Ok((answer.connections.unwrap_or_default(), marker_of(answer.marker)))
        };
        empty_if_not_found(every_page(attempted, page).await)
    }

    /// One DB cluster, out of one listing of all clusters of the account.
    pub async fn cluster(&self, cluster: &ClusterId, freshness: Freshness) -> Result<Option<DbCluster>, Fault> {
        let is_it = |found: &&DbCluster| {
            found.db_cluster_identifier().is_some_and(|identifier| identifier.eq_ignore_ascii_case(cluster.as_str()))
        };
        let pick = |clusters: &Vec<DbCluster>| clusters.iter().find(is_it).cloned();
        self.reads.clusters.find(&self.reads, Service::Rds, &(), freshness, || self.all_clusters(), pick).await
    }

    /// Every cluster that a parameter group is attached to. Empty only after two agreeing answers.
    pub async fn clusters_attached_to(&self, group: &ParameterGroupName, freshness: Freshness) -> Result<Vec<ClusterId>, Fault> {
        let is_attached = |cluster: &&DbCluster| {
            cluster.db_cluster_parameter_group().is_some_and(|attached| attached.eq_ignore_ascii_case(group.as_str()))
        };
        let pick = |clusters: &Vec<DbCluster>| {
            let attached = clusters.iter().filter(is_attached).filter_map(|cluster| cluster.db_cluster_identifier());
            Some(attached.map(ClusterId::from).collect::<Vec<_>>()).filter(|attached| !attached.is_empty())
        };
        let found = self.reads.clusters.find(&self.reads, Service::Rds, &(), freshness, || self.all_clusters(), pick).await?;
        Ok(found.unwrap_or_default())
    }

    async fn all_clusters(&self) -> Result<Vec<DbCluster>, Fault> {
        let attempted = "DescribeDBClusters";
        let call = self.rds.describe_db_clusters().max_records(PAGE);
        let page = |marker| async {
            let answer = call.clone().set_marker(marker).send().await.map_err(|error| fault(attempted, &error))?;
            Ok((answer.db_clusters.unwrap_or_default(), marker_of(answer.marker)))
        };
        every_page(attempted, page).await
    }

    /// `DBInstanceStatus` of one instance.
    pub async fn instance_status(&self, instance: &InstanceId, freshness: Freshness) -> Result<Option<String>, Fault> {
        let fetch = || async {
            let attempted = format!("DescribeDBInstances {instance}");
            let call = self.rds.describe_db_instances().db_instance_identifier(instance.as_str());
            match call.send().await.map_err(|error| fault(attempted, &error)) {
                Ok(answer) => Ok(answer.db_instances().first().and_then(|found| found.db_instance_status().map(str::to_owned))),
                Err(Fault { problem: Problem::NotFound { .. }, .. }) => Ok(None),
                Err(fault) => Err(fault),
            }
        };
        self.reads.instances.find(&self.reads, Service::Rds, instance, freshness, fetch, Option::clone).await
    }

    /// The parameters that somebody set in a cluster parameter group; `None` when there is no such group.
    pub async fn parameters(
        &self,
        group: &ParameterGroupName,
        freshness: Freshness,
    ) -> Result<Option<BTreeMap<String, String>>, Fault> {
        let fetch = || self.all_parameters(group);
        self.reads.parameters.find(&self.reads, Service::Rds, group, freshness, fetch, Option::clone).await
    }

    async fn all_parameters(&self, group: &ParameterGroupName) -> Result<Option<BTreeMap<String, String>>, Fault> {
        let attempted = format!("DescribeDBClusterParameters {group}");
        // Without the source, hundreds of engine defaults come along, some pages of them.
        let call = self.rds.describe_db_cluster_parameters().db_cluster_parameter_group_name(group.as_str());
        let call = call.source("user").max_records(PAGE);
        let page = |marker| async {
            let answer = call.clone().set_marker(marker).send().await.map_err(|error| fault(attempted.as_str(), &error))?;
            Ok((answer.parameters.unwrap_or_default(), marker_of(answer.marker)))
        };
        match every_page(&attempted, page).await {
            Ok(parameters) => {
                let set = parameters.into_iter().filter_map(|it| it.parameter_name.zip(it.parameter_value));
                Ok(Some(set.collect()))
            }
            Err(Fault { problem: Problem::NotFound { .. }, .. }) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// All record sets of exactly this name, as Route 53 keeps them; `None` when there are none.
    pub async fn records(
        &self,
        zone: &HostedZoneId,
        name: &DomainName,
        freshness: Freshness,
    ) -> Result<Option<Vec<ResourceRecordSet>>, Fault> {
        let key = (zone.clone(), name.clone());
        let pick = |records: &Vec<ResourceRecordSet>| Some(records.clone()).filter(|records| !records.is_empty());
        self.reads.records.find(&self.reads, Service::Route53, &key, freshness, || self.all_records(zone, name), pick).await
    }

    /// Lists from `name` on and stops at the first other name: when the name is absent, Route 53 answers with the next one.
    async fn all_records(&self, zone: &HostedZoneId, name: &DomainName) -> Result<Vec<ResourceRecordSet>, Fault> {
        let attempted = format!("ListResourceRecordSets {name}");
        let call = self.route53.list_resource_record_sets().hosted_zone_id(zone.as_str());
        let page = |next: Option<(String, Option<String>, Option<String>)>| async {
            let (from, record_type, identifier) = next.unwrap_or_else(|| (name.to_string(), None, None));
            let call = call.clone().start_record_name(from).set_start_record_identifier(identifier);
            let call = call.set_start_record_type(record_type.map(|word| RrType::from(word.as_str())));
            let answer = call.send().await.map_err(|error| fault(attempted.as_str(), &error))?;
            let listed = answer.resource_record_sets.len();
            let ours = |record: &ResourceRecordSet| normal_name(&record.name) == *name;
            let found: Vec<_> = answer.resource_record_sets.into_iter().take_while(ours).collect();
            let more = answer.is_truncated && found.len() == listed;
            if more && answer.next_record_name.is_none() {
                let detail = "a truncated list did not say where it goes on".to_owned();
                return Err(Fault { attempted: attempted.clone(), problem: Problem::Ambiguous { detail } });
            }
            let next_type = answer.next_record_type.map(|word| word.as_str().to_owned());
            let next = answer.next_record_name.filter(|_| more);
            Ok((found, next.map(|next| (next, next_type, answer.next_record_identifier))))
        };
        every_page(&attempted, page).await
    }

    /// The listener of a load balancer on one port.
    pub async fn listener(&self, lb: &LoadBalancerArn, port: i32, freshness: Freshness) -> Result<Option<Listener>, Fault> {
        let pick = |listeners: &Vec<Listener>| listeners.iter().find(|listener| listener.port() == Some(port)).cloned();
        self.reads.listeners.find(&self.reads, Service::Elb, lb, freshness, || self.all_listeners(lb), pick).await
    }

    async fn all_listeners(&self, lb: &LoadBalancerArn) -> Result<Vec<Listener>, Fault> {
        let attempted = format!("DescribeListeners {lb}");
        let call = self.elb.describe_listeners().load_balancer_arn(lb.as_str());
        let page = |marker| async {
            let answer = call.clone().set_marker(marker).send().await.map_err(|error| fault(attempted.as_str(), &error))?;
            Ok((answer.listeners.unwrap_or_default(), marker_of(answer.next_marker)))
        };
        every_page(&attempted, page).await
    }

    /// Every target of a group with its health; `None` when the group is empty.
    pub async fn targets(
        &self,
        group: &TargetGroupArn,
        freshness: Freshness,
    ) -> Result<Option<Vec<TargetHealthDescription>>, Fault> {
        let fetch = || async {
            let call = self.elb.describe_target_health().target_group_arn(group.as_str());
            let answer = call.send().await.map_err(|error| fault(format!("DescribeTargetHealth {group}"), &error))?;
            Ok(answer.target_health_descriptions.unwrap_or_default())
        };
        let pick = |targets: &Vec<TargetHealthDescription>| Some(targets.clone()).filter(|targets| !targets.is_empty());
        self.reads.targets.find(&self.reads, Service::Elb, group, freshness, fetch, pick).await
    }
}

/// DMS answers a describe that matches nothing with a fault, sometimes with an empty list.
fn empty_if_not_found<T>(listing: Result<Vec<T>, Fault>) -> Result<Vec<T>, Fault> {
    match listing {
        Err(Fault { problem: Problem::NotFound { .. }, .. }) => Ok(Vec::new()),
        other => other,
    }
}

/// Some services end a listing with an empty marker instead of none.
fn marker_of(marker: Option<String>) -> Option<String> {
    marker.filter(|marker| !marker.is_empty())
}

/// A domain name as Route 53 lists it, in this program's form: lower-case, no trailing dot, octal escapes undone (`\052` is
/// the `*` of a wildcard).
pub fn normal_name(listed: &str) -> DomainName {
    let mut name = String::with_capacity(listed.len());
    let mut rest = listed.trim_end_matches('.');
    while let Some(at) = rest.find('\\') {
        let octal = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        name.push_str(&rest[..at]);
        match octal {
            Some(byte) => {
                name.push(char::from(byte));
                rest = &rest[at + 4..];
            }
            None => {
                name.push('\\');
                rest = &rest[at + 1..];
            }
        }
    }
    name.push_str(rest);
    DomainName(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_names_lose_their_dot_their_capitals_and_their_escapes() {
        assert_eq!(normal_name("Pay.Example.COM."), DomainName::from("pay.example.com"));
        assert_eq!(normal_name("\\052.example.com."), DomainName::from("*.example.com"));
        assert_eq!(normal_name("odd\\name."), DomainName::from("odd\\name"));
    }
}
