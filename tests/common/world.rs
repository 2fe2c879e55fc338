//! A small world in plain values: enough of two databases, two tasks and one name to contradict `decide`.
//!
//! It knows the truth (who can write, what has not travelled yet) and shows an [`Observation`]. Nothing happens by itself: an
//! [`Event`] is applied by whoever plays the world, so that a search can try every order.

use std::collections::{BTreeMap, BTreeSet};

use bascule::checks::outcome::CheckKind;
use bascule::controllers::binlog::{BinlogAction, BinlogSighting, Cluster, Member, MemberRole};
use bascule::controllers::dns::{ChangeStatus, DnsAction, DnsPurpose, DnsSighting, RecordSet};
use bascule::controllers::fence::FenceAction;
use bascule::controllers::hooks::{HookAction, HookAnswer};
use bascule::controllers::redirect::{DefaultAction, Listener, RedirectSighting, TargetHealth};
use bascule::controllers::replication::{
    Connection, ReplicationAction, ReplicationSighting, StartType, TableState, Task, TaskStatus, Wiring,
};
use bascule::database::receipt::Rest;
use bascule::database::{
    AccountLock, AccountView, BinlogPosition, BinlogView, Counter, DatabaseView, Epoch, IdSpace, Receipt, Stride,
};
use bascule::migration::facts::{Fact, Facts};
use bascule::migration::observation::{BothSides, Observation};
use bascule::migration::plan::Action;
use bascule::names::{Account, ChangeId, Direction, EndpointArn, MarkerId, Side, TableName};
use bascule::parity::{comparer::Comparison, exporter::ExportName};
use bascule::sighting::Sighting;
use bascule::spec::Migration;
use jiff::{SignedDuration, Timestamp};

use super::checked::board;
use super::good::{inspection, log, saved, table, target};
use super::heartbeats::crossing;

/// What one account can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// Write.
    Open,
    /// Nothing new; one transaction begun before is still open.
    Held,
    /// Nothing.
    Shut,
}

/// One database.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Server {
    /// The application's account.
    pub app: Door,
    /// The validation account.
    pub validation: Door,
    /// Whether it holds a client's write that the other side does not.
    pub is_ahead: bool,
    /// Markers that it wrote and that have not travelled.
    pub unsent: BTreeSet<MarkerId>,
    /// Markers that are here.
    pub markers: BTreeSet<MarkerId>,
    /// The end of its binary log.
    pub offset: u64,
}

/// One DMS task.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SmallTask {
    /// How it is.
    pub status: Status,
    /// Whether it has ever run.
    pub started_before: bool,
    /// Its serial number: a task made anew is another one.
    pub serial: u32,
}

/// The statuses that matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    /// `creating`
    Creating,
    /// `ready`
    Ready,
    /// `starting`
    Starting,
    /// `running`
    Running,
    /// `stopping`
    Stopping,
    /// `stopped`
    Stopped,
    /// `failed`
    Failed,
    /// `deleting`
    Deleting,
}

/// How far the target's binary log has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Log {
    /// There is no parameter group.
    NoGroup,
    /// There is one, with defaults.
    Created,
    /// Its parameters are set.
    Set,
    /// It is attached, the writer awaits its reboot.
    PendingReboot,
    /// Rows are logged, Aurora purges when it likes.
    Logging,
    /// Rows are logged and kept.
    Kept,
}

/// Who does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Blind {
    /// The legacy database.
    Legacy,
    /// The target database.
    Target,
    /// DMS.
    Dms,
    /// RDS.
    Rds,
    /// Route 53.
    Route53,
    /// ELBv2.
    Elb,
    /// Everything that checks ask.
    Network,
}

impl Blind {
    /// Whom a search blinds: checks guard no fence, and their silence would only double its states.
    pub const ALL: [Self; 6] = [Self::Legacy, Self::Target, Self::Dms, Self::Rds, Self::Route53, Self::Elb];
}

