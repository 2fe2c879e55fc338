//! One customer after another at one connection.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error};
use tokio::sync::watch;

use super::book::{Acknowledgement, Book, Style};
use super::{Hours, Shop};
use crate::credentials::Credentials;
use crate::fault::Problem;
use crate::lab::mover::table::quoted;
use crate::lab::schema::{ACCOUNTS, PAYMENTS};
use crate::mysql::connect::connect;
use crate::names::Side;

/// A customer who was refused tries again this much later, with as much again by chance: people at a till are not patient.
const BACKOFF_MS: u64 = 20;

/// What a resolver is asked as, at most: every customer has some resolver, and nobody has all.
const RESOLVERS: usize = 1 << 20;

/// `ER_DUP_ENTRY`
const DUPLICATE: u16 = 1062;

/// Whether the connection lives for one payment or for many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Habit {
    KeepsConnected,
    Reconnects,
}

/// A payment until it is acknowledged.
struct Payment {
    key: String,
    amount: String,
    style: Style,
}

/// What a try came to.
enum Told {
    Yes(Side),
    Nothing(String),
}

pub(super) struct Payer {
    number: u32,
    shop: Shop,
    book: Arc<Book>,
    credentials: Credentials,
    habit: Habit,
    connection: Option<(Side, Conn)>,
    made: u64,
    rng: fastrand::Rng,
}

impl Payer {
    pub(super) fn new(number: u32, shop: Shop, book: Arc<Book>, rng: fastrand::Rng) -> Self {
        let credentials = shop.accounts[number as usize % shop.accounts.len().max(1)].clone();
        // One in eight is a script that connects for every payment.
        let habit = if number % 8 == 7 { Habit::Reconnects } else { Habit::KeepsConnected };
        Self { number, shop, book, credentials, habit, connection: None, made: 0, rng }
    }

    /// Pays until the shop closes.
    pub(super) async fn pay_on(mut self, hours: watch::Receiver<Hours>) {
        loop {
            let now = *hours.borrow();
            if now == Hours::Closing {
                break;
            }
            let payment = self.next();
            self.pay(payment).await;
            let interval = self.shop.interval(now);
            tokio::time::sleep(interval.mul_f64(0.5 + self.rng.f64())).await;
        }
        if let Some((_, connection)) = self.connection.take() {
            // The server may be gone, and then there is nothing to close.
            _ = connection.disconnect().await;
        }
    }

    fn next(&mut self) -> Payment {
        self.made += 1;
        let style = if self.number.is_multiple_of(2) { Style::Transaction } else { Style::Autocommit };
        let amount = format!("{}.{:04}", self.rng.u32(1..5_000), self.rng.u32(..10_000));
        Payment { key: format!("till-{}-{}", self.number, self.made), amount, style }
    }

    async fn pay(&mut self, payment: Payment) {
        loop {
            match self.attempt(&payment).await {
                Told::Yes(side) => {
                    let Payment { key, amount, style } = payment;
                    let at = self.shop.clock.now();
                    self.book.acknowledge(key, Acknowledgement { amount, side, at, style });
                    return;
                }
                Told::Nothing(why) => {
                    self.book.refuse(why);
                    self.connection = None;
                    tokio::time::sleep(Duration::from_millis(self.rng.u64(BACKOFF_MS..2 * BACKOFF_MS))).await;
                }
            }
        }
    }

    async fn attempt(&mut self, payment: &Payment) -> Told {
        let resolver = self.rng.usize(..RESOLVERS);
        let now = self.shop.clock.now();
        let resolved = self.shop.world.lock().unwrap_or_else(PoisonError::into_inner).resolve(resolver, now);
        let Some(side) = resolved else { return Told::Nothing("no such name".to_owned()) };
        let connection = match self.connection.take().filter(|(connected, _)| *connected == side) {
            Some((_, connection)) => connection,
            None => match connect(self.shop.address(side), &self.credentials).await {
                Ok(connection) => connection,
                Err(fault) => return Told::Nothing(refusal(&fault.problem)),
            },
        };
        let (_, connection) = self.connection.insert((side, connection));
        let schema = quoted(&self.shop.schema);
        let account = self.rng.u32(1..=ACCOUNTS);
        let written = match payment.style {
            Style::Autocommit => insert(connection, &schema, payment).await,
            Style::Transaction => transact(connection, &schema, payment, account, self.number, self.made).await,
        };
        let told = match written {
            Ok(()) => Told::Yes(side),
            Err(Error::Server(error)) if error.code == DUPLICATE => found(connection, &schema, payment, side).await,
            Err(Error::Server(error)) => Told::Nothing(error.code.to_string()),
            Err(_) => Told::Nothing("connection lost".to_owned()),
        };
        if self.habit == Habit::Reconnects {
            self.connection = None;
        }
        told
    }
}

/// The server's number, if it answered.
fn refusal(problem: &Problem) -> String {
    match problem {
        Problem::Throttled { code }
        | Problem::WrongState { code, .. }
        | Problem::AlreadyExists { code }
        | Problem::NotFound { code }
        | Problem::Denied { code, .. }
        | Problem::Invalid { code, .. }
        | Problem::Conflict { code, .. }
        | Problem::Quota { code } => code.clone(),
        Problem::Ambiguous { .. } | Problem::Unreachable { .. } | Problem::Superseded { .. } => "no connection".to_owned(),
    }
}

async fn insert(connection: &mut Conn, schema: &str, payment: &Payment) -> Result<(), Error> {
    let statement = format!(
        "INSERT INTO {schema}.{PAYMENTS} (idempotency_key, customer_id, amount, currency, details) VALUES (?, ?, ?, 'EUR', '{{\"till\": true}}')"
    );
    connection.exec_drop(statement, (&payment.key, format!("customer-{}", payment.key.len()), &payment.amount)).await
}

async fn transact(
    connection: &mut Conn,
    schema: &str,
    payment: &Payment,
    account: u32,
    till: u32,
    number: u64,
) -> Result<(), Error> {
    connection.query_drop("START TRANSACTION").await?;
    let done = async {
        insert(connection, schema, payment).await?;
        let entry = format!("INSERT INTO {schema}.ledger_entries (idempotency_key, account_id, delta) VALUES (?, ?, ?)");
        connection.exec_drop(entry, (&payment.key, account, &payment.amount)).await?;
        let balance = format!("UPDATE {schema}.accounts SET balance = balance + ?, version = -version WHERE id = ?");
        connection.exec_drop(balance, (&payment.amount, account)).await?;
        let earlier = format!("UPDATE {schema}.{PAYMENTS} SET status = 'captured' WHERE idempotency_key = ?");
        connection.exec_drop(earlier, (format!("till-{till}-{}", number.saturating_sub(1)),)).await?;
        connection.query_drop("COMMIT").await
    };
    let outcome = done.await;
    if matches!(outcome, Err(Error::Server(_))) {
        connection.query_drop("ROLLBACK").await?;
    }
    outcome
}

/// The key is taken: by this very payment, whose answer was lost, if its amount is there.
async fn found(connection: &mut Conn, schema: &str, payment: &Payment, side: Side) -> Told {
    let question = format!("SELECT 1 FROM {schema}.{PAYMENTS} WHERE idempotency_key = ? AND amount = ?");
    match connection.exec_first::<u8, _, _>(question, (&payment.key, &payment.amount)).await {
        Ok(Some(_)) => Told::Yes(side),
        Ok(None) => Told::Nothing("somebody else's key".to_owned()),
        Err(_) => Told::Nothing("connection lost".to_owned()),
    }
}
