//! The database seam over a real server: one connection, opened when it is needed and again after it was lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};

use super::canaries::{Refused, try_logins};
use super::connect::Address;
use super::markers::Home;
use super::session::Session;
use super::{bypass, fence, id_space, look, migrations, number, privileges, receipt, structure};
use crate::clock::Clock;
use crate::credentials::find;
use crate::database::{Answer, Database, DatabaseView, Epoch, IdFloor, IdSpace, Inspection, MigrationsTable, Structure};
use crate::fault::{Fault, Problem};
use crate::names::{Account, MarkerId, Side};
use crate::spec::Migration;

/// `ER_LOCK_DEADLOCK`
const DEADLOCK: &str = "1213";

/// A thousand tables are read in less than a second from a server that is well; who asks has a time limit of their own.
const READING_TIMEOUT: Duration = Duration::from_secs(30);

/// Whoever won the first deadlock is done or waits behind us by the second; a third says that it will not end by trying.
const TRIES_AT_A_DEADLOCK: u32 = 3;

/// One side's real database.
pub struct MySqlDatabase {
    migration: Migration,
    side: Side,
    clock: Clock,
    home: Home,
    session: Mutex<Option<Session>>,
    /// Canaries' passwords that this server has refused.
    refused: Refused,
}

impl fmt::Debug for MySqlDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MySqlDatabase")
            .field("side", &self.side)
            .field("address", &self.address().to_string())
            .finish_non_exhaustive()
    }
}

impl MySqlDatabase {
    /// The database of `side`, as `migration` declares it. Nothing is connected, and no credential read, before a verb is.
    pub fn new(migration: &Migration, side: Side, clock: &Clock) -> Self {
        let home = Home::new(&migration.spec.replication.marker_schema, migration.name(), side);
        let (session, refused) = (Mutex::default(), Refused::default());
        Self { migration: migration.clone(), side, clock: clock.clone(), home, session, refused }
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        let declared = self.migration.database(self.side);
        // The schema bounds the port; anything else could not be connected to either.
        Address { host: declared.host.clone(), port: u16::try_from(declared.port).unwrap_or(0), tls: declared.tls }
    }

    /// The GRANT statements that the controller's account lacks.
    ///
    /// # Errors
    /// A fault: then nothing is known about them.
    pub async fn missing_privileges(&self) -> Result<Vec<String>, Fault> {
        let mut held = self.session.lock().await;
        let session = self.connected(&mut held).await?;
        let answer = privileges::missing(session, &self.migration, self.side).await;
        self.done(held, "read the privileges", answer)
    }

    /// The newest heartbeat of each side that is to be seen here, and nothing else: cheap enough to be asked every moment.
    ///
    /// # Errors
    /// A fault, where the server does not answer.
    pub async fn heartbeats(&self) -> Result<BTreeMap<Side, Timestamp>, Fault> {
        let mut held = self.session.lock().await;
        let session = self.connected(&mut held).await?;
        let answer = self.home.heartbeats(session).await;
        self.done(held, "read the heartbeats", answer)
    }

    /// What the server's clock shows.
    ///
    /// # Errors
    /// A fault, where the server does not answer.
    pub async fn server_time(&self) -> Result<Timestamp, Fault> {
        let mut held = self.session.lock().await;
        let session = self.connected(&mut held).await?;
        let answer = look::now(session).await;
        self.done(held, "read the time", answer)
    }

    async fn open(&self) -> Result<Session, Fault> {
        let declared = self.migration.database(self.side);
        let credentials = find(&declared.credentials_from).map_err(|error| Fault {
            attempted: format!("read the credentials of the {} database", self.side),
            problem: Problem::Denied { code: "CredentialsMissing".to_owned(), message: error.to_string() },
        })?;
        let ca_file = declared.tls_ca_file.as_ref().map(PathBuf::from);
        Session::open(&self.address(), &credentials, ca_file.as_deref()).await
    }