/// What happens by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Event {
    /// A task ends its transition.
    TaskSettles(Direction),
    /// Replication catches up: markers arrive, and with a closed source everything else too.
    Flows(Direction),
    /// Route 53 has spread the change.
    ChangeSpreads,
    /// The transaction that outlived its lock ends, committed.
    HeldEnds(Side),
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    /// The old side.
    pub legacy: Server,
    /// The new side.
    pub target: Server,
    /// The forward task.
    pub forward: Option<SmallTask>,
    /// The reverse task.
    pub reverse: Option<SmallTask>,
    /// Endpoints with a successful test.
    pub tested: BTreeSet<String>,
    /// The plain listener.
    pub redirect: bool,
    /// The shadow name.
    pub shadow: bool,
    /// Where the public name points.
    pub public: Side,
    /// Its TTL.
    pub ttl_seconds: u64,
    /// Changes by id, and whether each has spread.
    pub changes: BTreeMap<String, bool>,
    /// The binary log.
    pub log: Log,
    /// Who does not answer.
    pub blind: BTreeSet<Blind>,
    /// Sides that would give a row a number that the other side has given before.
    pub behind: BTreeSet<Side>,
    /// Whether heartbeats are late.
    pub lagging: bool,
    /// What fails of all that is checked.
    pub failing: Option<CheckKind>,
    /// What hooks answer.
    pub hooks_answer: u16,
    /// The newest export of what legacy lacks, and the end of the target's log when it was made.
    pub export: Option<(ExportName, u64)>,
    /// Tasks made so far.
    pub made: u32,
}

/// A door's three effects.
impl Door {
    /// Whether a commit may still follow.
    pub fn may_commit(self) -> bool {
        self != Self::Shut
    }

    fn view(self, account: &Account) -> AccountView {
        let lock = if self == Self::Open { AccountLock::Open } else { AccountLock::ByFence };
        AccountView { account: account.clone(), lock, foreign_locks: Vec::new(), connections: u32::from(self == Self::Held) }
    }
}

impl World {
    /// Before anybody touched it: everybody may write to both sides, nothing is prepared.
    pub fn untouched() -> Self {
        let server = |is_ahead| Server {
            app: Door::Open,
            validation: Door::Open,
            is_ahead,
            unsent: BTreeSet::new(),
            markers: BTreeSet::new(),
            offset: 100,
        };
        Self {
            legacy: server(true),
            target: server(false),
            forward: None,
            reverse: None,
            tested: BTreeSet::new(),
            redirect: false,
            shadow: false,
            public: Side::Legacy,
            ttl_seconds: 3600,
            changes: BTreeMap::new(),
            log: Log::NoGroup,
            blind: BTreeSet::new(),
            behind: BTreeSet::from([Side::Target]),
            lagging: false,
            failing: None,
            hooks_answer: 204,
            export: None,
            made: 0,
        }
    }

    /// One side's database.
    pub fn server(&self, side: Side) -> &Server {
        match side {
            Side::Legacy => &self.legacy,
            Side::Target => &self.target,
        }
    }

    /// One side's database, to be changed.
    pub fn server_mut(&mut self, side: Side) -> &mut Server {
        match side {
            Side::Legacy => &mut self.legacy,
            Side::Target => &mut self.target,
        }
    }

    /// One direction's task.
    pub fn task(&self, direction: Direction) -> Option<&SmallTask> {
        match direction {
            Direction::Forward => self.forward.as_ref(),
            Direction::Reverse => self.reverse.as_ref(),
        }
    }

    /// One direction's task, to be changed.
    pub fn task_mut(&mut self, direction: Direction) -> &mut Option<SmallTask> {
        match direction {
            Direction::Forward => &mut self.forward,
            Direction::Reverse => &mut self.reverse,
        }
    }

    /// Whether rows flow.
    pub fn runs(&self, direction: Direction) -> bool {
        self.task(direction).is_some_and(|task| task.status == Status::Running)
    }

