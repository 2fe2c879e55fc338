//! A real server of our own, MariaDB or MySQL: installed, started, killed and started again in a temporary directory.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::credentials::Credentials;
use crate::mysql::connect::Address;
use crate::spec::Tls;

/// Looks this often whether a server answers ...
const GLANCE: Duration = Duration::from_millis(20);
/// ... and so many times: a minute, on machines where a start of a second has been seen to take twenty.
const GLANCES: u32 = 3000;

/// Where distributions put server programs that are not on a user's PATH.
const SERVER_DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/libexec", "/usr/local/bin", "/opt/homebrew/bin"];

/// What a MySQL server is told while it installs itself: without names, its `root@localhost` does not get in at 127.0.0.1.
const FIRST_STATEMENTS: &str = "first-statements.sql";
const ROOT_BY_ADDRESS: &str = "CREATE USER 'root'@'127.0.0.1' IDENTIFIED BY '';\n\
                               GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;\n";

/// Why a server is not there.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The program is not installed.
    #[error(
        "{program} is not on this machine; install it first (Debian and Ubuntu: apt-get install mariadb-server, macOS: brew install mariadb)"
    )]
    NotInstalled {
        /// Which program.
        program: &'static str,
    },
    /// A file or process could not be made.
    #[error("{attempted}")]
    Io {
        /// What was attempted.
        attempted: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A program ended that should not have, or did not begin to answer.
    #[error("{program} {what}; the end of its log:\n{log}")]
    Failed {
        /// Which program.
        program: &'static str,
        /// What it did.
        what: String,
        /// The last lines it wrote.
        log: String,
    },
}

/// Whose server it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Product {
    /// MariaDB as this machine has it installed.
    MariaDb,
    /// The MySQL server program at this path.
    MySql(PathBuf),
}

/// A running server. It is killed when this is dropped; its directory belongs to the caller.
#[derive(Debug)]
pub struct Server {
    directory: PathBuf,
    product: Product,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

impl Server {
    /// Installs a server into `directory`, which must exist, and starts it with further `options` (`--log-bin`, ...).
    ///
    /// Blocks until it answers. The account `root` without a password may do everything, from this machine only.
    pub fn start(directory: &Path, options: &[&str]) -> Result<Self, ServerError> {
        Self::start_product(Product::MariaDb, directory, options)
    }

    /// The same with a server of this product.
    pub fn start_product(product: Product, directory: &Path, options: &[&str]) -> Result<Self, ServerError> {
        if !directory.join("data").exists() {
            install(&product, directory)?;
        }
        let mut server = Self {
            directory: directory.to_owned(),
            product,
            port: free_port()?,
            options: options.iter().map(|&option| option.to_owned()).collect(),
            child: None,
        };
        server.spawn()?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> Address {
        Address { host: Ipv4Addr::LOCALHOST.to_string(), port: self.port, tls: Tls::Disabled }
    }

    /// The account that may do everything.
    pub fn root() -> Credentials {
        Credentials { user: "root".to_owned(), password: String::new() }
    }

    /// Its directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Whose it is.
    pub const fn product(&self) -> &Product {
        &self.product
    }

    /// Its process, while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Kills it as a power cut would, with SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended already.
            _ = child.kill();
            _ = child.wait();
        }
    }

    /// Starts it again after [`Self::kill`], on the same port and data, with these options.
    pub fn start_again(&mut self, options: &[&str]) -> Result<(), ServerError> {
        self.kill();
        self.options = options.iter().map(|&option| option.to_owned()).collect();
        self.spawn()
    }

