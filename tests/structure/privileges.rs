//! What an account may not see would seem not to be there: it is asked for, and the check is unknown until it is granted.

use bascule::checks::outcome::Verdict;
use bascule::database::Database;
use bascule::fault::Problem;
use bascule::names::Side;

use super::fixture::Pair;

/// The GRANTs that a denial asks for.
async fn lacking(pair: &Pair, side: Side) -> Vec<String> {
    match pair.database(side).structure().await {
        Ok(_) => Vec::new(),
        Err(fault) => {
            let Problem::Denied { message, .. } = &fault.problem else { panic!("{fault}") };
            let grants = message.strip_prefix("run there: ").and_then(|rest| rest.strip_suffix(';')).expect("what is to be run");
            grants.split("; ").map(str::to_owned).collect()
        }
    }
}

#[tokio::test]
async fn the_grants_that_are_named_are_enough_and_without_any_one_of_them_nothing_is_said_to_be_alike() {
    let mut pair = Pair::start().await;
    pair.both("CREATE USER 'reader'@'%' IDENTIFIED BY 'secret'").await;
    pair.declare_as("reader", "secret");
    let all = lacking(&pair, Side::Target).await;
    assert!(all.len() > 4, "an account without rights lacks everything: {all:?}");
    for grant in &all {
        pair.both(grant).await;
    }
    let whole = pair.run().await;
    assert_eq!(whole.verdict, Verdict::Pass, "{}", whole.message);
    // Seen with these rights is what the administrator sees.
    let seen = pair.database(Side::Target).structure().await.expect("a structure");
    pair.declare_as("root", "");
    assert_eq!(pair.database(Side::Target).structure().await.expect("a structure"), seen);
    pair.declare_as("reader", "secret");
    for grant in &all {
        pair.target(&grant.replacen("GRANT", "REVOKE", 1).replacen(" TO ", " FROM ", 1)).await;
        assert_eq!(lacking(&pair, Side::Target).await, std::slice::from_ref(grant));
        let outcome = pair.run().await;
        assert_eq!(outcome.verdict, Verdict::Unknown, "{}", outcome.message);
        assert!(outcome.message.contains(grant.as_str()), "{}", outcome.message);
        assert!(!outcome.message.contains("secret"), "{}", outcome.message);
        pair.target(grant).await;
    }
    assert_eq!(pair.run().await.verdict, Verdict::Pass);
}

#[tokio::test]
async fn a_server_that_is_not_there_and_a_password_that_is_wrong_are_unknown() {
    let mut pair = Pair::start().await;
    pair.both("CREATE USER 'reader'@'%' IDENTIFIED BY 'secret'").await;
    pair.declare_as("reader", "another-secret");
    let outcome = pair.run().await;
    assert_eq!(outcome.verdict, Verdict::Unknown);
    assert!(!outcome.message.contains("another-secret"), "{}", outcome.message);
    pair.declare_as("root", "");
    pair.servers[1].kill();
    let outcome = pair.run().await;
    assert_eq!(outcome.verdict, Verdict::Unknown, "{}", outcome.message);
}

#[tokio::test]
async fn legacy_without_tables_is_nothing_to_be_alike_to() {
    let pair = Pair::start().await;
    pair.both("DROP DATABASE payments").await;
    let outcome = pair.run().await;
    assert_eq!(outcome.verdict, Verdict::Unknown, "{}", outcome.message);
}