    /// What could happen now.
    pub fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for direction in [Direction::Forward, Direction::Reverse] {
            let moving = |task: &SmallTask| {
                matches!(task.status, Status::Creating | Status::Starting | Status::Stopping | Status::Deleting)
            };
            if self.task(direction).is_some_and(moving) {
                events.push(Event::TaskSettles(direction));
            }
            let source = self.server(direction.source());
            let would_change = !source.unsent.is_empty() || (source.is_ahead && !source.app.may_commit());
            if self.runs(direction) && would_change {
                events.push(Event::Flows(direction));
            }
        }
        if self.changes.values().any(|spread| !spread) {
            events.push(Event::ChangeSpreads);
        }
        for side in [Side::Legacy, Side::Target] {
            if self.server(side).app == Door::Held {
                events.push(Event::HeldEnds(side));
            }
        }
        events
    }

    /// Lets it happen.
    pub fn happen(&mut self, event: Event) {
        match event {
            Event::TaskSettles(direction) => {
                let slot = self.task_mut(direction);
                let settled = slot.take().and_then(|task| {
                    let status = match task.status {
                        Status::Creating => Status::Ready,
                        Status::Starting => Status::Running,
                        Status::Stopping => Status::Stopped,
                        Status::Deleting => return None,
                        other => other,
                    };
                    Some(SmallTask { status, ..task })
                });
                *slot = settled;
            }
            Event::Flows(direction) => {
                let source = self.server_mut(direction.source());
                let travelling = std::mem::take(&mut source.unsent);
                let everything = !source.app.may_commit();
                let brings_rows = source.is_ahead && everything;
                source.is_ahead &= !everything;
                let sink = self.server_mut(direction.source().other());
                sink.markers.extend(travelling);
                // What is applied is logged again on the other side.
                sink.offset += u64::from(brings_rows);
            }
            Event::ChangeSpreads => {
                for spread in self.changes.values_mut() {
                    *spread = true;
                }
            }
            Event::HeldEnds(side) => self.server_mut(side).app = Door::Shut,
        }
    }

    /// Everything happens that can.
    pub fn rest(&mut self) {
        while let Some(event) = self.events().first().copied() {
            self.happen(event);
        }
    }

    /// Carries an action out as its service would; `None` as an answer that carries no fact. What a service would refuse does
    /// nothing.
    pub fn carry_out(&mut self, action: &Action, migration: &Migration) -> Option<Fact> {
        match action {
            Action::Record(fact) => return Some(fact.clone()),
            Action::Replication(action) => self.replicate(action),
            Action::Binlog(action) => {
                self.log = match action {
                    BinlogAction::CreateGroup => Log::Created,
                    BinlogAction::SetParameters { .. } => Log::Set,
                    BinlogAction::AttachGroup => Log::PendingReboot,
                    BinlogAction::RebootWriter { .. } => Log::Logging,
                    BinlogAction::SetRetention { .. } => Log::Kept,
                }
            }
            Action::Dns(DnsAction::Change { purpose, old, .. }) => return Some(self.change_name(*purpose, old, migration)),
            Action::Redirect(_) => self.redirect = true,
            Action::Fence(action) => self.fence(action, migration),
            Action::WriteMarker { purpose, marker } => {
                let server = self.server_mut(purpose.written_on());
                server.unsent.insert(marker.clone());
                return Some(Fact::MarkerWritten { purpose: *purpose, marker: marker.clone() });
            }
            Action::RaiseIds { side, .. } => {
                self.behind.remove(side);
            }
            Action::ExportRows { name } => self.export = Some((name.clone(), self.target.offset)),
            Action::CompareTables => return Some(Fact::ParityCompared { rows: 100, differing: Vec::new(), report: None }),
            Action::Hook(HookAction::Call { point, hooks, .. }) => {
                let answers = hooks.iter().map(|hook| (hook.clone(), HookAnswer::of(self.hooks_answer))).collect();
                return Some(Fact::HooksAnswered { point: *point, answers });
            }
        }
        None
    }

    fn replicate(&mut self, action: &ReplicationAction) {
        match action {
            ReplicationAction::TestConnection { endpoint } => {
                self.tested.insert(endpoint.to_string());
            }
            ReplicationAction::CreateTask { direction } => {
                self.made += 1;
                let serial = self.made;
                self.task_mut(*direction).get_or_insert(SmallTask { status: Status::Creating, started_before: false, serial });
            }
            ReplicationAction::StartTask { direction, .. } => {
                self.move_task(
                    *direction,
                    |status| matches!(status, Status::Ready | Status::Stopped | Status::Failed),
                    Status::Starting,
                );
                if let Some(task) = self.task_mut(*direction) {
                    task.started_before = true;
                }
            }
            ReplicationAction::StopTask { direction, .. } => {
                self.move_task(*direction, |status| status == Status::Running, Status::Stopping);
            }
            ReplicationAction::DeleteTask { direction, .. } => self.move_task(
                *direction,
                |status| matches!(status, Status::Ready | Status::Stopped | Status::Failed),
                Status::Deleting,
            ),
            ReplicationAction::ReloadTables { .. } => {}
        }
    }

    fn move_task(&mut self, direction: Direction, from: impl Fn(Status) -> bool, to: Status) {
        if let Some(task) = self.task_mut(direction).as_mut().filter(|task| from(task.status)) {
            task.status = to;
        }
    }

    fn change_name(&mut self, purpose: DnsPurpose, old: &[RecordSet], migration: &Migration) -> Fact {
        match purpose {
            DnsPurpose::Shadow => self.shadow = true,
            DnsPurpose::LowerTtl => self.ttl_seconds = migration.spec.dns.ttl.duration().as_secs(),
            DnsPurpose::FlipToTarget => self.public = Side::Target,
            DnsPurpose::FlipToLegacy => {
                self.public = Side::Legacy;
                self.ttl_seconds = migration.spec.dns.ttl.duration().as_secs();
            }
        }
        let id = format!("C-{purpose:?}");
        self.changes.insert(id.clone(), false);
        let old_ttl_seconds = old.iter().map(RecordSet::ttl_seconds).max().unwrap_or(0);
        Fact::ChangeSubmitted { purpose, change: Some(ChangeId(id)), old_ttl_seconds }
    }

    fn fence(&mut self, action: &FenceAction, migration: &Migration) {
        let (side, accounts, door) = match action {
            FenceAction::Close { side, accounts } => (*side, accounts, Door::Shut),
            FenceAction::Open { side, accounts } => (*side, accounts, Door::Open),
        };
        let database = migration.database(side);
        let names = |declared: &[Account]| declared.iter().any(|account| accounts.contains(account));
        let (app, validation) = (names(&database.application_accounts), names(&database.validation_accounts));
        let server = self.server_mut(side);
        if app {
            // The first client to come in writes at once.
            if door == Door::Open && server.app == Door::Shut {
                server.is_ahead = true;
                server.offset += 1;
                self.behind.insert(side.other());
            }
            self.server_mut(side).app = door;
        }
        if validation {
            self.server_mut(side).validation = door;
        }
    }

    /// What one look shows to whoever knows `facts`.
    pub fn seen(&self, migration: &Migration, facts: &Facts, now: Timestamp) -> Observation {
        Observation {
            at: now,
            replication: self.replication(migration),
            binlog: self.binlog(migration),
            dns: self.dns(migration, facts),
            redirect: self.front(migration),
            legacy: self.database(Side::Legacy, migration, now),
            target: self.database(Side::Target, migration, now),
            crossing: crossing(self, facts, now),
            comparison: Comparison::default(),
            export: self.export.as_ref().map(|(name, _)| saved(name)),
            checks: board(self, migration, now),
            inspections: BothSides {
                legacy: self.asked(Side::Legacy, |_| inspection(now)),
                target: self.asked(Side::Target, |_| inspection(now)),
            },
            id_spaces: BothSides {
                legacy: self.asked(Side::Legacy, |world| world.id_space(Side::Legacy)),
                target: self.asked(Side::Target, |world| world.id_space(Side::Target)),
            },
        }
    }

    fn asked<T>(&self, side: Side, answer: impl Fn(&Self) -> T) -> Sighting<T> {
        let blind = match side {
            Side::Legacy => Blind::Legacy,
            Side::Target => Blind::Target,
        };
        if self.is_blind(blind) {
            return Sighting::unknown(format!("the {side} database does not answer"));
        }
        Sighting::Present(answer(self))
    }

    /// A side that is behind has the other's rows, and not the numbers of those that were rolled back there.
    fn id_space(&self, side: Side) -> IdSpace {
        let next = if self.behind.contains(&side) { 101 } else { 201 };
        let counter = Counter { next, highest: 100, maximum: u64::MAX };
        IdSpace { stride: Stride::default(), counters: BTreeMap::from([(TableName::new("payments", "payments"), counter)]) }
    }

    fn is_blind(&self, blind: Blind) -> bool {
        self.blind.contains(&blind)
    }

    fn replication(&self, migration: &Migration) -> ReplicationSighting {
        if self.is_blind(Blind::Dms) {
            return ReplicationSighting::unknown(migration, "DMS does not answer");
        }
        let spec = &migration.spec;
        let task = |direction| self.task(direction).map_or(Sighting::Absent, |task| Sighting::Present(task.view(direction)));
        let tables = |direction| match self.task(direction) {
            Some(task) if task.started_before => Sighting::Present(vec![table(TableState::Completed)]),
            _ => Sighting::Absent,
        };
        let connection = |endpoint: &EndpointArn| {
            let tested = self.tested.contains(endpoint.as_str());
            (endpoint.clone(), if tested { Sighting::Present(Connection::Successful) } else { Sighting::Absent })
        };
        ReplicationSighting {
            forward: task(Direction::Forward),
            reverse: task(Direction::Reverse),
            forward_tables: tables(Direction::Forward),
            reverse_tables: tables(Direction::Reverse),
            connections: [
                &spec.legacy.endpoint_arn,
                &spec.target.endpoint_arn,
                &spec.target.reverse_endpoint_arn,
                &spec.legacy.reverse_endpoint_arn,
            ]
            .map(connection)
            .into_iter()
            .collect(),
        }
    }

    fn binlog(&self, migration: &Migration) -> BinlogSighting {
        if self.is_blind(Blind::Rds) {
            return BinlogSighting::unknown("RDS does not answer");
        }
        let attached = matches!(self.log, Log::PendingReboot | Log::Logging | Log::Kept);
        let group = if attached { migration.spec.binlog.parameter_group.clone() } else { "default.aurora-mysql8.0".into() };
        let parameters: BTreeMap<String, String> = match self.log {
            Log::NoGroup | Log::Created => BTreeMap::new(),
            Log::Set | Log::PendingReboot | Log::Logging | Log::Kept => {
                [("binlog_format", "ROW"), ("binlog_checksum", "NONE")].map(|(name, value)| (name.into(), value.into())).into()
            }
        };
        let writer = Member {
            instance: "payments-1".into(),
            role: MemberRole::Writer,
            parameter_group_status: if self.log == Log::PendingReboot { "pending-reboot" } else { "in-sync" }.into(),
        };
        BinlogSighting {
            cluster: Sighting::Present(Cluster {
                status: "available".into(),
                parameter_group: group,
                members: vec![writer],
                writer_status: Sighting::Present("available".into()),
            }),
            parameters: if self.log == Log::NoGroup { Sighting::Absent } else { Sighting::Present(parameters) },
            shared_with: Sighting::Present(Vec::new()),
            in_effect: if self.is_blind(Blind::Target) {
                Sighting::unknown("the target does not answer")
            } else {
                Sighting::Present(self.log_in_effect())
            },
        }
    }

    /// Legacy has always written a log, as one must that DMS reads.
    fn log_of(&self, side: Side) -> BinlogView {
        match side {
            Side::Legacy => log(true, true),
            Side::Target => self.log_in_effect(),
        }
    }

    fn log_in_effect(&self) -> BinlogView {
        log(matches!(self.log, Log::Logging | Log::Kept), self.log == Log::Kept)
    }

    fn dns(&self, migration: &Migration, facts: &Facts) -> DnsSighting {
        if self.is_blind(Blind::Route53) {
            return DnsSighting::unknown("Route 53 does not answer");
        }
        let dns = &migration.spec.dns;
        let record = |name, destination| RecordSet::pointing(name, destination, self.ttl_seconds);
        DnsSighting {
            public: Sighting::Present(vec![record(&dns.public.name, dns.public.destination(self.public))]),
            shadow: if self.shadow {
                Sighting::Present(vec![record(&dns.shadow.name, &dns.public.target)])
            } else {
                Sighting::Absent
            },
            change: self.awaited_change(facts),
        }
    }

    /// The engine asks for the newest change that is not known to be in sync.
    fn awaited_change(&self, facts: &Facts) -> Sighting<ChangeStatus> {
        let open = facts.changes.values().filter(|change| change.in_sync_at.is_none());
        let awaited = open.max_by_key(|change| change.submitted_at).and_then(|change| change.id.clone());
        match awaited.and_then(|id| self.changes.get(id.as_str()).map(|spread| (id, *spread))) {
            None => Sighting::Absent,
            Some((id, true)) => Sighting::Present(ChangeStatus::InSync(id)),
            Some((id, false)) => Sighting::Present(ChangeStatus::Pending(id)),
        }
    }

    fn front(&self, migration: &Migration) -> RedirectSighting {
        if self.is_blind(Blind::Elb) {
            return RedirectSighting::unknown("ELBv2 does not answer");
        }
        let listener = Listener {
            arn: "listener".into(),
            protocol: "HTTP".into(),
            default_action: DefaultAction::ToHttps(migration.spec.load_balancer.redirect.status_code),
        };
        RedirectSighting {
            listener: if self.redirect { Sighting::Present(listener) } else { Sighting::Absent },
            targets: Sighting::Present(vec![target('a', TargetHealth::Healthy), target('b', TargetHealth::Healthy)]),
        }
    }

    fn database(&self, side: Side, migration: &Migration, now: Timestamp) -> Sighting<DatabaseView> {
        let (blind, direction) = match side {
            Side::Legacy => (Blind::Legacy, Direction::Reverse),
            Side::Target => (Blind::Target, Direction::Forward),
        };
        if self.is_blind(blind) {
            return Sighting::unknown(format!("the {side} database does not answer"));
        }
        let declared = migration.database(side);
        let server = self.server(side);
        let doors = declared.application_accounts.iter().map(|account| server.app.view(account));
        let validation = declared.validation_accounts.iter().map(|account| server.validation.view(account));
        // Both sides beat at every look; the other side's newest arrives while its stream runs and keeps up.
        let is_fresh = self.runs(direction) && !self.lagging;
        let arrived = if is_fresh { now } else { now - SignedDuration::from_mins(10) };
        let has_run = self.task(direction).is_some_and(|task| task.started_before);
        let mut heartbeats = BTreeMap::from([(side, now)]);
        heartbeats.extend(has_run.then_some((side.other(), arrived)));
        Sighting::Present(DatabaseView {
            at: now,
            accounts: doors.chain(validation).collect(),
            open_transactions: u32::from(server.app == Door::Held),
            position: Some(BinlogPosition { file: "mysql-bin.000001".into(), offset: server.offset }),
            binlog: self.log_of(side),
            epoch: Epoch(1),
            tables: BTreeSet::from([TableName::new("payments", "payments")]),
            markers: server.markers.union(&server.unsent).cloned().collect(),
            heartbeats,
            receipt: (server.app == Door::Shut).then(|| Receipt {
                knocks: Vec::new(),
                untried: declared.all_accounts(),
                undeclared_writers: Vec::new(),
                rest: if server.validation == Door::Shut { Rest::Still { milliseconds: 30 } } else { Rest::NotAsked },
            }),
        })
    }
}

