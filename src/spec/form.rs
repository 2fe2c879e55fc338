//! The written form of single values: what an ARN, a domain name or a duration looks like.
//!
//! Each form stands here once, as a pattern for editors and as a check for the loader; a test holds the two together.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use jiff::Timestamp;

use super::{MaintenanceWindow, Period};

/// The form of one kind of text.
#[derive(Debug)]
pub struct Form {
    /// The definition in the schema that has this form, or the `format` keyword that means it.
    pub definition: &'static str,
    /// The form as a regular expression (the dialect of JSON Schema); empty for a `format`, which editors know.
    pub pattern: &'static str,
    /// At most so many characters.
    pub longest: usize,
    /// The form in words, with an example.
    pub accepted: &'static str,
    /// Whether a text, short enough, has it.
    pub check: fn(&str) -> bool,
}

impl Form {
    /// The form of a definition or `format`, if it has one.
    pub fn of(definition: &str) -> Option<&'static Self> {
        FORMS.iter().chain(FORMATS).find(|form| form.definition == definition)
    }

    /// Whether `text` has this form.
    pub fn accepts(&self, text: &str) -> bool {
        text.chars().count() <= self.longest && (self.check)(text)
    }
}

/// Letters, digits and single hyphens, as DMS and RDS want them: a letter first, no hyphen last.
const KEBAB: &str = "^[a-z](-?[a-z0-9])*$";

/// The forms of definitions in the schema.
pub const FORMS: &[Form] = &[
    Form {
        definition: "MigrationName",
        pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        longest: 63,
        accepted: "a DNS label such as `payments`: lower-case letters, digits and hyphens, at most 63",
        check: is_dns_label,
    },
    Form {
        definition: "CheckName",
        pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        longest: 63,
        accepted: "a name such as `shadow-checkout`: lower-case letters, digits and hyphens, at most 63",
        check: is_dns_label,
    },
    Form {
        definition: "HookName",
        pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        longest: 63,
        accepted: "a name such as `maintenance-banner`: lower-case letters, digits and hyphens, at most 63",
        check: is_dns_label,
    },
    Form {
        definition: "TaskIdentifier",
        pattern: KEBAB,
        longest: 255,
        accepted: "a DMS task identifier such as `payments-forward`: lower-case letters, digits and single hyphens, a letter first",
        check: is_kebab,
    },
    Form {
        definition: "ClusterId",
        pattern: KEBAB,
        longest: 63,
        accepted: "a `DBClusterIdentifier` such as `payments`: lower-case letters, digits and single hyphens, a letter first",
        check: is_kebab,
    },
    Form {
        definition: "ParameterGroupName",
        pattern: KEBAB,
        longest: 255,
        accepted: "a `DBClusterParameterGroupName` such as `payments-binlog`: lower-case letters, digits and single hyphens, a letter \
                   first; never one of AWS's own `default.` groups, which cannot be changed",
        check: is_kebab,
    },
    Form {
        definition: "EndpointArn",
        pattern: "^arn:aws(-[a-z]+)*:dms:[a-z0-9-]+:[0-9]{12}:endpoint:[A-Za-z0-9-]+$",
        longest: 255,
        accepted: "the ARN of a DMS endpoint, such as `arn:aws:dms:eu-west-1:123456789012:endpoint:ABCDEF`",
        check: |text| arn(text, "dms").is_some_and(|resource| is_dms_resource(resource, "endpoint:")),
    },
    Form {
        definition: "ReplicationInstanceArn",
        pattern: "^arn:aws(-[a-z]+)*:dms:[a-z0-9-]+:[0-9]{12}:rep:[A-Za-z0-9-]+$",
        longest: 255,
        accepted: "the ARN of a DMS replication instance, such as `arn:aws:dms:eu-west-1:123456789012:rep:ABCDEF`",
        check: |text| arn(text, "dms").is_some_and(|resource| is_dms_resource(resource, "rep:")),
    },
    Form {
        definition: "LoadBalancerArn",
        pattern: "^arn:aws(-[a-z]+)*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:loadbalancer/app/[A-Za-z0-9-]+/[0-9a-f]+$",
        longest: 255,
        accepted: "the ARN of an application load balancer, such as \
                   `arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/payments/0123456789abcdef`",
        check: |text| arn(text, "elasticloadbalancing").is_some_and(|resource| is_elb_resource(resource, "loadbalancer/app/")),
    },
    Form {
        definition: "TargetGroupArn",
        pattern: "^arn:aws(-[a-z]+)*:elasticloadbalancing:[a-z0-9-]+:[0-9]{12}:targetgroup/[A-Za-z0-9-]+/[0-9a-f]+$",
        longest: 255,
        accepted: "the ARN of a target group, such as \
                   `arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/payments/0123456789abcdef`",
        check: |text| arn(text, "elasticloadbalancing").is_some_and(|resource| is_elb_resource(resource, "targetgroup/")),
    },
    Form {
        definition: "HostedZoneId",
        pattern: "^Z[A-Z0-9]+$",
        longest: 32,
        accepted: "a Route 53 hosted zone id such as `Z0123456789ABCDEFGHIJ`, without `/hostedzone/`",
        check: |text| text.strip_prefix('Z').is_some_and(|rest| all(rest, |c| c.is_ascii_uppercase() || c.is_ascii_digit())),
    },
    Form {
        definition: "DomainName",
        pattern: "^([a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?\\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?$",
        longest: 253,
        accepted: "a domain name such as `pay.example.com`: lower-case, at least two labels, no dot at the end",
        check: is_domain_name,
    },
    Form {
        definition: "Account",
        pattern: "^[A-Za-z0-9_.$-]{1,32}@[A-Za-z0-9_.%:/-]{1,255}$",
        longest: 288,
        accepted: "a database account as `user@host`, such as `payments_app@%`, unquoted in itself",
        check: is_account,
    },
    Form {
        definition: "PlanDigest",
        pattern: "^[0-9a-f]{64}$",
        longest: 64,
        accepted: "the plan digest that `bascule plan` printed: 64 hexadecimal digits",
        check: |text| text.len() == 64 && all(text, |c| c.is_ascii_digit() || ('a'..='f').contains(&c)),
    },
    Form {
        definition: "Period",
        pattern: "^([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
        longest: 32,
        accepted: "a duration such as `30s`, `5m`, `48h` or `1h30m`, at most a year",
        check: |text| Period::from_str(text).is_ok(),
    },
    Form {
        definition: "MaintenanceWindow",
        pattern: "^(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]-(mon|tue|wed|thu|fri|sat|sun):([01][0-9]|2[0-3]):[0-5][0-9]$",
        longest: 19,
        accepted: "a weekly window in UTC of at least 30 minutes, as RDS writes it, such as `sun:02:00-sun:04:00`",
        check: |text| MaintenanceWindow::from_str(text).is_ok(),
    },
];

