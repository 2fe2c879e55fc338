//! The other end of hooks: it lets nobody in who cannot sign, keeps books by idempotency key, and knows what it may be told.

use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use hmac::{Hmac, Mac};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use sha2::Sha256;

use super::crash::{CrashSwitch, Place};
use super::dms::outside::DataPlane;
use super::monitor::rules::hook_says_what_is_so;
use super::secrets::SimulatedSecrets;
use super::wire::Cloud;
use super::{SharedWorld, World};
use crate::checks::messenger::{Message, Messenger};
use crate::checks::network::{Reply, Trouble};
use crate::checks::outcome::Code;
use crate::checks::probe::Secrets;
use crate::clock::Clock;
use crate::names::{HookName, MigrationName};
use crate::spec::{Hook, HookPoint};

/// A call that was signed longer ago, or will be, is not let in. A minute is what clocks are off here.
const SIGNED_WITHIN: SignedDuration = SignedDuration::from_secs(300);

/// The other end of every hook.
#[derive(Debug)]
pub struct Bookkeeper {
    taken: BTreeMap<String, u64>,
    refusing: BTreeMap<HookName, u32>,
    rng: fastrand::Rng,
}

/// What a call says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    kind: String,
    migration: MigrationName,
    attempt: u32,
    point: HookPoint,
    hook: HookName,
}

impl Bookkeeper {
    /// Nobody has called.
    pub const fn new(rng: fastrand::Rng) -> Self {
        Self { taken: BTreeMap::new(), refusing: BTreeMap::new(), rng }
    }

    /// How often each call was taken, by `migration/attempt/point/hook`. Whatever comes again under its key is answered like the
    /// first, and has no effect.
    pub const fn taken(&self) -> &BTreeMap<String, u64> {
        &self.taken
    }

    /// The next calls to a hook are refused.
    pub fn refuse(&mut self, hook: &str, calls: u32) {
        self.refusing.insert(hook.into(), calls);
    }

    fn refuses(&mut self, hook: &HookName) -> bool {
        let left = self.refusing.get_mut(hook).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }
}

/// A call comes in; answers with a status. What must not have been sent is reported.
fn receive(world: &mut World, message: &Message) -> u16 {
    let now = world.now();
    let Ok(said) = serde_json::from_str::<Said>(&message.body) else { return 400 };
    let declared = &world.setting.migration.spec.hooks;
    let addressed = |hook: &&Hook| hook.name == said.hook && hook.at == said.point && hook.url == message.url.as_str();
    let Some(hook) = declared.iter().find(addressed).cloned() else { return 404 };
    let key = format!("{}/{}/{}/{}", said.migration, said.attempt, said.point, said.hook);
    if let Err(why) = let_in(&hook, &said, &key, message, now) {
        world.monitor.report("Hooks", now, format!("{key}: {why}"));
        return 401;
    }
    if world.bookkeeper.refuses(&hook.name) {
        return 503;
    }
    if world.setting.data_plane == DataPlane::Simulated {
        let truth = world.truth();
        let pointing = world.monitor.pointing();
        if let Err(why) = hook_says_what_is_so(said.point, &truth, pointing) {
            world.monitor.report("Hooks", now, format!("{key}: {why}"));
        }
    }
    *world.bookkeeper.taken.entry(key).or_default() += 1;
    204
}

/// Signed with the hook's key, just now, and with the key that belongs to it; a question has none.
fn let_in(hook: &Hook, said: &Said, key: &str, message: &Message, now: Timestamp) -> Result<(), String> {
    let timestamp = message.header("Bascule-Timestamp").ok_or("no timestamp")?;
    let signature = message.header("Bascule-Signature").and_then(|value| value.strip_prefix("v1=")).ok_or("no signature")?;
    let secret = SimulatedSecrets.secret(&hook.secret_from)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).map_err(|error| error.to_string())?;
    mac.update(format!("{timestamp}.{}", message.body).as_bytes());
    mac.verify_slice(&bytes(signature).ok_or("a signature that is not hexadecimal")?).map_err(|_| "a wrong signature")?;
    let signed_at = timestamp.parse().ok().and_then(|second| Timestamp::from_second(second).ok()).ok_or("no time")?;
    if now.duration_since(signed_at).abs() > SIGNED_WITHIN {
        return Err("an old signature".to_owned());
    }
    let expected = (said.kind == "event").then_some(key);
    if message.header("Idempotency-Key") != expected {
        return Err(format!("the idempotency key is not {expected:?}"));
    }
    Ok(())
}

