//! The house rules that no compiler checks: who may use what, what may not be depended on, what may not be left lying about.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// The floors of the house, from the ground up. A folder uses only folders that stand before it.
const FLOORS: [&str; 25] = [
    "names",
    "keyspace",
    "sighting",
    "fault",
    "clock",
    "database",
    "spec",
    "iam",
    "credentials",
    "mysql",
    "parity",
    "checks",
    "network",
    "sim",
    "aws",
    "controllers",
    "migration",
    "runbook",
    "journal",
    "evidence",
    "http",
    "engine",
    "lab",
    "rehearsal",
    "cli",
];

/// What the order of floors would allow, and is forbidden all the same: folder, what it may not use, why.
const APART: [(&str, &[&str], &str); 8] = [
    ("sim", &["sighting"], "the stand-in world knows nothing of the controller, not even its words"),
    ("sim", &["network"], "the stand-in world answers by itself, whatever the machine is connected to"),
    ("aws", &["sim", "spec", "database"], "clients know the wire, not the migration"),
    ("controllers", &["sim", "clock"], "a room must not know that there is a stand-in, and is told what time it is"),
    ("migration", &["sim", "aws", "network", "fault"], "the mind is pure: it sees sightings, never calls"),
    ("journal", &["sim", "aws"], "what is durable has no opinion about where it came from"),
    ("http", &["sim", "aws", "controllers"], "the face shows what is published, it does not look for itself"),
    ("engine", &["rehearsal", "cli"], "the loop does not know who is watching"),
];

/// Where the AWS SDK may be named.
const SDK_ROOMS: [&str; 5] = [
    "src/aws/",
    "src/controllers/binlog/aws",
    "src/controllers/dns/aws",
    "src/controllers/redirect/aws",
    "src/controllers/replication/aws",
];

/// The longest a file may be: what a reader can keep in mind, with some mercy for tables.
const LONGEST_FILE_LINES: usize = 700;

/// As in `rustfmt.toml`.
const WIDEST_LINE_COLUMNS: usize = 130;

/// Packages that must not be in `Cargo.lock`: a name, the first part of the version if only that one is meant, and why.
/// `deny.toml` says the same to `cargo deny`.
const BANNED: [(&str, &str, &str); 7] = [
    ("openssl", "", "TLS is rustls with aws-lc-rs: one implementation, no system library"),
    ("openssl-sys", "", "TLS is rustls with aws-lc-rs: one implementation, no system library"),
    ("native-tls", "", "TLS is rustls with aws-lc-rs: one implementation, no system library"),
    ("serde_yaml", "", "deprecated, and reports faults at the wrong line"),
    ("serde_yml", "", "unsound (RUSTSEC-2025-0068), archived"),
    ("hyper", "0.14.", "the SDK's old default would bring a second HTTP stack"),
    ("rustls", "0.21.", "the SDK's old default would bring a second TLS stack"),
];

/// Packages that must be in `Cargo.lock` once at most.
const ONCE: [&str; 4] = ["tokio", "hyper", "rustls", "rusqlite"];

#[test]
fn a_file_uses_only_floors_below_its_own() {
    let floor = |name: &str| FLOORS.iter().position(|floor| *floor == name);
    let mut wrong = Vec::new();
    for (user, used, place) in uses() {
        let Some(own) = floor(&user) else {
            wrong.push(format!("src/{user} stands on no floor: add it to FLOORS"));
            continue;
        };
        match floor(&used) {
            Some(other) if other < own => {}
            Some(_) => wrong.push(format!("{place}: {user} uses {used}, which stands above it")),
            None => wrong.push(format!("{place}: {used} stands on no floor: add it to FLOORS")),
        }
    }
    assert_none(&wrong);
}