/// The forms behind the schema's `format` keyword. `int32` and its kin are kept by `minimum` and `maximum`.
const FORMATS: &[Form] = &[
    Form {
        definition: "ipv4",
        pattern: "",
        longest: 15,
        accepted: "an IPv4 address such as `203.0.113.10`",
        check: |text| Ipv4Addr::from_str(text).is_ok(),
    },
    Form {
        definition: "ip",
        pattern: "",
        longest: 45,
        accepted: "an IP address such as `192.0.2.53` or `2001:db8::53`",
        check: |text| IpAddr::from_str(text).is_ok(),
    },
    Form {
        definition: "date-time",
        pattern: "",
        longest: 40,
        accepted: "a moment such as `2026-11-22T02:15:00Z`",
        check: |text| Timestamp::from_str(text).is_ok(),
    },
];

/// One or more characters, all of one kind.
fn all(text: &str, kind: impl Fn(char) -> bool) -> bool {
    !text.is_empty() && text.chars().all(kind)
}

fn is_lower(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit()
}

fn is_dns_label(text: &str) -> bool {
    all(text, |c| is_lower(c) || c == '-') && !text.starts_with('-') && !text.ends_with('-')
}

fn is_kebab(text: &str) -> bool {
    is_dns_label(text) && text.starts_with(|c: char| c.is_ascii_lowercase()) && !text.contains("--")
}

/// A host name whose labels may also hold underscores, except the last, which begins with a letter: an address is not a name.
fn is_domain_name(text: &str) -> bool {
    let Some((labels, top)) = text.rsplit_once('.') else { return false };
    let inner = |label: &str| {
        label.len() <= 63
            && all(label, |c| is_lower(c) || c == '-' || c == '_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    labels.split('.').all(inner) && top.len() <= 63 && is_dns_label(top) && top.starts_with(|c: char| c.is_ascii_lowercase())
}

/// A host name or an IPv4 address: where a database may be reached.
pub fn is_host(text: &str) -> bool {
    text.len() <= 253 && (is_dns_label(text) || is_domain_name(text) || Ipv4Addr::from_str(text).is_ok())
}

fn is_account(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else { return false };
    let user_fits = user.len() <= 32 && all(user, |c| c.is_ascii_alphanumeric() || "_.$-".contains(c));
    user_fits && host.len() <= 255 && all(host, |c| c.is_ascii_alphanumeric() || "_.%:/-".contains(c))
}

/// The resource of a well-formed ARN of `service`.
fn arn<'a>(text: &'a str, service: &str) -> Option<&'a str> {
    let [arn, partition, named, region, account, resource] =
        <[&str; 6]>::try_from(text.splitn(6, ':').collect::<Vec<_>>()).ok()?;
    let letters = |part: &str| all(part, |c| c.is_ascii_lowercase());
    let partitioned = partition == "aws" || partition.strip_prefix("aws-").is_some_and(|rest| rest.split('-').all(letters));
    let placed = all(region, |c| is_lower(c) || c == '-') && account.len() == 12 && all(account, |c| c.is_ascii_digit());
    (arn == "arn" && partitioned && named == service && placed).then_some(resource)
}

