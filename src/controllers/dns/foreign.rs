//! Record sets that are not as declared, in words: what each of them does to customers.

use super::plan::goes_to;
use super::{DnsTerms, RecordAnswer, RecordSet};
use crate::names::{DomainName, Side};

/// Types that customers follow too, and that no switch moves.
const UNMOVED_TYPES: [&str; 3] = ["AAAA", "HTTPS", "SVCB"];

/// Every record set under `name`, each with what it would do beside the others.
pub(super) fn described(records: &[RecordSet], name: &DomainName, dns: &DnsTerms) -> String {
    records.iter().map(|record| one(record, name, dns)).collect::<Vec<_>>().join(", ")
}

fn one(record: &RecordSet, name: &DomainName, dns: &DnsTerms) -> String {
    let (answer, ttl) = match &record.answer {
        RecordAnswer::Values { ttl_seconds, values } => (values.join(" "), Some(format!("TTL {ttl_seconds} s"))),
        RecordAnswer::Alias { dns_name, .. } => (format!("alias {dns_name}"), None),
    };
    let notes: Vec<String> = ttl.into_iter().chain(sibling(record, name, dns)).chain(unmoved(record)).collect();
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    format!("{} {answer}{notes}", record.record_type)
}

/// The share of customers that a sibling takes, and the side that it takes them to.
fn sibling(record: &RecordSet, name: &DomainName, dns: &DnsTerms) -> Option<String> {
    let routing = record.routing.as_ref()?;
    let share = format!("{} as `{}`", routing.policy, routing.set_identifier);
    let plain = RecordSet { routing: None, ..record.clone() };
    let side = [Side::Legacy, Side::Target].into_iter().find(|side| goes_to(&plain, name, dns.public.destination(*side)));
    Some(side.map_or_else(|| share.clone(), |side| format!("{share}, leads to {side}")))
}

fn unmoved(record: &RecordSet) -> Option<String> {
    UNMOVED_TYPES.contains(&record.record_type.as_str()).then(|| "stays where it is when the name moves".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::dns::Routing;
    use crate::controllers::fixture::migration;

    fn at(side: Side) -> RecordSet {
        let dns = migration().spec.dns;
        RecordSet::pointing(&dns.public.name, dns.public.destination(side), 60)
    }

    fn told(records: &[RecordSet]) -> String {
        let dns = migration().spec.dns;
        described(records, &dns.public.name, &dns)
    }

    fn shared(record: RecordSet, policy: &str, set_identifier: &str) -> RecordSet {
        let routing = Routing { set_identifier: set_identifier.to_owned(), policy: policy.to_owned() };
        RecordSet { routing: Some(routing), ..record }
    }

    #[test]
    fn a_sibling_that_leads_back_to_legacy_is_named_with_its_share() {
        let siblings = [shared(at(Side::Target), "weight 90", "new"), shared(at(Side::Legacy), "weight 10", "old")];
        assert_eq!(
            told(&siblings),
            "A alias payments-1.eu-central-1.elb.amazonaws.com (weight 90 as `new`, leads to target), \
             A 203.0.113.10 203.0.113.20 (TTL 60 s, weight 10 as `old`, leads to legacy)"
        );
        let failover = shared(at(Side::Legacy), "failover SECONDARY", "spare");
        assert!(told(&[failover]).ends_with("(TTL 60 s, failover SECONDARY as `spare`, leads to legacy)"));
    }

    #[test]
    fn a_sibling_that_leads_elsewhere_is_not_called_either_sides() {
        let mut elsewhere = shared(at(Side::Legacy), "latency eu-west-1", "third");
        elsewhere.answer = RecordAnswer::Values { ttl_seconds: 60, values: vec!["198.51.100.1".to_owned()] };
        assert_eq!(told(&[elsewhere]), "A 198.51.100.1 (TTL 60 s, latency eu-west-1 as `third`)");
    }

    #[test]
    fn what_no_switch_moves_is_named_beside_what_it_does_move() {
        for kind in UNMOVED_TYPES {
            let unmoved = RecordSet { record_type: kind.to_owned(), ..at(Side::Legacy) };
            let told = told(&[at(Side::Legacy), unmoved]);
            assert_eq!(told.matches("stays where it is when the name moves").count(), 1, "{told}");
            assert!(told.starts_with("A 203.0.113.10 203.0.113.20 (TTL 60 s), "), "{told}");
        }
    }
}
