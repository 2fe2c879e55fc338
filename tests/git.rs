//! A branch of a real repository as the source of specs, fetched by the real `git`, on good days and on bad ones.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bascule::clock::Clock;
use bascule::engine::source::git::address::{Address, Branch, RepositoryPath};
use bascule::engine::source::git::command::Bounds;
use bascule::engine::source::git::{GitSource, GitSpecs};
use bascule::engine::source::{Content, News, SpecEvent};
use bascule::journal::sha256;
use bascule::migration::source::SourceTrouble;
use tempfile::TempDir;
use tokio::sync::Notify;

use crate::upstream::Upstream;

#[path = "common/upstream.rs"]
#[allow(dead_code, reason = "the tests of the daemon use the rest")]
mod upstream;

/// Longer than anything here may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// So often that no test waits for it.
const POLL: Duration = Duration::from_millis(50);

/// A source, and the state directory that its copy is in.
struct Follower {
    specs: GitSpecs,
    state: Arc<TempDir>,
    source: GitSource,
}

impl Follower {
    fn of(url: &str, path: &str) -> Self {
        let specs = GitSpecs {
            address: Address::parse(url).expect("an address"),
            branch: Branch::parse("main").expect("a branch"),
            path: RepositoryPath::parse(path).expect("a path"),
            signers: None,
            bounds: Bounds { patience: PATIENCE, ..Bounds::USUAL },
        };
        Self::with(specs, Arc::new(tempfile::tempdir().expect("a directory")))
    }

    fn with(specs: GitSpecs, state: Arc<TempDir>) -> Self {
        let source = GitSource::new(specs.clone(), state.path(), POLL, Clock::system(), Arc::new(Notify::new()));
        Self { specs, state, source }
    }

    /// Another process on the same state directory.
    fn restarted(self) -> Self {
        Self::with(self.specs, self.state)
    }

    async fn news(&mut self) -> News {
        tokio::time::timeout(PATIENCE, self.source.changed()).await.expect("a change is noticed")
    }

    /// Nothing is said for many polls.
    async fn silence(&mut self) {
        let said = tokio::time::timeout(Duration::from_millis(500), self.source.changed()).await;
        assert!(said.is_err(), "{said:?}");
    }

    /// The trouble that comes next, and no file with it.
    async fn trouble(&mut self) -> SourceTrouble {
        let News { files, trouble, .. } = self.news().await;
        assert_eq!(files, [], "trouble changes no file");
        trouble.expect("trouble")
    }
}

fn called(upstream: &Upstream, path: &str) -> PathBuf {
    PathBuf::from(format!("{}#main:{path}", upstream.url()))
}

fn present(upstream: &Upstream, path: &str, text: &str) -> SpecEvent {
    let content = Content::Present { bytes: text.as_bytes().into(), digest: sha256(text.as_bytes()) };
    SpecEvent { path: called(upstream, path), content }
}

fn gone(upstream: &Upstream, path: &str) -> SpecEvent {
    SpecEvent { path: called(upstream, path), content: Content::Gone }
}

fn unreadable(event: &SpecEvent) -> &str {
    match &event.content {
        Content::Unreadable(why) => why,
        other => panic!("it was read: {other:?}"),
    }
}

#[tokio::test]
async fn the_first_look_says_what_is_there_and_the_next_only_what_changed() {
    let upstream = Upstream::with(&[("migrations/a.yaml", "one\n"), ("migrations/b.yaml", "one\n"), ("README.md", "no spec\n")]);
    upstream.commit(&[("migrations/.hidden.yaml", "no spec\n"), ("migrations/below/c.yaml", "another folder\n")], "More");
    let mut follower = Follower::of(&upstream.url(), "migrations/");
    let news = follower.news().await;
    assert_eq!(news.files, [present(&upstream, "migrations/a.yaml", "one\n"), present(&upstream, "migrations/b.yaml", "one\n")]);
    assert_eq!(news.head.expect("a commit").subject, "More");
    follower.silence().await;

    let id = upstream.commit(&[("migrations/a.yaml", "two\n")], "Promote a");
    let news = follower.news().await;
    assert_eq!(news.files, [present(&upstream, "migrations/a.yaml", "two\n")]);
    let head = news.head.expect("a commit");
    assert_eq!((head.id, head.author, head.subject), (id, upstream::AUTHOR.to_owned(), "Promote a".to_owned()));

    let id = upstream.commit(&[("README.md", "still no spec\n")], "Words");
    let news = follower.news().await;
    assert_eq!((news.files, news.head.map(|head| head.id)), (Vec::new(), Some(id)), "the head moved, and no spec");
    follower.silence().await;
}

