//! Rules about what checks expect, how they are called, and who waives them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Rule, when};
use crate::names::CheckName;
use crate::spec::Migration;
use crate::spec::checks::text::{expression, is_header_name, is_pointer};
use crate::spec::checks::{BodyRule, Checks, Expectation, HeaderRule, TrafficSignal};
use crate::spec::code::Code;
use crate::spec::finding::{Finding, quoted};

pub(super) const RULES: &[Rule] = &[
    expressions_can_be_searched_for,
    pointers_point,
    headers_can_be_as_declared,
    each_check_has_a_name_of_its_own,
    waivers_are_of_declared_checks,
    waivers_are_explained,
    the_old_system_is_another,
    something_proves_the_public_path,
];

/// What is expected of every page, with its path.
fn expectations(checks: &Checks) -> impl Iterator<Item = (String, &Expectation)> {
    let of = |list: &str, index: usize| format!("spec.checks.{list}[{index}].expect");
    let pages = checks.pages.iter().enumerate().map(move |(index, check)| (of("pages", index), &check.expect));
    let upstreams = checks.upstreams.iter().enumerate().map(move |(index, check)| (of("upstreams", index), &check.expect));
    pages.chain(upstreams)
}

/// Every rule for a header, with its path.
fn header_rules(checks: &Checks) -> impl Iterator<Item = (String, &HeaderRule)> {
    expectations(checks).flat_map(|(path, expect)| {
        expect.headers.iter().enumerate().map(move |(index, rule)| (format!("{path}.headers[{index}]"), rule))
    })
}

/// Every rule for a body, with its path.
fn body_rules(checks: &Checks) -> impl Iterator<Item = (String, &BodyRule)> {
    expectations(checks).flat_map(|(path, expect)| {
        expect.body.iter().enumerate().map(move |(index, rule)| (format!("{path}.body[{index}]"), rule))
    })
}

fn expressions_can_be_searched_for(migration: &Migration, findings: &mut Vec<Finding>) {
    let checks = &migration.spec.checks;
    let of_headers = header_rules(checks).filter_map(|(path, rule)| Some((path, rule.matches.as_ref()?)));
    let of_bodies = body_rules(checks).filter_map(|(path, rule)| match rule {
        BodyRule::Matches(pattern) => Some((path, pattern)),
        BodyRule::Contains(_) | BodyRule::Lacks(_) | BodyRule::Json(_) => None,
    });
    for (path, pattern) in of_headers.chain(of_bodies) {
        let Err(error) = expression(pattern) else { continue };
        // Errors of syntax are drawn over several lines; the last one says it.
        let why = error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let found = format!("{} is no regular expression: {why}", quoted(pattern));
        let accepted = "a regular expression of Rust's crate `regex`: without look-around and back-references, of moderate size";
        let advice = "write another one; `contains` takes a text letter by letter";
        findings.push(Finding::new(Code::WrongExpression, &format!("{path}.matches"), found, accepted, advice));
    }
}

fn pointers_point(migration: &Migration, findings: &mut Vec<Finding>) {
    let checks = &migration.spec.checks;
    let of_bodies = body_rules(checks).filter_map(|(path, rule)| match rule {
        BodyRule::Json(rule) => Some((format!("{path}.json.pointer"), &rule.pointer)),
        BodyRule::Contains(_) | BodyRule::Lacks(_) | BodyRule::Matches(_) => None,
    });
    let of_twins = checks.upstreams.iter().enumerate().flat_map(|(index, check)| {
        let same = check.twin.iter().flat_map(|twin| twin.same.iter().enumerate());
        same.map(move |(number, pointer)| (format!("spec.checks.upstreams[{index}].twin.same[{number}]"), pointer))
    });
    let of_traffic = checks.traffic.iter().enumerate().filter_map(|(index, check)| match &check.signal {
        TrafficSignal::Http(signal) => Some((format!("spec.checks.traffic[{index}].signal.http.pointer"), &signal.pointer)),
        TrafficSignal::Sql(_) => None,
    });
    for (path, pointer) in of_bodies.chain(of_twins).chain(of_traffic) {
        findings.extend(when(!is_pointer(pointer), || {
            let found = format!("{} is not a JSON pointer", quoted(pointer));
            let accepted = "a JSON pointer (RFC 6901) such as `/checks/0/status`, in which `~1` stands for `/` and `~0` for `~`";
            Finding::new(Code::WrongPointer, &path, found, accepted, "write a slash before each name on the way")
        }));
    }
}

