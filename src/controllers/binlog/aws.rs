//! RDS: what is seen there, and the room's calls.

use std::collections::BTreeMap;

use aws_sdk_rds::types::{ApplyMethod, DbCluster, Parameter};
use futures_util::future::join3;

use super::{BinlogAction, BinlogSighting, Cluster, Member, MemberRole};
use crate::aws::classify::fault;
use crate::aws::{Aws, Freshness, Service};
use crate::controllers::sighted;
use crate::database::BinlogView;
use crate::fault::Fault;
use crate::names::{ClusterId, InstanceId, ParameterGroupName};
use crate::sighting::Sighting;
use crate::spec::Migration;

/// This room's actions that are calls to RDS: all but the retention, which is SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RdsCall<'a> {
    /// `CreateDBClusterParameterGroup`
    CreateGroup,
    /// `ModifyDBClusterParameterGroup`
    SetParameters(&'a BTreeMap<String, String>),
    /// `ModifyDBCluster`
    AttachGroup,
    /// `RebootDBInstance`
    RebootWriter(&'a InstanceId),
}

/// Where an action is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route<'a> {
    /// By [`act`].
    Rds(RdsCall<'a>),
    /// By [`set_binlog_retention`](crate::database::Database::set_binlog_retention) on the target, for so many hours.
    SetRetention(u32),
}

/// Tells calls to RDS from SQL, so that neither can end up at the other.
pub const fn route(action: &BinlogAction) -> Route<'_> {
    match action {
        BinlogAction::CreateGroup => Route::Rds(RdsCall::CreateGroup),
        BinlogAction::SetParameters { parameters } => Route::Rds(RdsCall::SetParameters(parameters)),
        BinlogAction::AttachGroup => Route::Rds(RdsCall::AttachGroup),
        BinlogAction::RebootWriter { instance } => Route::Rds(RdsCall::RebootWriter(instance)),
        BinlogAction::SetRetention { hours } => Route::SetRetention(*hours),
    }
}

/// Looks at the cluster and at the declared group; what is in effect was read by SQL. Failed reads are `Unknown`.
pub async fn observe(aws: &Aws, migration: &Migration, freshness: Freshness, in_effect: Sighting<BinlogView>) -> BinlogSighting {
    let freshness = aws.reads.from_now(freshness);
    let (cluster, group) = (&migration.spec.target.cluster, &migration.spec.binlog.parameter_group);
    let (found, parameters, attached) = join3(
        observe_cluster(aws, cluster, freshness),
        aws.parameters(group, freshness),
        aws.clusters_attached_to(group, freshness),
    )
    .await;
    let is_other = |attached: &ClusterId| !attached.as_str().eq_ignore_ascii_case(cluster.as_str());
    let shared_with = match attached {
        Ok(attached) => Sighting::Present(attached.into_iter().filter(is_other).collect()),
        Err(fault) => Sighting::unknown(fault),
    };
    BinlogSighting { cluster: found, parameters: sighted(parameters), shared_with, in_effect }
}

/// Makes one call. Whatever was read of RDS before it is not believed any more.
pub async fn act(aws: &Aws, migration: &Migration, call: RdsCall<'_>) -> Result<(), Fault> {
    let _stale = aws.reads.changing(Service::Rds);
    let (group, cluster) = (&migration.spec.binlog.parameter_group, &migration.spec.target.cluster);
    match call {
        RdsCall::CreateGroup => {
            let call = aws
                .rds
                .create_db_cluster_parameter_group()
                .db_cluster_parameter_group_name(group.as_str())
                .db_parameter_group_family(&migration.spec.binlog.family)
                .description(format!("Binary log of {cluster} for the migration {}, by bascule", migration.name()));
            call.send().await.map(drop).map_err(|error| fault(format!("CreateDBClusterParameterGroup {group}"), &error))
        }
        RdsCall::SetParameters(parameters) => set_parameters(aws, group, parameters).await,
        RdsCall::AttachGroup => {
            let call = aws.rds.modify_db_cluster().db_cluster_identifier(cluster.as_str());
            let call = call.db_cluster_parameter_group_name(group.as_str());
            call.send().await.map(drop).map_err(|error| fault(format!("ModifyDBCluster {cluster}"), &error))
        }
        RdsCall::RebootWriter(instance) => {
            let call = aws.rds.reboot_db_instance().db_instance_identifier(instance.as_str());
            call.send().await.map(drop).map_err(|error| fault(format!("RebootDBInstance {instance}"), &error))
        }
    }
}

async fn set_parameters(aws: &Aws, group: &ParameterGroupName, parameters: &BTreeMap<String, String>) -> Result<(), Fault> {
    let parameter = |(name, value): (&String, &String)| {
        Parameter::builder().parameter_name(name).parameter_value(value).apply_method(ApplyMethod::PendingReboot).build()
    };
    let call = aws.rds.modify_db_cluster_parameter_group().db_cluster_parameter_group_name(group.as_str());
    let call = call.set_parameters(Some(parameters.iter().map(parameter).collect()));
    call.send().await.map(drop).map_err(|error| fault(format!("ModifyDBClusterParameterGroup {group}"), &error))
}

async fn observe_cluster(aws: &Aws, cluster: &ClusterId, freshness: Freshness) -> Sighting<Cluster> {
    let mut found = sighted(aws.cluster(cluster, freshness).await).map(|cluster| read_cluster(&cluster));
    if let Sighting::Present(cluster) = &mut found {
        // Only a pending reboot needs to know whether the writer is available.
        let pending = cluster.writer().filter(|writer| writer.parameter_group_status == "pending-reboot");
        if let Some(instance) = pending.map(|writer| writer.instance.clone()) {
            cluster.writer_status = sighted(aws.instance_status(&instance, freshness).await);
        }
    }
    found
}

fn read_cluster(cluster: &DbCluster) -> Cluster {
    let member = |member: &aws_sdk_rds::types::DbClusterMember| Member {
        instance: InstanceId::from(member.db_instance_identifier().unwrap_or_default()),
        role: if member.is_cluster_writer() == Some(true) { MemberRole::Writer } else { MemberRole::Reader },
        parameter_group_status: member.db_cluster_parameter_group_status().unwrap_or_default().to_owned(),
    };
    Cluster {
        status: cluster.status().unwrap_or_default().to_owned(),
        parameter_group: ParameterGroupName::from(cluster.db_cluster_parameter_group().unwrap_or_default()),
        members: cluster.db_cluster_members().iter().map(member).collect(),
        writer_status: Sighting::unknown("the writer's status was not asked for"),
    }
}

#[cfg(test)]
#[path = "aws_tests.rs"]
mod tests;
