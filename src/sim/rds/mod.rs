//! RDS: Aurora clusters and their parameter groups, as the control plane shows them.
//!
//! A group only wishes; an instance takes the wish up when it starts. Not modelled: instance parameter groups, creation and
//! deletion of clusters and instances, every setting of ModifyDBCluster but the parameter group, dynamic parameters that apply
//! without a restart (stricter than AWS: they too wait for one, although nothing says `pending-reboot` then), storage,
//! snapshots, AWS's own maintenance; ARNs name one made-up account and region.

mod clusters;
mod groups;
mod parameters;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;

use self::clusters::{Cluster, GroupStatus, Instance, InstanceStatus};
use self::groups::{Groups, Takes, page, refuse_filters};
use crate::clock::after;
use crate::database::LogForm;
use crate::names::{ClusterId, InstanceId, ParameterGroupName};
use crate::sim::wire::xml::Xml;
use crate::sim::wire::{Parameters, ServiceError, query};

/// How long an instance is away when it restarts ("typically less than 35 seconds" for a failover, User Guide for Aurora).
const RESTART_SECONDS: std::ops::RangeInclusive<u64> = 20..=40;
/// A cluster of somebody else in the same account.
const NEIGHBOUR: &str = "shared-neighbour";

/// What the binary log of a writer is, once it is up: the group's values at its last start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EffectiveBinlog {
    /// `OFF`, `ROW`, `STATEMENT` or `MIXED`.
    pub format: String,
    /// `FULL`: Aurora lets nobody change it at cluster level.
    pub row_image: String,
    /// `CRC32` or `NONE`.
    pub checksum: String,
    /// `binlog_transaction_compression`
    pub form: LogForm,
}

/// What the world must do to its target database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RdsEffect {
    /// The writer is going down: connections break, transactions in flight are rolled back.
    WriterRebooting {
        /// The instance that is, or was, the writer.
        instance: InstanceId,
    },
    /// A writer is up, after a reboot or a failover.
    WriterUp {
        /// The instance that is the writer now.
        instance: InstanceId,
        /// What its binary log is.
        binlog: EffectiveBinlog,
    },
}

/// The account's clusters and groups.
#[derive(Debug)]
pub struct Rds {
    /// The migration's cluster first, then the neighbour.
    clusters: Vec<Cluster>,
    groups: Groups,
    /// Effects of calls, until the world takes them with `step`.
    effects: Vec<(Timestamp, RdsEffect)>,
    /// Every restart of an instance that somebody asked for, in order.
    reboots: Vec<(Timestamp, InstanceId)>,
    rng: fastrand::Rng,
}

impl Rds {
    /// A cluster with a writer and a reader on the default group, and a neighbour that has nothing to do with it.
    pub fn new(cluster: ClusterId, writer: InstanceId, reader: InstanceId, rng: fastrand::Rng) -> Self {
        let ours = Cluster::new(cluster, vec![writer, reader]);
        let neighbour = Cluster::new(ClusterId::from(NEIGHBOUR), vec![InstanceId(format!("{NEIGHBOUR}-1"))]);
        Self { clusters: vec![ours, neighbour], groups: Groups::new(), effects: Vec::new(), reboots: Vec::new(), rng }
    }

    /// When the next instance is up again; an effect that was not taken yet has been due since it happened.
    pub fn next_due(&self) -> Option<Timestamp> {
        let untaken = self.effects.first().map(|(since, _)| *since);
        self.clusters.iter().filter_map(Cluster::next_due).chain(untaken).min()
    }

    /// Lets every restart end that is due by `now`, and hands over what has happened to the migration's writer.
    pub fn step(&mut self, now: Timestamp) -> Vec<RdsEffect> {
        self.finish_restarts(now);
        std::mem::take(&mut self.effects).into_iter().map(|(_, effect)| effect).collect()
    }

    /// Every restart that was asked for, reboots and failovers alike.
    pub fn reboots(&self) -> &[(Timestamp, InstanceId)] {
        &self.reboots
    }

    /// What the migration's writer started with.
    pub fn in_effect(&self) -> EffectiveBinlog {
        self.clusters[0].writer().in_effect.clone()
    }

    /// The group that the migration's cluster wears.
    pub fn attached_group(&self) -> &ParameterGroupName {
        &self.clusters[0].group
    }

    /// Somebody puts the neighbour on `group` too.
    pub fn attach_neighbour(&mut self, group: &ParameterGroupName) {
        self.clusters[1].attach(group);
    }

    /// Somebody puts the migration's cluster on another group by hand.
    pub fn attach_by_hand(&mut self, group: &ParameterGroupName) {
        self.clusters[0].attach(group);
    }

