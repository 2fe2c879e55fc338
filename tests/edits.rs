//! `promote` and `approve`: one change to the file, and everything else byte for byte as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use bascule::migration::approvals::cutover_digest;
use bascule::names::PlanDigest;
use bascule::spec::load::{Loaded, load};
use bascule::spec::{Approval, Migration, Phase};
use tempfile::TempDir;

const PAYMENTS: &str = include_str!("../manifests/base/payments.yaml");

const AT: &str = "2026-03-01T01:00:00Z";

fn loaded(text: &str) -> Loaded {
    load("payments.yaml", text.as_bytes()).unwrap_or_else(|report| panic!("{report}"))
}

/// The example in another layout: `from` is in it once.
fn with(from: &str, to: &str) -> String {
    assert_eq!(PAYMENTS.matches(from).count(), 1, "{from}");
    PAYMENTS.replace(from, to)
}

fn as_json(change: impl FnOnce(&mut Migration)) -> String {
    let mut migration = Migration::clone(&loaded(PAYMENTS).migration);
    change(&mut migration);
    serde_json::to_string_pretty(&migration).expect("JSON")
}

fn approval(by: &str, digit: char) -> Approval {
    let digest = PlanDigest(digit.to_string().repeat(64));
    Approval { by: by.into(), at: AT.parse().expect("a time"), attempt: 1, plan_digest: digest }
}

/// Lines of `after` that are not in `before`, and the other way round.
fn changed<'a>(before: &'a str, after: &'a str) -> (Vec<&'a str>, Vec<&'a str>) {
    let (old, new): (Vec<&str>, Vec<&str>) = (before.split('\n').collect(), after.split('\n').collect());
    let head = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let most = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
    (old[head..old.len() - tail].to_vec(), new[head..new.len() - tail].to_vec())
}

#[test]
fn a_promotion_changes_one_word_of_one_line_however_it_is_written() {
    let line = "\n  phase: Preflight\n";
    let flow = as_json(|_| {});
    let layouts = [
        (PAYMENTS.to_owned(), "  phase: Preflight", "  phase: RollbackArmed"),
        (with(line, "\n  phase: \"Preflight\" # why\n"), "  phase: \"Preflight\" # why", "  phase: \"RollbackArmed\" # why"),
        (with(line, "\n  phase:    'Preflight'  \n"), "  phase:    'Preflight'  ", "  phase:    'RollbackArmed'  "),
        (with(line, "\n  \"phase\": Preflight\n"), "  \"phase\": Preflight", "  \"phase\": RollbackArmed"),
        (PAYMENTS.replace('\n', "\r\n"), "  phase: Preflight\r", "  phase: RollbackArmed\r"),
        (format!("\u{feff}{PAYMENTS}"), "  phase: Preflight", "  phase: RollbackArmed"),
        (PAYMENTS.trim_end().to_owned(), "  phase: Preflight", "  phase: RollbackArmed"),
        (flow, "    \"phase\": \"Preflight\",", "    \"phase\": \"RollbackArmed\","),
    ];
    for (text, before, after) in layouts {
        let made = loaded(&text).with_phase(Phase::RollbackArmed).expect("it is edited");
        assert_eq!(changed(&text, &made), (vec![before], vec![after]));
    }
}

#[test]
fn a_phase_in_a_form_that_has_no_one_place_is_refused_with_its_line() {
    let line = "\n  phase: Preflight\n";
    for odd in ["\n  phase: >-\n    Preflight\n", "\n  phase: \"Pre\\x66light\"\n", "\n  phase:\n    Preflight\n"] {
        let text = with(line, odd);
        match loaded(&text).with_phase(Phase::Prepared) {
            Err(refused) => {
                let number = text[..text.find("\n  phase:").expect("a line") + 1].matches('\n').count() + 1;
                let near = [number, number + 1].iter().any(|number| refused.to_string().starts_with(&format!("line {number}: ")));
                assert!(near && refused.to_string().contains("`spec.phase` is written in a form"), "{refused}");
            }
            // A word on a line of its own is one word in one line all the same.
            Ok(made) => assert_eq!(changed(&text, &made), (vec!["    Preflight"], vec!["    Prepared"])),
        }
    }
}

/// The lines that an approval adds.
fn item(indent: &str, by: &str, digit: char) -> Vec<String> {
    let digest = digit.to_string().repeat(64);
    // A digest of digits alone would be read as a number.
    let digest = if digit.is_ascii_digit() { format!("\"{digest}\"") } else { digest };
    vec![
        format!("{indent}- by: {by}"),
        format!("{indent}  at: {AT}"),
        format!("{indent}  attempt: 1"),
        format!("{indent}  planDigest: {digest}"),
    ]
}

