//! Route 53: what is seen there, and the one batch that this room sends.

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, ChangeStatus as WireStatus, ResourceRecord, ResourceRecordSet, RrType,
};
use aws_smithy_types::error::operation::BuildError;
use futures_util::future::join3;

use super::{ChangeStatus, DnsAction, DnsPurpose, DnsSighting, RecordAnswer, RecordSet, Routing};
use crate::aws::classify::{fault, unbuilt};
use crate::aws::listings::normal_name;
use crate::aws::{Aws, Freshness, Service};
use crate::controllers::sighted;
use crate::fault::{Fault, Problem};
use crate::names::{ChangeId, DomainName, HostedZoneId};
use crate::sighting::Sighting;
use crate::spec::Migration;

/// The types that say where a name's customers go. A browser follows HTTPS (RFC 9460) before A. A TXT or MX beside them leads
/// nobody.
const ROUTING_TYPES: [&str; 5] = ["A", "AAAA", "CNAME", "HTTPS", "SVCB"];

/// Looks at both names, and at the change that the journal awaits. Failed reads are `Unknown`.
pub async fn observe(aws: &Aws, migration: &Migration, freshness: Freshness, awaited: Option<&ChangeId>) -> DnsSighting {
    let freshness = aws.reads.from_now(freshness);
    let dns = &migration.spec.dns;
    let (public, shadow, change) = join3(
        records(aws, &dns.hosted_zone_id, &dns.public.name, freshness),
        records(aws, &dns.hosted_zone_id, &dns.shadow.name, freshness),
        change(aws, awaited),
    )
    .await;
    DnsSighting { public, shadow, change }
}

/// Sends the batch: DELETE exactly what was decided upon, CREATE what is to be there, all or nothing.
///
/// A DELETE has to repeat the record set as Route 53 keeps it, spelling and all, so it is read once more; when it is no longer
/// what the plan saw, nothing is sent.
pub async fn act(aws: &Aws, migration: &Migration, action: &DnsAction) -> Result<ChangeId, Fault> {
    let DnsAction::Change { purpose, old, new } = action;
    let zone = &migration.spec.dns.hosted_zone_id;
    let attempted = format!("ChangeResourceRecordSets {}", new.first().map_or("", |record| record.name.as_str()));
    let mut changes = Vec::with_capacity(old.len() + new.len());
    for record in old {
        changes.push((ChangeAction::Delete, as_kept(aws, zone, record, &attempted).await?));
    }
    for record in new {
        changes.push((ChangeAction::Create, wire_record(record).map_err(|error| unbuilt(attempted.as_str(), &error))?));
    }
    let batch = batch(*purpose, changes).map_err(|error| unbuilt(attempted.as_str(), &error))?;
    let _stale = aws.reads.changing(Service::Route53);
    let call = aws.route53.change_resource_record_sets().hosted_zone_id(zone.as_str()).change_batch(batch);
    let answer = call.send().await.map_err(|error| fault(attempted.as_str(), &error))?;
    let id = answer.change_info().map(|change| change_id(change.id())).filter(|id| !id.as_str().is_empty());
    id.ok_or_else(|| ambiguous(&attempted, "the answer names no change"))
}

async fn records(aws: &Aws, zone: &HostedZoneId, name: &DomainName, freshness: Freshness) -> Sighting<Vec<RecordSet>> {
    match sighted(aws.records(zone, name, freshness).await) {
        Sighting::Present(records) => {
            let routing: Vec<RecordSet> = records.iter().filter(|record| is_routing(record)).map(read_record).collect();
            if routing.is_empty() { Sighting::Absent } else { Sighting::Present(routing) }
        }
        Sighting::Absent => Sighting::Absent,
        Sighting::Unknown { why } => Sighting::Unknown { why },
    }
}

async fn change(aws: &Aws, awaited: Option<&ChangeId>) -> Sighting<ChangeStatus> {
    let Some(id) = awaited else { return Sighting::Absent };
    match aws.route53.get_change().id(id.as_str()).send().await {
        Ok(answer) => match answer.change_info().map(|change| change.status()) {
            Some(WireStatus::Pending) => Sighting::Present(ChangeStatus::Pending(id.clone())),
            Some(WireStatus::Insync) => Sighting::Present(ChangeStatus::InSync(id.clone())),
            Some(other) => Sighting::unknown(format!("GetChange {id}: the status is {}", other.as_str())),
            None => Sighting::unknown(format!("GetChange {id}: the answer holds no change")),
        },
        Err(error) => Sighting::unknown(fault(format!("GetChange {id}"), &error)),
    }
}