    async fn connected<'a>(&self, held: &'a mut Option<Session>) -> Result<&'a mut Session, Fault> {
        let session = match held.take() {
            Some(session) if session.is_usable() => session,
            _ => self.open().await?,
        };
        Ok(held.insert(session))
    }

    /// After any problem the session is given up: with it go its transaction and its locks, whatever state they were in.
    fn done<T>(
        &self,
        mut held: MutexGuard<'_, Option<Session>>,
        attempted: &str,
        answer: Result<T, Problem>,
    ) -> Result<T, Fault> {
        answer.map_err(|problem| {
            *held = None;
            Fault { attempted: format!("{attempted} on the {} database {}", self.side, self.address()), problem }
        })
    }

    /// A look that is denied names everything that the account lacks, not just what it stumbled over first.
    async fn look_around(&self) -> Result<DatabaseView, Fault> {
        let mut held = self.session.lock().await;
        let session = self.connected(&mut held).await?;
        let declared = self.migration.database(self.side);
        let mut answer = look::look(session, &self.home, &self.clock, declared).await;
        if let Ok(view) = &mut answer
            && let Err(problem) = receipt::add(session, &self.clock, declared, view).await
        {
            answer = Err(problem);
        }
        if let Err(Problem::Denied { .. }) = &answer
            && let Ok(lacking) = privileges::missing(session, &self.migration, self.side).await
            && !lacking.is_empty()
        {
            answer = Err(privileges::denied(&lacking));
        }
        self.done(held, "look", answer)
    }

    /// A session of its own, that cannot write: a fence must not wait for a list of everything, nor for somebody's query.
    async fn reader(&self, attempted: &str) -> Result<(Session, impl FnOnce(Problem) -> Fault + use<>), Fault> {
        let attempted = format!("{attempted} on the {} database {}", self.side, self.address());
        let mut session = self.open().await?.limited_to(READING_TIMEOUT);
        match session.run("SET SESSION TRANSACTION READ ONLY", ()).await {
            Ok(_) => Ok((session, |problem| Fault { attempted, problem })),
            Err(problem) => Err(Fault { attempted, problem }),
        }
    }

    async fn inspect_all(&self) -> Result<Inspection, Fault> {
        let fault = |problem| Fault { attempted: format!("inspect the {} database {}", self.side, self.address()), problem };
        // A session of its own: a fence must not wait for a list of everybody.
        let mut session = self.open().await?;
        let at = look::now(&mut session).await.map_err(fault)?;
        let missing_privileges = privileges::missing(&mut session, &self.migration, self.side).await.map_err(fault)?;
        // Whoever may not see everybody would see nobody: then the account's own lacks are all there is to say.
        let declared = self.migration.database(self.side);
        let bypasses = match bypass::find(&mut session, declared).await {
            Err(Problem::Denied { .. }) if !missing_privileges.is_empty() => Vec::new(),
            outcome => outcome.map_err(fault)?,
        };
        let canaries = try_logins(declared, &self.refused, &self.clock).await;
        Ok(Inspection { at, missing_privileges, bypasses, canaries })
    }
}

impl Database for MySqlDatabase {
    fn side(&self) -> Side {
        self.side
    }

