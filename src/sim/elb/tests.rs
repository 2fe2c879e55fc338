//! ELBv2 as the real SDK sees it.

use aws_sdk_elasticloadbalancingv2::operation::describe_target_health::DescribeTargetHealthOutput;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ActionTypeEnum, FixedResponseActionConfig, Listener, ProtocolEnum, RedirectActionConfig,
    RedirectActionStatusCodeEnum, TargetDescription, TargetHealthStateEnum,
};

use crate::sim::wire::stub::{Bench, LOAD_BALANCER, TARGET_GROUP, code_of};

fn redirect(status: RedirectActionStatusCodeEnum) -> Action {
    let config = RedirectActionConfig::builder().protocol("HTTPS").port("443").status_code(status).build();
    Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(config).build()
}

fn fixed(status: &str) -> Action {
    let config =
        FixedResponseActionConfig::builder().status_code(status).content_type("text/plain").message_body("closed").build();
    Action::builder().r#type(ActionTypeEnum::FixedResponse).fixed_response_config(config).build()
}

/// Creates an HTTP listener; the listener, or the refusal's code.
async fn create(bench: &Bench, port: i32, action: Action) -> Result<Listener, String> {
    let call = bench.aws.elb.create_listener().load_balancer_arn(LOAD_BALANCER).port(port).protocol(ProtocolEnum::Http);
    let sent = call.default_actions(action).send().await;
    sent.map(|answer| answer.listeners.expect("there").remove(0)).map_err(|error| code_of(&error).to_owned())
}

async fn ports(bench: &Bench) -> Vec<i32> {
    let listed = bench.aws.elb.describe_listeners().load_balancer_arn(LOAD_BALANCER).send().await.expect("listed");
    listed.listeners().iter().filter_map(Listener::port).collect()
}

