//! Much of everything does not slow the page: what it holds is bounded. Times are printed, and judged by nobody.

use std::sync::Arc;

use bascule::journal::Journal;
use bascule::migration::facts::Fact;
use bascule::migration::ladder::Rung;
use jiff::SignedDuration;

use crate::browser::Tab;
use crate::stage::Stage;
use crate::states;

/// What a browser lays out without anybody noticing.
const NODES: u64 = 4000;

fn nodes(tab: &Tab) -> u64 {
    tab.eval("document.querySelectorAll('*').length").as_u64().expect("a number")
}

#[test]
fn ten_thousand_events_are_paged_and_the_page_stays_small() {
    let state = states::named("rests-cutover");
    let stage = Stage::with([state]);
    let journal = Journal::in_memory(state.migration.name()).expect("a journal");
    for second in 1..=10_000 {
        let at = state.status.observed_at + SignedDuration::from_secs(second);
        journal.record(at, 7, Fact::Entered { rung: Rung::Observing }).expect("a fact");
    }
    let journal = Arc::new(journal);
    stage.board.attach(state.migration.name(), Arc::clone(&journal));
    let tab = Tab::open();
    stage.visit(&tab, state.name());
    tab.until_says("#history .events li", "#10000");
    assert_eq!(tab.eval("document.querySelectorAll('#history .events li').length"), 100);
    assert!(nodes(&tab) < NODES, "{}", nodes(&tab));
    let paint = tab.eval("performance.getEntriesByType('paint').map(({ name, startTime }) => `${name} after ${Math.round(startTime)} ms`).join(', ')");
    println!("with ten thousand events: {paint}");

    tab.eval("document.querySelector('[data-action=older]').click()");
    tab.until_says("#history .events li", "#9900");
    let at = state.status.observed_at + SignedDuration::from_secs(20_000);
    journal.record(at, 7, Fact::Entered { rung: Rung::Observing }).expect("a fact");
    let mut later = state.status.clone();
    later.summary = "something happened".to_owned();
    stage.publish(&state.migration, later.clone());
    tab.until_says("#summary", "something happened");
    assert!(tab.text("#history .events li").contains("#9900"), "who reads an earlier page goes on reading it");
    tab.eval("document.querySelector('[data-action=newest]').click()");
    tab.until_says("#history .events li", "#10001");
    assert_eq!(tab.eval("document.querySelectorAll('#history .events li').length"), 100);
    let before = nodes(&tab);
    for number in 0..200 {
        later.summary = format!("change {number}");
        stage.publish(&state.migration, later.clone());
    }
    tab.until_says("#summary", "change 199");
    assert_eq!(nodes(&tab), before, "two hundred changes leave nothing behind");
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn a_thousand_migrations_are_a_hundred_rows_and_a_search() {
    let stage = Stage::empty(bascule::http::Limits::default());
    let (calm, held) = (states::named("rests-prepared"), states::named("at-aborted"));
    for number in 0..1000 {
        let mut one = if number == 777 { held.clone() } else { calm.clone() };
        one.migration.metadata.name = format!("shop-{number:04}").into();
        stage.publish(&one.migration, one.status);
    }
    let tab = Tab::open();
    tab.go(&format!("http://{}/", stage.address));
    tab.until_says("#summary", "1000 in all, 1 of them");
    assert_eq!(tab.eval("document.querySelectorAll('#all tbody tr').length"), 100);
    assert!(tab.text("#all tbody tr").contains("shop-0777"), "the one in trouble is the first of a thousand");
    assert!(nodes(&tab) < NODES, "{}", nodes(&tab));
    tab.eval("document.getElementById('search').focus()");
    tab.call("Input.insertText", serde_json::json!({ "text": "0999" }));
    tab.until("document.querySelectorAll('#all tbody tr').length === 1");
    assert!(tab.text("#all tbody tr").contains("shop-0999"));
}
