//! Over the wire: what is asked of ELBv2, and what its answers are taken for.

use super::*;
use crate::aws::wire::{Sent, answering, last_body, operations};
use crate::controllers::fixture::migration;
use crate::sighting::Sighting;

const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

fn answer(operation: &str, inner: &str) -> (u16, String) {
    let body = format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{inner}</{operation}Result>\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{operation}Response>"
    );
    (200, body)
}

fn refusal(code: &str) -> (u16, String) {
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code><Message>no</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    );
    (400, body)
}

fn listener(port: u16, protocol: &str, action: &str) -> String {
    format!(
        "<member><ListenerArn>listener-{port}</ListenerArn><Port>{port}</Port><Protocol>{protocol}</Protocol>\
         <DefaultActions><member>{action}</member></DefaultActions></member>"
    )
}

fn redirect(config: &str) -> String {
    format!("<Type>redirect</Type><RedirectConfig>{config}</RedirectConfig>")
}

fn target(state: &str, reason: &str) -> String {
    format!("<member><TargetHealth><State>{state}</State><Reason>{reason}</Reason></TargetHealth></member>")
}

/// ELBv2 with these listeners and targets.
fn elb(listeners: &str, targets: &str) -> impl Fn(&Sent) -> (u16, String) + Send + Sync + 'static {
    let listeners = format!("<Listeners>{listeners}</Listeners>");
    let targets = format!("<TargetHealthDescriptions>{targets}</TargetHealthDescriptions>");
    move |sent: &Sent| match sent.what.as_str() {
        "DescribeListeners" => answer("DescribeListeners", &listeners),
        "DescribeTargetHealth" => answer("DescribeTargetHealth", &targets),
        other => answer(other, "<Listeners/>"),
    }
}

/// The targets as they are seen.
async fn targets(members: &str) -> Vec<Target> {
    let (aws, _) = answering(elb("", members));
    let seen = observe(&aws, &migration(), Freshness::Now).await;
    seen.targets.present().expect("targets are seen").clone()
}

async fn default_action(config: &str) -> DefaultAction {
    let listeners = listener(443, "HTTPS", "<Type>forward</Type>") + &listener(80, "HTTP", &redirect(config));
    let (aws, _) = answering(elb(&listeners, ""));
    let seen = observe(&aws, &migration(), Freshness::Now).await;
    seen.listener.present().expect("the listener on port 80 is seen").default_action.clone()
}

#[tokio::test(start_paused = true)]
async fn defaults_filled_in_and_defaults_left_out_are_the_same_redirect() {
    let plain = "<Protocol>HTTPS</Protocol><Port>443</Port><StatusCode>HTTP_302</StatusCode>";
    let filled = format!("{plain}<Host>#{{host}}</Host><Path>/#{{path}}</Path><Query>#{{query}}</Query>");
    assert_eq!(default_action(plain).await, DefaultAction::ToHttps(RedirectStatus::Http302));
    assert_eq!(default_action(&filled).await, DefaultAction::ToHttps(RedirectStatus::Http302));
}

#[tokio::test(start_paused = true)]
async fn a_redirect_that_drops_the_path_or_stays_plain_is_another_redirect() {
    let elsewhere = "<Protocol>HTTPS</Protocol><Port>443</Port><Path>/sorry</Path><StatusCode>HTTP_302</StatusCode>";
    let plain = "<Host>www.example.com</Host><StatusCode>HTTP_301</StatusCode>";
    for config in [elsewhere, plain] {
        assert!(matches!(default_action(config).await, DefaultAction::OtherRedirect(_)));
    }
}

