//! Sharing, staleness and the two answers that absence takes, against a counted query.

use std::cell::Cell;

use futures_util::future::join_all;

use super::*;
use crate::fault::Problem;

/// A query that counts its calls and takes a while.
struct Query {
    calls: Cell<u32>,
}

impl Query {
    const fn new() -> Self {
        Self { calls: Cell::new(0) }
    }

    /// Answers the number of the call.
    async fn call(&self) -> Result<Vec<u32>, Fault> {
        self.calls.set(self.calls.get() + 1);
        let number = self.calls.get();
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok(vec![number])
    }
}

fn reads() -> Reads {
    Reads::new(Clock::starting_at(Timestamp::UNIX_EPOCH))
}

async fn ask(shelf: &Shelf<(), Vec<u32>>, reads: &Reads, query: &Query, freshness: Freshness) -> u32 {
    shelf.read(reads, Service::Dms, &(), freshness, || query.call()).await.expect("the query answers").latest[0]
}

#[tokio::test(start_paused = true)]
async fn a_hundred_who_ask_at_the_same_time_cost_two_calls() {
    let (shelf, reads, query) = (Shelf::default(), reads(), Query::new());
    join_all((0..100).map(|_| ask(&shelf, &reads, &query, Freshness::Now))).await;
    // The first call had begun when the others asked, so it may be older than what they want to know; the second is theirs.
    assert!(query.calls.get() <= 2, "{} calls", query.calls.get());
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_some_age_is_accepted_only_by_those_who_accept_it() {
    let (shelf, reads, query) = (Shelf::default(), reads(), Query::new());
    let minute = Freshness::UpTo(Duration::from_secs(60));
    assert_eq!(ask(&shelf, &reads, &query, Freshness::Now).await, 1);
    assert_eq!(ask(&shelf, &reads, &query, minute).await, 1);
    assert_eq!(ask(&shelf, &reads, &query, Freshness::Now).await, 2);
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(ask(&shelf, &reads, &query, minute).await, 3);
}

#[tokio::test(start_paused = true)]
async fn a_change_makes_older_answers_useless_and_leaves_other_services_alone() {
    let (shelf, reads, query) = (Shelf::default(), reads(), Query::new());
    let minute = Freshness::UpTo(Duration::from_secs(60));
    assert_eq!(ask(&shelf, &reads, &query, minute).await, 1);
    drop(reads.changing(Service::Rds));
    assert_eq!(ask(&shelf, &reads, &query, minute).await, 1);
    drop(reads.changing(Service::Dms));
    assert_eq!(ask(&shelf, &reads, &query, minute).await, 2);
}

#[tokio::test(start_paused = true)]
async fn absence_takes_two_answers_once_and_then_one() {
    let (shelf, reads, query) = (Shelf::default(), reads(), Query::new());
    let absent = |_: &Vec<u32>| None::<()>;
    for expected_calls in [2, 3, 4] {
        let found = shelf.find(&reads, Service::Dms, &(), Freshness::Now, || query.call(), absent).await;
        assert_eq!(found, Ok(None));
        assert_eq!(query.calls.get(), expected_calls);
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_change_absence_takes_two_answers_again() {
    let (shelf, reads, query) = (Shelf::default(), reads(), Query::new());
    let absent = |_: &Vec<u32>| None::<()>;
    for expected_calls in [2, 4] {
        let found = shelf.find(&reads, Service::Dms, &(), Freshness::Now, || query.call(), absent).await;
        assert_eq!(found, Ok(None));
        assert_eq!(query.calls.get(), expected_calls);
        drop(reads.changing(Service::Dms));
    }
}

#[tokio::test(start_paused = true)]
async fn something_missing_from_one_stale_answer_is_found_by_the_second() {
    let (shelf, reads, query) = (Shelf::default(), reads(), Query::new());
    let second = |answer: &Vec<u32>| (answer[0] == 2).then_some(());
    let found = shelf.find(&reads, Service::Dms, &(), Freshness::Now, || query.call(), second).await;
    assert_eq!(found, Ok(Some(())));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_shared_by_those_who_waited_and_by_nobody_later() {
    let (shelf, reads) = (Shelf::<(), ()>::default(), reads());
    let calls = Cell::new(0);
    let fail = || async {
        calls.set(calls.get() + 1);
        tokio::time::sleep(Duration::from_secs(5)).await;
        Err(Fault { attempted: "Describe".to_owned(), problem: Problem::Ambiguous { detail: "no answer".to_owned() } })
    };
    let ask = || shelf.read(&reads, Service::Dms, &(), Freshness::Now, fail);
    assert!(join_all((0..50).map(|_| ask())).await.iter().all(Result::is_err));
    assert!(calls.get() <= 2, "fifty waited for {} calls", calls.get());
    let before = calls.get();
    assert!(ask().await.is_err());
    assert_eq!(calls.get(), before + 1, "a later question is asked anew");
}

#[tokio::test(start_paused = true)]
async fn a_reload_hides_only_rows_that_may_be_older_than_it() {
    let reads = reads();
    let (task, table) = (TaskArn::from("task"), TableName::new("payments", "ledger"));
    assert!(!reads.predates_reload(&task, &table, None), "nothing was reloaded");
    tokio::time::sleep(Duration::from_secs(10)).await;
    reads.reload_asked(&task, std::slice::from_ref(&table));
    let before = Some(Timestamp::from_second(9).expect("in range"));
    let after = Some(Timestamp::from_second(11).expect("in range"));
    assert!(reads.predates_reload(&task, &table, before));
    assert!(!reads.predates_reload(&task, &table, after));
    tokio::time::sleep(STATISTICS_LAG).await;
    assert!(!reads.predates_reload(&task, &table, before), "an old row is no excuse for ever");
}

#[tokio::test(start_paused = true)]
async fn all_questions_of_one_look_share_one_call() {
    let (shelf, reads, query) = (Shelf::default(), reads(), Query::new());
    for expected in 1..=3 {
        let look = reads.from_now(Freshness::Now);
        let answers = join_all((0..4).map(|_| ask(&shelf, &reads, &query, look))).await;
        assert_eq!(answers, vec![expected; 4]);
    }
}