fn bytes(hexadecimal: &str) -> Option<Vec<u8>> {
    let pairs = (0..hexadecimal.len()).step_by(2).map(|at| hexadecimal.get(at..at + 2));
    pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}

/// How a controller reaches the bookkeeper.
#[derive(Clone)]
pub struct SimulatedMessenger {
    world: SharedWorld,
    clock: Clock,
    crash: CrashSwitch,
}

impl std::fmt::Debug for SimulatedMessenger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimulatedMessenger").finish_non_exhaustive()
    }
}

/// What happens to a message on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Arrives,
    Lost,
    Refused,
    Unanswered,
}

impl SimulatedMessenger {
    /// Messages to `world`, in its time; the controller may die around each.
    pub const fn new(world: SharedWorld, clock: Clock, crash: CrashSwitch) -> Self {
        Self { world, clock, crash }
    }

    /// The world, advanced to now. A controller that was killed elsewhere leaves sound data behind, so poison is no matter.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.advance(self.clock.now());
        world
    }

    fn draw(&self) -> (Duration, Fate) {
        let mut world = self.world();
        let profile = &world.faults().profile;
        let (chance, shortest, longest) = (profile.hook_error, profile.latency_min_ms, profile.latency_max_ms);
        let latency = Duration::from_millis(world.bookkeeper.rng.u64(shortest..=longest.max(shortest)));
        if !world.faults().strikes(chance) {
            return (latency, Fate::Arrives);
        }
        world.faults().count("hook_error");
        let ill_fates = [Fate::Lost, Fate::Refused, Fate::Unanswered];
        (latency, ill_fates[world.bookkeeper.rng.usize(..ill_fates.len())])
    }

    async fn deliver(&self, message: &Message) -> Result<u16, Trouble> {
        self.crash.place(Place::BeforeCall);
        let (latency, fate) = self.draw();
        self.clock.sleep(latency.min(message.limit)).await;
        let silence = || Trouble {
            attempted: format!("POST {}", message.url),
            detail: format!("no answer within {} ms", message.limit.as_millis()),
            code: Code::TimedOut,
        };
        let answer = match fate {
            Fate::Lost => Err(silence()),
            Fate::Refused => Ok(503),
            Fate::Arrives => Ok(receive(&mut self.world(), message)),
            Fate::Unanswered => {
                receive(&mut self.world(), message);
                Err(silence())
            }
        };
        self.crash.place(Place::AfterCall);
        if answer.is_err() {
            self.clock.sleep(message.limit.saturating_sub(latency)).await;
        }
        answer
    }
}

