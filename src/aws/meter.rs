//! Hears of every call as it is sent.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::Service;

/// Told of each call's service at the moment in which it is sent, retries included.
#[derive(Clone)]
pub struct Meter(Arc<dyn Fn(Service) + Send + Sync>);

impl Meter {
    /// Tells `heard`, which must not block.
    pub fn new(heard: impl Fn(Service) + Send + Sync + 'static) -> Self {
        Self(Arc::new(heard))
    }

    /// Tells nobody.
    pub fn deaf() -> Self {
        Self::new(|_| {})
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

/// One service's clients, listened to.
#[derive(Debug)]
pub(super) struct Metered {
    pub(super) service: Service,
    pub(super) meter: Meter,
}

#[dyn_dispatch_hint]
impl Intercept for Metered {
    fn name(&self) -> &'static str {
        "bascule's meter"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        (self.meter.0)(self.service);
        Ok(())
    }
}
