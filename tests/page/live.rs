//! The page goes on saying what is true, or says since when it does not.

use bascule::http::Limits;
use jiff::SignedDuration;

use crate::browser::Tab;
use crate::stage::Stage;
use crate::states;

#[test]
fn a_change_is_told_without_loading_the_page_again() {
    let state = states::named("at-drain");
    let stage = Stage::with([state]);
    let tab = Tab::open();
    stage.visit(&tab, state.name());
    tab.eval("window.same = true; document.querySelector('#conditions-all').open = true");
    let mut later = state.status.clone();
    later.summary = "something else is true now".to_owned();
    later.legacy_writes = "open".to_owned();
    stage.publish(&state.migration, later);
    tab.until_says("#summary", "something else is true now");
    assert!(tab.text("#writers").contains("open"));
    assert_eq!(tab.eval("window.same && document.querySelector('#conditions-all').open"), true, "and what was opened stays open");
}

#[test]
fn a_page_that_lost_its_server_says_so_and_comes_back_by_itself() {
    let state = states::named("rests-cutover");
    let mut stage = Stage::with([state]);
    let tab = Tab::open();
    stage.visit(&tab, state.name());
    assert!(tab.text("#live").starts_with("Live"), "{}", tab.text("#live"));
    stage.stop();
    tab.until_says("#live", "Stale since ");
    assert_eq!(tab.eval("document.body.classList.contains('stale')"), true);
    assert!(tab.text("#summary").contains(&state.status.summary), "what was known last is still there");
    tab.photograph("stale");
    let mut later = state.status.clone();
    later.summary = "meanwhile it went on".to_owned();
    stage.publish(&state.migration, later);
    stage.start();
    tab.until_says("#summary", "meanwhile it went on");
    tab.until_says("#live", "Live");
    assert_eq!(tab.eval("document.body.classList.contains('stale')"), false);
}

#[test]
fn a_stream_that_has_gone_quiet_is_not_taken_for_a_living_one() {
    let state = states::named("at-flip");
    let stage = Stage::with([state]);
    let tab = Tab::open();
    stage.visit(&tab, state.name());
    // As if the last word had been heard a minute ago; a new connection is heard again.
    tab.eval(
        "new Promise((done) => { const say = document.getElementById('live'); new MutationObserver(() => { \
              if (say.innerText.includes('nothing was heard any more')) { window.noticed = true; } }).observe(say, \
              { subtree: true, childList: true, characterData: true }); stream.heard -= 60000; done(); })",
    );
    tab.until("window.noticed");
    tab.until_says("#live", "Live");
}

#[test]
fn a_page_that_nobody_sees_holds_no_stream() {
    let state = states::named("at-flip");
    let stage = Stage::empty(Limits { streams: 1, ..Limits::default() });
    stage.show(state);
    let (hidden, seen) = (Tab::open(), Tab::open());
    stage.visit(&hidden, state.name());
    hidden.eval(
        "Object.defineProperty(document, 'hidden', { value: true }); document.dispatchEvent(new Event('visibilitychange'))",
    );
    // The one place there is becomes free; the server learns of it in its own time.
    stage.visit(&seen, state.name());
    seen.until_says("#live", "Live");
}

#[test]
fn lag_is_drawn_as_it_was_and_what_was_not_proven_is_no_line() {
    let state = states::named("rests-cutover");
    let stage = Stage::with([state]);
    let mut status = state.status.clone();
    for (minute, lag) in [(1, Some(0.5)), (2, Some(3.5)), (3, None), (4, Some(0.7)), (5, Some(0.4))] {
        status.observed_at = state.status.observed_at + SignedDuration::from_mins(minute);
        status.reverse.lag_seconds = lag;
        stage.publish(&state.migration, status.clone());
    }
    let tab = Tab::open();
    stage.visit(&tab, state.name());
    tab.until_says("#reverse", "3.5 s behind at worst");
    assert_eq!(tab.eval("document.querySelectorAll('#reverse polyline').length"), 2, "a gap is a gap");
    assert!(tab.text("#reverse").contains("0.4 s behind"));
    let label = tab.eval("document.querySelector('#reverse svg').getAttribute('aria-label')");
    assert!(label.as_str().is_some_and(|label| label.contains("3.5 s behind at worst")), "{label}");
    tab.photograph("lag");
}

#[test]
fn a_page_behind_a_prefix_finds_everything_with_and_without_the_last_slash() {
    let state = states::named("at-open");
    let stage = Stage::with([state]);
    let proxy = crate::guarded::prefixed(&stage, "/ops/bascule");
    let tab = Tab::open();
    for path in ["/ops/bascule/", "/ops/bascule"] {
        tab.go("about:blank");
        tab.go(&format!("http://{proxy}{path}"));
        tab.until_says("h1", state.name());
        tab.until("document.querySelector('#history .events li')");
        tab.until_says("#live", "Live");
    }
    assert_eq!(tab.complaints(), Vec::<String>::new());
}