#[test]
fn folders_that_should_not_know_each_other_do_not() {
    let mut wrong = Vec::new();
    for (user, used, place) in uses() {
        for (folder, strangers, why) in &APART {
            if *folder == user && strangers.contains(&used.as_str()) {
                wrong.push(format!("{place}: {user} uses {used}, but {why}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn only_those_who_put_it_on_stage_know_the_stand_in() {
    let knowing: BTreeSet<String> = uses().into_iter().filter(|(_, used, _)| used == "sim").map(|(user, _, _)| user).collect();
    let allowed: BTreeSet<String> = ["engine", "lab", "rehearsal", "cli"].map(String::from).into();
    assert!(knowing.is_subset(&allowed), "the stand-in world is named by {knowing:?}");
}

#[test]
fn the_mind_and_the_spec_do_no_io_and_never_wait() {
    let mut wrong = Vec::new();
    for source in sources() {
        let path = source.path.as_str();
        let pure = path.starts_with("src/migration/")
            || (path.starts_with("src/spec/") && !path.ends_with("/load.rs"))
            || (path.starts_with("src/controllers/") && path.ends_with("/plan.rs"));
        if pure {
            for word in ["async ", ".await;", ".await?", "tokio::", "std::fs", "TcpStream", "std::env", "fastrand"] {
                wrong.extend(
                    source.code.iter().filter(|(_, line)| line.contains(word)).map(|(n, _)| format!("{path}:{n}: {word}")),
                );
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn the_sdk_is_named_only_where_aws_is_talked_to() {
    let mut wrong = Vec::new();
    for source in sources() {
        if !SDK_ROOMS.iter().any(|room| source.path.starts_with(room)) {
            wrong.extend(
                source.code.iter().filter(|(_, line)| line.contains("aws_sdk_")).map(|(n, _)| format!("{}:{n}", source.path)),
            );
        }
    }
    assert_none(&wrong);
}

#[test]
fn no_file_is_longer_than_a_reader_can_keep_in_mind() {
    let wrong: Vec<String> = rust_files()
        .into_iter()
        .filter_map(|path| {
            let lines = read(&path).lines().count();
            (lines > LONGEST_FILE_LINES).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert_none(&wrong);
}

/// rustfmt sees to the code and leaves comments as they are; the heading of a table marked `rustfmt::skip` may be as wide as it.
#[test]
fn no_comment_is_wider_than_the_code_may_be() {
    let mut wrong = Vec::new();
    for path in rust_files() {
        let text = read(&path);
        for (number, line) in text.lines().enumerate() {
            let is_comment = line.trim_start().starts_with("//") && !text.contains("#[rustfmt::skip]");
            if is_comment && line.chars().count() > WIDEST_LINE_COLUMNS {
                wrong.push(format!("{}:{}", path.display(), number + 1));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn nothing_is_left_to_be_done_later() {
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X:"].concat()];
    assert_none(&lines_with(&words));
}

#[test]
fn no_machine_and_no_registry_is_named() {
    let words = [
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
        ["/ho", "me/"].concat(),
        ["index.cra", "tes.io"].concat(),
        ["static.cra", "tes.io"].concat(),
        ["artifac", "tory"].concat(),
    ];
    assert_none(&lines_with(&words));
}

#[test]
fn every_exception_from_a_lint_says_why() {
    let mut wrong = Vec::new();
    for path in rust_files() {
        let text = read(&path);
        for (at, _) in
            text.match_indices("#[allow(").chain(text.match_indices("#[expect(")).chain(text.match_indices("#![allow("))
        {
            let attribute: String = text[at..].chars().take_while(|c| *c != ']').collect();
            let quoted = at > 0 && text[..at].ends_with('"');
            if !quoted && !attribute.contains("reason = ") {
                let line = text[..at].lines().count();
                wrong.push(format!("{}:{}: {attribute}]", path.display(), line.max(1)));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn nothing_banned_is_depended_on() {
    let mut wrong = Vec::new();
    for (name, version) in locked() {
        for (banned, series, why) in BANNED {
            if name == banned && version.starts_with(series) {
                wrong.push(format!("{name} {version}: {why}"));
            }
        }
    }
    assert_none(&wrong);
}

#[test]
fn what_holds_global_state_is_there_once() {
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, version) in locked() {
        versions.entry(name).or_default().push(version);
    }
    for name in ONCE {
        let found = versions.get(name).cloned().unwrap_or_default();
        assert_eq!(found.len(), 1, "{name} is in Cargo.lock as {found:?}");
    }
}

#[test]
fn no_crate_that_others_may_use_is_used_directly() {
    let manifest = read(&root().join("Cargo.toml"));
    for (name, why) in [("ring", "rustls uses aws-lc-rs here"), ("chrono", "time is jiff's"), ("anyhow", "errors have types")] {
        let direct = manifest.lines().any(|line| line.split('=').next().is_some_and(|left| left.trim() == name));
        assert!(!direct, "{name} is a direct dependency, but {why}");
    }
}

#[test]
fn deny_toml_bans_what_this_test_bans() {
    let deny = read(&root().join("deny.toml"));
    for (name, series, _) in BANNED {
        let version = if series.is_empty() { String::new() } else { format!("@{}", series.trim_end_matches('.')) };
        let listed = format!("crate = \"{name}{version}\"");
        assert!(deny.contains(&listed), "deny.toml does not have {listed}");
    }
}

/// One Rust file: its path from the root, and its lines of code without comments and without tests.
struct Source {
    path: String,
    code: Vec<(usize, String)>,
}

/// Every file of the program proper. Tests may use what they test, so they stand on no floor.
fn sources() -> Vec<Source> {
    let tests = test_modules();
    let mut sources = Vec::new();
    for path in rust_files().into_iter().filter(|path| path.starts_with("src")) {
        let shown = path.display().to_string();
        if tests.iter().any(|test| shown == format!("{test}.rs") || shown.starts_with(&format!("{test}/"))) {
            continue;
        }
        let text = read(&path);
        let until = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let code = text[..until].lines().enumerate().map(|(number, line)| (number + 1, line.to_owned()));
        sources.push(Source { path: shown, code: code.filter(|(_, line)| !line.trim_start().starts_with("//")).collect() });
    }
    sources
}

/// Modules that exist only under `#[cfg(test)]`, as paths without their extension.
fn test_modules() -> Vec<String> {
    let mut found = Vec::new();
    for path in rust_files() {
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            let module = pair[1].trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").trim_start_matches("pub ");
            let name = module.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';'));
            if let (true, Some(name)) = (pair[0].trim() == "#[cfg(test)]", name) {
                let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
                found.push(folder.join(name).display().to_string());
            }
        }
    }
    found
}

/// Who uses whom: user, used, where.
fn uses() -> Vec<(String, String, String)> {
    let mut uses = Vec::new();
    for source in sources() {
        let below = source.path.trim_start_matches("src/");
        let user = below.split(['/', '.']).next().unwrap_or_default().to_owned();
        if user == "lib" || user == "main" {
            continue;
        }
        for (number, line) in &source.code {
            for (at, word) in line.match_indices("crate::") {
                let name: String = line[at + word.len()..].chars().take_while(|c| c.is_ascii_lowercase() || *c == '_').collect();
                if name != user && !name.is_empty() {
                    uses.push((user.clone(), name, format!("{}:{number}", source.path)));
                }
            }
        }
    }
    assert!(uses.len() > 100, "the sources were not understood: {} uses", uses.len());
    uses
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every Rust file of the project, from the root.
fn rust_files() -> Vec<PathBuf> {
    project_files().into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Every file that somebody wrote, from the root. `Cargo.lock` names its registry, as it must.
fn project_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(root().join(&folder)).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let entry = entry.expect("the folder can be read");
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().expect("a file has a type");
            let foreign = [".git", "target", "state", "Cargo.lock"].iter().any(|name| path == Path::new(name));
            if kind.is_dir() && !foreign {
                folders.push(path);
            } else if kind.is_file() && !foreign {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn lines_with(words: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for path in project_files() {
        // Some of the mistaken specs are no text on purpose.
        let Ok(text) = fs::read_to_string(root().join(&path)) else { continue };
        for (number, line) in text.lines().enumerate() {
            found.extend(
                words.iter().filter(|word| line.contains(*word)).map(|word| format!("{}:{}: {word}", path.display(), number + 1)),
            );
        }
    }
    found
}

/// Names and versions in `Cargo.lock`.
fn locked() -> Vec<(String, String)> {
    let lock = read(Path::new("Cargo.lock"));
    let value = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key).map(str::to_owned))?;
        Some(line.trim_start_matches(" = ").trim_matches('"').to_owned())
    };
    let packages: Vec<(String, String)> =
        lock.split("[[package]]").filter_map(|block| Some((value(block, "name")?, value(block, "version")?))).collect();
    assert!(packages.len() > 100, "Cargo.lock was not understood: {} packages", packages.len());
    packages
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}
