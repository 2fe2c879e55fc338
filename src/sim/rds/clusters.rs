//! A cluster and its instances.

use jiff::Timestamp;

use super::EffectiveBinlog;
use super::groups::{DEFAULT_GROUP, Group};
use crate::names::{ClusterId, InstanceId, ParameterGroupName};
use crate::sim::wire::xml::Xml;

/// `DBInstanceStatus`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InstanceStatus {
    /// `available`
    Available,
    /// `rebooting`, to come up with what its group said when the restart began.
    Rebooting { until: Timestamp, with: EffectiveBinlog, group: ParameterGroupName },
}

/// `DBClusterParameterGroupStatus` of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupStatus {
    /// `in-sync`
    InSync,
    /// `pending-reboot`; maintenance never clears it, only a reboot does.
    PendingReboot,
    /// Still shown as `pending-reboot`; in sync once it is up, unless something changes before.
    Starting,
}

/// One instance of a cluster.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) status: InstanceStatus,
    pub(super) group_status: GroupStatus,
    pub(super) in_effect: EffectiveBinlog,
}

impl Instance {
    fn new(id: InstanceId) -> Self {
        let in_effect = Group::new(DEFAULT_GROUP, "").binlog();
        Self { id, status: InstanceStatus::Available, group_status: GroupStatus::InSync, in_effect }
    }

    /// Comes up if it is due; whether it did.
    fn finish_restart(&mut self, now: Timestamp, attached: &ParameterGroupName) -> bool {
        let InstanceStatus::Rebooting { until, with, group } = &self.status else { return false };
        if *until > now {
            return false;
        }
        self.in_effect = with.clone();
        self.group_status = match self.group_status {
            GroupStatus::Starting | GroupStatus::InSync if group == attached => GroupStatus::InSync,
            GroupStatus::Starting | GroupStatus::InSync | GroupStatus::PendingReboot => GroupStatus::PendingReboot,
        };
        self.status = InstanceStatus::Available;
        true
    }

    pub(super) fn write(&self, cluster: &Cluster, xml: &mut Xml) {
        xml.leaf("DBInstanceIdentifier", &self.id);
        xml.leaf("DBInstanceClass", "db.r6g.xlarge");
        xml.leaf("Engine", "aurora-mysql");
        let available = self.status == InstanceStatus::Available;
        xml.leaf("DBInstanceStatus", if available { "available" } else { "rebooting" });
        xml.node("Endpoint", |xml| {
            xml.leaf("Address", format_args!("{}.stand-in.eu-west-1.rds.amazonaws.com", self.id));
            xml.leaf("Port", 3306);
        });
        xml.leaf("PreferredMaintenanceWindow", MAINTENANCE_WINDOW);
        xml.leaf("MultiAZ", false);
        xml.leaf("DBClusterIdentifier", &cluster.id);
        xml.leaf("DBInstanceArn", format_args!("arn:aws:rds:eu-west-1:111122223333:db:{}", self.id));
    }
}

/// AWS answers windows in lower case.
const MAINTENANCE_WINDOW: &str = "sun:02:00-sun:04:00";

/// One Aurora cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) id: ClusterId,
    pub(super) group: ParameterGroupName,
    pub(super) instances: Vec<Instance>,
    /// Which of the instances is the writer.
    pub(super) writer: usize,
    /// Which will be, once the restart that is under way has ended.
    pub(super) next_writer: usize,
}

impl Cluster {
    /// A cluster whose first instance is its writer.
    pub(super) fn new(id: ClusterId, instances: Vec<InstanceId>) -> Self {
        let instances = instances.into_iter().map(Instance::new).collect();
        Self { id, group: ParameterGroupName::from(DEFAULT_GROUP), instances, writer: 0, next_writer: 0 }
    }

    pub(super) fn writer(&self) -> &Instance {
        &self.instances[self.writer]
    }

    /// Wears `group` at once; every member then waits for a reboot.
    pub(super) fn attach(&mut self, group: &ParameterGroupName) {
        if self.group != *group {
            self.group = group.clone();
            self.await_reboot();
        }
    }

    pub(super) fn await_reboot(&mut self) {
        self.instances.iter_mut().for_each(|instance| instance.group_status = GroupStatus::PendingReboot);
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let until = |instance: &Instance| match &instance.status {
            InstanceStatus::Available => None,
            InstanceStatus::Rebooting { until, .. } => Some(*until),
        };
        self.instances.iter().filter_map(until).min()
    }

    /// Ends restarts that are due; the writer, if it came up just now.
    pub(super) fn finish_restarts(&mut self, now: Timestamp) -> Option<&Instance> {
        let mut came_up = false;
        for (number, instance) in self.instances.iter_mut().enumerate() {
            let up = instance.finish_restart(now, &self.group);
            came_up |= up && number == self.next_writer;
        }
        if !came_up {
            return None;
        }
        self.writer = self.next_writer;
        Some(self.writer())
    }

    pub(super) fn write(&self, xml: &mut Xml) {
        xml.leaf("DBClusterIdentifier", &self.id);
        xml.leaf("DBClusterParameterGroup", &self.group);
        xml.leaf("Status", "available");
        xml.leaf("Endpoint", format_args!("{}.cluster-stand-in.eu-west-1.rds.amazonaws.com", self.id));
        xml.leaf("ReaderEndpoint", format_args!("{}.cluster-ro-stand-in.eu-west-1.rds.amazonaws.com", self.id));
        xml.leaf("MultiAZ", false);
        xml.leaf("Engine", "aurora-mysql");
        xml.leaf("EngineVersion", "8.0.mysql_aurora.3.08.0");
        xml.leaf("Port", 3306);
        xml.leaf("PreferredMaintenanceWindow", MAINTENANCE_WINDOW);
        let members = self.instances.iter().enumerate();
        xml.list("DBClusterMembers", "DBClusterMember", members, |xml, (number, instance)| {
            xml.leaf("DBInstanceIdentifier", &instance.id);
            xml.leaf("IsClusterWriter", number == self.writer);
            let in_sync = instance.group_status == GroupStatus::InSync;
            xml.leaf("DBClusterParameterGroupStatus", if in_sync { "in-sync" } else { "pending-reboot" });
            xml.leaf("PromotionTier", 1);
        });
        xml.leaf("DBClusterArn", format_args!("arn:aws:rds:eu-west-1:111122223333:cluster:{}", self.id));
    }
}