async fn health(bench: &Bench) -> Vec<(TargetHealthStateEnum, Option<String>)> {
    let answer = bench.aws.elb.describe_target_health().target_group_arn(TARGET_GROUP).send().await.expect("answered");
    let healths = answer.target_health_descriptions().iter().filter_map(|description| description.target_health());
    healths.map(|health| (health.state.clone().expect("there"), health.reason().map(|r| r.as_str().to_owned()))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_redirect_comes_back_with_what_was_left_out_filled_in() {
    let bench = Bench::calm();
    assert_eq!(ports(&bench).await, [443], "port 80 is free at first");
    let listener = create(&bench, 80, redirect(RedirectActionStatusCodeEnum::Http301)).await.expect("created");
    let config = listener.default_actions()[0].redirect_config().expect("a redirect").clone();
    assert_eq!(
        (config.protocol(), config.port(), config.host(), config.path(), config.query()),
        (Some("HTTPS"), Some("443"), Some("#{host}"), Some("/#{path}"), Some("#{query}"))
    );
    assert_eq!(config.status_code(), Some(&RedirectActionStatusCodeEnum::Http301));
    assert_eq!(ports(&bench).await, [80, 443]);
}

#[tokio::test(start_paused = true)]
async fn creating_the_same_listener_again_succeeds_and_another_on_its_port_does_not() {
    let bench = Bench::calm();
    let first = create(&bench, 80, redirect(RedirectActionStatusCodeEnum::Http301)).await.expect("created");
    let again = create(&bench, 80, redirect(RedirectActionStatusCodeEnum::Http301)).await.expect("the same");
    assert_eq!(first.listener_arn(), again.listener_arn());
    let other = create(&bench, 80, redirect(RedirectActionStatusCodeEnum::Http302)).await;
    assert_eq!(other.expect_err("another"), "DuplicateListener");
    assert_eq!(ports(&bench).await, [80, 443], "and nothing changed");
}

#[tokio::test(start_paused = true)]
async fn a_listener_is_modified_as_a_whole_list_and_deleted() {
    let bench = Bench::calm();
    let listener = create(&bench, 80, fixed("503")).await.expect("created");
    let arn = listener.listener_arn().expect("there");
    let client = &bench.aws.elb;
    let modified = client.modify_listener().listener_arn(arn).default_actions(redirect(RedirectActionStatusCodeEnum::Http302));
    let modified = modified.send().await.expect("modified").listeners.expect("there").remove(0);
    assert_eq!(modified.default_actions().len(), 1);
    assert_eq!(modified.default_actions()[0].r#type(), Some(&ActionTypeEnum::Redirect));
    assert_eq!(modified.listener_arn(), Some(arn));
    let to_https = client.modify_listener().listener_arn(arn).protocol(ProtocolEnum::Https).send().await;
    assert_eq!(code_of(&to_https.expect_err("no certificate")), "CertificateNotFound");

    let rules = client.describe_rules().listener_arn(arn).send().await.expect("described");
    assert_eq!((rules.rules()[0].priority(), rules.rules()[0].is_default()), (Some("default"), Some(true)));
    client.delete_listener().listener_arn(arn).send().await.expect("deleted");
    assert_eq!(ports(&bench).await, [443]);
    let gone = client.describe_listeners().listener_arns(arn).send().await.expect_err("gone");
    let status = gone.raw_response().map(|raw| raw.status().as_u16());
    assert_eq!((code_of(&gone), status), ("ListenerNotFound", Some(400)), "not found is 400 here, not 404");
}

#[tokio::test(start_paused = true)]
async fn targets_are_unused_until_something_forwards_to_them_then_initial_then_healthy() {
    let bench = Bench::calm();
    let initial = (TargetHealthStateEnum::Initial, Some("Elb.InitialHealthChecking".to_owned()));
    assert_eq!(health(&bench).await, vec![initial.clone(); 3]);
    bench.pass(151).await;
    assert_eq!(health(&bench).await, vec![(TargetHealthStateEnum::Healthy, None); 3]);

    let removed = { bench.world().elb.delete_by_hand(443, bench.clock.now()).expect("there") };
    assert_eq!(health(&bench).await, vec![(TargetHealthStateEnum::Unused, Some("Target.NotInUse".to_owned())); 3]);
    bench.world().elb.put_by_hand(removed, bench.clock.now());
    assert_eq!(health(&bench).await, vec![initial; 3], "health starts again");

    let stranger = TargetDescription::builder().id("10.9.9.9").build();
    let asked = bench.aws.elb.describe_target_health().target_group_arn(TARGET_GROUP).targets(stranger).send().await;
    let reason = asked.expect("answered").target_health_descriptions()[0].target_health().and_then(|h| h.reason().cloned());
    assert_eq!(reason.map(|reason| reason.as_str().to_owned()), Some("Target.NotRegistered".to_owned()));
}

/// States and reasons, as one line.
async fn told(bench: &Bench) -> String {
    let word = |(state, reason): (TargetHealthStateEnum, Option<String>)| {
        reason.map_or_else(|| state.as_str().to_owned(), |reason| format!("{} {reason}", state.as_str()))
    };
    health(bench).await.into_iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A bench whose three targets are healthy.
async fn running() -> Bench {
    let bench = Bench::calm();
    bench.pass(151).await;
    assert_eq!(told(&bench).await, "healthy, healthy, healthy");
    bench
}

#[tokio::test(start_paused = true)]
async fn targets_stand_in_two_zones_by_turns_and_a_stranger_in_none() {
    let bench = Bench::calm();
    let zones = |answer: &DescribeTargetHealthOutput| -> Vec<Option<String>> {
        let targets = answer.target_health_descriptions().iter().filter_map(|description| description.target());
        targets.map(|target| target.availability_zone().map(str::to_owned)).collect()
    };
    let call = bench.aws.elb.describe_target_health().target_group_arn(TARGET_GROUP);
    let all = call.clone().send().await.expect("answered");
    assert_eq!(zones(&all), ["eu-west-1a", "eu-west-1b", "eu-west-1a"].map(|zone| Some(zone.to_owned())));
    let stranger = TargetDescription::builder().id("10.9.9.9").build();
    let asked = call.targets(stranger).send().await.expect("answered");
    assert_eq!(zones(&asked), [None]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_target_is_unhealthy_until_it_has_answered_often_enough_again() {
    let bench = running().await;
    bench.world().elb.targets.break_by_hand("10.0.0.11");
    assert_eq!(told(&bench).await, "healthy, unhealthy Target.Timeout, healthy");
    bench.pass(3600).await;
    assert_eq!(told(&bench).await, "healthy, unhealthy Target.Timeout, healthy", "time alone mends nothing");
    bench.world().elb.targets.mend_by_hand("10.0.0.11", bench.clock.now());
    assert_eq!(told(&bench).await, "healthy, unhealthy Target.Timeout, healthy", "one good answer is not enough");
    bench.pass(151).await;
    assert_eq!(told(&bench).await, "healthy, healthy, healthy");
}

#[tokio::test(start_paused = true)]
async fn a_deregistered_target_drains_and_is_then_a_stranger() {
    let bench = running().await;
    bench.world().elb.targets.deregister_by_hand("10.0.0.10", bench.clock.now());
    assert_eq!(told(&bench).await, "draining Target.DeregistrationInProgress, healthy, healthy");
    bench.pass(299).await;
    assert_eq!(told(&bench).await, "draining Target.DeregistrationInProgress, healthy, healthy");
    bench.pass(2).await;
    assert_eq!(told(&bench).await, "healthy, healthy");
    let gone = TargetDescription::builder().id("10.0.0.10").build();
    let asked = bench.aws.elb.describe_target_health().target_group_arn(TARGET_GROUP).targets(gone).send().await;
    let reason = asked.expect("answered").target_health_descriptions()[0].target_health().and_then(|h| h.reason().cloned());
    assert_eq!(reason.map(|reason| reason.as_str().to_owned()), Some("Target.NotRegistered".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_not_enabled_leaves_its_targets_unused_and_they_begin_again() {
    let bench = running().await;
    bench.world().elb.targets.disable_zone_by_hand("eu-west-1b");
    assert_eq!(told(&bench).await, "healthy, unused Target.NotInUse, healthy");
    bench.world().elb.targets.enable_zone_by_hand("eu-west-1b", bench.clock.now());
    assert_eq!(told(&bench).await, "healthy, initial Elb.InitialHealthChecking, healthy");
    bench.pass(151).await;
    assert_eq!(told(&bench).await, "healthy, healthy, healthy");
}

#[tokio::test(start_paused = true)]
async fn redirects_that_lead_nowhere_or_down_are_refused() {
    let bench = Bench::calm();
    let same = RedirectActionConfig::builder().status_code(RedirectActionStatusCodeEnum::Http301).build();
    let same = Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(same).build();
    assert_eq!(create(&bench, 80, same).await.expect_err("a loop"), "InvalidLoadBalancerAction");
    let long = RedirectActionConfig::builder().host("h".repeat(129)).status_code(RedirectActionStatusCodeEnum::Http301).build();
    let long = Action::builder().r#type(ActionTypeEnum::Redirect).redirect_config(long).build();
    assert_eq!(create(&bench, 80, long).await.expect_err("too long"), "ValidationError");
    assert_eq!(create(&bench, 80, fixed("301")).await.expect_err("not a ready answer"), "ValidationError");
    assert_eq!(create(&bench, 0, fixed("503")).await.expect_err("no port"), "ValidationError");
    let elsewhere = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn("arn:other").build();
    assert_eq!(create(&bench, 80, elsewhere).await.expect_err("another group"), "TargetGroupNotFound");
    assert_eq!(ports(&bench).await, [443]);
}

#[tokio::test(start_paused = true)]
async fn listings_are_paged_and_what_is_not_there_is_not_found() {
    let bench = Bench::calm();
    let client = &bench.aws.elb;
    create(&bench, 80, redirect(RedirectActionStatusCodeEnum::Http301)).await.expect("created");
    let pages = client.describe_listeners().load_balancer_arn(LOAD_BALANCER).page_size(1).into_paginator().items().send();
    let listed: Vec<_> = pages.collect::<Result<Vec<_>, _>>().await.expect("listed");
    assert_eq!(listed.len(), 2);
    let nothing = client.describe_listeners().send().await.expect_err("neither balancer nor listeners");
    assert_eq!(code_of(&nothing), "ValidationError");
    let other = client.describe_load_balancers().load_balancer_arns("arn:other").send().await.expect_err("unknown");
    assert_eq!(code_of(&other), "LoadBalancerNotFound");
    let balancers = client.describe_load_balancers().load_balancer_arns(LOAD_BALANCER).send().await.expect("known");
    assert_eq!(balancers.load_balancers()[0].load_balancer_name(), Some("payments"));
    let groups = client.describe_target_groups().target_group_arns(TARGET_GROUP).send().await.expect("known");
    assert_eq!(groups.target_groups()[0].load_balancer_arns(), [LOAD_BALANCER]);
    let unmodelled = client.describe_account_limits().send().await.expect_err("not modelled");
    assert_eq!(code_of(&unmodelled), "InvalidAction");
}