    /// Handles one action; the answer is the inner XML of its `Result` element.
    pub fn call(&mut self, now: Timestamp, action: &str, sent: &Parameters) -> Result<String, ServiceError> {
        self.finish_restarts(now);
        match action {
            "CreateDBClusterParameterGroup" => self.groups.create(sent),
            "DescribeDBClusterParameterGroups" => self.groups.describe(sent),
            "DescribeDBClusterParameters" => self.groups.describe_parameters(sent),
            "ModifyDBClusterParameterGroup" => self.modify_group(sent),
            "ModifyDBCluster" => self.modify_cluster(sent),
            "DescribeDBClusters" => self.describe_clusters(sent),
            "DescribeDBInstances" => self.describe_instances(sent),
            "RebootDBInstance" => self.reboot_instance(now, sent),
            "FailoverDBCluster" => self.fail_over(now, sent),
            "RebootDBCluster" => self.reboot_cluster(sent),
            _ => Err(ServiceError::refused("InvalidAction", format!("Could not find operation {action} for version 2014-10-31"))),
        }
    }

    /// A restarted instance has what its group said when the restart began; what changed since waits for the next one.
    fn finish_restarts(&mut self, now: Timestamp) {
        for (index, cluster) in self.clusters.iter_mut().enumerate() {
            let Some(writer) = cluster.finish_restarts(now) else { continue };
            // Only the migration's own cluster has a database in this world.
            if index == 0 {
                let up = RdsEffect::WriterUp { instance: writer.id.clone(), binlog: writer.in_effect.clone() };
                self.effects.push((now, up));
            }
        }
    }

    fn modify_group(&mut self, sent: &Parameters) -> Result<String, ServiceError> {
        let (name, takes, answer) = self.groups.modify(sent)?;
        if takes == Takes::Reboot {
            self.clusters.iter_mut().filter(|cluster| cluster.group == name).for_each(Cluster::await_reboot);
        }
        Ok(answer)
    }

