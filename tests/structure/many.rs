//! A thousand tables, read in as many round trips as one.

use std::net::Ipv4Addr;

use bascule::database::{Database, Framework, MigrationsTable};
use bascule::lab::server::Product;
use bascule::names::Side;
use mysql_async::prelude::Queryable;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::fixture::{Pair, names};

const TABLES: usize = 1000;

fn create(number: usize) -> String {
    format!(
        "CREATE TABLE payments.t{number} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT NOT NULL DEFAULT 0, \
         b VARCHAR(64) NOT NULL, c DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), KEY ix_a (a), UNIQUE KEY ux_b (b))"
    )
}

/// How many statements the server was asked, ever.
async fn questions(pair: &Pair, side: Side) -> u64 {
    let status: Option<(String, u64)> =
        pair.root(side).await.query_first("SHOW GLOBAL STATUS LIKE 'Questions'").await.expect("a counter");
    status.expect("it is there").1
}

/// How many statements one reading of the structure is, counted with the same two readings of the counter around it.
async fn statements_of_a_reading(pair: &Pair, side: Side) -> u64 {
    let before = questions(pair, side).await;
    pair.database(side).structure().await.expect("a structure");
    questions(pair, side).await - before
}

/// Lets one connection through, and counts how often its client speaks after the server has.
async fn round_trips(listener: TcpListener, server: (String, u16)) -> usize {
    let (mut client, _) = listener.accept().await.expect("a client");
    let mut server = TcpStream::connect(server).await.expect("a server");
    let (mut count, mut server_spoke_last) = (0, true);
    let (mut asked, mut answered) = ([0; 65536], [0; 65536]);
    loop {
        tokio::select! {
            length = client.read(&mut asked) => match length {
                Ok(0) | Err(_) => return count,
                Ok(length) => {
                    count += usize::from(server_spoke_last);
                    server_spoke_last = false;
                    server.write_all(&asked[..length]).await.expect("the server takes it");
                }
            },
            length = server.read(&mut answered) => match length {
                Ok(0) | Err(_) => return count,
                Ok(length) => {
                    server_spoke_last = true;
                    client.write_all(&answered[..length]).await.expect("the client takes it");
                }
            },
        }
    }
}

#[tokio::test]
async fn a_thousand_tables_are_one_round_trip_a_side_and_one_missing_index_among_them_is_found() {
    let mut pair = Pair::start_empty([Product::MariaDb, Product::MariaDb]);
    pair.both("CREATE DATABASE payments").await;
    pair.both(&create(0)).await;
    pair.both("CREATE TABLE payments.schema_migrations (version VARCHAR(190) PRIMARY KEY)").await;
    let with_one_table = statements_of_a_reading(&pair, Side::Target).await;
    let rest: Vec<String> = (1..TABLES).map(create).collect();
    pair.both(&rest.join(";")).await;
    for side in [Side::Legacy, Side::Target] {
        assert_eq!(statements_of_a_reading(&pair, side).await, with_one_table, "no table costs a statement");
    }
    pair.target("ALTER TABLE payments.t617 DROP KEY ix_a").await;
    assert_eq!(names(&pair.differences().await), ["payments.t617.ix_a"]);

    // Beside the opening of its session, a structure is one round trip, as is the single SELECT of another verb.
    let address = pair.server(Side::Target).address();
    let mut counted = Vec::new();
    for what in ["structure", "migrations"] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        pair.migration.spec.target.database.port = i32::from(port);
        let database = pair.database(Side::Target);
        let table = MigrationsTable { framework: Framework::Rails, schema: "payments".into(), table: None };
        let asked = async {
            match what {
                "structure" => assert_eq!(database.structure().await.expect("a structure").table_count(), TABLES + 1),
                _ => assert!(database.migrations(&table).await.expect("a list").is_empty()),
            }
        };
        let (count, ()) = tokio::join!(round_trips(listener, (address.host.clone(), address.port)), asked);
        counted.push(count);
    }
    assert_eq!(counted[0], counted[1], "structure, and one SELECT");
}