fn is_dms_resource(resource: &str, kind: &str) -> bool {
    resource.strip_prefix(kind).is_some_and(|id| all(id, |c| c.is_ascii_alphanumeric() || c == '-'))
}

fn is_elb_resource(resource: &str, kind: &str) -> bool {
    resource.strip_prefix(kind).and_then(|rest| rest.split_once('/')).is_some_and(|(name, id)| {
        all(name, |c| c.is_ascii_alphanumeric() || c == '-') && all(id, |c| c.is_ascii_digit() || ('a'..='f').contains(&c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    /// Whether an editor would take `text`.
    fn editor_accepts(form: &Form, text: &str) -> bool {
        let schema = json!({ "type": "string", "pattern": form.pattern, "minLength": 2, "maxLength": form.longest });
        jsonschema::draft7::new(&schema).expect("a pattern is a pattern").is_valid(&json!(text))
            || (text.len() == 1 && form.accepts(text))
    }

    /// These know more than a pattern can say: what adds up to too long or too short.
    fn knows_more(form: &Form) -> bool {
        ["Period", "MaintenanceWindow"].contains(&form.definition)
    }

    /// The example in the words for people.
    fn example(form: &Form) -> &'static str {
        form.accepted.split('`').skip(1).step_by(2).find(|text| form.accepts(text)).unwrap_or_default()
    }

    #[test]
    fn every_form_that_gives_an_example_accepts_it() {
        for form in FORMS.iter().filter(|form| form.definition != "PlanDigest") {
            assert!(!example(form).is_empty(), "{}", form.definition);
            assert!(editor_accepts(form, example(form)), "{}", form.definition);
        }
    }

    #[test]
    fn a_name_is_never_an_address_a_url_or_another_resource() {
        let refused = |definition: &str, text: &str| {
            assert!(!Form::of(definition).expect("there is such a form").accepts(text), "{definition} {text}");
        };
        refused("DomainName", "203.0.113.10");
        refused("DomainName", "pay.example.com.");
        refused("DomainName", "Pay.example.com");
        refused("DomainName", "localhost");
        refused("TaskIdentifier", "payments--forward");
        refused("TaskIdentifier", "payments-");
        refused("TaskIdentifier", "1payments");
        refused("ParameterGroupName", "default.aurora-mysql8.0");
        refused("EndpointArn", "arn:aws:dms:eu-west-1:123456789012:rep:ABC");
        refused("EndpointArn", "arn:aws:dms:eu-west-1:12345678901:endpoint:ABC");
        refused(
            "LoadBalancerArn",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/net/payments/0123456789abcdef",
        );
        refused("HostedZoneId", "/hostedzone/Z0123456789ABCDEFGHIJ");
        refused("Account", "payments_app");
        refused("Account", "'payments_app'@'%'");
        refused("Account", "a; DROP USER b@%");
        assert!(is_host("localhost") && is_host("10.0.0.1") && !is_host("10.0.0.1:3306") && !is_host("mysql://db"));
    }

    proptest! {
        #[test]
        fn what_the_pattern_makes_the_check_accepts(
            (index, text) in (0..FORMS.len()).prop_flat_map(|index| {
                let pattern = FORMS[index].pattern.trim_start_matches('^').trim_end_matches('$');
                (Just(index), prop::string::string_regex(pattern).expect("a pattern is a pattern"))
            })
        ) {
            let form = &FORMS[index];
            prop_assume!(!knows_more(form) && text.chars().count() <= form.longest);
            prop_assert!(form.accepts(&text), "{} {text}", form.definition);
        }

        #[test]
        fn what_the_check_accepts_the_pattern_accepts(
            (index, at, with, take) in (0..FORMS.len(), 0_usize..80, "[-a-zA-Z0-9.:/@%_ é]{0,3}", 0_usize..3)
        ) {
            let form = &FORMS[index];
            let mut text = example(form).to_owned();
            let (at, end) = (at.min(text.len()), (at + take).min(text.len()));
            text.replace_range(at..end, &with);
            let (ours, theirs) = (form.accepts(&text), editor_accepts(form, &text));
            prop_assert!(ours == theirs || (theirs && knows_more(form)), "{} {text}: {ours} {theirs}", form.definition);
        }
    }
}
