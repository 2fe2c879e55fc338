//! The controller's own schema: who may write (the epoch), what has travelled (markers, heartbeats), what a fence has closed.
//!
//! Its tables are replicated both ways, so that every row says which side wrote it: a side reads back only its own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::session::{Session, quoted_name};
use crate::database::Epoch;
use crate::fault::Problem;
use crate::names::{MarkerId, MigrationName, Side};

/// Seconds that a writer waits for another one of the same migration, before it ends the other's connection: a controller that
/// was stopped in mid-statement would hold its successor up for ever.
const LOCK_PATIENCE_SECONDS: u32 = 2;

/// Every table, made where it is missing. `VARCHAR` of ASCII, because names of migrations, accounts and sides are no more.
const TABLES: [&str; 5] = [
    "epochs (migration VARCHAR(63) NOT NULL, side VARCHAR(8) NOT NULL, epoch BIGINT UNSIGNED NOT NULL, PRIMARY KEY (migration, side))",
    "markers (marker VARCHAR(255) NOT NULL PRIMARY KEY, migration VARCHAR(63) NOT NULL, side VARCHAR(8) NOT NULL, \
     written_at DATETIME(6) NOT NULL)",
    "heartbeats (migration VARCHAR(63) NOT NULL, side VARCHAR(8) NOT NULL, beat_at DATETIME(6) NOT NULL, PRIMARY KEY (migration, side))",
    "fences (migration VARCHAR(63) NOT NULL, side VARCHAR(8) NOT NULL, user VARCHAR(128) NOT NULL, host VARCHAR(255) NOT NULL, \
     PRIMARY KEY (migration, side, user, host))",
    "unfinished_fences (migration VARCHAR(63) NOT NULL, side VARCHAR(8) NOT NULL, user VARCHAR(128) NOT NULL, \
     PRIMARY KEY (migration, side, user))",
];

/// One migration's rows in one side's marker schema.
#[derive(Debug, Clone)]
pub struct Home {
    schema: String,
    migration: MigrationName,
    side: Side,
}

/// What stands in the marker schema.
#[derive(Debug, Default)]
pub struct Contents {
    /// The newest controller that wrote here; 0 where none did.
    pub epoch: u64,
    /// Markers of this migration.
    pub markers: BTreeSet<MarkerId>,
    /// The newest heartbeat of each side that is here.
    pub heartbeats: BTreeMap<Side, Timestamp>,
    /// Host rows that the fence has found open and closed, as `user@host`.
    pub closed: BTreeSet<String>,
    /// Users whose fence has begun to close, and was not seen to end.
    pub unfinished: BTreeSet<String>,
}

impl Home {
    /// The rows of `migration`, written by `side`, in `schema`.
    pub fn new(schema: &str, migration: &MigrationName, side: Side) -> Self {
        Self { schema: schema.to_owned(), migration: migration.clone(), side }
    }

    /// `schema.table`, quoted.
    pub fn table(&self, table: &str) -> String {
        format!("{}.{table}", quoted_name(&self.schema))
    }

    /// The two values that begin every key.
    pub fn key(&self) -> (String, String) {
        (self.migration.to_string(), self.side.to_string())
    }