#[test]
fn an_approval_is_added_in_the_layout_that_the_file_has() {
    let empty = "\n  approvals: []\n";
    let one = item("    ", "bob", 'a').join("\n");
    let ada = item("    ", "ada@example.com", '1');
    let mut fresh = vec!["  approvals:".to_owned()];
    fresh.extend(ada.clone());
    let mut commented = vec!["  approvals: # who agreed".to_owned()];
    commented.extend(ada.clone());
    let layouts: [(String, Vec<&str>, Vec<String>); 7] = [
        (PAYMENTS.to_owned(), vec!["  approvals: []"], fresh.clone()),
        (with(empty, "\n  approvals: [] # who agreed\n"), vec!["  approvals: [] # who agreed"], commented),
        (with(empty, "\n"), vec![], fresh.clone()),
        (with(empty, &format!("\n  approvals:\n{one} # his\n    # the end\n")), vec![], ada.clone()),
        (
            with(empty, &format!("\n  approvals:\n{}\n", item("  ", "bob", 'a').join("\n"))),
            vec![],
            item("  ", "ada@example.com", '1'),
        ),
        (
            with(
                empty,
                &format!(
                    "\n  approvals:\n    -   by: bob\n        at: {AT}\n        attempt: 1\n        planDigest: {}\n",
                    "a".repeat(64)
                ),
            ),
            vec![],
            ada.iter()
                .map(|line| if line.contains("- by") { line.replace("- by", "-   by") } else { format!("  {line}") })
                .collect(),
        ),
        (
            with(empty, &format!("\n  approvals:\n    - {{ by: bob, at: {AT}, attempt: 1, planDigest: {} }}\n", "a".repeat(64))),
            vec![],
            ada,
        ),
    ];
    for (text, gone, come) in layouts {
        let made = loaded(&text).with_approval(&approval("ada@example.com", '1')).expect("it is edited");
        let (old, new) = changed(&text, &made);
        assert_eq!((old, new), (gone, come.iter().map(String::as_str).collect()), "{}", &text[text.len() - 400..]);
        let windows = text.replace('\n', "\r\n");
        let made_there = loaded(&windows).with_approval(&approval("ada@example.com", '1')).expect("it is edited");
        assert_eq!(made_there, made.replace('\n', "\r\n"), "line ends stay as they are");
        let made_there = loaded(text.trim_end()).with_approval(&approval("ada@example.com", '1')).expect("it is edited");
        assert_eq!(made_there, made.trim_end(), "and so does the end of the file");
    }
}

#[test]
fn a_list_on_one_line_and_json_take_an_approval_too() {
    let empty = "\n  approvals: []\n";
    let ours = format!("{{\"by\": \"ada\", \"at\": \"{AT}\", \"attempt\": 1, \"planDigest\": \"{}\"}}", "b".repeat(64));
    let theirs = format!("{{by: bob, at: {AT}, attempt: 1, planDigest: {}}}", "a".repeat(64));
    let text = with(empty, &format!("\n  approvals: [{theirs}] # both\n"));
    let made = loaded(&text).with_approval(&approval("ada", 'b')).expect("it is edited");
    assert_eq!(changed(&text, &made).1, [format!("  approvals: [{theirs}, {ours}] # both")]);

    for before in [Vec::new(), vec![approval("bob", 'a')]] {
        let text = as_json(|migration| migration.spec.approvals = before.clone());
        let made = loaded(&text).with_approval(&approval("ada", 'b')).expect("it is edited");
        let json: serde_json::Value = serde_json::from_str(&made).expect("it is JSON still");
        assert_eq!(json["spec"]["approvals"].as_array().map(Vec::len), Some(before.len() + 1));
        assert!(made.contains(&ours));
    }
}

#[test]
fn one_person_s_new_word_takes_the_place_of_the_old_one_for_the_same_attempt() {
    let bob = item("    ", "Bob", 'a').join("\n");
    let eve = item("    ", "eve", 'c').join("\n");
    let text = with("\n  approvals: []\n", &format!("\n  approvals:\n{bob} # stale\n{eve}\n"));
    let mut again = approval(" bob ", 'b');
    again.at = "2026-03-02T01:00:00.75Z".parse().expect("a time");
    let made = loaded(&text).with_approval(&again).expect("it is edited");
    let (old, new) = changed(&text, &made);
    assert_eq!(old.len(), 3);
    assert_eq!(new[0], "      at: 2026-03-02T01:00:00Z");
    assert_eq!(new[2], format!("      planDigest: {} # stale", "b".repeat(64)));
    assert!(made.contains("- by: Bob\n"), "the name stays as it was written");
}

#[test]
fn a_name_that_yaml_would_read_as_something_else_is_quoted_and_one_that_nobody_can_see_is_refused() {
    for name in ["yes", "12", "null", "a: b", "a #b", "- x", "José \"Pepe\" Ruiz", "1e5"] {
        let made = loaded(PAYMENTS).with_approval(&approval(name, 'a')).expect("it is edited");
        assert_eq!(loaded(&made).migration.spec.approvals[0].by, name);
    }
    let refused = loaded(PAYMENTS).with_approval(&approval("ada\u{202e}", 'a')).expect_err("it cannot be seen");
    assert!(refused.to_string().contains("edit it by hand"), "{refused}");
}

/// A directory with the example as `payments.yaml`.
struct Desk(TempDir);

impl Desk {
    fn with(text: &str) -> Self {
        let desk = Self(tempfile::tempdir().expect("a directory"));
        fs::write(desk.file(), text).expect("a written file");
        desk
    }

