//! What the controller's account lacks is named, each lack with its GRANT, and never looks like an empty server.

use bascule::database::Database;
use bascule::fault::Problem;
use bascule::names::MarkerId;

use super::house::{FIRST, House};

#[tokio::test]
async fn the_grants_that_are_named_are_enough_for_everything_and_each_one_taken_away_is_named_again() {
    let house = House::build().await;
    let all = house.controller().missing_privileges().await.expect("the grants can be read");
    assert!(all.len() > 5, "an account without rights lacks everything: {all:?}");
    house.grant_what_is_missing().await;
    let controller = house.controller();
    assert_eq!(controller.missing_privileges().await.expect("the grants can be read"), Vec::<String>::new());
    controller.beat(FIRST).await.expect("a heartbeat");
    controller.write_marker(FIRST, &MarkerId::from("payments/1/drain/1")).await.expect("a marker");
    controller.close_fence(FIRST, &house.accounts()).await.expect("closed");
    controller.open_fence(FIRST, &house.accounts()).await.expect("opened");
    for grant in &all {
        let revoke = grant.replacen("GRANT", "REVOKE", 1).replacen(" TO ", " FROM ", 1);
        house.sql(&[&revoke]).await;
        assert_eq!(&house.controller().missing_privileges().await.expect("the grants can be read"), &[grant.clone()]);
        house.sql(&[grant]).await;
    }
}

#[tokio::test]
async fn without_process_a_look_fails_and_never_shows_an_empty_server() {
    let house = House::build_and_grant().await;
    house.sql(&["REVOKE PROCESS ON *.* FROM 'bascule'@'%'"]).await;
    let _customer = house.app().await.expect("the application is connected");
    let fault = house.controller().look().await.expect_err("nobody can be seen");
    assert!(matches!(fault.problem, Problem::Denied { .. }), "{fault}");
    assert!(fault.to_string().contains("GRANT PROCESS ON *.* TO 'bascule'@'%'"), "{fault}");
}
