//! A controller that dies around any statement of any verb: whoever comes after it ends as if it had never been there, nobody is
//! left half locked out, and what it would still write is refused.

use bascule::clock::Clock;
use bascule::database::{Database, Epoch, IdFloor};
use bascule::fault::{Fault, Problem};
use bascule::mysql::database::MySqlDatabase;
use bascule::names::{MarkerId, Side, TableName};
use mysql_async::prelude::Queryable;

use super::house::House;
use super::way::{Death, Way};

/// Everything that a controller writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verb {
    Beat,
    WriteMarker,
    CloseFence,
    OpenFence,
    RaiseIds,
    SetRetention,
}

impl Verb {
    /// What the verb is to change is undone.
    async fn prepare(self, house: &House, epoch: Epoch) {
        let accounts = house.accounts();
        match self {
            // The controller's own tables are made by whichever verb comes first.
            Self::Beat => house.sql(&["DROP DATABASE IF EXISTS bascule"]).await,
            Self::WriteMarker => house.sql(&["DELETE FROM bascule.markers"]).await,
            Self::CloseFence => house.controller().open_fence(epoch, &accounts).await.expect("opened"),
            Self::OpenFence => house.controller().close_fence(epoch, &accounts).await.expect("closed"),
            Self::RaiseIds => house.sql(&["ALTER TABLE payments.payments AUTO_INCREMENT = 1"]).await,
            Self::SetRetention => house.sql(&["SET GLOBAL binlog_expire_logs_seconds = 0"]).await,
        }
    }

    async fn run(self, controller: &MySqlDatabase, house: &House, epoch: Epoch) -> Result<(), Fault> {
        let accounts = house.accounts();
        let floor = IdFloor { table: TableName::new("payments", "payments"), next: 1_000 };
        match self {
            Self::Beat => controller.beat(epoch).await,
            Self::WriteMarker => controller.write_marker(epoch, &MarkerId("payments/1/drain".into())).await,
            Self::CloseFence => controller.close_fence(epoch, &accounts).await,
            Self::OpenFence => controller.open_fence(epoch, &accounts).await,
            Self::RaiseIds => controller.raise_ids(epoch, &[floor]).await,
            Self::SetRetention => controller.set_binlog_retention(epoch, 48).await,
        }
    }
}

/// Everything that a verb may change, but the times and the epoch.
async fn state(house: &House) -> Vec<String> {
    let mut root = house.root().await;
    let mut state = vec![format!("locked: {:?}", house.locked_hosts().await)];
    for question in [
        "SELECT CONCAT(side, ' ', user, ' ', host) FROM bascule.fences ORDER BY 1",
        "SELECT CONCAT(side, ' ', user, ' unfinished') FROM bascule.unfinished_fences ORDER BY 1",
        "SELECT CONCAT(side, ' ', marker) FROM bascule.markers ORDER BY 1",
        "SELECT CONCAT(side, ' beats') FROM bascule.heartbeats ORDER BY 1",
        "SELECT CONCAT('next ', auto_increment) FROM information_schema.tables WHERE table_schema = 'payments'",
        "SELECT CONCAT('retention ', @@GLOBAL.binlog_expire_logs_seconds)",
    ] {
        state.extend(root.query::<String, _>(question).await.expect("an answer"));
    }
    state
}

/// Runs the verb until the controller dies; whether it did.
async fn dies(verb: Verb, house: &House, epoch: Epoch, death: Death) -> bool {
    let way = Way::to(house.server.address().port, death).await;
    let mut migration = house.declared("bascule", "secret");
    migration.spec.legacy.database.port = i32::from(way.port);
    let controller = MySqlDatabase::new(&migration, Side::Legacy, &Clock::system());
    tokio::select! {
        biased;
        () = way.ended() => true,
        outcome = verb.run(&controller, house, epoch) => {
            outcome.expect("nothing is in its way");
            false
        }
    }
}

async fn every_death_is_made_good(house: &House, verb: Verb, epoch: &mut u64) -> usize {
    *epoch += 1;
    verb.prepare(house, Epoch(*epoch)).await;
    verb.run(&house.controller(), house, Epoch(*epoch)).await.expect("undisturbed");
    let undisturbed = state(house).await;
    for number in 0.. {
        for death in [Death::Before(number), Death::After(number)] {
            *epoch += 2;
            let (dead, successor) = (Epoch(*epoch - 1), Epoch(*epoch));
            verb.prepare(house, dead).await;
            // Somebody is in the way of a fence, so that it has somebody to end.
            let customer = house.app().await;
            if !dies(verb, house, dead, death).await {
                return number;
            }
            let hosts = house.locked_hosts().await.len();
            assert!(hosts == 0 || hosts == 2, "{verb:?}, {death:?}: {hosts} of an account's two host rows are locked");
            verb.run(&house.controller(), house, successor).await.unwrap_or_else(|fault| panic!("{verb:?}, {death:?}: {fault}"));
            assert_eq!(state(house).await, undisturbed, "{verb:?}, {death:?}");
            let late = verb.run(&house.controller(), house, dead).await.expect_err("it is not the newest");
            assert!(matches!(late.problem, Problem::Superseded { .. }), "{verb:?}, {death:?}: {late}");
            assert_eq!(state(house).await, undisturbed, "{verb:?}, {death:?}: what is late changes nothing");
            drop(customer);
        }
    }
    unreachable!("a verb has an end")
}

#[tokio::test]
async fn a_controller_that_dies_around_any_statement_is_succeeded_as_if_it_had_never_been_there() {
    let house = House::build_and_grant().await;
    // This house is the legacy side, where nobody has to set it.
    house.sql(&["GRANT BINLOG ADMIN ON *.* TO 'bascule'@'%'"]).await;
    let verbs = [Verb::Beat, Verb::WriteMarker, Verb::CloseFence, Verb::OpenFence, Verb::RaiseIds, Verb::SetRetention];
    let mut epoch = 0;
    for verb in verbs {
        let statements = every_death_is_made_good(&house, verb, &mut epoch).await;
        println!("{verb:?}: a death before and after each of {statements} statements");
        // A session alone begins with more than ten: whatever ends sooner was never under way.
        assert!(statements > 10, "{verb:?}: {statements}");
    }
}