    fn spawn(&mut self) -> Result<(), ServerError> {
        let log = self.directory.join("server.log");
        let (program, place) = self.product.server()?;
        let child = Command::new(place)
            .args(self.product.arguments(&self.directory, self.port))
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file(&log)?)
            .spawn()
            .map_err(|source| ServerError::Io { attempted: format!("cannot start {program}"), source })?;
        self.child = Some(child);
        self.wait_until_it_answers(program, &log)
    }

    fn wait_until_it_answers(&mut self, program: &'static str, log: &Path) -> Result<(), ServerError> {
        for _ in 0..GLANCES {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                return Err(ServerError::Failed { program, what: format!("ended with {status}"), log: tail(log) });
            }
            if std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
                return Ok(());
            }
            std::thread::sleep(GLANCE);
        }
        Err(ServerError::Failed { program, what: "does not answer".to_owned(), log: tail(log) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Product {
    /// The server program's name, for errors, and its place.
    fn server(&self) -> Result<(&'static str, PathBuf), ServerError> {
        match self {
            Self::MariaDb => Ok(("mariadbd", find("mariadbd")?)),
            Self::MySql(path) => Ok(("mysqld", path.clone())),
        }
    }

    /// What installs the system's own tables: MariaDB has a program for it, MySQL's server does it itself.
    fn installer(&self) -> Result<(&'static str, PathBuf), ServerError> {
        match self {
            Self::MariaDb => Ok(("mariadb-install-db", find("mariadb-install-db")?)),
            Self::MySql(_) => self.server(),
        }
    }

    /// How it is installed: `root` has no password, and nobody else is there.
    fn install_arguments(&self, directory: &Path) -> Vec<OsString> {
        let mut arguments = vec![OsString::from("--no-defaults")];
        arguments.extend(account_of_this_process().map(OsString::from));
        arguments.push(option("datadir", &directory.join("data")));
        match self {
            Self::MariaDb => arguments.extend(
                ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"].map(OsString::from),
            ),
            Self::MySql(_) => {
                arguments.extend(["--initialize-insecure".into(), option("init-file", &directory.join(FIRST_STATEMENTS))]);
            }
        }
        arguments
    }

    /// How it is started.
    fn arguments(&self, directory: &Path, port: u16) -> Vec<OsString> {
        let mut arguments = vec![OsString::from("--no-defaults")];
        arguments.extend(account_of_this_process().map(OsString::from));
        arguments.extend([
            option("datadir", &directory.join("data")),
            option("socket", &directory.join("server.sock")),
            option("pid-file", &directory.join("server.pid")),
            option("tmpdir", directory),
            format!("--port={port}").into(),
        ]);
        // Small and quick: nothing here outlives its directory, though a killed server must recover like a real one.
        arguments
            .extend(["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M", "--max-connections=400"].map(OsString::from));
        // By name, 127.0.0.1 would be `localhost` and each account would need two rows.
        arguments.extend(["--skip-name-resolve", "--character-set-server=utf8mb4"].map(OsString::from));
        match self {
            Self::MariaDb => arguments.push("--innodb-log-file-size=32M".into()),
            // The X protocol has a port of its own, which two servers would fight for. The directory of LOAD DATA that the
            // program was built with need not exist here.
            Self::MySql(_) => arguments.extend(["--mysqlx=OFF", "--secure-file-priv="].map(OsString::from)),
        }
        arguments
    }
}

fn install(product: &Product, directory: &Path) -> Result<(), ServerError> {
    let (program, place) = product.installer()?;
    let log = directory.join("install.log");
    let first = directory.join(FIRST_STATEMENTS);
    fs::write(&first, ROOT_BY_ADDRESS)
        .map_err(|source| ServerError::Io { attempted: format!("cannot write {}", first.display()), source })?;
    let status = Command::new(place)
        .args(product.install_arguments(directory))
        // A server that starts clears its temporary directory of temporary tables, also of those that another is using.
        .env("TMPDIR", directory)
        .stdin(Stdio::null())
        .stdout(log_file(&log)?)
        .stderr(log_file(&log)?)
        .status()
        .map_err(|source| ServerError::Io { attempted: format!("cannot run {program}"), source })?;
    if status.success() {
        return Ok(());
    }
    Err(ServerError::Failed { program, what: format!("ended with {status}"), log: tail(&log) })
}

/// A server that is started by root must be told that this is meant; nobody else may say it.
fn account_of_this_process() -> Option<&'static str> {
    // The owner of a process's own directory in /proc is its user.
    let is_root = fs::metadata("/proc/self").is_ok_and(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata) == 0);
    is_root.then_some("--user=root")
}