/// The record set as Route 53 keeps it at this moment.
async fn as_kept(aws: &Aws, zone: &HostedZoneId, record: &RecordSet, attempted: &str) -> Result<ResourceRecordSet, Fault> {
    let found = aws.records(zone, &record.name, Freshness::Now).await?.unwrap_or_default();
    found.into_iter().find(|kept| read_record(kept) == *record).ok_or_else(|| {
        let message = format!("the {} record of {} is not what it was", record.record_type, record.name);
        // Nothing was sent, and this second look may be the stale one: the next plan judges what is there.
        Fault { attempted: attempted.to_owned(), problem: Problem::WrongState { code: "RecordChanged".to_owned(), message } }
    })
}

fn batch(purpose: DnsPurpose, changes: Vec<(ChangeAction, ResourceRecordSet)>) -> Result<ChangeBatch, BuildError> {
    let change = |(action, record)| Change::builder().action(action).resource_record_set(record).build();
    let changes = changes.into_iter().map(change).collect::<Result<Vec<_>, _>>()?;
    ChangeBatch::builder().comment(format!("bascule: {purpose:?}")).set_changes(Some(changes)).build()
}

fn wire_record(record: &RecordSet) -> Result<ResourceRecordSet, BuildError> {
    let built = ResourceRecordSet::builder().name(record.name.as_str()).r#type(RrType::from(record.record_type.as_str()));
    match &record.answer {
        RecordAnswer::Values { ttl_seconds, values } => {
            let value = |value: &String| ResourceRecord::builder().value(value).build();
            let values = values.iter().map(value).collect::<Result<Vec<_>, _>>()?;
            built.ttl(i64::try_from(*ttl_seconds).unwrap_or(i64::MAX)).set_resource_records(Some(values)).build()
        }
        RecordAnswer::Alias { dns_name, hosted_zone_id, evaluate_target_health } => {
            let alias = AliasTarget::builder()
                .dns_name(dns_name.as_str())
                .hosted_zone_id(hosted_zone_id.as_str())
                .evaluate_target_health(*evaluate_target_health)
                .build()?;
            built.alias_target(alias).build()
        }
    }
}

fn is_routing(record: &ResourceRecordSet) -> bool {
    ROUTING_TYPES.contains(&record.r#type().as_str())
}

fn read_record(record: &ResourceRecordSet) -> RecordSet {
    let answer = match record.alias_target() {
        Some(alias) => RecordAnswer::Alias {
            dns_name: normal_name(alias.dns_name()),
            hosted_zone_id: HostedZoneId::from(alias.hosted_zone_id().trim_start_matches("/hostedzone/")),
            evaluate_target_health: alias.evaluate_target_health(),
        },
        None => {
            let value = |record: &ResourceRecord| normal_name(record.value()).0;
            let mut values: Vec<String> = record.resource_records().iter().map(value).collect();
            values.sort();
            RecordAnswer::Values { ttl_seconds: record.ttl().and_then(|ttl| u64::try_from(ttl).ok()).unwrap_or(0), values }
        }
    };
    RecordSet {
        name: normal_name(record.name()),
        record_type: record.r#type().as_str().to_owned(),
        answer,
        routing: record.set_identifier().map(|set| Routing { set_identifier: set.to_owned(), policy: policy(record) }),
    }
}

/// By which rule Route 53 picks this set among its siblings.
fn policy(record: &ResourceRecordSet) -> String {
    let weight = record.weight().map(|weight| format!("weight {weight}"));
    let failover = record.failover().map(|role| format!("failover {}", role.as_str()));
    let latency = record.region().map(|region| format!("latency {}", region.as_str()));
    let many = record.multi_value_answer().filter(|many| *many).map(|_| "multivalue".to_owned());
    weight.or(failover).or(latency).or(many).unwrap_or_else(|| "a share by place".to_owned())
}

fn change_id(id: &str) -> ChangeId {
    ChangeId::from(id.trim_start_matches("/change/"))
}

fn ambiguous(attempted: &str, detail: &str) -> Fault {
    Fault { attempted: attempted.to_owned(), problem: Problem::Ambiguous { detail: detail.to_owned() } }
}

#[cfg(test)]
#[path = "aws_tests.rs"]
mod tests;
