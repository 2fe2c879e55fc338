//! What stands in a pull request: the CI action's own steps and the pre-commit hook's own command, run as their files say.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde::Deserialize;
use tempfile::TempDir;

#[derive(Debug, Deserialize)]
struct Action {
    inputs: BTreeMap<String, Input>,
    runs: Runs,
}

#[derive(Debug, Deserialize)]
struct Input {
    #[serde(default)]
    default: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Runs {
    using: String,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
struct Step {
    name: String,
    shell: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    run: String,
}

#[derive(Debug, Deserialize)]
struct Hook {
    id: String,
    entry: String,
    language: String,
    files: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn action() -> Action {
    let text = fs::read_to_string(root().join("action/action.yml")).expect("the action");
    serde_saphyr::from_str(&text).expect("an action")
}

/// A runner: a folder with this program and a recording stand-in for `gh` on the path.
struct Runner {
    folder: TempDir,
    inputs: BTreeMap<String, String>,
    outputs: BTreeMap<String, String>,
    /// What `gh` says of comments that are there.
    known_comment: &'static str,
}

impl Runner {
    fn new(inputs: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("bin")).expect("a folder");
        let bin = folder.path().join("bin");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bascule"), bin.join("bascule")).expect("a link");
        let gh = "#!/bin/sh\nprintf '%s\\n' \"$*\" >> \"$CALLS\"\ncase \"$*\" in *--jq*) printf '%s' \"$KNOWN\" ;; esac\n";
        fs::write(bin.join("gh"), gh).expect("a script");
        fs::set_permissions(bin.join("gh"), fs::Permissions::from_mode(0o755)).expect("a script that runs");
        let declared = action().inputs;
        let mut given: BTreeMap<String, String> =
            declared.iter().map(|(name, input)| (name.clone(), input.default.clone().unwrap_or_default())).collect();
        for (name, value) in inputs {
            assert!(given.insert((*name).to_owned(), (*value).to_owned()).is_some(), "the action has no input `{name}`");
        }
        Self { folder, inputs: given, outputs: BTreeMap::new(), known_comment: "" }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn said(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// What an expression of the workflow stands for.
    fn value(&self, expression: &str) -> String {
        let inside = expression.trim().strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")).map(str::trim);
        match inside {
            None => expression.to_owned(),
            Some("github.repository") => "example/payments".to_owned(),
            Some("github.event.pull_request.number") => "7".to_owned(),
            Some(other) => {
                let input = other.strip_prefix("inputs.").map(|name| self.inputs[name].clone());
                let output = || other.strip_prefix("steps.plan.outputs.").map(|name| self.outputs[name].clone());
                input.or_else(output).unwrap_or_else(|| panic!("this test does not know `{other}`"))
            }
        }
    }

    /// Runs one step as a runner does.
    fn step(&mut self, name: &str) -> Output {
        let action = action();
        let step = action.runs.steps.iter().find(|step| step.name == name).expect("a step of that name");
        assert_eq!(step.shell, "bash");
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", &step.run]).current_dir(root());
        let path = format!("{}:{}", self.file("bin").display(), std::env::var("PATH").expect("a path"));
        command.env("PATH", path).env("RUNNER_TEMP", self.folder.path()).env_remove("BASCULE_SERVER");
        command.env("GITHUB_STEP_SUMMARY", self.file("summary")).env("GITHUB_OUTPUT", self.file("output"));
        command.env("CALLS", self.file("calls")).env("KNOWN", self.known_comment);
        for (variable, expression) in &step.env {
            command.env(variable, self.value(expression));
        }
        let output = command.output().expect("bash runs");
        let written = self.said("output");
        let pairs = written.lines().filter_map(|line| line.split_once('='));
        self.outputs.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        output
    }
}

const LIVE: (&str, &str) = ("status", "tests/fixtures/live.json");

#[test]
fn a_promotion_is_validated_planned_and_commented_upon() {
    let mut runner = Runner::new(&[("file", "tests/fixtures/proposed.yaml"), LIVE]);
    for step in ["Validate", "Plan", "Comment", "Judge"] {
        let output = runner.step(step);
        assert!(output.status.success(), "{step}: {output:?}");
    }
    assert_eq!(runner.outputs["result"], "changes");
    let plan = fs::read_to_string(&runner.outputs["plan"]).expect("a plan");
    assert!(plan.starts_with("<!-- bascule-plan: payments -->\n") && plan.contains("| 1 | Fence | "), "{plan}");
    assert_eq!(runner.said("summary"), plan);
    let calls = runner.said("calls");
    assert!(calls.contains("--method POST repos/example/payments/issues/7/comments --field body=@"), "{calls}");
    assert!(!calls.contains("PATCH"), "{calls}");
}

#[test]
fn a_later_run_replaces_the_comment_and_adds_no_second() {
    let mut runner = Runner::new(&[("file", "tests/fixtures/proposed.yaml"), LIVE]);
    runner.known_comment = "4711\n4712\n";
    assert!(runner.step("Plan").status.success() && runner.step("Comment").status.success());
    let calls = runner.said("calls");
    assert!(calls.contains("--method PATCH repos/example/payments/issues/comments/4711 --field body=@"), "{calls}");
    assert!(!calls.contains("POST"), "{calls}");
}

#[test]
fn a_change_that_is_not_allowed_is_told_and_then_fails_the_job() {
    let text = fs::read_to_string(root().join("tests/fixtures/proposed.yaml")).expect("a spec");
    let mut runner = Runner::new(&[LIVE]);
    let file = runner.file("rollback.yaml");
    fs::write(&file, text.replace("phase: CutOver", "phase: RolledBack")).expect("a file");
    runner.inputs.insert("file".into(), file.display().to_string());
    assert!(runner.step("Plan").status.success(), "the comment has to be written first");
    assert_eq!(runner.outputs["result"], "held");
    assert!(runner.said("summary").contains("NothingToRollBack"), "{}", runner.said("summary"));
    assert_eq!(runner.step("Judge").status.code(), Some(1));
}

#[test]
fn a_bad_file_and_a_missing_server_fail_at_once() {
    let mut runner = Runner::new(&[("file", "manifests/mistakes/five-mistakes.yaml")]);
    assert_eq!(runner.step("Validate").status.code(), Some(1));
    let mut runner = Runner::new(&[("file", "tests/fixtures/proposed.yaml")]);
    assert_eq!(runner.step("Plan").status.code(), Some(64));
    let mut runner = Runner::new(&[("file", "tests/fixtures/proposed.yaml"), ("server", "http://127.0.0.1:9")]);
    assert_eq!(runner.step("Plan").status.code(), Some(1));
    assert_eq!(runner.said("summary"), "", "no plan is shown that nobody made");
}

#[test]
fn a_file_name_is_never_code() {
    let action = action();
    assert_eq!(action.runs.using, "composite");
    let woven: Vec<&str> =
        action.runs.steps.iter().filter(|step| step.run.contains("${{")).map(|step| step.name.as_str()).collect();
    assert_eq!(woven, [""; 0], "expressions belong into `env`");
    let mut runner = Runner::new(&[("file", "x$(touch \"$RUNNER_TEMP/owned\").yaml"), LIVE]);
    assert!(!runner.step("Validate").status.success() && !runner.step("Plan").status.success());
    assert!(!runner.file("owned").exists());
}

#[test]
fn the_pre_commit_hook_takes_good_files_and_refuses_bad_ones() {
    let text = fs::read_to_string(root().join(".pre-commit-hooks.yaml")).expect("the hooks");
    let hooks: Vec<Hook> = serde_saphyr::from_str(&text).expect("hooks");
    let hook = hooks.iter().find(|hook| hook.id == "bascule-validate").expect("the hook");
    assert_eq!(hook.language, "system");
    let files = regex::Regex::new(&hook.files).expect("a pattern");
    assert!(files.is_match("migrations/payments.yaml") && files.is_match("migrations/eu/payments.yml"));
    assert!(!files.is_match("src/migrations.rs") && !files.is_match("chart/values.yaml"));

    let runner = Runner::new(&[]);
    let path = format!("{}:{}", runner.file("bin").display(), std::env::var("PATH").expect("a path"));
    // As pre-commit calls it: the entry, then every file that changed.
    let run = |files: &[&str]| {
        let mut command = Command::new("bash");
        command.args(["-c", &format!("{} \"$@\"", hook.entry), "hook"]).args(files).current_dir(root()).env("PATH", &path);
        command.output().expect("bash runs")
    };
    let good = ["manifests/payments.yaml", "tests/fixtures/proposed.yaml"];
    assert!(run(&good).status.success());
    let output = run(&["manifests/payments.yaml", "manifests/mistakes/five-mistakes.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("five-mistakes.yaml:"), "{said}");
}