    fn file(&self) -> PathBuf {
        self.0.path().join("payments.yaml")
    }

    fn text(&self) -> String {
        fs::read_to_string(self.file()).expect("a file")
    }

    fn bascule(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bascule"));
        command.current_dir(self.0.path()).args(arguments).env_remove("RUST_LOG").output().expect("the program runs")
    }
}

fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or_else(|| panic!("{output:?}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_dry_run_writes_nothing_and_its_difference_can_be_applied() {
    let desk = Desk::with(PAYMENTS);
    let own = cutover_digest(&loaded(PAYMENTS).migration).to_string();
    let orders: [&[&str]; 2] = [
        &["promote", "payments.yaml", "--to", "Prepared"],
        &["approve", "payments.yaml", "--as", "ada", "--digest", &own, "--at", AT],
    ];
    for order in orders {
        let before = desk.text();
        let shown = desk.bascule(&[order, &["--dry-run"]].concat());
        assert_eq!((code(&shown), desk.text()), (0, before.clone()), "{}", said(&shown));
        let done = desk.bascule(order);
        assert_eq!((code(&done), &done.stdout), (0, &shown.stdout), "{}", said(&done));
        let after = desk.text();
        assert_ne!(after, before);
        fs::write(desk.file(), before).expect("a written file");
        apply(desk.0.path(), &shown.stdout);
        assert_eq!(desk.text(), after);
    }
    assert_eq!(fs::read_dir(desk.0.path()).expect("a directory").count(), 2, "the file, the patch, and nothing else");
}

fn apply(folder: &Path, difference: &[u8]) {
    let patch = folder.join("patch");
    fs::write(&patch, difference).expect("a written file");
    let applied =
        Command::new("git").current_dir(folder).args(["apply", "patch"]).env("GIT_CEILING_DIRECTORIES", folder).output();
    let applied = applied.expect("git is installed");
    assert!(applied.status.success(), "{applied:?}");
}

#[test]
fn the_mode_stays_and_a_step_that_makes_no_sense_changes_nothing() {
    let desk = Desk::with(PAYMENTS);
    fs::set_permissions(desk.file(), fs::Permissions::from_mode(0o600)).expect("a mode");
    let refused = desk.bascule(&["promote", "payments.yaml", "--to", "RolledBack"]);
    assert_eq!((code(&refused), desk.text().as_str()), (1, PAYMENTS));
    assert!(said(&refused).contains("(accepted: Preflight, Prepared,"), "{}", said(&refused));
    assert_eq!(code(&desk.bascule(&["promote", "payments.yaml", "--to", "prepared"])), 0);
    let mode = fs::metadata(desk.file()).expect("a file").permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let again = desk.bascule(&["promote", "payments.yaml", "--to", "Prepared"]);
    assert_eq!((code(&again), again.stdout.as_slice()), (0, &b""[..]));
    assert!(said(&again).contains("asks for Prepared already"));
}

#[test]
fn a_bad_file_is_left_as_it_is() {
    let two = format!("{PAYMENTS}---\n{PAYMENTS}");
    for text in [two.as_str(), "phase: Preflight\n", ""] {
        let desk = Desk::with(text);
        let refused = desk.bascule(&["promote", "payments.yaml", "--to", "Prepared"]);
        assert_eq!((code(&refused), desk.text().as_str()), (2, text), "{}", said(&refused));
    }
}

#[test]
fn nobody_approves_the_same_plan_twice_and_a_void_or_expired_word_may_be_given_anew() {
    let desk = Desk::with(PAYMENTS);
    let approve = |person: &str, digest: &str, at: &str| {
        desk.bascule(&["approve", "payments.yaml", "--as", person, "--digest", digest, "--at", at])
    };
    let own = cutover_digest(&loaded(PAYMENTS).migration).to_string();
    assert_eq!(code(&approve("Ada", &own, AT)), 0);
    let text = desk.text();
    let twice = approve("ada", &own, "2026-03-01T02:00:00Z");
    assert_eq!((code(&twice), desk.text()), (1, text));
    assert!(said(&twice).contains("Ada has approved attempt 1 of this plan already"), "{}", said(&twice));
    assert_eq!(code(&approve("ada", &own, "2026-03-01T06:00:00Z")), 0, "the first word has expired");
    let other = approve("ada", &"d".repeat(64), "2026-03-01T06:00:00Z");
    assert_eq!(code(&other), 0, "another plan");
    assert!(said(&other).contains("does not count for it"), "{}", said(&other));
    assert_eq!(code(&approve("bob", &own, AT)), 0);
    let approvals = loaded(&desk.text()).migration.spec.approvals.clone();
    assert_eq!(approvals.iter().map(|approval| approval.by.as_str()).collect::<Vec<_>>(), ["Ada", "bob"]);
    for nonsense in ["", "abc"] {
        assert_eq!(code(&approve("eve", nonsense, AT)), 1, "no digest");
    }
    assert_eq!(code(&approve("  ", &own, AT)), 1, "nobody");
}