impl Messenger for SimulatedMessenger {
    fn post<'a>(&'a self, message: &'a Message) -> Reply<'a, u16> {
        Box::pin(self.deliver(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::profile::FaultProfile;
    use crate::sim::tests::world_calling;
    use crate::spec::checks::SecretFrom;
    use crate::spec::{Demand, Period};

    const NOW: &str = "2026-03-02T08:00:00Z";

    fn hook(demand: Demand) -> Hook {
        Hook {
            name: "banner".into(),
            at: HookPoint::BeforeFence,
            demand,
            url: "https://ops.example.com/banner".into(),
            tls_ca_file: None,
            secret_from: SecretFrom::Env("HOOKS_KEY".into()),
            timeout: Period::from_secs(2),
        }
    }

    fn signed(key: &str, timestamp: &str, body: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key");
        mac.update(format!("{timestamp}.{body}").as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn message(kind: &str, point: &str) -> Message {
        let body = format!(r#"{{"kind":"{kind}","migration":"payments","attempt":1,"point":"{point}","hook":"banner"}}"#);
        let timestamp = NOW.parse::<Timestamp>().expect("a time").as_second().to_string();
        let signature = format!("v1={}", signed("secret of HOOKS_KEY", &timestamp, &body));
        let mut headers = vec![("Bascule-Timestamp", timestamp), ("Bascule-Signature", signature)];
        headers.extend((kind == "event").then(|| ("Idempotency-Key", format!("payments/1/{point}/banner"))));
        let url = "https://ops.example.com/banner".parse().expect("a URL");
        Message { url, headers, body, tls_ca_file: None, limit: Duration::from_secs(2) }
    }

    fn world() -> World {
        world_calling(vec![hook(Demand::Told), Hook { at: HookPoint::AfterFlip, ..hook(Demand::Told) }], FaultProfile::calm())
    }

    #[test]
    fn a_call_that_comes_again_is_answered_like_the_first_and_kept_under_one_key() {
        let mut world = world();
        for _ in 0..3 {
            assert_eq!(receive(&mut world, &message("event", "BeforeFence")), 204);
        }
        assert_eq!(world.bookkeeper.taken(), &BTreeMap::from([("payments/1/BeforeFence/banner".to_owned(), 3)]));
        assert_eq!(world.monitor.violations, []);
    }

    #[test]
    fn nobody_is_let_in_who_cannot_sign_or_signed_long_ago_or_changed_a_word() {
        let good = message("event", "BeforeFence");
        let mut forged = good.clone();
        forged.headers[1].1 = format!("v1={}", signed("another secret", &good.headers[0].1, &good.body));
        let mut changed = good.clone();
        changed.body = changed.body.replace(r#""attempt":1"#, r#""attempt":2"#);
        let mut old = good.clone();
        let yesterday = (NOW.parse::<Timestamp>().expect("a time").as_second() - 86_400).to_string();
        old.headers[1].1 = format!("v1={}", signed("secret of HOOKS_KEY", &yesterday, &good.body));
        old.headers[0].1 = yesterday;
        let mut keyless = good.clone();
        keyless.headers.pop();
        let mut unsigned = good;
        unsigned.headers.remove(1);
        for (number, message) in [forged, changed, old, keyless, unsigned].into_iter().enumerate() {
            let mut world = world();
            assert_eq!(receive(&mut world, &message), 401, "{number}");
            assert_eq!(world.monitor.violations.len(), 1, "{number}: it is told");
            assert!(world.bookkeeper.taken().is_empty(), "{number}: and has no effect");
        }
    }

    #[test]
    fn what_is_said_and_not_so_is_reported() {
        let mut world = world();
        assert_eq!(receive(&mut world, &message("event", "AfterFlip")), 204);
        assert_eq!(world.monitor.violations.len(), 1);
        assert!(world.monitor.violations[0].what.contains("AfterFlip"), "{:?}", world.monitor.violations);
    }

    #[test]
    fn a_hook_refuses_as_often_as_it_was_told_to() {
        let mut world = world();
        world.bookkeeper.refuse("banner", 2);
        let answers: Vec<u16> = (0..4).map(|_| receive(&mut world, &message("event", "BeforeFence"))).collect();
        assert_eq!(answers, [503, 503, 204, 204]);
        assert_eq!(receive(&mut world, &message("event", "AfterAbort")), 404, "nobody declared it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_is_lost_and_one_whose_answer_is_lost_look_the_same() {
        let clock = Clock::starting_at(NOW.parse().expect("a time"));
        let world = world_calling(vec![hook(Demand::Told)], FaultProfile { hook_error: 1.0, ..FaultProfile::calm() }).shared();
        let messenger = SimulatedMessenger::new(world.clone(), clock, CrashSwitch::never());
        let message = message("event", "BeforeFence");
        let (mut refused, mut silent) = (0, 0);
        for _ in 0..40 {
            match messenger.post(&message).await {
                Ok(status) => {
                    assert_eq!(status, 503);
                    refused += 1;
                }
                Err(trouble) => {
                    assert_eq!(trouble.detail, "no answer within 2000 ms");
                    silent += 1;
                }
            }
        }
        let taken = world.lock().expect("not poisoned").bookkeeper.taken().values().sum::<u64>();
        assert!(refused > 0 && (1..silent).contains(&taken), "{refused} refused, {silent} silent, {taken} taken");
    }
}
