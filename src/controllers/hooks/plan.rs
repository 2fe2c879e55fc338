//! How a hook stands, and which ones are called next.

use jiff::{SignedDuration, Timestamp};

use super::{HookAction, HookAnswer, HookRecord, HookTerms};
use crate::controllers::{Block, Steps, Wait};
use crate::spec::{Demand, Hook, HookPoint};

/// A restart of its server is behind most calls that a hook does not take, and over after the third.
const CALLS_WHERE_NOBODY_WAITS: u32 = 3;

/// While customers wait a hook is told once.
const CALLS_WHILE_CUSTOMERS_WAIT: u32 = 1;

/// The time between two calls; doubled from one to the next, but not while customers wait.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(1);

/// The longest time between two calls: whoever says go has it heard within half a minute.
const LONGEST_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// Doublings after which the pause is the longest in any case.
const LONGEST_PAUSE_AFTER: u32 = 5;

/// How long a yes counts. The fence closes within seconds of it, or something has come between, and it is asked for anew.
const A_YES_COUNTS: SignedDuration = SignedDuration::from_secs(300);

/// How a hook stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookStanding {
    /// It took the call, or said yes; in words.
    Answered(String),
    /// Nothing waits for it any more; in words.
    GivenUp(String),
    /// It is to be called.
    Awaited {
        /// From when on.
        from: Timestamp,
        /// What came so far, in words.
        why: String,
    },
}

/// How a hook stands, by what the journal has of it.
pub fn judge(hook: &Hook, record: Option<&HookRecord>, now: Timestamp) -> HookStanding {
    let name = &hook.name;
    let Some(record) = record else {
        return HookStanding::Awaited { from: now, why: format!("{name} has not been called yet") };
    };
    match (hook.demand, record.taken_at) {
        (Demand::Told | Demand::Required, Some(at)) => HookStanding::Answered(format!("{name} took the call at {at:.0}")),
        (Demand::Confirmed, Some(at)) if now.duration_since(at) <= A_YES_COUNTS => {
            HookStanding::Answered(format!("{name} said yes at {at:.0}"))
        }
        _ if is_given_up(hook, record) => HookStanding::GivenUp(format!("{name} is given up: {}", so_far(record))),
        _ => {
            let from = record.called_at.checked_add(pause(hook.at, record.calls)).unwrap_or(Timestamp::MAX);
            HookStanding::Awaited { from, why: format!("{name} {}", so_far(record)) }
        }
    }
}

/// One call more is begun than may fail: the controller may have died in one. Past the point of no return nothing is demanded,
/// whatever the file says.
fn is_given_up(hook: &Hook, record: &HookRecord) -> bool {
    let most = if hook.at.customers_wait() { CALLS_WHILE_CUSTOMERS_WAIT } else { CALLS_WHERE_NOBODY_WAITS };
    let is_waited_for = hook.demand != Demand::Told && hook.at != HookPoint::BeforeFlip;
    !is_waited_for && (record.failed >= most || record.calls > most)
}

fn pause(point: HookPoint, calls: u32) -> SignedDuration {
    if point.customers_wait() {
        return FIRST_PAUSE;
    }
    FIRST_PAUSE.saturating_mul(1 << calls.saturating_sub(1).min(LONGEST_PAUSE_AFTER)).min(LONGEST_PAUSE)
}

fn so_far(record: &HookRecord) -> String {
    match (&record.newest, record.calls) {
        (None, _) => "was called, and what it answered is not known".to_owned(),
        (Some(HookAnswer::Taken { .. }), _) => "said yes, which is too long ago".to_owned(),
        (Some(newest), 1) => newest.to_string(),
        (Some(newest), calls) => format!("{newest}, the last of {calls} calls"),
    }
}

