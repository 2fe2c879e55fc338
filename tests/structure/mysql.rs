//! The same on the MySQL server that `BASCULE_TEST_MYSQLD` names, and from MariaDB to it.

use bascule::checks::schema::Severity;
use bascule::lab::server::Product;

use super::fixture::{APPLICATION, Pair, names};
use super::planted::finds_and_cures;

/// Two servers, or a word that no MySQL server was given.
fn start(legacy: Option<Product>) -> Option<Pair> {
    let Some(mysqld) = std::env::var_os("BASCULE_TEST_MYSQLD") else {
        println!("BASCULE_TEST_MYSQLD names no MySQL server program: nothing was tried on MySQL");
        return None;
    };
    let mysql = Product::MySql(mysqld.into());
    Some(Pair::start_empty([legacy.unwrap_or_else(|| mysql.clone()), mysql]))
}

#[tokio::test]
async fn two_mysql_servers_are_alike_and_what_one_lacks_is_cured_by_what_is_printed() {
    let Some(pair) = start(None) else { return };
    pair.both(APPLICATION).await;
    finds_and_cures(&pair).await;
    pair.both("CREATE TABLE payments.computed (id INT PRIMARY KEY, a INT, KEY ix_sum ((a + 1)), KEY ix_hidden (a) INVISIBLE)")
        .await;
    assert_eq!(names(&pair.differences().await), Vec::<&str>::new());
    pair.target("DROP TABLE payments.computed").await;
    let found = pair.differences().await;
    assert_eq!(names(&found), ["payments.computed"]);
    for cure in found.iter().filter_map(|difference| difference.cure.as_deref()) {
        pair.target(cure).await;
    }
    assert_eq!(names(&pair.differences().await), Vec::<&str>::new());
}

#[tokio::test]
async fn from_mariadb_to_mysql_only_what_the_servers_are_themselves_differs() {
    let Some(pair) = start(Some(Product::MariaDb)) else { return };
    pair.both(APPLICATION).await;
    pair.both("SET GLOBAL sql_mode = 'STRICT_ALL_TABLES'; SET GLOBAL collation_server = 'utf8mb4_general_ci'").await;
    let found = pair.differences().await;
    let told: Vec<(&str, Severity)> = found.iter().map(|difference| (difference.what.as_str(), difference.severity)).collect();
    // A view is printed by each server in its own words.
    assert_eq!(told, [("version", Severity::Harmless), ("payments.big_payments", Severity::Matters)]);
}
