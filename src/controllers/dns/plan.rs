//! Where the public name stands, and the next step towards where it should.

use super::foreign::described;
use super::{ChangeStatus, DnsAction, DnsPurpose, DnsSighting, DnsTerms, DnsWish, Pointing, RecordAnswer, RecordSet};
use crate::controllers::{Block, Steps, Wait};
use crate::names::{DomainName, Side};
use crate::sighting::Sighting;
use crate::spec::Destination;

/// Which side the public name points at, whatever its TTL. Anything beside that one record set makes it foreign: an AAAA, a
/// second type or a weighted sibling would send some customers elsewhere.
pub fn pointing(records: &Sighting<Vec<RecordSet>>, dns: &DnsTerms) -> Sighting<Pointing> {
    let name = &dns.public.name;
    records.as_ref().map(|records| {
        let [record] = records.as_slice() else { return Pointing::Foreign(described(records, name, dns)) };
        let ttl_seconds = record.ttl_seconds();
        [Side::Legacy, Side::Target]
            .into_iter()
            .find(|side| goes_to(record, name, dns.public.destination(*side)))
            .map_or_else(|| Pointing::Foreign(described(records, name, dns)), |side| Pointing::At { side, ttl_seconds })
    })
}

/// The next steps. `last_flip` is the last flip that the journal holds, in any attempt.
///
/// A flip is made only from exactly the other side, and once: a name that was flipped and points back was moved by a person,
/// and is held and reported, never fought over (invariant S13).
pub fn plan(wish: DnsWish, seen: &DnsSighting, dns: &DnsTerms, last_flip: Option<DnsPurpose>) -> Steps<DnsAction> {
    let side = match wish {
        DnsWish::NotYet => return Steps::settled(),
        DnsWish::Legacy => Side::Legacy,
        DnsWish::Target => Side::Target,
    };
    public(side, seen, dns, last_flip).and(shadow(&seen.shadow, dns))
}

fn public(wished: Side, seen: &DnsSighting, dns: &DnsTerms, last_flip: Option<DnsPurpose>) -> Steps<DnsAction> {
    let name = &dns.public.name;
    let records = match &seen.public {
        Sighting::Present(records) => records,
        Sighting::Absent => {
            let message = format!("{name} has no record; create the one that points at legacy");
            return Steps::block(Block::new("PublicRecordMissing", message));
        }
        Sighting::Unknown { why } => return Steps::wait(Wait::new("PublicRecordUnknown", why)),
    };
    match pointing(&seen.public, dns) {
        Sighting::Present(Pointing::At { side, ttl_seconds }) if side == wished => {
            if wished == Side::Legacy {
                lower_ttl(records, ttl_seconds, dns)
            } else {
                Steps::settled()
            }
        }
        Sighting::Present(Pointing::At { side: _, ttl_seconds: _ }) => flip(wished, records, seen, dns, last_flip),
        Sighting::Present(Pointing::Foreign(found)) => {
            let message = format!("{name} is {found}, which is neither side as declared; it is left alone");
            Steps::block(Block::new("ForeignRecord", message))
        }
        // The records were matched above.
        Sighting::Absent | Sighting::Unknown { .. } => Steps::settled(),
    }
}

fn lower_ttl(records: &[RecordSet], ttl_seconds: u64, dns: &DnsTerms) -> Steps<DnsAction> {
    let is_values = records.iter().all(|record| matches!(record.answer, RecordAnswer::Values { .. }));
    if !is_values || ttl_seconds <= low_ttl_seconds(dns) {
        return Steps::settled();
    }
    change(DnsPurpose::LowerTtl, records, wished_record(&dns.public.name, &dns.public.legacy, dns))
}

/// The name points exactly at the other side.
fn flip(
    wished: Side,
    records: &[RecordSet],
    seen: &DnsSighting,
    dns: &DnsTerms,
    last_flip: Option<DnsPurpose>,
) -> Steps<DnsAction> {
    let purpose = match wished {
        Side::Legacy => DnsPurpose::FlipToLegacy,
        Side::Target => DnsPurpose::FlipToTarget,
    };
    let name = &dns.public.name;
    if last_flip == Some(purpose) {
        // Until the change is in sync, a listing from before it is the likelier explanation.
        if matches!(&seen.change, Sighting::Present(ChangeStatus::Pending(_))) {
            let message = format!("{name} was pointed at {wished}; Route 53 has not spread it yet");
            return Steps::wait(Wait::new("ChangePending", message));
        }
        let message = format!("{name} was pointed at {wished}, and somebody moved it back; point it at {wished} again by hand");
        return Steps::block(Block::new("MovedBack", message));
    }
    // Before the first flip everything points at legacy: a name at the target was put there by somebody else.
    if wished == Side::Legacy && last_flip.is_none() {
        let message = format!("{name} points at the target, and this controller did not put it there; point it back by hand");
        return Steps::block(Block::new("ForeignFlip", message));
    }
    change(purpose, records, wished_record(name, dns.public.destination(wished), dns))
}