fn headers_can_be_as_declared(migration: &Migration, findings: &mut Vec<Finding>) {
    for (path, rule) in header_rules(&migration.spec.checks) {
        findings.extend(when(!is_header_name(&rule.name), || {
            let found = format!("{} cannot be the name of a header", quoted(&rule.name));
            let accepted = "a header's name such as `Cache-Control`";
            Finding::new(Code::WrongHeaderRule, &format!("{path}.name"), found, accepted, "write the name alone, without a colon")
        }));
        findings.extend(when(rule.absent && rule.matches.is_some(), || {
            let found = format!("{} has to be absent, and to match something", quoted(&rule.name));
            let advice = "remove the one that is not meant";
            Finding::new(Code::WrongHeaderRule, &format!("{path}.absent"), found, "`absent` or `matches`", advice)
        }));
    }
}

fn each_check_has_a_name_of_its_own(migration: &Migration, findings: &mut Vec<Finding>) {
    let mut seen: BTreeMap<&CheckName, String> = BTreeMap::new();
    for (path, name) in migration.spec.checks.names_with_paths() {
        if let Some(first) = seen.get(name) {
            let found = format!("`{name}` is also `{first}`");
            let advice = "give it another name: results and waivers are found by it";
            findings.push(Finding::new(Code::CheckNamedTwice, &path, found, "a name of its own", advice));
        } else {
            seen.insert(name, path);
        }
    }
}

fn waivers_are_of_declared_checks(migration: &Migration, findings: &mut Vec<Finding>) {
    let checks = &migration.spec.checks;
    let declared: BTreeSet<&CheckName> = checks.names_with_paths().into_iter().map(|(_, name)| name).collect();
    for (index, waiver) in checks.waivers.iter().enumerate() {
        findings.extend(when(!declared.contains(&waiver.check), || {
            let found = format!("no check is called `{}`", waiver.check);
            let path = format!("spec.checks.waivers[{index}].check");
            let advice = "correct the name, or remove the waiver together with its check";
            Finding::new(Code::NothingToWaive, &path, found, "the name of a declared check", advice)
        }));
    }
}

fn waivers_are_explained(migration: &Migration, findings: &mut Vec<Finding>) {
    for (index, waiver) in migration.spec.checks.waivers.iter().enumerate() {
        let texts = [
            ("by", &waiver.by, "by nobody", "a name that the team knows"),
            ("why", &waiver.why, "without a reason", "a sentence for whoever approves the cutover"),
        ];
        for (field, text, how, accepted) in texts {
            findings.extend(when(text.trim().is_empty(), || {
                let found = format!("`{}` is waived {how}", waiver.check);
                let path = format!("spec.checks.waivers[{index}].{field}");
                Finding::new(Code::UnexplainedWaiver, &path, found, accepted, "write it down, or remove the waiver")
            }));
        }
    }
}

fn the_old_system_is_another(migration: &Migration, findings: &mut Vec<Finding>) {
    let dns = &migration.spec.dns;
    for (index, host) in migration.spec.checks.legacy_hosts.iter().enumerate() {
        let names = [("spec.dns.public.name", &dns.public.name), ("spec.dns.shadow.name", &dns.shadow.name)];
        for (path, _) in names.into_iter().filter(|(_, name)| *name == host) {
            let found = format!("`{host}` is also `{path}`");
            let advice = "remove it: every page would be found to name a host of the old system";
            let accepted = "a host that only the old system has";
            findings.push(Finding::new(
                Code::LegacyHostInUse,
                &format!("spec.checks.legacyHosts[{index}]"),
                found,
                accepted,
                advice,
            ));
        }
    }
}

fn something_proves_the_public_path(migration: &Migration, findings: &mut Vec<Finding>) {
    let checks = &migration.spec.checks;
    findings.extend(when(checks.pages.is_empty(), || {
        let found = "no page is declared, so that nothing proves the public path".to_owned();
        let advice = "declare the page that customers pay on, under the validation name";
        Finding::new(Code::NothingProvesThePath, "spec.checks.pages", found, "one page or more", advice)
    }));
}
