//! Customers who pay real servers through the name that they resolve: they remember what they were told, and never give up.

mod book;
mod payer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

pub use self::book::{Acknowledgement, Book, Style, Switch};
use self::payer::Payer;
use crate::clock::Clock;
use crate::credentials::Credentials;
use crate::mysql::connect::Address;
use crate::names::Side;
use crate::sim::SharedWorld;

/// What customers know.
#[derive(Debug, Clone)]
pub struct Shop {
    /// Where names are resolved.
    pub world: SharedWorld,
    /// What time it is.
    pub clock: Clock,
    /// Where the legacy side's servers connect to.
    pub legacy: Address,
    /// Where the target side's do.
    pub target: Address,
    /// The application's accounts, taken in turn.
    pub accounts: Vec<Credentials>,
    /// The application's schema.
    pub schema: String,
    /// Connections, each with a payment at a time.
    pub connections: u32,
    /// Payments a second, of all together, while nobody is in anybody's way, on a quiet day.
    pub quiet_per_second: u32,
    /// The same in a rush.
    pub per_second: u32,
}

impl Shop {
    /// Where a side's database is.
    pub const fn address(&self, side: Side) -> &Address {
        match side {
            Side::Legacy => &self.legacy,
            Side::Target => &self.target,
        }
    }

    /// The time that one connection leaves between two payments.
    fn interval(&self, hours: Hours) -> Duration {
        let per_second = match hours {
            Hours::Quiet => self.quiet_per_second,
            Hours::Rush | Hours::Closing => self.per_second,
        };
        Duration::from_secs(1) * self.connections / per_second.max(1)
    }
}

/// Everybody who pays.
#[derive(Debug)]
pub struct Customers {
    /// What they were told.
    pub book: Arc<Book>,
    hours: watch::Sender<Hours>,
    payers: JoinSet<()>,
}

/// How busy the shop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hours {
    /// A quiet day.
    Quiet,
    /// Everybody pays.
    Rush,
    /// Nobody begins a payment.
    Closing,
}

impl Customers {
    /// The shop opens.
    pub fn open(shop: &Shop, seed: u64) -> Self {
        let book = Arc::new(Book::new());
        let (turning, hours) = watch::channel(Hours::Rush);
        let mut payers = JoinSet::new();
        for number in 0..shop.connections {
            let rng = fastrand::Rng::with_seed(seed ^ u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            payers.spawn(Payer::new(number, shop.clone(), Arc::clone(&book), rng).pay_on(hours.clone()));
        }
        Self { book, hours: turning, payers }
    }

    /// It becomes quieter, or busier.
    pub fn turn(&self, hours: Hours) {
        self.hours.send_if_modified(|now| std::mem::replace(now, hours) != hours);
    }

    /// The shop closes: every payment that was begun is brought to its end, and nothing is begun.
    pub async fn close(mut self) -> Arc<Book> {
        // Nobody listens any more where every payer has died, which the book would show.
        _ = self.hours.send(Hours::Closing);
        while self.payers.join_next().await.is_some() {}
        self.book
    }
}