/// The next calls, and what is awaited. Questions come before everything else of their point: a no is to change nothing.
pub fn plan(terms: &HookTerms<'_>) -> Steps<HookAction> {
    let awaited: Vec<Awaited<'_>> = terms.declared.iter().filter_map(|hook| Awaited::of(hook, terms)).collect();
    let has_questions = awaited.iter().any(|awaited| awaited.hook.demand == Demand::Confirmed);
    let mut steps = Steps::settled();
    let mut due = Vec::new();
    for awaited in awaited.iter().filter(|awaited| !has_questions || awaited.hook.demand == Demand::Confirmed) {
        match awaited.from <= terms.now {
            true => due.push(awaited.hook.name.clone()),
            false => steps.waiting.push(awaited.wait()),
        }
        steps.blocked.extend(awaited.block(terms));
    }
    if !due.is_empty() {
        steps.actions.push(HookAction::Call { point: terms.point, attempt: terms.attempt, hooks: due });
    }
    steps
}

/// A hook that is to be called.
struct Awaited<'a> {
    hook: &'a Hook,
    from: Timestamp,
    why: String,
}

impl<'a> Awaited<'a> {
    fn of(hook: &'a Hook, terms: &HookTerms<'_>) -> Option<Self> {
        if hook.at != terms.point {
            return None;
        }
        match judge(hook, terms.records.of(hook), terms.now) {
            HookStanding::Answered(_) | HookStanding::GivenUp(_) => None,
            HookStanding::Awaited { from, why } => Some(Self { hook, from, why }),
        }
    }

    fn wait(&self) -> Wait {
        let reason = match self.hook.demand {
            Demand::Told | Demand::Required => "HookNotTaken",
            Demand::Confirmed => "HookNotConfirmed",
        };
        Wait::until(reason, format!("{}; it is called again at {:.0}", self.why, self.from), self.from)
    }

    /// What has failed for a while needs a person, if anything waits for it. A question that is refused has been answered: no.
    fn block(&self, terms: &HookTerms<'_>) -> Option<Block> {
        let record = terms.records.of(self.hook).filter(|record| record.failed >= CALLS_WHERE_NOBODY_WAITS)?;
        let is_no = matches!((self.hook.demand, &record.newest), (Demand::Confirmed, Some(HookAnswer::Refused { .. })));
        (self.hook.demand != Demand::Told && !is_no).then(|| {
            let message = format!("{}; {} waits for it: mend it, or change its demand", self.why, what_waits(self.hook.at));
            Block::new("HookFails", message)
        })
    }
}