    fn look(&self) -> Answer<'_, DatabaseView> {
        Box::pin(self.look_around())
    }

    fn inspect(&self) -> Answer<'_, Inspection> {
        Box::pin(self.inspect_all())
    }

    fn id_space(&self) -> Answer<'_, IdSpace> {
        Box::pin(async move {
            let mut held = self.session.lock().await;
            let session = self.connected(&mut held).await?;
            let answer = id_space::read(session, &self.migration.database(self.side).schemas).await;
            self.done(held, "read the numbers of the rows", answer)
        })
    }

    fn structure(&self) -> Answer<'_, Structure> {
        Box::pin(async move {
            let (mut session, fault) = self.reader("read the structure").await?;
            structure::read(&mut session, &self.migration.database(self.side).schemas).await.map_err(fault)
        })
    }

    fn migrations<'a>(&'a self, table: &'a MigrationsTable) -> Answer<'a, BTreeSet<String>> {
        Box::pin(async move {
            let (mut session, fault) = self.reader(&format!("read {}.{}", table.schema, table.table_name())).await?;
            migrations::read(&mut session, table).await.map_err(fault)
        })
    }

    fn number<'a>(&'a self, query: &'a str) -> Answer<'a, i64> {
        Box::pin(async move {
            let (mut session, fault) = self.reader(&format!("ask `{query}`")).await?;
            number::ask(&mut session, query).await.map_err(fault)
        })
    }

    fn raise_ids<'a>(&'a self, epoch: Epoch, floors: &'a [IdFloor]) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut held = self.session.lock().await;
            let session = self.connected(&mut held).await?;
            let answer = id_space::raise(session, &self.home, epoch, floors).await;
            self.done(held, "raise the numbers of the next rows", answer)
        })
    }

    fn beat(&self, epoch: Epoch) -> Answer<'_, ()> {
        Box::pin(self.write(epoch, Write::Heartbeat))
    }

    fn close_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        Box::pin(self.write(epoch, Write::ClosedFence(accounts)))
    }

    fn open_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        Box::pin(self.write(epoch, Write::OpenFence(accounts)))
    }

    fn write_marker<'a>(&'a self, epoch: Epoch, marker: &'a MarkerId) -> Answer<'a, ()> {
        Box::pin(self.write(epoch, Write::Marker(marker)))
    }

    fn set_binlog_retention(&self, epoch: Epoch, hours: u32) -> Answer<'_, ()> {
        Box::pin(self.write(epoch, Write::Retention { hours }))
    }
}

/// What the controller writes. Each may be repeated, whatever became of it before.
#[derive(Debug, Clone, Copy)]
enum Write<'a> {
    Heartbeat,
    ClosedFence(&'a [Account]),
    OpenFence(&'a [Account]),
    Marker(&'a MarkerId),
    Retention { hours: u32 },
}

impl Write<'_> {
    const fn attempted(self) -> &'static str {
        match self {
            Self::Heartbeat => "write a heartbeat",
            Self::ClosedFence(_) => "close the fence",
            Self::OpenFence(_) => "open the fence",
            Self::Marker(_) => "write a marker",
            Self::Retention { .. } => "set the binary log's retention",
        }
    }
}

impl MySqlDatabase {
    /// A deadlock's victim was rolled back whole, so that it is tried again at once.
    async fn write(&self, epoch: Epoch, write: Write<'_>) -> Result<(), Fault> {
        let mut held = self.session.lock().await;
        let session = self.connected(&mut held).await?;
        let mut answer = self.write_once(session, epoch, write).await;
        for _ in 1..TRIES_AT_A_DEADLOCK {
            if !matches!(&answer, Err(Problem::WrongState { code, .. }) if code == DEADLOCK) {
                break;
            }
            answer = match self.home.step_back(session).await {
                Ok(()) => self.write_once(session, epoch, write).await,
                Err(problem) => Err(problem),
            };
        }
        self.done(held, write.attempted(), answer)
    }

    async fn write_once(&self, session: &mut Session, epoch: Epoch, write: Write<'_>) -> Result<(), Problem> {
        let (home, clock) = (&self.home, &self.clock);
        match write {
            Write::Heartbeat => home.beat(session, epoch).await,
            Write::OpenFence(accounts) => fence::open(session, home, epoch, accounts).await,
            Write::Retention { hours } => self.retain(session, epoch, hours).await,
            Write::ClosedFence(accounts) => {
                fence::close(session, home, clock, epoch, accounts).await?;
                receipt::remember_the_end(session, clock).await
            }
            Write::Marker(marker) => {
                home.write_marker(session, epoch, marker).await?;
                receipt::remember_the_end(session, clock).await
            }
        }
    }

    async fn retain(&self, session: &mut Session, epoch: Epoch, hours: u32) -> Result<(), Problem> {
        self.home.step_forward(session, epoch).await?;
        let seconds = u64::from(hours) * 3600;
        let statement = session.dialect().set_retention;
        session.run(&statement.replace("{hours}", &hours.to_string()).replace("{seconds}", &seconds.to_string()), ()).await?;
        self.home.step_back(session).await
    }
}
