//! Hands: hooks called exactly as planned. Whatever comes of a call is an answer, so that nothing is left to judge here.

use std::collections::BTreeMap;
use std::path::PathBuf;

use futures_util::future::join_all;
use jiff::Timestamp;
use url::Url;

use super::message::{Letter, Occasion, letter};
use super::{HookAction, HookAnswer};
use crate::checks::messenger::{Message, Messenger};
use crate::checks::outcome::short;
use crate::checks::probe::Secrets;
use crate::names::{HookName, PlanDigest};
use crate::spec::{Hook, Migration};

/// What calls are made with.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// Who sends them.
    pub messenger: &'a dyn Messenger,
    /// Where the keys are found that they are signed with.
    pub secrets: &'a dyn Secrets,
    /// The plan that approvals name.
    pub plan_digest: &'a PlanDigest,
    /// Now.
    pub at: Timestamp,
}

/// Calls all hooks of an action at the same time, and says what came of each.
pub async fn call(desk: Desk<'_>, migration: &Migration, action: &HookAction) -> BTreeMap<HookName, HookAnswer> {
    let HookAction::Call { point, attempt, hooks } = action;
    let (point, attempt, plan_digest, at) = (*point, *attempt, desk.plan_digest, desk.at);
    let occasion = Occasion { migration: migration.name(), attempt, point, plan_digest, at };
    let declared = migration.spec.hooks.iter().filter(|hook| hook.at == point && hooks.contains(&hook.name));
    let calls = declared.map(async |hook| {
        let answer = call_one(desk, occasion, hook).await.unwrap_or_else(|why| HookAnswer::Silent { why: short(&why) });
        (hook.name.clone(), answer)
    });
    join_all(calls).await.into_iter().collect()
}

async fn call_one(desk: Desk<'_>, occasion: Occasion<'_>, hook: &Hook) -> Result<HookAnswer, String> {
    let key = desk.secrets.secret(&hook.secret_from)?;
    let Letter { headers, body } = letter(occasion, hook, &key)?;
    let url = Url::parse(&hook.url).map_err(|error| format!("its URL is none: {error}"))?;
    let tls_ca_file = hook.tls_ca_file.as_ref().map(PathBuf::from);
    let message = Message { url, headers, body, tls_ca_file, limit: hook.timeout.duration() };
    // What was attempted is known; of a URL no more is said than need be.
    desk.messenger.post(&message).await.map(HookAnswer::of).map_err(|trouble| trouble.detail)
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::checks::network::{Reply, Trouble};
    use crate::checks::outcome::Code;
    use crate::controllers::fixture::migration;
    use crate::spec::checks::SecretFrom;
    use crate::spec::{CredentialsFrom, Demand, HookPoint, Period};

    /// Answers by the path of the URL, and keeps what it was sent.
    #[derive(Debug, Default)]
    struct Receiver {
        sent: Mutex<Vec<Message>>,
    }

    impl Messenger for Receiver {
        fn post<'a>(&'a self, message: &'a Message) -> Reply<'a, u16> {
            self.sent.lock().expect("not poisoned").push(message.clone());
            let answer = message.url.path().trim_start_matches('/').parse().map_err(|_| Trouble {
                attempted: format!("POST {}", message.url),
                detail: "nobody listens there".into(),
                code: Code::ConnectionRefused,
            });
            Box::pin(std::future::ready(answer))
        }
    }

    impl Secrets for Receiver {
        fn credentials(&self, _: &CredentialsFrom) -> Result<(String, String), String> {
            Err("no hook has a user".into())
        }

        fn secret(&self, from: &SecretFrom) -> Result<String, String> {
            match from {
                SecretFrom::Env(name) => Ok(format!("canary of {name}")),
                SecretFrom::File(path) => Err(format!("the file {path} cannot be read")),
            }
        }
    }

    fn hook(name: &str, path: &str, secret_from: SecretFrom) -> Hook {
        let (at, demand, timeout) = (HookPoint::AfterFlip, Demand::Told, Period::from_secs(2));
        Hook {
            name: name.into(),
            at,
            demand,
            url: format!("https://ops.example.com/{path}"),
            tls_ca_file: None,
            secret_from,
            timeout,
        }
    }

    #[tokio::test]
    async fn every_call_has_an_answer_of_its_own_and_none_of_them_a_secret() {
        let mut migration = migration();
        let env = || SecretFrom::Env("HOOKS_KEY".into());
        migration.spec.hooks = vec![
            hook("banner", "204", env()),
            hook("queues", "503", env()),
            hook("moved", "301", env()),
            hook("nobody", "path", env()),
            hook("keyless", "200", SecretFrom::File("/no/such/key".into())),
            Hook { at: HookPoint::AfterAbort, ..hook("other", "200", env()) },
        ];
        let (receiver, plan_digest) = (Receiver::default(), PlanDigest::from("0123"));
        let desk = Desk { messenger: &receiver, secrets: &receiver, plan_digest: &plan_digest, at: Timestamp::UNIX_EPOCH };
        let hooks = migration.spec.hooks.iter().map(|hook| hook.name.clone()).collect();
        let action = HookAction::Call { point: HookPoint::AfterFlip, attempt: 1, hooks };
        let answers = call(desk, &migration, &action).await;
        let said: Vec<String> = answers.iter().map(|(hook, answer)| format!("{hook} {answer}")).collect();
        assert_eq!(
            said,
            [
                "banner answered 204",
                "keyless gave no answer: the file /no/such/key cannot be read",
                "moved answered 301",
                "nobody gave no answer: nobody listens there",
                "queues answered 503",
            ]
        );
        assert!(matches!(answers[&HookName::from("moved")], HookAnswer::Refused { status: 301 }), "a redirect takes no call");
        let sent = receiver.sent.lock().expect("not poisoned");
        assert_eq!(sent.len(), 4, "nothing is sent unsigned, nor to another point's hook");
        assert!(sent.iter().all(|message| !format!("{message:?}").contains("canary")));
        assert!(sent.iter().all(|message| message.header("bascule-signature").is_some_and(|value| value.starts_with("v1="))));
    }
}
