//! The image and the script that judges a change, as far as they can be judged without Docker and without a second build.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

/// One instruction of the Dockerfile: its word and its arguments, continued lines joined.
fn instructions() -> Vec<(String, String)> {
    let text = read("Dockerfile").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (word, rest) = line.split_once(char::is_whitespace).expect("every instruction has arguments");
            (word.to_owned(), rest.split_whitespace().collect::<Vec<_>>().join(" "))
        })
        .collect()
}

fn arguments(word: &str) -> Vec<String> {
    instructions().into_iter().filter(|(found, _)| found == word).map(|(_, arguments)| arguments).collect()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_base_image_has_a_tag_and_none_is_latest() {
    let bases = arguments("FROM");
    assert_eq!(bases.len(), 2, "a stage that builds and a stage that is shipped");
    for base in bases {
        let image = base.split(' ').next().unwrap_or_default();
        let tag = image.rsplit_once(':').map(|(_, tag)| tag).expect("a base image has a tag");
        assert_ne!(tag, "latest", "{image}");
    }
}

#[test]
fn the_builder_has_the_toolchain_that_cargo_toml_asks_for() {
    let manifest = read("Cargo.toml");
    let wanted =
        manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")).expect("Cargo.toml names a Rust version");
    let wanted = wanted.trim_end_matches('"');
    assert!(arguments("FROM")[0].starts_with(&format!("rust:{wanted}-")), "{:?} is not Rust {wanted}", arguments("FROM"));
}

#[test]
fn the_image_does_not_run_as_root() {
    let users = arguments("USER");
    let last = users.last().expect("the image names its user");
    let id = last.split(':').next().and_then(|user| user.parse::<u32>().ok()).expect("a number, which Kubernetes can judge");
    assert_ne!(id, 0, "USER {last}");
    let user = instructions().iter().rposition(|(word, _)| word == "USER").expect("there is one");
    let entry = instructions().iter().position(|(word, _)| word == "ENTRYPOINT").expect("there is one");
    assert!(user < entry, "the user is named before the program");
}

#[test]
fn the_health_check_needs_nothing_but_the_program() {
    let checks = arguments("HEALTHCHECK");
    assert_eq!(checks.len(), 1);
    let binary = arguments("ENTRYPOINT")[0].trim_matches(['[', ']', '"']).to_owned();
    assert!(checks[0].contains(&format!("CMD [\"{binary}\", \"status\"")), "{}", checks[0]);
    for foreign in ["curl", "wget", "sh\""] {
        assert!(!checks[0].contains(foreign), "{} is not in the image", foreign);
    }
}

#[test]
fn the_build_is_locked_and_takes_only_what_it_reads() {
    assert!(arguments("RUN").iter().any(|command| command.contains("cargo build --release --locked")));
    assert!(arguments("ADD").is_empty(), "ADD unpacks and downloads; COPY says what it does");
    let ignored = read(".dockerignore");
    assert!(ignored.lines().any(|line| line == "*"), "everything is left out ...");
    for copied in arguments("COPY").iter().filter(|copy| !copy.starts_with("--from")) {
        let mut words: Vec<&str> = copied.split(' ').collect();
        words.pop();
        for word in words {
            assert!(ignored.lines().any(|line| line == format!("!{word}")), "... but {word}, which the build reads");
        }
    }
}

#[test]
fn the_image_is_started_with_flags_that_the_program_knows() {
    let command = arguments("CMD")[0].clone();
    let help = Command::new(env!("CARGO_BIN_EXE_bascule")).args(["run", "--help"]).output().expect("the program runs");
    let help = String::from_utf8(help.stdout).expect("help is text");
    for flag in command.split('"').filter(|word| word.starts_with("--")) {
        assert!(help.contains(flag), "`bascule run` has no {flag}");
    }
}

/// Runs `.ci/run` in a copy of what it reads, with a `cargo` that only pretends.
fn judged(cargo: &str) -> Output {
    let copy = tempfile::tempdir().expect("a temporary directory");
    let put = |path: &str, text: &str| {
        let path = copy.path().join(path);
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("it can be made");
        fs::write(&path, text).expect("it can be written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    };
    put(".ci/run", &read(".ci/run"));
    put("README.md", &read("README.md"));
    put("bin/cargo", &format!("#!/bin/sh\n{cargo}\n"));
    put("bin/rustc", "#!/bin/sh\necho rustc 0.0.0");
    let path = format!("{}:{}", copy.path().join("bin").display(), std::env::var("PATH").unwrap_or_default());
    Command::new(copy.path().join(".ci/run")).env("PATH", path).output().expect("the script runs")
}

fn last_line(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).lines().last().unwrap_or_default().to_owned()
}

const TWO_SUITES: &str = r#"if [ "$1" = test ]; then
echo "test result: ok. 14 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.51s"
echo "test result: ok. 28 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.51s"
fi"#;

#[test]
fn a_good_change_passes_and_its_tests_are_counted() {
    let output = judged(TWO_SUITES);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(last_line(&output), "42 passed, 0 failed");
}

#[test]
fn a_failed_test_is_counted_and_fails_the_run() {
    let output = judged(
        r#"if [ "$1" = test ]; then
echo "test result: FAILED. 13 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.51s"
exit 101
fi"#,
    );
    assert!(!output.status.success());
    assert_eq!(last_line(&output), "13 passed, 2 failed");
}

#[test]
fn bad_formatting_fails_the_run_though_every_test_passes() {
    let output = judged(&format!("[ \"$1\" = fmt ] && exit 1\n{TWO_SUITES}"));
    assert!(!output.status.success());
    assert_eq!(last_line(&output), "42 passed, 0 failed");
    assert!(String::from_utf8_lossy(&output.stdout).contains("failed: format"), "{output:?}");
}

#[test]
fn tests_that_do_not_build_are_no_success() {
    let output = judged("[ \"$1\" = test ] && exit 101\nexit 0");
    assert!(!output.status.success());
    assert_eq!(last_line(&output), "0 passed, 0 failed");
}

#[test]
fn tests_are_run_by_the_command_that_the_readme_names() {
    let output = judged(r#"echo "cargo $*""#);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("\ncargo test --release\n"), "{said}");
}
