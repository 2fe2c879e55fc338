//! ELBv2: what is seen there, and the room's calls.

use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, Listener as WireListener, ProtocolEnum, RedirectActionConfig, RedirectActionStatusCodeEnum,
    TargetDescription, TargetHealth as WireHealth, TargetHealthDescription, TargetHealthStateEnum,
};
use futures_util::future::join;

use super::{DefaultAction, Listener, RedirectAction, RedirectSighting, Target, TargetHealth};
use crate::aws::classify::fault;
use crate::aws::{Aws, Freshness, Service};
use crate::controllers::sighted;
use crate::fault::Fault;
use crate::names::{AvailabilityZone, ListenerArn};
use crate::spec::finding::quoted;
use crate::spec::{Migration, RedirectStatus};

/// What ELBv2 fills in for the parts of a redirect that were left out; they keep the request's own.
const KEEP_HOST: &str = "#{host}";
const KEEP_PATH: &str = "/#{path}";
const KEEP_QUERY: &str = "#{query}";
/// What ELBv2 fills in for a redirect's protocol and port: no change, so no redirect to HTTPS.
const KEEP_PROTOCOL: &str = "#{protocol}";
const KEEP_PORT: &str = "#{port}";
/// What stands in the place of a zone for a target that gets requests from every zone: it names none.
const EVERY_ZONE: &str = "all";

/// Looks at the plain listener and at the health of the targets. Failed reads are `Unknown`.
pub async fn observe(aws: &Aws, migration: &Migration, freshness: Freshness) -> RedirectSighting {
    let freshness = aws.reads.from_now(freshness);
    let balancer = &migration.spec.load_balancer;
    let (listener, targets) = join(
        aws.listener(&balancer.arn, balancer.redirect.from_port, freshness),
        aws.targets(&balancer.target_group_arn, freshness),
    )
    .await;
    let targets = sighted(targets).map(|targets| targets.iter().map(read_target).collect());
    RedirectSighting { listener: sighted(listener).map(|listener| read_listener(&listener)), targets }
}

/// Makes one call. Whatever was read of ELBv2 before it is not believed any more.
pub async fn act(aws: &Aws, migration: &Migration, action: &RedirectAction) -> Result<(), Fault> {
    let _stale = aws.reads.changing(Service::Elb);
    let balancer = &migration.spec.load_balancer;
    let redirect = to_https(balancer.redirect.status_code);
    match action {
        RedirectAction::CreateListener => {
            let call = aws.elb.create_listener().load_balancer_arn(balancer.arn.as_str()).protocol(ProtocolEnum::Http);
            let call = call.port(balancer.redirect.from_port).default_actions(redirect);
            call.send().await.map(drop).map_err(|error| fault(format!("CreateListener {}", balancer.arn), &error))
        }
        RedirectAction::ModifyListener { listener } => {
            let call = aws.elb.modify_listener().listener_arn(listener.as_str()).default_actions(redirect);
            call.send().await.map(drop).map_err(|error| fault(format!("ModifyListener {listener}"), &error))
        }
    }
}

fn to_https(status: RedirectStatus) -> Action {
    let config = RedirectActionConfig::builder()
        .protocol("HTTPS")
        .port("443")
        .host(KEEP_HOST)
        .path(KEEP_PATH)
        .query(KEEP_QUERY)
        .status_code(RedirectActionStatusCodeEnum::from(status.as_str()));
    Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(config.build()).build()
}

fn read_listener(listener: &WireListener) -> Listener {
    Listener {
        arn: ListenerArn::from(listener.listener_arn().unwrap_or_default()),
        protocol: listener.protocol().map(|word| word.as_str().to_owned()).unwrap_or_default(),
        default_action: read_action(listener.default_actions()),
    }
}

fn read_action(actions: &[Action]) -> DefaultAction {
    let [action] = actions else { return DefaultAction::Other(format!("{} default actions", actions.len())) };
    match action.redirect_config() {
        Some(config) => read_redirect(config),
        None => DefaultAction::Other(action.r#type().map_or_else(String::new, |word| word.as_str().to_owned())),
    }
}

fn read_redirect(config: &RedirectActionConfig) -> DefaultAction {
    let or = |part: Option<&str>, default: &str| part.unwrap_or(default).to_owned();
    let (protocol, port) = (or(config.protocol(), KEEP_PROTOCOL), or(config.port(), KEEP_PORT));
    let (host, path, query) = (or(config.host(), KEEP_HOST), or(config.path(), KEEP_PATH), or(config.query(), KEEP_QUERY));
    let status = match config.status_code() {
        Some(RedirectActionStatusCodeEnum::Http301) => Some(RedirectStatus::Http301),
        Some(RedirectActionStatusCodeEnum::Http302) => Some(RedirectStatus::Http302),
        Some(_) | None => None,
    };
    let keeps = host == KEEP_HOST && path == KEEP_PATH && query == KEEP_QUERY;
    match status {
        Some(status) if keeps && protocol == "HTTPS" && port == "443" => DefaultAction::ToHttps(status),
        _ => DefaultAction::OtherRedirect(format!("{protocol}://{host}:{port}{path}?{query}")),
    }
}

fn read_target(description: &TargetHealthDescription) -> Target {
    let target = description.target();
    let id = target.and_then(TargetDescription::id).unwrap_or("a target without an id");
    let zone = target.and_then(TargetDescription::availability_zone).filter(|zone| !zone.is_empty() && *zone != EVERY_ZONE);
    Target {
        name: target.and_then(TargetDescription::port).map_or_else(|| id.to_owned(), |port| format!("{id}:{port}")),
        zone: zone.map(AvailabilityZone::from),
        health: read_health(description.target_health()),
    }
}

fn read_health(health: Option<&WireHealth>) -> TargetHealth {
    let reason = || health.and_then(WireHealth::reason).map_or_else(String::new, |word| word.as_str().to_owned());
    match health.and_then(WireHealth::state) {
        Some(TargetHealthStateEnum::Healthy) => TargetHealth::Healthy,
        Some(TargetHealthStateEnum::Initial) => TargetHealth::Initial(reason()),
        Some(TargetHealthStateEnum::Unhealthy | TargetHealthStateEnum::UnhealthyDraining) => TargetHealth::Unhealthy(reason()),
        Some(TargetHealthStateEnum::Unused) => TargetHealth::Unused(reason()),
        Some(TargetHealthStateEnum::Draining) => TargetHealth::Draining,
        Some(TargetHealthStateEnum::Unavailable) => TargetHealth::Unavailable(reason()),
        Some(other) => TargetHealth::Untold(format!("{}, a state that this program does not know", quoted(other.as_str()))),
        None => TargetHealth::Untold("no state is given".to_owned()),
    }
}

#[cfg(test)]
#[path = "aws_tests.rs"]
mod tests;