/// Whether the shadow name answers what the public name will answer, and nothing beside it. How long caches may hold that
/// does not matter there.
pub fn shadow_is_in_place(records: &[RecordSet], dns: &DnsTerms) -> bool {
    matches!(records, [record] if goes_to(record, &dns.shadow.name, &dns.public.target))
}

/// The shadow name points where the public name will point.
fn shadow(records: &Sighting<Vec<RecordSet>>, dns: &DnsTerms) -> Steps<DnsAction> {
    let (name, target) = (&dns.shadow.name, &dns.public.target);
    match records {
        Sighting::Unknown { why } => Steps::wait(Wait::new("ShadowRecordUnknown", why)),
        Sighting::Absent => change(DnsPurpose::Shadow, &[], wished_record(name, target, dns)),
        Sighting::Present(records) if shadow_is_in_place(records, dns) => Steps::settled(),
        Sighting::Present(records) => {
            let found = described(records, name, dns);
            let message = format!("{name} is {found}; remove it or choose another shadow name, it is not overwritten");
            Steps::block(Block::new("ForeignShadowRecord", message))
        }
    }
}

fn change(purpose: DnsPurpose, old: &[RecordSet], new: RecordSet) -> Steps<DnsAction> {
    Steps::act(DnsAction::Change { purpose, old: old.to_vec(), new: vec![new] })
}

fn wished_record(name: &DomainName, destination: &Destination, dns: &DnsTerms) -> RecordSet {
    RecordSet::pointing(name, destination, low_ttl_seconds(dns))
}

/// Route 53 counts whole seconds; a TTL below one would switch caching off altogether.
fn low_ttl_seconds(dns: &DnsTerms) -> u64 {
    dns.ttl.duration().as_secs().max(1)
}

