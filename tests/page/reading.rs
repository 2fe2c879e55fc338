//! What a person reads: every rung, every failure, many migrations at once.

use bascule::migration::ladder::Rung;
use bascule::migration::plan::Standing;
use bascule::spec::Phase;

use crate::browser::Tab;
use crate::stage::Stage;
use crate::states::{self, FAILURES, RUNGS, State};

/// Everything that the page has to say of a state, held against the state itself.
fn assert_told(tab: &Tab, state: &State) {
    let (name, status) = (state.name(), &state.status);
    let says = |selector: &str, words: &str| {
        let text = tab.text(selector);
        assert!(text.contains(words), "{name}: `{words}` is not in {selector}: {text}");
    };
    says("#summary", &status.summary);
    says("#next", status.next_step.trim_start_matches("a person has to look: "));
    for (side, word) in
        [("legacy", &status.legacy_writes), ("target", &status.target_writes), ("public name", &status.public_dns)]
    {
        let text = tab.text("#writers").replace('\n', " ");
        let shown = match word.as_str() {
            "validationOnly" => "validation only",
            "between" => "half closed",
            "foreign" => "somewhere else",
            plain => plain,
        };
        let place = text.find(side).map(|at| &text[at..]).unwrap_or_default();
        let words: Vec<&str> = place.trim_start_matches(side).split_whitespace().take(4).collect();
        assert!(words.join(" ").contains(shown), "{name}: {side} is {shown}, and the page says {words:?}");
    }
    let here = tab.text("#ladder [aria-current=step]");
    assert!(here.starts_with(&status.rung.to_string()) && here.contains("here now"), "{name}: {here}");
    assert_eq!(tab.eval("document.querySelectorAll('#ladder [aria-current]').length"), 1);
    for gate in &status.gates {
        let how = match gate.standing {
            Standing::Open(_) => "open",
            Standing::Closed(_) => "closed",
            Standing::Unknown(_) => "unknown",
        };
        let row = format!(
            "[...document.querySelectorAll('#gates tbody tr')].map((row) => row.innerText).find((text) => text.startsWith({:?}))",
            gate.name
        );
        let row = tab.eval(&row);
        let row = row.as_str().unwrap_or_default();
        assert!(row.contains(how) && row.contains(gate.standing.text().trim()), "{name}: {} is {how}: {row}", gate.name);
    }
    says("#rollback", if status.rollback.ready { "✓\nready" } else { "not ready" });
    status.rollback.reasons.iter().for_each(|reason| says("#rollback", reason));
    says("#rollback", &status.rollback.data_at_risk);
    for (selector, report) in [("#forward", &status.forward), ("#reverse", &status.reverse)] {
        says(selector, &report.task);
        says(selector, if report.lag_seconds.is_some() { "behind" } else { "lag not proven" });
    }
    says("#approvals", status.approvals.plan_digest.as_str());
    status.blocked.iter().for_each(|block| says("#next", &block.message));
    status.waiting.iter().for_each(|wait| says("#next", &wait.message));
    let picture = tab.eval("document.querySelector('#picture svg').getAttribute('aria-label')");
    let picture = picture.as_str().expect("a label");
    assert!(picture.starts_with(&format!("It stands at {}", status.rung)), "{name}: {picture}");
    assert!(!tab.text("main").contains("undefined") && !tab.text("main").contains("[object"), "{name}: {}", tab.text("main"));
}

#[test]
fn every_rung_and_every_failure_is_told_as_it_is() {
    let stage = Stage::with(states::all());
    let tab = Tab::open();
    for state in states::all() {
        stage.visit(&tab, state.name());
        assert_told(&tab, state);
        tab.photograph(state.name());
    }
    assert_eq!(tab.complaints(), Vec::<String>::new(), "no error in any of them");
}

#[test]
fn what_was_is_solid_and_what_may_come_is_not() {
    let stage = Stage::with(states::all());
    let tab = Tab::open();
    let drawn = |name: &str, kind: &str| {
        stage.visit(&tab, name);
        tab.eval(&format!("document.querySelectorAll('#picture rect.{kind}').length > 0"))
    };
    assert_eq!((drawn("at-drain", "asked"), drawn("at-drain", "possible")), (true.into(), true.into()));
    assert_eq!((drawn("at-completed", "asked"), drawn("at-completed", "possible")), (false.into(), false.into()));
    assert_eq!(drawn("at-rollbackfence", "asked"), true);
    let dashes =
        |selector: &str| tab.eval(&format!("getComputedStyle(document.querySelector('#picture {selector}')).strokeDasharray"));
    assert_ne!(dashes("rect.asked"), "none");
    assert_eq!(dashes("rect.bad"), "none", "the past is solid");
    stage.visit(&tab, "rests-cutover");
    assert_eq!(tab.eval("document.querySelector('#picture .no-return-word').textContent"), "point of no return");
    stage.visit(&tab, "at-rollbackfence");
    let ahead = tab.text("#ladder");
    assert!(ahead.contains("RollbackOpen\nasked for") && !ahead.contains("Completed"), "{ahead}");
}

