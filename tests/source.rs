//! Spec files as editors, the kubelet and accidents change them, on a real file system.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bascule::clock::Clock;
use bascule::engine::source::{Content, Source, SpecEvent};
use bascule::journal::sha256;
use tempfile::TempDir;

/// So long that no test is passed by the poll.
const NEVER: Duration = Duration::from_secs(3600);

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// What "parses" in these tests: a text that was written to its end.
fn parses(bytes: &[u8]) -> bool {
    bytes.ends_with(b"end\n")
}

type Tested = Source<fn(&[u8]) -> bool>;

fn source(path: &Path, poll: Duration) -> Tested {
    Source::new(path, poll, Clock::system(), parses)
}

async fn next(source: &mut Tested) -> Vec<SpecEvent> {
    tokio::time::timeout(PATIENCE, source.changed()).await.expect("a change is noticed")
}

/// Nothing is said for longer than any settling time.
async fn silence(source: &mut Tested) {
    let said = tokio::time::timeout(Duration::from_millis(600), source.changed()).await;
    assert!(said.is_err(), "{said:?}");
}

fn present(path: &Path, text: &str) -> SpecEvent {
    let content = Content::Present { bytes: text.as_bytes().into(), digest: sha256(text.as_bytes()) };
    SpecEvent { path: path.to_owned(), content }
}

fn directory() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("a written file");
}

#[tokio::test]
async fn the_first_look_says_what_is_there_and_the_next_only_what_changed() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    write(&file, "phase: Preflight end\n");
    let mut source = source(&file, NEVER);
    assert_eq!(next(&mut source).await, [present(&file, "phase: Preflight end\n")]);
    silence(&mut source).await;
    write(&file, "phase: RollbackArmed end\n");
    assert_eq!(next(&mut source).await, [present(&file, "phase: RollbackArmed end\n")]);
    write(&file, "phase: CutOver end\n");
    assert_eq!(next(&mut source).await, [present(&file, "phase: CutOver end\n")], "shorter, and whole");
    write(&file, "phase: CutOver end\n");
    silence(&mut source).await;
}

#[tokio::test]
async fn a_config_map_swap_is_one_change_and_never_a_missing_file() {
    let directory = directory();
    let root = directory.path();
    for (version, text) in [("..1", "phase: Preflight end\n"), ("..2", "phase: Prepared, end\n")] {
        fs::create_dir(root.join(version)).expect("a version");
        write(&root.join(version).join("payments.yaml"), text);
    }
    symlink("..1", root.join("..data")).expect("a link");
    symlink("..data/payments.yaml", root.join("payments.yaml")).expect("a link");
    let file = root.join("payments.yaml");
    for mounted in [root, file.as_path()] {
        let mut source = source(mounted, NEVER);
        assert_eq!(next(&mut source).await, [present(&file, "phase: Preflight end\n")], "the versions themselves are hidden");
        symlink("..2", root.join("..data_tmp")).expect("a link");
        fs::rename(root.join("..data_tmp"), root.join("..data")).expect("the kubelet's swap");
        fs::remove_file(root.join("..1/payments.yaml")).expect("the kubelet tidies up");
        assert_eq!(next(&mut source).await, [present(&file, "phase: Prepared, end\n")]);
        silence(&mut source).await;
        symlink("..1", root.join("..data_tmp")).expect("a link");
        write(&root.join("..1/payments.yaml"), "phase: Preflight end\n");
        fs::rename(root.join("..data_tmp"), root.join("..data")).expect("back again for the other mount");
    }
}

#[tokio::test]
async fn an_atomic_rename_is_seen_and_a_draft_beside_it_is_not() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    write(&file, "one end\n");
    let mut source = source(directory.path(), NEVER);
    next(&mut source).await;
    write(&directory.path().join(".payments.yaml.swp"), "draft end\n");
    write(&directory.path().join("payments.yaml~"), "draft end\n");
    write(&directory.path().join("payments.draft"), "two end\n");
    silence(&mut source).await;
    fs::rename(directory.path().join("payments.draft"), &file).expect("a rename");
    assert_eq!(next(&mut source).await, [present(&file, "two end\n")]);
}

#[tokio::test]
async fn a_torn_write_counts_only_when_it_is_whole() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    write(&file, "phase: Preflight end\n");
    let mut source = source(&file, NEVER);
    next(&mut source).await;
    let writing = async {
        for torn in ["", "phase: ", "phase: Cut"] {
            write(&file, torn);
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        write(&file, "phase: CutOver, at last end\n");
    };
    let (said, ()) = tokio::join!(next(&mut source), writing);
    assert_eq!(said, [present(&file, "phase: CutOver, at last end\n")]);
}

#[tokio::test]
async fn a_file_that_stays_bad_is_passed_on_so_that_its_fault_can_be_shown() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    write(&file, "phase: Preflight end\n");
    let mut source = source(&file, NEVER);
    next(&mut source).await;
    write(&file, "phase: [");
    assert_eq!(next(&mut source).await, [present(&file, "phase: [")]);
    write(&file, "");
    assert_eq!(next(&mut source).await, [present(&file, "")]);
}