/// Whether `record` answers `destination` under `name`, whatever its TTL.
pub(super) fn goes_to(record: &RecordSet, name: &DomainName, destination: &Destination) -> bool {
    *record == RecordSet::pointing(name, destination, record.ttl_seconds())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::dns::Routing;
    use crate::controllers::fixture::migration;
    use crate::names::ChangeId;
    use crate::spec::CnameRecord;

    fn dns() -> DnsTerms {
        migration().spec.dns
    }

    fn at(side: Side, ttl_seconds: u64) -> RecordSet {
        let dns = dns();
        RecordSet::pointing(&dns.public.name, dns.public.destination(side), ttl_seconds)
    }

    fn shadow_record() -> RecordSet {
        let dns = dns();
        RecordSet::pointing(&dns.shadow.name, &dns.public.target, 60)
    }

    fn seen(public: Vec<RecordSet>) -> DnsSighting {
        DnsSighting {
            public: Sighting::Present(public),
            shadow: Sighting::Present(vec![shadow_record()]),
            change: Sighting::Absent,
        }
    }

    fn planned(wish: DnsWish, public: Vec<RecordSet>, last_flip: Option<DnsPurpose>) -> Steps<DnsAction> {
        plan(wish, &seen(public), &dns(), last_flip)
    }

    fn held(steps: &Steps<DnsAction>, reason: &str) {
        assert!(steps.actions.is_empty(), "it acted: {steps:?}");
        assert_eq!(steps.blocked.first().map(|block| block.reason.0.as_str()), Some(reason));
    }

    #[test]
    fn as_wished_is_settled() {
        assert!(planned(DnsWish::Legacy, vec![at(Side::Legacy, 60)], None).is_settled());
        assert!(planned(DnsWish::Legacy, vec![at(Side::Legacy, 60)], Some(DnsPurpose::FlipToLegacy)).is_settled());
        assert!(planned(DnsWish::Target, vec![at(Side::Target, 60)], Some(DnsPurpose::FlipToTarget)).is_settled());
        let nothing = DnsSighting { public: Sighting::Absent, shadow: Sighting::Absent, change: Sighting::Absent };
        assert!(plan(DnsWish::NotYet, &nothing, &dns(), None).is_settled());
    }

    #[test]
    fn the_side_is_told_by_the_answer_and_not_by_the_ttl() {
        let point = |record: RecordSet| pointing(&Sighting::Present(vec![record]), &dns());
        let expected = Pointing::At { side: Side::Legacy, ttl_seconds: 3600 };
        assert_eq!(point(at(Side::Legacy, 3600)), Sighting::Present(expected));
        assert_eq!(point(at(Side::Target, 60)), Sighting::Present(Pointing::At { side: Side::Target, ttl_seconds: 60 }));
        assert_eq!(pointing(&Sighting::Absent, &dns()), Sighting::Absent);
        assert!(pointing(&Sighting::unknown("throttled"), &dns()).is_unknown());
    }

    #[test]
    fn a_high_ttl_is_lowered_by_naming_exactly_the_old_record() {
        let steps = planned(DnsWish::Legacy, vec![at(Side::Legacy, 3600)], None);
        let expected = DnsAction::Change {
            purpose: DnsPurpose::LowerTtl,
            old: vec![at(Side::Legacy, 3600)],
            new: vec![at(Side::Legacy, 60)],
        };
        assert_eq!(steps.actions, vec![expected]);
        assert!(planned(DnsWish::Legacy, vec![at(Side::Legacy, 30)], None).is_settled(), "a lower one is left alone");
    }

    #[test]
    fn a_flip_goes_from_exactly_one_side_to_the_other_with_the_low_ttl() {
        let table = [
            (DnsWish::Target, Side::Legacy, None, DnsPurpose::FlipToTarget),
            (DnsWish::Target, Side::Legacy, Some(DnsPurpose::FlipToLegacy), DnsPurpose::FlipToTarget),
            (DnsWish::Legacy, Side::Target, Some(DnsPurpose::FlipToTarget), DnsPurpose::FlipToLegacy),
        ];
        for (wish, from, last_flip, purpose) in table {
            let expected = DnsAction::Change { purpose, old: vec![at(from, 60)], new: vec![at(from.other(), 60)] };
            assert_eq!(planned(wish, vec![at(from, 60)], last_flip).actions, vec![expected], "{wish:?} after {last_flip:?}");
        }
    }

    #[test]
    fn a_name_that_somebody_moved_is_held_and_reported_not_fought_over() {
        held(&planned(DnsWish::Target, vec![at(Side::Legacy, 60)], Some(DnsPurpose::FlipToTarget)), "MovedBack");
        held(&planned(DnsWish::Legacy, vec![at(Side::Target, 60)], Some(DnsPurpose::FlipToLegacy)), "MovedBack");
        held(&planned(DnsWish::Legacy, vec![at(Side::Target, 60)], None), "ForeignFlip");
    }

    #[test]
    fn while_our_flip_is_pending_an_old_listing_is_awaited_and_not_blamed_on_anybody() {
        let mut seen = seen(vec![at(Side::Legacy, 60)]);
        seen.change = Sighting::Present(ChangeStatus::Pending(ChangeId::from("C1")));
        let steps = plan(DnsWish::Target, &seen, &dns(), Some(DnsPurpose::FlipToTarget));
        assert!(steps.actions.is_empty() && steps.blocked.is_empty() && !steps.waiting.is_empty());
    }

    #[test]
    fn a_foreign_record_is_held_and_reported_not_overwritten() {
        let mut aaaa = at(Side::Legacy, 60);
        aaaa.record_type = "AAAA".to_owned();
        let mut weighted = at(Side::Legacy, 60);
        weighted.routing = Some(Routing { set_identifier: "blue".to_owned(), policy: "weight 10".to_owned() });
        let https = RecordSet { record_type: "HTTPS".to_owned(), ..at(Side::Legacy, 60) };
        let back_to_legacy = vec![at(Side::Target, 60), weighted.clone()];
        let elsewhere = Destination::Cname(CnameRecord { host: "elsewhere.example.net".into() });
        let elsewhere = RecordSet::pointing(&dns().public.name, &elsewhere, 60);
        let beside = |other| vec![at(Side::Legacy, 60), other];
        for records in [beside(aaaa), beside(https), vec![weighted], back_to_legacy, vec![elsewhere], Vec::new()] {
            for wish in [DnsWish::Legacy, DnsWish::Target] {
                held(&planned(wish, records.clone(), Some(DnsPurpose::FlipToTarget)), "ForeignRecord");
            }
        }
    }

    #[test]
    fn unknown_records_are_awaited_and_missing_ones_are_never_created_under_the_public_name() {
        let unknown = DnsSighting {
            public: Sighting::unknown("throttled"),
            shadow: Sighting::unknown("throttled"),
            change: Sighting::Absent,
        };
        let steps = plan(DnsWish::Target, &unknown, &dns(), None);
        assert!(steps.actions.is_empty() && steps.waiting.len() == 2);
        let missing = DnsSighting { public: Sighting::Absent, ..seen(Vec::new()) };
        held(&plan(DnsWish::Target, &missing, &dns(), None), "PublicRecordMissing");
    }

    #[test]
    fn the_shadow_name_is_created_once_and_a_foreign_one_is_left_alone() {
        let missing = DnsSighting { shadow: Sighting::Absent, ..seen(vec![at(Side::Legacy, 60)]) };
        let create = DnsAction::Change { purpose: DnsPurpose::Shadow, old: Vec::new(), new: vec![shadow_record()] };
        assert_eq!(plan(DnsWish::Legacy, &missing, &dns(), None).actions, vec![create]);
        let mut foreign = shadow_record();
        foreign.record_type = "TXT".to_owned();
        let foreign = DnsSighting { shadow: Sighting::Present(vec![foreign]), ..missing };
        held(&plan(DnsWish::Legacy, &foreign, &dns(), None), "ForeignShadowRecord");
    }
}