#[test]
fn an_operator_reads_what_to_type() {
    let stage = Stage::with(states::all());
    let tab = Tab::open();
    for (name, lines) in [
        ("rests-validated", "spec:\n  phase: RollbackArmed"),
        ("rests-rollbackarmed", "spec:\n  phase: CutOver"),
        ("at-drain", "spec:\n  phase: RollbackArmed"),
        ("rests-cutover", "spec:\n  phase: Completed"),
        ("at-aborted", "spec:\n  attempt: 2"),
        ("paused", "spec:\n  paused: false"),
    ] {
        stage.visit(&tab, name);
        assert_eq!(tab.text("#next pre").trim(), lines, "{name}");
    }
    stage.visit(&tab, "rests-cutover");
    assert!(tab.text("#next").contains("phase: RolledBack"), "and the way back beside it");
    stage.visit(&tab, "unapproved");
    let (approval, status) = (tab.text("#next pre"), &states::named("unapproved").status);
    assert!(approval.contains(&format!("attempt: 1, planDigest: {}", status.approvals.plan_digest)), "{approval}");
    assert!(tab.text("#approvals").contains("2 of 2 missing"));
    for over in ["rests-completed", "at-arm", "at-rollbackflip"] {
        stage.visit(&tab, over);
        assert!(tab.text("#next").contains("There is nothing to type now."), "{over}");
    }
}

#[test]
fn the_overview_tells_the_troubled_first_and_finds_the_others() {
    let stage = Stage::with(states::all());
    let tab = Tab::open();
    tab.go(&format!("http://{}/", stage.address));
    let count = states::all().count();
    tab.until(&format!("document.querySelectorAll('#all tbody tr').length === {count}"));
    let words =
        tab.eval("[...document.querySelectorAll('#all tbody tr')].map((row) => row.cells[1].innerText.split('\\n').pop())");
    let words: Vec<&str> = words.as_array().expect("rows").iter().filter_map(|word| word.as_str()).collect();
    let place = |word: &str| words.iter().position(|found| *found == word).unwrap_or_else(|| panic!("{word} in {words:?}"));
    let order = [
        "held",
        "writes are paused",
        "new spec refused",
        "no way back now",
        "paused",
        "awaits approvals",
        "cannot be seen",
        "on its way",
        "awaits its promotion",
        "finished",
    ];
    assert!(order.windows(2).all(|pair| place(pair[0]) < place(pair[1])), "{words:?}");
    assert_eq!(words.last(), Some(&"finished"));
    tab.photograph("overview");
    tab.eval("document.getElementById('search').focus()");
    tab.call("Input.insertText", serde_json::json!({ "text": "disk" }));
    tab.until("document.querySelectorAll('#all tbody tr').length === 1");
    assert_eq!(tab.eval("document.activeElement.id"), "search", "who types goes on typing");
    tab.eval("document.querySelector('#all tbody a').click()");
    tab.until_says("h1", "disk-full");
    assert!(tab.text("#summary").contains("reached"));
    assert_eq!(tab.complaints(), Vec::<String>::new());
}

#[test]
fn a_lone_migration_is_shown_at_once_and_none_is_said_to_be_none() {
    let tab = Tab::open();
    let stage = Stage::empty(bascule::http::Limits::default());
    tab.go(&format!("http://{}/", stage.address));
    tab.until_says("main", "No migration has been read yet.");
    stage.show(states::named("at-observing"));
    tab.until_says("h1", "at-observing");
    tab.go(&stage.url("nobody"));
    tab.until_says("main", "There is no migration nobody here");
}

#[test]
fn every_rung_and_phase_there_is_was_shown() {
    let rungs: Vec<Rung> = RUNGS.iter().map(|state| state.status.rung).collect();
    assert!(Rung::ALL.iter().all(|rung| rungs.contains(rung)), "{rungs:?}");
    assert_eq!(states::RESTING.len(), Phase::ALL.len());
    assert!(FAILURES.iter().all(|state| state.status.phase.is_some()));
}