#[tokio::test]
async fn a_removed_file_is_gone_and_one_replaced_in_two_steps_never_was() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    write(&file, "one end\n");
    let mut source = source(&file, NEVER);
    next(&mut source).await;
    fs::rename(&file, directory.path().join("payments.yaml~")).expect("an editor's backup");
    let writing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        write(&file, "two end\n");
    };
    let (said, ()) = tokio::join!(next(&mut source), writing);
    assert_eq!(said, [present(&file, "two end\n")]);
    fs::remove_file(&file).expect("a removal");
    assert_eq!(next(&mut source).await, [SpecEvent { path: file.clone(), content: Content::Gone }]);
    silence(&mut source).await;
    write(&file, "two end\n");
    assert_eq!(next(&mut source).await, [present(&file, "two end\n")], "it came back as it was");
}

#[tokio::test]
async fn a_file_that_is_not_there_yet_is_gone_until_it_comes() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    let mut source = source(&file, NEVER);
    assert_eq!(next(&mut source).await, [SpecEvent { path: file.clone(), content: Content::Gone }]);
    write(&file, "one end\n");
    assert_eq!(next(&mut source).await, [present(&file, "one end\n")]);
}

#[tokio::test]
async fn each_file_of_a_directory_speaks_for_itself() {
    let directory = directory();
    let files: Vec<PathBuf> = ["a.yaml", "b.yml", "c.json"].map(|name| directory.path().join(name)).into();
    for file in &files {
        write(file, "one end\n");
    }
    write(&directory.path().join("README.md"), "not a spec end\n");
    fs::create_dir(directory.path().join("d.yaml")).expect("a directory is not a spec either");
    let mut source = source(directory.path(), NEVER);
    assert_eq!(next(&mut source).await, files.iter().map(|file| present(file, "one end\n")).collect::<Vec<_>>());
    write(&files[0], "torn");
    write(&files[1], "two end\n");
    assert_eq!(next(&mut source).await, [present(&files[1], "two end\n")], "a bad neighbour does not hold it up");
    assert_eq!(next(&mut source).await, [present(&files[0], "torn")]);
}

#[tokio::test]
async fn what_is_not_a_text_of_sane_size_is_unreadable_and_waits_for_nobody() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    write(&file, &"x".repeat(2 << 20));
    let mut tested = source(&file, NEVER);
    let said = next(&mut tested).await;
    assert!(matches!(&said[..], [SpecEvent { content: Content::Unreadable(why), .. }] if why.contains("larger")), "large");
    let pipe = directory.path().join("pipe.yaml");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    if made.is_ok_and(|status| status.success()) {
        let said = next(&mut source(&pipe, NEVER)).await;
        assert!(matches!(&said[..], [SpecEvent { content: Content::Unreadable(why), .. }] if why.contains("regular")));
    }
}

#[tokio::test]
async fn a_replaced_directory_and_a_mount_that_tells_nothing_are_found_by_the_poll() {
    let outer = directory();
    let inner = outer.path().join("specs");
    fs::create_dir(&inner).expect("a directory");
    let file = inner.join("payments.yaml");
    write(&file, "one end\n");
    let mut source = source(&inner, Duration::from_millis(100));
    next(&mut source).await;
    fs::rename(&inner, outer.path().join("old")).expect("the directory goes");
    fs::create_dir(&inner).expect("and another comes");
    write(&file, "two end\n");
    let mut said = next(&mut source).await;
    said.retain(|event| event.path == file);
    assert_eq!(said, [present(&file, "two end\n")]);
    // A link to a file elsewhere: its directory is not the one that is watched.
    write(&outer.path().join("elsewhere"), "one end\n");
    let link = outer.path().join("link.yaml");
    symlink("specs/../elsewhere", &link).expect("a link");
    let mut linked = Source::new(&link, Duration::from_millis(100), Clock::system(), parses);
    linked.changed().await;
    write(&outer.path().join("elsewhere"), "two end\n");
    assert_eq!(linked.changed().await, [present(&link, "two end\n")]);
}

#[tokio::test]
async fn a_cancelled_wait_forgets_no_change() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    write(&file, "one end\n");
    let mut source = source(&file, NEVER);
    next(&mut source).await;
    for round in 0..20 {
        let text = format!("round {round} end\n");
        write(&file, &text);
        let mut said = Vec::new();
        while said.is_empty() {
            // Cancelled again and again, at every point that 50 microseconds can reach.
            said = tokio::time::timeout(Duration::from_micros(50), source.changed()).await.unwrap_or_default();
        }
        if said != [present(&file, &text)] {
            // The watch may wake between truncation and write; that is a torn write, and the whole one follows.
            said = next(&mut source).await;
        }
        assert_eq!(said, [present(&file, &text)]);
    }
}

#[tokio::test]
async fn reading_a_file_is_no_reason_to_read_it_again() {
    let directory = directory();
    let file = directory.path().join("payments.yaml");
    write(&file, "bad, so that it is judged at every look");
    let looks = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&looks);
    let judge = move |bytes: &[u8]| {
        counted.fetch_add(1, Ordering::Relaxed);
        parses(bytes)
    };
    let mut source = Source::new(&file, NEVER, Clock::system(), judge);
    tokio::time::timeout(PATIENCE, source.changed()).await.expect("it is passed on in the end");
    assert!(looks.load(Ordering::Relaxed) < 10, "{looks:?} looks at a file that did not change");
}