#[tokio::test(start_paused = true)]
async fn only_the_listener_on_the_plain_port_counts() {
    let (aws, _) = answering(elb(&listener(443, "HTTPS", "<Type>forward</Type>"), ""));
    let seen = observe(&aws, &migration(), Freshness::Now).await;
    assert_eq!((seen.listener, seen.targets), (Sighting::Absent, Sighting::Absent));
    let (aws, _) = answering(elb(&listener(80, "HTTP", "<Type>forward</Type>"), ""));
    let seen = observe(&aws, &migration(), Freshness::Now).await;
    let action = seen.listener.present().map(|listener| listener.default_action.clone());
    assert_eq!(action, Some(DefaultAction::Other("forward".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn every_state_of_a_target_is_told_apart() {
    let code = || "Target.Timeout".to_owned();
    let table = [
        ("healthy", TargetHealth::Healthy),
        ("initial", TargetHealth::Initial(code())),
        ("unhealthy", TargetHealth::Unhealthy(code())),
        ("unhealthy.draining", TargetHealth::Unhealthy(code())),
        ("unused", TargetHealth::Unused(code())),
        ("draining", TargetHealth::Draining),
        ("unavailable", TargetHealth::Unavailable(code())),
        ("sleepy", TargetHealth::Untold("`sleepy`, a state that this program does not know".to_owned())),
    ];
    let found = targets(&table.iter().map(|(state, _)| target(state, "Target.Timeout")).collect::<String>()).await;
    let found: Vec<TargetHealth> = found.into_iter().map(|target| target.health).collect();
    assert_eq!(found, table.map(|(_, health)| health));
}

#[tokio::test(start_paused = true)]
async fn a_description_says_nothing_about_health_and_a_missing_state_is_not_healthy() {
    let described = "<TargetHealth><Description>Health checks passed, the target is healthy</Description></TargetHealth>";
    for health in [described, "<TargetHealth/>", ""] {
        let found = targets(&format!("<member><Target><Id>10.0.1.10</Id></Target>{health}</member>")).await;
        assert_eq!(found[0].health, TargetHealth::Untold("no state is given".to_owned()), "{health}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_zone_is_known_where_it_is_named_and_not_assumed_elsewhere() {
    let table = [
        ("<AvailabilityZone>eu-central-1a</AvailabilityZone>", Some("eu-central-1a".into())),
        ("<AvailabilityZone>all</AvailabilityZone>", None),
        ("<AvailabilityZone></AvailabilityZone>", None),
        ("", None),
    ];
    for (zone, expected) in table {
        let health = "<TargetHealth><State>healthy</State></TargetHealth>";
        let member = format!("<member><Target><Id>10.0.1.10</Id><Port>8080</Port>{zone}</Target>{health}</member>");
        let seen = Target { name: "10.0.1.10:8080".to_owned(), zone: expected, health: TargetHealth::Healthy };
        assert_eq!(targets(&member).await, [seen]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_load_balancer_or_a_throttled_read_is_unknown_and_creates_nothing() {
    for code in ["LoadBalancerNotFound", "TargetGroupNotFound", "ThrottlingException"] {
        let (aws, _) = answering(move |_| refusal(code));
        let seen = observe(&aws, &migration(), Freshness::Now).await;
        assert!(seen.listener.is_unknown() && seen.targets.is_unknown(), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_action_is_the_call_it_says() {
    let modify = RedirectAction::ModifyListener { listener: "listener-80".into() };
    let table = [
        (RedirectAction::CreateListener, "CreateListener", "Protocol=HTTP&Port=80"),
        (modify, "ModifyListener", "ListenerArn=listener-80"),
    ];
    for (action, operation, part) in table {
        let (aws, log) = answering(elb("", ""));
        act(&aws, &migration(), &action).await.expect("it is accepted");
        assert_eq!(operations(&log), vec![operation]);
        let sent = last_body(&log);
        assert!(sent.contains(part), "{sent}");
        assert!(sent.contains("DefaultActions.member.1.RedirectConfig.StatusCode=HTTP_302"), "{sent}");
        assert!(sent.contains("DefaultActions.member.1.RedirectConfig.Protocol=HTTPS"), "{sent}");
    }
}