    fn modify_cluster(&mut self, sent: &Parameters) -> Result<String, ServiceError> {
        let index = self.cluster_named(query::required(sent, "DBClusterIdentifier")?)?;
        let known = ["Action", "Version", "DBClusterIdentifier", "DBClusterParameterGroupName", "ApplyImmediately"];
        if let Some(strange) = sent.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(ServiceError::refused(
                "InvalidParameterCombination",
                format!("{strange} is not modelled by this stand-in"),
            ));
        }
        if let Some(name) = query::optional(sent, "DBClusterParameterGroupName") {
            let Some(group) = self.groups.get(name) else {
                let message = format!("DBClusterParameterGroup not found: {name}");
                return Err(ServiceError::with_status(404, "DBClusterParameterGroupNotFound", message));
            };
            let group = group.name.clone();
            self.clusters[index].attach(&group);
        }
        Ok(Xml::written(|xml| xml.node("DBCluster", |xml| self.clusters[index].write(xml))))
    }

    fn describe_clusters(&self, sent: &Parameters) -> Result<String, ServiceError> {
        let mut found: Vec<&Cluster> = match query::optional(sent, "DBClusterIdentifier") {
            Some(name) => vec![&self.clusters[self.cluster_named(name)?]],
            None => self.clusters.iter().collect(),
        };
        for names in filters(sent, "db-cluster-id")? {
            found.retain(|cluster| names.iter().any(|name| name == cluster.id.as_str()));
        }
        let (shown, next) = page(sent)?.cut(&found);
        Ok(Xml::written(|xml| {
            xml.list("DBClusters", "DBCluster", shown, |xml, cluster| cluster.write(xml));
            xml.optional("Marker", next);
        }))
    }

    fn describe_instances(&self, sent: &Parameters) -> Result<String, ServiceError> {
        let mut found: Vec<(&Cluster, &Instance)> =
            self.clusters.iter().flat_map(|cluster| cluster.instances.iter().map(move |instance| (cluster, instance))).collect();
        if let Some(name) = query::optional(sent, "DBInstanceIdentifier") {
            self.instance_named(name)?;
            found.retain(|(_, instance)| instance.id.as_str().eq_ignore_ascii_case(name));
        }
        for names in filters(sent, "db-cluster-id")? {
            found.retain(|(cluster, _)| names.iter().any(|name| name == cluster.id.as_str()));
        }
        let (shown, next) = page(sent)?.cut(&found);
        Ok(Xml::written(|xml| {
            xml.list("DBInstances", "DBInstance", shown, |xml, (cluster, instance)| instance.write(cluster, xml));
            xml.optional("Marker", next);
        }))
    }

    fn reboot_instance(&mut self, now: Timestamp, sent: &Parameters) -> Result<String, ServiceError> {
        let (cluster, instance) = self.instance_named(query::required(sent, "DBInstanceIdentifier")?)?;
        if query::optional(sent, "ForceFailover") == Some("true") {
            let message = "ForceFailover is for Multi-AZ instances, which Aurora's are not";
            return Err(ServiceError::refused("InvalidParameterCombination", message));
        }
        let id = self.clusters[cluster].instances[instance].id.clone();
        if self.clusters[cluster].instances[instance].status != InstanceStatus::Available {
            let message = format!("DB instance {id} is not in the available state.");
            return Err(ServiceError::refused("InvalidDBInstanceState", message));
        }
        self.restart(now, cluster, &[instance]);
        Ok(Xml::written(|xml| {
            xml.node("DBInstance", |xml| self.clusters[cluster].instances[instance].write(&self.clusters[cluster], xml));
        }))
    }

    fn fail_over(&mut self, now: Timestamp, sent: &Parameters) -> Result<String, ServiceError> {
        let index = self.cluster_named(query::required(sent, "DBClusterIdentifier")?)?;
        let cluster = &self.clusters[index];
        if cluster.instances.iter().any(|instance| instance.status != InstanceStatus::Available) {
            return Err(invalid_cluster_state(cluster, "is not available"));
        }
        let candidate = match query::optional(sent, "TargetDBInstanceIdentifier") {
            Some(name) => cluster.instances.iter().position(|instance| instance.id.as_str().eq_ignore_ascii_case(name)),
            None => (0..cluster.instances.len()).find(|number| *number != cluster.writer),
        };
        let Some(candidate) = candidate.filter(|number| *number != cluster.writer) else {
            return Err(invalid_cluster_state(cluster, "has no such reader to fail over to"));
        };
        let writer = cluster.writer;
        self.restart(now, index, &[writer, candidate]);
        self.clusters[index].next_writer = candidate;
        Ok(Xml::written(|xml| xml.node("DBCluster", |xml| self.clusters[index].write(xml))))
    }

    fn reboot_cluster(&self, sent: &Parameters) -> Result<String, ServiceError> {
        let cluster = &self.clusters[self.cluster_named(query::required(sent, "DBClusterIdentifier")?)?];
        Err(invalid_cluster_state(cluster, "is an Aurora cluster; RebootDBCluster is for Multi-AZ clusters only"))
    }

    /// Takes instances down together.
    fn restart(&mut self, now: Timestamp, cluster: usize, instances: &[usize]) {
        let until = after(now, Duration::from_secs(self.rng.u64(RESTART_SECONDS)));
        let restarted = &mut self.clusters[cluster];
        let binlog = self.groups.binlog_of(&restarted.group);
        for number in instances {
            let instance = &mut restarted.instances[*number];
            self.reboots.push((now, instance.id.clone()));
            instance.status = InstanceStatus::Rebooting { until, with: binlog.clone(), group: restarted.group.clone() };
            // What is asked for from now on is not what it starts with.
            instance.group_status = GroupStatus::Starting;
            if cluster == 0 && *number == restarted.writer {
                self.effects.push((now, RdsEffect::WriterRebooting { instance: instance.id.clone() }));
            }
        }
    }

    fn cluster_named(&self, name: &str) -> Result<usize, ServiceError> {
        self.clusters
            .iter()
            .position(|cluster| cluster.id.as_str().eq_ignore_ascii_case(name))
            .ok_or_else(|| ServiceError::with_status(404, "DBClusterNotFoundFault", format!("DBCluster {name} not found.")))
    }

    fn instance_named(&self, name: &str) -> Result<(usize, usize), ServiceError> {
        let mut all = self.clusters.iter().enumerate().flat_map(|(number, cluster)| {
            cluster.instances.iter().enumerate().map(move |(index, instance)| (number, index, instance))
        });
        let found = all.find(|(_, _, instance)| instance.id.as_str().eq_ignore_ascii_case(name));
        found
            .map(|(cluster, index, _)| (cluster, index))
            .ok_or_else(|| ServiceError::with_status(404, "DBInstanceNotFound", format!("DBInstance {name} not found.")))
    }
}

/// The value lists of every filter, which must all be called `known`.
fn filters(sent: &Parameters, known: &str) -> Result<Vec<Vec<String>>, ServiceError> {
    let items = query::items(sent, "Filters.Filter");
    if items.is_empty() {
        return Ok(Vec::new());
    }
    if items.iter().any(|filter| query::optional(filter, "Name") != Some(known)) {
        return refuse_filters(sent).map(|()| Vec::new());
    }
    Ok(items.iter().map(|filter| query::values(filter, "Values.Value")).collect())
}

fn invalid_cluster_state(cluster: &Cluster, why: &str) -> ServiceError {
    ServiceError::refused("InvalidDBClusterStateFault", format!("DBCluster {} {why}.", cluster.id))
}

fn invalid_value(message: impl Into<String>) -> ServiceError {
    ServiceError::refused("InvalidParameterValue", message)
}