#[tokio::test]
async fn one_file_is_followed_and_a_moved_one_is_gone_before_it_arrives() {
    let upstream = Upstream::with(&[("b.yaml", "one\n"), ("other.yaml", "one\n")]);
    let mut file = Follower::of(&upstream.url(), "b.yaml");
    assert_eq!(file.news().await.files, [present(&upstream, "b.yaml", "one\n")]);
    let mut root = Follower::of(&upstream.url(), ".");
    assert_eq!(root.news().await.files.len(), 2);
    upstream.git(&["mv", "b.yaml", "a.yaml"]);
    upstream.push_all("Moved", &[]);
    assert_eq!(file.news().await.files, [gone(&upstream, "b.yaml")]);
    assert_eq!(root.news().await.files, [gone(&upstream, "b.yaml"), present(&upstream, "a.yaml", "one\n")]);
    file.silence().await;
}

#[tokio::test]
async fn a_rewritten_branch_is_told_and_not_followed_until_it_descends_again() {
    let upstream = Upstream::with(&[("a.yaml", "one\n")]);
    let first = upstream.git(&["rev-parse", "HEAD"]);
    let taken = upstream.commit(&[("a.yaml", "two\n")], "Two");
    let mut follower = Follower::of(&upstream.url(), ".");
    assert_eq!(follower.news().await.files, [present(&upstream, "a.yaml", "two\n")]);

    upstream.git(&["reset", "--quiet", "--hard", &first]);
    upstream.push();
    let SourceTrouble::Refused(why) = follower.trouble().await else { panic!("an older commit is not taken") };
    assert!(why.contains("was rewritten") && why.contains(&first) && why.contains(&taken), "{why}");

    let forced = upstream.commit(&[("a.yaml", "forced\n")], "Forced");
    let SourceTrouble::Refused(why) = follower.trouble().await else { panic!("another history is not taken") };
    assert!(why.contains(&forced), "{why}");
    follower.silence().await;

    // Nor does a new process forget what was taken.
    let mut follower = follower.restarted();
    assert_eq!(follower.news().await.files, [present(&upstream, "a.yaml", "two\n")]);
    assert!(matches!(follower.trouble().await, SourceTrouble::Refused(_)));

    // The way out that the message names.
    upstream.git(&["merge", "--quiet", "-s", "ours", "-m", "Looked at", &taken]);
    upstream.push();
    let news = follower.news().await;
    assert_eq!((news.files, news.trouble), (vec![present(&upstream, "a.yaml", "forced\n")], None));
}

#[tokio::test]
async fn a_server_that_is_away_takes_nothing_and_is_followed_again_when_it_is_back() {
    let upstream = Upstream::with(&[("a.yaml", "one\n")]);
    let mut follower = Follower::of(&upstream.url(), ".");
    follower.news().await;
    let away = upstream.beside("away.git");
    fs::rename(upstream.bare(), &away).expect("a moved repository");
    assert!(matches!(follower.trouble().await, SourceTrouble::Unread(_)));

    let mut follower = follower.restarted();
    let News { files, head, trouble } = follower.news().await;
    assert_eq!(files, [present(&upstream, "a.yaml", "one\n")], "a new process begins with what the last one took");
    assert!(head.is_some() && trouble.is_none());
    assert!(matches!(follower.trouble().await, SourceTrouble::Unread(_)));

    fs::rename(&away, upstream.bare()).expect("a moved repository");
    let news = follower.news().await;
    assert_eq!((news.files, news.trouble), (Vec::new(), None), "nothing had changed");
}

#[tokio::test]
async fn a_server_that_never_answers_is_given_up_in_time_with_all_that_was_started() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let mut follower = Follower::of(&format!("https://ann:c4n4ry@127.0.0.1:{port}/payments.git"), ".");
    follower.specs.bounds.patience = Duration::from_secs(2);
    let mut follower = follower.restarted();
    let looking = follower.trouble();
    tokio::pin!(looking);
    let mut seen = Vec::new();
    let trouble = loop {
        tokio::select! {
            trouble = &mut looking => break trouble,
            () = tokio::time::sleep(Duration::from_millis(50)) => seen.extend(processes_about(port)),
        }
    };
    let SourceTrouble::Unread(why) = trouble else { panic!("{trouble:?}") };
    assert!(why.contains("`git fetch` had not ended after 2 s"), "{why}");
    assert!(seen.iter().any(|line| line.contains("remote-https")), "it was under way: {seen:?}");
    assert!(seen.iter().all(|line| !line.contains("c4n4ry")), "no argument holds the secret: {seen:?}");
    let mut left = processes_about(port);
    for _ in 0..100 {
        if left.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        left = processes_about(port);
    }
    assert_eq!(left, Vec::<String>::new(), "nothing is left running");
}