    /// Reads everything; a table that nobody has made yet is empty, whichever of the others were brought from the other side.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn read(&self, session: &mut Session) -> Result<Contents, Problem> {
        let (migration, side) = self.key();
        let unfinished = format!("SELECT user FROM {} WHERE migration = ? AND side = ?", self.table("unfinished_fences"));
        let markers = format!("SELECT marker FROM {} WHERE migration = ?", self.table("markers"));
        let users: Vec<String> = if_made(session.rows(&unfinished, (&migration, &side)).await)?;
        let markers: Vec<String> = if_made(session.rows(&markers, (&migration,)).await)?;
        Ok(Contents {
            epoch: if_made(self.read_epoch(session, "").await)?,
            markers: markers.into_iter().map(MarkerId).collect(),
            heartbeats: self.heartbeats(session).await?,
            closed: if_made(self.closed(session).await)?.iter().map(|(user, host)| format!("{user}@{host}")).collect(),
            unfinished: users.into_iter().collect(),
        })
    }

    /// The host rows that this side's fence has found open and closed, and that its opening therefore opens.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn closed(&self, session: &mut Session) -> Result<Vec<(String, String)>, Problem> {
        let statement = format!("SELECT user, host FROM {} WHERE migration = ? AND side = ?", self.table("fences"));
        session.rows(&statement, self.key()).await
    }

    /// The newest heartbeat of each side that is here; a schema that nobody has made yet has none.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn heartbeats(&self, session: &mut Session) -> Result<BTreeMap<Side, Timestamp>, Problem> {
        let statement = format!(
            "SELECT side, DATE_FORMAT(beat_at, '%Y-%m-%dT%H:%i:%s.%f') FROM {} WHERE migration = ?",
            self.table("heartbeats")
        );
        let beats: Vec<(String, String)> = if_made(session.rows(&statement, (self.migration.to_string(),)).await)?;
        Ok(beats.iter().filter_map(|(side, at)| Some((side_of(side)?, utc(at)?))).collect())
    }

    async fn read_epoch(&self, session: &mut Session, lock: &str) -> Result<u64, Problem> {
        let statement = format!("SELECT epoch FROM {} WHERE migration = ? AND side = ? {lock}", self.table("epochs"));
        let rows: Vec<u64> = session.rows(&statement, self.key()).await?;
        Ok(rows.first().copied().unwrap_or(0))
    }

    /// Makes the schema and its tables where they are missing.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn create(&self, session: &mut Session) -> Result<(), Problem> {
        session.run(&format!("CREATE DATABASE IF NOT EXISTS {}", quoted_name(&self.schema)), ()).await?;
        for table in TABLES {
            let table = format!("CREATE TABLE IF NOT EXISTS {}.{table} ENGINE=InnoDB CHARSET=ascii", quoted_name(&self.schema));
            session.run(&table, ()).await?;
        }
        Ok(())
    }

    /// Makes this session the only writer of this migration, until [`Self::step_back`] or its end.
    ///
    /// A lock of the server, not of a row: it outlives the implicit commit of `ALTER USER`, and ends with the session, after
    /// the session's last statement. So an older controller's fence is refused, and never merely overtaken.
    ///
    /// # Errors
    /// `Superseded` where a newer controller was here, or what the server answered.
    pub async fn step_forward(&self, session: &mut Session, epoch: Epoch) -> Result<(), Problem> {
        let name = format!("CONCAT('bascule:', LEFT(SHA2('{}:{}', 256), 40))", self.migration, self.side);
        let take = format!("SELECT GET_LOCK({name}, {LOCK_PATIENCE_SECONDS})");
        if session.rows::<Option<u8>>(&take, ()).await? != [Some(1)] {
            // Whoever is older has lost already; whoever is newer is left alone.
            self.refuse_if_superseded(session, epoch, "").await?;
            let holders: Vec<Option<u64>> = session.rows(&format!("SELECT IS_USED_LOCK({name})"), ()).await?;
            if let Some(holder) = holders.first().copied().flatten() {
                kill(session, holder).await?;
            }
            if session.rows::<Option<u8>>(&take, ()).await? != [Some(1)] {
                let message = "another controller of this migration is writing here and cannot be ended; stop it".to_owned();
                return Err(Problem::WrongState { code: "GET_LOCK".to_owned(), message });
            }
        }
        match self.claim_whole(session, epoch).await {
            Err(Problem::NotFound { .. }) => {
                session.run("ROLLBACK", ()).await?;
                self.create(session).await?;
                self.claim(session, epoch).await?;
            }
            outcome => outcome?,
        }
        session.run("COMMIT", ()).await.map(drop)
    }

    /// Lets others write.
    ///
    /// # Errors
    /// What the server answered.
    pub async fn step_back(&self, session: &mut Session) -> Result<(), Problem> {
        let name = format!("CONCAT('bascule:', LEFT(SHA2('{}:{}', 256), 40))", self.migration, self.side);
        session.rows::<Option<u8>>(&format!("SELECT RELEASE_LOCK({name})"), ()).await.map(drop)
    }

    /// [`Self::claim`], and `NotFound` if any table is missing: a controller that died while it made them, or a task that brought
    /// one of them from the other side, leaves some.
    async fn claim_whole(&self, session: &mut Session, epoch: Epoch) -> Result<(), Problem> {
        let names = TABLES.map(|table| self.table(table.split(' ').next().unwrap_or(table)));
        session.rows::<u8>(&format!("SELECT 1 FROM {} LIMIT 0", names.join(", ")), ()).await?;
        self.claim(session, epoch).await
    }

    /// Begins a transaction that holds the epoch's row, and raises the epoch to ours.
    ///
    /// # Errors
    /// `Superseded` where a newer controller was here, or what the server answered.
    pub async fn claim(&self, session: &mut Session, epoch: Epoch) -> Result<(), Problem> {
        session.run("START TRANSACTION", ()).await?;
        self.refuse_if_superseded(session, epoch, "FOR UPDATE").await?;
        let (migration, side) = self.key();
        let raise = format!(
            "INSERT INTO {} (migration, side, epoch) VALUES (?, ?, ?) ON DUPLICATE KEY UPDATE epoch = GREATEST(epoch, VALUES(epoch))",
            self.table("epochs")
        );
        session.run(&raise, (migration, side, epoch.0)).await.map(drop)
    }

    async fn refuse_if_superseded(&self, session: &mut Session, epoch: Epoch, lock: &str) -> Result<(), Problem> {
        let theirs = self.read_epoch(session, lock).await?;
        if theirs > epoch.0 { Err(Problem::Superseded { ours: epoch.0, theirs }) } else { Ok(()) }
    }

    /// Writes a marker in the claimed transaction's terms; one that is there is success.
    ///
    /// # Errors
    /// As [`Self::step_forward`].
    pub async fn write_marker(&self, session: &mut Session, epoch: Epoch, marker: &MarkerId) -> Result<(), Problem> {
        let (migration, side) = self.key();
        let insert = format!(
            "INSERT INTO {} (marker, migration, side, written_at) VALUES (?, ?, ?, UTC_TIMESTAMP(6)) \
             ON DUPLICATE KEY UPDATE marker = VALUES(marker)",
            self.table("markers")
        );
        self.step_forward(session, epoch).await?;
        self.claim(session, epoch).await?;
        session.run(&insert, (marker.as_str(), migration, side)).await?;
        session.run("COMMIT", ()).await?;
        self.step_back(session).await
    }

    /// Writes the server's own time.
    ///
    /// # Errors
    /// As [`Self::step_forward`].
    pub async fn beat(&self, session: &mut Session, epoch: Epoch) -> Result<(), Problem> {
        let beat = format!(
            "INSERT INTO {} (migration, side, beat_at) VALUES (?, ?, UTC_TIMESTAMP(6)) \
             ON DUPLICATE KEY UPDATE beat_at = VALUES(beat_at)",
            self.table("heartbeats")
        );
        self.step_forward(session, epoch).await?;
        self.claim(session, epoch).await?;
        session.run(&beat, self.key()).await?;
        session.run("COMMIT", ()).await?;
        self.step_back(session).await
    }
}

/// Ends a connection; one that has gone already is success.
///
/// # Errors
/// What the server answered.
pub async fn kill(session: &mut Session, id: u64) -> Result<(), Problem> {
    let statement = session.dialect().kill.replace("{id}", &id.to_string());
    match session.run(&statement, ()).await {
        // 1094: unknown thread.
        Err(Problem::Invalid { code, .. }) if code == "1094" => Ok(()),
        outcome => outcome.map(drop),
    }
}

/// Nothing is in a table that is not there.
fn if_made<T: Default>(answer: Result<T, Problem>) -> Result<T, Problem> {
    match answer {
        Err(Problem::NotFound { .. }) => Ok(T::default()),
        answer => answer,
    }
}

fn side_of(text: &str) -> Option<Side> {
    [Side::Legacy, Side::Target].into_iter().find(|side| side.to_string() == text)
}

/// `2026-11-23T21:00:00.000000` in UTC.
pub fn utc(text: &str) -> Option<Timestamp> {
    let at: DateTime = text.parse().ok()?;
    TimeZone::UTC.to_timestamp(at).ok()
}
