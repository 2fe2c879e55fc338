//! Customers who never stop: 32 connections that write, remember every acknowledgement, and come back when they are cut.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use bascule::credentials::Credentials;
use bascule::mysql::connect::{Address, connect};
use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tokio::task::JoinSet;

/// As many as a payment application's pools hold.
pub const CONNECTIONS: usize = 32;

/// How a customer writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// One statement, one commit.
    Autocommit,
    /// Two statements and a commit.
    Transaction,
    /// A new connection for each payment.
    Reconnecting,
}

/// What all customers of one test share.
#[derive(Debug, Default)]
pub struct Book {
    /// Set once the fence is proven.
    pub fenced: AtomicBool,
    /// Attempts that began after that, and were acknowledged: there must be none.
    pub too_late: AtomicU64,
    /// Payments acknowledged.
    pub acknowledged: AtomicU64,
    /// For each customer, attempts that ended, one way or the other.
    pub attempts: [AtomicU64; CONNECTIONS],
    /// For each customer, payments acknowledged.
    pub paid: [AtomicU64; CONNECTIONS],
}

/// Customers at work; they stop when this is dropped.
pub struct Customers {
    /// What they wrote down.
    pub book: Arc<Book>,
    _tasks: JoinSet<()>,
}

impl Customers {
    /// Everybody begins.
    pub fn begin(address: &Address, style: Style) -> Self {
        let book = Arc::new(Book::default());
        let mut tasks = JoinSet::new();
        for number in 0..CONNECTIONS {
            tasks.spawn(pay_for_ever(address.clone(), style, number, Arc::clone(&book)));
        }
        Self { book, _tasks: tasks }
    }

    /// Waits until each has added `more` to what is counted, however long that takes.
    pub async fn until_each(&self, counters: &[AtomicU64; CONNECTIONS], more: u64) {
        let before: Vec<u64> = counters.iter().map(|counter| counter.load(Ordering::SeqCst)).collect();
        for (counter, before) in counters.iter().zip(before) {
            while counter.load(Ordering::SeqCst) < before + more {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

async fn pay_for_ever(address: Address, style: Style, number: usize, book: Arc<Book>) {
    let app = Credentials { user: "app".into(), password: "app".into() };
    let mut connection: Option<Conn> = None;
    for serial in 0_u64.. {
        let began_fenced = book.fenced.load(Ordering::SeqCst);
        if connection.is_none() {
            connection = connect(&address, &app).await.ok();
        }
        let paid = match connection.as_mut() {
            Some(connection) => pay(connection, style, &format!("{number}-{serial}")).await.is_ok(),
            None => false,
        };
        if paid {
            book.acknowledged.fetch_add(if style == Style::Transaction { 2 } else { 1 }, Ordering::SeqCst);
            book.paid[number].fetch_add(1, Ordering::SeqCst);
            book.too_late.fetch_add(u64::from(began_fenced), Ordering::SeqCst);
        }
        book.attempts[number].fetch_add(1, Ordering::SeqCst);
        if !paid || style == Style::Reconnecting {
            connection = None;
            // A refused customer that asked again at once would take the processor from everybody.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

async fn pay(connection: &mut Conn, style: Style, reference: &str) -> Result<(), mysql_async::Error> {
    let insert = format!("INSERT INTO payments.payments (reference) VALUES ('{reference}')");
    match style {
        Style::Autocommit | Style::Reconnecting => connection.query_drop(insert).await,
        Style::Transaction => {
            connection.query_drop("START TRANSACTION").await?;
            connection.query_drop(&insert).await?;
            connection.query_drop(&insert).await?;
            connection.query_drop("COMMIT").await
        }
    }
}