impl SmallTask {
    fn view(&self, direction: Direction) -> Task {
        Task {
            arn: format!("arn:aws:dms:eu-central-1:111122223333:task:{}", self.serial).into(),
            status: match self.status {
                Status::Creating => TaskStatus::Creating,
                Status::Ready => TaskStatus::Ready,
                Status::Starting => TaskStatus::Starting,
                Status::Running => TaskStatus::Running,
                Status::Stopping => TaskStatus::Stopping,
                Status::Stopped => TaskStatus::Stopped,
                Status::Failed => TaskStatus::Failed,
                Status::Deleting => TaskStatus::Deleting,
            },
            migration_type: match direction {
                Direction::Forward => "full-load-and-cdc".into(),
                Direction::Reverse => "cdc".into(),
            },
            wiring: Wiring::AsDeclared,
            stop_reason: None,
            last_failure: (self.status == Status::Failed).then(|| "out of memory".into()),
            started_before: self.started_before,
            full_load_percent: 100,
            tables_errored: 0,
            tables_loading: 0,
            drift: Sighting::Present(Vec::new()),
        }
    }
}

/// Whether an action replaces rows on the target.
pub fn replaces_rows(action: &Action) -> bool {
    matches!(
        action,
        Action::Replication(
            ReplicationAction::ReloadTables { .. }
                | ReplicationAction::StartTask { direction: Direction::Forward, how: StartType::First, .. }
        )
    )
}
