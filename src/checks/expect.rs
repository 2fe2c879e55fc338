//! What an answer has to be, and what it is.

use std::cell::LazyCell;

use serde_json::Value;

use super::credentials::Identity;
use super::failing::Failing;
use super::fetch::{Answered, Errand, Journey};
use super::network::HttpAnswer;
use super::outcome::Code;
use super::redirects::departure;
use crate::spec::checks::text::{expression, web_url};
use crate::spec::checks::{BodyRule, Expectation, HeaderRule, JsonRule};

/// Everything about a journey that is not as declared.
pub fn failings(expect: &Expectation, journey: &Journey, errand: &Errand<'_>) -> Vec<Failing> {
    let (identity, last) = (errand.identity, &journey.last);
    let end = format!("{} answers {}", identity.shown(last.asked.as_str()), last.answer.status);
    let mut failings = Vec::from_iter(departure(&expect.redirects, &journey.hops, &end, identity));
    if let Some(failing) = status_failing(expect, last, errand) {
        // What an error's own page holds is no news.
        failings.push(failing);
        return failings;
    }
    failings.extend(expect.headers.iter().filter_map(|rule| header_failing(rule, &last.answer, identity)));
    let (text, document) = (last.answer.text(), LazyCell::new(|| json(&last.answer)));
    failings.extend(expect.body.iter().filter_map(|rule| body_failing(rule, &text, &document, identity)));
    failings
}

/// The status of a page that is well, where the spec does not name one.
const WELL: u16 = 200;

fn status_failing(expect: &Expectation, last: &Answered, errand: &Errand<'_>) -> Option<Failing> {
    let (status, declared) = (last.answer.status, expect.status.unwrap_or(WELL));
    if status == declared {
        return None;
    }
    let asked = errand.identity.shown(last.asked.as_str());
    let were_sent = errand.identity.is_given() && web_url(errand.url).is_some_and(|home| home.origin() == last.asked.origin());
    if were_sent && matches!(status, 401 | 403) {
        let said = format!(
            "{asked} answers {status} to the credentials that the spec names; see whether they are those of this environment, \
             and may do this"
        );
        return Some(Failing::new(Code::CredentialsRefused, said));
    }
    Some(Failing::new(Code::StatusDiffers, format!("{asked} answers {status}, and {declared} is declared")))
}

fn header_failing(rule: &HeaderRule, answer: &HttpAnswer, identity: &Identity) -> Option<Failing> {
    let values: Vec<&str> = answer.header(&rule.name).collect();
    let shown = || values.iter().map(|value| header_shown(&rule.name, value, identity)).collect::<Vec<_>>().join("`, `");
    let said = match (rule.absent, &rule.matches) {
        (true, _) if values.is_empty() => return None,
        (true, _) => format!("the header `{}` is there (`{}`), and must not be", rule.name, shown()),
        (false, _) if values.is_empty() => format!("the header `{}` is missing", rule.name),
        (false, None) => return None,
        (false, Some(pattern)) if values.iter().any(|value| finds(pattern, value)) => return None,
        (false, Some(pattern)) => format!("the header `{}` is `{}`, in which `{pattern}` is not found", rule.name, shown()),
    };
    Some(Failing::new(Code::HeaderDiffers, said))
}

/// A header's value as it may be shown: of a cookie its name, for its value may be somebody's session.
fn header_shown(name: &str, value: &str, identity: &Identity) -> String {
    if !name.eq_ignore_ascii_case("set-cookie") {
        return identity.shown(value);
    }
    let pair = value.split(';').next().unwrap_or_default();
    identity.shown(&format!("{}=…", pair.split_once('=').map_or("", |(cookie, _)| cookie)))
}

/// The loader has refused what is no expression.
fn finds(pattern: &str, text: &str) -> bool {
    expression(pattern).is_ok_and(|expression| expression.is_match(text))
}

/// The body as a JSON document, read when the first rule asks for it.
type Document<F> = LazyCell<Result<Value, String>, F>;

fn body_failing<F>(rule: &BodyRule, text: &str, document: &Document<F>, identity: &Identity) -> Option<Failing>
where
    F: FnOnce() -> Result<Value, String>,
{
    let said = match rule {
        BodyRule::Contains(wanted) if text.contains(wanted) => return None,
        BodyRule::Contains(wanted) => format!("the body lacks `{wanted}`"),
        BodyRule::Lacks(unwanted) if !text.contains(unwanted) => return None,
        BodyRule::Lacks(unwanted) => format!("the body contains `{unwanted}`, and must not"),
        BodyRule::Matches(pattern) if finds(pattern, text) => return None,
        BodyRule::Matches(pattern) => format!("`{pattern}` is not found in the body"),
        BodyRule::Json(rule) => json_said(rule, document, identity)?,
    };
    Some(Failing::new(Code::BodyDiffers, said))
}

/// The body as a JSON document.
///
/// # Errors
/// Where it stops to be one.
pub fn json(answer: &HttpAnswer) -> Result<Value, String> {
    serde_json::from_slice(&answer.body).map_err(|error| format!("the body is not JSON ({error})"))
}

fn json_said(rule: &JsonRule, json: &Result<Value, String>, identity: &Identity) -> Option<String> {
    let value = match json {
        Ok(document) => document.pointer(&rule.pointer),
        Err(why) => return Some(why.clone()),
    };
    let found = match (value, &rule.equals) {
        (Some(value), Some(wanted)) if written(value).as_deref() == Some(wanted) => return None,
        (Some(value), None) if !value.is_null() => return None,
        (None, _) => "missing".to_owned(),
        (Some(value), _) => format!("`{}`", identity.shown(&written(value).unwrap_or_else(|| value.to_string()))),
    };
    let wanted = rule.equals.as_ref().map_or_else(|| "a value".to_owned(), |wanted| format!("`{wanted}`"));
    Some(format!("`{}` is {found} in the body, and {wanted} is declared", rule.pointer))
}

/// A text as it is, a number or a boolean as JSON writes it; nothing else can be compared with a text.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