/// The command lines of processes that name a port.
fn processes_about(port: u16) -> Vec<String> {
    let needle = format!(":{port}/");
    let entries = fs::read_dir("/proc").expect("Linux").filter_map(Result::ok);
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).filter(|line| line.contains(&needle)).collect()
}

#[tokio::test]
async fn a_repository_that_grows_beyond_its_bound_is_given_up_and_leaves_nothing_half_done() {
    let upstream = Upstream::with(&[("a.yaml", "one\n")]);
    let mut follower = Follower::of(&upstream.url(), ".");
    follower.specs.bounds.largest_repository_bytes = 8 << 20;
    let mut follower = follower.restarted();
    follower.news().await;
    let mut noise = fastrand::Rng::with_seed(1);
    let huge: Vec<u8> = std::iter::repeat_with(|| noise.u8(..)).take(48 << 20).collect();
    upstream.write("huge.bin", &huge);
    upstream.push_all("A film", &[]);
    let SourceTrouble::Unread(why) = follower.trouble().await else { panic!("it is too large") };
    assert!(why.contains("brought more than 8388608 bytes"), "{why}");

    // The film is taken back from the history that the copy has yet to see: an ordinary commit on top of what was taken.
    upstream.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    upstream.commit(&[("a.yaml", "two\n")], "Without the film");
    let news = follower.news().await;
    assert_eq!((news.files, news.trouble), (vec![present(&upstream, "a.yaml", "two\n")], None));
}

#[tokio::test]
async fn a_large_file_and_a_link_are_named_and_hold_up_no_neighbour() {
    let upstream = Upstream::with(&[("good.yaml", "one\n"), ("large.yaml", &"x".repeat(2 << 20))]);
    symlink("/etc/passwd", upstream.work().join("out.yaml")).expect("a link");
    symlink("good.yaml", upstream.work().join("within.yaml")).expect("a link");
    symlink("/etc", upstream.work().join("folder")).expect("a link");
    upstream.push_all("Links", &[]);
    let mut follower = Follower::of(&upstream.url(), ".");
    let files = follower.news().await.files;
    let [good, large, out, within] = files.as_slice() else { panic!("{files:?}") };
    assert_eq!(*good, present(&upstream, "good.yaml", "one\n"));
    assert!(unreadable(large).contains("2097152 bytes"));
    assert!(unreadable(out).contains("a link to `/etc/passwd`, and links in a repository are not followed"));
    assert!(unreadable(within).contains("a link to `good.yaml`"));
    for (path, target) in [("out.yaml", "/etc/passwd"), ("folder", "/etc")] {
        let files = Follower::of(&upstream.url(), path).news().await.files;
        assert!(unreadable(&files[0]).contains(target), "{files:?}");
    }
    let trouble = Follower::of(&upstream.url(), "folder/passwd").trouble().await;
    assert!(trouble.why().contains("no spec file at `folder/passwd`"), "{trouble:?}");
}

#[tokio::test]
async fn what_a_committer_writes_cannot_play_with_a_terminal() {
    let upstream = Upstream::with(&[("a.yaml", "one\n"), ("\u{1b}[2Jb.yaml", "one\n")]);
    upstream.push_all(&format!("\u{1b}[2J \u{202e}{}", "long".repeat(200)), &[]);
    let News { files, head, .. } = Follower::of(&upstream.url(), ".").news().await;
    let subject = head.expect("a commit").subject;
    assert!(subject.starts_with("\\u{1b}[2J \\u{202e}long") && subject.len() < 300, "{subject}");
    let paths: Vec<_> = files.iter().map(|event| event.path.clone()).collect();
    assert_eq!(paths, [called(&upstream, "\\u{1b}[2Jb.yaml"), called(&upstream, "a.yaml")]);
}

#[tokio::test]
async fn a_branch_or_a_path_that_is_not_there_is_told() {
    let upstream = Upstream::with(&[("a.yaml", "one\n")]);
    let trouble = Follower::of(&upstream.url(), "migrations").trouble().await;
    assert!(matches!(&trouble, SourceTrouble::Refused(why) if why.contains("no spec file at `migrations`")), "{trouble:?}");
    let mut follower = Follower::of(&upstream.url(), ".");
    follower.specs.branch = Branch::parse("release").expect("a branch");
    let trouble = follower.restarted().trouble().await;
    assert!(matches!(&trouble, SourceTrouble::Unread(why) if why.contains("refs/heads/release")), "{trouble:?}");
}

