//! Which server this is, told by asking it; and the SQL that differs between them, in one table.

use std::fmt;

/// Major, minor, patch.
pub type Version = (u16, u16, u16);

/// A family of servers that answer alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// MySQL 8.0, where `SHOW MASTER STATUS` is still the word (8.2 brought the new one).
    MySql80,
    /// MySQL 8.4 and 9.x.
    MySql84,
    /// Aurora MySQL 3.
    Aurora3,
    /// MariaDB 10.6 and later.
    MariaDb,
}

/// What a server said of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flavour {
    /// Its family.
    pub family: Family,
    /// Its version, of MySQL or of MariaDB.
    pub version: Version,
}

impl fmt::Display for Flavour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.family {
            Family::MySql80 | Family::MySql84 => "MySQL",
            Family::Aurora3 => "Aurora MySQL 3, MySQL",
            Family::MariaDb => "MariaDB",
        };
        let (major, minor, patch) = self.version;
        write!(f, "{name} {major}.{minor}.{patch}")
    }
}

/// A statement or the name of a privilege in one family.
#[derive(Debug, Clone, Copy)]
pub struct Dialect {
    /// The end of the binary log: file, offset.
    pub position: &'static str,
    /// 1 where transactions are compressed in the binary log.
    pub log_compressed: &'static str,
    /// One row for each source that this server replicates from.
    pub replicas: &'static str,
    /// Every host row of every account: user, host, 1 where it is locked.
    pub host_rows: &'static str,
    /// Hours that binary logs are kept, rounded down; NULL where nothing is promised, 0 where they are kept for ever.
    pub retention: &'static str,
    /// Keeps them so many hours, in place of `{hours}` and `{seconds}`.
    pub set_retention: &'static str,
    /// Ends the connection in place of `{id}`.
    pub kill: &'static str,
    /// Lets an account end the connections of others; empty where a routine does it.
    pub kill_privilege: &'static str,
    /// Lets an account read the binary log's end.
    pub binlog_privilege: &'static str,
    /// Lets an account see whether a replication applier runs.
    pub replica_privilege: &'static str,
    /// Lets an account see prepared XA transactions; empty where everybody may.
    pub xa_privilege: &'static str,
    /// Lets an account see everybody's routines; empty where the right to read the system's tables is enough.
    pub routine_privilege: &'static str,
    /// Lets an account set the binary log's retention; empty where a routine does it.
    pub retention_privilege: &'static str,
    /// Routines of the schema `mysql` that the fence calls.
    pub fence_routines: &'static [&'static str],
    /// Routines of the schema `mysql` that set the retention.
    pub retention_routines: &'static [&'static str],
    /// Columns of `replicas`: the channel, the source's host, whether its rows are applied.
    pub replica_columns: [&'static str; 3],
    /// Roles that everybody has, as `SHOW GRANTS FOR` wants them, separated by commas.
    pub roles_of_everybody: &'static str,
    /// Has to be said before `information_schema` shows counters as they are now; empty where it always does.
    pub live_counters: &'static str,
}

const MYSQL_80: Dialect = Dialect {
    position: "SHOW MASTER STATUS",
    log_compressed: "SELECT @@GLOBAL.binlog_transaction_compression",
    replicas: "SHOW REPLICA STATUS",
    host_rows: "SELECT User, Host, account_locked = 'Y' FROM mysql.user",
    retention: "SELECT @@GLOBAL.binlog_expire_logs_seconds DIV 3600",
    set_retention: "SET PERSIST binlog_expire_logs_seconds = {seconds}",
    kill: "KILL CONNECTION {id}",
    kill_privilege: "CONNECTION_ADMIN",
    binlog_privilege: "REPLICATION CLIENT",
    replica_privilege: "REPLICATION CLIENT",
    xa_privilege: "XA_RECOVER_ADMIN",
    routine_privilege: "SHOW_ROUTINE",
    retention_privilege: "SYSTEM_VARIABLES_ADMIN",
    fence_routines: &[],
    retention_routines: &[],
    replica_columns: ["Channel_Name", "Source_Host", "Replica_SQL_Running"],
    roles_of_everybody: "SELECT @@GLOBAL.mandatory_roles",
    live_counters: "SET SESSION information_schema_stats_expiry = 0",
};

