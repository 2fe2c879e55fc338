//! What a hook is sent: a small JSON document, a key that is the same however often it comes, and a signature.

use hmac::{Hmac, Mac};
use jiff::Timestamp;
use serde::Serialize;
use sha2::Sha256;

use crate::names::{HookName, MigrationName, PlanDigest};
use crate::spec::{Demand, Hook, HookPoint};

/// What all calls of one point have in common.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The migration.
    pub migration: &'a MigrationName,
    /// The attempt.
    pub attempt: u32,
    /// The point.
    pub point: HookPoint,
    /// The plan that approvals name.
    pub plan_digest: &'a PlanDigest,
    /// Now.
    pub at: Timestamp,
}

/// Whether something has happened, or is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Kind {
    Event,
    Question,
}

/// The JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    kind: Kind,
    migration: &'a MigrationName,
    attempt: u32,
    point: HookPoint,
    hook: &'a HookName,
    plan_digest: &'a PlanDigest,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

/// A call before it is addressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What proves its sender, and tells it from others.
    pub headers: Vec<(&'static str, String)>,
    /// The JSON.
    pub body: String,
}

/// The letter to `hook`, signed with `key`.
///
/// # Errors
/// The key is empty, or unusable; in words.
pub fn letter(occasion: Occasion<'_>, hook: &Hook, key: &str) -> Result<Letter, String> {
    let idempotency_key = idempotency_key(occasion, hook);
    let body = Body {
        kind: if hook.demand == Demand::Confirmed { Kind::Question } else { Kind::Event },
        migration: occasion.migration,
        attempt: occasion.attempt,
        point: occasion.point,
        hook: &hook.name,
        plan_digest: occasion.plan_digest,
        at: occasion.at,
        idempotency_key: idempotency_key.as_deref(),
    };
    let body = serde_json::to_string(&body).map_err(|error| error.to_string())?;
    let timestamp = occasion.at.as_second().to_string();
    let signature = signature(key, &timestamp, &body)?;
    let mut headers = vec![("Bascule-Timestamp", timestamp), ("Bascule-Signature", signature)];
    headers.extend(idempotency_key.map(|key| ("Idempotency-Key", key)));
    Ok(Letter { headers, body })
}

/// One for one hook at one point of one attempt. A question has none: it has no effect that could be doubled, and wants today's
/// answer rather than the one that was given before.
fn idempotency_key(occasion: Occasion<'_>, hook: &Hook) -> Option<String> {
    let Occasion { migration, attempt, point, .. } = occasion;
    (hook.demand != Demand::Confirmed).then(|| format!("{migration}/{attempt}/{point}/{}", hook.name))
}

/// `v1=` and the HMAC-SHA256 of `timestamp.body` in hexadecimal. The timestamp is signed too, so that an old call cannot be
/// played again later.
fn signature(key: &str, timestamp: &str, body: &str) -> Result<String, String> {
    if key.is_empty() {
        return Err("the key that calls are signed with is empty".to_owned());
    }
    Ok(format!("v1={}", hmac_sha256(key.as_bytes(), &[timestamp, ".", body])?))
}

fn hmac_sha256(key: &[u8], parts: &[&str]) -> Result<String, String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(|error| error.to_string())?;
    for part in parts {
        mac.update(part.as_bytes());
    }
    Ok(mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Period;
    use crate::spec::checks::SecretFrom;

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

    fn written(demand: Demand, at: &str) -> Letter {
        let (migration, plan_digest) = ("payments".into(), "0123".into());
        let at = at.parse().expect("a time");
        let occasion =
            Occasion { migration: &migration, attempt: 2, point: HookPoint::BeforeFence, plan_digest: &plan_digest, at };
        letter(occasion, &hook(demand), "Jefe").expect("it can be written")
    }

    fn header<'a>(letter: &'a Letter, name: &str) -> Option<&'a str> {
        letter.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// RFC 4231, test cases 1, 2 and 6.
    #[test]
    fn the_signature_is_that_of_the_standard() {
        let of = |key: &[u8], text: &str| hmac_sha256(key, &[text]).expect("a key");
        assert_eq!(of(&[0x0b; 20], "Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(
            of(b"Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            of(&[0xaa; 131], "Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn a_call_says_what_it_is_about_and_who_sends_it() {
        let letter = written(Demand::Required, "2026-03-02T09:00:00Z");
        assert_eq!(
            letter.body,
            r#"{"kind":"event","migration":"payments","attempt":2,"point":"BeforeFence","hook":"banner","planDigest":"0123","at":"2026-03-02T09:00:00Z","idempotencyKey":"payments/2/BeforeFence/banner"}"#
        );
        assert_eq!(header(&letter, "Idempotency-Key"), Some("payments/2/BeforeFence/banner"));
        assert_eq!(header(&letter, "Bascule-Timestamp"), Some("1772442000"));
        let signed = hmac_sha256(b"Jefe", &["1772442000.", &letter.body]).expect("a key");
        assert_eq!(header(&letter, "Bascule-Signature"), Some(format!("v1={signed}").as_str()));
        assert!(!letter.body.contains("Jefe") && letter.headers.iter().all(|(_, value)| !value.contains("Jefe")));
    }

    #[test]
    fn a_later_call_has_the_same_key_and_another_signature() {
        let (first, second) = (written(Demand::Told, "2026-03-02T09:00:00Z"), written(Demand::Told, "2026-03-02T09:00:01Z"));
        assert_eq!(header(&first, "Idempotency-Key"), header(&second, "Idempotency-Key"));
        assert_ne!(header(&first, "Bascule-Signature"), header(&second, "Bascule-Signature"));
    }

    #[test]
    fn a_question_has_no_key_so_that_nobody_repeats_an_old_answer() {
        let letter = written(Demand::Confirmed, "2026-03-02T09:00:00Z");
        assert_eq!(header(&letter, "Idempotency-Key"), None);
        assert!(letter.body.starts_with(r#"{"kind":"question""#) && !letter.body.contains("idempotencyKey"), "{}", letter.body);
    }

    #[test]
    fn nothing_is_sent_that_is_not_signed() {
        assert!(signature("", "1", "{}").is_err_and(|why| why.contains("empty")));
    }
}
