//! The database seam over a real server: one connection, opened when it is needed and again after it was lost.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use super::connect::Address;
use super::credentials::find;
use super::markers::Home;
use super::session::Session;
use super::{bypass, digest, fence, id_space, look, privileges};
use crate::clock::Clock;
use crate::database::{Answer, Database, DatabaseView, DigestScope, Epoch, IdFloor, IdSpace, Inspection, TableDigest};
use crate::fault::{Fault, Problem};
use crate::names::{Account, MarkerId, Side};
use crate::spec::Migration;

/// Folding a table reads all of it: an hour is five hundred million rows at what one core folds.
const DIGEST_TIMEOUT: Duration = Duration::from_secs(3600);

/// One side's real database.
pub struct MySqlDatabase {
    migration: Migration,
    side: Side,
    clock: Clock,
    home: Home,
    session: Mutex<Option<Session>>,
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
        Self { migration: migration.clone(), side, clock: clock.clone(), home, session: Mutex::default() }
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
        let mut answer = look::look(session, &self.home, &self.clock, self.migration.database(self.side)).await;
        if let Err(Problem::Denied { code, .. }) = &answer
            && let Ok(lacking) = privileges::missing(session, &self.migration, self.side).await
            && !lacking.is_empty()
        {
            answer = Err(Problem::Denied { code: code.clone(), message: format!("run there: {};", lacking.join("; ")) });
        }
        self.done(held, "look", answer)
    }

    async fn inspect_all(&self) -> Result<Inspection, Fault> {
        let fault = |problem| Fault { attempted: format!("inspect the {} database {}", self.side, self.address()), problem };
        // A session of its own: a fence must not wait for a list of everybody.
        let mut session = self.open().await?;
        let at = look::now(&mut session).await.map_err(fault)?;
        let missing_privileges = privileges::missing(&mut session, &self.migration, self.side).await.map_err(fault)?;
        // Whoever may not see everybody would see nobody: then the account's own lacks are all there is to say.
        let bypasses = match bypass::find(&mut session, self.migration.database(self.side)).await {
            Err(Problem::Denied { .. }) if !missing_privileges.is_empty() => Vec::new(),
            outcome => outcome.map_err(fault)?,
        };
        Ok(Inspection { at, missing_privileges, bypasses })
    }

    async fn digest_all(&self, scope: DigestScope<'_>) -> Result<Vec<TableDigest>, Fault> {
        let fault = |problem| Fault { attempted: format!("digest the tables of the {} database", self.side), problem };
        // A session of its own: minutes of reading must not hold up a look, a heartbeat or a fence.
        let mut session = self.open().await?.limited_to(DIGEST_TIMEOUT);
        let tables = look::tables(&mut session, &self.migration.database(self.side).schemas).await.map_err(fault)?;
        let mut digests = Vec::new();
        for table in tables {
            digests.push(digest::digest(&mut session, &table, scope).await.map_err(fault)?);
        }
        Ok(digests)
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

    fn raise_ids<'a>(&'a self, epoch: Epoch, floors: &'a [IdFloor]) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut held = self.session.lock().await;
            let session = self.connected(&mut held).await?;
            let answer = id_space::raise(session, &self.home, epoch, floors).await;
            self.done(held, "raise the numbers of the next rows", answer)
        })
    }

    fn beat(&self, epoch: Epoch) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut held = self.session.lock().await;
            let session = self.connected(&mut held).await?;
            let answer = self.home.beat(session, epoch).await;
            self.done(held, "write a heartbeat", answer)
        })
    }

    fn close_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut held = self.session.lock().await;
            let session = self.connected(&mut held).await?;
            let answer = fence::close(session, &self.home, &self.clock, epoch, accounts).await;
            self.done(held, "close the fence", answer)
        })
    }

    fn open_fence<'a>(&'a self, epoch: Epoch, accounts: &'a [Account]) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut held = self.session.lock().await;
            let session = self.connected(&mut held).await?;
            let answer = fence::open(session, &self.home, epoch, accounts).await;
            self.done(held, "open the fence", answer)
        })
    }

    fn write_marker<'a>(&'a self, epoch: Epoch, marker: &'a MarkerId) -> Answer<'a, ()> {
        Box::pin(async move {
            let mut held = self.session.lock().await;
            let session = self.connected(&mut held).await?;
            let answer = self.home.write_marker(session, epoch, marker).await;
            self.done(held, "write a marker", answer)
        })
    }

    fn set_binlog_retention(&self, epoch: Epoch, hours: u32) -> Answer<'_, ()> {
        Box::pin(async move {
            let mut held = self.session.lock().await;
            let session = self.connected(&mut held).await?;
            let answer = self.retain(session, epoch, hours).await;
            self.done(held, "set the binary log's retention", answer)
        })
    }

    fn digest_tables<'a>(&'a self, scope: DigestScope<'a>) -> Answer<'a, Vec<TableDigest>> {
        Box::pin(self.digest_all(scope))
    }
}

impl MySqlDatabase {
    async fn retain(&self, session: &mut Session, epoch: Epoch, hours: u32) -> Result<(), Problem> {
        self.home.step_forward(session, epoch).await?;
        let seconds = u64::from(hours) * 3600;
        let statement = session.dialect().set_retention;
        session.run(&statement.replace("{hours}", &hours.to_string()).replace("{seconds}", &seconds.to_string()), ()).await?;
        self.home.step_back(session).await
    }
}