impl Family {
    /// Its row of the table.
    pub const fn dialect(self) -> Dialect {
        match self {
            Self::MySql80 => MYSQL_80,
            Self::MySql84 => Dialect { position: "SHOW BINARY LOG STATUS", ..MYSQL_80 },
            Self::Aurora3 => Dialect {
                retention: "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'",
                set_retention: "CALL mysql.rds_set_configuration('binlog retention hours', {hours})",
                kill: "CALL mysql.rds_kill({id})",
                kill_privilege: "",
                retention_privilege: "",
                fence_routines: &["rds_kill"],
                retention_routines: &["rds_set_configuration"],
                ..MYSQL_80
            },
            Self::MariaDb => Dialect {
                position: "SHOW BINLOG STATUS",
                log_compressed: "SELECT @@GLOBAL.log_bin_compress",
                replicas: "SHOW ALL SLAVES STATUS",
                host_rows: "SELECT User, Host, COALESCE(JSON_VALUE(Priv, '$.account_locked'), '0') IN ('1', 'true') \
                            FROM mysql.global_priv WHERE COALESCE(JSON_VALUE(Priv, '$.is_role'), '0') NOT IN ('1', 'true')",
                // MariaDB has no SET PERSIST: after a restart the next look finds the old value, and it is set again.
                set_retention: "SET GLOBAL binlog_expire_logs_seconds = {seconds}",
                kill_privilege: "CONNECTION ADMIN",
                binlog_privilege: "BINLOG MONITOR",
                replica_privilege: "SLAVE MONITOR",
                xa_privilege: "",
                routine_privilege: "",
                retention_privilege: "BINLOG ADMIN",
                replica_columns: ["Connection_name", "Master_Host", "Slave_SQL_Running"],
                // From 10.11 on; a server that does not know it has nobody of that name.
                roles_of_everybody: "SELECT User FROM mysql.global_priv WHERE User = 'PUBLIC' AND Host = ''",
                live_counters: "",
                ..MYSQL_80
            },
        }
    }
}

/// Understands `VERSION()`, and whether the server has a variable `aurora_version`.
///
/// # Errors
/// A sentence about a server that is too old, or that calls itself something else.
pub fn understand(version: &str, aurora_version: Option<&str>) -> Result<Flavour, String> {
    let Some(numbers) = numbers(version) else {
        return Err(format!("the server calls itself `{version}`, which is no version of MySQL or MariaDB"));
    };
    let family = match (aurora_version, version.contains("MariaDB")) {
        (Some(aurora), _) if numbers >= (8, 0, 0) && aurora.starts_with('3') => Family::Aurora3,
        (Some(aurora), _) => return Err(format!("Aurora MySQL {aurora} is not supported; upgrade it to Aurora MySQL 3")),
        (None, true) if numbers >= (10, 6, 1) => Family::MariaDb,
        (None, true) => return Err(format!("MariaDB {version} is too old; 10.6 is the first that is supported")),
        (None, false) if numbers >= (8, 2, 0) => Family::MySql84,
        (None, false) if numbers >= (8, 0, 22) => Family::MySql80,
        (None, false) => return Err(format!("MySQL {version} is too old; 8.0.22 is the first that is supported")),
    };
    Ok(Flavour { family, version: numbers })
}

/// The leading numbers of a version; Aurora leaves the patch out.
fn numbers(version: &str) -> Option<Version> {
    // MariaDB of old put `5.5.5-` before its version, so that replicas of MySQL would accept it.
    let version = version.strip_prefix("5.5.5-").unwrap_or(version);
    let plain: &str = version.split(|c: char| !c.is_ascii_digit() && c != '.').next()?;
    let mut parts = plain.split('.').map(|part| part.parse::<u16>().ok());
    Some((parts.next()??, parts.next()??, parts.next().flatten().unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_server_is_told_apart() {
        let family = |version, aurora| understand(version, aurora).map(|flavour| flavour.family);
        assert_eq!(family("8.0.36", None), Ok(Family::MySql80));
        assert_eq!(family("8.4.3-0ubuntu", None), Ok(Family::MySql84));
        assert_eq!(family("9.7.4", None), Ok(Family::MySql84));
        assert_eq!(family("10.11.14-MariaDB-0+deb12u2-log", None), Ok(Family::MariaDb));
        assert_eq!(family("5.5.5-10.6.16-MariaDB", None), Ok(Family::MariaDb));
        assert_eq!(family("8.0.mysql_aurora.3.08.0", Some("3.08.0")), Ok(Family::Aurora3));
    }

    #[test]
    fn an_older_server_is_refused_with_a_sentence() {
        for (version, aurora) in [("5.7.44", None), ("10.5.9-MariaDB", None), ("5.7.12", Some("2.11.0")), ("PostgreSQL", None)] {
            let why = understand(version, aurora).expect_err("it is too old");
            assert!(why.contains("too old") || why.contains("not supported") || why.contains("no version"), "{why}");
        }
    }
}