/// What comes after a point.
const fn what_waits(point: HookPoint) -> &'static str {
    match point {
        HookPoint::BeforeFence => "the cutover",
        HookPoint::AfterFence => "the end of the write pause",
        HookPoint::BeforeFlip => "the flip of the public name",
        HookPoint::AfterFlip => "the end of the cutover",
        HookPoint::AfterAbort => "the next attempt",
        HookPoint::AfterRollback => "the end of the rollback",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::controllers::hooks::HookRecords;
    use crate::names::HookName;
    use crate::spec::Period;
    use crate::spec::checks::SecretFrom;

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn hook(name: &str, at: HookPoint, demand: Demand) -> Hook {
        Hook {
            name: name.into(),
            at,
            demand,
            url: "https://ops.example.com/".into(),
            tls_ca_file: None,
            secret_from: SecretFrom::Env("HOOKS_KEY".into()),
            timeout: Period::from_secs(2),
        }
    }

    /// A journal, written call by call.
    #[derive(Default)]
    struct Kept(HookRecords);

    impl Kept {
        fn call(mut self, second: i64, hook: &Hook, answer: Option<HookAnswer>) -> Self {
            self.0.called(at(second), hook.at, std::slice::from_ref(&hook.name));
            if let Some(answer) = answer {
                self.0.answered(at(second), hook.at, &BTreeMap::from([(hook.name.clone(), answer)]));
            }
            self
        }

        fn standing(&self, second: i64, hook: &Hook) -> HookStanding {
            judge(hook, self.0.of(hook), at(second))
        }

        fn plan(&self, second: i64, point: HookPoint, declared: &[Hook]) -> Steps<HookAction> {
            plan(&HookTerms { point, declared, attempt: 1, records: &self.0, now: at(second) })
        }
    }

    fn called(steps: &Steps<HookAction>) -> Vec<&str> {
        let names = steps.actions.iter().flat_map(|HookAction::Call { hooks, .. }| hooks);
        names.map(HookName::as_str).collect()
    }

    fn no() -> Option<HookAnswer> {
        Some(HookAnswer::Refused { status: 503 })
    }

    fn yes() -> Option<HookAnswer> {
        Some(HookAnswer::Taken { status: 204 })
    }

    fn reasons(steps: &Steps<HookAction>) -> Vec<&str> {
        let waits = steps.waiting.iter().map(|wait| wait.reason.0.as_str());
        waits.chain(steps.blocked.iter().map(|block| block.reason.0.as_str())).collect()
    }

    #[test]
    fn all_hooks_of_a_point_are_called_at_once_and_those_of_other_points_are_not() {
        let declared = [
            hook("banner", HookPoint::AfterFlip, Demand::Told),
            hook("queues", HookPoint::AfterFlip, Demand::Required),
            hook("abort", HookPoint::AfterAbort, Demand::Told),
        ];
        let steps = Kept::default().plan(0, HookPoint::AfterFlip, &declared);
        assert_eq!(steps.actions.len(), 1);
        assert_eq!(called(&steps), ["banner", "queues"]);
        assert_eq!(steps.actions[0].to_string(), "call the hooks of AfterFlip: banner, queues");
    }

    #[test]
    fn what_took_the_call_is_not_called_again() {
        for demand in [Demand::Told, Demand::Required] {
            let hook = hook("banner", HookPoint::AfterFlip, demand);
            let kept = Kept::default().call(0, &hook, no()).call(1, &hook, yes());
            assert!(matches!(kept.standing(9999, &hook), HookStanding::Answered(_)));
            assert!(kept.plan(9999, HookPoint::AfterFlip, &[hook]).is_settled());
        }
    }

    #[test]
    fn calls_come_further_and_further_apart_but_never_more_than_half_a_minute() {
        let hook = hook("queues", HookPoint::AfterRollback, Demand::Required);
        let mut kept = Kept::default();
        let mut second = 0;
        for expected in [1, 2, 4, 8, 16, 30, 30] {
            kept = kept.call(second, &hook, no());
            let HookStanding::Awaited { from, .. } = kept.standing(second, &hook) else { panic!("it is awaited") };
            assert_eq!(from, at(second + expected));
            assert_eq!(called(&kept.plan(second, HookPoint::AfterRollback, std::slice::from_ref(&hook))), [""; 0]);
            second += expected;
            assert_eq!(called(&kept.plan(second, HookPoint::AfterRollback, std::slice::from_ref(&hook))), ["queues"]);
        }
    }

    #[test]
    fn what_is_only_told_is_given_up_and_what_is_demanded_never() {
        let told = hook("banner", HookPoint::BeforeFence, Demand::Told);
        let demanded = hook("banner", HookPoint::BeforeFence, Demand::Required);
        let two = Kept::default().call(0, &told, no()).call(1, &told, no());
        assert!(matches!(two.standing(9, &told), HookStanding::Awaited { .. }));
        let three = two.call(3, &told, no());
        assert_eq!(
            three.standing(9, &told),
            HookStanding::GivenUp("banner is given up: answered 503, the last of 3 calls".into())
        );
        assert!(three.plan(9, HookPoint::BeforeFence, &[told]).is_settled());
        assert!(matches!(three.standing(9, &demanded), HookStanding::Awaited { .. }));
        let steps = three.plan(4, HookPoint::BeforeFence, &[demanded]);
        assert_eq!(reasons(&steps), ["HookNotTaken", "HookFails"]);
        assert!(steps.blocked[0].message.contains("the cutover waits for it"), "{:?}", steps.blocked);
    }

    #[test]
    fn while_customers_wait_a_hook_is_told_once_and_a_call_that_the_controller_died_in_is_made_again() {
        for point in [HookPoint::AfterFence, HookPoint::BeforeFlip] {
            let hook = hook("queues", point, Demand::Told);
            assert!(matches!(Kept::default().call(0, &hook, no()).standing(0, &hook), HookStanding::GivenUp(_)), "{point}");
            let died = Kept::default().call(0, &hook, None);
            assert_eq!(called(&died.plan(1, point, std::slice::from_ref(&hook))), ["queues"], "{point}");
            assert!(matches!(died.call(1, &hook, None).standing(1, &hook), HookStanding::GivenUp(_)), "{point}: never for ever");
        }
    }

    #[test]
    fn nothing_is_demanded_before_the_flip_whatever_the_file_says() {
        for demand in [Demand::Required, Demand::Confirmed] {
            let hook = hook("queues", HookPoint::BeforeFlip, demand);
            assert!(matches!(Kept::default().call(0, &hook, no()).standing(0, &hook), HookStanding::GivenUp(_)));
        }
        let hook = hook("queues", HookPoint::AfterFence, Demand::Required);
        let kept = Kept::default().call(0, &hook, no()).call(1, &hook, no()).call(2, &hook, no()).call(3, &hook, no());
        assert_eq!(
            kept.standing(3, &hook),
            HookStanding::Awaited { from: at(4), why: "queues answered 503, the last of 4 calls".into() }
        );
    }

    #[test]
    fn questions_come_first_and_a_no_is_asked_again_without_a_word_of_failure() {
        let question = hook("go", HookPoint::BeforeFence, Demand::Confirmed);
        let banner = hook("banner", HookPoint::BeforeFence, Demand::Told);
        let declared = [banner, question.clone()];
        let mut kept = Kept::default();
        assert_eq!(called(&kept.plan(0, HookPoint::BeforeFence, &declared)), ["go"]);
        for second in [0, 1, 3, 7] {
            kept = kept.call(second, &question, Some(HookAnswer::Refused { status: 409 }));
        }
        let steps = kept.plan(8, HookPoint::BeforeFence, &declared);
        assert_eq!((called(&steps), reasons(&steps)), (vec![], vec!["HookNotConfirmed"]));
        let kept = kept.call(15, &question, yes());
        assert_eq!(called(&kept.plan(15, HookPoint::BeforeFence, &declared)), ["banner"]);
    }

    #[test]
    fn a_question_that_nobody_answers_is_for_a_person() {
        let question = hook("go", HookPoint::BeforeFence, Demand::Confirmed);
        let silence = || Some(HookAnswer::Silent { why: "nobody listens there".into() });
        let kept = [0, 1, 3].into_iter().fold(Kept::default(), |kept, second| kept.call(second, &question, silence()));
        let steps = kept.plan(4, HookPoint::BeforeFence, &[question]);
        assert_eq!(reasons(&steps), ["HookNotConfirmed", "HookFails"]);
        assert!(steps.waiting[0].message.contains("nobody listens there"), "{:?}", steps.waiting);
    }

    #[test]
    fn a_yes_counts_for_five_minutes_and_is_then_asked_for_anew() {
        let question = hook("go", HookPoint::BeforeFence, Demand::Confirmed);
        let kept = Kept::default().call(0, &question, yes());
        assert!(matches!(kept.standing(300, &question), HookStanding::Answered(_)));
        assert!(matches!(kept.standing(301, &question), HookStanding::Awaited { .. }));
        assert_eq!(called(&kept.plan(301, HookPoint::BeforeFence, &[question])), ["go"]);
    }
}