/// The program's place: on PATH, or where distributions hide servers.
fn find(program: &'static str) -> Result<PathBuf, ServerError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path).chain(SERVER_DIRECTORIES.into_iter().map(PathBuf::from));
    let mut places = directories.map(|directory| directory.join(program));
    places.find(|place| place.is_file()).ok_or(ServerError::NotInstalled { program })
}

/// A port that nobody has now.
fn free_port() -> Result<u16, ServerError> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address
        .map(|address| address.port())
        .map_err(|source| ServerError::Io { attempted: "cannot find a free port".into(), source })
}

fn log_file(path: &Path) -> Result<Stdio, ServerError> {
    let file = fs::OpenOptions::new().create(true).append(true).open(path);
    file.map(Stdio::from).map_err(|source| ServerError::Io { attempted: format!("cannot write {}", path.display()), source })
}

fn option(name: &str, path: &Path) -> OsString {
    let mut text = OsString::from(format!("--{name}="));
    text.push(path);
    text
}

/// The last lines of a log, for an error that has to say why.
fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

#[cfg(test)]
mod tests {
    use mysql_async::prelude::Queryable;

    use super::*;
    use crate::mysql::connect::connect;

    fn texts(arguments: &[OsString]) -> Vec<&str> {
        arguments.iter().filter_map(|argument| argument.to_str()).collect()
    }

    #[test]
    fn each_product_gets_the_options_that_it_knows_and_no_defaults_of_the_machine() {
        let mysql = Product::MySql("/opt/mysql/bin/mysqld".into());
        let (theirs, ours) = (mysql.arguments(Path::new("/d"), 3307), Product::MariaDb.arguments(Path::new("/d"), 3307));
        for arguments in [texts(&theirs), texts(&ours)] {
            assert_eq!(arguments[0], "--no-defaults", "it counts only as the first");
            for wanted in
                ["--datadir=/d/data", "--socket=/d/server.sock", "--port=3307", "--bind-address=127.0.0.1", "--skip-name-resolve"]
            {
                assert!(arguments.contains(&wanted), "{wanted} in {arguments:?}");
            }
        }
        assert!(texts(&theirs).contains(&"--mysqlx=OFF") && !texts(&ours).contains(&"--mysqlx=OFF"));
        assert!(!texts(&theirs).contains(&"--innodb-log-file-size=32M"), "MySQL 9 has no such option any more");
    }

    #[test]
    fn mysql_installs_itself_and_mariadb_has_a_program_for_it() {
        let mysql = Product::MySql("/opt/mysql/bin/mysqld".into());
        assert_eq!(mysql.installer().expect("a place").1, Path::new("/opt/mysql/bin/mysqld"));
        let arguments = mysql.install_arguments(Path::new("/d"));
        assert_eq!(texts(&arguments)[0], "--no-defaults");
        assert!(texts(&arguments).contains(&"--initialize-insecure") && texts(&arguments).contains(&"--datadir=/d/data"));
        assert!(texts(&arguments).contains(&"--init-file=/d/first-statements.sql"));
        assert!(!texts(&Product::MariaDb.install_arguments(Path::new("/d"))).contains(&"--initialize-insecure"));
    }

    #[tokio::test]
    async fn a_killed_server_comes_back_with_what_was_committed() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut server = Server::start(directory.path(), &[]).expect("a server");
        let mut connection = connect(&server.address(), &Server::root()).await.expect("a connection");
        connection.query_drop("CREATE DATABASE payments").await.expect("a schema");
        connection.query_drop("CREATE TABLE payments.t (id INT PRIMARY KEY)").await.expect("a table");
        connection.query_drop("INSERT INTO payments.t VALUES (7)").await.expect("a row");
        server.kill();
        assert!(connect(&server.address(), &Server::root()).await.is_err(), "nobody answers");
        server.start_again(&["--log-bin", "--binlog-format=ROW"]).expect("a server");
        let mut connection = connect(&server.address(), &Server::root()).await.expect("a connection");
        let row: Option<u32> = connection.query_first("SELECT id FROM payments.t").await.expect("an answer");
        let log_bin: Option<u8> = connection.query_first("SELECT @@log_bin").await.expect("an answer");
        assert_eq!((row, log_bin), (Some(7), Some(1)));
    }
}
