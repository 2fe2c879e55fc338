//! `bascule approve`: one person agrees to one plan of one attempt, by an entry in the file.

use std::path::PathBuf;

use jiff::Timestamp;

use super::live::LiveArgs;
use super::promote::intent;
use super::{exit, rewrite};
use crate::clock::{Clock, after};
use crate::migration::approvals::cutover_digest;
use crate::names::PlanDigest;
use crate::spec::{Approval, Migration};

/// Agree to the plan of a cutover: add an approval to the file.
///
/// It names the attempt and the digest of the plan: the one that a running controller shows (--server, --status), or one that is
/// given (--digest). It is dated as the controller's last look, because that clock is the one that judges it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 added; 1 refused, and said why; 2 a bad spec; 3 the server or the status could not be read; 64 wrong usage."
)]
#[command(group = clap::ArgGroup::new("plan").required(true).args(["digest", "server", "status"]))]
pub struct ApproveArgs {
    /// The Migration file.
    file: PathBuf,
    /// Who approves: a name that the team knows.
    #[arg(long = "as", value_name = "NAME")]
    person: String,
    /// The plan, as `bascule plan` prints it.
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    #[command(flatten)]
    live: LiveArgs,
    /// When, such as 2026-03-01T01:00:00Z; without it, now.
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Print the difference and write nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub fn run(args: &ApproveArgs) -> u8 {
    approve(args).unwrap_or_else(|code| code)
}

fn approve(args: &ApproveArgs) -> Result<u8, u8> {
    let loaded = rewrite::original(&args.file)?;
    let migration: &Migration = &loaded.migration;
    let live = args.live.ask(migration.name())?;
    let own = cutover_digest(migration);
    let (plan_digest, usual_time) = match (&args.digest, &live) {
        (Some(digest), _) => (PlanDigest(digest.clone()), Clock::system().now()),
        (None, Some(object)) if object.status.approvals.plan_digest != own => {
            return Err(exit::failed(&format!(
                "the plan in force is {}, and that of {} is {own}: the file says something else than what is in force, or this is \
                 another version of bascule; bring both together, or name the plan that you mean by --digest",
                object.status.approvals.plan_digest,
                args.file.display()
            )));
        }
        (None, Some(object)) => (object.status.approvals.plan_digest.clone(), object.status.observed_at),
        (None, None) => (own.clone(), Clock::system().now()),
    };
    if plan_digest != own {
        eprintln!("note: the plan of {} is {own}; an approval of another one does not count for it", args.file.display());
    }
    let at = args.at.unwrap_or(usual_time);
    let approval = Approval { by: args.person.clone(), at, attempt: migration.spec.attempt, plan_digest };
    if let Some(why) = refusal(migration, &approval) {
        return Err(exit::failed(&why));
    }
    let after = loaded.with_approval(&approval).map_err(|error| exit::failed(&format!("{}, {error}", args.file.display())))?;
    Ok(rewrite::finish(&args.file, loaded.text(), &after, intent(args.dry_run)))
}

/// Why this approval adds nothing. One that has expired may be given again, and one of another plan is replaced.
fn refusal(migration: &Migration, approval: &Approval) -> Option<String> {
    if approval.person().is_empty() {
        return Some("an approval needs a name: --as NAME".into());
    }
    let digest = approval.plan_digest.as_str();
    if digest.len() != 64 || !digest.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some("--digest: a plan's digest has 64 hexadecimal digits, as `bascule plan` prints them".into());
    }
    let rule = &migration.spec.cutover.approvals;
    let said = migration.spec.approvals.iter().find(|known| {
        known.person() == approval.person() && known.attempt == approval.attempt && known.plan_digest == approval.plan_digest
    })?;
    let expires = after(said.at, rule.expire_after.duration());
    (approval.at <= expires).then(|| {
        format!(
            "{} has approved attempt {} of this plan already, at {:.0}; it holds until {expires:.0}, and each person counts once",
            said.by, said.attempt, said.at
        )
    })
}