#[tokio::test]
async fn a_commit_that_is_not_sound_is_not_taken() {
    let upstream = Upstream::with(&[("a.yaml", "one\n")]);
    let mut follower = Follower::of(&upstream.url(), ".");
    follower.news().await;
    upstream.write("a.yaml", b"two\n");
    upstream.git(&["add", "--all"]);
    let (tree, parent) = (upstream.git(&["write-tree"]), upstream.git(&["rev-parse", "HEAD"]));
    let forged = format!("tree {tree}\nparent {parent}\nauthor nobody\ncommitter nobody\n\nForged\n");
    let id = upstream.git_fed(&forged, &["hash-object", "-t", "commit", "-w", "--literally", "--stdin"]);
    upstream.git(&["push", "--quiet", "origin", &format!("{id}:refs/heads/main")]);
    let trouble = follower.trouble().await;
    assert!(matches!(&trouble, SourceTrouble::Unread(why) if why.contains(&id)), "{trouble:?}");
    follower.silence().await;
}

#[tokio::test]
async fn only_commits_signed_by_somebody_in_the_file_are_taken_where_that_is_demanded() {
    let upstream = Upstream::with(&[("a.yaml", "unsigned\n")]);
    let (ann, ann_is_allowed) = upstream.key("ann");
    let (eve, _) = upstream.key("eve");
    let signers = upstream.beside("allowed-signers");
    fs::write(&signers, ann_is_allowed).expect("a written file");
    let mut follower = Follower::of(&upstream.url(), ".");
    follower.specs.signers = Some(signers.clone());
    let mut follower = follower.restarted();
    let refused =
        |trouble: &SourceTrouble| matches!(trouble, SourceTrouble::Refused(why) if why.contains("carries no signature"));
    let trouble = follower.trouble().await;
    assert!(refused(&trouble), "an unsigned commit: {trouble:?}");

    sign(&upstream, &eve, "by a stranger\n");
    let trouble = follower.trouble().await;
    assert!(refused(&trouble), "a stranger's commit: {trouble:?}");

    sign(&upstream, &ann, "by ann\n");
    let news = follower.news().await;
    assert_eq!((news.files, news.trouble), (vec![present(&upstream, "a.yaml", "by ann\n")], None));

    upstream.commit(&[("a.yaml", "unsigned again\n")], "Unsigned");
    assert!(refused(&follower.trouble().await));
    sign(&upstream, &ann, "by ann again\n");
    assert_eq!(follower.news().await.files, [present(&upstream, "a.yaml", "by ann again\n")], "the head is what counts");

    // Ann leaves: what she signed before is no beginning for a new process either.
    fs::write(&signers, "").expect("a written file");
    let trouble = follower.restarted().trouble().await;
    assert!(refused(&trouble), "{trouble:?}");
}

fn sign(upstream: &Upstream, key: &Path, text: &str) {
    upstream.write("a.yaml", text.as_bytes());
    upstream.git(&["add", "--all"]);
    let key = format!("user.signingKey={}", key.display());
    upstream.git(&["-c", "gpg.format=ssh", "-c", &key, "commit", "--quiet", "-S", "-m", "Signed"]);
    upstream.push();
}

#[tokio::test]
async fn what_a_killed_fetch_left_behind_is_in_nobodys_way() {
    let upstream = Upstream::with(&[("a.yaml", "one\n")]);
    let mut follower = Follower::of(&upstream.url(), ".");
    follower.news().await;
    let copies = follower.state.path().join("git");
    let copy = fs::read_dir(&copies).expect("copies").next().expect("one").expect("an entry").path();
    for left in ["shallow.lock", "config.lock", "refs/bascule/fetched.lock", "objects/pack/tmp_pack_abcdef"] {
        fs::create_dir_all(copy.join(left).parent().expect("a folder")).expect("a folder");
        fs::write(copy.join(left), "half").expect("a written file");
    }
    upstream.commit(&[("a.yaml", "two\n")], "Two");
    assert_eq!(follower.news().await.files, [present(&upstream, "a.yaml", "two\n")]);
    assert!(!copy.join("shallow.lock").exists());
}

#[tokio::test]
async fn a_cancelled_look_forgets_no_change_and_the_branch_is_only_read() {
    let upstream = Upstream::with(&[("a.yaml", "one\n")]);
    let mut follower = Follower::of(&upstream.url(), ".");
    follower.news().await;
    upstream.commit(&[("a.yaml", "two\n")], "Two");
    let before = upstream.names();
    let mut said = None;
    for patience_ms in (1..).map(|round| round * 2) {
        // Cancelled again and again, at every point that a look has.
        said = tokio::time::timeout(Duration::from_millis(patience_ms), follower.source.changed()).await.ok();
        if said.is_some() {
            break;
        }
    }
    assert_eq!(said.expect("news").files, [present(&upstream, "a.yaml", "two\n")]);
    assert_eq!(upstream.names(), before, "nothing was written to the repository");
}
