//! One call, from an opened request to an answer or to silence: the same for both doors.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::open::{Call, Opened};
use super::{Cloud, ServiceError, WireAnswer, close};
use crate::clock::Clock;
use crate::sim::crash::{CrashSwitch, Place};
use crate::sim::faults::{CallFault, Service};

/// How long a call that is never answered is kept waiting. Far more than a client's own patience, which is what should end it.
const SILENCE: Duration = Duration::from_secs(60);

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// With an answer, whole or cut.
    Answered(WireAnswer),
    /// Never: the time has been waited already.
    Silence,
}

/// Makes one call. The world is never locked across a wait, nor when the controller is killed.
pub async fn exchange<C: Cloud>(world: &Mutex<C>, clock: &Clock, crash: &CrashSwitch, opened: Opened) -> Ending {
    crash.place(Place::BeforeCall);
    let is_read = opened.is_read();
    let interference = {
        let mut world = lock(world);
        let now = clock.now();
        world.advance(now);
        world.faults().on_call(now, opened.service, &opened.operation, is_read)
    };
    if interference.fault == Some(CallFault::TimeoutBefore) {
        return silence(clock).await;
    }
    clock.sleep(interference.latency).await;
    if let Some(CallFault::Refused(refusal)) = &interference.fault {
        let request_id = lock(world).faults().request_id();
        return Ending::Answered(close::refusal(opened.service, refusal, request_id));
    }
    let answer = apply(&mut *lock(world), clock, opened, is_read, interference.fault.as_ref());
    crash.place(Place::AfterCall);
    if interference.fault == Some(CallFault::TimeoutAfter) {
        return silence(clock).await;
    }
    Ending::Answered(answer)
}

async fn silence(clock: &Clock) -> Ending {
    clock.sleep(SILENCE).await;
    Ending::Silence
}

/// Lets the world handle the call, in one lock.
fn apply<C: Cloud>(world: &mut C, clock: &Clock, opened: Opened, is_read: bool, fault: Option<&CallFault>) -> WireAnswer {
    let now = clock.now();
    world.advance(now);
    if fault == Some(&CallFault::StaleRead)
        && let Some(old) = world.faults().stale(now, opened.key)
    {
        return old;
    }
    if !is_read {
        world.faults().mutations.push((now, opened.service, opened.operation.clone()));
    }
    let (key, service) = (opened.key, opened.service);
    let mut answer = handle(world, opened);
    if is_read && answer.status == 200 {
        world.faults().remember(now, key, &answer);
    }
    match fault {
        Some(CallFault::TruncatedBody) => answer.sent = world.faults().cut(answer.body.len()),
        Some(CallFault::BrokenAfter(refusal)) => answer = close::refusal(service, refusal, answer.request_id),
        Some(CallFault::Refused(_) | CallFault::TimeoutBefore | CallFault::TimeoutAfter | CallFault::StaleRead) | None => {}
    }
    answer
}

/// Hands an opened request to its service.
pub(super) fn handle<C: Cloud>(world: &mut C, opened: Opened) -> WireAnswer {
    let request_id = world.faults().request_id();
    let Opened { service, operation, call, .. } = opened;
    let answered = match (service, call) {
        (_, Err(refusal)) => Err(refusal),
        (Service::Dms, Ok(Call::Json(input))) => {
            world.dms(&operation, &input).map(|output| close::json(&output, request_id.clone()))
        }
        (Service::Rds, Ok(Call::Query(parameters))) => {
            world.rds(&operation, &parameters).map(|inner| close::query(service, &operation, &inner, request_id.clone()))
        }
        (Service::Elb, Ok(Call::Query(parameters))) => {
            world.elb(&operation, &parameters).map(|inner| close::query(service, &operation, &inner, request_id.clone()))
        }
        (Service::Route53, Ok(Call::Rest(request))) => {
            world.route53(&request).map(|answer| close::rest(answer, request_id.clone()))
        }
        (_, Ok(Call::Json(_) | Call::Query(_) | Call::Rest(_))) => {
            Err(ServiceError::refused("UnknownOperationException", "The protocol is not this service's."))
        }
    };
    answered.unwrap_or_else(|refusal| close::refusal(service, &refusal, request_id))
}

/// A panic in a world's own code has been reported already; the lock that it held still guards the world.
fn lock<C>(world: &Mutex<C>) -> MutexGuard<'_, C> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}
